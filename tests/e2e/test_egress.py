"""What a Space reaches outside, on a machine whose network is the test's own."""

import json
import re
import signal
import subprocess
import time

import apart
from apps import plain
from hub import Hub, fetch

APP = '''
import errno, http.server, json, resource, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer("here")
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/flood":
            self.answer(self.flood(*asked[0]))
        else:
            self.answer({address: self.reach(address, port) for address, port in asked})
    def flood(self, address, port):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        held = []
        for _ in range(6000):
            try:
                held.append(socket.create_connection((address, port), timeout=3))
            except OSError:
                break
        return len(held)
    def reach(self, address, port):
        try:
            socket.create_connection((address, port), timeout=3).close()
        except OSError as error:
            return errno.errorcode.get(error.errno, "timeout")
        return "ok"
    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''
CLOSED = "---\nespace_egress: none\n---\n"
NO = "EHOSTUNREACH"
CONNECTIONS = 4096  # network.c


def reaches(hub, name, address, port=80):
    body = json.dumps([[address, port]]).encode()
    return fetch(hub.host(name) + "/", "POST", body).json[address]


def flood(hub, name, address):
    """How many connections stay open at once, of many more."""
    return fetch(hub.host(name) + "/flood", "POST", json.dumps([[address, 80]]).encode()).json


def seen(hub, name):
    """Public, private, metadata, the hub."""
    return [reaches(hub, name, address) for address in (apart.GATEWAY, apart.PRIVATE_ADDRESS, apart.METADATA)] + \
        [reaches(hub, name, "hub.espace", hub.port)]


def restart(hub, *options, end=signal.SIGTERM):
    hub.end(end)
    hub.options = ["--network-closed", "me/listed", *options]
    hub.start()


def new_hub(layers):
    """The environment is there: this machine has no package index."""
    hub = Hub(options=["--network-closed", "me/listed"]).init()
    subprocess.run(["cp", "-a", *layers, hub.data / "layers"], check=True)
    return hub


def start_spaces(hub):
    hub.start()
    for name, files in [("free", {}), ("by-card", {"README.md": CLOSED}), ("listed", {})]:
        hub.create(name)
        hub.commit(name, {"app.py": APP, **files})
        hub.wait_stage(name, "RUNNING")


def choices(layers):
    hub = new_hub(layers)
    try:
        start_spaces(hub)
        shut = [NO, NO, NO, "ok"]

        def expect(free):
            assert seen(hub, "free") == free
            assert seen(hub, "by-card") == shut
            assert seen(hub, "listed") == shut
        expect(["ok", NO, NO, "ok"])
        restart(hub, end=signal.SIGKILL)
        expect(["ok", NO, NO, "ok"])
        restart(hub, "--network-egress", "all")
        expect(["ok", "ok", NO, "ok"])
        restart(hub, "--network-egress", "none", "--network-allow", apart.PRIVATE_ADDRESS)
        expect([NO, "ok", NO, "ok"])
        assert CONNECTIONS - 200 < flood(hub, "free", apart.PRIVATE_ADDRESS) <= CONNECTIONS
        assert seen(hub, "listed") == shut
    finally:
        hub.remove()


def nft(text):
    subprocess.run(["nft", "-f", "-"], input=text, text=True, check=True)


def repairs(hub, count):
    """Commands that the log tells; the runner looks around while the hub is ready already."""
    until = time.monotonic() + 30
    found = []
    while len(found) != count:
        assert time.monotonic() < until, hub.tail()
        found = re.findall(r'runner.firewall .* repair="(.*)"', hub.tail(10000))
    return found


def foreign(layers):
    hub = new_hub(layers)
    try:
        start_spaces(hub)
        assert "runner.firewall" not in hub.tail(10000)
        nft("""
            table ip filter {
                chain FORWARD { type filter hook forward priority filter; policy drop; }
                chain INPUT { type filter hook input priority filter; policy drop; iif lo accept; ct state established accept; }
            }
            """)
        assert [reaches(hub, "free", apart.GATEWAY), reaches(hub, "free", "hub.espace", hub.port)] == ["timeout"] * 2
        said = hub.words("check", check=False).stdout
        assert "ip filter FORWARD" in said and "ip filter INPUT" in said
        restart(hub)
        for command in repairs(hub, 3):
            subprocess.run(command.split(), check=True)
        assert seen(hub, "free") == ["ok", NO, NO, "ok"]
        assert "ip filter" not in hub.words("check", check=False).stdout
    finally:
        hub.remove()


def environments(hub):
    """Layers that any Space without requirements of its own needs."""
    if hub.call("GET", "/api/spaces/me/egress").status != 200:
        hub.create("egress")
    hub.commit("egress", plain("x"))
    hub.wait_stage("egress", "RUNNING")
    return sorted((hub.data / "layers").glob("env-*"))


def test_the_strictest_choice_holds_over_restarts(hub):
    apart.run_apart(choices, environments(hub))


def test_a_foreign_firewall_is_named_and_can_be_opened(hub):
    apart.run_apart(foreign, environments(hub))
