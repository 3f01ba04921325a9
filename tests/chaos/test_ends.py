"""One espaced for each directory, whenever it is started; and an end that leaves nothing, whatever died before."""

import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest

import apps
import machine
from hub import ESPACED, STOP_S, Hub, fetch, free_port
from test_lifetimes import instance, leftovers

AT_ONCE = 6
STOPS = 12 if os.environ.get("ESPACE_TEST_FULL") else 3
START_TAKES_S = 0.4  # about; a stop comes at any moment of it
SLOW_S = 4  # until an app listens
VICTIMS = ["keeper", "hub", "runner", "nginx master", "nginx worker", "conmon", "dnsmasq"]


@pytest.fixture(scope="module")
def made():
    """A hub with an app. It is made once: the environment takes a while."""
    hub = Hub().init()
    try:
        hub.start()
        hub.create("app")
        hub.commit("app", apps.plain("app"))
        hub.wait_stage("app", "RUNNING")
        yield hub
    finally:
        hub.remove()


@pytest.fixture
def hub(made):
    """It does not run."""
    assert made.stop().returncode == 0
    return made


def is_held(folder):
    return f":{folder.stat().st_ino} " in pathlib.Path("/proc/locks").read_text()


def serve(hub):
    hub.start()
    hub.wait_stage("app", "RUNNING")
    assert fetch(hub.host("app") + "/").body == b"app"


def kill_everything(hub):
    """Processes of ours, and what they run: apps too. At once, so that nobody starts another."""
    apps_of = [int(record["pid"]) for record in machine.records(hub).values()]
    pids = [pid for victim in VICTIMS for pid in machine.candidates(hub, victim)]
    for pid in pids + apps_of:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids + apps_of:
        os.kill(pid, signal.SIGKILL)
    hub.process.wait()
    hub.process.stdout.close()
    hub.log.close()


def test_stop_after_kill_of_everything_leaves_nothing(hub):
    serve(hub)
    address, name = machine.gateway(hub), instance(hub)
    kill_everything(hub)
    hub.process = None
    assert leftovers(hub, name)
    done = hub.stop()
    assert done.returncode == 0, done.stderr
    assert leftovers(hub, name) == []
    assert set(machine.processes(hub, address).values()) == {0}
    assert machine.loop_devices(hub) == 0


def test_start_after_kill_of_everything_serves_again(hub):
    serve(hub)
    kill_everything(hub)
    serve(hub)
    machine.wait_rest(hub, machine.gateway(hub), ["app"], ["app"])


def test_of_many_started_at_once_one_serves(hub):
    for _ in range(AT_ONCE):
        many = [subprocess.Popen([ESPACED, "--data", hub.data, "--listen", f"127.0.0.1:{free_port()}"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(AT_ONCE)]
        alive = many[:]
        machine.wait_for("all but one to end", lambda: [alive.remove(one) for one in alive[:] if one.poll() is not None]
                         is not None and len(alive) <= 1)
        assert len(alive) == 1
        assert "ready on" in alive[0].stdout.readline()
        for one in many:
            if one not in alive:
                assert one.returncode == 1 and "already runs" in one.stderr.read()
        assert hub.words("stop", check=False).returncode == 0
        for one in many:
            one.communicate(timeout=STOP_S)


def test_a_second_changes_nothing_of_the_first(hub):
    serve(hub)
    before = (hub.data / "instance").read_text()
    second = ["--network-pool", "10.214.0.0/16"]
    done = subprocess.run([ESPACED, "--data", hub.data, *second], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "already runs" in done.stderr
    hub.words(*second, "init")
    assert (hub.data / "instance").read_text() == before


def test_stop_finds_one_that_is_just_starting(hub):
    name = instance(hub)
    for _ in range(STOPS):
        starting = subprocess.Popen([ESPACED, "--data", hub.data, "--listen", f"127.0.0.1:{hub.port}"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        machine.wait_for("the lock", lambda: is_held(hub.data))
        time.sleep(random.random() * START_TAKES_S)
        done = hub.words("stop", check=False)
        assert done.returncode == 0, done.stderr
        starting.wait(STOP_S)
        assert leftovers(hub, name) == []


def test_a_visit_that_is_held_outlives_the_hub(hub):
    hub.start()
    hub.create("slow")
    source = apps.plain("slow")["app.py"]
    hub.commit("slow", {"app.py": f"import time\ntime.sleep({SLOW_S})\n{source}"})
    hub.wait_stage("slow", "APP_STARTING")
    answers = []
    visitor = threading.Thread(target=lambda host: answers.append(fetch(host + "/")), args=(hub.host("slow"),))
    visitor.start()
    for _ in range(2):
        machine.wait_for("a hub", lambda: machine.answers(hub))
        time.sleep(0.2)  # the question has arrived
        machine.kill(hub, "hub", random.choice)
    visitor.join(60)
    assert [(answer.status, answer.body) for answer in answers] == [(200, b"slow")]
