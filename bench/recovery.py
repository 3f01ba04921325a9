"""From kill -9 of everything to serving again, with 50 Spaces.

Two ways to lose everything: all programs of ours at once (keeper, hub, runner, nginx, dnsmasq), while the
containers go on and are found again; and the containers and their monitors as well, as after a power cut.
The clock runs from the start of espaced, which follows the kill at once. A visitor waits at each Space.
"""

import http.client
import os
import pathlib
import signal
import statistics
import threading
import time

import apps
from hub import Hub

from machine import family, hub_pids

SPACES = 50
PAUSE_S = 0.01
GIVE_UP_S = 300


def answers(port, host):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/", headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def names():
    return [f"space-{number}" for number in range(SPACES)]


def wait_for(count, what):
    end = time.monotonic() + GIVE_UP_S
    while not what():
        assert time.monotonic() < end, count
        time.sleep(PAUSE_S)


class Visitors:
    """One for each Space, who tries until it answers."""

    def __init__(self, hub, began):
        self.hub, self.began, self.moments = hub, began, []
        self.threads = [threading.Thread(target=self.visit, args=(name,)) for name in names()]
        for thread in self.threads:
            thread.start()

    def visit(self, name):
        wait_for(name, lambda: answers(self.hub.port, f"me-{name}.localhost:{self.hub.port}"))
        self.moments.append(time.monotonic() - self.began)

    def join(self):
        for thread in self.threads:
            thread.join()
        return sorted(self.moments)


def of_directory(hub):
    """Processes that name the data directory: ours, and the monitors of runs."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(hub.data).encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            pass  # it has ended
    return found


def is_monitor(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("conmon")
    except OSError:
        return False


def victims(hub, with_runs):
    named = of_directory(hub)
    monitors = [pid for pid in named if is_monitor(pid)]
    ours = set(hub_pids(hub)) | set(named)
    runs = set(family(*monitors))
    return ours | runs if with_runs else ours - runs


def lose_everything(hub, with_runs):
    for pid in victims(hub, with_runs):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    hub.process.wait()
    hub.process.stdout.close()
    hub.log.close()


def one_round(hub, with_runs):
    lose_everything(hub, with_runs)
    began = time.monotonic()
    visitors = Visitors(hub, began)
    hub.start()
    ready = time.monotonic() - began
    moments = visitors.join()
    wait_for("stages", lambda: all(hub.runtime(name)["stage"] == "RUNNING" for name in names()))
    return {"ready_s": ready, "first_answer_s": moments[0], "half_answer_s": moments[len(moments) // 2],
            "all_answer_s": moments[-1], "all_running_s": time.monotonic() - began}


def medians(rounds):
    return {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}


def bench(rounds):
    hub = Hub().init()
    try:
        hub.start()
        for name in names():
            hub.create(name)
            hub.commit(name, apps.plain(name))
        for name in names():
            hub.wait_stage(name, "RUNNING", timeout=GIVE_UP_S)
        return {"spaces": SPACES, "rounds": rounds,
                "containers_live": medians([one_round(hub, False) for _ in range(rounds)]),
                "containers_killed": medians([one_round(hub, True) for _ in range(rounds)])}
    finally:
        hub.remove()
