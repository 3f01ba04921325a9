"""Private Spaces and their visitors: who may read gets in, in every way that clients know, and nobody else."""

import base64
import concurrent.futures
import json
import os
import socket
import subprocess
import threading
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

GREETER = """
import gradio
gradio.Interface(lambda name: f"Hello {name}!", "text", "text", api_name="greet").launch()
"""

# A call of its function, and the refusal of who brings no token.
GREET = """
import json, sys
from gradio_client import Client
try:
    Client(sys.argv[1], verbose=False)
    refused = None
except Exception as error:
    refused = str(error)
answer = Client(sys.argv[1], token=sys.argv[2], verbose=False).predict("Ada", api_name="/greet")
print(json.dumps([refused, answer]))
"""

HTML = {"Accept": "text/html,application/xhtml+xml"}


class Space:
    """A running Space guild/NAME, and visits of it."""

    def __init__(self, hub, name, visibility="private", app=APP):
        self.hub, self.id = hub, f"guild/{name}"
        body = {"name": name, "organization": "guild", "type": "space", "sdk": "gradio", "visibility": visibility}
        assert hub.call("POST", "/api/repos/create", body).status == 200
        lines = [{"key": "header", "value": {"summary": "app"}},
                 {"key": "file", "value": {"path": "app.py", "content": app, "encoding": "utf-8"}}]
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
    """Tokens of people of guild by their role, and of a stranger."""
    roles = {"visitor": "read", "helper": "contributor", "author": "write", "nobody": None}
    for name in roles:
        hub.words("user", "add", name)
    members = [f"--member={name}:{role}" for name, role in roles.items() if role]
    hub.words("org", "add", "guild", *members)
    tokens = {name: hub.words("token", "add", name) for name in roles}
    fine = {"onlyit": "repo.read:guild/hidden", "all": "repo.write:guild", "other": "repo.read:guild/other"}
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


def test_gradio_client_gets_in_by_its_token(hub, tokens, new_client):
    greeter = Space(hub, "greeter", app=GREETER)
    new_client.environment.pop("HF_TOKEN")
    refused, answer = new_client.run(GREET, greeter.host, tokens["visitor"])
    assert answer == "Hello Ada!"
    assert refused


def test_an_apps_own_authorization_reaches_it(hidden, tokens):
    for own in ("Basic YTpi", "Bearer of-the-app", "Bearer hf_nobodyknowsthisone"):
        seen = hidden.visit(Authorization=own, **for_hub(tokens["visitor"])).json
        assert seen["headers"]["authorization"] == own
    both = hidden.visit(**bearer(tokens["author"]), **for_hub(tokens["visitor"])).json
    assert "authorization" not in both["headers"]


def test_strangers_learn_nothing(hidden, tokens, hub):
    nowhere = hidden.host.replace("guild-hidden", "guild-nowhere")
    for headers, status in (({}, 401), (HTML, 401), (bearer("hf_nosuchtoken"), 401), ({"Cookie": "a=b"}, 401),
                            (bearer(tokens["nobody"]), 404), (for_hub(tokens["nobody"]), 404),
                            (bearer(tokens["other"]), 404), ({**HTML, **bearer(tokens["nobody"])}, 404)):
        here, there = fetch(hidden.host, headers=headers), fetch(nowhere, headers=headers)
        assert here.status == there.status == status, headers
        assert here.body.replace(b"guild-hidden", b"") == there.body.replace(b"guild-nowhere", b"")
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
    hub.words("org", "member", "guild", "guest:read")
    guest = hub.words("token", "add", "guest")
    assert hidden.visit(**bearer(guest)).status == 200
    hub.words("org", "member", "guild", "guest:none")
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


# Browsers: a link once, then a cookie

class Browser:
    """What a browser does with a link: it keeps the cookie, and goes where it is sent."""

    def __init__(self, space):
        self.space, self.cookie = space, None

    def open(self, url, **headers):
        if self.cookie:
            headers["Cookie"] = f"theme=dark; {self.cookie}; lang=en"
        answer = fetch(url, headers={**HTML, **headers})
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return self.open(answer.headers["Location"]) if answer.status == 303 else answer


def link(space, token):
    answer = space.call("GET", "/jwt", token=token)
    assert answer.status == 200
    assert answer.json["url"] == f"{space.host}/?__sign={answer.json['token']}"
    return answer.json["url"]


