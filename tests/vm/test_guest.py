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


@pytest.fixture(scope="module")
def sleeper(hub):
    """A Space that sleeps after a second without visits, has swap space of the hub's own, and a disk."""
    hub.serve("sleeper", hardware="sleeper", sleepTimeSeconds=1, storageTier="small")
    return "sleeper"


def wait_depth(hub, name, depth):
    wait_until(lambda: hub.runtime(name).get("sleep", {}).get("depth") == depth)  # awake, it may say nothing of it
    assert hub.runtime(name)["stage"] == "SLEEPING"


def test_an_idle_space_sleeps_paged_out_and_comes_back_whole(machine, hub, sleeper):
    wanted = hub.visit(sleeper, "/hold", timeout=WAIT_S).body
    cgroup = hub.cgroup(sleeper)
    held = int(machine.read(f"{cgroup}/memory.current"))
    wait_depth(hub, sleeper, "paged-out")
    assert fields(machine, f"{cgroup}/cgroup.events")["frozen"] == 1
    assert int(machine.read(f"{cgroup}/memory.current")) < held / 4
    assert int(machine.read(f"{cgroup}/memory.swap.current")) > 48 << 20
    answer = hub.visit(sleeper, "/checksum", timeout=WAIT_S)
    assert (answer.status, answer.body) == (200, wanted)
    assert hub.runtime(sleeper)["sleep"]["lastWakeMs"] > 0


def test_a_sleeper_takes_no_processor_and_no_call_wakes_it(machine, hub, sleeper):
    cgroup = hub.cgroup(sleeper)
    wait_depth(hub, sleeper, "paged-out")
    used = fields(machine, f"{cgroup}/cpu.stat")["usage_usec"]
    time.sleep(5)
    assert hub.call("GET", f"/api/spaces/me/{sleeper}").json["runtime"]["stage"] == "SLEEPING"
    assert fields(machine, f"{cgroup}/cpu.stat")["usage_usec"] == used


def test_what_starts_weighs_more_and_its_disk_is_kept(machine, hub, sleeper):
    answer = hub.visit(sleeper, "/keep", timeout=WAIT_S)
    assert answer.body == b"kept", (answer.body, hub.logs(sleeper, "run"))
    answer = hub.call("POST", f"/api/spaces/me/{sleeper}/restart")
    assert answer.status == 200, answer.body
    wait_until(lambda: hub.runtime(sleeper)["stage"] == "APP_STARTING")
    path = f"{hub.cgroup(sleeper)}/cpu.weight"
    starting = int(machine.read(path))
    wait_until(lambda: int(machine.read(path)) < starting)
    assert hub.visit(sleeper, "/kept", timeout=WAIT_S).body == b"kept"
    hub.call("POST", f"/api/spaces/me/{sleeper}/pause")  # it sleeps no more under other tests


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
