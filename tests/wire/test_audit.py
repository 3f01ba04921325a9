"""Every change leaves one row of the audit: who, with which token, what, to what."""
import hashlib
import sqlite3

import pytest

from wire import commit_lines, file_line


@pytest.fixture
def rows(hub):
    def read():
        store = sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True)
        try:
            return store.execute(
                "SELECT accounts.name, action, target, detail FROM audit"
                " LEFT JOIN accounts ON accounts.id = actor_id ORDER BY audit.id"
            ).fetchall()
        finally:
            store.close()

    return read


def test_each_change_is_written_down(hub, rows):
    space = {"name": "demo", "organization": "acme", "type": "space"}
    before = len(rows())
    assert hub.call("POST", "/api/repos/create", "writer", {**space, "sdk": "gradio"}).status == 200
    lines = commit_lines(file_line("app.py", "x"))
    answer = hub.call("POST", "/api/spaces/acme/demo/commit/main", "writer", lines)
    commit = answer.json()["commitOid"]
    assert hub.call("POST", "/api/spaces/acme/demo/restart?factory=true", "writer").status == 200
    for visibility in ("protected", "protected"):  # the second time changes nothing
        body = {"visibility": visibility, "gated": "auto"}
        assert hub.call("PUT", "/api/spaces/acme/demo/settings", "writer", body).status == 200
    assert hub.call("DELETE", "/api/repos/delete", "boss", space).status == 200
    assert rows()[before:] == [
        ("writer", "repo.create", "spaces/acme/demo", "public"),
        ("writer", "repo.commit", "spaces/acme/demo", commit),
        ("writer", "space.restart", "spaces/acme/demo", "factory"),
        ("writer", "repo.settings", "spaces/acme/demo", "public -> protected gated:auto"),
        ("boss", "repo.delete", "spaces/acme/demo", ""),
    ]


def test_a_row_says_from_where_and_how(hub):
    headers = {"X-Forwarded-For": "2001:db8::1", "User-Agent": "unknown/None; \x1b[31m " + "x" * 300}
    answer = hub.call("POST", "/api/repos/create", "me", {"name": "located"}, headers)
    assert answer.status == 200
    store = sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True)
    try:
        row = store.execute("SELECT actor, token, address, via, request, agent FROM audit"
                            " WHERE target = 'models/me/located'").fetchone()
    finally:
        store.close()
    assert row[:4] == ("me", "hf_me", "2001:db8::1", "POST /api/repos/create")
    assert row[4] == answer.headers["X-Request-Id"]
    assert row[5] == ("unknown/None; ?[31m " + "x" * 300)[:200]


def test_each_reference_is_written_down(hub, rows):
    repo = {"name": "referred", "organization": "acme"}
    assert hub.call("POST", "/api/repos/create", "writer", repo).status == 200
    head = hub.call("GET", "/api/models/acme/referred", "writer").json()["sha"]
    before = len(rows())
    target = "/api/models/acme/referred"
    assert hub.call("POST", target + "/branch/a%2Fb", "writer", {}).status == 200
    overwrite = {"overwrite": True, "emptyBranch": True}
    answer = hub.call("POST", target + "/branch/a%2Fb", "boss", overwrite)
    other = answer.json()["commitOid"]
    # By what it is already: nothing changes.
    again = {"overwrite": True, "startingPoint": "a/b"}
    assert hub.call("POST", target + "/branch/a%2Fb", "boss", again).status == 200
    assert hub.call("POST", target + "/tag/main", "writer", {"tag": "v1"}).status == 200
    answer = hub.call("POST", target + "/super-squash/main", "writer", {"message": "x"})
    squashed = answer.json()["commitOid"]
    assert hub.call("DELETE", target + "/tag/v1", "boss").status == 200
    assert hub.call("DELETE", target + "/branch/a%2Fb", "boss").status == 200
    assert [(who, action, detail) for who, action, _, detail in rows()[before:]] == [
        ("writer", "branch.create", f"a/b {head}"),
        ("boss", "branch.overwrite", f"a/b {head} -> {other}"),
        ("writer", "tag.create", f"v1 {head}"),
        ("writer", "branch.squash", f"main {head} -> {squashed}"),
        ("boss", "tag.delete", f"v1 {head}"),
        ("boss", "branch.delete", f"a/b {other}"),
    ]


def test_no_secret_is_written_down(hub, rows):
    body = {"name": "secretive", "type": "space", "sdk": "gradio"}
    body["secrets"] = [{"key": "K", "value": "very-secret-value"}]
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200
    dump = "\n".join(hub.state()[0])
    assert "very-secret-value" not in dump


def test_wishes_are_written_down_once(hub, rows):
    space = {"name": "wishful", "organization": "acme", "type": "space", "sdk": "gradio"}
    assert hub.call("POST", "/api/repos/create", "writer", space).status == 200
    before = len(rows())
    path = "/api/spaces/acme/wishful/"
    calls = [
        ("POST", "secrets", {"key": "S", "value": "very-secret-value"}),
        ("POST", "variables", {"key": "V", "value": "v"}),
        ("DELETE", "secrets", {"key": "S"}),
        ("POST", "hardware", {"flavor": "t4-small"}),
        ("POST", "sleeptime", {"seconds": 3600}),
        ("POST", "storage", {"tier": "small"}),
        ("DELETE", "storage", None),
        ("PUT", "volumes", {"volumes": [{"source": "a/b", "mountPath": "/x"}]}),
        ("DELETE", "volumes", None),
        ("POST", "pause", None),
    ]
    for method, word, body in calls:
        for _ in range(2):  # what is wished already changes nothing
            assert hub.call(method, path + word, "writer", body).status == 200
    assert [(action, detail) for _, action, _, detail in rows()[before:]] == [
        ("space.secret.set", "S"),
        ("space.variable.set", "V"),
        ("space.secret.delete", "S"),
        ("space.hardware", "hardware: cpu-basic -> t4-small, sleep time: 172800 -> -1"),
        ("space.sleeptime", "sleep time: -1 -> 3600"),
        ("space.storage", "storage: none -> small"),
        ("space.storage.delete", "storage: small -> none"),
        ("space.volumes", "1 mounted"),
        ("space.volumes.delete", ""),
        ("space.pause", ""),
    ]
    assert "very-secret-value" not in "\n".join(hub.state()[0])


FIELDS = "id atMs actorId actor tokenId token address via requestId userAgent action target detail".split()


def test_the_chain_of_entries_can_be_verified_by_who_knows_only_the_documentation(hub):
    body = {"name": "chained", "type": "space", "sdk": "gradio"}
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200
    assert hub.call("POST", "/api/spaces/me/chained/branch/v%C3%B6ll,1", "me", {}).status == 200
    entries, path = [], "/api/espace/audit?limit=7"
    while path:
        answer = hub.call("GET", path, "me")
        entries += answer.json()
        link = answer.headers.get("Link")
        path = link and link[link.index("/api/"):link.index(">")]
    previous = "0" * 64
    assert [entry["id"] for entry in reversed(entries)] == list(range(1, len(entries) + 1))
    for entry in reversed(entries):
        parts = [previous, *(str(entry[field]) for field in FIELDS)]
        text = b"".join(b"%d:%s," % (len(part), part) for part in (part.encode() for part in parts))
        previous = hashlib.sha256(text).hexdigest()
        assert entry["hash"] == previous, entry
    assert "v\u00f6ll,1" in entries[0]["detail"]
