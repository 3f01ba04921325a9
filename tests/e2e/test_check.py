"""`check` and `gc`: what is damaged is found, what nothing needs goes, and nothing else does."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import apps
import pytest
from clock import Clock
from hub import ESPACED, Hub, fetch

FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
COLLECTIONS = 40 if FULL else 4


@pytest.fixture
def own_hub():
    """A hub of the test's own, not started."""
    hub = Hub().init()
    try:
        yield hub
    finally:
        hub.remove()


def check(hub, *options):
    """Exit status and lines without the summary."""
    done = hub.words("check", *options, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, done.stdout.splitlines()[:-1]


def collect(hub, keep_days=0):
    done = hub.words("--gc-keep", str(keep_days), "gc", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def layers(hub, kind):
    return sorted(path.name for path in (hub.data / "layers").iterdir() if path.name.startswith(kind))


def test_a_busy_hub_is_clean_and_stays_so_when_stopped(hub):
    hub.create("clean")
    hub.commit("clean", apps.plain("one"))
    hub.wait_stage("clean", "RUNNING")
    sha = hub.commit("clean", apps.plain("two"))
    # In the middle of a build and a hand-over nothing looks damaged either.
    assert check(hub) == (0, [])
    hub.wait_stage("clean", "RUNNING", sha=sha)
    assert check(hub) == (0, [])


def test_damage_is_found_and_mended(own_hub):
    hub = own_hub.start()
    hub.call("POST", "/api/repos/create", {"name": "model", "type": "model"})
    hub.commit("model", {"a.txt": "one"}, kind="models")
    repo = next((hub.data / "repos").iterdir())
    hub.end()
    assert check(hub) == (0, [])
    lock = repo / "refs/heads/main.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    stray = repo.with_name("0" * 24 + ".git")
    stray.mkdir()
    for path in (lock, stray):
        os.chown(path, repo.stat().st_uid, repo.stat().st_gid)
    status, lines = check(hub, "--repair")
    assert status == 0 and len(lines) == 2, lines
    assert all(line.startswith("mended: ") for line in lines), lines
    assert not lock.exists() and (hub.data / "lost+found" / stray.name).exists()
    assert check(hub) == (0, [])
    blob = max(repo.glob("objects/??/*"), key=lambda path: path.stat().st_mtime)
    blob.unlink()
    status, lines = check(hub, "--repair")
    assert status == 1 and len(lines) == 1 and lines[0].startswith(f"problem: repos/{repo.name}: git fsck: "), lines


def test_owners_and_networks_are_put_right_while_it_runs(own_hub):
    hub = own_hub.start()
    instance = dict(line.split("=") for line in (hub.data / "instance").read_text().split())["id"]
    assert check(hub) == (0, [])
    (hub.data / "secret.key").chmod(0o644)
    (hub.data / "espace.db").chmod(0o666)
    os.chown(hub.data / "repos", 0, 0)
    subprocess.run(["nft", "delete", "table", "inet", f"espace_{instance}"], check=True)
    subprocess.run(["ip", "link", "add", f"es{instance}v99", "type", "veth", "peer", "name", f"x{instance}"], check=True)
    status, lines = check(hub)
    assert status == 1, lines
    for thing in ("secret.key", "espace.db", "repos", f"nft table espace_{instance}", f"link es{instance}v99"):
        assert any(thing in line and line.endswith("check --repair mends it") for line in lines), (thing, lines)
    status, lines = check(hub, "--repair")
    assert status == 0 and all(line.startswith("mended: ") for line in lines) and len(lines) == 5, lines
    assert check(hub) == (0, [])
    assert hub.call("POST", "/api/repos/create", {"name": "after", "type": "model"}).status == 200


def plant_orphans(hub, instance):
    """A monitor, a cgroup and a loop device as of runs that nobody has written down; their lines of `check`."""
    key = "0" * 24 + "-7"
    monitor = subprocess.Popen(["conmon", "-c", "import time; time.sleep(600)", "-n", key,
                                "--exit-dir", hub.data / "run/exit"], executable="/usr/bin/python3")
    v1 = pathlib.Path("/sys/fs/cgroup/freezer")
    cgroup = (v1 if v1.exists() else v1.parent) / f"espace-{instance}" / key
    cgroup.mkdir(parents=True)
    image = hub.data / "spaces/stray.img"
    image.write_bytes(bytes(1 << 20))
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True,
                            text=True).stdout.strip()
    image.unlink()
    return monitor, cgroup, [f"conmon {monitor.pid} of run {key}", f"cgroup of run {key}",
                             f"device {device.removeprefix('/dev/')}"]


def test_what_no_run_has_is_found_one_by_one(hub):
    """Beside a run whose own are left alone; and the audit tells what was mended."""
    hub.create("kept")
    hub.commit("kept", apps.plain("kept"))
    hub.wait_stage("kept", "RUNNING")
    assert check(hub) == (0, [])
    instance = dict(line.split("=") for line in (hub.data / "instance").read_text().split())["id"]
    monitor, cgroup, things = plant_orphans(hub, instance)
    try:
        status, lines = check(hub)
        assert (status, lines) == (0, [f"warning: {thing}: no run has it; check --repair mends it" for thing in things])
        status, lines = check(hub, "--repair")
        assert (status, lines) == (0, [f"mended: {thing}: no run has it" for thing in things])
        assert monitor.wait(5) == -signal.SIGKILL and not cgroup.exists()
    finally:
        monitor.kill()
        monitor.wait()
    assert check(hub) == (0, []) and hub.visit("kept").body == b"kept"
    rows = [json.loads(line) for line in hub.words("audit", "--json", "--limit", "3").splitlines()]
    told = {(row["actor"], row["action"], row["detail"]) for row in rows}
    assert told == {("uid 0", "check.mend", f"{thing}: no run has it") for thing in things}


def test_what_a_stop_would_have_taken_down_is_named(own_hub):
    hub = own_hub.start()
    instance = dict(line.split("=") for line in (hub.data / "instance").read_text().split())["id"]
    assert hub.stop().returncode == 0
    assert check(hub) == (0, [])
    subprocess.run(["ip", "link", "add", f"es-{instance}", "type", "bridge"], check=True)
    status, lines = check(hub)
    assert status == 0 and len(lines) == 1 and "a bridge is left" in lines[0], lines
    assert check(hub, "--repair")[0] == 0
    assert check(hub) == (0, [])


def test_what_nothing_needs_goes_and_a_restart_needs_no_build(hub):
    hub.create("old")
    hub.commit("old", apps.plain("one"))
    hub.wait_stage("old", "RUNNING")
    first = layers(hub, "app-")
    sha = hub.commit("old", apps.plain("two"))
    hub.wait_stage("old", "RUNNING", sha=sha)
    environments = {name: (hub.data / "layers" / name).stat().st_ino for name in layers(hub, "env-")}
    assert collect(hub, keep_days=14).startswith("0 layers")
    end = time.monotonic() + 60
    while set(first) <= set(layers(hub, "app-")) and time.monotonic() < end:
        collect(hub)  # the old run may have a visit to end
    assert not set(first) <= set(layers(hub, "app-")), "the first version's files are still there"
    assert not layers(hub, "gone-")
    assert hub.call("POST", "/api/spaces/me/old/restart").status == 200
    hub.wait_stage("old", "RUNNING", sha=sha)
    for name in layers(hub, "env-"):
        assert environments[name] == (hub.data / "layers" / name).stat().st_ino, f"{name} was built anew"
    assert hub.visit("old").body == b"two"
    assert check(hub) == (0, [])


def test_files_of_an_app_go_a_day_after_its_run_and_environments_stay(hub):
    before = set(layers(hub, "app-"))
    hub.create("aged")
    hub.commit("aged", apps.plain("one"))
    hub.wait_stage("aged", "RUNNING")
    first, = set(layers(hub, "app-")) - before
    sha = hub.commit("aged", apps.plain("two"))
    hub.wait_stage("aged", "RUNNING", sha=sha)
    environments = layers(hub, "env-")
    clock = Clock(hub.data / "test.clock")
    clock.jump(2 * 24 * 3600)
    end = time.monotonic() + 60
    while first in layers(hub, "app-"):  # its run may have a visit to end
        assert time.monotonic() < end, "the first version's files are still there"
        assert collect(hub, keep_days=14) and first in layers(hub, "app-")  # it has just ended
        subprocess.run([ESPACED, "--data", hub.data, "gc"], env={**os.environ, **clock.environment}, check=True)
    row, = [json.loads(line) for line in hub.words("audit", "--json", "--limit", "1").splitlines()]
    assert (row["actor"], row["action"]) == ("the hub", "gc.collect") and "layers" in row["detail"]
    assert hub.visit("aged").body == b"two" and layers(hub, "env-") == environments


class Pusher(threading.Thread):
    """New versions, one after the other, each waited for and visited; and commits to a model."""

    def __init__(self, hub, name):
        super().__init__(daemon=True)
        self.hub, self.name = hub, name
        self.stop, self.versions, self.failure = threading.Event(), 0, None

    def run(self):
        try:
            while not self.stop.is_set():
                text = f"version {self.versions}"
                sha = self.hub.commit(self.name, apps.plain(text))
                self.hub.commit("busy-model", {f"{self.versions}/{i}.txt": text for i in range(5)}, kind="models")
                self.hub.wait_stage(self.name, "RUNNING", sha=sha)
                assert self.hub.visit(self.name).body == text.encode()
                self.versions += 1
        except BaseException as failure:
            self.failure = failure


def test_collections_take_nothing_from_who_commits_and_builds(hub):
    hub.create("pushes")
    hub.call("POST", "/api/repos/create", {"name": "busy-model", "type": "model"})
    pusher = Pusher(hub, "pushes")
    pusher.start()
    done = 0
    while not pusher.failure and (done < COLLECTIONS or pusher.versions < 2):
        collect(hub)
        done += 1
    pusher.stop.set()
    pusher.join(300)
    assert pusher.failure is None, pusher.failure
    tree = hub.call("GET", "/api/models/me/busy-model/tree/main?recursive=true").json
    assert len([entry for entry in tree if entry["type"] == "file"]) >= 5 * pusher.versions
    # What serves stays, and a collection later only that.
    collect(hub)
    assert hub.visit("pushes").body == f"version {pusher.versions - 1}".encode()
    assert check(hub) == (0, [])


def test_a_deletion_that_was_cut_is_finished_by_a_collection(own_hub):
    hub = own_hub.start()
    hub.end()
    for name in ("gone-" + "1" * 24 + ".git", "new-" + "2" * 24 + ".git"):
        folder = hub.data / "repos" / name
        folder.mkdir()
        owner = (hub.data / "repos").stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
    status, lines = check(hub)
    assert status == 0 and len(lines) == 2 and all("espaced gc removes it" in line for line in lines), lines


def test_a_hub_collects_by_itself_once_in_a_while(own_hub):
    last = own_hub.data / "cache/gc"
    last.touch()
    os.utime(last, (0, 0))
    old = own_hub.data / "layers/gone-1"
    old.mkdir()
    own_hub.start()
    end = time.monotonic() + 90
    while "gc.done" not in own_hub.tail(1000) and time.monotonic() < end:
        time.sleep(0.5)
    assert "gc.done" in own_hub.tail(1000), own_hub.tail()
    assert not old.exists() and last.stat().st_mtime > time.time() - 120
    assert "status=" not in "".join(line for line in own_hub.tail(1000).splitlines() if "chores.gc" in line)


def test_the_log_of_nginx_begins_anew(own_hub):
    hub = own_hub.start()
    log = hub.data / "run/nginx.log"
    with open(log, "ab") as file:
        file.write(b"x" * (17 << 20))
    end = time.monotonic() + 60
    while log.stat().st_size > 1 << 20 and time.monotonic() < end:
        time.sleep(0.2)
    before = hub.data / "run/nginx.log.1"
    assert before.stat().st_size >= 17 << 20 and log.stat().st_size < 1 << 20
    # nginx writes into the new one: it says so when a worker dies.
    master = int((hub.data / "run/nginx.pid").read_text())
    worker = int(open(f"/proc/{master}/task/{master}/children").read().split()[0])
    os.kill(worker, signal.SIGKILL)
    end = time.monotonic() + 30
    while str(worker) not in log.read_text() and time.monotonic() < end:
        time.sleep(0.1)
    assert str(worker) in log.read_text()
    assert fetch(hub.url + "/api/whoami-v2").status == 401
