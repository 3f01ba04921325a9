"""Hostile input for every row of routes.def: what is wrong is told, changes nothing, and harms nobody.

The rows come from the hub itself and a good request for each from test_rights, so a new call is
tried without a word here. What is spoilt, piece by piece: the parameters in the path, the query, the
headers, the body as a whole, and each field of it.
"""
import copy
import json
import os
import re
import subprocess

import pytest

from conftest import program
from test_rights import KINDS, PLURALS, make, request_of, rows
from wire import file_line

# Rows that take any text behind them: nothing is looked up there.
ANYTHING = {"/api/telemetry/{path}"}

PARAMETERS = {
    "nul": "a%00b",
    "cut escape": "a%2",
    "no escape": "a%zzb",
    "no utf-8": "a%ffb",
    "overlong": "a%c0%afb",
    "surrogate": "a%ed%a0%80b",
    "dots": "%2e%2e",
    "climbing": "..%2f..%2f..%2fetc%2fpasswd",
    "line break": "a%0d%0aX-Evil:%20yes",
    "controls": "%01%1b%7f",
    "long": "x" * 300,
    "very long": "x" * 9000,
    "deep": "x%2f" * 2000 + "x",
    "quotes": "%22%27%3c%3e%5c",
}
# Odd, but a branch may be called so.
ODD_PARAMETERS = {"format": "%25s%25n%25d", "sql": "'%20OR%201=1--", "markup": "<b>&amp;</b>"}
BAD_QUERIES = {
    "nul": (400, "a=%00"),
    "no escape": (400, "%zz=1"),
    "no utf-8": (400, "a=%ff"),
    "overlong": (400, "a=%c0%80"),
    "fields": (413, "&".join(["a=1"] * 1001)),
    "long": (413, "a=" + "x" * 20000),
}
# What calls read from a query, and what none of them may fall over.
QUERY_NAMES = ["limit", "cursor", "recursive", "expand", "search", "author", "filter", "sort",
               "direction", "full", "p", "rev", "blobs", "securityStatus", "factory", "create_pr"]
QUERY_VALUES = ["", "-1", "0", "1e999", "NaN", "-9223372036854775808", "9223372036854775807",
                "99999999999999999999", "%01", "x" * 3000, "%F0%9F%98%80", "%25%25", "[]", "{}", "*"]
HEADERS = {
    "range": {"Range": "bytes=99999999999999999999-"},
    "ranges": {"Range": "bytes=" + "0-1," * 3000},
    "no range": {"Range": "lines=\x01"},
    "accept": {"Accept": ";q=," * 2000},
    "etags": {"If-None-Match": '"' * 4000, "If-Modified-Since": "never"},
    "trace": {"X-Amzn-Trace-Id": "x" * 5000},
    "type": {"Content-Type": "application/x-www-form-urlencoded; charset=\x02"},
    "proto": {"X-Forwarded-Proto": "javascript", "X-Forwarded-Host": "evil"},
    "origin": {"Origin": "http://" + "x" * 9000},
}
TOKENS = ["Bearer", "Bearer ", "Bearer hf_" + "x" * 9000, "Basic bWU6bWU=", "Bearer hf_me\x01", "\x7f",
          "Bearer hf_me, Bearer hf_other", "Bearer hf_%6de"]
