"""The audit of a real hub: what nginx and the words add, and its chain."""

import json
import re
import sqlite3


def trail(hub, **query):
    words = [word for name, value in query.items() for word in (f"--{name}", value)]
    return [json.loads(line) for line in hub.words("audit", "--json", "--limit", "100000", *words).splitlines()]


def test_a_caller_cannot_choose_from_where_it_came(hub):
    answer = hub.call("POST", "/api/repos/create", {"name": "located", "type": "model"},
                      headers={"X-Forwarded-For": "192.0.2.1", "User-Agent": "spoof"})
    assert answer.status == 200
    row, = trail(hub, target="models/me/located")
    assert row["address"] in ("127.0.0.1", "::1") and row["userAgent"] == "spoof"
    assert row["actor"] == "me" and row["token"] == "test"
    assert row["requestId"] == answer.headers["X-Request-Id"]
    shown = hub.call("GET", "/api/espace/audit?target=models/me/located")
    assert shown.json == [row]


def test_words_tell_who_called_them(hub):
    for _ in range(2):  # the second time changes nothing
        hub.words("user", "add", "audited", "--fullname", "Au Dited")
    hub.words("org", "add", "auditors", "--member", "audited:read")
    hub.words("org", "member", "auditors", "audited:admin")
    hub.words("token", "add", "audited", "--name", "t", "--role", "read")
    hub.words("token", "revoke", "audited", "t")
    assert hub.words("token", "revoke", "audited", "t", check=False).returncode != 0
    rows = [row for row in reversed(trail(hub, actor="uid 0")) if row["target"] in ("audited", "auditors")]
    assert [(row["via"], row["action"], row["detail"]) for row in rows] == [
        ("espaced user add", "user.add", ""),
        ("espaced org add", "org.add", ""),
        ("espaced org member", "org.member", "audited:read -> admin"),
        ("espaced token add", "token.add", "t read"),
        ("espaced token revoke", "token.revoke", "t"),
    ]
    assert {(row["actor"], row["address"]) for row in rows} == {("uid 0", "local")}


def test_the_chain_is_whole_until_somebody_alters_it(hub):
    head = re.fullmatch(r"\d+ rows are whole; head (\d+:[0-9a-f]{64})", hub.words("audit", "--verify"))[1]
    hub.call("POST", "/api/repos/create", {"name": "after-head", "type": "model"})
    hub.words("audit", "--verify", "--head", head)
    assert "audit" not in hub.words("check", check=False).stdout
    store = sqlite3.connect(hub.data / "espace.db", isolation_level=None)
    try:
        store.executescript("BEGIN; SELECT 1 FROM audit; ROLLBACK;")
        trigger, = store.execute("SELECT sql FROM sqlite_schema WHERE name = 'audit_keeps'").fetchone()
        number, target = store.execute("SELECT max(id), target FROM audit").fetchone()
        store.execute("DROP TRIGGER audit_keeps")
        store.execute("UPDATE audit SET target = 'models/you/after-head' WHERE id = ?", (number,))
        done = hub.words("audit", "--verify", check=False)
        assert done.returncode == 1 and f"row {number} does not follow" in done.stderr
        assert f"row {number} does not follow" in hub.words("check", check=False).stdout
    finally:
        store.execute("UPDATE audit SET target = ? WHERE id = ?", (target, number))
        store.execute(trigger)
        store.close()
    hub.words("audit", "--verify")
