"""What users do while processes are killed. Run by the Python of a client environment.

Each actor is a thread with things of its own, so that what it was told about them in order is their
history. Every attempt is a line before it and a line after it on standard output:

    {"attempt": 7, "actor": "files-1", "sets": {"file files w1/3": "text"}}
    {"attempt": 7, "done": true}            or "error" in the place of "done"

What was not acknowledged may have happened or not. Lines of standard input: "rest" lets everybody
complete what they are at, and is answered by {"resting": true}; "go" lets them go on; its end is
the end. What happens is decided by the seed, the first argument.
"""

import json
import random
import sys
import threading
import time

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants

SEED = int(sys.argv[1])
STEADY = json.loads(sys.argv[2])  # Spaces that are there from the start
APP = sys.argv[3]  # the source of an app, in which TEXT stands for what it says
SECONDS_AFTER_ERROR = 0.5  # in which a request that was cut off has ended in the hub
PAUSE = 0.05
KEPT_FILES = 20
REBUILDS = 0.02  # so many of a developer's acts make another environment, which takes seconds

constants.HF_HUB_DOWNLOAD_TIMEOUT = 30
api = HfApi()
print_lock = threading.Lock()
going = threading.Event()
ending = threading.Event()
attempts = 0


def tell(line):
    with print_lock:
        print(json.dumps(line), flush=True)


def attempt(actor, sets, call):
    """Do one thing; whether it was acknowledged."""
    global attempts
    with print_lock:
        attempts += 1
        number = attempts
    tell({"attempt": number, "actor": actor, "sets": sets})
    try:
        call()
    except Exception as error:  # noqa: BLE001: all of them mean the same, nobody knows
        tell({"attempt": number, "error": f"{type(error).__name__}: {error}"[:300]})
        time.sleep(SECONDS_AFTER_ERROR)
        return False
    tell({"attempt": number, "done": True})
    return True


class Actor(threading.Thread):
    """Acts until the end; between two acts it may be asked to rest."""

    def __init__(self, name):
        super().__init__(daemon=True, name=name)
        self.random = random.Random(f"{SEED} {name}")
        self.resting = threading.Event()
        self.count = 0

    def run(self):
        while not ending.is_set():
            if not going.is_set():
                self.resting.set()
                going.wait(0.1)
                continue
            self.resting.clear()
            self.count += 1
            self.act()
            time.sleep(self.random.random() * PAUSE)


class Writer(Actor):
    """One of several who commit to one repository: two files at once, now and then without two others."""

    def __init__(self, number):
        super().__init__(f"files-{number}")
        self.mine = []

    def act(self):
        name = f"{self.name}/{self.count}"
        text = f"{name} {self.random.random()}"
        sets = {f"file {name}-{part}": f"{text} {part}" for part in "ab"}
        operations = [CommitOperationAdd(f"{name}-{part}", f"{text} {part}".encode()) for part in "ab"]
        if len(self.mine) > KEPT_FILES:
            old = self.mine.pop(0)
            sets |= {f"file {old}-{part}": None for part in "ab"}
            operations += [CommitOperationDelete(f"{old}-{part}") for part in "ab"]
        if attempt(self.name, sets, lambda: api.create_commit("me/files", operations, commit_message=name)):
            self.mine.append(name)


class Developer(Actor):
    """One Space: pushes, variables, secrets, restarts, pauses."""

    def __init__(self, space):
        super().__init__(space)
        self.repo = f"me/{space}"

    def push(self):
        text = f"{self.name} {self.count}"
        app = CommitOperationAdd("app.py", APP.replace("TEXT", text).encode())
        attempt(self.name, {f"text {self.name}": text},
                lambda: api.create_commit(self.repo, [app], commit_message=text, repo_type="space"))

    def variable(self):
        value = f"v{self.count}"
        attempt(self.name, {f"variable {self.name}": value},
                lambda: api.add_space_variable(self.repo, "VARIABLE", value))

    def secret(self):
        value = f"s{self.count}"
        attempt(self.name, {f"secret {self.name}": value}, lambda: api.add_space_secret(self.repo, "SECRET", value))

    def restart(self):
        attempt(self.name, {f"paused {self.name}": False}, lambda: api.restart_space(self.repo))

    def pause_and_restart(self):
        attempt(self.name, {f"paused {self.name}": True}, lambda: api.pause_space(self.repo))
        self.restart()

    def rebuild(self):
        packages = CommitOperationAdd("requirements.txt", f"# {self.count}\n".encode())
        attempt(self.name, {}, lambda: api.create_commit(self.repo, [packages], commit_message=f"requirements {self.count}",
                                                         repo_type="space"))

    def act(self):
        often = [self.push, self.push, self.variable, self.secret, self.restart, self.pause_and_restart]
        self.rebuild() if self.random.random() < REBUILDS else self.random.choice(often)()
        time.sleep(2 * self.random.random())


class Passer(Actor):
    """Repositories that come and go: models, datasets, Spaces with an app."""

    def act(self):
        kind = self.random.choice(["model", "dataset", "space"])
        name = f"{self.name}-{self.count}"
        repo = {"repo_id": f"me/{name}", "repo_type": kind}
        sdk = {"space_sdk": "gradio"} if kind == "space" else {}
        thing = f"repo {kind} {name}"
        attempt(self.name, {thing: True}, lambda: api.create_repo(**repo, **sdk, exist_ok=True))
        files = [CommitOperationAdd("app.py", APP.replace("TEXT", name).encode())]
        attempt(self.name, {}, lambda: api.create_commit(operations=files, commit_message=name, **repo))
        tag = f"tag {kind} {name}"
        if attempt(self.name, {tag: True}, lambda: api.create_tag(tag="v1", exist_ok=True, **repo)) and kind == "model":
            attempt(self.name, {tag: None}, lambda: api.delete_tag(tag="v1", **repo))
        time.sleep(2 * self.random.random())
        attempt(self.name, {thing: None, tag: None}, lambda: api.delete_repo(missing_ok=True, **repo))


def main():
    actors = [Writer(number) for number in range(3)] + [Developer(space) for space in STEADY] + [Passer("passing")]
    for actor in actors:
        actor.start()
    for line in sys.stdin:
        if line == "go\n":
            for actor in actors:
                actor.resting.clear()
            going.set()
        elif line == "rest\n":
            going.clear()
            for actor in actors:
                actor.resting.wait()
            tell({"resting": True})
    ending.set()


main()
