"""kill -9 of git's processes, which collections and checks start, while clients commit: nothing is lost, and the next
collection does what the one that was cut has not done."""

import os
import pathlib
import random
import signal
import subprocess
import threading
import time

import pytest

import history as histories
import machine
from hub import ESPACED, Hub

FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time()))
ROUNDS = 50 if FULL else 3
FILES = 1000  # of one commit: so many loose objects are worth packing (repo/tidy.h)
GIT_LASTS_S = 0.03  # about
TRIES = 20


@pytest.fixture(scope="module")
def hub():
    hub = Hub().init()
    try:
        hub.start()
        hub.call("POST", "/api/repos/create", {"name": "files", "type": "model"})
        yield hub
    finally:
        hub.remove()


@pytest.fixture(scope="module")
def repo(hub):
    return next((hub.data / "repos").iterdir())


def git_below(pid):
    """The processes of git that a process has started, itself or through others."""
    below = machine.children(pid)
    names = {}
    for child in below:
        try:
            names[child] = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
        except OSError:
            pass
    return [child for child, name in names.items() if name == "git"] + [
        grandchild for child, name in names.items() if name != "git" for grandchild in git_below(child)]


def kill(pid):
    """Certainly: one that can be stopped has not ended yet."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while (state := machine.process_field(pid, 3)) not in ("T", None):
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
        return state == "T"
    except ProcessLookupError:
        return False


class Word:
    """A word whose first or every git is killed, at a random moment of its life; it may be missed, its life is short."""

    def __init__(self, hub, chance, *words, every=False):
        self.process = subprocess.Popen([ESPACED, "--data", hub.data, *words], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True)
        self.killed = 0
        while self.process.poll() is None:
            for pid in git_below(self.process.pid) if every or not self.killed else []:
                time.sleep(chance.random() * GIT_LASTS_S)
                self.killed += kill(pid)
            time.sleep(machine.LOOK_S / 10)
        self.said = self.process.communicate()[0]


class Committer(threading.Thread):
    """Small commits all the time; each that was acknowledged counts."""

    def __init__(self, hub):
        super().__init__(daemon=True)
        self.hub, self.ended, self.number = hub, threading.Event(), 0

    def run(self):
        while not self.ended.is_set():
            self.hub.commit("files", {"beside.txt": f"{self.number + 1}"}, kind="models")
            self.number += 1


def check_repository(repo, committer, folders):
    histories.git(repo, "fsck", "--strict", "--no-dangling")
    assert histories.git(repo, "show", "main:beside.txt") == str(committer.number)
    assert len(histories.git(repo, "ls-tree", "-r", "--name-only", "main", "many/").splitlines()) == folders * FILES


def leftovers(repo):
    """What git's processes that died were about to write."""
    return [*(repo / "objects/pack").glob("tmp_*"), *(repo / "objects").glob("*/tmp_obj_*")]


def test_a_collection_whose_git_dies_loses_nothing_and_is_made_up_for(hub, repo):
    print(f"ESPACE_TEST_SEED={SEED}", flush=True)
    chance, killed = random.Random(SEED), 0
    for number in range(1, ROUNDS + 1):
        many = {f"many/{number}-{i}.txt": f"{number} {i} {SEED}" for i in range(FILES)}
        hub.commit("files", many, kind="models")
        committer = Committer(hub)
        committer.start()
        try:
            word = Word(hub, chance, "--gc-keep", "0", "gc")
        finally:
            committer.ended.set()
            committer.join()
        killed += word.killed
        print(f"round {number}: {word.said.splitlines()[-1:]}", flush=True)
        check_repository(repo, committer, number)
    assert killed > 0
    for cut in leftovers(repo):
        os.utime(cut, (0, 0))  # a younger one may be somebody's who is at it
    hub.words("--gc-keep", "0", "gc")
    hub.words("check")
    loose = [name for name in (repo / "objects").iterdir() if len(name.name) == 2]
    assert sum(len(list(folder.iterdir())) for folder in loose) < FILES
    assert leftovers(repo) == []


def test_a_check_whose_git_dies_asks_again(hub, repo):
    chance = random.Random(SEED)
    words = (Word(hub, chance, "check") for _ in range(TRIES))
    word = next(word for word in words if word.killed)
    assert word.process.returncode == 0, word.said


def test_a_check_whose_every_git_dies_does_not_say_that_all_is_right(hub, repo):
    chance = random.Random(SEED)
    words = (Word(hub, chance, "check", "--repair", every=True) for _ in range(TRIES))
    word = next(word for word in words if word.killed > 1)
    assert word.process.returncode == 1 and repo.name in word.said, word.said
    hub.words("check")
