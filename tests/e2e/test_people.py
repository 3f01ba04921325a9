"""Organisations, roles, tokens and visibility, as the oldest and the newest client see them."""

import pytest

from clients import Client

VERSIONS = ["0.20.3", "2.4.0"]

# What an uploader does first; each is 200, or the status that the client raised.
TRY = """
import json, sys
from huggingface_hub import HfApi

name, version = sys.argv[1:]
api = HfApi()
old = version.startswith("0.2")
hide = (lambda: api.update_repo_visibility(name, private=True, repo_type="space")) if old else \
    (lambda: api.update_repo_settings(name, visibility="private", repo_type="space"))

def status(call):
    try:
        call()
    except Exception as error:
        return error.response.status_code
    return 200

def create(**keywords):
    return api.create_repo(name, repo_type="space", space_sdk="static", **keywords)

print(json.dumps([
    api.whoami()["auth"]["accessToken"]["role"],
    status(create),
    status(lambda: create(exist_ok=True)),
    status(lambda: api.upload_file(path_or_fileobj=version.encode(), path_in_repo="a.txt",
                                   repo_id=name, repo_type="space")),
    status(hide),
    status(lambda: api.space_info(name)),
]))
"""

OVERVIEWS = """
import json
from huggingface_hub import HfApi
api = HfApi()
org, user = api.get_organization_overview("acme"), api.get_user_overview("writer")
print(json.dumps([
    [org.name, org.fullname, org.num_users, org.num_models],
    [user.username, user.fullname, [o.fullname for o in user.orgs]],
    [member.username for member in api.list_organization_members("acme")],
]))
"""

DELETE = """
import sys
from huggingface_hub import HfApi
for _ in range(2):
    HfApi().delete_repo(sys.argv[1], repo_type="space", missing_ok=True)
"""


@pytest.fixture(scope="module")
def tokens(hub):
    """A token of each role in acme, and fine-grained ones of its writer."""
    people = {"reader": "read", "contributor": "contributor", "writer": "write"}
    for name in (*people, "stranger"):
        hub.words("user", "add", name, "--fullname", name.title())
    members = [f"--member={name}:{role}" for name, role in people.items()]
    hub.words("org", "add", "acme", "--fullname", "Acme Inc", *members)
    hub.words("org", "member", "acme", "stranger:admin")
    hub.words("org", "member", "acme", "stranger:none")
    uploads = [f"--scope=repo.write:acme/space-{version}" for version in VERSIONS]
    fine = {"uploader": uploads, "manager": ["--scope=repo.write:acme"], "looker": ["--scope=repo.read:acme"]}
    return {
        **{name: hub.words("token", "add", name) for name in (*people, "stranger")},
        **{name: hub.words("token", "add", "writer", "--name", name, *scopes) for name, scopes in fine.items()},
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_each_role_hears_what_it_may(hub, tokens, version):
    space = f"acme/space-{version}"

    def run(who, script, *arguments):
        with Client(version, hub, tokens[who]) as client:
            return client.run(script, *arguments)

    # role, create, the same with exist_ok, upload, settings, info
    assert run("manager", TRY, space, version) == ["fineGrained", 200, 200, 200, 200, 200]
    for who, expected in {
        "writer": ["write", 409, 200, 200, 200, 200],
        "uploader": ["fineGrained", 409, 200, 200, 403, 200],
        "looker": ["fineGrained", 409, 200, 403, 403, 200],
        "reader": ["write", 409, 200, 403, 403, 200],
        "contributor": ["write", 409, 200, 403, 403, 200],
        # It is private by now. After the 403 both clients ask for its info; the old one raises what that says.
        "stranger": ["write", 403, 404 if version == "0.20.3" else 403, 404, 404, 404],
    }.items():
        assert run(who, TRY, space, version) == expected, who
    run("manager", DELETE, space)
    assert hub.call("GET", f"/api/spaces/{space}").status == 404


def test_overviews_and_members(hub, tokens):
    with Client("2.4.0", hub, tokens["stranger"]) as client:
        assert client.run(OVERVIEWS) == [
            ["acme", "Acme Inc", 3, 0],
            ["writer", "Writer", ["Acme Inc"]],
            ["contributor", "reader", "writer"],
        ]
