"""Persistent storage as the guide has it: /data outlives whatever happens to the Space, until it is deleted.

What is kept is looked at where people would: in the app, through the Space's own address, and on the machine's disk.
"""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from hub import Hub, fetch
from test_secrets import process_of

FULL = os.environ.get("ESPACE_TEST_FULL") == "1"
KILLS = 20 if FULL else 2

GIB = 1 << 30
TIERS = {"small": 20 * GIB, "medium": 150 * GIB, "large": 1000 * GIB}

# GET tells what is there; POST adds a line to a file, and answers when it has reached the disk.
APP = '''
import http.server, json, os, uuid
BOOT, NOTES = uuid.uuid4().hex, "/data/notes"
def disk():
    if not os.path.ismount("/data"):
        return None
    st, room = os.stat("/data"), os.statvfs("/data")
    return {"owner": st.st_uid, "mode": st.st_mode & 0o777, "names": sorted(os.listdir("/data")),
            "bytes": room.f_blocks * room.f_frsize}
def notes():
    return open(NOTES).read().split() if os.path.exists(NOTES) else []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, {"boot": BOOT, "version": VERSION, "disk": disk(), "notes": notes(),
                          "home": os.environ.get("HF_HOME"), "mounts": open("/proc/self/mounts").read()})
    def do_POST(self):
        line = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            with open(NOTES, "ab", buffering=0) as file:
                file.write(line + b"\\n")
                os.fsync(file.fileno())
            self.answer(200, {})
        except OSError as error:
            self.answer(507, {"errno": error.errno})
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''


def app(version=1):
    return {"app.py": f"VERSION = {version}\n{APP}", "README.md": "---\nsdk: gradio\napp_file: app.py\n---\n"}


class Place:
    """A Space of `me` with an app that keeps notes."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name

    def make(self, **wishes):
        self.hub.create(self.name, **wishes)
        self.hub.commit(self.name, app())
        self.hub.wait_stage(self.name, "RUNNING")
        return self

    def call(self, method, path, body=None):
        return self.hub.call(method, f"/api/spaces/me/{self.name}{path}", body)

    def do(self, method, path, body=None):
        """A call that restarts the Space, to its end."""
        before = self.look()["boot"]
        answer = self.call(method, path, body)
        assert answer.status == 200, answer.body
        return self.wait_other(before)

    def wait_other(self, boot, timeout=120):
        end = time.monotonic() + timeout
        while True:
            self.hub.wait_stage(self.name, "RUNNING")
            if (seen := self.look())["boot"] != boot:
                return seen
            assert time.monotonic() < end, self.hub.tail()

    def look(self):
        answer = self.hub.visit(self.name)
        assert answer.status == 200, (answer.status, answer.body[-300:])
        return answer.json

    def note(self, text):
        answer = fetch(self.hub.host(self.name) + "/", "POST", text.encode())
        assert answer.status == 200, (answer.status, answer.body)

    @property
    def record(self):
        """The runner's record of the run that is alive."""
        for path in (self.hub.data / "run/bundles").glob(f"{self.call('GET', '').json['_id']}-*/run"):
            record = dict(line.split("=", 1) for line in path.read_text().splitlines())
            if record["state"] == "1":
                return record
        raise AssertionError(f"{self.name} has no run")

    @property
    def image(self):
        identity = self.call("GET", "").json["_id"]
        return self.hub.data / "spaces" / identity / "data.img"

    def remove(self):
        answer = self.hub.call("DELETE", "/api/repos/delete", {"type": "space", "name": self.name})
        assert answer.status == 200, answer.body


def wait(holds, what, timeout=30):
    end = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def test_what_an_app_keeps_is_there_after_everything_but_deletion(hub):
    place = Place(hub, "keeper").make()
    assert place.look()["disk"] is None and place.look()["home"] is None
    seen = place.do("POST", "/storage", {"tier": "small"})
    assert seen["disk"] == {"owner": 1000, "mode": 0o755, "names": [], "bytes": seen["disk"]["bytes"]}
    assert 0.9 * TIERS["small"] < seen["disk"]["bytes"] <= TIERS["small"]
    assert seen["home"].startswith("/data/")
    options = next(line for line in seen["mounts"].splitlines() if " /data " in line)
    assert all(word in options.split()[3].split(",") for word in ("nosuid", "nodev", "noatime", "discard")), options
    image = place.image
    assert image.stat().st_uid == 0 and image.stat().st_size == TIERS["small"]
    assert image.stat().st_blocks * 512 < GIB // 8, "the image is sparse"

    notes = []
    for method, path, body in [
        ("POST", "/restart", None),
        *([("POST", "/restart?factory=true", None)] if FULL else []),  # builds an environment of its own
        ("POST", "/secrets", {"key": "A", "value": "b"}),
        ("POST", "/hardware", {"flavor": "cpu-upgrade"}),
        ("POST", "/storage", {"tier": "large"}),
    ]:
        place.note(f"before-{len(notes)}")
        notes.append(f"before-{len(notes)}")
        assert place.do(method, path, body)["notes"] == notes, path
    assert 0.9 * TIERS["large"] < place.look()["disk"]["bytes"] <= TIERS["large"]
    assert image.stat().st_blocks * 512 < GIB // 2, "growth writes little"

    place.note("paused")
    assert place.call("POST", "/pause").status == 200
    wait(lambda: not hub.words("check", check=False).returncode, "a paused Space's disk is no fault")
    assert hub.words("gc", check=False).returncode == 0 and image.exists()
    assert place.call("POST", "/restart").status == 200
    assert place.wait_other(None)["notes"] == [*notes, "paused"]

    answer = place.call("POST", "/storage", {"tier": "medium"})
    assert answer.status == 400 and "can't shrink from large to medium" in answer.json["error"]
    assert place.look()["notes"] == [*notes, "paused"]

    assert place.do("DELETE", "/storage")["disk"] is None
    assert not image.exists() and hub.runtime("keeper")["storage"] is None
    assert place.do("POST", "/storage", {"tier": "small"})["disk"]["names"] == []
    place.note("second life")
    place.remove()
    wait(lambda: not image.parent.exists(), "the folder of a deleted Space")


@pytest.mark.parametrize("flavor,again", [("cpu-upgrade", False), ("t4-small", True)])
def test_a_space_that_sleeps_wakes_with_its_data(hub, flavor, again):
    """Frozen it is the same process, stopped another one: /data is the same to both."""
    place = Place(hub, "sleeper").make(storageTier="small", hardware=flavor)
    place.note("before")
    boot = place.look()["boot"]
    assert place.call("POST", "/sleeptime", {"seconds": 1}).status == 200
    hub.wait_stage("sleeper", "SLEEPING", timeout=30)
    seen = place.look()
    assert seen["notes"] == ["before"] and (seen["boot"] != boot) == again
    place.note("after")
    hub.wait_stage("sleeper", "SLEEPING", timeout=30)
    image = place.image
    assert place.call("DELETE", "/storage").status == 200  # of one that sleeps
    wait(lambda: not image.exists(), "the image of a Space that slept")
    place.remove()


def test_storage_deleted_and_asked_for_at_once_is_empty(hub):
    place = Place(hub, "again").make(storageTier="small")
    place.note("gone")
    boot = place.look()["boot"]
    assert place.call("DELETE", "/storage").status == 200
    assert place.call("POST", "/storage", {"tier": "small"}).status == 200
    seen = place.wait_other(boot)
    assert seen["disk"] and seen["notes"] == []
    place.remove()


def test_storage_of_a_paused_space_goes_at_once(hub):
    place = Place(hub, "resting").make(storageTier="small")
    image = place.image
    assert place.call("POST", "/pause").status == 200
    assert place.call("DELETE", "/storage").status == 200
    wait(lambda: not image.exists(), "the image of a paused Space")
    assert hub.runtime("resting")["stage"] == "PAUSED"
    place.remove()


def test_a_push_has_one_writer_and_loses_no_visit(hub):
    """The old version ends before the new one starts; who comes meanwhile waits and is answered."""
    place = Place(hub, "pushed").make(storageTier="small")
    address, seen, over = hub.host("pushed"), [], threading.Event()

    def visit():
        while not over.is_set():
            seen.append(fetch(address + "/"))

    visitors = [threading.Thread(target=visit) for _ in range(3)]
    for visitor in visitors:
        visitor.start()
    stages = []
    try:
        for version in range(2, 4 if not FULL else 12):
            place.note(f"v{version}")
            sha = hub.commit("pushed", app(version))
            stages += hub.wait_stage("pushed", "RUNNING", sha=sha)
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()
    assert [answer.status for answer in seen if answer.status != 200] == []
    versions = [answer.json["version"] for answer in seen]
    assert sorted(set(versions)) == list(range(1, version + 1))
    assert place.look()["notes"] == [f"v{i}" for i in range(2, version + 1)]
    place.remove()


def victims(place):
    """By turns: what a run has, then what the hub is made of."""
    while True:
        for name in ("pid", "conmon"):
            yield lambda name=name: int(place.record[name])
        for role in ("runner", "hub"):
            yield lambda role=role: process_of(place.hub, role)


def test_whatever_is_killed_the_notes_are_kept(hub):
    """What the app has answered for was on the disk: it is there after each kill, in its order, nothing twice."""
    place = Place(hub, "killed").make(storageTier="small")
    address, kept, over = hub.host("killed"), [], threading.Event()

    def write():
        for number in range(1_000_000):
            if over.is_set():
                return
            try:
                if fetch(address + "/", "POST", str(number).encode(), timeout=60).status == 200:
                    kept.append(str(number))
            except OSError:
                pass  # not answered: it may be there, or not
            time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number, victim in zip(range(1, KILLS + 1), victims(place)):
            some = len(kept) + 5
            wait(lambda: len(kept) > some, "the app takes notes again", timeout=90)
            os.kill(victim(), signal.SIGKILL)
            if number % 4 == 0:  # five ends of an app within ten minutes are a crash loop, but for a restart
                wait(lambda: place.call("POST", "/restart").status == 200, "the hub takes calls again")
        some = len(kept) + 5
        wait(lambda: len(kept) > some, "the app takes notes after the last kill", timeout=90)
    finally:
        over.set()
        writer.join()
    notes = place.look()["notes"]
    assert set(kept) <= set(notes) and len(set(notes)) == len(notes)
    assert [int(note) for note in notes] == sorted(map(int, notes))
    place.remove()


def test_a_damaged_disk_is_an_error_that_says_so(hub):
    """Not a loop of starts; the storage can be deleted, and then the app runs."""
    place = Place(hub, "damaged").make(storageTier="small")
    image = place.image
    assert place.call("POST", "/pause").status == 200
    wait(lambda: subprocess.run(["flock", "-n", image, "true"]).returncode == 0, "the image is free")
    with open(image, "r+b") as disk:
        disk.seek(1024)
        disk.write(bytes(1024))  # its superblock
    assert place.call("POST", "/restart").status == 200
    hub.wait_stage("damaged", "RUNTIME_ERROR")
    message = hub.runtime("damaged")["errorMessage"]
    assert "the disk of /data" in message and "e2fsck" in message and str(hub.data) not in message
    assert place.call("DELETE", "/storage").status == 200
    hub.wait_stage("damaged", "RUNNING")
    assert place.look()["disk"] is None
    place.remove()


if FULL:
    def test_everything_is_killed_at_once():
        """A hub of its own, whose environments are built anew: with ESPACE_TEST_FULL only."""
        hub = Hub().init()
        try:
            hub.start()
            place = Place(hub, "everything").make(storageTier="small")
            for number in range(KILLS):
                place.note(str(number))
                record = place.record
                for pid in (hub.process.pid, process_of(hub, "runner"), process_of(hub, "hub"), int(record["conmon"]),
                            int(record["pid"])):
                    os.kill(pid, signal.SIGKILL)
                hub.process.wait()
                hub.process.stdout.close()
                hub.start()
                hub.wait_stage("everything", "RUNNING")
                assert place.look()["notes"] == [str(i) for i in range(number + 1)]
            assert hub.stop().returncode == 0
            devices = subprocess.run(["losetup", "--list", "--noheadings", "--output", "BACK-FILE"], capture_output=True,
                                     text=True, check=True).stdout
            assert str(hub.data) not in devices
        finally:
            hub.remove()
