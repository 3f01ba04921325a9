"""The guide's last part: examples/training, driven by gradio_client as a person would.

Its skeleton has slips, which the example repairs: imports are missing; `repo_id` and `repo_type` are not defined
(TASK_DATASET_ID, "dataset"); the file of tasks is opened twice (`open(csv_file)` of an open file); its first line is
empty after a task is added to no tasks, and `row[2]` fails there; `replace()` marks every equal task, and those whose
names end alike; two people who submit at once lose a task; `gr.Interface(fn=gradio_fn, ...)` gives one input for two;
`runtime.hardware` may still be that of the process before; a task that fails stays PENDING on the bigger machine, and so
does a Space whose process ends between DONE and the downgrade; a task that was uploaded and not marked is done again.
"""

import csv
import io
import json
import os
import random
import re
import signal
import threading
import time

import pytest

import clients
from hub import ROOT
from test_secrets import process_of

EXAMPLE = ROOT / "examples" / "training"
# How often the Space or the hub is disturbed while it trains.
ROUNDS = 8 if os.environ.get("ESPACE_TEST_FULL") else 1
LONG = "60000"  # epochs: some seconds
SEED = int(os.environ.get("ESPACE_TEST_SEED", "6"))

SET_UP = """
import json, os, sys
from huggingface_hub import HfApi
api, space, folder = HfApi(), sys.argv[1], sys.argv[2]
api.create_repo("me/flowers", repo_type="dataset")
rows = "".join(f"{i % 7},{i % 3 * 2 + i % 7 / 10},{i % 3}\\n" for i in range(300))
api.upload_file(path_or_fileobj=rows.encode(), path_in_repo="train.csv", repo_id="me/flowers", repo_type="dataset")
api.create_repo("me/base")
weights = json.dumps([[0.0] * 3] * 3)
api.upload_file(path_or_fileobj=weights.encode(), path_in_repo="weights.json", repo_id="me/base")
api.create_repo(space, repo_type="space", space_sdk="gradio", private=True)
api.add_space_secret(space, "HF_TOKEN", os.environ["HF_TOKEN"])
api.add_space_variable(space, "MODEL_REPO_ID", "me/trained")
api.upload_folder(repo_id=space, repo_type="space", folder_path=folder)
"""

# The Space restarts under the call: whether its answer arrives is chance.
SUBMIT = """
import sys, os
from gradio_client import Client
client = Client(sys.argv[1], token=os.environ["HF_TOKEN"], verbose=False)
try:
    print(client.predict("me/base", sys.argv[2], api_name="/submit"))
except Exception as error:
    print("cut", type(error).__name__)
"""


def resolve(hub, kind, repo, path):
    answer = hub.call("GET", f"/{kind}{repo}/resolve/main/{path}")
    return answer.body.decode() if answer.status == 200 else None


def tasks(hub):
    text = resolve(hub, "datasets/", "me/training-tasks", "tasks.csv")
    return list(csv.reader(io.StringIO(text or "")))


def trained(hub):
    """The tasks in the order in which the model's history has them."""
    answer = hub.call("GET", "/api/models/me/trained/commits/main?limit=1000")
    titles = [commit["title"] for commit in answer.json] if answer.status == 200 else []
    return [title.split()[1] for title in reversed(titles) if title.startswith("train ")]


def runs(hub):
    identity = hub.call("GET", "/api/spaces/me/training").json["_id"]
    logs = sorted((hub.data / "spaces" / identity / "logs").glob("run-*.log"), key=lambda path: int(path.stem[4:]))
    texts = []
    for log in logs:
        try:
            texts.append(log.read_text(errors="replace"))
        except FileNotFoundError:
            pass  # the oldest one has just gone
    return texts


def trainings(hub):
    return re.findall(r"training me/base on \S+, task (\w+)", "".join(runs(hub)))


def is_training(hub):
    return len(runs(hub)) > 0 and "epoch 0:" in runs(hub)[-1] and hub.runtime("training")["hardware"]["current"] == "t4-medium"


def follow(hub, done, timeout=240):
    """Poll until the Space is back on cpu-basic with its form and `done()`; (stage, hardware) as they were seen."""
    seen = []
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        runtime = hub.runtime("training")
        now = (runtime["stage"], runtime["hardware"]["current"], runtime["hardware"]["requested"])
        if not seen or seen[-1] != now:
            seen.append(now)
        if now == ("RUNNING", "cpu-basic", "cpu-basic") and done():
            return seen
        time.sleep(0.1)
    raise AssertionError(f"{seen}\n{tasks(hub)}\n{runs(hub)[-1][-3000:]}")


