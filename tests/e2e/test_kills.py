"""kill -9 of any one process at any moment: what was promised holds, and nothing is left over.

The moments come from a seed that is printed; ESPACE_TEST_SEED repeats a run's choices.
"""

import http.client
import json
import os
import pathlib
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

import apps
from hub import Hub
from test_lifetimes import instance, leftovers

VICTIMS = ["hub", "runner", "keeper", "nginx master", "nginx worker", "dnsmasq", "conmon"]
ROUNDS = 50 if os.environ.get("ESPACE_TEST_FULL") else len(VICTIMS)
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time()))
STEADY = ["one", "two", "three"]  # Spaces that are pushed to and restarted
CHANGES = ["push", "restart", "push_and_restart", "push_twice"]
REBUILDS = 0.3  # in so many rounds an environment is built: that takes seconds
KILL_WITHIN_S = 2.5  # what the changes of a round take, about
INSIST_S = 60
REST_S = 60


def insist(hub, method, path, body=None, headers=None, accept=(200,)):
    """Repeat a call until it is answered as wanted: in between there may be nobody to answer."""
    end = time.monotonic() + INSIST_S
    while True:
        try:
            answer = hub.call(method, path, body, headers=headers, timeout=20)
            if answer.status in accept:
                return answer
            said = f"{answer.status} {answer.body[:200]}"
        except (OSError, http.client.HTTPException) as error:
            said = repr(error)
        assert time.monotonic() < end, f"{method} {path}: {said}\n{hub.tail()}"
        time.sleep(0.05)


class Space:
    """A Space, and what has been acknowledged about it."""

    def __init__(self, hub, name):
        self.hub, self.name, self.path = hub, name, f"/api/spaces/me/{name}"
        self.count, self.text, self.commits = 0, None, []
        self.repo = {"name": name, "organization": None, "type": "space"}

    def create(self):
        """409: it is there, and only the answer was lost."""
        insist(self.hub, "POST", "/api/repos/create", {**self.repo, "sdk": "gradio"}, accept=(200, 409))
        self.push()

    def come_and_go(self, stays_s):
        self.create()
        time.sleep(stays_s)
        insist(self.hub, "DELETE", "/api/repos/delete", self.repo, accept=(200, 404))

    def push(self, extra=None):
        self.count += 1
        text = f"{self.name} {self.count}"
        lines = [{"key": "header", "value": {"summary": text}}]
        lines += [{"key": "file", "value": {"path": path, "content": content, "encoding": "utf-8"}}
                  for path, content in {**apps.plain(text), **(extra or {})}.items()]
        answer = insist(self.hub, "POST", f"{self.path}/commit/main", "\n".join(map(json.dumps, lines)).encode(),
                        headers={"Content-Type": "application/x-ndjson"})
        self.text = text
        self.commits.append(answer.json["commitOid"])

    def rebuild(self):
        self.push({"requirements.txt": f"# {self.count}\n"})

    def restart(self):
        insist(self.hub, "POST", f"{self.path}/restart")

    def push_and_restart(self):
        self.push()
        self.restart()

    def push_twice(self):
        self.push()
        self.push()

    def seen(self):
        """Stage, commit and answer, as far as there is anybody to tell."""
        try:
            runtime = self.hub.call("GET", f"{self.path}/runtime", timeout=20).json
            return runtime["stage"], runtime.get("sha"), self.hub.visit(self.name, timeout=20).body.decode()
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            return repr(error), None, None

    def check(self):
        wanted = ("RUNNING", self.commits[-1], self.text)
        end = time.monotonic() + REST_S
        while (seen := self.seen()) != wanted:  # RUNNING may be what the hub has not seen dying yet
            assert time.monotonic() < end, f"{self.name}: {seen}, not {wanted}\n{self.hub.tail(80)}"
            time.sleep(0.05)
        answer = insist(self.hub, "GET", f"{self.path}/commits/main?limit=100")
        history = [commit["id"] for commit in answer.json]
        assert history[0] == self.commits[-1]
        assert [commit for commit in self.commits[-20:] if commit not in history] == []


