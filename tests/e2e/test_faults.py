"""The machine fails: a disk without room, one that may not be written, clocks that jump, no descriptors, no memory.

Each test has a file system of its own, with a hub and a running Space on it. What is wanted is the same each time:
who calls learns what is wrong, what serves serves on, nothing is half done, and all goes on by itself afterwards.
"""

import contextlib
import errno
import http.client
import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import threading
import time

import pytest

import apps
import test_guide_storage
from clock import Clock
from disk import Disk
from hub import Hub, fetch
from test_secrets import process_of

AGAIN_S = 60  # the longest pause between two tries is half a minute
LOOK_S = 5
LINES_A_SECOND = 10  # of the log, while nobody calls
DAY_S = 24 * 3600


class Place:
    """A hub on a disk of its own. Its log lies elsewhere, as it does under systemd."""

    def __init__(self, template=None, token=None):
        self.disk = Disk(template=template)
        data = self.disk.path / "data"
        data.mkdir(exist_ok=True)
        self.hub = Hub(data=data)
        self.hub.token = token
        self.hub.log_path = self.disk.folder / "log"

    def remove(self):
        try:
            self.hub.remove()
        finally:
            self.disk.remove()

    def commits(self):
        return [commit["id"] for commit in self.hub.call("GET", "/api/spaces/me/one/commits/main").json]

    def serves(self, text="one"):
        try:
            answer = fetch(f"http://me-one.localhost:{self.hub.port}/", timeout=10)
        except (OSError, http.client.HTTPException):
            return False
        return answer.status == 200 and answer.body.decode() == text

    def wait_serving(self, text="one"):
        end = time.monotonic() + AGAIN_S
        while not self.serves(text):
            assert time.monotonic() < end, f"me/one does not answer {text}\n{self.hub.tail(60)}"
            time.sleep(0.1)

    def call(self, method, path, body=None):
        headers = {"Content-Type": "application/x-ndjson"} if isinstance(body, bytes) else None
        return self.hub.call(method, path, body, headers=headers)

    def wait_reading(self):
        """Until there is a hub again."""
        end = time.monotonic() + AGAIN_S
        while True:
            try:
                if self.hub.call("GET", "/api/whoami-v2", timeout=10).status == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < end, self.hub.tail()
            time.sleep(0.1)

    def check_reads(self):
        for path in ("/api/whoami-v2", "/api/spaces/me/one", "/api/spaces/me/one/tree/main", "/api/spaces",
                     "/spaces/me/one/resolve/main/app.py"):
            assert self.hub.call("GET", path).status == 200, path
        assert self.serves()

    def writes(self):
        """Calls that change something, each with a body that is valid."""
        commit = ('{"key":"header","value":{"summary":"x"}}\n'
                  '{"key":"file","value":{"path":"new.txt","content":"x","encoding":"utf-8"}}').encode()
        repo = {"name": "two", "organization": None}
        return [
            ("POST", "/api/repos/create", {**repo, "type": "space", "sdk": "gradio"}),
            ("POST", "/api/repos/create", {**repo, "type": "model"}),
            ("POST", "/api/spaces/me/one/commit/main", commit),
            ("POST", "/api/spaces/me/one/branch/other", {}),
            ("POST", "/api/spaces/me/one/secrets", {"key": "KEY", "value": "x" * 5000}),
            ("POST", "/api/spaces/me/one/restart", None),
        ]

    def check_refused(self, status, word, count=None):
        """Each write is refused with a sentence about the cause, and has changed nothing."""
        before = self.commits()
        for method, path, body in self.writes()[:count]:
            answer = self.call(method, path, body)
            assert answer.status == status, (path, answer.status, answer.body)
            assert word in answer.json["error"] and word in answer.headers["X-Error-Message"], answer.body
            assert answer.headers["X-Error-Code"] == {507: "DiskFull", 503: "DiskFailed"}[status]
        assert self.commits() == before
        assert self.hub.call("GET", "/api/spaces/me/two").status == 404

    def check_quiet(self):
        """Whatever is tried again, the log does not grow fast."""
        lines = len(self.hub.log_path.read_bytes().splitlines())
        time.sleep(LOOK_S)
        more = len(self.hub.log_path.read_bytes().splitlines()) - lines
        assert more <= LOOK_S * LINES_A_SECOND, self.hub.tail(more)

    def check_whole(self, text):
        """A push and a restart are done again, and the data is sound."""
        commit = None
        end = time.monotonic() + AGAIN_S
        while not commit:
            try:
                commit = self.hub.commit("one", apps.plain(text))
            except AssertionError:
                assert time.monotonic() < end
                time.sleep(0.5)
        self.hub.wait_stage("one", "RUNNING", timeout=AGAIN_S, sha=commit)
        self.wait_serving(text)
        with contextlib.closing(sqlite3.connect(f"file:{self.hub.data}/espace.db?mode=ro", uri=True)) as store:
            assert store.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        for repo in (self.hub.data / "repos").glob("*.git"):
            subprocess.run(["git", "-c", "safe.directory=*", "-C", repo, "fsck", "--strict"], check=True,
                           capture_output=True)


