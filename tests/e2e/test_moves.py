"""A Space that moves to another name goes on serving; a duplicate outlives its source."""

import subprocess
import threading

import pytest

import apps
import clients
from hub import fetch


@pytest.fixture(scope="module")
def client(hub):
    with clients.Client("2.4.0", hub) as client:
        yield client


def python(client, script):
    done = subprocess.run([client.python, "-c", "from huggingface_hub import HfApi\napi = HfApi()\n" + script],
                          env=client.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def serve(hub, name, text):
    hub.create(name)
    hub.wait_stage(name, "RUNNING", sha=hub.commit(name, apps.plain(text)))


def run_of(hub, name):
    """What runtime says, but for its address."""
    return {key: value for key, value in hub.call("GET", f"/api/spaces/me/{name}/runtime").json.items() if key != "domains"}


def test_an_app_is_reached_by_its_new_name_and_never_ends(hub, client):
    serve(hub, "old-name", "here")
    old = hub.call("GET", "/api/spaces/me/old-name").json
    run = run_of(hub, "old-name")
    python(client, 'api.move_repo("me/old-name", "me/new-name", repo_type="space")')
    new = hub.call("GET", "/api/spaces/me/new-name").json
    assert new["_id"] == old["_id"] and new["host"] != old["host"]
    assert hub.visit("new-name").body == b"here"
    assert run_of(hub, "new-name") == run
    # The old name leads on: calls, files, and what the client makes of them.
    assert python(client, 'print(api.space_info("me/old-name").id)') == "me/new-name"
    assert "here" in python(client, """
print(open(api.hf_hub_download("me/old-name", "app.py", repo_type="space")).read())""")
    never_was = old["host"].replace("old-name", "never-was")
    assert fetch(old["host"] + "/").status == fetch(never_was + "/").status == 401
    hub.words("check")
    # Who takes the old name has it.
    hub.create("old-name")
    assert hub.call("GET", "/api/spaces/me/old-name").json["_id"] != old["_id"]
    assert hub.visit("new-name").body == b"here"


def test_visits_go_on_while_a_space_moves_to_and_fro(hub):
    serve(hub, "restless", "still here")
    names, failures, moved = ["restless", "restful"], [], threading.Event()
    host = {name: f"http://me-{name}.localhost:{hub.port}/" for name in names}

    def visit():
        while not moved.is_set():
            seen = [fetch(host[name]) for name in names]
            if not any(answer.status == 200 and answer.body == b"still here" for answer in seen + [fetch(host[names[0]])]):
                failures.append([answer.status for answer in seen])

    visitor = threading.Thread(target=visit)
    visitor.start()
    for turn in range(10):
        body = {"fromRepo": f"me/{names[turn % 2]}", "toRepo": f"me/{names[1 - turn % 2]}", "type": "space"}
        assert hub.call("POST", "/api/repos/move", body).status == 200
        assert hub.visit(names[1 - turn % 2]).body == b"still here"
    moved.set()
    visitor.join()
    assert failures == []


def test_a_duplicate_outlives_its_source(hub, client):
    serve(hub, "origin", "borrowed")
    python(client, 'api.duplicate_repo("me/origin", "me/heir", repo_type="space", private=False)')
    hub.wait_stage("heir", "RUNNING")
    assert hub.call("DELETE", "/api/repos/delete", {"name": "origin", "organization": "me", "type": "space"}).status == 200
    hub.words("--gc-keep", "0", "gc")
    assert hub.visit("heir").body == b"borrowed"
    sha = hub.commit("heir", apps.plain("its own"))
    hub.wait_stage("heir", "RUNNING", sha=sha)
    assert hub.visit("heir").body == b"its own"
    assert "borrowed" in hub.call("GET", f"/spaces/me/heir/raw/{hub.call('GET', '/api/spaces/me/heir/commits/main').json[1]['id']}/app.py").body.decode()
    hub.words("check")
    assert hub.call("DELETE", "/api/repos/delete", {"name": "heir", "organization": "me", "type": "space"}).status == 200
    hub.words("--gc-keep", "0", "gc")
    hub.words("check")
