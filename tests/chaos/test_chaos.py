"""kill -9 of any process at any moment, while real clients work: nothing that was acknowledged is lost,
nothing that was not is there by half, no run is doubled or left over, and visitors are served.

The seed is printed; ESPACE_TEST_SEED repeats a run's choices. ESPACE_TEST_FULL gives the long counts.
"""

import json
import os
import random
import time

import pytest

import apps
import history as histories
import machine
from actors import REST_S, Administrator, Workload
from hub import Hub
from test_lifetimes import instance, leftovers
from test_versions import Visitor

FULL = bool(os.environ.get("ESPACE_TEST_FULL"))
SEED = int(os.environ.get("ESPACE_TEST_SEED", time.time()))
OTHERS = ["runner", "keeper", "nginx master", "nginx worker", "dnsmasq", "conmon"]
ROUNDS = {"hub": 500 if FULL else 12, **dict.fromkeys(OTHERS, 50 if FULL else 3)}
ROUNDS_TO_REST = 50 if FULL else 10
STEADY = ["one", "two"]  # Spaces that are pushed to, restarted, paused
QUIET = "quiet"  # one that is only visited
GRADIO = "gradio"  # one that nobody touches, with a real Gradio app
UNNOTICED = {"hub", "runner", "keeper", "dnsmasq"}  # whose death no visitor of the quiet one may see
KILL_WITHIN_S = 0.6
AWAY_S = 30  # longest time that a visitor is turned away for, when nginx or the app's monitor died

# Says what it was given. The secret is a made-up one.
APP = apps.PLAIN.replace("body = {text!r}.encode()", """body = json.dumps(
            ["TEXT", os.environ.get("VARIABLE"), os.environ.get("SECRET")]).encode()""").replace(
    "import http.server", "import http.server, json, os").replace("{text}", "TEXT")

GRADIO_APP = """
import gradio
gradio.Interface(lambda name: "Hello " + name, "text", "text").launch()
"""


def see_space(history, hub, name):
    """What the Space shows is what it was told last, paused or running."""
    paused = history.may_be.get(f"paused {name}", {False})
    end = time.monotonic() + REST_S
    while True:
        stage = hub.runtime(name)["stage"]
        if stage == "PAUSED" and True in paused:
            history.settle(f"paused {name}", True)
            return False
        if stage == "RUNNING" and False in paused:
            seen = hub.visit(name, timeout=20)
            told = json.loads(seen.body) if seen.status == 200 else [seen.status, seen.body, None]
            things = dict(zip([f"text {name}", f"variable {name}", f"secret {name}"], told))
            if all(value in history.may_be.get(thing, {None}) for thing, value in things.items()):
                for thing, value in {**things, f"paused {name}": False}.items():
                    history.may_be[thing] = {value}
                return True
        assert time.monotonic() < end, (
            f"{name} is {stage} and says {told if stage == 'RUNNING' else None}, not "
            f"{[history.may_be.get(f'{kind} {name}') for kind in ('text', 'variable', 'secret', 'paused')]}\n"
            + history.tail(f"text {name}") + "\n" + history.tail(f"secret {name}") + f"\n{hub.tail(80)}")
        time.sleep(0.1)


def check_repositories(history, hub):
    """Those that came and went; and the tags of those that are there. The Spaces among them that run."""
    running = []
    for thing in history.things("repo"):
        _, kind, name = thing.split()
        there = hub.call("GET", f"/api/{kind}s/me/{name}").status == 200
        history.settle(thing, True if there else None)
        refs = hub.call("GET", f"/api/{kind}s/me/{name}/refs").json["tags"] if there else []
        history.settle(f"tag {kind} {name}", True if refs else None)
        if there and kind == "space":
            running.append(name)
        if not there:
            del history.may_be[thing], history.may_be[f"tag {kind} {name}"]  # never again
    return running


def check_words(history, hub):
    for thing in history.things("token"):
        status = hub.call("GET", "/api/whoami-v2", token=thing.removeprefix("token ")).status
        assert status in (200, 401)
        history.settle(thing, True if status == 200 else None)
        if status == 401:
            del history.may_be[thing]
    role = machine.rows(hub, "SELECT role FROM members JOIN accounts ON id = user_id WHERE name = 'other'")
    history.settle("member other", role[0][0] if role else None)


def has_app(hub, name):
    files = hub.call("GET", f"/api/spaces/me/{name}/tree/main").json
    return any(entry["path"] == "app.py" for entry in files)


