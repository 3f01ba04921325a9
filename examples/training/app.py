"""A Space that trains models: a form on cpu-basic, a bigger machine for as long as a task takes.

A dataset repository is its memory. Each row of tasks.csv there is a task: base model, dataset, PENDING or
DONE or FAILED, and an id. Whatever ends this process, the next one reads the file and goes on.
"""

import csv
import io
import json
import os
import sys
import time
import uuid

import numpy as np
from huggingface_hub import CommitOperationAdd, HfApi, SpaceHardware
from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError

SPACE_ID = os.environ["SPACE_ID"]
TASK_DATASET_ID = os.environ.get("TASK_DATASET_ID", f"{SPACE_ID}-tasks")
MODEL_REPO_ID = os.environ.get("MODEL_REPO_ID", f"{SPACE_ID}-model")
TRAINING = SpaceHardware.T4_MEDIUM
RESTING = SpaceHardware.CPU_BASIC

BASE, DATASET, STATUS, ID = range(4)
EPOCHS = int(os.environ.get("EPOCHS", "2000"))
STEP = 0.5
TRIES = 8

api = HfApi(token=os.environ.get("HF_TOKEN"))  # a secret of the Space


# Repositories


def is_passing(error):
    """Others were faster (409, 412), or the hub is away for a moment."""
    status = error.response.status_code if error.response is not None else 500
    return status >= 500 or status in (409, 412)


def again(action):
    """Whatever this program does may be begun anew, so that it may also be tried again."""
    for attempt in range(TRIES):
        try:
            return action()
        except HfHubHTTPError as error:
            if attempt == TRIES - 1 or not is_passing(error):
                raise
            time.sleep(0.2 * 2**attempt)


def read(repo, kind, path, revision):
    """A text file of a repository; None where there is no such file."""
    try:
        file = api.hf_hub_download(repo, path, repo_type=kind, revision=revision)
    except EntryNotFoundError:
        return None
    with open(file, encoding="utf-8") as text:
        return text.read()


def change(repo, kind, make):
    """Commit the files that `make(head)` returns on top of what it has seen; none, and there is nothing to do."""

    def attempt():
        head = api.repo_info(repo, repo_type=kind).sha
        summary, files = make(head)
        if files:
            operations = [CommitOperationAdd(path, text.encode()) for path, text in files.items()]
            api.create_commit(repo, operations, repo_type=kind, commit_message=summary, parent_commit=head)

    again(attempt)


# The task list


def tasks(revision=None):
    rows = csv.reader(io.StringIO(read(TASK_DATASET_ID, "dataset", "tasks.csv", revision) or ""))
    # A row without an id is one that a person wrote: its number will do.
    return [[*row, str(number)][: ID + 1] for number, row in enumerate(rows) if len(row) > STATUS]


def write_tasks(summary, edit):
    def make(head):
        before = tasks(head)
        after = edit([list(row) for row in before])
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(after)
        return summary, {"tasks.csv": text.getvalue()} if after != before else {}

    change(TASK_DATASET_ID, "dataset", make)


def add_task(base, dataset):
    row = [base, dataset, "PENDING", uuid.uuid4().hex]
    write_tasks(f"add {row[ID]}", lambda rows: rows + [row] * (row not in rows))


def mark(task, status):
    def edit(rows):
        for row in rows:
            if row[ID] == task[ID]:
                row[STATUS] = status
        return rows

    write_tasks(f"{status} {task[ID]}", edit)


def next_task():
    return next((row for row in tasks() if row[STATUS] == "PENDING"), None)


# The training


def load(task):
    lines = csv.reader(io.StringIO(read(task[DATASET], "dataset", "train.csv", None)))
    data = np.array([[float(cell) for cell in line] for line in lines if line])
    inputs, labels = data[:, :-1], data[:, -1].astype(int)
    weights = np.zeros((inputs.shape[1] + 1, labels.max() + 1))
    base = read(task[BASE], "model", "weights.json", None)
    return inputs, labels, np.array(json.loads(base)) if base else weights


def train(task):
    """Softmax regression on train.csv (numbers, the class in the last column), from the base model's weights."""
    inputs, labels, weights = load(task)
    inputs = np.column_stack([inputs, np.ones(len(inputs))])
    wanted = np.eye(weights.shape[1])[labels]
    for epoch in range(EPOCHS):
        scores = np.exp(inputs @ weights - (inputs @ weights).max(axis=1, keepdims=True))
        chances = scores / scores.sum(axis=1, keepdims=True)
        weights -= STEP / len(inputs) * inputs.T @ (chances - wanted)
        if epoch % (EPOCHS // 4) == 0:
            print(f"epoch {epoch}: {(chances.argmax(axis=1) == labels).mean():.2f} right", flush=True)
    return weights, float((chances.argmax(axis=1) == labels).mean())


def is_uploaded(task, head):
    report = json.loads(read(MODEL_REPO_ID, "model", "training.json", head) or "{}")
    return task[ID] in report.get("tasks", [])


def upload(task, weights, right):
    """Once for each task, also if two of us have trained it: the second one sees it and writes nothing."""

    def make(head):
        if is_uploaded(task, head):
            return "", {}
        report = json.loads(read(MODEL_REPO_ID, "model", "training.json", head) or "{}")
        report = {"base": task[BASE], "dataset": task[DATASET], "right": right,
                  "tasks": [*report.get("tasks", []), task[ID]]}
        return f"train {task[ID]}", {"weights.json": json.dumps(weights.tolist()), "training.json": json.dumps(report)}

    change(MODEL_REPO_ID, "model", make)


def train_and_upload(task):
    api.create_repo(MODEL_REPO_ID, repo_type="model", private=True, exist_ok=True)
    if is_uploaded(task, None):  # the last process ended just before it could say so
        return
    print(f"training {task[BASE]} on {task[DATASET]}, task {task[ID]}", flush=True)
    upload(task, *train(task))


def work():
    while task := next_task():
        try:
            train_and_upload(task)
        except (ValueError, TypeError, IndexError, HfHubHTTPError) as error:
            if isinstance(error, HfHubHTTPError) and is_passing(error):
                raise
            # A task that can't be done must not keep the bigger machine.
            print(f"task {task[ID]} failed: {error!r}", flush=True)
            mark(task, "FAILED")
        else:
            mark(task, "DONE")


# The Space


def own_hardware():
    """What this process runs on: a moment after its start the runtime may still tell of the one before it."""
    for _ in range(60):
        runtime = api.get_space_runtime(SPACE_ID)
        if runtime.hardware == runtime.requested_hardware:
            break
        time.sleep(0.5)
    return runtime.hardware


def form():
    import gradio as gr  # two seconds that a training does not need

    def submit(base, dataset):
        add_task(base.strip(), dataset.strip())
        # The Space restarts for this, and whoever waits for our answer is cut off. The task is safe.
        api.request_space_hardware(SPACE_ID, TRAINING)
        return "The task is in the list; this Space restarts to work on it."

    gr.Interface(fn=submit, inputs=[gr.Textbox(label="Base model"), gr.Textbox(label="Dataset")],
                 outputs=gr.Textbox(label="Answer"), title="Training", flagging_mode="never",
                 api_name="submit").launch()


def main():
    api.create_repo(TASK_DATASET_ID, repo_type="dataset", private=True, exist_ok=True)
    if own_hardware() == TRAINING:
        work()
        api.request_space_hardware(SPACE_ID, RESTING)  # and the Space restarts with its form
    elif next_task():
        api.request_space_hardware(SPACE_ID, TRAINING)
    else:
        form()


if __name__ == "__main__":
    sys.exit(again(main))
