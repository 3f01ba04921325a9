"""SIGKILL at the moments that matter: as a process enters a given system call, by strace's injection.

So a step is cut off before its file is synced, renamed or removed, before a page of the database is
written, between the row of a run and the message that submits it, before a child is made, before a
signal is sent. The change is insisted on as a client would; afterwards all of it is there, once.
"""

import collections
import http.client
import json
import os
import random
import subprocess
import time

import pytest

import apps
import machine
from hub import Hub

FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time()))
SAMPLE = 12  # of the moments, in a short run
INSIST_S = 60
CHECKPOINT_CALLS = 2000  # more than fill the log of the database (1,000 pages)

Moment = collections.namedtuple("Moment", "act victim call most path", defaults=[1, None])
WAL, DATABASE = "espace.db-wal", "espace.db"

# `most`: how often one thread is sure to make the call, and so the moments to try. A call in a thread
# that was there before, such as the space loop's, is met without those of API threads ("old").
MOMENTS = [
    Moment("push", "hub", "mkdirat", 4),
    Moment("push", "hub", "fsync", 4),
    Moment("push", "hub", "renameat", 2),
    Moment("push", "hub", "rename"),
    Moment("push", "hub", "linkat"),
    Moment("push", "hub", "pwrite64", 4, WAL),
    Moment("push", "hub", "fdatasync", 2, WAL),
    Moment("push", "hub", "sendto old"),  # submits the run
    Moment("push", "runner", "mkdirat", 2),
    Moment("push", "runner", "renameat", 2),
    Moment("push", "runner", "memfd_create"),
    Moment("push", "runner", "ioctl"),
    Moment("push", "runner", "open_tree", 3),
    Moment("push", "runner", "mount_setattr"),
    Moment("push", "runner", "clone", 4),
    Moment("push", "runner", "sendto", 3),
    Moment("push", "runner", "pidfd_send_signal"),
    Moment("pause", "hub", "pwrite64", 2, WAL),
    Moment("pause", "hub", "fdatasync", 1, WAL),
    Moment("pause", "hub", "sendto old"),
    Moment("pause", "runner", "pidfd_send_signal"),
    Moment("pause", "runner", "unlinkat", 4),
    Moment("pause", "runner", "renameat"),
    Moment("pause", "runner", "sendto", 2),
    Moment("delete", "hub", "unlinkat", 6),
    Moment("delete", "hub", "fdatasync", 2, WAL),
    Moment("delete", "hub", "pwrite64", 2, WAL),
    Moment("delete", "runner", "pidfd_send_signal"),
    Moment("branch", "hub", "pwrite64", 4, WAL),
    Moment("branch", "hub", "fdatasync", 2, WAL),
    Moment("branch", "hub", "fsync", 2),
    Moment("many", "hub", "pwrite64", 3, DATABASE),
    Moment("many", "hub", "fdatasync", 1, DATABASE),
    Moment("build", "hub", "sendto old"),
    Moment("build", "runner", "renameat", 2),
    Moment("build", "runner", "fsync"),
    Moment("build", "runner", "clone", 2),
]


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
        time.sleep(0.02)


class Space:
    """A Space, and what was changed of it."""

    def __init__(self, hub, name):
        self.hub, self.name, self.path = hub, name, f"/api/spaces/me/{name}"
        self.count = 0

    def create(self):
        """409: it is there, and only the answer was lost."""
        repo = {"name": self.name, "organization": None, "type": "space", "sdk": "gradio"}
        insist(self.hub, "POST", "/api/repos/create", repo, accept=(200, 409))

    def runs(self):
        """Those that the runner has not been told to forget."""
        hexes = machine.rows(self.hub, "SELECT hex FROM spaces WHERE full_name = ?", f"me/{self.name}")
        return [key for key, record in machine.records(self.hub).items() if record["space"] == hexes[0][0]]

    def commit(self, files):
        self.count += 1
        lines = [{"key": "header", "value": {"summary": f"{self.name} {self.count}"}}]
        lines += [{"key": "file", "value": {"path": path, "content": content, "encoding": "utf-8"}}
                  for path, content in files.items()]
        answer = insist(self.hub, "POST", f"{self.path}/commit/main", "\n".join(map(json.dumps, lines)).encode(),
                        headers={"Content-Type": "application/x-ndjson"})
        self.wait("RUNNING", answer.json["commitOid"])
        machine.wait_for("the end of all runs but one", lambda: len(self.runs()) == 1, INSIST_S)

    def push(self):
        text = f"{self.name} {self.count}"
        self.commit(apps.plain(text))
        assert self.hub.visit(self.name).body == text.encode()

    def build(self):
        self.commit({"requirements.txt": f"# {SEED} {self.count}\n"})

    def pause(self):
        insist(self.hub, "POST", f"{self.path}/pause")
        self.wait("PAUSED")
        machine.wait_for("the end of its run", lambda: not self.runs(), INSIST_S)

    def many(self):
        """Until the log is written back into the database."""
        for number in range(CHECKPOINT_CALLS):
            insist(self.hub, "POST", f"{self.path}/variables", {"key": "VARIABLE", "value": str(number)})
            if number % 20 == 0 and not machine.process_field(self.victim, 22):
                break
        insist(self.hub, "POST", f"{self.path}/variables", {"key": "VARIABLE", "value": "last"})
        variables = insist(self.hub, "GET", f"{self.path}/variables").json
        assert variables["VARIABLE"]["value"] == "last"
        self.wait("RUNNING")

    def branch(self):
        """Made, then deleted; each has its row of the audit, once."""
        self.count += 1
        name = f"b{self.count}"
        insist(self.hub, "POST", f"{self.path}/branch/{name}", {}, accept=(200, 409))
        insist(self.hub, "DELETE", f"{self.path}/branch/{name}", accept=(200, 404))
        rows = machine.rows(self.hub, "SELECT action FROM audit WHERE detail LIKE ? ORDER BY id", f"{name} %")
        assert rows == [("branch.create",), ("branch.delete",)]

    def delete(self):
        insist(self.hub, "DELETE", "/api/repos/delete", {"name": self.name, "type": "space"}, accept=(200, 404))
        insist(self.hub, "GET", self.path, accept=(404,))
        machine.wait_for("the end of its rows", lambda: not machine.rows(
            self.hub, "SELECT 1 FROM spaces WHERE full_name = ?", f"me/{self.name}"), INSIST_S)

    def wait(self, stage, commit=None):
        def seen():
            runtime = insist(self.hub, "GET", f"{self.path}/runtime").json
            return runtime["stage"] == stage and commit in (None, runtime.get("sha"))
        machine.wait_for(lambda: f"{stage} of {self.name}\n{self.hub.tail(60)}", seen, INSIST_S)


