"""Files out: downloads, ranges, what is missing, what the cache keeps, snapshots."""

import hashlib
import os
import tempfile
from pathlib import Path

from huggingface_hub import (
    _CACHED_NO_EXIST,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
    try_to_load_from_cache,
)
from huggingface_hub.utils import (
    EntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
    build_hf_headers,
    get_session,
)

from smoke import VERSION, api, check, head, make, name, put, raises


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*")
                  if path.is_file() and ".cache" not in path.parts and ".huggingface" not in path.parts)


def git_hash(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@check()
def metadata():
    repo = make("metadata")
    put(repo, "dir/a.txt", b"12345")
    found = get_hf_file_metadata(hf_hub_url(repo, "dir/a.txt"))
    assert found.commit_hash == head(repo)
    assert found.size == 5
    assert found.etag == git_hash(b"12345")


@check()
def ranges():
    repo = make("ranges", "dataset")
    put(repo, "a", b"0123456789", "dataset")
    url = hf_hub_url(repo, "a", repo_type="dataset")
    for asked, status, body, told in [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=5-100000", 206, b"56789", "bytes 5-9/10"),
    ]:
        answer = get_session().get(url, headers={**build_hf_headers(), "Range": asked})
        assert (answer.status_code, answer.content) == (status, body), asked
        assert answer.headers["Content-Range"] == told
    assert get_session().get(url, headers={**build_hf_headers(), "Range": "bytes=10-"}).status_code == 416


@check()
def a_broken_download_goes_on():
    repo = make("resume")
    content = os.urandom(1 << 20)
    put(repo, "a.bin", content)
    etag = get_hf_file_metadata(hf_hub_url(repo, "a.bin")).etag
    with tempfile.TemporaryDirectory() as cache:
        blobs = Path(cache) / f"models--{repo.replace('/', '--')}" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / f"{etag}.incomplete").write_bytes(content[:700_000])
        options = {"resume_download": True} if VERSION < (0, 23) else {}
        assert Path(hf_hub_download(repo, "a.bin", cache_dir=cache, **options)).read_bytes() == content


@check()
def missing_things():
    repo = make("missing")
    with raises(EntryNotFoundError):
        hf_hub_download(repo, "no-file")
    assert try_to_load_from_cache(repo, "no-file") is _CACHED_NO_EXIST
    with raises(RevisionNotFoundError):
        hf_hub_download(repo, ".gitattributes", revision="nope")
    with raises(RepositoryNotFoundError):
        hf_hub_download(name("never-made"), "x")
    assert api.file_exists(repo, ".gitattributes")
    assert not api.file_exists(repo, "no-file")
    assert not api.file_exists(name("never-made"), "x")
    assert not api.repo_exists(name("never-made"))
    if VERSION >= (0, 21):
        assert api.revision_exists(repo, "main")
        assert not api.revision_exists(repo, "nope")


@check()
def snapshot():
    repo = make("snapshot", "dataset")
    for path in ("a.txt", "b.bin", "sub/c.txt", "empty"):
        put(repo, path, b"" if path == "empty" else path.encode(), "dataset")
    old = head(repo, "dataset")
    put(repo, "later.txt", b"later", "dataset")
    folder = snapshot_download(repo, repo_type="dataset")
    assert folder.endswith(head(repo, "dataset"))
    assert tree(folder) == [".gitattributes", "a.txt", "b.bin", "empty", "later.txt", "sub/c.txt"]
    assert snapshot_download(repo, repo_type="dataset") == folder
    assert snapshot_download(repo, repo_type="dataset", local_files_only=True) == folder
    with tempfile.TemporaryDirectory() as place:
        snapshot_download(repo, repo_type="dataset", revision=old, local_dir=place, allow_patterns="*.txt")
        assert tree(place) == ["a.txt", "sub/c.txt"]
        assert (Path(place) / "sub/c.txt").read_bytes() == b"sub/c.txt"


@check()
def listings():
    repo = make("listings")
    for path in ("a.txt", "dir/b.txt", "dir/deep/c.txt"):
        put(repo, path, path.encode())
    top = {entry.path: entry for entry in api.list_repo_tree(repo)}
    assert sorted(top) == [".gitattributes", "a.txt", "dir"]
    assert top["a.txt"].size == 5
    assert top["dir"].tree_id
    below = [entry.path for entry in api.list_repo_tree(repo, "dir", recursive=True)]
    assert sorted(below) == ["dir/b.txt", "dir/deep", "dir/deep/c.txt"]
    with raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "nothing"))
    with raises(EntryNotFoundError):
        list(api.list_repo_tree(repo, "a.txt"))


@check(since="0.21")
def paths_info():
    repo = make("paths")
    put(repo, "dir/b.txt", b"b", commit_message="the b")
    (file, folder) = sorted(api.get_paths_info(repo, ["dir/b.txt", "dir", "nothing"], expand=True),
                            key=lambda entry: len(entry.path), reverse=True)
    assert (file.path, file.size, folder.path) == ("dir/b.txt", 1, "dir")
    assert file.last_commit.title == "the b"
    assert file.last_commit.oid == head(repo)
    assert file.last_commit.date.tzinfo


@check()
def info():
    repo = make("info", "dataset")
    put(repo, "data.csv", b"a,b\n", "dataset")
    found = api.dataset_info(repo, files_metadata=True)
    assert found.id == repo and found.author == repo.split("/")[0]
    assert {(entry.rfilename, entry.size) for entry in found.siblings} >= {("data.csv", 4)}
    assert api.dataset_info(repo, revision=found.sha[:12]).sha == found.sha
    with raises(RevisionNotFoundError):
        api.dataset_info(repo, revision="nope")
    if VERSION >= (0, 24):
        some = api.dataset_info(repo, expand=["lastModified", "likes"])
        assert (some.id, some.likes, some.siblings) == (repo, 0, None)
        assert some.last_modified.tzinfo
