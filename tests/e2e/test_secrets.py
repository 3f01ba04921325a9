"""Secrets and variables: the app gets them, and nobody else does."""

import hashlib
import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import time

import pytest

import apps

# Answers what it was given: of the secret only a hash.
APP = apps.telling("""
import hashlib, os
def seen():
    secret = os.environ.get("PLANTED")
    return {"secret": secret and hashlib.sha256(secret.encode()).hexdigest(), "mode": os.environ.get("MODE")}
""", "seen()")

# What a person's script does; the value comes by the environment, as they are told to do it.
SET = """
import json, os, sys
from huggingface_hub import HfApi
api, repo = HfApi(), sys.argv[1]
api.add_space_secret(repo, "PLANTED", os.environ["VALUE"], description="a planted one")
api.add_space_variable(repo, "MODE", "first")
api.add_space_variable(repo, "MODE", "second", description="what it does")
variables = api.get_space_variables(repo)
print(json.dumps({key: [each.value, each.description, each.updated_at.isoformat()] for key, each in variables.items()}))
"""

DELETE = """
import json, sys
from huggingface_hub import HfApi
api, repo = HfApi(), sys.argv[1]
api.delete_space_secret(repo, "PLANTED")
api.delete_space_secret(repo, "NO_SUCH_KEY")
print(json.dumps(list(api.delete_space_variable(repo, "MODE"))))
"""


def seen_by_app(hub, name):
    return hub.visit(name).json


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def runs_of(hub, name):
    folder = hub.data / "spaces" / hub.call("GET", f"/api/spaces/me/{name}").json["_id"] / "logs"
    return sorted(path.name for path in folder.glob("run-*.log"))


def wait_restarted(hub, name):
    """The stage in transition was written with the wish: whoever polls at once waits."""
    assert hub.runtime(name)["stage"] == "APP_STARTING"
    hub.wait_stage(name, "RUNNING")


def new_space(hub, client, what):
    name = what + "-" + client.version.replace(".", "-")
    hub.create(name)
    hub.commit(name, {"app.py": APP})
    hub.wait_stage(name, "RUNNING")
    assert seen_by_app(hub, name) == {"secret": None, "mode": None}
    return name


def set_all(client, name, value):
    return client.last_line(client.python, "-c", SET, f"me/{name}", VALUE=value)


def files_with(hub, value):
    found = subprocess.run(["grep", "-rlaF", value, hub.data], capture_output=True, text=True)
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.split()


def processes():
    return pathlib.Path("/proc").glob("[0-9]*")


def process_of(hub, role):
    for folder in processes():
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"@{role}".encode() in words and str(hub.data).encode() in words:
            return int(folder.name)
    raise AssertionError(f"no {role}")


def pids_of(hub, role):
    """Of one of our processes, or of all of nginx's workers."""
    if role == "keeper":
        return [hub.process.pid]
    if role != "worker":
        return [process_of(hub, role)]
    master = (hub.data / "run/nginx.pid").read_text().strip()
    children = subprocess.run(["pgrep", "-P", master], capture_output=True, text=True)
    return [int(pid) for pid in children.stdout.split()]


def is_own_namespace(folder):
    return os.readlink(folder / "ns/pid") == os.readlink("/proc/self/ns/pid")


def leaks_of_processes(value):
    """Command lines of all, and environments of all but the app's own container."""
    leaks = []
    for folder in processes():
        try:
            if value in (folder / "cmdline").read_bytes():
                leaks.append(f"{folder.name}: command line")
            if value in (folder / "environ").read_bytes() and is_own_namespace(folder):
                leaks.append(f"{folder.name}: environment of {(folder / 'comm').read_text()}")
        except OSError:
            continue  # it has ended
    return leaks


def memory_of(pid, folder):
    """All that root can dump of a process that dumps nothing by itself."""
    subprocess.run(["gcore", "-o", folder / "core", str(pid)], check=True, capture_output=True)
    return (folder / f"core.{pid}").read_bytes()


def answers(hub, name):
    for path in ("secrets", "variables", "runtime", "revision/main", "host", "tree/main", "commits/main"):
        yield hub.call("GET", f"/api/spaces/me/{name}/{path}").body
    yield hub.call("GET", f"/api/spaces/me/{name}").body
    yield hub.call("GET", "/api/whoami-v2").body
    trail = hub.call("GET", f"/api/espace/audit?target=me/{name}")
    assert "PLANTED" in [row["detail"] for row in trail.json]
    yield trail.body
    yield hub.words("audit", "--json", "--limit", "100000").encode()
    for kind in ("build", "run"):
        yield hub.logs(name, kind).encode()


