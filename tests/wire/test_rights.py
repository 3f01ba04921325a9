"""Every row of routes.def against every kind of caller, on a public and on a private repository.

What each caller may do is written down here a second time, by person and not by code, so that a slip
in the table or in auth/ shows.
"""
import itertools
import os
import subprocess

import pytest

from conftest import program
from wire import commit_lines, file_line

READ, WRITE, MANAGE, CREATE = "read", "write", "manage", "create"

# On repositories of the organisation acme that boss has made. None is nobody at all.
MAY = {
    None: set(),
    "other": set(),
    "reader": {READ},
    "contributor": {READ, CREATE},
    "writer": {READ, WRITE, MANAGE, CREATE},
    "boss": {READ, WRITE, MANAGE, CREATE},
    "me": {READ, WRITE, MANAGE, CREATE},
    "readonly": {READ},
    "scoped": set(),
    "finereader": {READ},
    "spacereader": {READ},
    "spacewriter": {READ, WRITE, MANAGE, CREATE},
}
NEEDS = {"REPO_READ": READ, "REPO_WRITE": WRITE, "REPO_ADMIN": MANAGE}
KINDS = {"MODEL": "model", "DATASET": "dataset", "SPACE": "space", "SLUG": "space"}
PLURALS = {"models": "model", "datasets": "dataset", "spaces": "space"}

# Good bodies of the calls about a Space, by the last word of their path: every field that is read, with a good value.
WISHES = {
    "secrets": {"key": "S", "value": "s", "description": "a secret"},
    "variables": {"key": "V", "value": "v", "description": "a variable"},
    "hardware": {"flavor": "cpu-basic", "sleepTimeSeconds": 3600},
    "sleeptime": {"seconds": 3600},
    "storage": {"tier": "small"},
    "volumes": {"volumes": [{"type": "dataset", "source": "acme/public", "mountPath": "/in", "revision": "main",
                             "path": "sub", "readOnly": True}]},
    "dev-mode": {"enabled": False},
    "replicas": {"replicas": 1},
}

# What a Space may have from its first day: of A2 and A8.
SETUP = {
    "hardware": "cpu-basic",
    "storageTier": "small",
    "sleepTimeSeconds": 3600,
    "secrets": [WISHES["secrets"]],
    "variables": [WISHES["variables"]],
    "volumes": WISHES["volumes"]["volumes"],
}


def rows():
    if not os.path.exists(program()):
        return []
    dump = subprocess.run([program(), "--dump-routes"], capture_output=True, text=True, check=True)
    return [line.split(" ", 3) for line in dump.stdout.splitlines()]


def make(hub, kind, private):
    name = "private" if private else "public"
    body = {"name": name, "organization": "acme", "type": kind, "private": private}
    body["files"] = [{"path": "a.txt", "content": "", "encoding": "base64"}]
    if kind == "space":
        body["sdk"] = "gradio"
    assert hub.call("POST", "/api/repos/create", "boss", body).status in (200, 409)
    return "acme/" + name


numbers = itertools.count()


def make_what_is_deleted(hub, path):
    if "/branch/" in path:
        assert hub.call("POST", path, "boss", {"overwrite": True}).status == 200
    if "/tag/" in path:
        assert hub.call("POST", path, "boss", {"tag": "main"}).status in (200, 409)


def create_body(kind, name):
    """Its template is `name`, where that is a Space."""
    body = {"name": f"new-{next(numbers)}", "organization": "acme", "type": kind, "private": False,
            "visibility": "public", "license": "mit",
            "files": [{"path": "a.txt", "content": "YQ==", "encoding": "base64"}]}
    if kind == "space":
        body.update(SETUP, sdk="gradio", sdkVersion="5.0.0", template=name)
    return body


def settings_body(name):
    """The visibility that it has: tests go on with it."""
    private = name.endswith("private")
    return {"private": private, "visibility": "private" if private else "public", "gated": "auto"}


