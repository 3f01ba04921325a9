"""Every row of routes.def that changes something writes one row of the audit for a change, and none for no change.

A new call that is neither a GET nor in READS must be found here: it changes something, once.
"""
import itertools
import sqlite3

import pytest

from test_rights import KINDS, PLURALS, rows
from wire import commit_lines, file_line

# They take a body and change nothing; dev-mode and replicas have one value here.
READS = {"preupload", "paths-info", "validate-yaml", "dev-mode", "replicas"}

# What is wished: all differ from what a new Space has.
BODIES = {
    "secrets": {"key": "S", "value": "s"},
    "variables": {"key": "V", "value": "v"},
    "hardware": {"flavor": "t4-small"},
    "sleeptime": {"seconds": 3600},
    "storage": {"tier": "small"},
    "volumes": {"volumes": [{"source": "a/b", "mountPath": "/x"}]},
    "settings": {"gated": "auto"},
}
# What must be there before, as a method and the body's word.
BEFORE = {
    ("POST", "sleeptime"): ("POST", "hardware"),
    ("DELETE", "secrets"): ("POST", "secrets"),
    ("DELETE", "variables"): ("POST", "variables"),
    ("DELETE", "storage"): ("POST", "storage"),
    ("DELETE", "volumes"): ("PUT", "volumes"),
}
# The same once more is a change too.
EACH_TIME = {"restart", "super-squash"}
# A row about a new name: read by many, made by those who may create.
MAKES = {"duplicate": "-copy"}

numbers = itertools.count()
CHANGES = [row for row in rows() if row[0] != "GET"]


def audit(hub):
    store = sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True)
    try:
        return store.execute("SELECT actor, via, target FROM audit ORDER BY id").fetchall()
    finally:
        store.close()


def word_of(pattern):
    return [part for part in pattern.split("/") if "{" not in part][-1]


def request_of(method, target, pattern, kind, name):
    """A request that changes something where the row can."""
    path = pattern.replace("{id}", "acme/" + name).replace("{rev}", "main")
    for plural, singular in PLURALS.items():
        if singular == kind:
            path = path.replace("{type}", plural)
    word = word_of(pattern)
    if target in ("NAMED", "NAMESPACE"):
        return path, {"organization": "acme", "name": name, "type": kind, "sdk": "gradio"}
    if word == "move":
        return path, {"fromRepo": f"acme/{name}", "toRepo": f"acme/{name}-moved", "type": kind}
    if word in MAKES:
        return path, {"repository": f"acme/{name}{MAKES[word]}"}
    if word == "commit":
        return path, commit_lines(file_line("b.txt", "b"))
    if word == "branch":
        return path.replace("/main", "/side"), {}
    if word == "tag":
        return (path.replace("/main", "/v1"), None) if method == "DELETE" else (path, {"tag": "v1"})
    if word in ("preupload", "paths-info", "validate-yaml"):
        return path, {"files": [], "paths": ["a.txt"], "content": "x", "repoType": "model"}
    return path, {"dev-mode": {"enabled": False}, "replicas": {"replicas": 1}, **BODIES}.get(word)


def make(hub, kind, name):
    body = {"name": name, "organization": "acme", "type": kind, "sdk": "gradio"}
    assert hub.call("POST", "/api/repos/create", "boss", body).status == 200


def prepare(hub, method, word, path):
    if (method, word) in BEFORE:
        before, wish = BEFORE[method, word]
        assert hub.call(before, path.replace(word, wish), "boss", BODIES[wish]).status == 200
    if method == "DELETE" and word == "branch":
        assert hub.call("POST", path, "boss", {}).status == 200
    if method == "DELETE" and word == "tag":
        assert hub.call("POST", path.replace("/v1", "/main"), "boss", {"tag": "v1"}).status == 200


@pytest.mark.parametrize("row", CHANGES, ids=lambda row: f"{row[0]} {row[3]}")
def test_a_change_is_one_row_and_no_change_is_none(hub, row):
    method, right, target, pattern = row
    kind, name, word = KINDS.get(target, "space"), f"audited-{next(numbers)}", word_of(pattern)
    path, body = request_of(method, target, pattern, kind, name)
    if target != "NAMESPACE":
        make(hub, kind, name)
        prepare(hub, method, word, path)
    before = audit(hub)
    for user in ("other", None):  # who may not, leaves none; what only reads, all may
        answer = hub.call(method, path, user, body)
        assert (answer.status < 400) == (right in ("ANYONE", "REPO_READ") and word not in MAKES), answer.body
    assert audit(hub) == before
    answer = hub.call(method, path, "writer", body)
    assert answer.status == 200, answer.body
    subject = f"{kind}s/acme/{name}{MAKES.get(word, '')}"
    expected = [] if word in READS else [("writer", f"{method} {pattern}", subject)]
    assert audit(hub)[len(before):] == expected
    if word not in EACH_TIME:
        hub.call(method, path, "writer", body)
        assert audit(hub)[len(before):] == expected
