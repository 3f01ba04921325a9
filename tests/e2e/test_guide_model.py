"""Random calls from eight clients at once, against a small model of what a Space is wished to be.

Six clients have a Space each, so that every answer can be judged by what that client has asked for before; two share one,
which is judged by its audit. The hub is killed meanwhile. A call that was cut is repeated until it is acknowledged: all of
them may be. `ESPACE_TEST_SEED=N` repeats the choices of a round, `ESPACE_TEST_FULL=1` goes on for minutes.
"""

import contextlib
import http.client
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time

import apps
from hub import fetch
from test_guide_words import PASSING, all_cgroups
from test_secrets import process_of

SEED = int(os.environ.get("ESPACE_TEST_SEED", "1"))
FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
SECONDS = 300 if FULL else 10
KILL_EVERY_S = 12 if FULL else 5
OWNERS, SHARERS = 6, 2
PAUSE_S = 0.3
SETTLE_S = 120
HOURS_48 = 48 * 3600
FLAVORS = ["cpu-basic", "cpu-upgrade", "t4-small", "t4-medium"]
COUNTED = "one-of-a-kind"  # conftest.py: one Space has it, others wait for their turn
STOPPED_IN_SLEEP = ("t4-small", "t4-medium", COUNTED)
CUT = (502, 503, 504)  # an answer that says nothing about whether it was done
BROWSER = {"Accept": "text/html"}  # does not wait long for a start

# Says which version it is, and which secret it was started with: both count upwards.
APP = apps.telling("import os", '{"version": VERSION, "secret": int(os.environ.get("COUNT", "0"))}')


def app(version, works=True):
    return APP.replace("VERSION", str(version)) if works else f"raise SystemExit({version % 100 + 1})\n"


class Model:
    """What a Space is wished to be, by the acknowledged calls."""

    def __init__(self):
        self.exists, self.paused, self.works = True, False, True
        self.version = self.secret = 0  # the newest
        self.flavor, self.sleep = "cpu-basic", HOURS_48
        self.old_serves = True  # may a version before a broken push go on?
        self.dozes = False  # may it be asleep?

    def set_hardware(self, flavor, sleep):
        """cpu-basic has its 48 hours; other hardware never sleeps, or as was set for such."""
        if flavor == "cpu-basic":
            self.sleep = HOURS_48
        elif sleep:
            self.sleep = sleep
        elif self.flavor == "cpu-basic":
            self.sleep = None
        dozed = self.dozes
        if flavor != self.flavor:
            self.restarts()
        self.dozes |= self.sleep == 1 or (dozed and flavor == COUNTED)  # it sleeps on until its turn comes
        self.flavor = flavor

    def set_sleep(self, seconds):
        """One that sleeps already is not woken by another time."""
        if self.flavor != "cpu-basic":
            self.sleep = seconds if seconds > 0 else None
            self.dozes |= self.sleep == 1

    def restarts(self):
        """Ends what runs: an old version does not come back, and nobody sleeps on."""
        self.dozes = self.sleep == 1
        if not self.works:
            self.old_serves = False

    def pushed(self, version, works):
        self.version, self.works, self.old_serves = version, works, True
        self.dozes = self.sleep == 1

    def stages(self):
        """The stages at rest."""
        if self.paused:
            return ["PAUSED"]
        if not self.works:
            return ["RUNTIME_ERROR"]
        return ["RUNNING", "SLEEPING"] if self.dozes else ["RUNNING"]

    def waits(self, runtime):
        """For hardware that another has: its stage may pass for as long."""
        return self.flavor == COUNTED and not self.paused and "queue" in runtime["hardware"]

    def serves(self, runtime):
        """Does a visit have to be answered by the app, if this is what was said just before?"""
        return (self.works and runtime["stage"] in self.stages() and not self.paused and not self.waits(runtime)
                and not (self.dozes and self.flavor in STOPPED_IN_SLEEP))


