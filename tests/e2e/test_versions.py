"""New versions, broken ones, and the visitors who notice nothing of it."""

import http.client
import json
import os
import subprocess
import threading
import time
import urllib.parse

import apps
from front import wait_until
from hub import ROOT, fetch

VISITORS = 4
# New versions in a row while gradio_client calls.
ROUNDS = ["Bonjour", "Hola", "Ciao"] if not os.environ.get("ESPACE_TEST_FULL") else [f"Hello{i}" for i in range(25)]


class Visitor(threading.Thread):
    """Calls all the time on one connection, as a browser does; counts answers and failures."""

    def __init__(self, url, method):
        super().__init__(daemon=True)
        self.parts = urllib.parse.urlsplit(url)
        self.method = method
        self.answers, self.failures = {}, []
        self.leaving = threading.Event()

    def run(self):
        connection = http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=60)
        while not self.leaving.is_set():
            try:
                connection.request(self.method, "/", b"x" * 100 if self.method == "POST" else None)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200:
                    self.failures.append((answer.status, body[:200]))
                self.answers[body] = self.answers.get(body, 0) + 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()

    def leave(self):
        self.leaving.set()
        self.join(70)


def visitors(url):
    all_of_them = [Visitor(url, "POST" if i % 2 else "GET") for i in range(VISITORS)]
    for visitor in all_of_them:
        visitor.start()
    return all_of_them


def test_new_version_without_one_failed_request(hub):
    hub.create("update")
    hub.commit("update", apps.plain("one"))
    hub.wait_stage("update", "RUNNING")
    crowd = visitors(hub.host("update"))
    try:
        commit = hub.commit("update", apps.plain("two"))
        seen = hub.wait_stage("update", "RUNNING", sha=commit)
        assert set(seen) <= {"RUNNING_BUILDING", "RUNNING_APP_STARTING", "RUNNING"}, seen
        time.sleep(2)
    finally:
        for visitor in crowd:
            visitor.leave()
    assert [visitor.failures for visitor in crowd] == [[]] * VISITORS
    for visitor in crowd:
        assert set(visitor.answers) == {b"one", b"two"}, visitor.answers
    assert hub.visit("update").body == b"two"


TALKS_ON = """
import http.server, os, time
class Talk(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while self.path == "/on":
            self.wfile.write(b"4\\r\\nold\\n\\r\\n")
            time.sleep(0.1)
        self.wfile.write(b"0\\r\\n\\r\\n")
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Talk).serve_forever()
"""


def test_a_long_answer_goes_on_through_two_newer_versions(hub):
    hub.create("talks")
    hub.commit("talks", {"app.py": TALKS_ON})
    hub.wait_stage("talks", "RUNNING")
    parts = urllib.parse.urlsplit(hub.host("talks"))
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    connection.request("GET", "/on")
    answer = connection.getresponse()
    for text in ("two", "three"):
        commit = hub.commit("talks", apps.plain(text))
        hub.wait_stage("talks", "RUNNING", sha=commit)
        wait_until(lambda: hub.visit("talks").body == text.encode(), f"{text} is served")
    end = time.monotonic() + 3  # the second version has nobody left, and ends
    while time.monotonic() < end:
        assert answer.readline() == b"old\n"
    connection.close()


PREDICT_ALWAYS = """
import json, sys, threading
from gradio_client import Client
client = Client(sys.argv[1], verbose=False)
leaving = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), leaving.set()), daemon=True).start()
answers, failures = {}, []
while not leaving.is_set():
    try:
        answer = client.predict("Ada", api_name="/predict")
        answers[answer] = answers.get(answer, 0) + 1
    except Exception as error:
        failures.append(repr(error))
    if sum(answers.values()) == 1:
        print("up", flush=True)
print(json.dumps([answers, failures]))
"""