def wait_training(hub, task):
    end = time.monotonic() + 120
    while not (is_training(hub) and trainings(hub)[-1] == task):
        assert time.monotonic() < end, f"{task} is not trained: {hub.runtime('training')}\n{runs(hub)[-1][-3000:]}"
        time.sleep(0.05)


def add_by_hand(hub, *rows):
    """A person edits the list, and starts the Space."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*tasks(hub), *rows])
    hub.commit("training-tasks", {"tasks.csv": text.getvalue()}, kind="datasets")
    assert hub.call("POST", "/api/spaces/me/training/restart").status == 200


def settled(hub):
    return lambda: all(row[2] != "PENDING" for row in tasks(hub))


@pytest.fixture(scope="module")
def space(hub):
    with clients.Client("2.4.0", hub) as client:
        client.run(SET_UP, "me/training", EXAMPLE)
        hub.wait_stage("training", "RUNNING")
        yield client


def test_one_job_is_run_and_the_space_comes_back(hub, space):
    person = threading.Thread(target=space.run, args=(SUBMIT, "me/training", "me/flowers"))
    person.start()
    seen = follow(hub, lambda: len(tasks(hub)) == 1 and settled(hub)())
    person.join()
    assert not [stage for stage, *_ in seen if "ERROR" in stage], seen
    assert "t4-medium" in [current for _, current, _ in seen], seen

    ((base, dataset, status, task),) = tasks(hub)
    assert (base, dataset, status) == ("me/base", "me/flowers", "DONE")
    assert trained(hub) == trainings(hub) == [task]
    report = json.loads(resolve(hub, "", "me/trained", "training.json"))
    assert report["tasks"] == [task] and report["right"] > 0.9
    weights = json.loads(resolve(hub, "", "me/trained", "weights.json"))
    assert len(weights) == 3 and any(abs(cell) > 0.1 for row in weights for cell in row)
    assert space.run("import sys\nfrom gradio_client import Client\nimport os\n"
                     "print(Client(sys.argv[1], token=os.environ['HF_TOKEN'], verbose=False).view_api("
                     "return_format='dict')['named_endpoints'].keys())", "me/training").find("/submit") > 0


def test_what_was_uploaded_and_not_marked_is_marked_and_not_done_again(hub, space):
    """As if the process had ended in between; and a task that nobody can do keeps no machine."""
    before, ((*_, task),) = trainings(hub), tasks(hub)
    hub.commit("training-tasks", {"tasks.csv": f"me/base,me/flowers,PENDING,{task}\nme/base,me/nowhere,PENDING,x\n"},
               kind="datasets")
    assert hub.call("POST", "/api/spaces/me/training/restart").status == 200
    seen = follow(hub, settled(hub))
    assert not [stage for stage, *_ in seen if "ERROR" in stage], seen
    assert [row[2] for row in tasks(hub)] == ["DONE", "FAILED"]
    assert trainings(hub) == [*before, "x"] and trained(hub) == [task]


def disturb(hub, how):
    if how == "hub":
        os.kill(process_of(hub, "hub"), signal.SIGKILL)
    elif how == "runner":
        os.kill(process_of(hub, "runner"), signal.SIGKILL)
    elif how == "push":
        hub.commit("training", {"notes.txt": str(time.time_ns())})
    else:
        assert hub.call("POST", "/api/spaces/me/training/restart").status == 200


@pytest.mark.parametrize("how", ["hub", "runner", "push", "restart"] if ROUNDS > 1 else ["restart"])
def test_a_task_is_uploaded_once_whatever_happens_while_it_trains(hub, space, how):
    chance = random.Random(SEED)
    hub.call("POST", "/api/spaces/me/training/variables", {"key": "EPOCHS", "value": LONG})
    hub.wait_stage("training", "RUNNING")
    for number in range(ROUNDS):
        task = f"{how}{number}"
        add_by_hand(hub, ["me/base", "me/flowers", "PENDING", task])
        wait_training(hub, task)
        time.sleep(chance.random())
        disturb(hub, how)
        seen = follow(hub, settled(hub))
        assert not [stage for stage, *_ in seen if "ERROR" in stage], seen
        assert {row[3]: row[2] for row in tasks(hub)}[task] == "DONE"
        assert trained(hub).count(task) == 1, trained(hub)
        if how == "hub":
            assert trainings(hub).count(task) == 1  # the app lives on
