"""The hub in the guest: installed as people install it, asked from outside like any other."""

import pathlib
import time

from hub import Hub

DATA = "/var/lib/espace"
SPACE = pathlib.Path(__file__).parent / "space"
SETTINGS = """\
listen = 0.0.0.0:{port}
python.index = http://192.0.2.2/simple
network.allow = 192.0.2.0/24
sleep.min = 1
sleep.pageout = 1
sleep.swap = file:512M
storage.small = 1
"""
HARDWARE = """\
- name: cpu-basic
  title: CPU basic
  cpu: 0.5
  memory: 0.25
  pids: 100
- name: sleeper
  title: One that may sleep soon
  cpu: 0.5
  memory: 0.25
  pids: 100
"""
STAGE_S = 900  # emulation on a busy machine is slow
CALL_S = 120


class GuestHub(Hub):
    def __init__(self, machine):
        self.machine = machine
        self.url = f"http://localhost:{machine.hub_port}"
        self.token = None

    def words(self, *words):
        return self.machine.run("espaced", *words)

    def init(self):
        run = self.machine.run
        self.words("init")
        run("mv", *run("find", "/opt/base", "-mindepth", "1", "-maxdepth", "1").split(), f"{DATA}/layers/")
        self.machine.write(f"{DATA}/espace.conf", SETTINGS.format(port=self.machine.hub_port))
        self.machine.write(f"{DATA}/hardware.yaml", HARDWARE)
        self.words("user", "add", "me", "--admin")
        self.token = self.words("token", "add", "me", "--role", "write", "--name", "test")
        run("systemctl", "enable", "--now", "espaced")
        return self

    def call(self, *call, timeout=CALL_S, **options):
        return super().call(*call, timeout=timeout, **options)

    def tail(self, lines=40):
        return self.machine.journal(lines)

    def push(self, name, text="first"):
        """A version of the Space that answers with this text."""
        files = {file.name: file.read_text() for file in SPACE.iterdir()}
        files["app.py"] = files["app.py"].replace('TEXT = "first"', f"TEXT = {text!r}")
        return self.commit(name, files, summary=text)

    def wait_stage(self, name, *wanted, timeout=STAGE_S, sha=None):
        return super().wait_stage(name, *wanted, timeout=timeout, sha=sha)

    def serve(self, name, **fields):
        """A new Space, once it is up."""
        self.create(name, **fields)
        self.wait_stage(name, "RUNNING", sha=self.push(name))

    def cgroup(self, name):
        """The cgroup of a Space's one run, once the run before is gone."""
        key = self.call("GET", f"/api/spaces/me/{name}").json["_id"]
        end = time.monotonic() + STAGE_S
        while True:
            found = self.machine.run("find", "/sys/fs/cgroup", "-maxdepth", "2", "-path", f"*/espace-*/{key}-*").split()
            if len(found) == 1:
                return found[0]
            assert time.monotonic() < end, found
            time.sleep(1)