def request_of(method, target, pattern, kind, name):
    """A request that the row takes, as path and body: all fields that the call reads, with good values."""
    path = pattern.replace("{id}", name).replace("{rev}", "main").replace("{path}", "a.txt")
    path = path.replace("{slug}", name.replace("/", "-"))
    path = path.replace("{name}", "acme" if "organizations" in path else "me")
    for plural, singular in PLURALS.items():
        if singular == kind:
            path = path.replace("{type}", plural)
    if path.endswith("/repos/create"):
        return path, create_body(kind, name)
    if path.endswith("/repos/move"):
        return path, {"fromRepo": name, "toRepo": f"{name}-moved-{next(numbers)}", "type": kind}
    if path.endswith("/duplicate"):
        body = {"repository": f"{name}-copy-{next(numbers)}", "private": False, "visibility": "public"}
        return path, {**body, **SETUP} if kind == "space" else body
    if target == "NAMED":
        return path, {"organization": "acme", "name": name.partition("/")[2], "type": kind}
    if "/commit/" in path:
        return path, commit_lines(file_line("b.txt", "b"))
    if "/preupload/" in path:
        return path, {"files": [{"path": "b.txt", "size": 1, "sample": "Yg=="}], "gitIgnore": "*.tmp",
                      "gitAttributes": "*.bin binary"}
    if "/branch/" in path:
        return path.replace("/main", "/side"), {"startingPoint": "main", "emptyBranch": False, "overwrite": True}
    if "/tag/" in path:
        return path, {"tag": f"v{next(numbers)}", "message": "x"}
    if "/super-squash/" in path:
        return path, {"message": "x"}
    if "/settings" in path:
        return path, settings_body(name)
    if "/semantic-search" in path:
        path += "?q=x"
    if "/validate-yaml" in path:
        return path, {"content": "x", "repoType": "model"}
    if path.rsplit("/", 1)[1] in WISHES:
        wish = WISHES[path.rsplit("/", 1)[1]]
        return path, {"key": wish["key"]} if method == "DELETE" and "key" in wish else wish
    if "/tree/" in path:
        path = path.replace("/a.txt", "")
    return path, ({"paths": ["a.txt"], "expand": True} if method == "POST" else None)


def expected(right, target, private, user):
    """"yes", or the status and code of the refusal."""
    if right == "ANYONE":
        return "yes"
    if right == "SIGNED_IN":
        return "yes" if user else (401, None)
    if right == "ADMIN":
        return "yes" if user == "me" else (403, None) if user else (401, None)
    if target == "NAMED" and not user:
        return (401, None)  # a body without a namespace means the caller's
    if private and READ not in MAY[user]:
        return (404, "RepoNotFound") if user else (401, "RepoNotFound")
    if NEEDS[right] == READ or NEEDS[right] in MAY[user]:
        return "yes"
    return (403, None) if user else (401, None)


def check(answer, want, what):
    if want == "yes":
        assert answer.status == 200, f"{what}: {answer.status} {answer.body[:300]}"
    else:
        assert (answer.status, answer.code()) == want, f"{what}: {answer.status} {answer.body[:300]}"


def kinds_of(target):
    """Of the repositories that the row takes; one stands for all where it takes none."""
    if target in KINDS:
        return [KINDS[target]]
    return ["model"] if target == "NONE" else list(PLURALS.values())


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[3]}")
def test_a_good_request_is_good(hub, row):
    """test_hostile_table.py spoils it piece by piece: what is refused there is refused for that piece."""
    method, right, target, pattern = row
    for kind, user in itertools.product(kinds_of(target), ["me"] if right == "ADMIN" else ["me", "writer"]):
        path, body = request_of(method, target, pattern, kind, make(hub, kind, False))
        if method == "DELETE":
            make_what_is_deleted(hub, path)
        check(hub.call(method, path, user, body), "yes", f"{user} {method} {path} {body}")


