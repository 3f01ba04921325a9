"""A real hub for a test: espaced with nginx, runner and a data directory of its own."""

import contextlib
import fcntl
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ESPACE_BUILD", ROOT / "build")).resolve()
ESPACED = BUILD / "espaced"
BASE = BUILD / "test-base"

# A call that the hub's filter refused; reports of sanitizers.
COMPLAINTS = [" calls.refused ", "keeper.forbidden", "Sanitizer", "runtime error:"]
# LeakSanitizer looks at the hub as a debugger does.
OPTIONS = ["--hub-confine", "no"] if BUILD.name == "build-asan" else []

READY_S = 30
STOP_S = 40


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def turn(name):
    """Tests run side by side: alone with a thing that the build directory keeps. Look again whether it is there."""
    with open(BUILD / f".turn-{name}", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Answer:
    """Status, headers and body of a request that may also have failed."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def fetch(url, method="GET", body=None, headers=None, timeout=60):
    """One request, without following redirects or raising for a status."""
    request = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.headers, error.read())


class Hub:
    """Start it by start(); the data directory goes by remove()."""

    def __init__(self, data=None, port=None, options=()):
        self.data = pathlib.Path(data or tempfile.mkdtemp(prefix="espace-test-"))
        self.data.chmod(0o711)
        self.port = port or free_port()
        self.options = [*OPTIONS, *options]
        self.url = f"http://localhost:{self.port}"
        self.process = None
        self.log = None
        self.log_path = self.data / "test.log"
        self.environment = {}  # of espaced, beyond our own
        self.token = None

    def words(self, *words, check=True):
        """Run an administration word; its standard output."""
        done = subprocess.run([ESPACED, "--data", self.data, *words], capture_output=True, text=True)
        if check and done.returncode:
            raise AssertionError(f"espaced {words}: {done.returncode}: {done.stderr}")
        return done.stdout.strip() if check else done

    def init(self):
        self.words("init")
        self.prepare()
        self.words("user", "add", "me", "--admin")
        self.token = self.words("token", "add", "me", "--role", "write", "--name", "test")
        return self

    def prepare(self):
        """The base system: made once by `espaced prepare`, lent to the hubs of later tests."""
        with turn("base"):
            if not BASE.exists():
                self.words("prepare")
                fresh = BASE.with_suffix(".new")
                subprocess.run(["rm", "-rf", fresh], check=True)
                fresh.mkdir()
                subprocess.run(["cp", "-a", *(self.data / "layers").glob("base*"), fresh], check=True)
                fresh.rename(BASE)
                return
        # Nobody writes to a layer: names for the same files do, where they are on one file system.
        for words in (["cp", "-al"], ["cp", "-a"]):
            if subprocess.run([*words, *BASE.iterdir(), self.data / "layers"], stderr=subprocess.DEVNULL).returncode == 0:
                return
        raise AssertionError(f"{BASE} can't be copied")

    def offer(self, flavors):
        """Hardware beside that of the first hardware.yaml, which a word that changes nothing makes."""
        self.words("grant", "me", "--hardware", "t4-small", "--revoke")
        with open(self.data / "hardware.yaml", "a") as file:
            file.write(flavors)

    def command(self):
        return [ESPACED, "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.options]

    def start(self):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            self.command(), env={**os.environ, **self.environment},
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True)
        line = []
        reader = threading.Thread(target=lambda: line.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(READY_S)
        assert line and "ready on" in line[0], f"not ready: {line}\n{self.tail()}"
        return self

    def tail(self, lines=40):
        log = self.log_path
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def complaints(self):
        """What no process of ours may have said, whatever a test did to it."""
        log = self.data / "test.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return [line for line in lines if any(word in line for word in COMPLAINTS)]

    def end(self, number=signal.SIGTERM):
        """Signal the keeper and wait for its end; the exit status."""
        self.process.send_signal(number)
        status = self.process.wait(STOP_S)
        self.process.stdout.close()
        self.log.close()
        self.process = None
        return status

    def stop(self):
        """`espaced stop`: everything ends."""
        done = self.words("stop", check=False)
        if self.process:
            self.process.wait(STOP_S)
            self.process.stdout.close()
            self.log.close()
            self.process = None
        return done

    def remove(self):
        try:
            done = self.stop()
            assert done.returncode == 0, done.stderr
            assert not self.complaints(), self.complaints()
        finally:
            shutil.rmtree(self.data, ignore_errors=True)

    # The API, by hand

    def call(self, method, path, body=None, token="mine", headers=None, timeout=60):
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {self.token if token == 'mine' else token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        if method in ("POST", "PUT") and body is None:
            body = b""
        return fetch(self.url + path, method, body, sent, timeout)

    def create(self, name, sdk="gradio", **fields):
        answer = self.call("POST", "/api/repos/create",
                           {"name": name, "organization": None, "type": "space", "sdk": sdk, **fields})
        assert answer.status == 200, answer.body
        return answer.json

    def commit(self, name, files, kind="spaces", summary="upload", delete=(), encoding="utf-8"):
        lines = [{"key": "header", "value": {"summary": summary}}]
        lines += [{"key": "deletedFile", "value": {"path": path}} for path in delete]
        lines += [{"key": "file", "value": {"path": path, "content": text, "encoding": encoding}}
                  for path, text in files.items()]
        answer = self.call("POST", f"/api/{kind}/me/{name}/commit/main",
                           "\n".join(map(json.dumps, lines)).encode(),
                           headers={"Content-Type": "application/x-ndjson"})
        assert answer.status == 200, answer.body
        return answer.json["commitOid"]

    def runtime(self, name):
        answer = self.call("GET", f"/api/spaces/me/{name}/runtime")
        assert answer.status == 200, answer.body
        return answer.json

    def wait_stage(self, name, *wanted, timeout=300, sha=None):
        """Poll until the stage is one of `wanted` (and serves commit `sha`); stages seen, in order."""
        seen = []
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            runtime = self.runtime(name)
            if not seen or seen[-1] != runtime["stage"]:
                seen.append(runtime["stage"])
            if runtime["stage"] in wanted and (sha is None or runtime.get("sha") == sha):
                return seen
            time.sleep(0.05)
        raise AssertionError(f"{name}: {seen}, not {wanted}: {runtime}\n{self.logs(name, 'build')[-2000:]}\n"
                             f"{self.logs(name, 'run')[-2000:]}\n{self.tail()}")

    def logs(self, name, kind, timeout=3):
        """What the log stream sends until it ends or is silent for `timeout` seconds."""
        text = ""
        request = urllib.request.Request(f"{self.url}/api/spaces/me/{name}/logs/{kind}",
                                         headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as stream:
                for line in stream:
                    if line.startswith(b"data: {"):
                        text += json.loads(line[len(b"data: "):])["data"]
        except (TimeoutError, socket.timeout):
            pass
        return text

    def host(self, name):
        return self.call("GET", f"/api/spaces/me/{name}").json["host"]

    def visit(self, name, path="/", **options):
        return fetch(self.host(name) + path, **options)