class Trap:
    """strace, which kills the process when it enters the system call for the `count`th time."""

    def __init__(self, hub, moment, count):
        self.pid, = machine.wait_for(moment.victim, lambda: machine.candidates(hub, moment.victim))
        call, *old = moment.call.split()
        threads = [word for thread in os.listdir(f"/proc/{self.pid}/task") for word in ("-p", thread)]
        follow = moment.victim == "hub" and not old  # children of the runner are not meant
        path = ["-P", hub.data / moment.path] if moment.path else []
        self.strace = subprocess.Popen(
            ["strace", *(["-f", "-p", str(self.pid)] if follow else threads), *path, "-o", "/dev/null",
             "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={count}"], stderr=subprocess.DEVNULL)
        machine.wait_for("strace", self.is_set)

    def is_set(self):
        status = open(f"/proc/{self.pid}/status").read()
        return f"TracerPid:\t{self.strace.pid}\n" in status

    def has_killed(self):
        return not machine.process_field(self.pid, 22)

    def done(self):
        """What it watches goes on. SIGKILL: it may wait for a dead thread for ever, which it alone keeps."""
        self.strace.kill()
        self.strace.wait()


@pytest.fixture(scope="module")
def hub():
    hub = Hub().init()
    try:
        yield hub.start()
    finally:
        hub.remove()


@pytest.fixture(scope="module")
def space(hub):
    space = Space(hub, "app")
    space.create()
    space.push()
    return space


def run_moment(hub, space, moment, count):
    """The space runs before and after."""
    one = space
    if moment.act == "delete":
        one = Space(hub, "brief")
        one.create()
        one.push()
    trap = Trap(hub, moment, count)
    one.victim = trap.pid
    try:
        getattr(one, moment.act)()
        if count == 1:
            machine.wait_for(f"the moment {moment}", trap.has_killed)
        killed = trap.has_killed()
    finally:
        trap.done()
    if killed:
        machine.wait_back(hub, moment.victim, trap.pid)
    if moment.act == "pause":
        insist(hub, "POST", f"{space.path}/restart")
    space.wait("RUNNING")
    machine.wait_rest(hub, machine.gateway(hub), ["app"], ["app"])
    assert machine.rows(hub, "PRAGMA integrity_check") == [("ok",)]
    return killed


def chosen():
    """Moments, each with how often its call is let pass before."""
    every = [(moment, count) for moment in MOMENTS for count in range(1, moment.most + 1)]
    return every if FULL else random.Random(SEED).sample(every, SAMPLE)


@pytest.mark.parametrize("moment, count", chosen(), ids=lambda value: "-".join(map(str, value[:3])).replace(" ", "-")
                         if isinstance(value, tuple) else str(value))
def test_kill_at(hub, space, moment, count):
    began = time.monotonic()
    killed = run_moment(hub, space, moment, count)
    print(f"ESPACE_TEST_SEED={SEED}: {'killed' if killed else 'not met'}, {time.monotonic() - began:.1f} s")
    assert killed


@pytest.mark.parametrize("act, call, path", [("create", "pwrite64", WAL), ("delete", "rename", None)])
def test_what_a_cut_call_leaves_of_a_repository_is_collected(hub, act, call, path):
    """Between the folder's move and the rows, and between the rows and the folder's end."""
    def folders():
        return {folder.name for folder in (hub.data / "repos").iterdir()}

    one, before = Space(hub, f"cut-{act}"), folders()  # with what other moments have left
    if act == "delete":
        one.create()
    trap = Trap(hub, Moment(act, "hub", call, path=path), 1)
    try:
        getattr(one, act)()
        machine.wait_for("the moment", trap.has_killed)
    finally:
        trap.done()
    machine.wait_back(hub, "hub", trap.pid)
    if act == "create":
        one.delete()
    wanted = {f"{name}.git" for name, in machine.rows(hub, "SELECT hex FROM repos")}
    left = folders() - wanted - before
    assert len(left) == 1, "the moment left nothing behind"
    hub.words("--gc-keep", "0", "gc")
    assert folders() - wanted - before == left  # a call may be at it
    os.utime(hub.data / "repos" / left.pop() / "espace-unsettled", (0, 0))
    hub.words("--gc-keep", "0", "gc")
    assert folders() - before <= wanted