HOSTS = ["a b", "evil/path", "x" * 300, "a@b", "a\x01", "<script>", "a,b"]
BODIES = {
    "blank": b" \n\t ",
    "cut": b'{"a": ',
    "array": b"[]",
    "text": b'"x"',
    "null": b"null",
    "number": b"1e999",
    "not a number": b"NaN",
    "least": b"-9223372036854775809",
    "deep array": b"[" * 10000 + b"]" * 10000,
    "deep object": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "unfinished depth": b"[" * 500000,
    "many values": b"[" + b"[]," * 400000 + b"[]]",
    "no utf-8": b'{"name": "\xff"}',
    "overlong": b'{"name": "\xc0\xae"}',
    "nul": b'{"name": "a\\u0000"}',
    "raw nul": b'{"name": "a\0"}',
    "half a pair": b'{"name": "\\ud800"}',
    "twice": b'{"name": "a", "name": "b"}',
    "mark": b"\xef\xbb\xbf{}",
    "two": b"{} {}",
    "comment": b"{} // yes",
    "form": b"a=%zz&b",
}
WRONG = {
    str: [7, True, [], {}, ["x"]],
    bool: ["perhaps", 7, [], {}],
    int: ["x", [], {}, 1.5, 1e300, True],
    list: ["x", 7, {}, True],
    dict: ["x", 7, [], True],
}
HOSTILE_TEXTS = ["", "x" * 300, "x" * (1 << 20), "a\0b", "\x01\x1b\x7f", "a\r\nX-Evil: yes", "../..",
                 "..", ".git/config", "/", "\ud7ff\uffff\U0010ffff", "%2e%2e", "' OR 1=1--", "-rf"]
HOSTILE_NUMBERS = [-1, 0, 2**31, -(2**63), 2**63 - 1]

ROWS = rows()


def name_of(row):
    return f"{row[0]} {row[3]}"


def limits():
    if not os.path.exists(program()):
        return {}
    dump = subprocess.run([program(), "--dump-limits"], capture_output=True, text=True, check=True)
    found = (line.rsplit(" ", 1) for line in dump.stdout.splitlines())
    return {name: int(most) for name, most in found}


LIMITS = limits()
# Rows without arguments take up to 64 KiB all the same and look at nothing of it.
UNREAD = 64 << 10
CHANGING = [row for row in ROWS if row[0] != "GET"]
WITH_BODY = [row for row in CHANGING if LIMITS[name_of(row)] > UNREAD]


class Row:
    """One row with a good request, which is made anew where a case may have used it up."""

    def __init__(self, hub, row):
        self.hub = hub
        self.method, _, self.target, self.pattern = row
        self.kind = KINDS.get(self.target, "space")
        self.renew()

    def renew(self):
        name = make(self.hub, self.kind, False)
        self.path, self.body = request_of(self.method, self.target, self.pattern, self.kind, name)

    def call(self, path=None, body=None, headers=None, user="me"):
        headers = dict(headers or {})
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        answer = self.hub.call(self.method, path or self.path, user, body, headers)
        self.check(answer, f"{self.method} {(path or self.path)[:90]} {str(body)[:100]} {str(headers)[:100]}")
        return answer

    def check(self, answer, what):
        """What holds for every answer, whatever was asked."""
        assert answer.status < 500, f"{what}: {answer.status} {answer.body[:300]}"
        assert "X-Evil" not in answer.headers, what
        assert answer.headers["X-Request-Id"] and answer.headers["Date"], what
        if answer.status < 400:
            return
        assert answer.headers["Content-Type"].startswith("application/json"), what
        line = answer.headers["X-Error-Message"]
        assert re.fullmatch("[ -~]+", line) and len(line) <= 400, what
        assert isinstance(answer.json()["error"], str), what
        assert self.hub.data not in answer.body.decode(), what

    def refuses(self, cases):
        """Each is a 4xx, and all together change nothing."""
        before = self.hub.state()
        for label, arguments in cases:
            answer = self.call(**arguments)
            assert 400 <= answer.status, f"{label}: {answer.status} {answer.body[:300]}"
        assert self.hub.state() == before
        self.lives()

    def clear_away(self, answer):
        """The repository that was made: all that is there is looked at again and again."""
        if not self.pattern.endswith(("/create", "/duplicate")):
            return
        made = answer.json()
        owner, _, name = made["name"].partition("/")
        kind = next((kind for plural, kind in PLURALS.items() if f"/{plural}/" in made["url"]), "model")
        body = {"organization": owner, "name": name, "type": kind}
        assert self.hub.call("DELETE", "/api/repos/delete", "me", body).status == 200

    def lives(self):
        assert self.hub.call("GET", "/api/agent-harnesses").status == 200

    def spoilt_paths(self, parameters):
        """The path with one parameter after the other replaced."""
        for parameter in re.findall(r"\{(?!type)\w+\}", self.pattern):
            for label, value in parameters.items():
                value = "acme/" + value if parameter == "{id}" else value
                pattern = self.pattern.replace(parameter, value)
                path, _ = request_of(self.method, self.target, pattern, self.kind, "acme/public")
                yield f"{parameter}: {label}", {"path": path, "body": self.body}


