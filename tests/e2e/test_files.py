"""What is uploaded through nginx comes back byte for byte."""

import base64
import hashlib
import json
import random

import pytest

from hub import fetch

MIB = 1 << 20
# Around the sizes at which something changes: a chunk of base64, a file held in memory, a buffer of nginx.
SIZES = [0, 1, 16 << 10, 32767, 32768, 65536, 65537, MIB - 1, MIB, MIB + 1, 5 * MIB, 60 * MIB]


def content_of(size):
    return random.Random(size).randbytes(size)


@pytest.fixture(scope="module")
def repo(hub):
    body = {"name": "bytes", "type": "model"}
    assert hub.call("POST", "/api/repos/create", body).status == 200
    lines = [{"key": "header", "value": {"summary": "bytes"}}]
    for size in SIZES:
        content = base64.b64encode(content_of(size)).decode()
        value = {"content": content, "path": f"dir/{size}.bin", "encoding": "base64"}
        lines.append({"key": "file", "value": value})
    body = "\n".join(map(json.dumps, lines)).encode()
    assert hub.call("POST", "/api/models/me/bytes/commit/main", body).status == 200
    return f"{hub.url}/me/bytes/resolve/main/dir"


@pytest.mark.parametrize("size", SIZES)
def test_a_file_comes_back_whole(repo, size):
    content = content_of(size)
    answer = fetch(f"{repo}/{size}.bin", headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert answer.status == 200 and answer.body == content
    assert answer.headers["Content-Length"] == str(size)
    assert answer.headers["Content-Encoding"] is None
    oid = hashlib.sha1(b"blob %d\0" % size + content).hexdigest()
    assert answer.headers["ETag"] == f'"{oid}"'
    head = fetch(f"{repo}/{size}.bin", "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("Content-Length", "ETag", "X-Repo-Commit", "Content-Disposition"):
        assert head.headers[name] == answer.headers[name]


def test_parts_make_the_file(repo):
    """As a download that is resumed again and again."""
    content, got = content_of(5 * MIB), b""
    while len(got) < len(content):
        headers = {"Range": f"bytes={len(got)}-{len(got) + 700000}"}
        answer = fetch(f"{repo}/{5 * MIB}.bin", headers=headers)
        assert answer.status == 206
        got += answer.body
    assert got == content
    answer = fetch(f"{repo}/{5 * MIB}.bin", headers={"Range": f"bytes={len(got)}-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(got)}")


def test_who_has_it_gets_no_bytes(repo):
    tag = fetch(f"{repo}/1.bin", "HEAD").headers["ETag"]
    answer = fetch(f"{repo}/1.bin", headers={"If-None-Match": tag})
    assert (answer.status, answer.body) == (304, b"")


DOWNLOAD = """
import hashlib, json, pathlib, sys
from huggingface_hub import snapshot_download
folder = pathlib.Path(snapshot_download("me/bytes"))
print(json.dumps({path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                  for path in sorted((folder / "dir").iterdir())}))
"""


def test_snapshots_of_old_and_new_clients_are_exact(repo, client):
    want = {f"{size}.bin": hashlib.sha256(content_of(size)).hexdigest() for size in SIZES}
    assert client.run(DOWNLOAD) == want
