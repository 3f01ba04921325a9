"""Accounts and repositories: who am I, create, settings, delete, and what others see of it."""

from pathlib import Path

from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url, snapshot_download
from huggingface_hub.utils import HfHubHTTPError, RepositoryNotFoundError

from smoke import (
    ENDPOINT,
    MARK,
    ORG,
    USER,
    VERSION,
    anonymous,
    api,
    check,
    files,
    head,
    make,
    name,
    other,
    put,
    raises,
)


@check()
def who_am_i():
    me = api.whoami()
    assert me["name"] == USER
    assert me["type"] == "user"
    assert me["auth"]["accessToken"]["role"] == "write"


@check()
def organisations():
    assert ORG in [org["name"] for org in api.whoami()["orgs"]]
    repo = f"{ORG}/{MARK}-of-all"
    api.create_repo(repo, private=True)
    assert other.model_info(repo).private
    with raises(HfHubHTTPError, 403):
        other.upload_file(path_or_fileobj=b"x", path_in_repo="x", repo_id=repo)
    with raises(RepositoryNotFoundError):
        anonymous.model_info(repo)
    if VERSION >= (0, 23):
        assert {USER, "other"} == {member.username for member in api.list_organization_members(ORG)}
        assert api.get_user_overview(USER).username == USER
    if VERSION >= (1, 0):
        assert api.get_organization_overview(ORG).fullname == "All clients"


@check()
def a_dead_token_is_named():
    kind = HfHubHTTPError if VERSION >= (1, 0) else HfHubHTTPError.__mro__[1]  # of requests
    with raises(kind, 401, says="Invalid user token"):
        HfApi(token="hf_thisTokenIsNone").whoami()


@check()
def create_twice():
    repo = name("twice")
    url = api.create_repo(repo)
    assert str(url) == f"{ENDPOINT}/{repo}"
    assert (url.namespace, url.repo_name, url.repo_type) == (USER, repo.split("/")[1], "model")
    with raises(HfHubHTTPError, 409, says="You already created this model repo"):
        api.create_repo(repo)
    assert str(api.create_repo(repo, exist_ok=True)) == str(url)
    assert api.repo_exists(repo)


@check()
def create_by_a_bare_name():
    url = api.create_repo(name("bare").split("/")[1], repo_type="dataset")
    assert str(url) == f"{ENDPOINT}/datasets/{name('bare')}"


@check()
def create_each_type():
    assert files(make("made")) == [".gitattributes"]
    assert files(make("made", "dataset"), "dataset") == [".gitattributes"]
    space = make("made", "space", space_sdk="gradio")
    assert files(space, "space") == [".gitattributes", "README.md"]
    assert api.space_info(space).sdk == "gradio"


@check()
def create_refuses_a_wrong_sdk():
    with raises(ValueError, says="sdk"):
        api.create_repo(name("wrong-sdk"), repo_type="space", space_sdk="cobol")
    assert not api.repo_exists(name("wrong-sdk"), repo_type="space")


@check()
def create_needs_the_right_on_the_namespace():
    with raises(HfHubHTTPError, 403):
        other.create_repo(name("of-somebody-else"))
    # who may read it is content with exist_ok
    repo = make("of-me")
    assert str(other.create_repo(repo, exist_ok=True)).endswith(repo)


@check()
def private_is_hidden():
    repo = make("private", private=True)
    assert api.model_info(repo).private
    for outsider in (anonymous, other):
        with raises(RepositoryNotFoundError):
            outsider.model_info(repo)
        assert not outsider.repo_exists(repo)
    with raises(RepositoryNotFoundError):
        hf_hub_download(repo, ".gitattributes", token=False)


@check(before="1.0")
def visibility_as_of_old():
    repo = make("visible")
    assert api.update_repo_visibility(repo, private=True)["private"] is True
    assert api.model_info(repo).private
    assert api.update_repo_visibility(repo, private=False)["private"] is False
    assert not api.model_info(repo).private


@check(since="0.25")
def settings():
    repo = make("settings")
    api.update_repo_settings(repo, private=True)
    assert api.model_info(repo).private
    with raises(RepositoryNotFoundError):
        other.update_repo_settings(repo, private=False)
    api.update_repo_settings(repo, private=False)
    assert not api.model_info(repo).private
    with raises(HfHubHTTPError, 403):
        other.update_repo_settings(repo, private=True)
    api.update_repo_settings(repo, gated="auto")
    assert api.model_info(repo).gated == "auto"
    api.update_repo_settings(repo, gated=False)
    assert api.model_info(repo).gated is False


@check(since="1.8")
def visibility():
    repo = make("protected", "space", space_sdk="gradio", visibility="protected")
    with raises(RepositoryNotFoundError):
        other.space_info(repo)
    api.update_repo_settings(repo, repo_type="space", visibility="public")
    assert not other.space_info(repo).private


@check(since="0.25")
def auth_check():
    repo = make("auth")
    api.auth_check(repo)
    other.auth_check(repo)
    with raises(RepositoryNotFoundError):
        api.auth_check(name("never-made"))
    if VERSION >= (1, 5):
        api.auth_check(repo, write=True)
        with raises(HfHubHTTPError, 403):
            other.auth_check(repo, write=True)


@check()
def the_old_name_leads_on():
    for kind in ("model", "dataset"):
        old, new = make("moved-from", kind), name("moved-to")
        put(old, "a folder/ü & #1.txt", b"here", kind)
        api.move_repo(old, new, repo_type=kind)
        assert api.repo_info(old, repo_type=kind).id == new
        found = get_hf_file_metadata(hf_hub_url(old, "a folder/ü & #1.txt", repo_type=kind))
        assert (found.commit_hash, found.size) == (head(new, kind), 4)
        assert Path(hf_hub_download(old, "a folder/ü & #1.txt", repo_type=kind)).read_bytes() == b"here"
        assert (Path(snapshot_download(old, repo_type=kind)) / "a folder/ü & #1.txt").read_bytes() == b"here"


@check()
def the_old_name_of_what_is_hidden_tells_nothing():
    repo = make("hidden-from", private=True)
    api.move_repo(repo, name("hidden-to"))
    assert files(repo) == [".gitattributes"]
    with raises(RepositoryNotFoundError):
        hf_hub_download(repo, ".gitattributes", token=False)


@check()
def delete():
    repo = make("delete")
    with raises(HfHubHTTPError, 403):
        other.delete_repo(repo)
    api.delete_repo(repo)
    assert not api.repo_exists(repo)
    with raises(RepositoryNotFoundError):
        api.delete_repo(repo)
    api.delete_repo(repo, missing_ok=True)