@pytest.fixture(scope="module")
def template():
    """A disk with a hub that has built and run me/one, and was stopped."""
    place = Place()
    try:
        hub = place.hub.init().start()
        hub.create("one")
        hub.commit("one", apps.plain("one"))
        hub.wait_stage("one", "RUNNING")
        assert hub.stop().returncode == 0
        place.disk.unmount()
        yield place.disk.image, hub.token
        place.disk.mount()
    finally:
        place.remove()


@pytest.fixture
def stopped(template):
    place = Place(*template)
    try:
        yield place
    finally:
        place.remove()


@pytest.fixture
def place(stopped):
    stopped.hub.start()
    stopped.wait_serving()
    return stopped


def hub_pid(place):
    return process_of(place.hub, "hub")


def limit(pid, what, soft):
    """Set a soft limit of a process, as the user that it runs as: root of a container may not."""
    user, group = re.findall(r"^[UG]id:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    subprocess.run(["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "prlimit", "--pid", str(pid),
                    f"--{what}={soft}:"], check=True)


def test_full_disk(place):
    place.disk.fill()
    place.check_refused(507, "disk")
    place.check_reads()
    place.check_quiet()
    os.kill(hub_pid(place), signal.SIGKILL)  # a hub that begins on a full disk reads and routes all the same
    place.wait_reading()
    place.wait_serving()
    place.check_refused(507, "disk")
    place.disk.free()
    place.check_whole("room again")


def test_full_disk_puts_a_start_off(place):
    """A push that was acknowledged just before, and a restart after it: both are done when there is room."""
    place.hub.commit("one", apps.plain("late"))
    place.disk.fill()
    place.check_quiet()
    place.disk.free()
    place.wait_serving("late")
    assert place.hub.runtime("one")["stage"] == "RUNNING"


def test_full_disk_is_told_to_who_keeps_data(place):
    """Writes to /data fail there, and the log says why; what was answered for before is kept."""
    space = test_guide_storage.Place(place.hub, "one")
    place.hub.commit("one", test_guide_storage.app())
    assert space.call("POST", "/storage", {"tier": "small"}).status == 200
    place.hub.wait_stage("one", "RUNNING", timeout=AGAIN_S)
    space.note("kept")
    place.disk.fill()
    answer = fetch(place.hub.host("one") + "/", "POST", b"x" * (8 << 20), timeout=60)
    assert (answer.status, answer.json["errno"] in (errno.EIO, errno.ENOSPC, errno.EROFS)) == (507, True), answer.body
    end = time.monotonic() + AGAIN_S
    while "the disk of this server is full" not in place.hub.logs("one", "run"):
        assert time.monotonic() < end, place.hub.logs("one", "run")
    place.disk.free()
    boot = space.look()["boot"]
    assert space.call("POST", "/restart").status == 200
    assert space.wait_other(boot, timeout=AGAIN_S)["notes"][0] == "kept"
    space.note("more")


def test_full_inode_table(place):
    place.disk.fill_inodes()
    place.check_refused(507, "disk", count=4)  # the rows of the others need no new file
    place.check_reads()
    assert place.hub.call("POST", "/api/spaces/me/one/restart").status == 200
    place.check_quiet()
    assert place.hub.runtime("one")["stage"] in ("BUILDING", "APP_STARTING")
    place.disk.free()
    place.wait_serving()
    place.check_whole("files again")