class Client(threading.Thread):
    """Chooses a call, makes it, and compares the answer with its model."""

    ACTS = ["hardware", "hardware", "sleep", "pause", "restart", "secret", "secret", "push", "push", "broken", "visit",
            "visit", "visit", "recreate"]
    FLAVORS = [*FLAVORS, COUNTED]

    def __init__(self, hub, name, number, ends):
        super().__init__(daemon=True)
        self.hub, self.name_, self.ends = hub, name, ends
        self.random = random.Random(f"{SEED} {number}")
        self.model = Model()
        self.seen = {"version": 0, "secret": 0}
        self.history, self.failure = [], None
        self.cut = 0

    def run(self):
        try:
            while time.monotonic() < self.ends:
                act = self.random.choice(self.ACTS)
                self.history.append(act)
                getattr(self, act)()
                time.sleep(self.random.random() * PAUSE_S)
        except Exception as error:
            self.failure = f"{self.name_}: {error!r} after {self.history[-30:]}"

    def ask(self, method, path, body=None, headers=None, also=()):
        """Repeat a call until it is acknowledged. `also`: what its repetition may be answered."""
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end:
            try:
                answer = self.hub.call(method, path, body, headers=headers)
            except (OSError, http.client.HTTPException):
                self.cut += 1
            else:
                if answer.status == 200 or answer.status in also:
                    return answer
                assert answer.status in CUT, f"{method} {path}: {answer.status} {answer.body[:300]}"
                self.cut += 1
            time.sleep(0.1)
        raise AssertionError(f"{method} {path} was never acknowledged")

    def space(self, path=""):
        return f"/api/spaces/me/{self.name_}{path}"

    def judge(self, runtime, *stages):
        model = self.model
        self.history.append((runtime["stage"], runtime["hardware"]["requested"]))
        assert runtime["hardware"]["requested"] == model.flavor, runtime
        assert runtime["gcTimeout"] == model.sleep or (model.sleep is None and runtime["gcTimeout"] == -1), runtime
        assert runtime["stage"] in ([*stages] if stages and not model.paused else [*model.stages(), *PASSING]), runtime
        assert (runtime["stage"] == "PAUSED") == model.paused, runtime

    # The calls

    def hardware(self):
        flavor, sleep = self.random.choice(self.FLAVORS), self.random.choice([None, None, 1, 7200])
        body = {"flavor": flavor, **({"sleepTimeSeconds": sleep} if sleep else {})}
        changes = flavor != self.model.flavor
        answer = self.ask("POST", self.space("/hardware"), body)
        self.model.set_hardware(flavor, sleep)
        self.judge(answer.json, *(PASSING if changes and flavor != COUNTED else ()))

    def sleep(self):
        seconds = self.random.choice([-1, 1, 1, 3600])
        answer = self.ask("POST", self.space("/sleeptime"), {"seconds": seconds})
        self.model.set_sleep(seconds)
        self.judge(answer.json)

    def pause(self):
        answer = self.ask("POST", self.space("/pause"))
        self.model.paused = True
        self.model.restarts()
        self.judge(answer.json, "PAUSED")

    def restart(self):
        answer = self.ask("POST", self.space("/restart"))
        self.model.paused = False
        self.model.restarts()
        self.judge(answer.json, *PASSING)

    def secret(self):
        count = self.model.secret + 1
        self.ask("POST", self.space("/secrets"), {"key": "COUNT", "value": str(count)})
        self.model.secret = count
        self.model.restarts()
        self.judge(self.ask("GET", self.space("/runtime")).json)

    def push(self, works=True):
        version = self.model.version + 1
        lines = [{"key": "header", "value": {"summary": f"version {version}"}},
                 {"key": "file", "value": {"path": "app.py", "content": app(version, works), "encoding": "utf-8"}}]
        self.ask("POST", self.space("/commit/main"), "\n".join(map(json.dumps, lines)).encode(),
                 headers={"Content-Type": "application/x-ndjson"})
        self.model.pushed(version, works)
        self.judge(self.ask("GET", self.space("/runtime")).json)

    def broken(self):
        if self.random.random() < 0.3:
            self.push(works=False)

    def visit(self):
        """It is up, or is waited for, or a page says why not; and nothing older than what was shown before."""
        runtime = self.ask("GET", self.space("/runtime")).json
        self.judge(runtime)
        try:
            answer = self.go()
        except (OSError, http.client.HTTPException) as error:
            assert not self.must_serve(runtime), (error, runtime)
            self.cut += 1  # its run was ended under it
            return
        self.history.append((answer.status, answer.body[:60]))
        if answer.status == 200:
            self.look(answer.json)
        else:
            assert answer.status in CUT and not self.must_serve(runtime), (answer.status, answer.body, runtime)

    def go(self):
        """Who would wait for another's hardware looks as a browser does."""
        return fetch(f"http://me-{self.name_}.localhost:{self.hub.port}/", timeout=SETTLE_S,
                     headers=BROWSER if self.model.flavor == COUNTED else None)

    def must_serve(self, runtime):
        return self.model.serves(runtime)

    def look(self, page):
        for what, newest in (("version", self.model.version), ("secret", self.model.secret)):
            assert self.seen[what] <= page[what] <= newest, (page, self.seen, newest)
            self.seen[what] = page[what]

    def recreate(self):
        if self.random.random() > 0.3:
            return
        self.ask("DELETE", "/api/repos/delete", {"name": self.name_, "organization": "me", "type": "space"}, also=(404,))
        assert self.ask("GET", self.space("/runtime"), also=(404,)).status == 404
        self.ask("POST", "/api/repos/create", {"name": self.name_, "type": "space", "sdk": "gradio"}, also=(409,))
        version, self.model = self.model.version, Model()
        self.model.version = version
        self.seen["secret"] = 0
        self.push()

    # At rest

    def rest(self):
        """What is said of it at rest: the stage that its wish says, or a place in the queue."""
        end = time.monotonic() + SETTLE_S
        while True:
            runtime = self.hub.runtime(self.name_)
            if runtime["stage"] in self.model.stages() or self.model.waits(runtime):
                return runtime
            assert time.monotonic() < end, f"{self.name_}: {runtime}, not {self.model.stages()}: {self.history[-30:]}"
            time.sleep(0.1)

    def settle(self):
        model, runtime = self.model, self.rest()
        self.judge(runtime)
        answer = self.go()
        if not model.works or model.paused or model.waits(runtime):
            if answer.status == 200:  # a version before the broken one, or what goes on until its turn comes
                assert model.waits(runtime) or (model.old_serves and not model.paused), self.history[-30:]
                self.look(answer.json)
            return
        if model.flavor == COUNTED and model.dozes and answer.status in CUT:
            return  # its place may be another's by now
        assert runtime["hardware"]["current"] == (None if runtime["stage"] == "SLEEPING" else model.flavor), runtime
        assert answer.json == {"version": model.version, "secret": model.secret}, self.history[-30:]


