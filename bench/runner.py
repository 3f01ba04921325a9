"""The runner alone, driven as the hub drives it (src/engine/request.h): runs of an app whose layers a hub has made."""

import os
import pathlib
import re
import socket
import struct
import time

from hub import ESPACED, ROOT

MAGIC = 0x51525345
HEADER = struct.Struct("<IHHQQ")
FIELD = struct.Struct("<HI")
MESSAGE_MAX = 200 * 1024
SESSION = 1
ANSWER_S = 120
STATES = ["STARTING", "RUNNING", "FROZEN", "ENDED"]
ENVIRONMENT = {"PATH": "/opt/venv/bin:/usr/bin:/bin", "HOME": "/home/user", "GRADIO_SERVER_NAME": "0.0.0.0",
               "GRADIO_SERVER_PORT": "7860", "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONUNBUFFERED": "1"}


def enumerators(name, prefix):
    """An enum of request.h, so that this file needs no change with it."""
    text = (ROOT / "src" / "engine" / "request.h").read_text()
    body = re.search(rf"enum {name} {{(.*?)}};", text, re.S)[1]
    found, value = {}, -1
    for word, number in re.findall(rf"^\t{prefix}(\w+)(?: = (\d+))?", body, re.M):
        value = int(number) if number else value + 1
        found[word] = value
    return found


KINDS = enumerators("request_kind", "REQUEST_")
TAGS = enumerators("request_tag", "REQUEST_TAG_")
NAMES = {number: name for name, number in TAGS.items()}
TEXTS = {"KEY", "SPACE", "LOG", "LAYER", "ARGV", "ENV", "CWD", "REASON", "TEXT"}


def encode(kind, fields):
    message = HEADER.pack(MAGIC, 1, KINDS[kind], 1, SESSION)
    for name, value in fields:
        value = value.encode() + b"\0" if isinstance(value, str) else struct.pack("<Q", value)
        message += FIELD.pack(TAGS[name], len(value)) + value
    return message


def decode(message):
    kind = HEADER.unpack_from(message)[2]
    fields, at = {}, HEADER.size
    while at < len(message):
        tag, length = FIELD.unpack_from(message, at)
        at += FIELD.size
        value = message[at:at + length]
        name = NAMES[tag]
        fields[name] = value[:-1].decode() if name in TEXTS else struct.unpack("<Q", value)[0]
        at += length
    return kind, fields


class Runner:
    """`espaced @runner` on a data directory that no keeper holds; its runs go on when it ends."""

    def __init__(self, hub, options=()):
        self.ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.ours.settimeout(ANSWER_S)
        self.runs = {}
        ending, self.lifeline = os.pipe()
        self.log = open(hub.log_path, "ab")
        words = [str(word) for word in [*hub.command(), *options, "@runner"]]
        # Numbers above all that are given out here, to those that the runner knows (daemon/role.h).
        self.pid = os.posix_spawn(str(ESPACED), words, os.environ, file_actions=[
            (os.POSIX_SPAWN_DUP2, ending, 103), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 104),
            (os.POSIX_SPAWN_DUP2, self.log.fileno(), 2),
            (os.POSIX_SPAWN_DUP2, 103, 3), (os.POSIX_SPAWN_DUP2, 104, 4)])
        os.close(ending)
        theirs.close()
        self.wait(lambda kind, _: kind == KINDS["HELLO"])
        self.send("OBSERVE")
        self.wait(lambda kind, _: kind == KINDS["REPLY"])

    def end(self):
        os.close(self.lifeline)
        os.waitpid(self.pid, 0)
        self.ours.close()
        self.log.close()

    def send(self, kind, *fields):
        self.ours.send(encode(kind, fields))

    def wait(self, wanted):
        """Read reports until one is `wanted`."""
        while True:
            kind, fields = decode(self.ours.recv(MESSAGE_MAX))
            if kind in (KINDS["CHANGED"], KINDS["RUN"]):
                self.runs[fields["KEY"]] = fields
            if wanted(kind, fields):
                return fields

    def until(self, key, done):
        if key in self.runs and done(self.runs[key]):
            return self.runs[key]
        return self.wait(lambda kind, fields: kind == KINDS["CHANGED"] and fields["KEY"] == key and done(fields))

    def state(self, key, name):
        def is_there(run):
            assert run["STATE"] <= STATES.index("FROZEN") or name == "ENDED", run["REASON"]
            return STATES[run["STATE"]] == name
        return self.until(key, is_there)

    def submit(self, app, number):
        """Start the app of a Space once more; the key."""
        key = f"{app.space}-{number}"
        self.runs.pop(key, None)
        self.send("SUBMIT", ("KIND", 0), ("KEY", key), ("SPACE", app.space), ("LOG", f"run-{number}.log"),
                  *(("LAYER", name) for name in app.layers), ("ARGV", "/opt/venv/bin/python"), ("ARGV", "app.py"),
                  *(("ENV", f"{name}={value}") for name, value in ENVIRONMENT.items()), ("CWD", "/home/user/app"),
                  ("PORT", 7860), ("CPU", 2000), ("MEMORY", 2 << 30), ("PIDS", 256), ("DISK", 1 << 30))
        return key

    def start(self, app, number):
        key = self.submit(app, number)
        self.state(key, "RUNNING")
        return key

    def stop(self, key):
        self.send("STOP", ("KEY", key), ("GRACE", 5000))
        self.state(key, "ENDED")
        self.send("FORGET", ("KEY", key))

    def freeze(self, key):
        self.send("SUSPEND", ("KEY", key))
        self.state(key, "FROZEN")

    def page_out(self, key):
        """Freeze, and move its memory to swap space."""
        self.freeze(key)
        if self.runs[key]["PAGED"]:
            return
        self.runs.pop(key)
        self.send("PAGE_OUT", ("KEY", key))
        assert self.until(key, lambda run: True)["PAGED"], "there is no swap space for it"

    def address(self, key):
        return socket.inet_ntoa(struct.pack("!I", self.runs[key]["ADDRESS"])), 7860

    def resume(self, key):
        self.send("RESUME", ("KEY", key))


class App:
    """The newest version of a Space, as its hub has put it on the disk."""

    def __init__(self, hub):
        layers = sorted((hub.data / "layers").glob("app-*-*"), key=lambda path: path.stat().st_mtime)
        environments = sorted((hub.data / "layers").glob("env-*"), key=lambda path: path.stat().st_mtime)
        self.layers = [environments[-1].name, layers[-1].name]
        self.space = layers[-1].name.split("-")[1]


def first_answer(address):
    """Connect until somebody listens; the moment when the first bytes of a good answer are there."""
    end = time.monotonic() + ANSWER_S
    while time.monotonic() < end:
        try:
            with socket.create_connection(address, timeout=ANSWER_S) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
                head = connection.recv(65536)
                moment = time.monotonic()
                while connection.recv(65536):
                    pass
                assert head.startswith(b"HTTP/1.1 200"), head[:100]
                return moment
        except (ConnectionRefusedError, ConnectionResetError):
            time.sleep(0.002)
    raise AssertionError(f"{address} does not answer")


def cgroup_file(hub, key, v1, v2):
    """The number in a file of the run's memory, by either version of cgroups."""
    instance = dict(line.split("=", 1) for line in (hub.data / "instance").read_text().splitlines())["id"]
    root = pathlib.Path("/sys/fs/cgroup")
    old = root / "memory" / f"espace-{instance}" / key / v1
    return int((old if old.exists() else root / f"espace-{instance}" / key / v2).read_text())
