"""Sleep and wake, pause and restart, as the guide tells them: seen from outside, over real sockets.

Other hardware than cpu-basic has a sleep time of its own: here a second. ESPACE_TEST_FULL=1 makes 10,000 sleeps over
20 Spaces of it.
"""

import base64
import hashlib
import http.client
import os
import pathlib
import random
import signal
import socket
import threading
import time

import pytest

import apps
from hub import Hub

FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
SPACES, SLEEPS = (20, 10000) if FULL else (3, 9)
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time_ns() % 1000000))

# Says which process it is; what it sends is told by the path alone. Over a WebSocket it is silent.
APP = '''
import base64, hashlib, http.server, uuid
BOOT = uuid.uuid4().hex
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if "Upgrade" in self.headers:
            return self.listen()
        body = hashlib.sha512(self.path.encode()).hexdigest().encode() * 50
        self.send_response(200)
        self.send_header("X-Boot", BOOT)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def listen(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.rfile.read()
        self.close_connection = True
    def log_message(self, *args):
        pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
Server(("0.0.0.0", 7860), Handler).serve_forever()
'''
BROWSER = {"Accept": "text/html"}


def body_of(path):
    return hashlib.sha512(path.encode()).hexdigest().encode() * 50


def create(hub, name, flavor="cpu-upgrade", seconds=1):
    hub.create(name, hardware=flavor, sleepTimeSeconds=seconds)
    hub.commit(name, {"app.py": APP})


@pytest.fixture(scope="module")
def sleepers(hub):
    names = [f"sleeper-{i}" for i in range(SPACES)]
    for name in names:
        create(hub, name)
    for name in names:
        hub.wait_stage(name, "RUNNING", "SLEEPING")
    yield names
    for name in names:  # so that they sleep no more under other tests
        hub.call("DELETE", "/api/repos/delete", {"name": name, "type": "space"})


def test_an_idle_space_sleeps_and_a_visit_wakes_it(hub, sleepers):
    name = sleepers[0]
    boot = hub.visit(name).headers["X-Boot"]
    hub.wait_stage(name, "SLEEPING", timeout=20)
    runtime = hub.runtime(name)
    assert runtime["sleep"]["depth"] == "frozen" and runtime["gcTimeout"] == 1
    assert runtime["hardware"] == {**runtime["hardware"], "current": None, "requested": "cpu-upgrade"}
    assert "current" not in runtime["replicas"]
    answer = hub.visit(name, "/a")
    assert (answer.status, answer.body) == (200, body_of("/a"))
    assert answer.headers["X-Boot"] == boot  # the same process goes on
    runtime = hub.runtime(name)
    assert runtime["stage"] == "RUNNING" and runtime["sleep"]["depth"] is None and runtime["sleep"]["lastWakeMs"] > 0
    assert runtime["hardware"]["current"] == "cpu-upgrade"


def test_calls_of_the_api_wake_nobody(hub, sleepers):
    name = sleepers[0]
    hub.wait_stage(name, "SLEEPING", timeout=20)
    for path in ("", "/runtime", "/tree/main", "/revision/main"):
        assert hub.call("GET", f"/api/spaces/me/{name}{path}").status == 200
    assert hub.call("GET", f"/spaces/me/{name}/resolve/main/app.py").status == 200
    assert hub.runtime(name)["stage"] == "SLEEPING"
    assert hub.call("GET", f"/api/spaces/me/{name}").json["runtime"]["sleep"]["depth"] == "frozen"


def test_a_browser_that_wakes_a_space_sees_the_app(hub, sleepers):
    name = sleepers[0]
    hub.wait_stage(name, "SLEEPING", timeout=20)
    answer = hub.visit(name, "/b", headers=BROWSER)
    assert (answer.status, answer.body) == (200, body_of("/b"))