def process_field(pid, field):
    """A field of proc(5) stat, counted as there; None for a process that has ended."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[field - 3]


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
    except OSError:
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


def candidates(hub, victim):
    if victim == "keeper":
        return [hub.process.pid]
    if victim in ("hub", "runner"):
        return [pid for pid in children(hub.process.pid) if f"@{victim}" in arguments(pid)]
    if victim == "dnsmasq":
        return recorded(hub, "dnsmasq.pid")
    if victim == "conmon":
        return [int(record["conmon"]) for record in records(hub).values()
                if process_field(record["conmon"], 22) == record["conmon_start"]]
    masters = recorded(hub, "nginx.state")
    return masters if victim == "nginx master" else [pid for master in masters for pid in children(master)]


def kill(hub, victim):
    """The process that was killed; it may be on its way up just now."""
    end = time.monotonic() + 10
    while not (found := candidates(hub, victim)):
        assert time.monotonic() < end, f"no {victim}"
        time.sleep(0.02)
    pid = random.choice(sorted(found))
    if victim == "keeper":
        hub.process.kill()
        hub.process.wait()
        hub.process.stdout.close()
        time.sleep(random.random())
        hub.start()
    else:
        os.kill(pid, signal.SIGKILL)
    return pid


def rows(hub, query):
    database = sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()


def foreign_files(hub):
    """Repositories, logs and app layers of no Space, and outputs of builds that were cut off."""
    ids = {hexes for hexes, in rows(hub, "SELECT hex FROM spaces")}
    found = [path for path in [*(hub.data / "repos").iterdir(), *(hub.data / "spaces").iterdir()]
             if path.name.removesuffix(".git") not in ids]
    found += [path for path in (hub.data / "layers").glob("app-*") if path.name.split("-")[1] not in ids]
    found += [path for path in (hub.data / "cache").glob("*/out-*")]
    return sorted(str(path.relative_to(hub.data)) for path in found)


def gateway(hub):
    found = subprocess.run(["ip", "-o", "-4", "addr", "show", f"es-{instance(hub)}"], capture_output=True, text=True)
    return re.search(r"inet ([0-9.]+)/", found.stdout)[1]


def processes(hub, address):
    """How many of each kind belong to the instance, whose gateway has this address."""
    lines = [line for path in pathlib.Path("/proc").glob("[0-9]*") if (line := arguments(path.name))]
    return {
        "conmon": sum(line[0] == "conmon" and f"{hub.data}/run/exit" in line for line in lines),
        "dnsmasq": sum(f"--listen-address={address}" in line for line in lines),
        "hub": sum("@hub" in line and str(hub.data) in line for line in lines),
        "runner": sum("@runner" in line and str(hub.data) in line for line in lines),
        "nginx": sum(f"{hub.data}/run/nginx.conf" in line[0] for line in lines),
    }


def cgroups(hub):
    name = f"espace-{instance(hub)}"
    roots = [path for path in (pathlib.Path("/sys/fs/cgroup") / name, pathlib.Path("/sys/fs/cgroup/freezer") / name)
             if path.exists()]
    return sorted(path.name for root in roots for path in root.iterdir() if path.is_dir())


def state_at_rest(hub, address):
    runs = rows(hub, "SELECT full_name, key FROM runs JOIN spaces USING (repo_id) WHERE ended_ms IS NULL")
    keys = sorted(key for _, key in runs)
    return {
        "spaces": sorted(name for name, in rows(hub, "SELECT full_name FROM spaces")),
        "running": sorted(name for name, _ in runs),
        "records differ": sorted(set(records(hub)) ^ set(keys)),
        "cgroups differ": sorted(set(cgroups(hub)) ^ set(keys)),
        "foreign files": foreign_files(hub),
        "processes": processes(hub, address),
    }


def check_rest(hub, address):
    """Exactly one run for each Space, in rows, records, cgroups and processes alike."""
    names = sorted(f"me/{name}" for name in STEADY)
    wanted = {
        "spaces": names,
        "running": names,
        "records differ": [],
        "cgroups differ": [],
        "foreign files": [],
        "processes": {"conmon": len(STEADY), "dnsmasq": 1, "hub": 1, "runner": 1, "nginx": 1},
    }
    end = time.monotonic() + REST_S
    while (state := state_at_rest(hub, address)) != wanted:
        assert time.monotonic() < end, f"{state}\n{hub.tail(80)}"
        time.sleep(0.1)


def run_round(hub, spaces, victim, failures):
    def work(change):
        try:
            change()
        except BaseException as error:  # noqa: BLE001: told by the round
            failures.append(error)

    changes = [getattr(space, random.choice(CHANGES)) for space in spaces]
    if random.random() < REBUILDS:
        changes[0] = spaces[0].rebuild
    passing, stays_s = Space(hub, "passing"), random.random()
    workers = [threading.Thread(target=work, args=(change,))
               for change in [*changes, lambda: passing.come_and_go(stays_s)]]
    delay = random.uniform(0, KILL_WITHIN_S)
    for worker in workers:
        worker.start()
    time.sleep(delay)
    pid = kill(hub, victim)
    for worker in workers:
        worker.join()
    return (f"killed {victim} {pid} after {delay:.3f} s of "
            f"{', '.join(f'{change.__self__.name}: {change.__name__}' for change in changes)}")


@pytest.fixture
def victims_hub():
    hub = Hub().init()
    try:
        yield hub.start()
    finally:
        hub.remove()


def test_kill_of_any_process_at_any_moment(victims_hub):
    hub = victims_hub
    print(f"ESPACE_TEST_SEED={SEED}")
    random.seed(SEED)
    spaces = [Space(hub, name) for name in STEADY]
    for space in spaces:
        space.create()
    for space in spaces:
        space.check()
    address = gateway(hub)
    for number in range(ROUNDS):
        failures = []
        print(f"seed {SEED}, round {number}:", run_round(hub, spaces, VICTIMS[number % len(VICTIMS)], failures))
        began = time.monotonic()
        assert failures == []
        for space in spaces:
            space.check()
        check_rest(hub, address)
        print(f"at rest after {time.monotonic() - began:.1f} s", flush=True)

    name = instance(hub)
    done = hub.stop()
    assert done.returncode == 0, done.stderr
    assert leftovers(hub, name) == []
    assert set(processes(hub, address).values()) == {0}
