"""Who outlives whom (design 2): restarts that visitors don't notice, and a stop that leaves nothing."""

import pathlib
import signal
import socket
import subprocess

import pytest

import apps
from hub import ESPACED, Hub, fetch
from test_versions import visitors


@pytest.fixture
def own_hub():
    hub = Hub().init()
    try:
        yield hub.start()
    finally:
        hub.remove()


def instance(hub):
    lines = (hub.data / "instance").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)["id"]


def leftovers(hub, name):
    """Everything of this instance that the machine still has."""
    def run(*argv):
        return subprocess.run(argv, capture_output=True, text=True).stdout
    left = [line for line in run("ip", "-o", "link").splitlines() if name in line]
    left += [line for line in run("nft", "list", "tables").splitlines() if name in line]
    left += [str(path) for path in pathlib.Path("/sys/fs/cgroup").glob(f"**/*{name}*")]
    left += [line for line in pathlib.Path("/proc/mounts").read_text().splitlines() if str(hub.data) in line]
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(hub.data) in line:
            left.append(line)
    return left


def test_restart_of_the_hub_is_not_noticed_and_stop_leaves_nothing(own_hub):
    hub = own_hub
    hub.create("stays")
    hub.commit("stays", apps.plain("here"))
    hub.wait_stage("stays", "RUNNING")
    host = hub.host("stays")
    crowd = visitors(host)
    try:
        assert hub.end() == 0
        assert fetch(host + "/").body == b"here"  # while espaced is gone
        hub.start()
        assert hub.runtime("stays")["stage"] == "RUNNING"
        assert hub.logs("stays", "run").count("app says here") == 1  # adopted, not started again
    finally:
        for visitor in crowd:
            visitor.leave()
    assert [visitor.failures for visitor in crowd] == [[]] * len(crowd)

    name = instance(hub)
    assert leftovers(hub, name)
    done = hub.stop()
    assert done.returncode == 0, done.stderr
    assert leftovers(hub, name) == []
    assert hub.stop().returncode == 0  # once more is no error

    hub.start()
    hub.wait_stage("stays", "RUNNING")
    assert fetch(host + "/").body == b"here"
    assert hub.end(signal.SIGINT) == 0, hub.tail()
    assert leftovers(hub, name) == []


def test_kill_of_everything_is_recovered(own_hub):
    hub = own_hub
    hub.create("survivor")
    commit = hub.commit("survivor", apps.plain("alive"))
    hub.wait_stage("survivor", "RUNNING")
    host = hub.host("survivor")
    hub.process.kill()
    hub.process.wait()
    hub.process.stdout.close()
    assert fetch(host + "/").body == b"alive"
    hub.start()
    hub.wait_stage("survivor", "RUNNING", sha=commit)
    assert fetch(host + "/").body == b"alive"
    assert hub.logs("survivor", "run").count("app says alive") == 1


def test_two_instances_side_by_side(hub, own_hub):
    for each, text in [(hub, "left"), (own_hub, "right")]:
        each.create("twin")
        each.commit("twin", apps.plain(text))
    for each, text in [(hub, "left"), (own_hub, "right")]:
        each.wait_stage("twin", "RUNNING")
        assert each.visit("twin").body == text.encode()
    assert instance(hub) != instance(own_hub)


def test_second_espaced_on_the_same_directory_is_refused(hub):
    other = Hub(data=hub.data)
    done = subprocess.run(["timeout", "20", ESPACED, "--data", str(hub.data),
                           "--listen", f"127.0.0.1:{other.port}"], capture_output=True, text=True)
    assert done.returncode == 1 and "already runs" in done.stderr


def test_who_asks_to_be_notified_hears_of_the_keeper_alone(monkeypatch, tmp_path):
    """As systemd asks; runc with such a socket in its environment starts no container."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.settimeout(30)
        told.bind(str(tmp_path / "told"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "told"))
        hub = Hub()
        try:
            hub.words("init")
            hub.start()
            assert told.recv(100) == b"READY=1"
            children = subprocess.run(["ps", "--ppid", str(hub.process.pid), "-o", "pid="], capture_output=True,
                                      text=True).stdout.split()
            assert len(children) == 3  # nginx, runner, hub
            for child in children:
                assert b"NOTIFY_SOCKET" not in pathlib.Path(f"/proc/{child}/environ").read_bytes()
            hub.end()
            assert told.recv(100) == b"STOPPING=1"
        finally:
            hub.remove()


def test_port_in_use_is_told(hub):
    other = Hub(port=hub.port).init()
    try:
        done = subprocess.run([ESPACED, "--data", str(other.data), "--listen",
                               f"127.0.0.1:{hub.port}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert f"127.0.0.1:{hub.port}" in done.stderr and "in use" in done.stderr
    finally:
        other.remove()


def test_a_mistake_in_the_hardware_file_ends_the_start():
    other = Hub()
    try:
        other.words("init")
        (other.data / "hardware.yaml").write_text("- name: cpu-basic\n  title: Basic\n  cpu: many\n")
        done = subprocess.run([ESPACED, "--data", other.data], capture_output=True, text=True, timeout=30)
        assert done.returncode == 2
        assert "hardware.yaml: line 3: cpu must be a number" in done.stderr
    finally:
        other.remove()


def test_words(hub):
    assert hub.words("user", "add", "me", "--admin", check=False).returncode == 0
    assert hub.words("user", "add", "me", "--fullname", "Else", check=False).returncode == 3
    assert hub.words("user", "add", "no/slash", check=False).returncode == 2
    assert hub.words("fly", check=False).returncode == 2
    assert hub.words("token", "add", "no-one", check=False).returncode == 1
    reading = hub.words("token", "add", "me", "--role", "read", "--name", "reading")
    assert hub.call("GET", "/api/whoami-v2", token=reading).json["name"] == "me"
    assert hub.call("POST", "/api/repos/create", {"name": "x", "type": "model"}, token=reading).status == 403
