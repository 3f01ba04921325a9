"""Lists: whatever comes and goes, and what must not be seen in them."""
import re

import pytest

from wire import commit_lines, file_line


def create(hub, user, name, **more):
    answer = hub.call("POST", "/api/repos/create", user, {"name": name, **more})
    assert answer.status == 200, answer.body
    return answer.json()["name"]


def pages(hub, path, user=None):
    """Each page of a list by its Link, as ids."""
    while path:
        answer = hub.call("GET", path, user)
        assert answer.status == 200, answer.body
        yield [entry["id"] for entry in answer.json()]
        link = answer.headers.get("Link")
        path = link and re.fullmatch(r'<http://[^/]*(/.*)>; rel="next"', link)[1]


def ids(hub, path, user=None):
    return [name for page in pages(hub, path, user) for name in page]


@pytest.mark.parametrize("sort", ["lastModified", "createdAt", "id", "likes"])
@pytest.mark.parametrize("direction", ["-1", "1"])
def test_each_entry_is_met_once_whatever_comes_and_goes(hub, sort, direction):
    tag = f"{sort.lower()}{direction}"
    wanted = [create(hub, "other", f"{tag}-{i}") for i in range(7)]
    met = []
    query = f"/api/models?search={tag}-&sort={sort}&direction={direction}&limit=2"
    for number, page in enumerate(pages(hub, query, "other")):
        met += page
        create(hub, "other", f"{tag}-new{number}") if number < 3 else None
        passing = create(hub, "other", f"{tag}-gone{number}").partition("/")[2]
        assert hub.call("DELETE", "/api/repos/delete", "other", {"name": passing}).status == 200
    assert sorted(name for name in met if name in wanted) == sorted(wanted)
    assert len(met) == len(set(met))


def test_an_entry_that_a_page_ended_with_may_go(hub):
    for name in "abcd":
        create(hub, "other", f"ends-{name}")
    listed = pages(hub, "/api/models?search=ends-&sort=id&limit=2", "other")
    assert next(listed) == ["other/ends-a", "other/ends-b"]
    assert hub.call("DELETE", "/api/repos/delete", "other", {"name": "ends-b"}).status == 200
    assert next(listed) == ["other/ends-c", "other/ends-d"]
    assert list(listed) == []


# Who sees which of the private repositories of acme and of other.
SEES = {
    None: "",
    "other": "other",
    "reader": "acme",
    "contributor": "acme",
    "writer": "acme",
    "boss": "acme",
    "readonly": "acme",
    "scoped": "",
    "me": "acme other",
}


@pytest.mark.parametrize("user", SEES, ids=str)
def test_private_ones_are_in_no_list_cursor_or_count(hub, user):
    for owner, actor in (("acme", "boss"), ("other", "other")):
        for number in range(3):
            more = {"organization": owner} if owner == "acme" else {}
            answer = hub.call("POST", "/api/repos/create", actor,
                              {"name": f"hidden{number}-{owner}", "private": True, **more})
            assert answer.status in (200, 409)
    create(hub, "other", f"hidden-not-{user}", private=False)
    seen = SEES[user].split()
    expect = sorted(f"{owner}/hidden{n}-{owner}" for owner in seen for n in range(3))
    queries = ["search=hidden", "sort=id&search=hidden", "sort=createdAt&search=hidden",
               "filter=region:us&search=hidden", "limit=1&search=hidden", "limit=1&sort=id&search=hidden"]
    for query in queries:
        found = ids(hub, f"/api/models?{query}", user)
        assert sorted(name for name in found if "hidden-not" not in name) == expect, query
        assert len(found) == len(set(found))
    for owner in ("acme", "other"):
        found = ids(hub, f"/api/models?author={owner}&search=hidden&limit=2", user)
        assert sorted(name for name in found if "hidden-not" not in name) == [
            name for name in expect if name.startswith(owner)
        ]
    # A cursor is made of what the entry itself shows.
    link = hub.call("GET", "/api/models?limit=1", user).headers["Link"]
    entry = hub.call("GET", "/api/models?limit=1", user).json()[0]
    assert entry["_id"] in link


def test_what_becomes_private_or_public_is_so_at_once(hub):
    name = create(hub, "other", "turning")
    for private in (True, False, True):
        answer = hub.call("PUT", f"/api/models/{name}/settings", "other", {"private": private})
        assert answer.status == 200
        assert (name in ids(hub, "/api/models?search=turning")) == (not private)
        assert name in ids(hub, "/api/models?search=turning", "other")


def test_a_commit_is_seen_at_once(hub):
    name = create(hub, "other", "fresh")
    for number in range(3):
        card = f"---\ntags: [fresh-{number}]\n---\n"
        answer = hub.call("POST", f"/api/models/{name}/commit/main", "other",
                          commit_lines(file_line("README.md", card)))
        assert answer.status == 200
        sha = answer.json()["commitOid"]
        listed = hub.call("GET", f"/api/models?filter=fresh-{number}&full=true").json()
        assert [(entry["id"], entry["sha"]) for entry in listed] == [(name, sha)]
        assert hub.call("GET", f"/api/models/{name}").json()["sha"] == sha
        assert not ids(hub, f"/api/models?filter=fresh-{number - 1}")