def test_app_gets_them_after_one_restart_and_loses_what_is_deleted(hub, client):
    name, value = new_space(hub, client, "given"), "hf_" + secrets.token_hex(20)
    before = len(runs_of(hub, name))
    shown = set_all(client, name, value)
    assert shown["MODE"][:2] == ["second", "what it does"] and list(shown) == ["MODE"]
    wait_restarted(hub, name)
    assert seen_by_app(hub, name) == {"secret": sha256(value), "mode": "second"}
    assert len(runs_of(hub, name)) == before + 1
    # The same again changes nothing.
    assert hub.call("POST", f"/api/spaces/me/{name}/variables",
                    {"key": "MODE", "value": "second", "description": "what it does"}).status == 200
    assert hub.runtime(name)["stage"] == "RUNNING"
    assert client.run(DELETE, f"me/{name}") == []
    wait_restarted(hub, name)
    assert seen_by_app(hub, name) == {"secret": None, "mode": None}


def test_a_planted_secret_is_found_nowhere(hub, new_client, tmp_path):
    name, value = new_space(hub, new_client, "planted"), "hf_" + secrets.token_hex(20)
    planted, at_creation = value.encode(), secrets.token_hex(20)
    hub.create("planted-at-creation", secrets=[{"key": "PLANTED", "value": at_creation}])
    set_all(new_client, name, value)
    wait_restarted(hub, name)
    assert seen_by_app(hub, name)["secret"] == sha256(value)

    # Only what runc reads holds it, on a tmpfs that root alone can enter.
    assert (hub.data / "run/nginx.log").exists()
    assert files_with(hub, at_creation) == []
    for path in files_with(hub, value):
        assert re.fullmatch(rf"{hub.data}/run/bundles/[^/]+/config\.json", path), path
    assert leaks_of_processes(planted) == []
    for body in answers(hub, name):
        assert planted not in body
    for role in ("hub", "runner", "keeper"):
        memory = memory_of(*pids_of(hub, role), tmp_path)
        assert b"espaced" in memory, role
        assert [memory.count(each) for each in (planted, at_creation.encode())] == [0, 0], role

    assert hub.call("DELETE", f"/api/spaces/me/{name}/secrets", {"key": "PLANTED"}).status == 200
    hub.wait_stage(name, "RUNNING")
    assert files_with(hub, value) == []


def another(hub, role, pid):
    """Is there another one in its place?"""
    try:
        pids = pids_of(hub, role)
    except AssertionError:
        return False
    return bool(pids) and pid not in pids


@pytest.mark.parametrize("role", ["hub", "runner", "worker", "keeper"])
def test_no_core_file_is_written(hub, role):
    pid, *rest = pids_of(hub, role)
    folder = pathlib.Path(os.readlink(f"/proc/{pid}/cwd"))
    for each in (pid, *rest):
        limits = pathlib.Path(f"/proc/{each}/limits").read_text()
        assert re.search(r"Max core file size +0 +0 ", limits), limits
    before = set(folder.glob("core*")) | set(hub.data.glob("core*"))
    if role == "keeper":
        assert hub.end(signal.SIGABRT) == -signal.SIGABRT
        hub.start()
    else:
        os.kill(pid, signal.SIGABRT)
    end = time.monotonic() + 30
    while not another(hub, role, pid):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert set(folder.glob("core*")) | set(hub.data.glob("core*")) == before
    hub.create(f"after-{role}")


def test_a_paused_space_stays_so_until_a_restart(hub, new_client):
    name = new_space(hub, new_client, "paused")
    pause = "import sys\nfrom huggingface_hub import HfApi\nprint(HfApi().pause_space(sys.argv[1]).stage)"
    assert new_client.run(pause, f"me/{name}") == "PAUSED"
    answer = hub.visit(name)
    assert answer.status == 503 and json.loads(answer.body)["error"]
    hub.commit(name, {"app.py": APP + "\n"})
    assert hub.runtime(name)["stage"] == "PAUSED"
    restart = "import sys\nfrom huggingface_hub import HfApi\nprint(HfApi().restart_space(sys.argv[1]).stage)"
    assert new_client.run(restart, f"me/{name}") == "BUILDING"
    hub.wait_stage(name, "RUNNING")
    assert hub.visit(name).status == 200
