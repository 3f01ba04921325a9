"""Requests that real clients have made (tests/recorded), played word for word, and what these clients
read out of the answers. Calls that this hub does not have yet are not among CHECKS."""
import json
import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
FILES = sorted((HERE.parent / "recorded").glob("hf-*-space-calls.jsonl"))


def recorded():
    for file in FILES:
        version = file.name.split("-")[1]
        for number, line in enumerate(file.read_text().splitlines(), 1):
            request = json.loads(line)
            if check_for(request):
                yield pytest.param(request, id=f"{version}:{number} {request['call'][:60]}")


def send(hub, request, user="me"):
    headers = {"authorization": "Bearer " + hub.token(user)}
    headers = {**request["headers"], **headers}
    return hub.call(request["method"], request["path"], None, request["body"], headers)


def delete(hub, name):
    body = {"organization": "me", "name": name, "type": "space"}
    assert hub.call("DELETE", "/api/repos/delete", "me", body).status in (200, 404)


def create(hub, name):
    delete(hub, name)
    body = {"name": name, "type": "space", "sdk": "gradio", "private": False}
    assert hub.call("POST", "/api/repos/create", "me", body).status == 200


def repo_url(hub, answer):
    """1.20+ raises unless host and path are exactly these, after the operation has succeeded."""
    url = answer.json()["url"]
    found = re.fullmatch(re.escape(hub.origin) + r"/spaces/([^/]+/[^/]+)", url)
    assert found, url
    return found[1]


def check_whoami(hub, request):
    answer = send(hub, request).json()
    assert answer["name"] == "me"
    assert answer["auth"]["accessToken"]["role"] == "write"
    assert answer["auth"]["accessToken"]["displayName"]
    assert [org["name"] for org in answer["orgs"]] == []


def check_create(hub, request):
    delete(hub, "space")
    answer = send(hub, request)
    if request["body"].get("template"):
        assert answer.status == 400
        assert "gradio-templates/chatbot" in answer.json()["error"]
        return
    assert answer.status == 200, answer.body
    assert repo_url(hub, answer) == "me/space"
    body = request["body"]
    info = hub.call("GET", "/api/spaces/me/space", "me").json()
    assert info["sdk"] == body["sdk"]
    wanted = body.get("visibility", "private" if body.get("private") else "public")
    assert info["private"] == (wanted != "public")
    hardware = None if body["sdk"] == "static" else body.get("hardware", "cpu-basic")
    assert info["runtime"]["hardware"]["requested"] == hardware


def check_exist_ok(hub, request):
    create(hub, "exists")
    answer = send(hub, request)
    assert answer.status == 409
    assert repo_url(hub, answer) == "me/exists"


def check_forbidden(hub, request):
    """After 403 the client asks for the info and is content with it."""
    create(hub, "forbidden")
    answer = send(hub, request, user="other")
    if request["method"] == "POST":
        assert answer.status == 403
        assert answer.code() is None
    else:
        assert answer.json()["id"] == "me/forbidden"


def check_runtime(hub, request):
    create(hub, "space")
    answer = send(hub, request)
    assert answer.status == 200, answer.body
    runtime = answer.json()
    assert isinstance(runtime["stage"], str)
    assert runtime["hardware"]["requested"] == "cpu-basic"
    assert {"current"} <= runtime["hardware"].keys()


def check_logs(hub, request):
    create(hub, "space")
    answer = send(hub, request)
    assert answer.status == 200
    assert answer.headers["X-Accel-Redirect"].startswith("/_stream/")


def check_info(hub, request):
    create(hub, "space")
    answer = send(hub, request)
    assert answer.status == 200, answer.body
    info = answer.json()
    assert info["id"] == "me/space"
    if "expand" in request["path"]:
        assert info.keys() == {"_id", "id", "runtime", "sdk"}
        return
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", info["lastModified"])
    for field in ("private", "likes", "tags", "sha", "siblings", "runtime", "host", "subdomain"):
        assert field in info


def check_no_revision(hub, request):
    create(hub, "space")
    answer = send(hub, request)
    assert (answer.status, answer.code()) == (404, "RevisionNotFound")


def check_missing(hub, request):
    answer = send(hub, request)
    assert (answer.status, answer.code()) == (404, "RepoNotFound")


def check_auth(hub, request):
    create(hub, "space")
    assert send(hub, request).status == 200


def check_delete(hub, request):
    create(hub, "space")
    answer = send(hub, request)
    assert (answer.status, answer.body) == (200, b"OK")


# In this order: the first that is found in the call is its check.
CHECKS = [
    (r"whoami", check_whoami),
    (r"duplicate", None),
    (r"create_repo.*exist_ok.*", check_exist_ok),
    (r"create_repo", check_create),
    (r"get_space_runtime|restart_space|wait_for_space", check_runtime),
    (r"fetch_space_logs", check_logs),
    (r"refs/pr/1", check_no_revision),
    (r"space_info", check_info),
    (r"missing", check_missing),
    (r"auth_check", check_auth),
    (r"delete_repo", check_delete),
]


def check_for(request):
    if "space_templates" in request["call"] or request["path"] == "/api/spaces/templates":
        return None
    if "me/forbidden" in request["call"]:
        return check_forbidden
    for pattern, check in CHECKS:
        if re.search(pattern, request["call"]):
            return check
    return None


@pytest.mark.parametrize("request_", list(recorded()))
def test_recorded(hub, request_):
    check_for(request_)(hub, request_)


def test_the_recordings_are_there():
    assert len(FILES) == 2
    assert len(list(recorded())) > 30
