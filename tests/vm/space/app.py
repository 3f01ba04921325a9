"""The Space of these tests: it answers, and uses memory, processors and processes when told to."""

import http.server
import os
import threading
import time

TEXT = "first"
MIB = 1 << 20
SPIN_S = 2

held = []


def eat():
    """Memory until somebody says stop."""
    while True:
        held.append(b"x" * MIB)


def hold(mib):
    """Memory that can't be had again from anywhere."""
    held.append(os.urandom(mib * MIB))
    return checksum()


def checksum():
    return str(sum(sum(block[::4096]) for block in held))


def threads():
    """How many more threads there can be."""
    ending = threading.Event()
    started = []
    try:
        while True:
            thread = threading.Thread(target=ending.wait, daemon=True)
            thread.start()
            started.append(thread)
    except RuntimeError:
        pass
    ending.set()
    for thread in started:
        thread.join()
    return str(len(started))


def spin():
    """Two processes that want a processor each."""
    child = os.fork()
    end = time.process_time() + SPIN_S
    while time.process_time() < end:
        pass
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return "spun"


def keep():
    with open("/data/word", "w") as file:
        file.write("kept")
    return kept()


def kept():
    with open("/data/word") as file:
        return file.read()


ACTIONS = {"/hold": lambda: hold(64), "/checksum": checksum, "/threads": threads, "/spin": spin, "/keep": keep,
           "/kept": kept}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ACTIONS.get(self.path, lambda: TEXT)().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


if os.environ.get("EAT"):
    eat()
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
