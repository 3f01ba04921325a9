"""What an instance has in this machine: processes to kill, and what must be there at rest."""

import http.client
import json
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

from test_lifetimes import instance

BACK_S = 30  # until a process that was killed is there again; the machine may be busy
LOOK_S = 0.01


def process_field(pid, field):
    """A field of proc(5) stat, counted as there; None for a process that has ended."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[field - 3]


def children(parent):
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*")
            if process_field(path.name, 4) == str(parent)]


def arguments(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def recorded(hub, name):
    """The process that a file in run/ names with its start time."""
    try:
        pid, start = (hub.data / "run" / name).read_text().split()[:2]
    except (OSError, ValueError):
        return []
    return [int(pid)] if process_field(pid, 22) == start else []


def records(hub):
    """The runs that the runner keeps: key to its lines."""
    found = {}
    for path in (hub.data / "run/bundles").glob("*/run"):
        try:
            found[path.parent.name] = dict(line.split("=", 1) for line in path.read_text().splitlines())
        except OSError:
            pass
    return found


def conmons(hub):
    return {int(record["conmon"]): key for key, record in records(hub).items()
            if process_field(record["conmon"], 22) == record["conmon_start"]}


def candidates(hub, victim):
    """Process ids, each certain to be of this instance."""
    if victim == "keeper":
        return [hub.process.pid]
    if victim in ("hub", "runner"):
        return [pid for pid in children(hub.process.pid) if f"@{victim}" in arguments(pid)]
    if victim == "dnsmasq":
        return recorded(hub, "dnsmasq.pid")
    if victim == "conmon":
        return sorted(conmons(hub))
    masters = recorded(hub, "nginx.state")
    return masters if victim == "nginx master" else [pid for master in masters for pid in children(master)]


def wait_for(what, test, seconds=BACK_S):
    """What the test says as soon as it says something."""
    end = time.monotonic() + seconds
    while not (found := test()):
        assert time.monotonic() < end, f"waited {seconds} s for {what() if callable(what) else what}"
        time.sleep(LOOK_S)
    return found


def kill(hub, victim, choice):
    """SIGKILL to one of them, chosen by `choice`; it may be on its way up just now."""
    found = wait_for(f"a {victim}", lambda: candidates(hub, victim))
    pid = choice(sorted(found))
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it was faster
    return pid


def start_keeper(hub):
    """As systemd would, after its end."""
    hub.process.wait()
    hub.process.stdout.close()
    hub.log.close()
    hub.start()


def answers(hub):
    try:
        return hub.call("GET", "/api/whoami-v2", timeout=5).status == 200
    except (OSError, http.client.HTTPException):
        return False


def wait_back(hub, victim, pid):
    """Until what was killed is there again, in another process, and the hub answers."""
    if victim == "keeper":
        start_keeper(hub)
    elif victim == "conmon":  # the app lives on for a moment
        wait_for("the end of its run", lambda: str(pid) not in [run["conmon"] for run in records(hub).values()])
    else:
        wait_for(f"another {victim}", lambda: [one for one in candidates(hub, victim) if one != pid])
    wait_for(lambda: f"an answer\n{hub.tail()}", lambda: answers(hub))


def rows(hub, query, *values):
    database = sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True, timeout=10)
    try:
        return database.execute(query, values).fetchall()
    finally:
        database.close()


def foreign_files(hub):
    """Repositories, logs and app layers of no Space, what a cut-off change or build has left."""
    spaces = {hexes for hexes, in rows(hub, "SELECT hex FROM spaces")}
    layers = hub.data / "layers"
    found = [path for path in (hub.data / "spaces").iterdir() if path.name not in spaces]
    found += [path for path in layers.glob("app-*") if path.name.split("-")[1] not in spaces]
    found += [path for path in layers.iterdir() if path.name.split("-")[0] not in ("base", "env", "app")]
    found += [*(hub.data / "cache").glob("*/out-*"), *(hub.data / "run/in").iterdir()]
    return sorted(str(path.relative_to(hub.data)) for path in found)


def output(*argv):
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def gateway(hub):
    found = output("ip", "-o", "-4", "addr", "show", f"es-{instance(hub)}")
    return re.search(r"inet ([0-9.]+)/", found)[1]


def processes(hub, address):
    """How many of each kind belong to the instance, whose gateway has this address."""
    lines = [line for path in pathlib.Path("/proc").glob("[0-9]*") if (line := arguments(path.name))]
    mine = [line for line in lines if str(hub.data) in line]
    return {
        "conmon": sum(line[0] == "conmon" and f"{hub.data}/run/exit" in line for line in lines),
        "runc": sum("runc" in line[0] and f"{hub.data}/run/runc" in line for line in lines),
        "dnsmasq": sum(f"--listen-address={address}" in line for line in lines),
        "hub": sum("@hub" in line for line in mine),
        "runner": sum("@runner" in line for line in mine),
        "nginx": sum(f"{hub.data}/run/nginx.conf" in line[0] for line in lines),
    }


def cgroups(hub):
    name = f"espace-{instance(hub)}"
    roots = [path for path in (pathlib.Path("/sys/fs/cgroup") / name, pathlib.Path("/sys/fs/cgroup/freezer") / name)
             if path.exists()]
    return sorted(path.name for root in roots for path in root.iterdir() if path.is_dir())


def ports(hub):
    """The slots of the veths on our bridge."""
    return sorted(int(found) for found in re.findall(rf"\bes{instance(hub)}v(\d+)@", output("ip", "-o", "link")))


def loop_devices(hub):
    """Those whose image lay on our disk; unlinked ones name their folder still."""
    return output("losetup", "--list", "--noheadings", "--output", "BACK-FILE").count(str(hub.data))


def at_rest(hub, address):
    """What belongs to runs, wherever it shows: all must tell of the same ones."""
    runs = rows(hub, "SELECT full_name, key FROM runs JOIN spaces USING (repo_id) WHERE ended_ms IS NULL")
    keys = sorted(key for _, key in runs)
    kept = records(hub)
    slots = sorted(int(record["slot"]) for record in kept.values())
    mounts = [line.split()[1] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    return {
        "spaces": sorted(name for name, in rows(hub, "SELECT full_name FROM spaces")),
        "running": sorted(name for name, _ in runs),
        "records differ": sorted(set(kept) ^ set(keys)),
        "cgroups differ": sorted(set(cgroups(hub)) ^ set(keys)),
        "containers differ": sorted({path.name for path in (hub.data / "run/runc").iterdir()} ^ set(keys)),
        "ports differ": sorted(set(ports(hub)) ^ set(slots)),
        "slots given twice": len(slots) - len(set(slots)),
        "loop devices": loop_devices(hub),
        "mounts": sorted(path for path in mounts if path.startswith(str(hub.data))),
        "foreign files": foreign_files(hub),
        "processes": processes(hub, address),
    }


def wait_rest(hub, address, spaces, running, seconds=90):
    """Exactly one run for each Space that shall run, and nothing of any other."""
    count = len(running)
    wanted = {
        "spaces": sorted(f"me/{name}" for name in spaces),
        "running": sorted(f"me/{name}" for name in running),
        "records differ": [],
        "cgroups differ": [],
        "containers differ": [],
        "ports differ": [],
        "slots given twice": 0,
        "loop devices": count,
        "mounts": [f"{hub.data}/run"],
        "foreign files": [],
        "processes": {"conmon": count, "runc": 0, "dnsmasq": 1, "hub": 1, "runner": 1, "nginx": 1},
    }
    end = time.monotonic() + seconds
    while (state := at_rest(hub, address)) != wanted:
        differs = {name: (state[name], wanted[name]) for name in wanted if state[name] != wanted[name]}
        assert time.monotonic() < end, f"not at rest (is, wanted): {json.dumps(differs, indent=1)}\n{hub.tail(80)}"
        time.sleep(0.1)