def test_disk_that_turns_read_only(place):
    """What ext4 does of itself when it finds an error: nothing can be written until it is checked and mounted anew."""
    commit = place.hub.commit("one", apps.plain("kept"))
    place.hub.wait_stage("one", "RUNNING", sha=commit)
    place.wait_serving("kept")
    commits = place.commits()
    subprocess.run(["mount", "-o", "remount,abort", place.disk.path], check=True)
    for method, path, body in place.writes():
        answer = place.call(method, path, body)
        assert (answer.status, "disk" in answer.json["error"]) == (503, True), (path, answer.body)
    assert place.commits() == commits and place.serves("kept")
    place.check_quiet()

    assert place.hub.stop().returncode == 0
    place.disk.unmount()
    place.disk.check()
    place.disk.mount()
    place.hub.start()
    place.wait_serving("kept")
    assert place.commits() == commits
    place.check_whole("writable again")


def test_start_on_a_read_only_disk_is_refused(stopped):
    stopped.disk.unmount()
    stopped.disk.mount("loop,ro")
    done = subprocess.run(stopped.hub.command(), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr.splitlines()[-1]
    stopped.disk.unmount()
    stopped.disk.mount()
    stopped.hub.start()
    stopped.wait_serving()


@pytest.mark.parametrize("jump", [3 * DAY_S, -3 * DAY_S], ids=["forward", "back"])
def test_clock_jumps(stopped, jump):
    """The wall clock of our processes alone: starts, stops, hand-overs and pauses do not wait for it."""
    clock = Clock(stopped.disk.folder / "clock")
    stopped.hub.environment = clock.environment
    stopped.hub.start()
    stopped.wait_serving()
    stopped.hub.commit("one", apps.plain("before"))
    clock.jump(jump)  # while the new version starts
    stopped.wait_serving("before")
    stopped.hub.wait_stage("one", "RUNNING")
    assert stopped.hub.call("POST", "/api/spaces/me/one/restart").status == 200
    stopped.wait_serving("before")
    stopped.check_whole("after")
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + jump))
    assert all(f"{day}T" in line for line in stopped.hub.tail(5).splitlines())  # all of them go by it
    clock.jump(0)
    stopped.check_whole("set right")
    assert stopped.hub.words("audit", "--verify", check=False).returncode == 0


def test_no_descriptor_left(place):
    pid = hub_pid(place)
    before = re.search(r"Max open files\s+(\d+)", pathlib.Path(f"/proc/{pid}/limits").read_text())[1]
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
    limit(pid, "nofile", used + 2)
    answers = []

    def call():
        try:
            answers.append(place.hub.call("GET", "/api/spaces/me/one/tree/main", timeout=20).status)
        except OSError:
            answers.append(None)

    callers = [threading.Thread(target=call) for _ in range(16)]
    for caller in callers:
        caller.start()
    assert place.serves()  # public Spaces do not pass through the hub
    time.sleep(1)
    place.check_quiet()
    limit(pid, "nofile", before)
    for caller in callers:
        caller.join()
    assert set(answers) <= {200, 503}, answers
    assert hub_pid(place) == pid
    place.check_whole("descriptors again")


def test_no_memory_left(place):
    """An allocation that fails ends the hub; the keeper starts another one, and Spaces do not notice."""
    pid = hub_pid(place)
    used_kb = re.search(r"^VmData:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]
    limit(pid, "data", int(used_kb) * 1024)
    card = {"content": "x" * (12 << 20), "repoType": "space"}  # held whole, in the request and as JSON
    end = time.monotonic() + AGAIN_S
    while pathlib.Path(f"/proc/{pid}").exists():
        assert time.monotonic() < end, "the hub has memory for everything"
        try:
            place.hub.call("POST", "/api/validate-yaml", card, timeout=20)
        except OSError:
            pass
        assert place.serves()
    place.wait_reading()
    place.check_whole("memory again")


def test_word_that_holds_the_store(place):
    """A word of administration in the middle of its transaction: reads go on, writes wait, then say so."""
    store = sqlite3.connect(place.hub.data / "espace.db", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    try:
        began = time.monotonic()
        answers = []

        def call(number):
            answers.append(place.hub.call("POST", "/api/spaces/me/one/variables", {"key": f"K{number}", "value": "x"}))

        callers = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for caller in callers:
            caller.start()
        place.check_reads()
        for caller in callers:
            caller.join()
        assert {answer.status for answer in answers} == {503}
        assert all("Retry-After" in answer.headers for answer in answers)
        assert time.monotonic() - began < 25  # they do not wait one after the other
    finally:
        store.execute("ROLLBACK")
        store.close()
    place.check_whole("free again")
