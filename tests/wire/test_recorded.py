"""Requests that real clients have made (tests/recorded), played word for word, and what these clients
read out of the answers."""
import json
import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FILES = sorted((HERE.parent / "recorded").glob("hf-*-space-calls.jsonl"))


def recorded():
    for file in FILES:
        version = file.name.split("-")[1]
        for number, line in enumerate(file.read_text().splitlines(), 1):
            request = json.loads(line)
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


def check_template(hub, request):
    """Of "gradio-templates", which is nobody here: `other` has one of the same name."""
    delete(hub, "space")
    answer = send(hub, request)
    assert answer.status == 400
    assert request["body"]["template"] in answer.json()["error"]
    name = request["body"]["template"].partition("/")[2]
    files = [{"path": "app.py", "content": "import gradio\n", "encoding": "utf-8"}]
    template = {"name": name, "type": "space", "sdk": "gradio", "files": files}
    assert hub.call("POST", "/api/repos/create", "other", template).status == 200
    body = {**request["body"], "template": f"other/{name}"}
    answer = send(hub, {**request, "body": body})
    assert answer.status == 200, answer.body
    assert repo_url(hub, answer) == "me/space"
    assert hub.call("GET", "/spaces/me/space/resolve/main/app.py").body == b"import gradio\n"
    assert ok(hub.call("GET", "/api/spaces/me/space/runtime"))["stage"] == "BUILDING"


def check_create(hub, request):
    delete(hub, "space")
    answer = send(hub, request)
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
    assert re.fullmatch(TIME, info["lastModified"])
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


def ok(answer):
    assert answer.status == 200, answer.body
    return answer.json()


def check_dev_mode(hub, request):
    """It is always off: whoever wants it on reads why it stays so."""
    create(hub, "space")
    answer = send(hub, request)
    if request["body"]["enabled"]:
        assert answer.status == 400
        assert "dev mode" in answer.json()["error"].lower()
    else:
        assert ok(answer)["devMode"] is False


def check_secrets(hub, request):
    create(hub, "space")
    found = ok(send(hub, request))
    if request["method"] == "GET":
        assert found == {}
        return
    assert isinstance(found, dict)
    names = ok(hub.call("GET", "/api/spaces/me/space/secrets", "me"))
    assert list(names) == ([request["body"]["key"]] if request["method"] == "POST" else [])


def check_variables(hub, request):
    """The client makes objects of what the answer holds: `value` must be there, 0.20 wants `updatedAt`."""
    create(hub, "space")
    found = ok(send(hub, request))
    if request["method"] != "POST":
        assert found == {}
        return
    body = request["body"]
    variable = found[body["key"]]
    assert (variable["value"], variable.get("description")) == (body["value"], body.get("description"))
    assert re.fullmatch(TIME, variable["updatedAt"])


def check_hardware(hub, request):
    create(hub, "space")
    runtime = ok(send(hub, request))
    assert runtime["hardware"]["requested"] == request["body"]["flavor"]
    if "sleepTimeSeconds" in request["body"]:
        assert runtime["gcTimeout"] == request["body"]["sleepTimeSeconds"]


def check_sleep_time(hub, request):
    create(hub, "space")
    assert ok(hub.call("POST", "/api/spaces/me/space/hardware", "me", {"flavor": "t4-medium"}))
    asked = request["body"]["seconds"]
    assert ok(send(hub, request)).get("gcTimeout") in ([asked] if asked > 0 else [None, -1])


def check_pause(hub, request):
    create(hub, "space")
    assert ok(send(hub, request))["stage"] == "PAUSED"
    assert ok(hub.call("GET", "/api/spaces/me/space/runtime", "me"))["stage"] == "PAUSED"


def check_storage(hub, request):
    create(hub, "space")
    runtime = ok(send(hub, request))
    assert runtime["storage"] == (request["body"]["tier"] if request["method"] == "POST" else None)


def check_volumes(hub, request):
    create(hub, "space")
    assert send(hub, request).status == 200
    found = ok(hub.call("GET", "/api/spaces/me/space", "me"))["runtime"].get("volumes", [])
    assert found == (request["body"]["volumes"] if request["body"] else [])


def check_settings(hub, request):
    """0.20 gives the parsed answer to its user."""
    create(hub, "space")
    found = ok(send(hub, request))
    info = ok(hub.call("GET", "/api/spaces/me/space", "me"))
    body = request["body"]
    if "gated" in body:
        assert info["gated"] == body["gated"]
        return
    private = body.get("private", body.get("visibility") == "private")
    assert (found["private"], info["private"]) == (private, private)


def check_list(hub, request):
    """0.23 wants all of this in each entry."""
    create(hub, "box")
    create(hub, "fox")
    create(hub, "fix")
    found = ok(send(hub, request))
    assert 0 < len(found) <= 2
    for info in found:
        assert info["id"].startswith("me/")
        assert {"_id", "private", "likes", "tags", "sdk", "lastModified"} <= info.keys()


