"""The front alone: a real nginx with our module, apps and questions as each test needs them."""

import http.client
import json
import os
import re
import signal
import socket
import threading
import time

import pytest

import front as doubles
from front import Front, Handler, Server, wait_until

HTML = {"Accept": "text/html,application/xhtml+xml"}


class App(Handler):
    def do_GET(self):
        if self.path == "/events":
            self.events()
        elif self.path == "/ws":
            self.websocket()
        elif self.path == "/range":
            self.answer(b"bc", 206, {"Content-Range": "bytes 1-2/4", "X-Seen": self.headers["Range"]})
        elif self.path == "/accel":
            self.answer(b"of the app", 200, {"X-Accel-Redirect": "/.espace/away/json",
                                             "X-Accel-Buffering": "yes"})
        elif self.path == "/slow":
            assert self.server.go_on.wait(doubles.PATIENCE_S)
            self.echo()
        elif self.path == "/dies":
            self.server.deaths += 1
            self.close_connection = True
        elif self.path == "/broken":
            self.answer(b"the app's own 503", 503)
        else:
            self.echo()

    def events(self):
        """One event at once; the next one when the test has seen it."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        self.wfile.write(b"data: first\n\n")
        assert self.server.go_on.wait(doubles.PATIENCE_S)
        self.wfile.write(b"data: second\n\n")

    def websocket(self):
        """The upgrade, then an echo of whatever comes."""
        self.send_response(101)
        self.send_header("Upgrade", self.headers.get("Upgrade", "none"))
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.close_connection = True
        while piece := self.connection.recv(1 << 16):
            self.connection.sendall(piece)


class Api(Handler):
    def do_GET(self):
        if self.path.startswith("/logs"):
            self.answer(b"", 200, {"X-Accel-Redirect": "/_stream/abc/logs/run-1.log?tail=5"})
        elif self.path.startswith("/linked"):
            self.answer({}, 200, {"Link": f'<http://x{self.path}>; rel="next"'})
        elif self.path == "/file":
            self.answer(b"", 200, {"X-Accel-Redirect": "/_files/ab/object", "ETag": '"e"',
                                   "Content-Type": "text/plain", "X-Repo-Commit": "c" * 40})
        else:
            self.echo()

    def do_POST(self):
        """Answers before the body has ended, if the test sends that slowly."""
        first = self.rfile.read(5)
        self.server.first = first
        self.server.go_on.set()
        rest = int(self.headers["Content-Length"]) - len(first)
        self.answer({"first": first.decode(), "rest": len(self.rfile.read(rest))})


class Stream(Handler):
    pass


@pytest.fixture
def nginx():
    front = Front()
    yield front
    front.close()


@pytest.fixture
def app():
    server = Server(App)
    yield server
    server.stop()


@pytest.fixture
def api(nginx):
    server = Server(Api, "api", nginx.run / "api.sock", nginx.group)
    yield server
    server.stop()


@pytest.fixture
def running(nginx, app):
    """nginx with one Space, me-demo, public and running."""
    nginx.set("me-demo", "running", app.port)
    return nginx


def seen(answer):
    status, _, body = answer
    assert status == 200
    return json.loads(body)


# A Space that runs

def test_a_running_space_is_reached_without_a_question(running):
    running.tell("page me-demo not-found")
    assert seen(running.app("me-demo", "/a%2Fb?c=d"))["path"] == "/a%2Fb?c=d"
    assert seen(running.call(f"ME-Demo.LocalHost:{running.port}"))["name"] == "app"
    assert seen(running.call(f"me-demo.hub.espace:{running.port}"))["name"] == "app"


def test_connections_to_apps_are_kept_and_do_not_mix(running):
    other = Server(App, "other")
    try:
        running.set("you-demo", "running", other.port)
        for _ in range(5):
            assert seen(running.app("me-demo"))["name"] == "app"
            assert seen(running.app("you-demo"))["name"] == "other"
        # Each worker keeps one to each app.
        assert len(other.open) <= len(running.workers())
    finally:
        other.stop()


def test_visits_are_counted_and_none_stays_open(running, app):
    for _ in range(10):
        running.app("me-demo")
    thread = threading.Thread(target=running.app, args=("me-demo", "/slow"))
    thread.start()
    wait_until(lambda: running.usage("me-demo")["open"] == 1, "a visit is open")
    app.go_on.set()
    thread.join()
    running.wait_idle("me-demo")
    usage = running.usage("me-demo")
    assert usage["requests"] == 11
    assert usage["bytes"] > 11 * 100
    assert usage["activity_ms"] > 0


def test_a_visitor_who_leaves_is_counted_out(running, app):
    with running.connect() as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: me-demo.localhost\r\n\r\n")
        wait_until(lambda: running.usage("me-demo")["open"] == 1, "a visit is open")
    running.wait_idle("me-demo")
    app.go_on.set()


# What passes through

def test_websocket(running):
    with running.connect() as client:
        client.sendall(b"GET /ws HTTP/1.1\r\nHost: me-demo.localhost\r\nUpgrade: WebSocket\r\n"
                       b"Connection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.recv(1)
        assert head.startswith(b"HTTP/1.1 101 ")
        for word in (b"hello", b"\x00\xff" * 5000):
            client.sendall(word)
            back = b""
            while len(back) < len(word):
                back += client.recv(1 << 16)
            assert back == word
        usage = running.usage("me-demo")
        assert (usage["open"], usage["sockets"]) == (1, 1)
        before = running.usage("me-demo")["activity_ms"]
        client.sendall(b"again")
        assert client.recv(5) == b"again"
        wait_until(lambda: running.usage("me-demo")["activity_ms"] > before, "the word is noticed")
    running.wait_idle("me-demo")
    assert running.usage("me-demo")["sockets"] == 0


def test_events_are_not_buffered(running, app):
    with running.connect() as client:
        client.sendall(b"GET /events HTTP/1.1\r\nHost: me-demo.localhost\r\n\r\n")
        text = b""
        while b"first" not in text:
            text += client.recv(1 << 16)
        app.go_on.set()
        while b"second" not in text:
            text += client.recv(1 << 16)


def test_a_large_upload(running):
    size = 50 << 20
    answer = running.app("me-demo", "/upload", method="POST", body=b"x" * size, timeout=60)
    assert seen(answer)["body"] == size


def test_a_range_is_the_apps_to_answer(running):
    status, headers, body = running.app("me-demo", "/range", headers={"Range": "bytes=1-2"})
    assert (status, body, headers["X-Seen"]) == (206, b"bc", "bytes=1-2")
    assert headers["Content-Range"] == "bytes 1-2/4"


def test_an_apps_own_error_stays_its_own(running):
    status, _, body = running.app("me-demo", "/broken")
    assert (status, body) == (503, b"the app's own 503")


# Headers

def test_an_app_sees_the_host_with_its_port_and_our_forwarding_headers(running):
    headers = seen(running.app("me-demo", headers={
        "X-Forwarded-Host": "evil", "X-Forwarded-Proto": "gopher", "X-Forwarded-For": "1.2.3.4",
        "Forwarded": "for=1.2.3.4"}))["headers"]
    name = f"me-demo.localhost:{running.port}"
    assert headers["host"] == headers["x-forwarded-host"] == name
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert "forwarded" not in headers


def test_an_app_never_sees_what_belongs_to_the_hub(running):
    headers = seen(running.app("me-demo", headers={
        "X-HF-Authorization": "Bearer hf_secret", "Authorization": "Bearer for-the-app",
        "Cookie": "a=1; __Host-espace=secret; b=2", "X-Espace-User": "admin",
        "X-Espace-Slug": "x", "X-Espace-Page": "x", "X-Espace-To": "1.1.1.1:1",
        "Upgrade": "h2c", "Connection": "Upgrade, HTTP2-Settings", "HTTP2-Settings": "x"}))["headers"]
    assert headers["authorization"] == "Bearer for-the-app"
    assert re.fullmatch(r"a=1;\s*b=2", headers["cookie"])
    assert not [name for name in headers if name.startswith("x-espace") or "hf-auth" in name]
    assert "upgrade" not in headers and "connection" not in headers


def test_a_cookie_of_ours_alone_leaves_none(running):
    assert "cookie" not in seen(running.app(
        "me-demo", headers={"Cookie": "__Host-espace=secret"}))["headers"]


def test_an_apps_accel_headers_do_nothing(running):
    status, _, body = running.app("me-demo", "/accel")
    assert (status, body) == (200, b"of the app")


# Everything else is asked

@pytest.mark.parametrize("host", ["nobody.localhost", "a.b.localhost", "me_demo.localhost",
                                  "x" * 64 + ".localhost", "-.hub.espace"])
def test_an_unknown_name_is_a_404_page(nginx, host):
    status, headers, body = nginx.call(host, headers=HTML)
    assert status == 404
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert b"There is no Space with this name" in body
    status, headers, body = nginx.call(host, method="POST", body=b"x" * 100000)
    assert status == 404
    assert headers["Content-Type"].startswith("application/json")
    assert json.loads(body)["error"]


def test_a_page_for_people_and_json_for_programs(nginx):
    nginx.tell("page me-demo paused")
    status, headers, body = nginx.app("me-demo", headers=HTML)
    assert (status, "Retry-After" in headers) == (503, False)
    assert b"paused" in body and b"me-demo" in body
    status, headers, body = nginx.app("me-demo", method="HEAD", headers=HTML)
    assert (status, body) == (503, b"")
    nginx.tell("page me-demo building")
    status, headers, body = nginx.app("me-demo", "/config")
    assert (status, headers["Retry-After"]) == (503, "5")
    assert "is being built" in json.loads(body)["error"]


def test_a_held_request_goes_to_the_app_when_it_is_up(nginx, app):
    answers = []
    nginx.set("me-demo", "ask", 0)
    nginx.tell("hold me-demo")

    def visit():
        answers.append(nginx.app("me-demo", "/x", method="POST", body=b"y" * 200000))

    threads = [threading.Thread(target=visit) for _ in range(20)]
    for thread in threads:
        thread.start()
    wait_until(lambda: nginx.tell("held") == "20", "all are held")
    assert nginx.usage("me-demo")["open"] == 0
    nginx.set("me-demo", "running", app.port)
    nginx.tell(f"to me-demo 127.0.0.1 {app.port}")
    for thread in threads:
        thread.join()
    assert [seen(answer)["body"] for answer in answers] == [200000] * 20
    nginx.wait_idle("me-demo")


def test_a_browser_does_not_wait_for_a_held_answer(nginx):
    nginx.tell("hold me-demo")
    status, headers, body = nginx.app("me-demo", headers=HTML)
    assert (status, headers["Retry-After"]) == (503, "5")
    assert b'http-equiv="refresh"' in body
    nginx.tell("page me-demo not-found")


def test_who_is_held_too_long_gets_503(nginx):
    nginx.tell("hold me-demo")  # the demo holds for 3 s
    status, headers, body = nginx.app("me-demo", "/config")
    assert (status, headers["Retry-After"]) == (503, "5")
    assert "is starting" in json.loads(body)["error"]
    nginx.tell("page me-demo not-found")


def test_a_private_space_is_asked_about_and_counted(nginx, app):
    nginx.set("me-demo", "running", app.port, "private")
    nginx.tell("enter me-demo drop")
    headers = {"Authorization": "Bearer hf_mine", "X-HF-Authorization": "Bearer hf_mine"}
    reached = seen(nginx.app("me-demo", headers=headers))
    assert reached["name"] == "app" and "hf_mine" not in str(reached)
    nginx.tell("enter me-demo keep")
    reached = seen(nginx.app("me-demo", headers={"Authorization": "Basic of-the-app"}))
    assert reached["headers"]["authorization"] == "Basic of-the-app"
    nginx.wait_idle("me-demo")
    assert nginx.usage("me-demo")["requests"] == 2


def test_a_stranger_at_a_private_space_is_not_counted(nginx, app):
    nginx.set("me-demo", "running", app.port, "private")
    nginx.tell("page me-demo sign-in")
    status, headers, _ = nginx.app("me-demo")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="espace"')
    assert nginx.usage("me-demo")["requests"] == 0


def test_a_private_space_that_has_moved_on_is_asked_about_again(nginx, app):
    """Between "you may enter" and the look at the table it has begun to sleep, or moves."""
    for state in ("drain", "ask"):
        nginx.set("me-demo", state, app.port, "private")
        nginx.tell("enter me-demo keep")
        assert nginx.app("me-demo")[0] == 503  # the question is who serves it: not answered by "enter"
    nginx.tell(f"to me-demo 127.0.0.1 {app.port}")
    assert seen(nginx.app("me-demo"))["name"] == "app"


def test_a_private_space_is_closed_without_a_hub(nginx, app):
    nginx.set("me-demo", "running", app.port, "private")
    nginx.demo.kill()
    nginx.demo.wait()
    assert nginx.app("me-demo", headers={"Authorization": "Bearer hf_mine"})[0] == 503


def test_a_space_that_drains_is_asked_about(nginx, app):
    nginx.set("me-demo", "drain", app.port)
    nginx.tell("page me-demo starting")
    assert nginx.app("me-demo")[0] == 503
    # The answer is out of date as long as the table says so: some questions, then an end.
    nginx.tell(f"to me-demo 127.0.0.1 {app.port}")
    assert nginx.app("me-demo")[0] == 503
    nginx.set("me-demo", "running", app.port)
    assert seen(nginx.app("me-demo"))["name"] == "app"


def test_the_inner_locations_are_nobodys(running):
    for path in ("/.espace/ask", "/.espace/away/json", "/.espace/away/html"):
        assert running.app("me-demo", path)[0] == 404


# Failures

def test_an_app_that_is_not_there_is_503(nginx, app):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nginx.set("me-demo", "running", closed.getsockname()[1])
        status, headers, body = nginx.app("me-demo", "/config", method="POST", body=b"{}")
        assert (status, headers["Retry-After"]) == (503, "2")
        assert json.loads(body)["error"]
        status, headers, _ = nginx.app("me-demo", headers=HTML)
        assert (status, headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    nginx.wait_idle("me-demo")


def test_public_spaces_are_served_without_a_hub(running):
    running.demo.send_signal(signal.SIGKILL)
    running.demo.wait()
    assert seen(running.app("me-demo"))["name"] == "app"
    os.unlink(running.run / "ask.sock")
    status, headers, body = running.app("nobody")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert json.loads(body)["error"]


def test_a_killed_worker_leaves_no_visit_behind(running, app):
    clients = [running.connect() for _ in range(8)]
    for client in clients:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: me-demo.localhost\r\n\r\n")
    wait_until(lambda: running.usage("me-demo")["open"] == 8, "all are open")
    for pid in running.workers():
        os.kill(pid, signal.SIGKILL)
    running.wait_idle("me-demo")
    app.go_on.set()
    for client in clients:
        client.close()
    wait_until(running.workers, "there are workers again")
    assert seen(running.app("me-demo"))["name"] == "app"


def test_no_request_is_lost_when_a_space_moves(nginx):
    """Route before stop, stop after route, under four clients that never pause."""
    servers = [Server(App, "0")]
    nginx.set("me-demo", "running", servers[0].port)
    failures, calls, over = [], [0] * 4, threading.Event()

    def visit(number):
        while not over.is_set():
            method, body = ("GET", None) if calls[number] % 2 else ("POST", b"z" * 3000)
            try:
                status = nginx.app("me-demo", method=method, body=body)[0]
            except OSError as error:
                status = error
            if status != 200:
                failures.append((method, status))
            calls[number] += 1

    threads = [threading.Thread(target=visit, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for move in range(1, 11):
        seen_before = sum(calls)
        servers.append(Server(App, str(move)))
        nginx.set("me-demo", "running", servers[-1].port)
        wait_until(lambda: nginx.open_at("me-demo", servers[-2].port) == 0, "the old app is left")
        servers[-2].stop()
        wait_until(lambda: sum(calls) > seen_before + 20, "calls go on")
    over.set()
    for thread in threads:
        thread.join()
    servers[-1].stop()
    assert failures == []


def test_a_request_that_found_nobody_looks_again(nginx, app):
    """Nothing of it was sent, so that also a POST may go to where the Space is now."""
    with socket.socket() as old:
        old.bind(("127.0.0.1", 0))
        old.listen(0)
        fill = [socket.socket() for _ in range(2)]
        for waiting in fill:  # a full queue: nginx's connection stays half open
            waiting.setblocking(False)
            waiting.connect_ex(old.getsockname())
        old_port = old.getsockname()[1]
        nginx.set("me-demo", "running", old_port)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(
            nginx.app("me-demo", method="POST", body=b"x" * 1000)))
        thread.start()
        wait_until(lambda: nginx.usage("me-demo")["open"] == 1, "it is on its way")
        nginx.set("me-demo", "running", app.port)
        assert nginx.open_at("me-demo", old_port) == 1
    for waiting in fill:
        waiting.close()
    thread.join()
    assert seen(answers[0])["body"] == 1000
    assert nginx.open_at("me-demo", old_port) == 0
    nginx.wait_idle("me-demo")


def test_a_hand_over_holds_new_visits_and_lets_sessions_go_on(nginx, app):
    nginx.set("me-demo", "running", app.port)
    nginx.set("me-demo", "handover", app.port)
    for method, path in (("GET", "/queue/data?session_hash=a"), ("GET", "/gradio_api/queue/data?x=1&session_hash=a"),
                         ("POST", "/upload?session_hash=a"), ("GET", "/gradio_api/call/predict/0123")):
        assert seen(nginx.app("me-demo", path, method=method))["name"] == app.name, path
    nginx.tell("page me-demo paused")
    for method, path in (("GET", "/"), ("POST", "/gradio_api/queue/join"), ("POST", "/gradio_api/call/predict"),
                         ("POST", "/gradio_api/call/predict/0123"), ("GET", "/a?session_hashes=a")):
        assert nginx.app("me-demo", path, method=method)[0] == 503, path
    nginx.wait_idle("me-demo")


def test_calls_that_lead_to_a_next_one_are_told(running, app):
    def opened(method, path):
        before = running.usage("me-demo")["opened_ms"]
        time.sleep(0.01)
        running.app("me-demo", path, method=method, body=b"{}" if method == "POST" else None)
        running.wait_idle("me-demo")
        usage = running.usage("me-demo")
        assert usage["opening"] == 0
        return usage["opened_ms"] > before

    assert opened("POST", "/queue/join") and opened("POST", "/gradio_api/queue/join?x=1")
    assert opened("POST", "/gradio_api/call/predict") and opened("POST", "/call/predict")
    for method, path in (("GET", "/queue/join"), ("POST", "/join"), ("POST", "/queue/joined"), ("POST", "/a/queue/join/b"),
                         ("POST", "/"), ("POST", "/call"), ("POST", "/call/predict/0123"), ("GET", "/call/predict")):
        assert not opened(method, path), path
    with running.connect() as visitor:
        visitor.sendall(b"POST /queue/join HTTP/1.1\r\nHost: me-demo.localhost\r\nContent-Length: 2\r\n\r\n{")
        wait_until(lambda: running.usage("me-demo")["opening"] == 1, "it is counted while it is sent")
    running.wait_idle("me-demo")
    assert running.usage("me-demo")["opening"] == 0


def test_what_an_app_has_received_is_not_sent_again(running, app):
    """Not even a GET: the app may have died of it."""
    app.deaths = 0
    assert running.app("me-demo", "/dies")[0] == 503
    assert app.deaths == 1
    running.wait_idle("me-demo")


# The hub

@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "hub.espace", "example.org",
                                  "demo.example.org", "[::1]"])
def test_every_other_host_is_the_hub(nginx, api, host):
    answer = seen(nginx.call(f"{host}:{nginx.port}", "/api/x?y=%20", headers={
        "X-Espace-User": "admin", "X-Forwarded-Host": "evil", "Authorization": "Bearer t"}))
    assert (answer["name"], answer["path"]) == ("api", "/api/x?y=%20")
    headers = answer["headers"]
    assert headers["host"] == headers["x-forwarded-host"] == f"{host}:{nginx.port}"
    assert headers["authorization"] == "Bearer t"
    assert not [name for name in headers if name.startswith("x-espace")]


def test_paths_reach_the_hub_as_they_were_sent(nginx, api):
    for path in ("/api/models/a/b/tree/refs%2Fpr%2F1/x%20y//z", "/a/./b/../c"):
        assert seen(nginx.hub(path))["path"] == path


def test_an_upload_reaches_the_hub_while_it_is_sent(nginx, api):
    with nginx.connect() as client:
        client.sendall(b"POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nfirst")
        assert api.go_on.wait(doubles.PATIENCE_S)
        client.sendall(b"other")
        answer = b""
        while b"}" not in answer:
            answer += client.recv(1 << 16)
        assert b'"rest": 5' in answer


def test_streams_are_reached_by_the_apis_word_only(nginx, api):
    stream = Server(Stream, "stream", nginx.run / "stream.sock", nginx.group)
    try:
        answer = seen(nginx.hub("/logs/x", headers={"Authorization": "Bearer t"}))
        assert (answer["name"], answer["path"]) == ("stream", "/follow/abc/logs/run-1.log?tail=5")
        assert seen(nginx.hub("/_stream/abc/logs/run-1.log"))["name"] == "api"
    finally:
        stream.stop()


def test_files_are_reached_by_the_apis_word_only(nginx, api):
    folder = nginx.data / "lfs" / "ab"
    folder.mkdir()
    for place in (folder, nginx.data / "lfs"):
        os.chown(place, -1, nginx.group)
        place.chmod(0o750)
    (folder / "object").write_bytes(b"0123456789")
    os.chown(folder / "object", -1, nginx.group)
    status, headers, body = nginx.hub("/file", headers={"Range": "bytes=2-4"})
    assert (status, body) == (206, b"234")
    status, _, body = nginx.hub("/file", headers={"Range": "bytes=20-"})
    assert (status, json.loads(body)) == (416, {"error": "the range starts behind the last byte"})
    assert headers["ETag"] == '"e"' and headers["X-Repo-Commit"] == "c" * 40
    assert seen(nginx.hub("/_files/ab/object"))["name"] == "api"


def test_a_hub_that_is_away_is_a_503_in_json(nginx):
    status, headers, body = nginx.hub("/api/whoami-v2")
    assert (status, headers["Retry-After"], headers["X-Error-Code"]) == (503, "2", "ServerBusy")
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert json.loads(body)["error"] == "the hub is restarting, try again"


REFUSALS = {
    "no request": (400, b"GET /a b c\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "nul in the path": (400, b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n"),
    "above the root": (400, b"GET /%2e%2e/x HTTP/1.1\r\nHost: x\r\n\r\n"),
    "nul in a header": (400, b"GET / HTTP/1.1\r\nHost: x\r\na: b\0c\r\n\r\n"),
    "two lengths": (400, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    "length and chunks": (400, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n"),
    "negative length": (400, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
    "length beyond 64 bits": (400, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9" + b"9" * 30 + b"\r\n\r\n"),
    "broken chunks": (400, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "trace": (405, b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "connect": (400, b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "long body": (413, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"),
    "long commit": (413, b"POST /api/models/a/b/commit/main HTTP/1.1\r\nHost: x\r\nContent-Length: 104857601\r\n\r\n"),
    "no commit": (413, b"POST /api/models/a/b/commit/../x HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"),
    "long chunks": (413, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" + b"x" * (1 << 21)),
    "long address": (414, b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "long header": (431, b"GET / HTTP/1.1\r\nHost: x\r\na: " + b"x" * 20000 + b"\r\n\r\n"),
    "many headers": (431, b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 100 + b"\r\n"),
    "odd coding": (501, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
    "version 3": (505, b"GET / HTTP/3.0\r\nHost: x\r\n\r\n"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_nginx_refuses_looks_like_an_error_of_the_hub(nginx, api, what):
    status, request = REFUSALS[what]
    with nginx.connect() as client:
        client.sendall(request)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        text = json.loads(answer.read())["error"]
    assert answer.status == status
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["X-Error-Message"] == text != "internal error"
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", answer.headers["X-Request-Id"])
    assert answer.headers["Date"] and "Retry-After" not in answer.headers
    assert seen(nginx.hub("/"))["name"] == "api"


def test_a_commit_may_be_longer_than_other_bodies(nginx, api):
    path, body = "/api/models/a/b/commit/main", b"x" * (3 << 20)
    assert seen(nginx.hub(path, method="PUT", body=body))["body"] == len(body)
    for path, most in (("/api/models/a/b/commit/main", 100 << 20), ("/api/models/a/b", 1 << 20)):
        with nginx.connect() as client:
            client.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {most + 1}\r\n\r\n".encode())
            answer = http.client.HTTPResponse(client)
            answer.begin()
            assert json.loads(answer.read())["error"] == (
                f"the body is larger than {most} bytes, which are accepted here")


def test_an_error_of_nginx_carries_the_id_of_the_client(nginx):
    for trace, echo in (("my-id", ";my-id"), ("a b", ""), ("x" * 129, "")):
        _, headers, body = nginx.hub("/", method="HEAD", headers={"X-Amzn-Trace-Id": trace})
        assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}" + echo, headers["X-Request-Id"])
        assert headers["X-Error-Message"] == "the hub is restarting, try again" and body == b""


def test_many_headers_and_old_forms_of_a_request_are_taken(nginx, api):
    many = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + b"a: b\r\n" * 90 + b"\r\n"
    old = b"GET /old HTTP/1.0\r\n\r\n"
    absolute = b"GET http://y/absolute?q HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    for request in (many, old, absolute):
        with nginx.connect() as client:
            client.sendall(request)
            answer = http.client.HTTPResponse(client)
            answer.begin()
            said = json.loads(answer.read())
        assert answer.status == 200
    assert said["path"] == "/absolute?q" and said["headers"]["host"] == f"y:{nginx.port}"


def test_the_longest_address_comes_back_in_a_link(nginx, api):
    query = "x" * 16000
    status, headers, _ = nginx.hub("/linked?" + query)
    assert status == 200 and query in headers["Link"]


def test_nginx_starts_before_there_is_a_table(nginx, app):
    """A hub that starts later than nginx: workers take the table when it is there."""
    os.rename(nginx.run / "routes", nginx.run / "routes.away")
    nginx.nginx.send_signal(signal.SIGTERM)
    nginx.nginx.wait()
    nginx.start_nginx()
    nginx.set("me-demo", "running", app.port)
    nginx.tell("page me-demo starting")
    assert nginx.app("me-demo")[0] == 503
    os.rename(nginx.run / "routes.away", nginx.run / "routes")
    wait_until(lambda: nginx.app("me-demo")[0] == 200, "the table is found")