class Sharer(Client):
    """Two of them have one Space: what it is wished to be stands in its audit."""

    ACTS = ["hardware", "sleep", "pause", "restart", "restart", "variable", "visit", "visit"]
    FLAVORS = FLAVORS

    def judge(self, runtime, *stages):
        assert runtime["stage"] in ("PAUSED", "RUNNING", "SLEEPING", *PASSING), runtime

    def must_serve(self, runtime):
        return False  # the other one may have paused it since

    def look(self, page):
        assert page["version"] == 1, page

    def variable(self):
        self.ask("POST", self.space("/variables"), {"key": "COUNT", "value": str(self.random.randrange(1000))})

    def settle(self):
        rows = [json.loads(line) for line in self.hub.words(
            "audit", "--json", "--limit", "100000", "--target", f"spaces/me/{self.name_}").splitlines()]
        for row in sorted(rows, key=lambda row: row["id"]):
            if row["action"] in ("space.pause", "space.restart"):
                self.model.paused = row["action"] == "space.pause"
            for part in row["detail"].split(", "):
                if part.startswith("hardware: "):
                    was, self.model.flavor = part.removeprefix("hardware: ").split(" -> ")
        self.model.dozes = True
        assert self.rest()["hardware"]["requested"] == self.model.flavor, rows[:5]
        count = self.hub.call("GET", self.space("/variables")).json.get("COUNT", {"value": "0"})["value"]
        if not self.model.paused:
            assert self.hub.visit(self.name_).json == {"version": 1, "secret": int(count)}


