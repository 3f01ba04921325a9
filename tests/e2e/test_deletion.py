"""A Space can be deleted whatever it is at just now: nothing of it goes on, and its name is free."""

import subprocess
import time

import pytest

import apps
from hub import fetch
from test_guide_words import all_cgroups

SILENT = "import time\ntime.sleep(3600)\n"
GONE_S = 30


def building(hub, name):
    hub.commit(name, {**apps.plain("gone"), "requirements.txt": f"# {time.time()}\niniconfig==2.0.0\n"})
    hub.wait_stage(name, "BUILDING")


def starting(hub, name):
    hub.commit(name, {"app.py": SILENT})
    hub.wait_stage(name, "APP_STARTING")


def running(hub, name):
    hub.commit(name, apps.plain("gone"))
    hub.wait_stage(name, "RUNNING")


def replaced(hub, name):
    running(hub, name)
    hub.commit(name, {"app.py": SILENT})
    hub.wait_stage(name, "RUNNING_APP_STARTING")


def sleeping(hub, name):
    running(hub, name)
    body = {"flavor": "cpu-upgrade", "sleepTimeSeconds": 1}
    assert hub.call("POST", f"/api/spaces/me/{name}/hardware", body).status == 200
    hub.wait_stage(name, "SLEEPING")


def paused(hub, name):
    running(hub, name)
    assert hub.call("POST", f"/api/spaces/me/{name}/pause").status == 200
    hub.wait_stage(name, "PAUSED")


def left(hub, key):
    """What there is of a Space: processes, its folder, its files."""
    done = subprocess.run(["grep", "-hosF", f"/{key}-", *all_cgroups()], capture_output=True, text=True)
    layers = [path.name for path in (hub.data / "layers").glob(f"app-{key}-*")]
    return done.stdout.split() + layers + [path.name for path in (hub.data / "spaces").glob(key)]


@pytest.mark.parametrize("begin", [building, starting, running, replaced, sleeping, paused])
def test_deleted_while(hub, begin):
    name = f"gone-{begin.__name__}"
    repo = {"name": name, "organization": "me", "type": "space"}
    hub.create(name)
    begin(hub, name)
    key, host = hub.call("GET", f"/api/spaces/me/{name}").json["_id"], hub.host(name)
    assert left(hub, key)
    assert hub.call("DELETE", "/api/repos/delete", repo).status == 200
    assert hub.call("GET", f"/api/spaces/me/{name}/runtime").status == 404
    assert fetch(host + "/").status == 401  # as a name that never was
    hub.create(name)
    end = time.monotonic() + GONE_S
    while there := left(hub, key):
        assert time.monotonic() < end, there
        time.sleep(0.1)
    assert hub.runtime(name)["stage"] == "NO_APP_FILE"
    assert hub.call("DELETE", "/api/repos/delete", repo).status == 200
