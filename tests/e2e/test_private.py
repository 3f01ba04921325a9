"""Private Spaces and their visitors: who may read gets in, in every way that clients know, and nobody else."""

import base64
import http.client
import json
import os
import signal
import socket
import time

import pytest

from hub import fetch

# Says what reached it; echoes what comes over a WebSocket; sends an event a second.
APP = '''
import base64, hashlib, http.server, json, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path.startswith("/socket"):
            return self.socket()
        if self.path.startswith("/events"):
            return self.events()
        length = int(self.headers.get("Content-Length", 0))
        seen = {"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                "body": self.rfile.read(length).decode()}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        while piece := self.connection.recv(1 << 16):
            self.connection.sendall(piece)
    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(b"data: tick\\n\\n")
            time.sleep(1)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Space:
    """A running Space acme/NAME, and visits of it."""

    def __init__(self, hub, name, visibility="private"):
        self.hub, self.id = hub, f"acme/{name}"
        body = {"name": name, "organization": "acme", "type": "space", "sdk": "gradio", "visibility": visibility}
        assert hub.call("POST", "/api/repos/create", body).status == 200
        lines = [{"key": "header", "value": {"summary": "app"}},
                 {"key": "file", "value": {"path": "app.py", "content": APP, "encoding": "utf-8"}}]
        assert self.call("POST", "/commit/main", "\n".join(map(json.dumps, lines)).encode()).status == 200
        self.wait("RUNNING")
        self.host = self.call("GET", "").json["host"]
        self.address = self.host.removeprefix("http://")

    def call(self, method, path, *rest, **more):
        return self.hub.call(method, f"/api/spaces/{self.id}{path}", *rest, **more)

    def wait(self, stage):
        wait_until(lambda: self.call("GET", "/runtime").json["stage"] == stage, f"{self.id} is {stage}")

    def visit(self, path="/", **headers):
        return fetch(self.host + path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def show(self, visibility):
        assert self.call("PUT", "/settings", {"visibility": visibility}).status == 200

    def open(self, path, **headers):
        """A connection that stays: a WebSocket or an event stream; its status line has been read."""
        connection = socket.create_connection(("127.0.0.1", self.hub.port), 30)
        lines = [f"GET {path} HTTP/1.1", f"Host: {self.address}"]
        if path.startswith("/socket"):
            key = base64.b64encode(os.urandom(16)).decode()
            lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                      f"Sec-WebSocket-Key: {key}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            piece = connection.recv(1)
            assert piece, head
            head += piece
        return connection, int(head.split()[1])


def wait_until(true, what, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited too long until {what}"
        time.sleep(0.05)


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def for_hub(token):
    return {"X-HF-Authorization": f"Bearer {token}"}


@pytest.fixture(scope="module")
def tokens(hub):
    """Tokens of people of acme by their role, and of a stranger."""
    roles = {"visitor": "read", "helper": "contributor", "author": "write", "nobody": None}
    for name in roles:
        hub.words("user", "add", name)
    members = [f"--member={name}:{role}" for name, role in roles.items() if role]
    hub.words("org", "add", "acme", *members)
    tokens = {name: hub.words("token", "add", name) for name in roles}
    fine = {"onlyit": "repo.read:acme/hidden", "all": "repo.write:acme", "other": "repo.read:acme/other"}
    for name, scope in fine.items():
        tokens[name] = hub.words("token", "add", "author", "--name", name, f"--scope={scope}")
    tokens["reading"] = hub.words("token", "add", "author", "--role", "read", "--name", "reading")
    return tokens


@pytest.fixture(scope="module")
def hidden(hub, tokens):
    return Space(hub, "hidden")


@pytest.mark.parametrize("who", ["visitor", "helper", "author", "onlyit", "all", "reading"])
@pytest.mark.parametrize("way", [bearer, for_hub])
def test_who_may_read_may_visit_and_the_app_sees_no_token(hidden, tokens, who, way):
    answer = hidden.visit("/a?b=c", **way(tokens[who]))
    assert answer.status == 200, answer.body
    assert answer.json["path"] == "/a?b=c"
    assert "hf_" not in answer.body.decode()
    assert "authorization" not in answer.json["headers"]


def test_an_apps_own_authorization_reaches_it(hidden, tokens):
    for own in ("Basic YTpi", "Bearer of-the-app", "Bearer hf_nobodyknowsthisone"):
        seen = hidden.visit(Authorization=own, **for_hub(tokens["visitor"])).json
        assert seen["headers"]["authorization"] == own
    both = hidden.visit(**bearer(tokens["author"]), **for_hub(tokens["visitor"])).json
    assert "authorization" not in both["headers"]


def test_strangers_learn_nothing(hidden, tokens, hub):
    nowhere = hidden.host.replace("acme-hidden", "acme-nowhere")
    for headers, status in (({}, 401), (HTML, 401), (bearer("hf_nosuchtoken"), 401), ({"Cookie": "a=b"}, 401),
                            (bearer(tokens["nobody"]), 404), (for_hub(tokens["nobody"]), 404),
                            (bearer(tokens["other"]), 404), ({**HTML, **bearer(tokens["nobody"])}, 404)):
        here, there = fetch(hidden.host, headers=headers), fetch(nowhere, headers=headers)
        assert here.status == there.status == status, headers
        assert here.body.replace(b"acme-hidden", b"") == there.body.replace(b"acme-nowhere", b"")
        names = [sorted(set(answer.headers) - {"Date"}) for answer in (here, there)]
        assert names[0] == names[1]
        assert here.headers["Cache-Control"] == "no-store"


def test_sockets_streams_and_uploads(hidden, tokens):
    for way in (bearer, for_hub):
        connection, status = hidden.open("/socket", **way(tokens["visitor"]))
        assert status == 101
        connection.sendall(b"hello")
        assert connection.recv(5) == b"hello"
        connection.close()
        connection, status = hidden.open("/events", **way(tokens["visitor"]))
        assert status == 200
        assert b"tick" in connection.recv(100)
        connection.close()
    for path in ("/socket", "/events"):
        connection, status = hidden.open(path)
        connection.close()
        assert status == 401
    body = b"x" * 200_000
    answer = fetch(hidden.host, "POST", body, bearer(tokens["visitor"]))
    assert answer.status == 200 and len(answer.json["body"]) == len(body)


def test_a_right_that_ends_is_gone_at_once(hidden, tokens, hub):
    short = hub.words("token", "add", "visitor", "--name", "short")
    assert hidden.visit(**bearer(short)).status == 200
    hub.words("token", "revoke", "visitor", "short")
    assert hidden.visit(**bearer(short)).status == 401
    hub.words("user", "add", "guest")
    hub.words("org", "member", "acme", "guest:read")
    guest = hub.words("token", "add", "guest")
    assert hidden.visit(**bearer(guest)).status == 200
    hub.words("org", "member", "acme", "guest:none")
    assert hidden.visit(**bearer(guest)).status == 404


def test_protected_shows_the_app_and_hides_the_code(hidden, tokens):
    """And a change of visibility reaches visitors at once."""
    try:
        for visibility, visit in (("protected", 200), ("private", 401), ("public", 200), ("private", 401)):
            hidden.show(visibility)
            wait_until(lambda: hidden.visit().status == visit, f"{visibility} gives {visit}", 5)
            assert hidden.visit(**bearer(tokens["visitor"])).status == 200
            code = hidden.call("GET", "/tree/main", token=None)
            assert code.status == (200 if visibility == "public" else 401)
            if visibility == "protected":
                assert code.headers["X-Error-Code"] == "RepoNotFound"
                own = hidden.visit(**bearer(tokens["visitor"])).json["headers"]["authorization"]
                assert own == f"Bearer {tokens['visitor']}"  # of a public app it is the app's business
    finally:
        hidden.show("private")


def test_a_new_version_loses_no_visit(hidden, tokens):
    """Pushed while a visitor calls without a pause: each call is answered, by one or the other."""
    import threading
    failures, going = [], threading.Event()

    def visit_always():
        while not going.is_set():
            status = hidden.visit(**bearer(tokens["visitor"])).status
            if status != 200:
                failures.append(status)

    crowd = [threading.Thread(target=visit_always) for _ in range(2)]
    for each in crowd:
        each.start()
    try:
        lines = [{"key": "header", "value": {"summary": "again"}},
                 {"key": "file", "value": {"path": "app.py", "content": APP + "#\n", "encoding": "utf-8"}}]
        commit = hidden.call("POST", "/commit/main", "\n".join(map(json.dumps, lines)).encode()).json["commitOid"]
        wait_until(lambda: hidden.call("GET", "/runtime").json.get("sha") == commit, "the new version runs")
        time.sleep(1)
    finally:
        going.set()
        for each in crowd:
            each.join()
    assert failures == []
