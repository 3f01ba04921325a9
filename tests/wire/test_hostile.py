"""What can't be written as a request and its answer: bodies that lie, stop or never end."""
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from wire import commit_lines, file_line



@pytest.fixture(scope="module")
def repo(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "hostile"}).status == 200
    return "me/hostile"


def head(hub, repo):
    """What must not change, and with it all that can be seen of the rest."""
    return hub.call("GET", "/api/models/" + repo, "me").json()["sha"], hub.state()


def send_raw(hub, repo, length, body, expect=None):
    """A commit whose Content-Length is `length`; nothing comes behind `body`."""
    connection = hub.connection()
    connection.putrequest("POST", f"/api/models/{repo}/commit/main", skip_host=True)
    connection.putheader("Host", hub.host)
    connection.putheader("Authorization", "Bearer " + hub.token("me"))
    connection.putheader("Content-Length", str(length))
    if expect:
        connection.putheader("Expect", expect)
    connection.endheaders(body)
    return connection


def test_a_body_that_stops_early_changes_nothing(hub, repo):
    before = head(hub, repo)
    body = commit_lines(file_line("a", "a")).encode()
    connection = send_raw(hub, repo, len(body) + 1000, body)
    connection.sock.close()
    assert head(hub, repo) == before


def test_a_length_that_is_too_short_cuts_the_commit(hub, repo):
    before = head(hub, repo)
    body = commit_lines(file_line("a", "a")).encode()
    answer = send_raw(hub, repo, len(body) - 20, body).getresponse()
    assert answer.status == 400
    assert head(hub, repo) == before


def test_a_length_that_is_no_number_is_refused(hub, repo):
    before = head(hub, repo)
    answer = send_raw(hub, repo, "ten", b"").getresponse()
    assert answer.status == 400
    assert head(hub, repo) == before


def test_more_than_the_limit_is_refused_before_it_is_sent(hub, repo):
    before = head(hub, repo)
    answer = send_raw(hub, repo, (2 << 30) + 1, b"", "100-continue").getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]
    assert head(hub, repo) == before


def test_a_file_over_its_limit_is_refused(hub, repo):
    before = head(hub, repo)
    answer = hub.call(
        "POST",
        f"/api/models/{repo}/commit/main",
        "me",
        commit_lines(file_line("fits", b"x"), file_line("big.bin", b"\0" * ((64 << 20) + 1))),
    )
    assert answer.status == 413
    assert head(hub, repo) == before


def test_a_file_at_its_limit_is_taken(hub, repo):
    content = b"\0" * (64 << 20)
    lines = commit_lines(file_line("limit.bin", content))
    assert hub.call("POST", f"/api/models/{repo}/commit/main", "me", lines).status == 200
    answer = hub.call("HEAD", f"/{repo}/resolve/main/limit.bin")
    assert answer.headers["Content-Length"] == str(len(content))
    answer = hub.call("GET", f"/{repo}/resolve/main/limit.bin", headers={"Range": "bytes=-4"})
    assert (answer.status, answer.body) == (206, b"\0\0\0\0")


def test_a_body_in_chunks_is_taken(hub, repo):
    lines = commit_lines(file_line("chunked", "x")).encode()
    pieces = [lines[i : i + 7] for i in range(0, len(lines), 7)]
    connection = hub.connection()
    connection.request(
        "POST",
        f"/api/models/{repo}/commit/main",
        iter(pieces),
        {"Authorization": "Bearer " + hub.token("me"), "Transfer-Encoding": "chunked"},
        encode_chunked=True,
    )
    assert connection.getresponse().status == 200
    assert hub.call("GET", f"/{repo}/resolve/main/chunked").body == b"x"


