"""A folder becomes a running Gradio Space, by the clients that people have."""

from front import wait_until
from hub import ROOT, fetch

HELLO = ROOT / "examples" / "hello-gradio"

CREATE_AND_UPLOAD = """
import json, sys
from huggingface_hub import HfApi
repo, folder = sys.argv[1:]
api = HfApi()
url = api.create_repo(repo_id=repo, repo_type="space", space_sdk="gradio")
again = api.create_repo(repo_id=repo, repo_type="space", space_sdk="gradio", exist_ok=True)
commit = api.upload_folder(repo_id=repo, repo_type="space", folder_path=folder)
print(json.dumps({"url": str(url), "again": str(again), "head": api.repo_info(repo, repo_type="space").sha}))
"""

RUNTIME = """
import json, sys
from huggingface_hub import HfApi
runtime = HfApi().get_space_runtime(sys.argv[1])
print(json.dumps([runtime.stage, runtime.hardware, runtime.requested_hardware]))
"""

PREDICT = """
import json, sys
from gradio_client import Client
print(json.dumps(Client(sys.argv[1], verbose=False).predict(sys.argv[2], api_name="/predict")))
"""

# The way of every first start; a poll may miss one that is quick, none may come out of order.
ORDER = ["BUILDING", "APP_STARTING", "RUNNING"]


def in_order(seen):
    positions = [ORDER.index(stage) for stage in seen]
    return positions == sorted(positions) and seen[-1] == "RUNNING"


def test_folder_becomes_a_running_space(hub, client, new_client):
    name = "first-" + client.version.replace(".", "-")
    made = client.run(CREATE_AND_UPLOAD, f"me/{name}", HELLO)
    assert made["url"] == made["again"] == f"{hub.url}/spaces/me/{name}"

    seen = hub.wait_stage(name, "RUNNING", sha=made["head"])
    assert in_order(seen), seen
    assert client.run(RUNTIME, f"me/{name}") == ["RUNNING", "cpu-basic", "cpu-basic"]

    assert new_client.run(PREDICT, f"me/{name}", "Ada") == "Hello Ada!"
    page = fetch(hub.host(name) + "/")
    assert page.status == 200 and b"gradio" in page.body


def test_what_was_uploaded_comes_back(hub, client):
    name = "files-" + client.version.replace(".", "-")
    script = """
import json, sys, pathlib
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
repo, folder = sys.argv[1:]
api = HfApi()
api.create_repo(repo_id=repo, repo_type="dataset")
api.upload_file(path_or_fileobj=b"a,b\\n1,2\\n", path_in_repo="data/t.csv", repo_id=repo, repo_type="dataset")
api.upload_file(path_or_fileobj=bytes(range(256)) * 4096, path_in_repo="blob.bin", repo_id=repo, repo_type="dataset")
api.upload_file(path_or_fileobj=b"", path_in_repo="empty", repo_id=repo, repo_type="dataset")
text = pathlib.Path(hf_hub_download(repo, "data/t.csv", repo_type="dataset")).read_text()
blob = pathlib.Path(hf_hub_download(repo, "blob.bin", repo_type="dataset")).read_bytes()
snapshot = pathlib.Path(snapshot_download(repo, repo_type="dataset"))
print(json.dumps([text, blob == bytes(range(256)) * 4096,
                  sorted(str(p.relative_to(snapshot)) for p in snapshot.rglob("*") if p.is_file())]))
"""
    text, same, files = client.run(script, f"me/{name}", "")
    assert text == "a,b\n1,2\n" and same
    assert files == [".gitattributes", "blob.bin", "data/t.csv", "empty"]


def test_missing_things_raise_what_clients_expect(hub, client):
    script = """
import json, sys
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.utils import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError
api = HfApi()
seen = []
for call, expected in [
    (lambda: hf_hub_download("me/never-made", "x"), RepositoryNotFoundError),
    (lambda: hf_hub_download(sys.argv[1], "nothing.txt", repo_type="space"), EntryNotFoundError),
    (lambda: hf_hub_download(sys.argv[1], "README.md", repo_type="space", revision="nope"), RevisionNotFoundError),
]:
    try:
        call()
        seen.append("nothing")
    except expected:
        seen.append("right")
print(json.dumps([seen, api.repo_exists("me/never-made"), api.file_exists(sys.argv[1], "README.md", repo_type="space")]))
"""
    hub.create("errors-" + client.version.replace(".", "-"))
    seen, exists, file_exists = client.run(script, "me/errors-" + client.version.replace(".", "-"))
    assert seen == ["right"] * 3
    assert (exists, file_exists) == (False, True)


def test_deleted_space_is_gone(hub, client):
    name = "gone-" + client.version.replace(".", "-")
    hub.create(name)
    hub.commit(name, {"app.py": (HELLO / "app.py").read_text()})
    hub.wait_stage(name, "RUNNING")
    host = hub.host(name)
    client.run("""
import sys
from huggingface_hub import HfApi
HfApi().delete_repo(sys.argv[1], repo_type="space")
""", f"me/{name}")
    assert hub.call("GET", f"/api/spaces/me/{name}").status == 404
    # As at a name that nobody has had, or a private one.
    wait_until(lambda: fetch(host + "/").status == 401, "nobody serves its name")
