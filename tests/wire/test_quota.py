"""Rate limits: 0.3 and 0.4, 429. The hub of these tests allows three requests in five minutes."""
import re

import pytest

from conftest import Demo

LIMIT = 3


@pytest.fixture
def hub():
    demo = Demo("--rate", str(LIMIT))
    yield demo
    assert demo.stop() == 0


def left(answer, window):
    found = re.fullmatch(rf'"{window}";r=(\d+);t=(\d+)', answer.headers["RateLimit"])
    assert 1 <= int(found[2]) <= 300
    assert answer.headers["RateLimit-Policy"] == f'"fixed window";"{window}";q={LIMIT};w=300'
    return int(found[1]), int(found[2])


def spend(hub, path="/api/whoami-v2", user="me", window="api", **more):
    for want in (2, 1, 0):
        answer = hub.call("GET", path, user, **more)
        assert answer.status != 429
        assert left(answer, window)[0] == want


def test_what_is_spent_is_429_until_the_window_ends(hub):
    spend(hub)
    answer = hub.call("GET", "/api/whoami-v2", "me")
    assert answer.status == 429
    none, seconds = left(answer, "api")
    assert none == 0 and abs(int(answer.headers["Retry-After"]) - seconds) <= 1
    assert answer.json()["error"] == answer.headers["X-Error-Message"]
    assert re.fullmatch(r'the 3 requests to "api" of this five minutes are spent, try again in \d+ seconds',
                        answer.json()["error"])


def test_a_refused_change_changes_nothing(hub):
    spend(hub)
    before = hub.state()
    assert hub.call("POST", "/api/repos/create", "me", {"name": "late"}).status == 429
    assert hub.state() == before


def test_an_upload_is_refused_before_it_is_read(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "x"}).status == 200
    assert hub.call("GET", "/api/whoami-v2", "me").status == 200
    assert hub.call("GET", "/api/whoami-v2", "me").status == 200
    connection = hub.connection()
    connection.putrequest("POST", "/api/models/me/x/commit/main", skip_host=True)
    for header in (("Host", hub.host), ("Authorization", "Bearer hf_me"), ("Content-Length", "1000"),
                   ("Expect", "100-continue")):
        connection.putheader(*header)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 429
    assert answer.headers["RateLimit"].startswith('"api";r=0;t=')
    connection.close()


def test_each_user_and_each_kind_is_counted_apart(hub):
    spend(hub)
    spend(hub, user="other")
    spend(hub, "/me/x/resolve/main/x", window="resolvers")
    spend(hub, "/", window="pages")


def test_who_is_not_signed_in_is_counted_by_address(hub):
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
        spend(hub, "/api/agent-harnesses", None, headers={"X-Forwarded-For": address})
    for address, status in (("192.0.2.1", 429), ("2001:db8::2", 429), ("2001:db8:0:1::1", 200)):
        answer = hub.call("GET", "/api/agent-harnesses", None, headers={"X-Forwarded-For": address})
        assert answer.status == status


def test_guessing_tokens_is_counted_by_address(hub):
    for i in range(LIMIT):
        headers = {"Authorization": f"Bearer hf_guess{i}"}
        assert hub.call("GET", "/api/whoami-v2", headers=headers).status == 401
    assert hub.call("GET", "/api/whoami-v2", headers={"Authorization": "Bearer hf_me"}).status == 200
    assert hub.call("GET", "/api/whoami-v2", headers={"Authorization": "Bearer hf_guess"}).status == 429
