"""What each process has given up, as the kernel tells it."""

import pathlib
import re
import subprocess

import pytest

import apps
from hub import ROOT, Hub


@pytest.fixture(scope="module")
def served():
    """A hub that has done some of everything."""
    hub = Hub(options=["--log-level", "debug"]).init()
    try:
        hub.start()
        hub.create("held")
        hub.commit("held", apps.plain("hello"))
        hub.wait_stage("held", "RUNNING")
        assert hub.visit("held").status == 200
        yield hub
    finally:
        hub.remove()


def parent(pid):
    try:
        return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def children(pid):
    return [int(path.name) for path in pathlib.Path("/proc").glob("[0-9]*") if parent(path.name) == pid]


def role(hub, name):
    """The process of a role, "hub" or "runner"."""
    (pid,) = [pid for pid in children(hub.process.pid)
              if f"@{name}".encode() in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")]
    return pid


def status(pid):
    """proc(5) status: name to value."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def account(name):
    return subprocess.run(["id", "-u", name], check=True, capture_output=True, text=True).stdout.strip()


def test_the_hub_has_no_right_but_those_of_its_user(served):
    hub = status(role(served, "hub"))
    assert hub["Uid"].split() == [account("espace")] * 4
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        assert int(hub[kind], 16) == 0, kind
    assert hub["NoNewPrivs"] == "1"


def test_the_hub_is_behind_its_filter_and_its_fence(served):
    pid = role(served, "hub")
    assert status(pid)["Seccomp"] == "2"
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        assert "Seccomp:\t2" in (task / "status").read_text(), "a thread without a filter"
    log = (served.data / "test.log").read_text()
    assert "hub.confined" in log
    assert served.complaints() == []


def test_a_hub_for_debuggers_has_no_filter():
    hub = Hub(options=["--hub-confine", "no"]).init()
    try:
        hub.start()
        assert status(role(hub, "hub"))["Seccomp"] == "0"
        assert hub.call("GET", "/api/whoami-v2").status == 200
    finally:
        hub.remove()


def test_nginx_workers_are_a_user_of_their_own(served):
    master = int((served.data / "run/nginx.state").read_text().split()[0])
    workers = children(master)
    assert workers
    for worker in map(status, workers):
        assert worker["Uid"].split() == [account("espace-www")] * 4
        assert int(worker["CapEff"], 16) == 0
        assert int(worker["CapBnd"], 16) & ~capabilities(["CHOWN", "DAC_OVERRIDE", "KILL", "SETGID", "SETUID"]) == 0


def capabilities(names):
    """Their bits, by the kernel's header."""
    header = pathlib.Path("/usr/include/linux/capability.h").read_text()
    numbers = dict(re.findall(r"#define CAP_(\w+)\s+(\d+)$", header, re.MULTILINE))
    return sum(1 << int(numbers[name]) for name in names)


def test_keeper_and_runner_keep_what_the_unit_says(served):
    unit = (ROOT / "systemd/espaced.service.in").read_text()
    lines = re.findall(r"^CapabilityBoundingSet=.*", unit, re.MULTILINE)
    named = capabilities(re.findall(r"CAP_(\w+)", "\n".join(lines)))
    own = int(status("self")["CapBnd"], 16)
    for pid in (served.process.pid, role(served, "runner")):
        process = status(pid)
        assert process["NoNewPrivs"] == "1"
        for kind in ("CapEff", "CapPrm", "CapBnd"):
            assert int(process[kind], 16) == named & own, kind