@pytest.fixture
def tried(hub, request):
    return Row(hub, request.param)


def every(some):
    return pytest.mark.parametrize("tried", some, ids=name_of, indirect=True)


@every(ROWS)
def test_paths(tried):
    for _, case in tried.spoilt_paths(ODD_PARAMETERS):
        tried.call(**case)
    if tried.pattern in ANYTHING:
        for _, case in tried.spoilt_paths(PARAMETERS):
            tried.call(**case)
    else:
        tried.refuses(tried.spoilt_paths(PARAMETERS))


@every(ROWS)
def test_queries_that_are_none(tried):
    for status, query in BAD_QUERIES.values():
        before = tried.hub.state()
        assert tried.call(tried.path + "?" + query, tried.body).status == status
        assert tried.hub.state() == before


@every([row for row in ROWS if row[0] == "GET"])
def test_odd_values_in_a_query(tried):
    before = tried.hub.state()
    for name in QUERY_NAMES:
        for value in QUERY_VALUES:
            tried.call(f"{tried.path}?{name}={value}&{name}={value}")
    tried.call(tried.path + "?" + "&".join(["expand=x"] * 1000))
    assert tried.hub.state() == before


@every([row for row in ROWS if row[0] == "GET"])
def test_odd_headers_and_bodies_on_get(tried):
    plain = tried.call()
    for headers in HEADERS.values():
        assert tried.call(headers=headers).status in (plain.status, 206, 304, 416)
    assert tried.call(body=b"{}").status == plain.status
    assert tried.call(body=b" " * (UNREAD + 1)).status == 413
    tried.lives()


@every(ROWS)
def test_tokens_and_hosts_that_are_none(tried):
    tokens = [(t, {"headers": {"Authorization": t}, "body": tried.body, "user": None}) for t in TOKENS]
    hosts = [(h, {"headers": {"Host": h}, "body": tried.body}) for h in HOSTS]
    tried.refuses(tokens + hosts)


@every(WITH_BODY)
def test_bodies_that_are_none(tried):
    if tried.body is None:
        pytest.fail("test_rights has no body for this row")
    tried.refuses((label, {"body": body}) for label, body in BODIES.items())
    tried.refuses((f"form {label}", {"body": body, "headers": {"Content-Type": "application/json; x"}})
                  for label, body in BODIES.items())


@every(CHANGING)
def test_a_body_above_its_limit(tried):
    most = LIMITS[f"{tried.method} {tried.pattern}"]
    before = tried.hub.state()
    connection = tried.hub.connection()
    connection.putrequest(tried.method, tried.path, skip_host=True)
    for header in {"Host": tried.hub.host, "Authorization": "Bearer hf_me", "Expect": "100-continue",
                   "Content-Length": str(most + 1)}.items():
        connection.putheader(*header)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]
    connection.close()
    if most <= 4 << 20:
        assert tried.call(body=b" " * (most + 1)).status == 413
    assert tried.hub.state() == before


@every(WITH_BODY)
def test_bodies_in_odd_chunks(tried):
    text = b'{"name": ["\xc3\xa4", '  # ends within a value
    before = tried.hub.state()
    for size in (1, 2, 3, 7):
        connection = tried.hub.connection()
        pieces = [text[i:i + size] for i in range(0, len(text), size)]
        headers = {"Host": tried.hub.host, "Authorization": "Bearer hf_me", "Transfer-Encoding": "chunked",
                   "Content-Type": "application/json"}
        connection.request(tried.method, tried.path, iter(pieces), headers, encode_chunked=True)
        assert 400 <= connection.getresponse().status < 500
        connection.close()
    assert tried.hub.state() == before


