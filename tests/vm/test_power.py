"""The power goes while people write and Spaces start: what was acknowledged is there afterwards, and the
hub and its Spaces come back by themselves.

What was acknowledged is known on the host, which loses nothing.
"""

import http.client
import os
import random
import re
import threading
import time

import pytest

from guest_hub import DATA, STAGE_S

CUTS = int(os.environ.get("ESPACE_TEST_CUTS", 20))
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time()))
SPACES = ["one", "two"]
WRITE_S = 20  # the power goes within this time
CALL_S = 60  # nobody answers when the power is gone


class Space:
    """A Space that somebody works on, and what has been acknowledged about it."""

    def __init__(self, hub, name):
        self.hub, self.name, self.path = hub, name, f"/api/spaces/me/{name}"
        self.count, self.commits, self.variables = 0, [], {}
        self.texts = {}  # what a commit was to serve
        self.tried = None

    def begin(self):
        self.hub.create(self.name)
        self.push()

    def push(self):
        self.count += 1
        self.tried = f"{self.name} {self.count}"
        sha = self.hub.push(self.name, self.tried)
        self.commits.append(sha)
        self.texts[sha] = self.tried

    def set_variable(self):
        self.count += 1
        key, value = f"V{self.count % 5}", str(self.count)
        self.variables.pop(key, None)  # unknown until it is acknowledged
        answer = self.hub.call("POST", f"{self.path}/variables", {"key": key, "value": value}, timeout=CALL_S)
        assert answer.status == 200, answer.body
        self.variables[key] = value

    def work(self, ending):
        """Write until the power goes."""
        try:
            while not ending.is_set():
                random.choice([self.push, self.push, self.set_variable])()
        except (OSError, http.client.HTTPException):
            pass
        except AssertionError as refused:
            # nginx tells of a hub that is going down with it
            if " 502" not in str(refused) and " 503" not in str(refused):
                raise

    def history(self):
        """All commits of the Space, the newest first."""
        path, history = f"{self.path}/commits/main", []
        while path:
            page = self.hub.call("GET", path)
            history += [commit["id"] for commit in page.json]
            next_page = re.search(r'<https?://[^/]+([^>]+)>; rel="next"', page.headers.get("Link", ""))
            path = next_page and next_page[1]
        return history

    def check_history(self):
        history = self.history()
        kept = [sha for sha in reversed(history) if sha in self.texts]
        assert kept == self.commits
        # One more may have been made and not been acknowledged: then it is whole.
        if history[0] != self.commits[-1]:
            assert history[1] == self.commits[-1]
            self.commits.append(history[0])
            self.texts[history[0]] = self.tried
        app = self.hub.call("GET", f"/spaces/me/{self.name}/raw/main/app.py").body.decode()
        assert f"TEXT = {self.texts[self.commits[-1]]!r}" in app

    def check_variables(self):
        found = self.hub.call("GET", f"{self.path}/variables").json
        assert {key: found.get(key, {}).get("value") for key in self.variables} == self.variables

    def check_serving(self):
        self.hub.wait_stage(self.name, "RUNNING", sha=self.commits[-1])
        assert self.hub.visit(self.name, timeout=STAGE_S).body.decode() == self.texts[self.commits[-1]]


def wait_hub(hub):
    end = time.monotonic() + STAGE_S
    while True:
        try:
            if hub.call("GET", "/api/whoami-v2", timeout=CALL_S).status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < end, "the hub does not come back"
        time.sleep(0.5)


def check_disk(machine):
    for repo in machine.run("find", f"{DATA}/repos", "-maxdepth", "1", "-name", "*.git").split():
        machine.run("git", "-c", "safe.directory=*", "-C", repo, "fsck", "--strict", "--full")
    machine.run("espaced", "check")


@pytest.fixture(scope="module")
def spaces(hub):
    spaces = [Space(hub, name) for name in SPACES]
    for space in spaces:
        space.begin()
    for space in spaces:
        space.check_serving()
    return spaces


@pytest.mark.parametrize("number", range(CUTS))
def test_nothing_acknowledged_is_lost_when_the_power_goes(machine, hub, spaces, number):
    random.seed(f"{SEED} {number}")
    delay_s = random.uniform(0, WRITE_S)
    print(f"ESPACE_TEST_SEED={SEED}: power goes after {delay_s:.3f} s", flush=True)
    ending = threading.Event()
    workers = [threading.Thread(target=space.work, args=(ending,), daemon=True) for space in spaces]
    for worker in workers:
        worker.start()
    time.sleep(delay_s)
    machine.cut_power()
    ending.set()
    for worker in workers:
        worker.join()
    wait_hub(hub)
    for space in spaces:
        space.check_history()
        space.check_variables()
        space.check_serving()
    check_disk(machine)
