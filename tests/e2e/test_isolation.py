"""A Space that tries to get out, from its app and from its build, and one beside it that goes on.

The attempts are in probes.py (what must be refused) and bounds.py (what must end somewhere); here is what each of
them must meet.
"""

import json
import pathlib
import platform
import signal
import socket
import subprocess
import threading

import pytest

from apps import plain
from hub import Hub, fetch

HERE = pathlib.Path(__file__).parent
PROBES = (HERE / "probes.py").read_text()
BOUNDS = (HERE / "bounds.py").read_text()

MEMORY_MIB = 1024
DISK_MIB = 1024
BUILD_DISK_MIB = 2048
PROCESSES = 96
HARDWARE = f"- {{name: cpu-basic, title: Basic, cpu: 2, memory: {MEMORY_MIB / 1024}, disk: {DISK_MIB / 1024}, " \
           f"pids: {PROCESSES}}}\n"

APP = '''
import http.server, json
import attempts_of_the_build, bounds, probes
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("here")
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/build":
            self.answer(attempts_of_the_build.ANSWERS)
        elif self.path == "/probes":
            self.answer(probes.run_all(asked))
        else:
            self.answer(bounds.run(self.path[1:], asked))
    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
if __name__ == "__main__":  # children of a fork server read it too
    http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''

# What builds a package runs as it likes: this one makes its attempts, and a wheel that tells of them.
BACKEND = '''
import json, os, zipfile
import bounds, probes
def build_wheel(folder, settings=None, metadata=None):
    with open("targets.json") as file:
        targets = json.load(file)
    targets.update(disk=os.environ["UV_CACHE_DIR"], disk_mib=targets["build_disk_mib"])
    answers = {**probes.run_all(targets), **{name: bounds.run(name, targets) for name in bounds.BOUNDS}}
    name = "attempts_of_the_build-1"
    with zipfile.ZipFile(f"{folder}/{name}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("attempts_of_the_build.py", f"ANSWERS = {answers!r}")
        wheel.writestr(f"{name}.dist-info/METADATA",
                       "Metadata-Version: 2.1\\nName: attempts-of-the-build\\nVersion: 1\\n")
        wheel.writestr(f"{name}.dist-info/WHEEL",
                       "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{name}.dist-info/RECORD", "")
    return f"{name}-py3-none-any.whl"
'''
PROJECT = '[project]\nname = "attempts-of-the-build"\nversion = "1"\n' \
          '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def run_of(hub, name):
    """The folder of a Space's run."""
    identity = hub.call("GET", f"/api/spaces/me/{name}").json["_id"]
    folder, = (hub.data / "run/bundles").glob(f"{identity}-*")
    return folder


def address_of(folder):
    """IPv4 and link-local IPv6 address of a run."""
    line = next(line for line in (folder / "hosts").read_text().splitlines() if "space-" in line)
    pid = (folder / "pid").read_text().strip()
    links = pathlib.Path(f"/proc/{pid}/net/if_inet6").read_text().splitlines()
    digits = next(line.split()[0] for line in links if line.endswith("eth0"))
    return line.split()[0], socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))


def gateway_of(folder):
    return next(line.split()[0] for line in (folder / "hosts").read_text().splitlines() if "hub.espace" in line)


def own_address():
    """An address of this machine that others know it by."""
    done = subprocess.run(["ip", "-json", "-4", "address", "show", "scope", "global"], capture_output=True, check=True)
    found = [entry["local"] for link in json.loads(done.stdout) if not link["ifname"].startswith("es-")
             for entry in link["addr_info"]]
    return found[:1]


class Listeners:
    """Services of this machine that are no Space's business."""

    def __init__(self, addresses):
        self.servers = [socket.create_server((address, 0)) for address in addresses]
        self.visited = []
        for server in self.servers:
            threading.Thread(target=self.serve, args=[server], daemon=True).start()

    def serve(self, server):
        try:
            while True:
                client, address = server.accept()
                self.visited.append(address)
                client.close()
        except OSError:
            pass  # closed

    def names(self):
        return [list(server.getsockname()) for server in self.servers]

    def close(self):
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()


class Prison:
    def __init__(self):
        self.hub = Hub(options=["--build-memory", str(MEMORY_MIB), "--build-disk", str(BUILD_DISK_MIB),
                                "--build-processes", str(PROCESSES)]).init()
        self.listeners = None
        (self.hub.data / "hardware.yaml").write_text(HARDWARE)

    def fill(self):
        hub = self.hub.start()
        hub.create("beside")
        hub.commit("beside", plain("beside"))
        hub.wait_stage("beside", "RUNNING")
        beside = run_of(hub, "beside")
        gateway = gateway_of(beside)
        neighbour, neighbour6 = address_of(beside)
        self.listeners = Listeners([gateway, "127.0.0.1", *own_address()])
        names = self.listeners.names()
        self.targets = {
            "pid": hub.process.pid, "pids": PROCESSES, "neighbour": neighbour, "neighbour6": neighbour6,
            "gateway": gateway, "port": hub.port, "host": socket.gethostname(),
            "memory_mib": MEMORY_MIB, "disk_mib": DISK_MIB, "build_disk_mib": BUILD_DISK_MIB, "disk": "/home/user",
            "listeners": [name for name in names if name[0] != "127.0.0.1"],
            "loopback": [hub.port] + [port for _, port in names]}
        hub.create("inmate")
        hub.commit("inmate", {
            "app.py": APP, "probes.py": PROBES, "bounds.py": BOUNDS, "requirements.txt": "./attempts\n",
            "attempts/pyproject.toml": PROJECT, "attempts/backend.py": BACKEND, "attempts/probes.py": PROBES,
            "attempts/bounds.py": BOUNDS, "attempts/targets.json": json.dumps(self.targets)})
        hub.wait_stage("inmate", "RUNNING", timeout=600)
        self.answers = {"app": self.ask("probes"), "build": self.ask("build")}
        return self

    def ask(self, what):
        answer = fetch(self.hub.host("inmate") + "/" + what, "POST", json.dumps(self.targets).encode(), timeout=300)
        assert answer.status == 200, answer.body
        return answer.json

    def all_is_well(self):
        """The machine's hub and the neighbour answer; nobody has come to the listeners."""
        assert self.hub.call("GET", "/api/whoami-v2").json["name"] == "me"
        assert self.hub.visit("beside").body == b"beside"
        assert self.hub.visit("inmate").status == 200
        assert self.listeners.visited == []

    def remove(self):
        if self.listeners:
            self.listeners.close()
        self.hub.remove()


@pytest.fixture(scope="module")
def prison():
    prison = Prison()
    try:
        yield prison.fill()
    finally:
        prison.remove()


# What each probe meets; the filter's own answers first.
REFUSED = {
    "mounts": "EPERM", "unsharing": "EPERM", "cloning": "ENOSYS", "cloning_by_a_structure": "ENOSYS",
    "entering_namespaces": "EPERM", "changing_the_root": "EPERM", "keyrings": "EPERM", "io_uring": "ENOSYS",
    "bpf": "EPERM", "perf": "EPERM", "userfaultfd": "EPERM", "modules": "EPERM", "rule_over_the_machine": "EPERM",
    "the_log_of_the_kernel": "EPERM", "comparing_processes": "EPERM", "kinds_of_sockets": "EAFNOSUPPORT",
    "netlink_of_administrators": "EPROTONOSUPPORT",
    # the kernel's, to a user without rights
    "another_user": "EPERM", "set_user_id_programs": "refused", "priorities": {"nice": "EACCES", "real time": "EPERM"},
    "oom_score": "EACCES", "more_open_files": "not allowed to raise maximum limit", "making_devices": "EPERM",
    "raw_sockets": "EPERM", "own_network": "EPERM",
    "status": [0, 0, 0, 0, 0, 1, 2],  # no capability, no new privileges, a filter
    # what is not there
    "processes_of_others": "ESRCH", "processes_in_sight": ["espace-init"], "devices": "ENOENT",
    "the_terminal": "ENXIO", "secrets_of_the_machine": {}, "knobs_of_the_machine": [], "the_system": [],
    "sockets_in_sight": [], "open_descriptors": [],
    # the network
    "neighbours": [], "ports_of_the_machine": "EHOSTUNREACH", "loopback_of_the_machine": "ECONNREFUSED",
    "private_networks": "EHOSTUNREACH", "the_hub": [401, 404, 404, 404, 400, 404],
    "names": {"the hub": [0, 1], "a Space": [0, 1], "nothing else": 0, "no transfer": 0, "no hosts": 0},
    "other_services_of_the_name_server": [],
}
if platform.machine() == "x86_64":
    REFUSED.update(calls_of_32_bits="SIGSYS", calls_of_x32="SIGSYS")

NEEDED = {name: "ok" for name in ("pools", "shared_memory", "other_programs", "calls_of_libraries", "own_addresses")}

FULL = "ENOSPC"
SHM_MIB = 256


def near(most, least=0.5):
    return lambda count: most * least <= count <= most


# Where each bound is met: the errno or signal, and how far that may be. A build's disk holds its packages too.
BOUNDED = {
    "processes": ["EAGAIN", near(PROCESSES)],
    "memory": "SIGKILL",
    "memory_of_files": int(signal.SIGKILL),
    "disk": {"app": [FULL, near(DISK_MIB)], "build": [FULL, near(BUILD_DISK_MIB)]},
    "disk_inodes": [FULL, near(BUILD_DISK_MIB * 64, 0.2)],  # one for each 16 KiB
    "files_in_memory": [FULL, near(SHM_MIB, 1)],
    "inodes_in_memory": [FULL, near(1 << 16)],
    "descriptors": ["EMFILE", near(1 << 16, 0.1)],
    "buffers_of_sockets": near(MEMORY_MIB / 4, 0),  # cgroup v1: an eighth, and what is under way
}


def meets(bound, answer):
    if callable(bound):
        return isinstance(answer, int) and bound(answer)
    if isinstance(bound, list):
        return len(answer) == 2 and answer[0] == bound[0] and bound[1](answer[1])
    return answer == bound


@pytest.mark.parametrize("where", ["app", "build"])
@pytest.mark.parametrize("name", REFUSED)
def test_refused(prison, where, name):
    assert prison.answers[where][name] == REFUSED[name]


@pytest.mark.parametrize("where", ["app", "build"])
@pytest.mark.parametrize("name", NEEDED)
def test_allowed(prison, where, name):
    assert prison.answers[where][name] == NEEDED[name]


def test_every_attempt_is_judged(prison):
    assert set(prison.answers["app"]) == {*REFUSED, *NEEDED}
    assert set(prison.answers["build"]) == {*REFUSED, *NEEDED, *BOUNDED}


@pytest.mark.parametrize("where", ["app", "build"])
@pytest.mark.parametrize("name", BOUNDED)
def test_bounded(prison, where, name):
    bound = BOUNDED[name]
    answer = prison.ask(name) if where == "app" else prison.answers["build"][name]
    assert meets(bound[where] if isinstance(bound, dict) else bound, answer), answer
    prison.all_is_well()


def test_the_app_goes_on(prison):
    """All of this was one run: nothing of it ended the app, and its log is an app's."""
    assert len(list((prison.hub.data / "spaces").glob("*/logs/run-2.log"))) == 0
    assert [path for path in (prison.hub.data / "cache").iterdir() if path.name.endswith(".img")] == []