class Visitor(threading.Thread):
    """Comes again and again, at about the moment when the Space falls asleep."""

    def __init__(self, host, seed):
        super().__init__(daemon=True)
        self.host, self.ending = host.removeprefix("http://"), threading.Event()
        self.random = random.Random(seed)
        self.visits, self.errors, self.boots = 0, [], set()

    def ask(self, connection, path):
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if (answer.status, body) != (200, body_of(path)):
            self.errors.append((path, answer.status, body[:200]))
        self.boots.add(answer.headers["X-Boot"])

    def run(self):
        kept = http.client.HTTPConnection(self.host, timeout=60)
        while not self.ending.wait(self.random.choice([0.99, 1, 1.01, 1.02, 1.05, 1.1, 1.3])):
            self.visits += 1
            try:
                self.ask(kept, f"/{self.visits}/kept")
                fresh = http.client.HTTPConnection(self.host, timeout=60)
                self.ask(fresh, f"/{self.visits}/fresh")
                fresh.close()
            except Exception as error:
                self.errors.append((self.visits, repr(error)))
                kept.close()
                kept = http.client.HTTPConnection(self.host, timeout=60)


def falls(hub):
    return hub.log_path.read_text(errors="replace").count("to=SLEEPING")


def test_rounds_of_sleep_and_wake_lose_no_request(hub, sleepers):
    before, deadline = falls(hub), time.monotonic() + 60 + 10 * SLEEPS / SPACES
    visitors = [Visitor(hub.host(name), SEED + i) for i, name in enumerate(sleepers)]
    for visitor in visitors:
        visitor.start()
    while falls(hub) - before < SLEEPS and time.monotonic() < deadline:
        time.sleep(1)
    for visitor in visitors:
        visitor.ending.set()
    for visitor in visitors:
        visitor.join(60)
    assert [visitor.errors for visitor in visitors] == [[]] * SPACES, SEED
    assert all(len(visitor.boots) == 1 for visitor in visitors)  # nobody was started anew
    assert falls(hub) - before >= SLEEPS


def test_a_card_is_given_back_and_a_visit_starts_the_space(hub):
    create(hub, "sleeping-card", "t4-small")
    hub.wait_stage("sleeping-card", "SLEEPING")
    assert hub.runtime("sleeping-card")["sleep"]["depth"] == "stopped"
    page = hub.visit("sleeping-card", headers=BROWSER)
    assert page.status == 503 and b"Waking up" in page.body and b'http-equiv="refresh"' in page.body
    answer = hub.visit("sleeping-card", "/c")  # whoever is no browser waits
    assert (answer.status, answer.body) == (200, body_of("/c"))
    hub.call("DELETE", "/api/repos/delete", {"name": "sleeping-card", "type": "space"})


def test_pause_and_restart(hub):
    create(hub, "paused", seconds=3600)
    hub.wait_stage("paused", "RUNNING")
    boot = hub.visit("paused").headers["X-Boot"]
    assert hub.call("POST", "/api/spaces/me/paused/pause").json["stage"] == "PAUSED"
    page = hub.visit("paused", headers=BROWSER)
    assert page.status == 503 and b"<h1>Paused</h1>" in page.body and b"refresh" not in page.body
    answer = hub.visit("paused")
    assert answer.status == 503 and answer.json == {"error": "me-paused is paused by its owner"}
    assert "Retry-After" not in answer.headers
    assert hub.runtime("paused")["stage"] == "PAUSED"  # a visit does not wake it
    assert hub.call("POST", "/api/spaces/me/paused/restart").json["stage"] == "BUILDING"
    hub.wait_stage("paused", "RUNNING")
    answer = hub.visit("paused", "/d")
    assert (answer.status, answer.body) == (200, body_of("/d")) and answer.headers["X-Boot"] != boot


def test_changes_of_a_sleeping_space(hub, sleepers):
    name = sleepers[1]
    boot = hub.visit(name).headers["X-Boot"]
    hub.wait_stage(name, "SLEEPING", timeout=20)
    assert hub.call("POST", f"/api/spaces/me/{name}/variables", {"key": "A", "value": "1"}).status == 200
    assert hub.runtime(name)["stage"] == "APP_STARTING"
    hub.wait_stage(name, "RUNNING")
    second = hub.visit(name).headers["X-Boot"]
    assert second != boot
    hub.wait_stage(name, "SLEEPING", timeout=20)
    hub.commit(name, {"app.py": APP + "# new\n"})
    assert hub.runtime(name)["stage"] == "RUNNING_BUILDING"
    assert hub.visit(name, "/e").body == body_of("/e")
    hub.wait_stage(name, "RUNNING", "SLEEPING")