def check_all(history, hub, address):
    """Nobody works: the whole history against the whole hub, and the machine."""
    passing = check_repositories(history, hub)
    running = [name for name in STEADY if see_space(history, hub, name)]
    running += [QUIET, GRADIO] + [name for name in passing if has_app(hub, name)]
    machine.wait_rest(hub, address, [*STEADY, QUIET, GRADIO, *passing], running)
    assert hub.visit(GRADIO, "/config").status == 200
    check_words(history, hub)
    files, = machine.rows(hub, "SELECT hex FROM repos WHERE name = 'files'")
    histories.check_files(history, hub.data / f"repos/{files[0]}.git")
    for name, in machine.rows(hub, "SELECT hex FROM repos"):
        histories.git(hub.data / f"repos/{name}.git", "fsck", "--strict", "--no-dangling")
    assert machine.rows(hub, "PRAGMA integrity_check") == [("ok",)]
    assert machine.rows(hub, "PRAGMA foreign_key_check") == []


def good(visitor):
    return visitor.answers.get(QUIET.encode(), 0)


def served_again(hub, visitor):
    """After a death that visitors may notice: the time until they are served as before."""
    began = time.monotonic()
    while True:
        answered, failed = good(visitor), len(visitor.failures)
        machine.wait_for(lambda: f"answers of the quiet Space: {visitor.failures[-3:]}\n{hub.tail(60)}",
                         lambda: good(visitor) > answered + 1, AWAY_S)
        if len(visitor.failures) == failed:
            # The keeper holds the ports: whoever comes while nobody serves waits in their queues.
            assert not [failure for failure in visitor.failures if "refused" in str(failure)], visitor.failures
            visitor.failures.clear()
            return time.monotonic() - began


def run_round(hub, history, victim, visitor, chance):
    time.sleep(chance.uniform(0, KILL_WITHIN_S))
    pid = machine.kill(hub, victim, chance.choice)
    began = time.monotonic()
    machine.wait_back(hub, victim, pid)
    back = f"killed {victim} {pid}, back after {time.monotonic() - began:.2f} s"
    if victim not in UNNOTICED:
        back += f", visitors served after {served_again(hub, visitor):.2f} s more"
    assert visitor.failures == [], f"{back}: a visitor saw {visitor.failures}\n{hub.tail(60)}"
    history.note(back)
    return back


def prepare(hub):
    for name in STEADY:
        hub.create(name)
        hub.commit(name, {"app.py": APP.replace("TEXT", f"{name} 0")})
    for name, files in [(QUIET, apps.plain(QUIET)), (GRADIO, {"app.py": GRADIO_APP})]:
        hub.create(name)
        hub.commit(name, files)
    hub.call("POST", "/api/repos/create", {"name": "files", "type": "model"})
    hub.words("user", "add", "other")
    hub.words("org", "add", "team")
    for name in [*STEADY, QUIET, GRADIO]:
        hub.wait_stage(name, "RUNNING")


@pytest.fixture
def hub():
    hub = Hub().init()
    try:
        yield hub.start()
    finally:
        hub.remove()


def test_kill_of_any_process_at_any_moment(hub):
    print(f"ESPACE_TEST_SEED={SEED}", flush=True)
    chance = random.Random(SEED)
    rounds = [victim for victim, count in ROUNDS.items() for _ in range(count)]
    chance.shuffle(rounds)
    prepare(hub)
    address = machine.gateway(hub)
    history = histories.History()
    for name in STEADY:
        history.may_be[f"text {name}"] = {f"{name} 0"}
    workload, administrator = Workload(hub, history, SEED, STEADY, APP), Administrator(hub, history, SEED)
    visitor = Visitor(hub.host(QUIET), "GET")
    try:
        administrator.start()
        visitor.start()
        workload.say("go")
        administrator.go()
        for number, victim in enumerate(rounds, 1):
            print(f"round {number}:", run_round(hub, history, victim, visitor, chance), flush=True)
            if number % ROUNDS_TO_REST and number < len(rounds):
                continue
            workload.rest()
            administrator.rest()
            began = time.monotonic()
            check_all(history, hub, address)
            print(f"all is right, {history.acknowledged()} acknowledged, at rest after "
                  f"{time.monotonic() - began:.1f} s", flush=True)
            workload.say("go")
            administrator.go()
        workload.rest()
        administrator.rest()
    finally:
        administrator.ending = True
        workload.end()
        visitor.leave()
    assert visitor.failures == []
    name = instance(hub)
    done = hub.stop()
    assert done.returncode == 0, done.stderr
    assert leftovers(hub, name) == []
    assert set(machine.processes(hub, address).values()) == {0}
