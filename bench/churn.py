"""A day's work in a time-lapse: many deploys over 20 Spaces with steady visitors, and what stays behind.

Visitors go round all Spaces without a pause between two deploys: one answer that is not 200 is a failed request.
What is kept for each deploy by design is told apart: a commit's objects in git and rows of the store. The rest
must not grow: compare `first` (after each Space's first deploy, at rest) with `last`.
"""

import http.client
import json
import os
import pathlib
import subprocess
import threading
import time

import apps
from hub import Hub
from test_lifetimes import instance

from machine import memory_kb
from recovery import is_monitor, of_directory

SPACES = 20
VISITORS = 4
PAUSE_S = 0.02
DEPLOYERS = 2
GC_EVERY = 100
REST_S = 75  # an old version may serve its last visitors for a minute


class Visitors:
    """Each opens a connection for each visit: what is counted is the hub's doing, not a keep-alive's end."""

    def __init__(self, hub, names):
        self.hub, self.names = hub, names
        self.visits, self.failed = 0, []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.go_round, args=(number,)) for number in range(VISITORS)]
        for thread in self.threads:
            thread.start()

    def visit(self, name):
        connection = http.client.HTTPConnection("127.0.0.1", self.hub.port, timeout=60)
        try:
            connection.request("GET", "/", headers={"Host": f"me-{name}.localhost:{self.hub.port}"})
            answer = connection.getresponse()
            body = answer.read()
            return None if answer.status == 200 else f"{answer.status} {body[:100]}"
        except (OSError, http.client.HTTPException) as error:
            return repr(error)
        finally:
            connection.close()

    def go_round(self, number):
        while not self.ending.is_set():
            name = self.names[number % len(self.names)]
            said = self.visit(name)
            self.visits += 1
            if said:
                self.failed.append(f"{time.strftime('%H:%M:%S')} {name}: {said}")
            number += 1
            time.sleep(PAUSE_S)

    def end(self):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        return {"visits": self.visits, "failed": len(self.failed), "of_them": self.failed[:10]}


def count_files(folder):
    return sum(len(files) + len(folders) for _, folders, files in os.walk(folder))


def disk_mb(folder):
    done = subprocess.run(["du", "-sxk", folder], capture_output=True, text=True)
    return round(int(done.stdout.split()[0]) / 1024, 1)


def descriptors(pids):
    found = 0
    for pid in pids:
        try:
            found += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            pass  # it has ended
    return found


def resident_mb(pids):
    total = 0
    for pid in pids:
        try:
            total += memory_kb(pid)[0]
        except (OSError, TypeError):
            pass
    return round(total / 1024, 1)


def loop_devices(hub):
    found = 0
    for path in pathlib.Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found += path.read_text().startswith(str(hub.data))
        except OSError:
            pass
    return found


def sample(hub):
    pids = of_directory(hub)
    ours = [pid for pid in pids if not is_monitor(pid)]
    links = json.loads(subprocess.run(["ip", "-j", "link", "show", "master", f"es-{instance(hub)}"],
                                      check=True, capture_output=True, text=True).stdout or "[]")
    return {
        "disk_mb": {name: disk_mb(hub.data / name) for name in ("layers", "repos", "spaces", "cache", "run")},
        "database_mb": round(sum(path.stat().st_size for path in hub.data.glob("espace.db*")) / 2**20, 1),
        "files": {name: count_files(hub.data / name) for name in ("layers", "repos", "spaces", "run")},
        "layers": len(list((hub.data / "layers").iterdir())),
        "processes": len(ours),
        "monitors": len(pids) - len(ours),
        "descriptors": descriptors(ours),
        "rss_mb": resident_mb(ours),
        "mounts": pathlib.Path("/proc/self/mountinfo").read_text().count(str(hub.data)),
        "loop_devices": loop_devices(hub),
        "cgroups": len([path for path in pathlib.Path("/sys/fs/cgroup").rglob("*")
                        if path.is_dir() and f"espace-{instance(hub)}" in str(path)]),
        "links": len([link for link in links if link]),
        "slots": len(list((hub.data / "run/bundles").iterdir())),
    }


def deploy(hub, name, number):
    commit = hub.commit(name, apps.plain(f"{name} {number}"))
    hub.wait_stage(name, "RUNNING", timeout=300, sha=commit)


def deploy_all(hub, names, deploys, failures):
    """Deployers take Spaces in turns, so that no Space gets its next deploy before the last one runs."""
    numbers = iter(range(deploys))
    taking = threading.Lock()

    def work():
        while True:
            with taking:
                number = next(numbers, None)
            if number is None:
                return
            try:
                deploy(hub, names[number % len(names)], number)
                if number % GC_EVERY == GC_EVERY - 1:
                    collect(hub)
            except AssertionError as error:
                failures.append(str(error)[:500])

    workers = [threading.Thread(target=work) for _ in range(DEPLOYERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()


def collect(hub):
    """`espaced gc`, as it were after the two weeks for which layers are kept; its exit status."""
    return hub.words("--gc-keep", "0", "gc", check=False).returncode


def bench(deploys):
    hub = Hub().init()
    names = [f"space-{number}" for number in range(SPACES)]
    try:
        hub.start()
        for name in names:
            hub.create(name)
            deploy(hub, name, 0)
        time.sleep(REST_S)
        first = sample(hub)
        visitors = Visitors(hub, names)
        failures, began = [], time.monotonic()
        deploy_all(hub, names, deploys, failures)
        seconds = time.monotonic() - began
        seen = visitors.end()
        time.sleep(REST_S)
        collected = collect(hub)
        return {"deploys": deploys, "seconds": round(seconds), "failed_deploys": failures[:5], "visitors": seen,
                "gc": collected, "first": first, "last": sample(hub)}
    finally:
        hub.remove()