def test_gradio_clients_notice_only_the_new_answer(hub, new_client):
    app = (ROOT / "examples" / "hello-gradio" / "app.py").read_text()
    hub.create("gradio-update")
    hub.commit("gradio-update", {"app.py": app})
    hub.wait_stage("gradio-update", "RUNNING")
    crowd = [subprocess.Popen([new_client.python, "-c", PREDICT_ALWAYS, "me/gradio-update"], env=new_client.environment,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(VISITORS)]
    try:
        assert [each.stdout.readline() for each in crowd] == ["up\n"] * VISITORS
        for text in ROUNDS:
            assert "Hello" in app
            commit = hub.commit("gradio-update", {"app.py": app.replace("Hello", text)})
            hub.wait_stage("gradio-update", "RUNNING", sha=commit)
        time.sleep(2)
    finally:
        results = [json.loads(each.communicate("")[0].strip().splitlines()[-1]) for each in crowd]
    for answers, failures in results:
        assert failures == []
        assert {answer.split()[0] for answer in answers} == {"Hello", *ROUNDS}


def test_broken_app_says_why_and_its_repair_runs(hub):
    hub.create("broken")
    hub.commit("broken", {"app.py": "import nothing_of_this_name\n"})
    hub.wait_stage("broken", "RUNTIME_ERROR")
    runtime = hub.runtime("broken")
    assert "exit" in runtime["errorMessage"] and "nothing_of_this_name" in runtime["errorMessage"]
    log = hub.logs("broken", "run")
    assert "Traceback (most recent call last)" in log and "No module named 'nothing_of_this_name'" in log
    page = hub.visit("broken", headers={"Accept": "text/html"})
    assert page.status == 503 and b"<html" in page.body

    hub.commit("broken", apps.plain("mended"))
    hub.wait_stage("broken", "RUNNING")
    assert hub.visit("broken").body == b"mended"
    assert "errorMessage" not in hub.runtime("broken")


def test_broken_push_leaves_the_old_version_serving(hub):
    hub.create("keeps")
    good = hub.commit("keeps", apps.plain("good"))
    hub.wait_stage("keeps", "RUNNING", sha=good)
    hub.commit("keeps", {"app.py": "raise SystemExit(3)\n"})
    hub.wait_stage("keeps", "RUNTIME_ERROR")
    assert hub.visit("keeps").body == b"good"
    assert "exit status 3" in hub.runtime("keeps")["errorMessage"]


def test_requirement_that_does_not_exist_is_a_build_error(hub):
    hub.create("unbuildable")
    hub.commit("unbuildable", {**apps.plain("never"), "requirements.txt": "espace-no-such-package==9.9\n"})
    hub.wait_stage("unbuildable", "BUILD_ERROR")
    assert "espace-no-such-package" in hub.runtime("unbuildable")["errorMessage"]
    assert "espace-no-such-package" in hub.logs("unbuildable", "build")
    hub.commit("unbuildable", {}, delete=["requirements.txt"])
    hub.wait_stage("unbuildable", "RUNNING")


def test_memory_limit_is_named(hub):
    hub.create("hungry")
    hub.commit("hungry", {"app.py": "data = []\nwhile True:\n    data.append(bytearray(64 << 20))\n"})
    hub.wait_stage("hungry", "RUNTIME_ERROR")
    assert "memory" in hub.runtime("hungry")["errorMessage"]


def test_crash_after_ready_starts_again(hub):
    code = apps.plain("phoenix")["app.py"].replace(
        "    def do_POST(self):", "    def do_POST(self):\n        import os; os._exit(7)", 1)
    hub.create("phoenix")
    hub.commit("phoenix", {"app.py": code})
    hub.wait_stage("phoenix", "RUNNING")
    hub.visit("phoenix", method="POST", body=b"die")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if hub.visit("phoenix").body == b"phoenix" and hub.runtime("phoenix")["stage"] == "RUNNING":
            break
        time.sleep(0.2)
    assert hub.visit("phoenix").body == b"phoenix"


def test_no_app_file_and_bad_front_matter(hub):
    hub.create("empty")
    hub.wait_stage("empty", "NO_APP_FILE")
    hub.commit("empty", {"README.md": "---\nsdk: [gradio\n---\n", **apps.plain("x")})
    hub.wait_stage("empty", "CONFIG_ERROR")
    assert hub.runtime("empty")["errorMessage"]
    hub.commit("empty", {"README.md": "---\nsdk: gradio\napp_file: main.py\n---\n", "main.py": apps.plain("main")["app.py"]})
    hub.wait_stage("empty", "RUNNING")
    assert hub.visit("empty").body == b"main"


def test_restart_starts_a_new_process(hub):
    code = apps.plain("pid")["app.py"].replace("'pid'.encode()", "str(__import__('time').time_ns()).encode() if not globals().get('T') else T")
    code = code.replace("print(", "T = str(__import__('time').time_ns()).encode()\nprint(")
    hub.create("restarts")
    hub.commit("restarts", {"app.py": code})
    hub.wait_stage("restarts", "RUNNING")
    before = hub.visit("restarts").body
    answer = hub.call("POST", "/api/spaces/me/restarts/restart")
    assert answer.status == 200 and answer.json["stage"] in ("BUILDING", "APP_STARTING")
    hub.wait_stage("restarts", "RUNNING")
    assert hub.visit("restarts").body != before


def test_a_change_of_visibility_reaches_visitors(hub):
    hub.create("shown")
    hub.commit("shown", apps.plain("shown"))
    hub.wait_stage("shown", "RUNNING")
    settings = "/api/spaces/me/shown/settings"
    for visibility, status in (("private", 401), ("protected", 200), ("private", 401), ("public", 200)):
        assert hub.call("PUT", settings, {"visibility": visibility}).json["visibility"] == visibility
        wait_until(lambda: hub.visit("shown").status == status, f"{visibility} gives {status}")
        code = hub.call("GET", "/api/spaces/me/shown", token=None).status
        assert code == (200 if visibility == "public" else 401)
