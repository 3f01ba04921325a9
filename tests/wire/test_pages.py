"""Whoever follows the links of a tree gets each entry once, whatever the pages are cut like."""
import re

import pytest

from wire import commit_lines, file_line

PATHS = [f"d{n // 300}/{n:04}" for n in range(1200)]


@pytest.fixture(scope="module")
def tree(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "wide"}).status == 200
    commit = "/api/models/me/wide/commit/main"
    lines = commit_lines(*(file_line(path, "x") for path in PATHS))
    first = hub.call("POST", commit, "me", lines).json()["commitOid"]
    lines = commit_lines(file_line("d1/0300", "y"), file_line(PATHS[-1], "y"))
    second = hub.call("POST", commit, "me", lines).json()["commitOid"]
    return first, second


def follow(hub, path):
    entries, pages = [], []
    while path:
        answer = hub.call("GET", path, "me")
        assert answer.status == 200
        entries += answer.json()
        pages.append(len(answer.json()))
        link = re.fullmatch(r'<http://[^/]+(.*)>; rel="next"', answer.headers.get("Link", ""))
        path = link and link[1]
    return entries, pages


def everything():
    folders = {path.partition("/")[0] for path in PATHS}
    return sorted([".gitattributes", *folders, *PATHS])


@pytest.mark.parametrize("query,most", [("", 1000), ("&expand=true", 100), ("&expand=1&limit=70", 70)])
def test_each_entry_comes_once(hub, tree, query, most):
    path = "/api/models/me/wide/tree/main?recursive=true" + query
    entries, pages = follow(hub, path)
    assert sorted(entry["path"] for entry in entries) == everything()
    assert max(pages) == most


def test_each_entry_has_its_last_commit(hub, tree):
    first, second = tree
    entries, _ = follow(hub, "/api/models/me/wide/tree/main?recursive=true&expand=true")
    changed = {"d1", "d1/0300", "d3", PATHS[-1]}
    for entry in entries:
        if entry["path"] != ".gitattributes":
            want = second if entry["path"] in changed else first
            assert entry["lastCommit"]["id"] == want, entry["path"]
