"""A real nginx with our module and a generated configuration; the hub's part is moved by hand.

build/tests/unit/front/front_demo holds the route table and answers questions, apps and the API are
small servers of this process. Needs root, as nginx gives its workers another user.
"""

import grp
import http.client
import http.server
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("ESPACE_BUILD", ROOT / "build"))
DEMO = BUILD / "tests/unit/front/front_demo"
MODULE = BUILD / "espace_front.so"
NGINX = "/usr/sbin/nginx"

PATIENCE_S = 10


def wait_until(true, what):
    until = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until, f"waited too long until {what}"
        time.sleep(0.01)


def worker_account():
    """User and group of nginx's workers: ours where they exist."""
    for user, group in (("espace-www", "espace-www"), ("nobody", "nogroup")):
        try:
            return pwd.getpwnam(user).pw_name, grp.getgrnam(group)
        except KeyError:
            continue
    raise RuntimeError("no user for nginx's workers")


class Front:
    """nginx, its workers and the demo."""

    def __init__(self, workers=2):
        user, group = worker_account()
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="es-"))
        self.run = self.data / "run"
        self.run.mkdir()
        (self.data / "lfs").mkdir()
        for folder in (self.data, self.run):
            folder.chmod(0o711)
            os.chown(folder, -1, group.gr_gid)
        self.group = group.gr_gid
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.listening.listen(4096)
        # nginx takes it as it is: a worker would wait in accept() for what another has just taken.
        self.listening.setblocking(False)
        self.port = self.listening.getsockname()[1]
        self.demo = subprocess.Popen(
            [DEMO, self.data, f"127.0.0.1:{self.port}", "localhost", MODULE, user, group.gr_name,
             str(workers)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.demo.stdout.readline() == "ready\n"
        self.nginx = None
        self.start_nginx()

    def start_nginx(self):
        fd = self.listening.fileno()
        self.nginx = subprocess.Popen(
            [NGINX, "-e", "stderr", "-c", self.run / "nginx.conf", "-p", f"{self.run}/nginx/"],
            pass_fds=[fd], env={"NGINX": f"{fd};"}, start_new_session=True)
        wait_until(self.workers, "nginx has workers")

    def workers(self):
        children = pathlib.Path(f"/proc/{self.nginx.pid}/task/{self.nginx.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def tell(self, line):
        self.demo.stdin.write(line + "\n")
        self.demo.stdin.flush()
        return self.demo.stdout.readline().rstrip("\n")

    def set(self, slug, state, port, access="public"):
        assert self.tell(f"set {slug} {state} {access} 127.0.0.1 {port}") == "ok"

    def usage(self, slug):
        names = ("requests", "open", "bytes", "activity_ms", "opening", "opened_ms", "sockets")
        return dict(zip(names, map(int, self.tell(f"usage {slug}").split())))

    def open_at(self, slug, port):
        return int(self.tell(f"open {slug} 127.0.0.1 {port}"))

    def wait_idle(self, slug):
        wait_until(lambda: self.usage(slug)["open"] == 0, f"nobody visits {slug}")

    def connect(self, timeout=PATIENCE_S):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def call(self, host, path="/", method="GET", body=None, headers=None, timeout=PATIENCE_S):
        """One request on a connection of its own: (status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def app(self, slug, path="/", **more):
        return self.call(f"{slug}.localhost:{self.port}", path, **more)

    def hub(self, path="/", **more):
        return self.call(f"localhost:{self.port}", path, **more)

    def close(self):
        self.demo.stdin.close()
        self.demo.wait(PATIENCE_S)
        self.demo.stdout.close()
        self.nginx.send_signal(signal.SIGTERM)
        self.nginx.wait(PATIENCE_S)
        self.listening.close()
        shutil.rmtree(self.data)


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 with what the tests share."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "unix"

    def answer(self, body, status=200, headers=None):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def read_body(self):
        length, taken = int(self.headers.get("Content-Length", 0)), 0
        while taken < length:
            piece = self.rfile.read(min(1 << 16, length - taken))
            if not piece:
                break
            taken += len(piece)
        return taken

    def echo(self):
        """Say what arrived."""
        taken = self.read_body()
        self.answer({"name": self.server.name, "method": self.command, "path": self.path,
                     "headers": {k.lower(): v for k, v in self.headers.items()},
                     "connection": id(self.connection), "body": taken})

    do_GET = do_POST = do_PUT = do_HEAD = echo


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """A server in threads that can be stopped like a process: its connections end too."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, handler, name="app", path=None, group=None):
        self.name, self.open = name, set()
        self.go_on = threading.Event()  # what a handler waits for, if a test says so
        if path:
            self.address_family = socket.AF_UNIX
        super().__init__(str(path) if path else ("127.0.0.1", 0), handler)
        if path:
            os.chown(path, -1, group)
            os.chmod(path, 0o660)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)  # HTTPServer's would look for a host name
        self.server_name, self.server_port = "app", 0

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def get_request(self):
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address or ("unix", 0)

    def shutdown_request(self, request):
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        pass  # a connection that a test cut

    def stop(self):
        self.shutdown()
        self.server_close()
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has just ended by itself