def test_a_link_lets_a_browser_in_once(hidden, tokens):
    browser, url = Browser(hidden), link(hidden, tokens["visitor"])
    first = fetch(url, headers=HTML)
    assert (first.status, first.headers["Location"]) == (303, hidden.host + "/")
    assert first.headers["Cache-Control"] == "no-store"
    cookie = first.headers["Set-Cookie"]
    assert cookie.startswith("__Host-espace=")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(cookie.split("; "))
    assert fetch(url, headers=HTML).status == 401  # the second one who opens it
    browser.cookie = cookie.split(";")[0]
    seen = browser.open(hidden.host + "/a?b=c").json
    assert seen["path"] == "/a?b=c" and seen["headers"]["cookie"] == "theme=dark; lang=en"
    # Who is in, and goes back to the link, is let on; the app hears nothing of it.
    assert browser.open(url + "&x=y").json["path"] == "/?x=y"
    connection, status = hidden.open("/socket", Cookie=browser.cookie)
    connection.close()
    assert status == 101


def test_a_link_leads_to_any_page_of_its_space_alone(hidden, tokens):
    token = link(hidden, tokens["visitor"]).partition("__sign=")[2]
    assert fetch(hidden.host, "POST", b"", {"Cookie": f"__Host-espace={token}"}).status == 401
    assert fetch(f"{hidden.host}/?__sign={token}", "HEAD").status == 401  # looks at it, takes nothing
    answer = fetch(f"{hidden.host}//elsewhere.example/a?b=c&__sign={token}&d", headers=HTML)
    assert answer.headers["Location"] == f"{hidden.host}//elsewhere.example/a?b=c&d"


def test_a_link_that_was_spelled_otherwise_on_its_way_lets_in(hidden, tokens):
    url = link(hidden, tokens["visitor"]).replace("__sign", "%5F%5fsign")
    answer = fetch(url + "&a=b", headers=HTML)
    assert (answer.status, answer.headers["Location"]) == (303, hidden.host + "/?a=b")


def test_what_is_no_link_and_no_cookie_lets_nobody_in(hidden, tokens, hub):
    other = Space(hub, "other")
    elsewhere = link(other, tokens["author"]).partition("__sign=")[2]
    good = link(hidden, tokens["visitor"]).partition("__sign=")[2]
    foreign, mine = Browser(other), Browser(hidden)
    assert foreign.open(f"{other.host}/?__sign={elsewhere}").status == 200
    assert mine.open(f"{hidden.host}/?__sign={good}").status == 200
    value = mine.cookie.partition("=")[2]
    changed = [value[:i] + ("B" if value[i] == "A" else "A") + value[i + 1:] for i in (0, 14, 50, 107)]
    tampered = [value[:-1], value + "A", *changed, good, "", "x" * 9000]
    for bad in [*tampered, foreign.cookie.partition("=")[2]]:
        assert fetch(hidden.host, headers={"Cookie": f"__Host-espace={bad}"}).status == 401
        assert fetch(f"{hidden.host}/?__sign={bad}").status == 401
    # Among others, and twice, the good one still counts; and none of them reaches the app.
    cookies = f"__Host-espace={tampered[0]}; a=b; __Host-espace={value}; espace-visit=c; __HOST-espace=d"
    assert fetch(hidden.host, headers={"Cookie": cookies}).json["headers"]["cookie"] == "a=b"


def test_a_cookie_ends_with_the_right(hidden, tokens, hub):
    hub.words("user", "add", "friend")
    hub.words("org", "member", "guild", "friend:read")
    token = hub.words("token", "add", "friend", "--name", "door")
    browser = Browser(hidden)
    assert browser.open(link(hidden, token)).status == 200
    hub.words("org", "member", "guild", "friend:none")
    assert browser.open(hidden.host).status == 404
    hub.words("org", "member", "guild", "friend:read")
    assert browser.open(hidden.host).status == 200
    unused = link(hidden, token)
    hub.words("token", "revoke", "friend", "door")
    assert browser.open(hidden.host).status == 401
    assert fetch(unused).status == 401


def test_links_are_used_once_by_two_at_a_time(hidden, tokens):
    url = link(hidden, tokens["visitor"])
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status for answer in pool.map(lambda _: fetch(url), range(8)))
    assert statuses == [303] + [401] * 7


def test_chromium_gets_in_by_a_link(hidden, tokens, tmp_path):
    """A real browser takes the cookie on localhost and comes back with it."""
    def show(url):
        done = subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                               f"--user-data-dir={tmp_path}", "--dump-dom", url],
                              capture_output=True, text=True, timeout=120)
        return done.stdout

    assert "it is private" in show(hidden.host)
    first = show(link(hidden, tokens["visitor"]))
    assert '"path": "/"' in first and "__Host-espace" not in first
