"""The history of what was tried: which states may each thing be in, and is it in one of them?"""

import hashlib
import json
import subprocess
import threading


class History:
    """Attempts by number; for each thing the set of values that it may have now."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lines = []  # told where a check fails
        self.open = {}  # attempts that are under way
        self.may_be = {}  # thing to its possible values
        self.summaries = {}  # of commits to the shared repository: what each one sets

    def hear(self, line):
        """A line of the workload, or of the harness itself."""
        with self.lock:
            self.lines.append(line)
            if "sets" in line:
                self.open[line["attempt"]] = line["sets"]
                files = {thing.removeprefix("file "): text for thing, text in line["sets"].items()
                         if thing.startswith("file ")}
                if files:
                    self.summaries[next(iter(files)).removesuffix("-a")] = files
            elif "attempt" in line:
                for thing, value in self.open.pop(line["attempt"]).items():
                    before = set() if "done" in line else self.may_be.get(thing, {None})
                    self.may_be[thing] = before | {value}

    def note(self, text):
        self.hear({"round": text})

    def settle(self, thing, value):
        """It has been seen at rest: this is what it is, and must have been allowed."""
        possible = self.may_be.get(thing, {None})
        assert value in possible, f"{thing} is {value!r}, not {possible!r}\n{self.tail(thing)}"
        self.may_be[thing] = {value}

    def things(self, kind):
        return sorted(thing for thing in self.may_be if thing.startswith(f"{kind} "))

    def acknowledged(self):
        return sum("done" in line for line in self.lines)

    def tail(self, thing, count=60):
        """The newest lines about a thing, the rounds between them, and how each attempt went."""
        numbers = {line["attempt"] for line in self.lines if thing in line.get("sets", {})}
        told = [line for line in self.lines if "round" in line or line.get("attempt") in numbers]
        return "\n".join(json.dumps(line) for line in told[-count:])


def git(repo, *words):
    return subprocess.run(["git", "-c", "safe.directory=*", "-C", repo, *words], check=True, capture_output=True,
                          text=True).stdout


def blob_id(text):
    data = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def check_files(history, repo):
    """The branch holds every acknowledged file, and each commit of it all that it was to change."""
    git(repo, "fsck", "--strict", "--no-dangling")
    head = dict(reversed(line.split(" blob ")[1].split("\t"))
                for line in git(repo, "ls-tree", "-r", "main").splitlines())
    for thing in history.things("file"):
        found = head.pop(thing.removeprefix("file "), None)
        texts = history.may_be[thing]
        if found not in {text and blob_id(text) for text in texts}:
            raise AssertionError(f"{thing} is {found}, not {texts}\n{history.tail(thing)}")
        history.may_be[thing] = {text for text in texts if (text and blob_id(text)) == found}
    assert set(head) <= {"README.md", ".gitattributes"}, head
    check_commits(history, repo)


def check_commits(history, repo):
    """No commit twice, none that nobody made, none with a part of its changes."""
    seen = set()
    log = git(repo, "log", "--first-parent", "--format=%x00%s", "--name-only", "main").split("\0")[1:]
    for entry in log[:-1]:  # but for the first one, which makes the repository
        summary, *paths = entry.split()
        assert set(paths) == set(history.summaries[summary]), f"{summary}: {paths}\n{history.summaries[summary]}"
        assert summary not in seen, f"{summary} is there twice"
        seen.add(summary)
