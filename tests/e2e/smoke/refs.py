"""Branches, tags, history."""

from huggingface_hub.utils import HfHubHTTPError, RevisionNotFoundError

from smoke import api, check, files, head, make, other, put, raises


@check()
def branches():
    repo = make("branches")
    put(repo, "a", b"1")
    first = head(repo)
    api.create_branch(repo, branch="dev/new")
    with raises(HfHubHTTPError, 409):
        api.create_branch(repo, branch="dev/new")
    api.create_branch(repo, branch="dev/new", exist_ok=True)
    put(repo, "b", b"on the branch", revision="dev/new")
    assert files(repo) == [".gitattributes", "a"]
    assert files(repo, revision="dev/new") == [".gitattributes", "a", "b"]
    api.create_branch(repo, branch="old", revision=first)
    found = api.list_repo_refs(repo)
    assert sorted(ref.name for ref in found.branches) == ["dev/new", "main", "old"]
    assert {ref.name: ref.target_commit for ref in found.branches}["old"] == first
    assert found.branches[0].ref.startswith("refs/heads/")
    with raises(RevisionNotFoundError):
        api.create_branch(repo, branch="x", revision="nope")
    with raises(HfHubHTTPError, 403):
        other.create_branch(repo, branch="not-mine")
    api.delete_branch(repo, branch="dev/new")
    with raises(RevisionNotFoundError):
        api.repo_info(repo, revision="dev/new")
    with raises(HfHubHTTPError):
        api.delete_branch(repo, branch="main")
    assert files(repo) == [".gitattributes", "a"]


@check()
def tags():
    repo = make("tags")
    put(repo, "a", b"1")
    first = head(repo)
    api.create_tag(repo, tag="v1", tag_message="the first")
    with raises(HfHubHTTPError, 409):
        api.create_tag(repo, tag="v1")
    api.create_tag(repo, tag="v1", exist_ok=True)
    put(repo, "a", b"2")
    assert api.repo_info(repo, revision="v1").sha == first
    (tag,) = api.list_repo_refs(repo).tags
    assert (tag.name, tag.ref, tag.target_commit) == ("v1", "refs/tags/v1", first)
    with raises(RevisionNotFoundError):
        api.create_tag(repo, tag="v2", revision="nope")
    api.delete_tag(repo, tag="v1")
    with raises(RevisionNotFoundError):
        api.delete_tag(repo, tag="v1")
    assert api.list_repo_refs(repo).tags == []


@check()
def history():
    repo = make("history")
    for number in range(5):
        put(repo, "a", str(number).encode(), commit_message=f"number {number}")
    commits = api.list_repo_commits(repo)
    assert [commit.title for commit in commits[:5]] == [f"number {n}" for n in range(4, -1, -1)]
    assert commits[0].commit_id == head(repo)
    assert commits[0].authors == [repo.split("/")[0]]
    formatted = api.list_repo_commits(repo, formatted=True)
    assert formatted[0].formatted_title
    with raises(RevisionNotFoundError):
        api.list_repo_commits(repo, revision="nope")


@check()
def squash():
    repo = make("squash")
    for number in range(3):
        put(repo, "a", str(number).encode())
    before = head(repo)
    api.super_squash_history(repo, commit_message="one commit")
    (commit,) = api.list_repo_commits(repo)
    assert commit.title == "one commit" and commit.commit_id != before
    assert files(repo) == [".gitattributes", "a"]
    with raises(RevisionNotFoundError):
        api.super_squash_history(repo, branch="nope")
