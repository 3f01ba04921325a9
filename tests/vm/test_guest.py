"""A kernel, an init system and a cgroup hierarchy as people have them: Debian's, systemd, pure v2."""

import threading
import time

import pytest

from hub import fetch

SERVICE = "espaced"
WAIT_S = 300


def wait_until(what, *arguments):
    end = time.monotonic() + WAIT_S
    while not (found := what(*arguments)):
        assert time.monotonic() < end, f"{what.__name__}{arguments} stays {found!r}"
        time.sleep(0.2)
    return found


def fields(machine, path):
    """A file of "name number" lines, such as cgroup.events."""
    return {name: int(number) for name, number in map(str.split, machine.read(path).splitlines())}


@pytest.fixture(scope="session")
def space(hub):
    """A Space that the tests share: each leaves it serving."""
    hub.serve("app")
    return "app"


def test_the_guest_is_what_it_should_be(machine):
    assert machine.run("uname", "-r").startswith("6.1.")
    assert machine.run("stat", "--file-system", "--format=%T", "/sys/fs/cgroup") == "cgroup2fs"
    assert machine.run("ps", "-o", "comm=", "1") == "systemd"


def test_the_unit_serves(machine, hub):
    assert machine.run("systemctl", "is-active", SERVICE) == "active"
    assert hub.call("GET", "/api/whoami-v2").json["name"] == "me"


def test_a_space_is_built_and_run(hub, space):
    assert hub.visit(space).body == b"first"
    sha = hub.push(space, "second")
    hub.wait_stage(space, "RUNNING", sha=sha)
    assert hub.visit(space).body == b"second"


def test_limits_are_the_flavors(machine, hub, space):
    cgroup = hub.cgroup(space)
    limits = {name: machine.read(f"{cgroup}/{name}")
              for name in ("memory.max", "memory.swap.max", "cpu.max", "pids.max")}
    assert limits == {"memory.max": str(256 << 20), "memory.swap.max": "0", "cpu.max": "50000 100000",
                      "pids.max": "100"}


def test_processes_and_processors_are_limited(machine, hub, space):
    cgroup = hub.cgroup(space)
    assert int(hub.visit(space, "/threads", timeout=WAIT_S).body) < 100
    assert fields(machine, f"{cgroup}/pids.events")["max"] > 0
    assert hub.visit(space, "/spin", timeout=WAIT_S).body == b"spun"
    assert fields(machine, f"{cgroup}/cpu.stat")["nr_throttled"] > 0
    assert hub.visit(space).status == 200


def freeze(machine, cgroup, frozen):
    machine.write(f"{cgroup}/cgroup.freeze", str(int(frozen)))
    wait_until(lambda: fields(machine, f"{cgroup}/cgroup.events")["frozen"] == int(frozen))


def test_a_visit_of_a_frozen_run_is_answered_when_it_thaws(machine, hub, space):
    cgroup, answers = hub.cgroup(space), []
    freeze(machine, cgroup, True)
    visitor = threading.Thread(target=lambda: answers.append(hub.visit(space, timeout=WAIT_S)), daemon=True)
    used = fields(machine, f"{cgroup}/cpu.stat")["usage_usec"]
    visitor.start()
    visitor.join(5)
    assert answers == []
    assert fields(machine, f"{cgroup}/cpu.stat")["usage_usec"] == used
    freeze(machine, cgroup, False)
    visitor.join()
    assert answers[0].status == 200


def test_a_frozen_run_is_paged_out_and_comes_back_whole(machine, hub, space):
    cgroup = hub.cgroup(space)
    machine.run("mkswap", "/dev/vdb")
    machine.run("swapon", "/dev/vdb")
    wanted = hub.visit(space, "/hold", timeout=WAIT_S).body
    held = int(machine.read(f"{cgroup}/memory.current"))
    freeze(machine, cgroup, True)
    machine.write(f"{cgroup}/memory.swap.max", "max")
    machine.ask("tee", f"{cgroup}/memory.reclaim", input=str(held))  # EAGAIN: it was less than asked for
    assert int(machine.read(f"{cgroup}/memory.current")) < held / 4
    assert int(machine.read(f"{cgroup}/memory.swap.current")) > 64 << 20
    freeze(machine, cgroup, False)
    assert hub.visit(space, "/checksum", timeout=WAIT_S).body == wanted
    machine.run("swapoff", "/dev/vdb")


def test_who_eats_all_memory_is_named(machine, hub):
    hub.create("glutton")
    answer = hub.call("POST", "/api/spaces/me/glutton/variables", {"key": "EAT", "value": "1"})
    assert answer.status == 200, answer.body
    hub.push("glutton")
    hub.wait_stage("glutton", "RUNTIME_ERROR")
    assert "out of memory: the limit of 256Mi was reached" in hub.runtime("glutton")["errorMessage"]


def pids(machine, cgroup):
    return machine.read(f"{cgroup}/cgroup.procs").split()


class Visitor(threading.Thread):
    """Visits all the time; what was not answered well."""

    def __init__(self, hub, space):
        super().__init__(daemon=True)
        self.url, self.hub, self.space = hub.host(space), hub, space
        self.ending, self.visits, self.failures = threading.Event(), 0, []
        self.start()

    def run(self):
        while not self.ending.is_set():
            try:
                answer = fetch(self.url, timeout=WAIT_S)
                if answer.status != 200:
                    self.failures.append(answer.status)
            except OSError as error:
                self.failures.append(error)
            self.visits += 1

    def end(self):
        self.ending.set()
        self.join()
        assert self.failures == []
        return self.visits


def test_a_restart_of_the_service_is_not_noticed(machine, hub, space):
    before = pids(machine, hub.cgroup(space))
    visitor = Visitor(hub, space)
    machine.run("systemctl", "restart", SERVICE)
    machine.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", SERVICE)
    wait_until(lambda: machine.ask("systemctl", "is-active", SERVICE)["out"] == "active\n")
    assert visitor.end() > 0
    assert pids(machine, hub.cgroup(space)) == before
    assert hub.runtime(space)["stage"] == "RUNNING"


def test_a_stopped_service_leaves_the_spaces_serving(machine, hub, space):
    before, url = pids(machine, hub.cgroup(space)), hub.host(space)
    machine.run("systemctl", "stop", SERVICE)
    assert fetch(url).status == 200
    machine.run("systemctl", "start", SERVICE)
    assert pids(machine, hub.cgroup(space)) == before