def check_search(hub, request):
    create(hub, "draw-a-cat")
    assert all("id" in found for found in ok(send(hub, request)))


def check_flavors(hub, request):
    for flavor in ok(send(hub, request)):
        assert {"name", "prettyName", "cpu", "ram", "accelerator", "unitCostMicroUSD", "unitCostUSD",
                "unitLabel"} <= flavor.keys()


def check_templates(hub, request):
    for template in ok(send(hub, request))["templates"]:
        assert {"name", "repoId", "sdk", "preferredPrivate"} <= template.keys()


def check_quota(hub, request):
    quota = ok(send(hub, request))
    assert quota["base"] >= quota["current"] >= 0


def check_squash(hub, request):
    create(hub, "space")
    assert send(hub, request).status == 200
    (commit,) = ok(hub.call("GET", "/api/spaces/me/space/commits/main", "me"))
    assert commit["title"] == request["body"]["message"]


def check_duplicate(hub, request):
    """Of "them", who is `other` here, and for "org", which is `acme`: of that, `boss` is an administrator."""
    kind, _, name = request["path"].split("/")[2:5]
    source = {"organization": "other", "name": name, "type": kind[:-1], "sdk": "gradio", "private": False}
    assert hub.call("POST", "/api/repos/create", "other", source).status in (200, 409)
    body = {**request["body"], "repository": request["body"]["repository"].replace("org/", "acme/")}
    owner, _, copy = body["repository"].partition("/")
    user = "boss" if owner == "acme" else "me"
    target = {"organization": owner, "name": copy, "type": kind[:-1]}
    assert hub.call("DELETE", "/api/repos/delete", user, target).status in (200, 404)
    there = "exist_ok" in request["call"]
    if there:
        create(hub, copy)
    path = request["path"].replace("/them/", "/other/")
    answer = send(hub, {**request, "path": path, "body": body}, user)
    assert answer.status == (409 if there else 200), answer.body
    assert answer.json()["url"].endswith(body["repository"])
    info = ok(hub.call("GET", f"/api/{kind}/{body['repository']}", user))
    assert info["private"] == (not there and body.get("visibility") != "public")
    if "hardware" in body:
        assert info["runtime"]["hardware"]["requested"] == body["hardware"]
        assert "MODEL_REPO_ID" in ok(hub.call("GET", f"/api/spaces/{body['repository']}/variables", user))


def check_move(hub, request):
    create(hub, "space")
    delete(hub, "space2")
    assert send(hub, request).status == 200
    assert ok(hub.call("GET", "/api/spaces/me/space2", "me"))["id"] == "me/space2"
    delete(hub, "space2")


def check_not_yet(hub, request):
    """What this hub does not serve says so, and is not taken for a repository that is not there."""
    answer = send(hub, request)
    assert (answer.status, answer.code()) == (404, None), answer.body
    assert answer.json()["error"] == "nothing is served at this address"


# In this order: the first that is found in the call or its path is its check.
CHECKS = [
    (r"/duplicate ", check_duplicate),
    (r"/like ", check_not_yet),
    (r"/repos/move ", check_move),
    (r"me/forbidden", check_forbidden),
    (r"/api/whoami-v2", check_whoami),
    (r"/api/spaces/templates", check_templates),
    (r"zero_gpu_quota", check_quota),
    (r"list_spaces_hardware", check_flavors),
    (r"search_spaces", check_search),
    (r"list_spaces", check_list),
    (r"space_template=", check_template),
    (r"create_repo.*exist_ok", check_exist_ok),
    (r"create_repo", check_create),
    (r"_secrets?\(", check_secrets),
    (r"_variables?\(", check_variables),
    (r"request_space_hardware", check_hardware),
    (r"set_space_sleep_time", check_sleep_time),
    (r"pause_space", check_pause),
    (r"_storage\(", check_storage),
    (r"_volumes\(", check_volumes),
    (r"dev_mode", check_dev_mode),
    (r"get_space_runtime|restart_space|wait_for_space", check_runtime),
    (r"fetch_space_logs", check_logs),
    (r"refs/pr/1", check_no_revision),
    (r"space_info", check_info),
    (r"update_repo", check_settings),
    (r"super_squash", check_squash),
    (r"missing", check_missing),
    (r"auth_check", check_auth),
    (r"delete_repo", check_delete),
]


def check_for(request):
    return next(check for pattern, check in CHECKS if re.search(pattern, f"{request['path']} {request['call']}"))


@pytest.mark.parametrize("request_", list(recorded()))
def test_recorded(hub, request_):
    check_for(request_)(hub, request_)


def test_the_recordings_are_there():
    assert len(FILES) == 2
    assert len(list(recorded())) > 90