def fields(value, place=()):
    """Every place in a good body, and what stands there."""
    if place:
        yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from fields(item, place + (key,))


def with_field(body, place, value):
    spoilt = copy.deepcopy(body)
    at = spoilt
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return spoilt


def objects_of(body):
    """A commit is lines of JSON: each in its turn, with what the whole body is then."""
    if isinstance(body, dict):
        return [(body, lambda spoilt: json.dumps(spoilt))]
    lines = body.splitlines()
    return [(json.loads(line), lambda spoilt, i=i: "\n".join(lines[:i] + [json.dumps(spoilt)] + lines[i + 1:]))
            for i, line in enumerate(lines)]


@every(WITH_BODY)
def test_fields_of_a_wrong_type(tried):
    def cases():
        for good, whole in objects_of(tried.body):
            for place, value in fields(good):
                for wrong in WRONG[type(value)]:
                    yield f"{place} is {wrong}", {"body": whole(with_field(good, place, wrong))}

    tried.refuses(cases())


@every(WITH_BODY)
def test_fields_with_hostile_values(tried):
    """Some of them are good ones: then the call may do its work. Else nothing has changed."""
    before = None  # not known after a call that did its work
    for line, (good, _) in enumerate(objects_of(tried.body)):
        for place, value in fields(good):
            hostile = {str: HOSTILE_TEXTS, int: HOSTILE_NUMBERS}.get(type(value), [])
            for text in [*hostile, None]:
                tried.renew()
                fresh, whole = objects_of(tried.body)[line]
                before = before or tried.hub.state()
                answer = tried.call(body=whole(with_field(fresh, place, text)))
                assert answer.status != 409 or place == ("overwrite",), f"{place}: taken, so {text!r:.40} is not read"
                assert answer.status < 400 or tried.hub.state() == before, (place, text)
                if answer.status < 400:
                    tried.clear_away(answer)
                    before = None
        tried.renew()
        fresh, whole = objects_of(tried.body)[line]
        tried.call(body=whole({**fresh, **{f"field{i}": i for i in range(10000)}}))
        before = None
    tried.lives()


@every(WITH_BODY)
def test_lists_that_are_too_long(tried):
    def cases():
        for good, whole in objects_of(tried.body):
            for place, value in fields(good):
                if isinstance(value, list) and value:
                    for count in (10001, 100000):
                        yield f"{count} {place}", {"body": whole(with_field(good, place, value[:1] * count))}

    tried.refuses(cases())


def test_a_commit_of_100000_files(hub):
    commit = Row(hub, next(row for row in ROWS if "/commit/" in row[3]))
    line = json.dumps(file_line("x"))
    lines = [line.replace('"x"', f'"x{i}"') for i in range(100000)]
    commit.refuses([("100,000", {"body": "\n".join([commit.body.splitlines()[0], *lines])})])


def test_a_readme_of_10_mb(hub):
    commit = Row(hub, next(row for row in ROWS if "/commit/" in row[3]))
    text = "---\ntitle: " + "x" * (10 << 20) + "\n---\n"
    header = commit.body.splitlines()[0]
    for content in (text, "---\na: &a [x]\n" + "".join(f"b{i}: [*a, *a]\n" for i in range(20000)), "---\n" * 99999):
        commit.call(body="\n".join([header, json.dumps(file_line("README.md", content))]))
        info = hub.call("GET", commit.path.split("/commit/")[0], "me")
        assert info.status == 200
    yaml = Row(hub, next(row for row in ROWS if row[3] == "/api/validate-yaml"))
    yaml.refuses([("10 MB", {"body": {"content": text, "repoType": "model"}})])


def test_the_hub_stays_small(hub):
    """All of the above went through this one: no body of theirs is kept."""
    with open(f"/proc/{hub.child.pid}/status") as status:
        resident_kib = int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
    assert resident_kib < 1 << 20