# Rows about a new name have tests of their own below.
NEW_NAMES = ("/repos/create", "/repos/move", "/duplicate")
ROWS = [row for row in rows() if not row[3].endswith(NEW_NAMES)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} {row[3]}")
def test_row(hub, row):
    method, right, target, pattern = row
    for kind, private, user in itertools.product(kinds_of(target), (False, True), MAY):
        name = make(hub, kind, private)
        path, body = request_of(method, target, pattern, kind, name)
        want = expected(right, target, private, user)
        if method == "DELETE":
            make_what_is_deleted(hub, path)
        refused = method != "GET" and want != "yes"
        before = hub.state() if refused else None
        answer = hub.call(method, path, user, body)
        check(answer, want, f"{user} {method} {path} {kind}")
        assert not refused or hub.state() == before, f"{user} {method} {path} changed something"


@pytest.mark.parametrize("user", MAY, ids=str)
def test_namespaces(hub, user):
    body = {"name": f"by-{user}", "organization": "acme"}
    answer = hub.call("POST", "/api/repos/create", user, body)
    if CREATE in MAY[user]:
        assert answer.status == 200
    else:
        assert (answer.status, answer.code()) == ((403 if user else 401), None)
        assert hub.call("GET", f"/api/models/acme/by-{user}", "me").status == 404


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("user", MAY, ids=str)
def test_who_reads_and_creates_may_duplicate(hub, user, private):
    for plural, kind in PLURALS.items():
        source = make(hub, kind, private)
        body = {"repository": f"acme/copy-{private}-{user}"}
        answer = hub.call("POST", f"/api/{plural}/{source}/duplicate", user, body)
        if private and READ not in MAY[user]:
            want = (404, "RepoNotFound") if user else (401, "RepoNotFound")
        else:
            want = "yes" if CREATE in MAY[user] else (403, None) if user else (401, None)
        check(answer, want, f"{user} duplicates {source}")


@pytest.mark.parametrize("user", MAY, ids=str)
def test_who_manages_and_creates_may_move(hub, user):
    for kind in PLURALS.values():
        for private in (False, True):
            source = make(hub, kind, private)
            target = f"acme/moved-{kind}-{private}-{user}"
            body = {"fromRepo": source, "toRepo": target, "type": kind}
            answer = hub.call("POST", "/api/repos/move", user, body)
            want = expected("REPO_ADMIN", "NAMED", private, user)
            if want == "yes" and CREATE not in MAY[user]:
                want = (403, None)
            check(answer, want, f"{user} moves {source}")
            if want == "yes":
                back = {"fromRepo": target, "toRepo": source, "type": kind}
                assert hub.call("POST", "/api/repos/move", "boss", back).status == 200


def test_a_contributor_writes_and_deletes_what_is_their_own(hub):
    body = {"name": "own", "organization": "acme"}
    assert hub.call("POST", "/api/repos/create", "contributor", body).status == 200
    lines = commit_lines(file_line("x", "x"))
    assert hub.call("POST", "/api/models/acme/own/commit/main", "contributor", lines).status == 200
    assert hub.call("POST", "/api/models/acme/own/commit/main", "reader", lines).status == 403
    assert hub.call("DELETE", "/api/repos/delete", "contributor", body).status == 200


def test_a_scoped_token_writes_its_scope_and_manages_nothing(hub):
    body = {"name": "scoped", "organization": "acme"}
    assert hub.call("POST", "/api/repos/create", "boss", body).status == 200
    lines = commit_lines(file_line("x", "x"))
    assert hub.call("POST", "/api/models/acme/scoped/commit/main", "scoped", lines).status == 200
    assert hub.call("DELETE", "/api/repos/delete", "scoped", body).status == 403
    assert hub.call("POST", "/api/repos/create", "scoped", {"name": "new"}).status == 403


@pytest.mark.parametrize("token", ["revoked", "nosuch"])
@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]} {row[3]}")
def test_a_dead_token_is_told_everywhere(hub, row, token):
    method, _, target, pattern = row
    name = make(hub, KINDS.get(target, "model"), False)
    path, body = request_of(method, target, pattern, KINDS.get(target, "model"), name)
    answer = hub.call(method, path, None, body, {"Authorization": "Bearer hf_" + token})
    assert answer.status == 401
    assert answer.headers["X-Error-Message"] == "Invalid credentials in Authorization header"