def wait_orphans_gone(hub):
    """Every container of the instance is a run of a Space, and each of our Spaces has one if it is to have one."""
    end = time.monotonic() + 60
    instance = (hub.data / "instance").read_text().split()[0].removeprefix("id=")
    while True:
        done = subprocess.run(["grep", "-hosE", f"/espace-{instance}/[0-9a-f]{{24}}-[0-9-]+", *all_cgroups()],
                              capture_output=True, text=True)
        runs = {line.rsplit("/", 1)[1] for line in done.stdout.split()}
        with contextlib.closing(sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True)) as database:
            spaces = {key: (name, stage)
                      for key, name, stage in database.execute("SELECT hex, full_name, stage FROM spaces")}
        ours = {key: stage for key, (name, stage) in spaces.items() if name.startswith("me/model-")}
        owners = sorted(run[:24] for run in runs if run[:24] in ours or run[:24] not in spaces)
        # A version before a broken one may go on, or before one that waits for its turn; some sleep in memory.
        needed = [key for key, stage in ours.items() if stage == "RUNNING"]
        allowed = [key for key, stage in ours.items() if stage.startswith("RUN") or stage == "SLEEPING"]
        if len(owners) == len(set(owners)) and set(needed) <= set(owners) <= set(allowed):
            return
        assert time.monotonic() < end, (runs, ours)
        time.sleep(0.2)


def wait_turns(hub, crowd):
    """Who waits for the hardware of which there is one, waits for somebody who has it."""
    end = time.monotonic() + SETTLE_S
    names = [client.name_ for client in crowd if client.model.flavor == COUNTED]
    while True:
        seen = [hub.runtime(name)["hardware"] for name in names]
        if not any("queue" in hardware for hardware in seen) or COUNTED in [hardware["current"] for hardware in seen]:
            return
        assert time.monotonic() < end, seen
        time.sleep(0.1)


def check(hub):
    done = hub.words("check", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_space_ends_as_it_is_wished(hub):
    names = [f"model-{number}" for number in range(OWNERS)] + ["model-shared"]
    for name in names:
        hub.create(name)
        hub.commit(name, {"app.py": app(1)})
    for name in names:
        hub.wait_stage(name, "RUNNING")
    ends = time.monotonic() + SECONDS
    crowd = [Client(hub, name, number, ends) for number, name in enumerate(names[:OWNERS])]
    crowd += [Sharer(hub, "model-shared", OWNERS + number, ends) for number in range(SHARERS)]
    for client in crowd:
        client.model.version = 1
        client.start()
    chance, kills = random.Random(SEED), 0
    while time.monotonic() + KILL_EVERY_S < ends:
        time.sleep(KILL_EVERY_S * (0.5 + chance.random() / 2))
        os.kill(process_of(hub, "hub"), signal.SIGKILL)
        kills += 1
        time.sleep(KILL_EVERY_S / 2)
    for client in crowd:
        client.join(SECONDS + SETTLE_S)
    assert [client.failure for client in crowd if client.failure] == []
    assert kills > 0 and all(len(client.history) > 5 for client in crowd)

    for client in crowd:
        client.settle()
    wait_turns(hub, crowd)
    wait_orphans_gone(hub)
    check(hub)  # with the ledger of all that was killed
    for name in names:
        assert hub.call("DELETE", "/api/repos/delete", {"name": name, "organization": "me", "type": "space"}).status == 200
    wait_orphans_gone(hub)
    check(hub)