def test_pages_of_apps_that_end(hub):
    hub.create("done")
    hub.commit("done", {"app.py": "print('work')\n"})
    hub.create("failing")
    hub.commit("failing", {"app.py": "raise SystemExit(3)\n"})
    hub.wait_stage("done", "STOPPED")
    hub.wait_stage("failing", "RUNTIME_ERROR")
    for name, title in (("done", b"<h1>Done</h1>"), ("failing", b"<h1>Something went wrong</h1>")):
        page = hub.visit(name, headers=BROWSER)
        assert page.status == 503 and title in page.body and b"refresh" not in page.body


def test_a_space_that_is_built_or_starts_shows_a_page_that_reloads(hub):
    hub.create("slow")
    hub.commit("slow", {"app.py": "import time\ntime.sleep(600)\n"})
    titles = set()
    while b"Starting" not in titles:
        page = hub.visit("slow", headers=BROWSER)
        assert page.status == 503 and b'http-equiv="refresh"' in page.body
        titles.add(page.body.split(b"<h1>")[1].split(b"</h1>")[0])
    assert titles <= {b"Building", b"Starting"}
    hub.call("DELETE", "/api/repos/delete", {"name": "slow", "type": "space"})


@pytest.fixture(scope="module")
def sound_hub():
    """A hub where a WebSocket keeps nobody awake, and which may be killed."""
    own = Hub(options=["--sleep-min", "1", "--sleep-websockets", "no"]).init()
    try:
        own.start()
        own.create("echo", hardware="cpu-upgrade", sleepTimeSeconds=1)
        own.commit("echo", {"app.py": apps.TRAFFIC, "requirements.txt": "websockets\n"})
        own.wait_stage("echo", "RUNNING", "SLEEPING")
        yield own
    finally:
        own.remove()


class Socket:
    """A WebSocket of a visitor: short texts, no fragments (RFC 6455)."""

    def __init__(self, hub, name, path):
        self.socket = socket.create_connection(("127.0.0.1", hub.port), timeout=30)
        host = hub.host(name).removeprefix("http://")
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}"
                            "\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101"), head

    def echo(self, text):
        self.socket.sendall(bytes([0x81, 0x80 | len(text)]) + bytes(4) + text)  # masked with zeros
        frame = b""
        while len(frame) < 2 + len(text):
            frame += self.socket.recv(200)
        return frame[2:]


def test_a_websocket_lives_on_in_sleep_and_its_next_word_wakes_the_space(sound_hub):
    visitor = Socket(sound_hub, "echo", "/echo")
    for word in (b"one", b"two"):
        assert visitor.echo(word) == word
        sound_hub.wait_stage("echo", "SLEEPING", timeout=30)
    assert visitor.echo(b"three") == b"three"
    visitor.socket.close()


def test_a_silent_websocket_keeps_a_space_awake_until_it_is_closed(hub, sleepers):
    name = sleepers[2]
    visitor = Socket(hub, name, "/")
    end = time.monotonic() + 4
    while time.monotonic() < end:
        assert hub.runtime(name)["stage"] == "RUNNING"
        time.sleep(0.05)
    visitor.socket.close()
    hub.wait_stage(name, "SLEEPING", timeout=20)


def hub_process(hub):
    """The pid of the hub's own process, a child of the keeper."""
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(hub.data).encode() in words and b"@hub" in words:
            return int(process.name)
    raise AssertionError("no hub")


def test_a_killed_hub_finds_its_sleepers_and_forgets_no_visit(sound_hub):
    sound_hub.wait_stage("echo", "SLEEPING", timeout=30)
    os.kill(hub_process(sound_hub), signal.SIGKILL)
    assert sound_hub.visit("echo", "/seen").status == 200  # it waits for the next hub, and for the Space
    assert sound_hub.logs("echo", "run").count("Application Startup") == 1
    assert sound_hub.words("check", check=False).returncode == 0
