"""A repository with as many branches as it may have."""
import glob
import os

import pytest

REPO = "/api/models/me/many"
MOST = 10000  # LIMITS_REFS


@pytest.fixture(scope="module")
def full(hub):
    """Branches that git has packed, beside main."""
    assert hub.call("POST", "/api/repos/create", "me", {"name": "many"}).status == 200
    head = hub.call("GET", REPO, "me").json()["sha"]
    [path] = glob.glob(os.path.join(hub.data, "repos", "*.git"))
    with open(os.path.join(path, "packed-refs"), "w") as packed:
        packed.write("# pack-refs with: peeled fully-peeled sorted \n")
        packed.writelines(f"{head} refs/heads/many/{n:05}\n" for n in range(MOST - 1))
    return head


def branches(hub):
    return {branch["name"] for branch in hub.call("GET", REPO + "/refs", "me").json()["branches"]}


def test_all_are_listed(hub, full):
    assert branches(hub) == {"main", *(f"many/{n:05}" for n in range(MOST - 1))}
    answer = hub.call("GET", REPO + "/tree/many/00001", "me")
    assert answer.status == 200 and answer.headers["X-Repo-Commit"] == full


def test_no_more_are_made(hub, full):
    before = hub.state()
    answer = hub.call("POST", REPO + "/branch/more", "me", {})
    assert answer.status == 413
    assert answer.json() == {"error": f"a repository has at most {MOST} branches"}
    assert hub.state() == before
    assert hub.call("POST", REPO + "/branch/many%2F00000", "me", {}).status == 409
    assert hub.call("POST", REPO + "/tag/main", "me", {"tag": "v1"}).status == 200


def test_one_that_is_deleted_makes_room(hub, full):
    assert hub.call("DELETE", REPO + "/branch/many%2F00500", "me").status == 200
    assert hub.call("POST", REPO + "/branch/more", "me", {}).status == 200
    found = branches(hub)
    assert len(found) == MOST and "more" in found and "many/00500" not in found
