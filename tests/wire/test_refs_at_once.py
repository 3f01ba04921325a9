"""Branches, tags, commits and super-squashes of one repository at once, beside real git commands."""
import glob
import os
import subprocess
import threading

import pytest

from wire import commit_lines, file_line

REPO = "/api/models/me/busy"
ROUNDS = 15


@pytest.fixture(scope="module")
def git(hub):
    assert hub.call("POST", "/api/repos/create", "me", {"name": "busy"}).status == 200
    [path] = glob.glob(os.path.join(hub.data, "repos", "*.git"))

    def run(*words, check=True):
        command = ["git", "-C", path, *words]
        return subprocess.run(command, capture_output=True, text=True, check=check)

    run.path = path
    return run


def names(git, kind):
    return set(git("for-each-ref", "--format=%(refname:strip=2)", f"refs/{kind}").stdout.split())


class Workers:
    """Runs functions at once; a failed assertion of any is one of the test."""

    def __init__(self):
        self.failures = []

    def run(self, *functions):
        threads = [threading.Thread(target=self.catch, args=[function]) for function in functions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not self.failures, self.failures[0]

    def catch(self, function):
        try:
            function()
        except Exception as failure:  # told by run()
            self.failures.append(failure)


def test_what_is_told_is_so(hub, git):
    """Each worker has names of its own, and one fights for names that others want too."""
    commits = []

    def ask(method, path, body, allowed):
        answer = hub.call(method, REPO + path, "me", body)
        assert answer.status in allowed, (method, path, answer.status, answer.body)
        return answer

    def own_branches():
        for n in range(ROUNDS):
            ask("POST", f"/branch/own%2F{n}", {}, [200])
            if n % 2:
                ask("DELETE", f"/branch/own%2F{n}", None, [200])

    def own_tags():
        for n in range(ROUNDS):
            ask("POST", "/tag/main", {"tag": f"own/{n}", "message": "x" if n % 3 else ""}, [200])
            if n % 2:
                ask("DELETE", f"/tag/own%2F{n}", None, [200])

    def fight_over(name):
        def work():
            for _ in range(ROUNDS):
                ask("POST", f"/branch/{name}", {}, [200, 409])
                ask("DELETE", f"/branch/{name}", None, [200, 404])

        return work

    def commit():
        for n in range(ROUNDS):
            lines = commit_lines(file_line(f"file{n}", "x"), summary=f"{n}")
            commits.append(ask("POST", "/commit/main", lines, [200]).json()["commitOid"])

    def squash():
        for _ in range(ROUNDS):
            commits.append(ask("POST", "/super-squash/main", {}, [200]).json()["commitOid"])

    def look():
        for _ in range(3 * ROUNDS):
            ask("GET", "/refs", None, [200])
            ask("GET", "/tree/x/y", None, [200, 404])

    def run_git():
        for n in range(ROUNDS):
            # Where both want the same lock at once, git gives up at once.
            git("update-ref", f"refs/heads/git/{n}", "main", check=False)
            git("pack-refs", "--all", "--prune", check=False)
            git("update-ref", "-d", f"refs/heads/git/{n}", check=False)
            git("update-ref", "refs/heads/x", "main", check=False)

    Workers().run(own_branches, own_tags, fight_over("x"), fight_over("x"), fight_over("x%2Fy"),
                  commit, squash, look, run_git)

    even = {f"own/{n}" for n in range(0, ROUNDS, 2)}
    assert {name for name in names(git, "heads") if name.startswith("own/")} == even
    assert names(git, "tags") == even
    files = {entry["path"] for entry in ask("GET", "/tree/main", None, [200]).json()}
    assert files == {".gitattributes", *(f"file{n}" for n in range(ROUNDS))}
    for oid in commits:
        ask("GET", f"/revision/{oid}", None, [200])


def test_nothing_is_left_behind(git):
    left = [name for _, _, found in os.walk(git.path) for name in found
            if name.endswith(".lock") or name.startswith("espace-")]
    assert left == []
    assert git("fsck", "--strict", "--full", "--no-dangling", "--no-progress").stdout == ""