def test_parallel_commits_all_pass(hub, repo):
    results = []

    def upload(i):
        lines = commit_lines(file_line(f"parallel/{i}", str(i)), summary=f"part {i}")
        results.append(hub.call("POST", f"/api/models/{repo}/commit/main", "me", lines).status)

    threads = [threading.Thread(target=upload, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 8
    tree = hub.call("GET", f"/api/models/{repo}/tree/main/parallel").json()
    assert len(tree) == 8


def repositories(hub):
    return len(os.listdir(os.path.join(hub.data, "repos")))


def test_parallel_creates_make_one(hub):
    results = []
    before = repositories(hub)

    def create():
        body = {"name": "raced", "type": "space", "sdk": "gradio"}
        results.append(hub.call("POST", "/api/repos/create", "me", body))

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in results) == [200] + [409] * 5
    assert len({answer.json()["url"] for answer in results}) == 1
    assert repositories(hub) == before + 1  # nothing of the others is left


def test_parallel_deletes_delete_one(hub):
    body = {"name": "doomed", "type": "space", "sdk": "static"}
    before = repositories(hub)
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200
    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(hub.call, "DELETE", "/api/repos/delete", "me", body) for _ in range(6)]
        results = [(call.result().status, call.result().code()) for call in calls]
    assert sorted(results, key=str) == [(200, None)] + [(404, "RepoNotFound")] * 5
    assert repositories(hub) == before


def test_parallel_settings_leave_one_of_them(hub):
    body = {"name": "torn", "type": "space", "sdk": "static"}
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200
    wanted = [{"visibility": v, "gated": g} for v in ("private", "protected") for g in ("auto", "manual")]
    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(hub.call, "PUT", "/api/spaces/me/torn/settings", "me", body) for body in wanted * 2]
        answers = [call.result().json() for call in calls]
    assert answers == [{"private": True, **body} for body in wanted * 2]
    last = hub.call("PUT", "/api/spaces/me/torn/settings", "me", {}).json()
    assert last in answers


def test_a_slow_upload_does_not_keep_others_waiting(hub, repo):
    body = commit_lines(file_line("slow", "slow")).encode()
    connection = send_raw(hub, repo, len(body), body[:50])
    began = time.monotonic()
    lines = commit_lines(file_line("quick", "quick"))
    assert hub.call("POST", f"/api/models/{repo}/commit/main", "me", lines).status == 200
    assert time.monotonic() - began < 10
    connection.send(body[50:])
    assert connection.getresponse().status == 200


def test_what_is_deleted_meanwhile_is_gone(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "going"}).status == 200
    body = commit_lines(file_line("late", "late")).encode()
    connection = send_raw(hub, "me/going", len(body), body[:50])
    # The upload has begun once its repository is open; deleting does not wait for it.
    assert hub.call("DELETE", "/api/repos/delete", "me", {"name": "going"}).status == 200
    connection.send(body[50:])
    answer = connection.getresponse()
    assert answer.status >= 400
    answer.read()
    answer = hub.call("GET", "/api/models/me/going", "me")
    assert (answer.status, answer.code()) == (404, "RepoNotFound")


def test_a_deep_json_is_refused(hub):
    body = "[" * 100000
    answer = hub.call("POST", "/api/repos/create", "me", body, {"Content-Type": "application/json"})
    assert answer.status == 400


def test_a_query_of_thousands_of_fields_is_refused(hub, repo):
    for count in (1001, 4000):
        path = f"/api/models/{repo}?" + "&".join(["a=1"] * count)
        answer = hub.call("GET", path)
        assert answer.status == 413
        assert answer.json()["error"] == "the query has more than 1000 fields"


def test_1001_paths_are_too_many(hub, repo):
    answer = hub.call("POST", f"/api/models/{repo}/paths-info/main", None, {"paths": ["a"] * 1001})
    assert answer.status == 413
    form = "&".join(["paths=a"] * 1001)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = hub.call("POST", f"/api/models/{repo}/paths-info/main", None, form, headers)
    assert answer.status == 413


def test_many_files_come_in_pages(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "wide"}).status == 200
    names = [f"d{i % 10}/f{i:04}.txt" for i in range(1500)]
    lines = commit_lines(*(file_line(name) for name in names))
    assert hub.call("POST", "/api/models/me/wide/commit/main", "me", lines).status == 200
    path, found = "/api/models/me/wide/tree/main?recursive=true", []
    while path:
        answer = hub.call("GET", path)
        found += [entry["path"] for entry in answer.json() if entry["type"] == "file"]
        link = answer.headers.get("Link")
        path = link[1:].partition(">")[0].removeprefix(hub.origin) if link else None
    assert sorted(found) == sorted(names + [".gitattributes"])
