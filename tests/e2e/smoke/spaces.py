"""Spaces: secrets, variables, hardware, the stages, logs."""

import time
from concurrent.futures import ThreadPoolExecutor

from huggingface_hub.utils import BadRequestError, HfHubHTTPError, RepositoryNotFoundError

from smoke import USER, VERSION, api, check, make, name, other, put, raises

APP = b"""
import http.server, os
print("secret is", os.environ.get("GREETING"), flush=True)
http.server.HTTPServer(("0.0.0.0", 7860), http.server.SimpleHTTPRequestHandler).serve_forever()
"""

WAIT_S = 120


def space(word, **options):
    return make(word, "space", space_sdk="gradio", **options)


def wait_for(repo, stage):
    end = time.monotonic() + WAIT_S
    while (seen := api.get_space_runtime(repo).stage) != stage:
        assert time.monotonic() < end, f"{seen}, not {stage}"
        time.sleep(0.1)


@check()
def variables():
    repo = space("variables")
    assert api.get_space_variables(repo) == {}
    api.add_space_variable(repo, "MODEL", "a/b", description="which model")
    found = api.add_space_variable(repo, "GREETING", "hello")
    assert list(found) == ["MODEL", "GREETING"]
    assert (found["MODEL"].value, found["MODEL"].description) == ("a/b", "which model")
    assert found["GREETING"].updated_at.tzinfo
    api.add_space_variable(repo, "MODEL", "c/d")
    assert api.get_space_variables(repo)["MODEL"].value == "c/d"
    assert list(api.delete_space_variable(repo, "MODEL")) == ["GREETING"]
    assert list(api.delete_space_variable(repo, "NEVER_SET")) == ["GREETING"]
    with raises(HfHubHTTPError, 403):
        other.add_space_variable(repo, "MODEL", "mine")


@check()
def secrets():
    repo = space("secrets")
    api.add_space_secret(repo, "TOKEN", "hidden value", description="write token")
    api.delete_space_secret(repo, "NEVER_SET")
    if VERSION >= (1, 14):
        found = api.get_space_secrets(repo)
        assert list(found) == ["TOKEN"]
        assert found["TOKEN"].description == "write token" and found["TOKEN"].updated_at.tzinfo
        assert "hidden value" not in repr(found)
    api.delete_space_secret(repo, "TOKEN")
    with raises(HfHubHTTPError, 403):
        other.add_space_secret(repo, "TOKEN", "mine")


@check()
def create_with_wishes():
    repo = space("wishes", space_hardware="cpu-upgrade", space_sleep_time=3600,
                 space_secrets=[{"key": "TOKEN", "value": "x"}], space_variables=[{"key": "A", "value": "b"}])
    runtime = api.get_space_runtime(repo)
    assert (runtime.requested_hardware, runtime.sleep_time) == ("cpu-upgrade", 3600)
    assert api.get_space_variables(repo)["A"].value == "b"


@check()
def hardware_and_sleep_time():
    repo = space("hardware")
    assert api.get_space_runtime(repo).requested_hardware == "cpu-basic"
    assert api.request_space_hardware(repo, "cpu-upgrade", sleep_time=7200).requested_hardware == "cpu-upgrade"
    assert api.get_space_runtime(repo).sleep_time == 7200
    assert api.set_space_sleep_time(repo, 300).sleep_time == 300
    api.set_space_sleep_time(repo, -1)
    assert api.get_space_runtime(repo).sleep_time in (None, -1)
    with raises(BadRequestError):
        api.request_space_hardware(repo, "quantum-x8")
    with raises(HfHubHTTPError, 403):
        other.request_space_hardware(repo, "cpu-basic")
    if VERSION >= (1, 13):
        assert "cpu-basic" in [entry.name for entry in api.list_spaces_hardware()]


@check(before="2.0")
def storage():
    repo = space("storage")
    assert api.request_space_storage(repo, "medium").storage == "medium"
    with raises(BadRequestError):
        api.request_space_storage(repo, "small")
    assert api.delete_space_storage(repo).storage is None


@check(since="1.9")
def volumes():
    from huggingface_hub import Volume

    repo = space("volumes")
    api.set_space_volumes(repo, [Volume(type="dataset", source=f"{USER}/data", mount_path="/data", read_only=True)])
    (volume,) = api.get_space_runtime(repo).volumes
    assert (volume.type, volume.source, volume.mount_path, volume.read_only) == ("dataset", f"{USER}/data", "/data", True)
    api.delete_space_volumes(repo)
    assert not api.get_space_runtime(repo).volumes


@check()
def a_life():
    repo = space("life")
    assert api.get_space_runtime(repo).stage == "NO_APP_FILE"
    api.add_space_secret(repo, "GREETING", "hello from a secret")
    put(repo, "app.py", APP, "space")
    wait_for(repo, "RUNNING")
    runtime = api.get_space_runtime(repo)
    assert (runtime.hardware, runtime.raw["replicas"]["requested"]) == ("cpu-basic", 1)
    if VERSION >= (1, 11):
        start = time.monotonic()
        lines = "".join(line if isinstance(line, str) else line.data for line in api.fetch_space_logs(repo))
        assert time.monotonic() - start < 8
        assert "secret is hello from a secret" in lines
        assert list(api.fetch_space_logs(repo, build=True))
    assert api.pause_space(repo).stage == "PAUSED"
    assert api.get_space_runtime(repo).stage == "PAUSED"
    assert api.restart_space(repo).stage in ("BUILDING", "APP_STARTING", "RUNNING_BUILDING", "RUNNING_APP_STARTING")
    if VERSION >= (1, 20):
        assert api.wait_for_space(repo, timeout=WAIT_S).stage == "RUNNING"
    wait_for(repo, "RUNNING")
    with raises(HfHubHTTPError):
        other.pause_space(repo)
    if VERSION >= (1, 11):
        with ThreadPoolExecutor() as pool:
            followed = pool.submit(lambda: list(api.fetch_space_logs(repo, follow=True)))
            api.pause_space(repo)
            assert followed.result(WAIT_S)  # the stream has ended with the app
    else:
        api.pause_space(repo)
    with raises(RepositoryNotFoundError):
        api.get_space_runtime(name("never-made"))
