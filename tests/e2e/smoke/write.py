"""Files in: uploads of every size, the same again, deletions, copies, a parent that is not the head."""

import io
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, hf_hub_download
from huggingface_hub.utils import EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from smoke import VERSION, api, check, files, head, make, name, other, put, raises

MIB = 1 << 20


def comes_back(repo, path, content):
    return Path(hf_hub_download(repo, path)).read_bytes() == content


@check()
def upload_every_size():
    repo = make("sizes")
    for path, content in {
        "text.txt": "Grüße\n".encode(),
        "empty": b"",
        "a folder/ünï & #1.bin": bytes(range(256)) * 4096,
    }.items():
        put(repo, path, content)
        assert comes_back(repo, path, content), path


@check()
def upload_60_mb_from_disk():
    repo = make("large")
    with tempfile.NamedTemporaryFile(suffix=".bin") as file:
        block = bytes(range(256)) * 4096
        for number in range(60):
            file.write(number.to_bytes(8, "big") + block[8:])
        file.flush()
        put(repo, "weights/model.bin", file.name)
        with open(hf_hub_download(repo, "weights/model.bin"), "rb") as back:
            file.seek(0)
            while block := file.read(MIB):
                assert back.read(MIB) == block
            assert not back.read(1)
    (entry,) = [e for e in api.repo_info(repo, files_metadata=True).siblings if e.rfilename.endswith("bin")]
    assert entry.size == 60 * MIB


@check()
def the_same_again_is_no_commit():
    repo = make("again")
    put(repo, "a.txt", b"a\n")
    put(repo, "a.bin", bytes(range(256)) * 4096)
    before = head(repo)
    put(repo, "a.txt", b"a\n")
    put(repo, "a.bin", bytes(range(256)) * 4096)
    assert head(repo) == before


@check()
def a_commit_with_everything():
    repo = make("commit")
    put(repo, "old.txt", b"old")
    put(repo, "folder/a", b"a")
    put(repo, "folder/b", b"b")
    made = api.create_commit(
        repo,
        [
            CommitOperationAdd("new.txt", b"new"),
            CommitOperationAdd("sub/file", io.BytesIO(b"from a file object")),
            CommitOperationDelete("old.txt"),
            CommitOperationDelete("folder/", is_folder=True),
        ],
        commit_message="everything",
        commit_description="at once",
    )
    assert made.oid == head(repo)
    assert made.commit_url.endswith(f"/{repo}/commit/{made.oid}")
    assert files(repo) == [".gitattributes", "new.txt", "sub/file"]
    assert api.list_repo_commits(repo)[0].title == "everything"
    assert api.list_repo_commits(repo)[0].message.strip() == "at once"


@check()
def delete_files():
    repo = make("delete-files")
    put(repo, "a", b"a")
    put(repo, "dir/b", b"b")
    put(repo, "dir/c", b"c")
    api.delete_file("a", repo)
    assert files(repo) == [".gitattributes", "dir/b", "dir/c"]
    api.delete_folder("dir", repo)
    assert files(repo) == [".gitattributes"]
    with raises(EntryNotFoundError):
        api.delete_file("never-there", repo)


@check(since="0.29")
def copy():
    repo = make("copy")
    put(repo, "a.txt", b"text")
    put(repo, "b.bin", bytes(range(256)) * 40960)
    api.create_commit(repo, [CommitOperationCopy("a.txt", "c/a.txt"), CommitOperationCopy("b.bin", "c/b.bin")],
                      commit_message="copy")
    assert comes_back(repo, "c/a.txt", b"text")
    assert comes_back(repo, "c/b.bin", bytes(range(256)) * 40960)
    with raises(EntryNotFoundError):
        api.create_commit(repo, [CommitOperationCopy("nothing", "d")], commit_message="copy nothing")


@check()
def a_stale_parent_is_refused():
    repo = make("stale")
    first = head(repo)
    put(repo, "a", b"1", parent_commit=first)
    with raises(HfHubHTTPError, 412, says="The branch was updated"):
        put(repo, "a", b"2", parent_commit=first)
    put(repo, "a", b"3", parent_commit=head(repo)[:10])
    assert comes_back(repo, "a", b"3")


@check()
def refused_uploads():
    repo = make("refused")
    with raises(RepositoryNotFoundError):
        put(name("never-made"), "a", b"a")
    with raises(RevisionNotFoundError):
        put(repo, "a", b"a", revision="nope")
    with raises(HfHubHTTPError, 403):
        other.upload_file(path_or_fileobj=b"a", path_in_repo="a", repo_id=repo)
    assert files(repo) == [".gitattributes"]


@check()
def upload_folder():
    repo = make("folder")
    put(repo, "old.log", b"old")
    put(repo, "stays.md", b"stays")
    with tempfile.TemporaryDirectory() as folder:
        for path in ("a.txt", "b.bin", "sub/c.txt", "sub/d.tmp", ".git/config"):
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_bytes(path.encode())
        api.upload_folder(repo_id=repo, folder_path=folder, ignore_patterns=["*.tmp"], delete_patterns=["*.log"])
        assert files(repo) == [".gitattributes", "a.txt", "b.bin", "stays.md", "sub/c.txt"]
        api.upload_folder(repo_id=repo, folder_path=folder, allow_patterns="*.txt", path_in_repo="deep/er")
    assert files(repo)[2:4] == ["b.bin", "deep/er/a.txt"]
    assert "deep/er/sub/c.txt" in files(repo)


@check(since="1.20")  # from there on it makes several commits
def upload_more_files_than_a_page_holds():
    repo = make("many")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(1100):
            (Path(folder) / f"{number:04}.txt").write_text(f"{number}")
        api.upload_folder(repo_id=repo, folder_path=folder)
    assert files(repo)[1:] == [f"{number:04}.txt" for number in range(1100)]


@check()
def uploads_at_once():
    repo = make("at-once")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(repo, f"{number}.txt", b"%d" % number), range(16)))
    assert len(files(repo)) == 17
    assert len(api.list_repo_commits(repo)) == 17


@check()
def a_wrong_readme_is_refused():
    repo = make("readme")
    put(repo, "README.md", b"---\nlicense: mit\ntags: [a, b]\n---\n# Fine\n")
    info = api.model_info(repo)
    assert (info.card_data if VERSION >= (0, 22) else info.cardData)["license"] == "mit"
    assert {"a", "b", "license:mit"} <= set(info.tags)
    if VERSION >= (0, 21):  # 0.20 does not ask
        with raises(ValueError, says="Invalid metadata"):
            put(repo, "README.md", b"---\nlicense: [mit\n---\n")
