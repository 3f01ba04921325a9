"""Reads .wire files and plays them against a hub. The format is described in README.md."""
import base64
import http.client
import json
import os
import re
import socket
import sqlite3

METHODS = "GET HEAD POST PUT PATCH DELETE OPTIONS TRACE".split()
KINDS = {
    "<text>": lambda v: isinstance(v, str),
    "<number>": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "<commit>": lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{40}", v),
    "<id>": lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{24}", v),
    "<time>": lambda v: isinstance(v, str)
    and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", v),
    "<anything>": lambda v: True,
}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def code(self):
        return self.headers.get("X-Error-Code")


def files_below(folder):
    """Path and size of each."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from files_below(entry.path)
            else:
                yield entry.path, entry.stat(follow_symlinks=False).st_size


class Hub:
    """One hub, by its unix socket and its data directory."""

    host = "hub.test:8080"
    origin = "http://" + host

    def __init__(self, path, data):
        self.path, self.data = path, data

    def connection(self):
        return UnixConnection(self.path)

    @staticmethod
    def token(user):
        return "hf_" + user

    def call(self, method, path, user=None, body=None, headers=None):
        headers = {"Host": self.host, **(headers or {})}
        if user:
            headers.setdefault("Authorization", "Bearer " + self.token(user))
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        if isinstance(body, str):
            body = body.encode()
        connection = self.connection()
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None or method in ("POST", "PUT"):
                if "Content-Length" not in headers:
                    connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def state(self):
        """All that a request could change: rows and files of repositories."""
        store = sqlite3.connect(f"file:{self.data}/espace.db?mode=ro", uri=True)
        try:
            rows = list(store.iterdump())
        finally:
            store.close()
        return rows, sorted(files_below(os.path.join(self.data, "repos")))


def commit_lines(*operations, summary="wire", **header):
    lines = [{"key": "header", "value": {"summary": summary, "description": "", **header}}]
    return "".join(json.dumps(line) + "\n" for line in lines + list(operations))


def file_line(path, content=b""):
    content = content.encode() if isinstance(content, str) else content
    encoded = base64.b64encode(content).decode()
    return {"key": "file", "value": {"content": encoded, "path": path, "encoding": "base64"}}


class Step:
    def __init__(self, line):
        self.line = line
        self.method = self.path = self.user = self.status = self.text = None
        self.headers, self.body, self.want_headers, self.want = [], [], [], []


def parse(text):
    """Steps of a file. Blank lines part them."""
    steps, step = [], None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            step = None
        elif line.startswith("#") and step is None:
            continue
        elif step is None:
            step = Step(number)
            found = re.fullmatch(r"(\S+) (\S+)(?:\s+as: (\S+))?", line)
            assert found and found[1] in METHODS, f"line {number}: not a request: {line}"
            step.method, step.path, step.user = found.groups()
            steps.append(step)
        elif step.status is None:
            read_request_line(step, line, number)
        else:
            read_answer_line(step, line)
    for step in steps:
        assert step.status, f"line {step.line}: no status"
    return steps


def read_request_line(step, line, number):
    if re.fullmatch(r"\d{3}", line):
        step.status = int(line)
    elif line.startswith("> "):
        step.body.append(line[2:])
    else:
        assert re.match(r"[A-Za-z-]+: ", line), f"line {number}: not a header: {line}"
        step.headers.append(line.split(": ", 1))


def read_answer_line(step, line):
    if line.startswith("| "):
        step.text = (step.text + "\n" if step.text is not None else "") + line[2:]
    elif re.match(r"[A-Za-z-]+: ", line) and not step.want:
        step.want_headers.append(line.split(": ", 1))
    else:
        step.want.append(line)


class Player:
    """Runs the steps of one file and keeps its variables."""

    def __init__(self, hub):
        self.hub = hub
        port = re.search(r"(:\d+)?$", hub.host)[0]
        self.variables = {"origin": hub.origin, "host": hub.host, "port": port}

    def fill(self, text):
        def value(found):
            name, _, argument = found[1].partition(":")
            if name == "base64":
                return base64.b64encode(argument.encode()).decode()
            if name == "repeat":
                count, _, piece = argument.partition(":")
                return piece * int(count)
            return self.variables[name]

        return re.sub(r"\{([a-z0-9_]+(?::[^}\"]*)?)\}", value, text)

    def play(self, step):
        headers = {name: self.fill(value) for name, value in step.headers}
        body = "\n".join(self.fill(line) for line in step.body) if step.body else None
        if body and "Content-Type" not in headers:
            headers["Content-Type"] = "application/json"
        changes = step.method not in ("GET", "HEAD") and step.status < 400
        before = None if changes else self.hub.state()
        answer = self.hub.call(step.method, self.fill(step.path), step.user, body, headers)
        where = f"line {step.line}: {step.method} {step.path}"
        assert answer.status == step.status, f"{where}: {answer.status} {answer.body[:600]}"
        assert changes or self.hub.state() == before, f"{where}: changed something"
        for name, value in step.want_headers:
            self.match_header(where, name, value, answer.headers.get(name))
        if step.text is not None:
            self.match_text(where, self.fill(step.text), answer.body.decode())
        if step.want:
            want = json.loads(self.fill_json("\n".join(step.want)))
            self.match(where, want, answer.json())

    def fill_json(self, text):
        """In an expectation only what is bound is filled in: braces are JSON's own."""
        pattern = r"\{(" + "|".join(self.variables) + r")\}"
        return re.sub(pattern, lambda found: self.variables[found[1]], text)

    def match_header(self, where, name, want, got):
        where = f"{where}: {name}"
        if want == "<absent>":
            assert got is None, f"{where} is {got}"
            return
        assert got is not None, f"{where} is missing"
        self.match_text(where, self.fill(want), got)

    def match_text(self, where, want, got):
        if want.startswith("@"):
            assert self.variables.setdefault(want[1:], got) == got, f"{where}: {got}"
        elif want in KINDS:
            assert KINDS[want](got), f"{where}: {got!r} is no {want}"
        elif isinstance(got, str) and "..." in want:
            pattern = ".*".join(re.escape(part) for part in want.split("..."))
            assert re.fullmatch(pattern, got, re.S), f"{where}: {got!r} is not {want!r}"
        else:
            assert got == want, f"{where}: {got!r} is not {want!r}"

    def match(self, where, want, got):
        if isinstance(want, str):
            self.match_text(where, want, got)
        elif isinstance(want, dict):
            assert isinstance(got, dict), f"{where}: {got!r} is no object"
            for key, value in want.items():
                if value == "<absent>":
                    assert key not in got, f"{where}.{key} is {got[key]!r}"
                    continue
                assert key in got, f"{where}.{key} is missing in {got}"
                self.match(f"{where}.{key}", value, got[key])
        elif isinstance(want, list):
            assert isinstance(got, list), f"{where}: {got!r} is no array"
            if want and want[-1] == "...":
                want, got = want[:-1], got[: len(want) - 1]
            assert len(want) == len(got), f"{where}: {got!r} is not {want!r}"
            for i, (a, b) in enumerate(zip(want, got)):
                self.match(f"{where}[{i}]", a, b)
        else:
            assert type(want) is type(got) and want == got, f"{where}: {got!r} is not {want!r}"
