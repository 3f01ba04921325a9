"""Memory of all our processes with 1,000 repositories, after their creation and a pause without traffic."""

import pathlib
import time

from hub import Hub

from machine import family, hub_pids, memory_kb

REPOSITORIES = 1000
QUIET_S = 15  # nginx closes its connections to the hub after 5


def name_of(pid):
    words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    if "@hub" in words or "@runner" in words:
        return "hub" if "@hub" in words else "runner"
    for name in ("nginx: master", "nginx: worker", "dnsmasq"):
        if name in words[0]:
            return name.replace("nginx: ", "nginx ")
    return "keeper" if "espaced" in words[0] else words[0]


def strays(hub):
    """Processes that have left the keeper's family and name our directory: dnsmasq."""
    found = []
    for line in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(hub.data).encode() in line.read_bytes():
                found.append(int(line.parent.name))
        except OSError:
            pass  # it has ended
    return found


def sizes(hub):
    result = {}
    total = [0, 0]
    for pid in sorted({*hub_pids(hub), *family(*strays(hub))}):
        rss, pss = (kb / 1024 for kb in memory_kb(pid))
        row = result.setdefault(name_of(pid), {"processes": 0, "rss_mb": 0, "pss_mb": 0})
        row["processes"] += 1
        row["rss_mb"] = round(row["rss_mb"] + rss, 1)
        row["pss_mb"] = round(row["pss_mb"] + pss, 1)
        total = [total[0] + rss, total[1] + pss]
    return result | {"rss_mb": round(total[0], 1), "pss_mb": round(total[1], 1)}


def bench():
    hub = Hub().init()
    try:
        hub.start()
        for number in range(REPOSITORIES):
            kind = ("model", "dataset")[number % 2]
            answer = hub.call("POST", "/api/repos/create", {"name": f"repo-{number}", "type": kind})
            assert answer.status == 200, answer.body
        time.sleep(QUIET_S)
        after_creation = sizes(hub)
        hub.end()
        hub.start()
        time.sleep(QUIET_S)
        return {"after_creation": after_creation, "after_a_restart": sizes(hub), "goal": "rss_mb <= 60"}
    finally:
        hub.remove()
