"""The guide "Gérez votre space" from its first line to its last, by the client of its day and by the newest.

Each block of code below is the guide's, in its order, run in one Python of the client; what it does is then looked at
from outside: the page that the app shows, its processes, the files. The last part has a test of its own
(test_guide_training.py). Slips of the guide, and what is run instead:

- `{"key"="HF_TOKEN", "value"="hf_api_***"}` is no dictionary: `:` for `=`; the `...` behind it is left out.
- Three blocks lack the comma behind `space_sdk="gradio"`.
- The blocks "Bonus" create `repo_id` again, which there is by then: each has a name of its own.
- "revenir à cpu-classic" names hardware by its old name; it is cpu-basic.
- The newest client has no storage (`SpaceStorage`, `request_space_storage`, `space_storage`) and no `duplicate_space`:
  these are called by HTTP.
- Duplicates of `repo_id` without `to_id` would have its own name: each has a name here.
"""

import base64
import hashlib
import json
import pathlib
import subprocess
import time

import pytest

import apps
import clients
from hub import fetch

# Shows what it was started with; `boot` tells one process from the next.
APP = apps.telling("""
import hashlib, os, uuid
token = os.environ.get("HF_TOKEN")
SEEN = {"boot": uuid.uuid4().hex, "HF_TOKEN": token and hashlib.sha256(token.encode()).hexdigest(),
        "MODEL_REPO_ID": os.environ.get("MODEL_REPO_ID"), "SPACE_ID": os.environ["SPACE_ID"],
        "data": sorted(os.listdir("/data")) if os.path.ismount("/data") else None}
if SEEN["data"] is not None:
    open("/data/" + SEEN["boot"], "w").close()
""", "SEEN")

# Runs block after block in one namespace; `answer`, where a block sets it, comes back.
PYTHON = """
import json, sys
names = {}
for line in sys.stdin:
    names.pop("answer", None)
    try:
        exec(json.loads(line), names)
        result = {"answer": names.get("answer")}
    except Exception as error:
        response = getattr(error, "response", None)
        result = {"error": type(error).__name__, "status": getattr(response, "status_code", None), "text": str(error)}
    print(json.dumps(result, default=str), flush=True)
"""

TOKEN = "hf_api_of_the_guide"
TOKEN_SEEN = hashlib.sha256(TOKEN.encode()).hexdigest()
REPO = "Wauplin/my-cool-training-space"
PASSING = ("BUILDING", "RUNNING_BUILDING", "APP_STARTING", "RUNNING_APP_STARTING")


class Reader:
    """A person in front of the guide: their Python, and what they see elsewhere."""

    def __init__(self, hub, client, token):
        self.hub, self.client, self.token = hub, client, token
        self.process = subprocess.Popen([client.python, "-c", PYTHON], env=client.environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def type(self, block):
        """Run a block that works; its `answer`."""
        result = self.try_to(block)
        assert "error" not in result, f"{block}\n{result}"
        return result["answer"]

    def try_to(self, block):
        self.process.stdin.write(json.dumps(block) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def call(self, method, path, body=None, repo=REPO):
        return self.hub.call(method, f"/api/spaces/{repo}{path}", body, token=self.token)

    def runtime(self, repo=REPO):
        answer = self.call("GET", "/runtime", repo=repo)
        assert answer.status == 200, answer.body
        return answer.json

    def wait(self, *stages, repo=REPO):
        end = time.monotonic() + 120
        while (runtime := self.runtime(repo))["stage"] not in stages:
            assert time.monotonic() < end, f"{repo}: {runtime}\n{self.hub.tail()}"
            time.sleep(0.05)
        return runtime

    def page(self, repo=REPO):
        """As who has the token: some are private."""
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = fetch(self.call("GET", "", repo=repo).json["host"] + "/", headers=headers)
        return answer.json if answer.status == 200 else answer.status

    def processes(self, repo=REPO):
        """Those of the Space on this machine, by its cgroups."""
        identity = self.call("GET", "", repo=repo).json["_id"]
        done = subprocess.run(["grep", "-lsF", f"/{identity}-", *all_cgroups()], capture_output=True, text=True)
        return done.stdout.split()

    def wait_no_process(self, repo=REPO):
        end = time.monotonic() + 30
        while left := self.processes(repo):
            assert time.monotonic() < end, left
            time.sleep(0.05)

    def has(self, what):
        return self.type(f"answer = hasattr(api, {what!r})")

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def all_cgroups():
    return [str(path / "cgroup") for path in pathlib.Path("/proc").glob("[0-9]*")]


@pytest.fixture(scope="module")
def wauplin(hub):
    hub.words("user", "add", "Wauplin")
    for flavor in ("cpu-upgrade", "t4-medium"):
        hub.words("grant", "Wauplin", "--hardware", flavor)
    return hub.words("token", "add", "Wauplin", "--role", "write", "--name", "guide")


@pytest.fixture(scope="module")
def visitor(hub):
    hub.words("user", "add", "visitor")
    return hub.words("token", "add", "visitor", "--role", "write", "--name", "guide")


@pytest.fixture(scope="module", params=["0.20.3", "2.4.0"])
def reader(request, hub, wauplin):
    with clients.Client(request.param, hub, token=wauplin) as client:
        reader = Reader(hub, client, wauplin)
        yield reader
        # Names are free again for whoever reads next.
        answer = hub.call("GET", "/api/spaces?author=Wauplin", token=wauplin)
        for space in answer.json:
            reader.type(f'api.delete_repo({space["id"]!r}, repo_type="space")')
        reader.close()


def test_1_create_a_space(reader):
    reader.type('''
from huggingface_hub import HfApi
repo_id = "Wauplin/my-cool-training-space"
api = HfApi()
''')
    reader.type('api.create_repo(repo_id=repo_id, repo_type="space", space_sdk="gradio")')
    assert reader.runtime()["stage"] == "NO_APP_FILE" and reader.page() == 503


@pytest.fixture(scope="module")
def dreambooth(hub):
    """A Space of somebody else, with a secret of theirs."""
    hub.words("user", "add", "multimodalart")
    token = hub.words("token", "add", "multimodalart", "--role", "write", "--name", "guide")
    repo = {"organization": "multimodalart", "name": "dreambooth-training", "type": "space", "sdk": "gradio",
            "private": False, "secrets": [{"key": "HF_TOKEN", "value": "theirs"}],
            "variables": [{"key": "MODEL_REPO_ID", "value": "theirs/model"}],
            "files": [{"path": "app.py", "content": base64.b64encode(APP.encode()).decode(), "encoding": "base64"}]}
    assert hub.call("POST", "/api/repos/create", repo, token=token).status == 200


def duplicate(reader, source, **options):
    """As of the old client; the newest has no such call any more, so that it is made by HTTP."""
    if reader.has("duplicate_space"):
        words = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return reader.type(f"answer = str(api.duplicate_space({source!r}, {words}))")
    names = {"to_id": "repository", "storage": "storageTier", "sleep_time": "sleepTimeSeconds"}
    body = {"repository": "Wauplin/" + source.split("/")[1]}
    body |= {names.get(name, name): value for name, value in options.items()}
    answer = reader.call("POST", "/duplicate", body, repo=source)
    assert answer.status == 200, answer.body
    return answer.json["url"]


def test_1_bis_duplicate_a_space(reader, dreambooth):
    copy = "Wauplin/dreambooth-training"
    assert duplicate(reader, "multimodalart/dreambooth-training").endswith("/spaces/" + copy)
    assert reader.call("GET", "", repo=copy).json["private"] is True
    reader.wait("RUNNING", repo=copy)
    page = reader.page(copy)
    assert (page["SPACE_ID"], page["HF_TOKEN"], page["MODEL_REPO_ID"]) == (copy, None, "theirs/model")


def test_2_upload_your_code(reader, tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "app.py").write_text(APP)
    reader.type(f"import os; os.chdir({str(tmp_path)!r})")
    reader.type('api.upload_folder(repo_id=repo_id, repo_type="space", folder_path="src/")')
    runtime = reader.wait("RUNNING")
    assert runtime["hardware"]["current"] == "cpu-basic"
    assert reader.page()["SPACE_ID"] == REPO and reader.page()["HF_TOKEN"] is None
    assert reader.processes()


def test_3_secrets_and_variables(reader):
    before = reader.page()["boot"]
    reader.type(f'''
api.add_space_secret(repo_id=repo_id, key="HF_TOKEN", value="{TOKEN}")
api.add_space_variable(repo_id=repo_id, key="MODEL_REPO_ID", value="user/repo")
''')
    # "Tout changement dans la configuration de votre space relancera votre application."
    assert reader.runtime()["stage"] in PASSING
    reader.wait("RUNNING")
    page = reader.page()
    assert page["HF_TOKEN"] == TOKEN_SEEN and page["MODEL_REPO_ID"] == "user/repo" and page["boot"] != before
    reader.type('''
api.delete_space_secret(repo_id=repo_id, key="HF_TOKEN")
api.delete_space_variable(repo_id=repo_id, key="MODEL_REPO_ID")
''')
    reader.wait("RUNNING")
    page = reader.page()
    assert page["HF_TOKEN"] is None and page["MODEL_REPO_ID"] is None


def upload(reader, repo):
    reader.type(f'api.upload_folder(repo_id={repo!r}, repo_type="space", folder_path="src/")')
    return reader.wait("RUNNING", repo=repo)


def test_3_bonus_at_creation(reader):
    reader.type(f'''
api.create_repo(
    repo_id=repo_id + "-keys",
    repo_type="space",
    space_sdk="gradio",
    space_secrets=[{{"key": "HF_TOKEN", "value": "{TOKEN}"}}],
    space_variables=[{{"key": "MODEL_REPO_ID", "value": "user/repo"}}],
)
''')
    upload(reader, REPO + "-keys")
    page = reader.page(REPO + "-keys")
    assert page["HF_TOKEN"] == TOKEN_SEEN and page["MODEL_REPO_ID"] == "user/repo"


def test_3_bonus_at_duplication(reader):
    copy = REPO + "-keys-copy"
    duplicate(reader, REPO + "-keys", to_id=copy, secrets=[{"key": "HF_TOKEN", "value": TOKEN}],
              variables=[{"key": "MODEL_REPO_ID", "value": "user/other"}])
    reader.wait("RUNNING", repo=copy)
    page = reader.page(copy)
    assert page["HF_TOKEN"] == TOKEN_SEEN and page["MODEL_REPO_ID"] == "user/other"


def test_4_to_6_bonus_at_duplication(reader):
    duplicate(reader, REPO, to_id=REPO + "-copy-4", hardware="cpu-upgrade", storage="small", sleep_time="7200")
    duplicate(reader, REPO, to_id=REPO + "-copy-5", hardware="t4-medium", sleep_time="3600")
    duplicate(reader, REPO, to_id=REPO + "-copy-6", storage="large")
    seen = [reader.wait("RUNNING", repo=f"{REPO}-copy-{number}") for number in (4, 5, 6)]
    assert [(runtime["hardware"]["current"], runtime["storage"], runtime["gcTimeout"]) for runtime in seen] == [
        ("cpu-upgrade", "small", 7200), ("t4-medium", None, 3600), ("cpu-basic", "large", 48 * 3600)]


def test_4_hardware(reader):
    before = reader.page()["boot"]
    # One after the other, as it is typed: the old version serves on for half a second, in which more may change.
    shown = reader.type('''
from huggingface_hub import SpaceHardware
api.request_space_hardware(repo_id=repo_id, hardware=SpaceHardware.T4_MEDIUM)
runtime = api.get_space_runtime(repo_id=repo_id)
answer = [runtime.stage, runtime.hardware, runtime.requested_hardware]
''')
    assert shown == ["RUNNING_BUILDING", "cpu-basic", "t4-medium"]
    runtime = reader.wait("RUNNING")
    assert runtime["hardware"]["current"] == "t4-medium"
    moved = reader.page()["boot"]
    assert moved != before
    # "Ou simplement passez un string": what is there already changes nothing.
    reader.type('api.request_space_hardware(repo_id=repo_id, hardware="t4-medium")')
    assert reader.runtime()["stage"] == "RUNNING" and reader.page()["boot"] == moved
    # "assurez vous de revenir à cpu-classic"
    reader.type('api.request_space_hardware(repo_id=repo_id, hardware="cpu-classic")')
    runtime = reader.wait("RUNNING")
    assert runtime["hardware"]["current"] == runtime["hardware"]["requested"] == "cpu-basic"
    assert reader.page()["boot"] != moved


def test_4_bonus_at_creation(reader):
    """`space_storage` is the old client's; the new one asks by HTTP."""
    storage = 'space_storage="small",' if reader.has("request_space_storage") else ""
    reader.type(f'''
api.create_repo(
    repo_id=repo_id + "-hardware",
    repo_type="space",
    space_sdk="gradio",
    space_hardware="cpu-upgrade",
    {storage}
    space_sleep_time="7200", # 2 heures en secondes
)
''')
    if not storage:
        assert reader.call("POST", "/storage", {"tier": "small"}, repo=REPO + "-hardware").status == 200
    runtime = upload(reader, REPO + "-hardware")
    assert runtime["hardware"]["current"] == "cpu-upgrade"
    assert (runtime["gcTimeout"], runtime["storage"]) == (7200, "small")
    assert reader.type('answer = api.get_space_runtime(repo_id + "-hardware").sleep_time') == 7200


def test_5_pause_and_restart(reader):
    before = reader.page()["boot"]
    reader.type("api.pause_space(repo_id=repo_id)")
    assert reader.runtime()["stage"] == "PAUSED"
    reader.wait_no_process()
    assert reader.page() == 503
    reader.type("api.restart_space(repo_id=repo_id)")
    assert reader.runtime()["stage"] in PASSING
    reader.wait("RUNNING")
    assert reader.page()["boot"] != before and reader.processes()


def test_5_sleep_time(reader):
    before = reader.page()["boot"]
    # "si vous utilisez du hardware 'cpu-basic', vous ne pouvez pas configurer un timeout": 48 h
    reader.type("api.set_space_sleep_time(repo_id=repo_id, sleep_time=3600)")
    assert reader.runtime()["gcTimeout"] == 48 * 3600
    assert reader.page()["boot"] == before

    reader.type("api.request_space_hardware(repo_id=repo_id, hardware=SpaceHardware.T4_MEDIUM)")
    reader.wait("RUNNING")
    assert reader.runtime()["gcTimeout"] in (None, -1)  # "il ne sera jamais arrêté"
    before = reader.page()["boot"]
    reader.type("api.set_space_sleep_time(repo_id=repo_id, sleep_time=3600)")
    assert reader.runtime()["gcTimeout"] == 3600
    assert reader.page()["boot"] == before  # nothing to restart for

    # "Bonus: définissez le temps de timeout lorsque vous demandez le hardware"
    reader.type("api.request_space_hardware(repo_id=repo_id, hardware='cpu-basic')")
    reader.type("api.request_space_hardware(repo_id=repo_id, hardware=SpaceHardware.T4_MEDIUM, sleep_time=3600)")
    runtime = reader.wait("RUNNING")
    assert (runtime["gcTimeout"], runtime["hardware"]["current"]) == (3600, "t4-medium")


def test_5_bonus_at_creation(reader):
    reader.type('''
api.create_repo(
    repo_id=repo_id + "-sleep",
    repo_type="space",
    space_sdk="gradio",
    space_hardware="t4-medium",
    space_sleep_time="3600",
)
''')
    runtime = upload(reader, REPO + "-sleep")
    assert (runtime["gcTimeout"], runtime["hardware"]["current"]) == (3600, "t4-medium")


def ask_for_storage(reader, tier):
    """The old client's call, or the same over HTTP; what came of it: None, or status and text."""
    if reader.has("request_space_storage"):
        result = reader.try_to(f'''
from huggingface_hub import SpaceStorage
api.request_space_storage(repo_id=repo_id, storage=SpaceStorage.{tier})
''')
        return (result["status"], result["text"]) if "error" in result else None
    answer = reader.call("POST", "/storage", {"tier": tier.lower()})
    return None if answer.status == 200 else (answer.status, answer.json["error"])


def test_6_storage(reader):
    assert ask_for_storage(reader, "LARGE") is None
    assert reader.wait("RUNNING")["storage"] == "large"
    boot = reader.page()["boot"]
    assert reader.page()["data"] == []
    # "Vous ne pouvez pas diminuer le niveau de stockage"
    status, text = ask_for_storage(reader, "SMALL")
    assert status == 400 and "shrink" in text
    assert reader.runtime()["storage"] == "large" and reader.runtime()["stage"] == "RUNNING"
    assert reader.page()["boot"] == boot
    if reader.has("delete_space_storage"):
        reader.type("api.delete_space_storage(repo_id=repo_id)")
    else:
        assert reader.call("DELETE", "/storage").status == 200
    assert reader.wait("RUNNING")["storage"] is None
    assert reader.page()["data"] is None
    assert ask_for_storage(reader, "SMALL") is None
    assert reader.wait("RUNNING")["storage"] == "small"
    # "vous perdrez toute la donnée de manière irréversible": the note of that other start is not there
    assert reader.page()["data"] == []


def test_6_bonus_at_creation(reader):
    if reader.has("request_space_storage"):
        reader.type('''
api.create_repo(
    repo_id=repo_id + "-storage",
    repo_type="space",
    space_sdk="gradio",
    space_storage="large",
)
''')
    else:
        answer = reader.hub.call("POST", "/api/repos/create", {
            "name": REPO.split("/")[1] + "-storage", "type": "space", "sdk": "gradio", "storageTier": "large"}, token=reader.token)
        assert answer.status == 200, answer.body
    assert upload(reader, REPO + "-storage")["storage"] == "large"


WRONG = [
    ("POST", "/hardware", {"flavor": "t5-enormous"}, "t5-enormous"),
    ("POST", "/hardware", {"flavor": "t4-medium", "sleepTimeSeconds": -3600}, "never"),
    ("POST", "/sleeptime", {"seconds": -3600}, "never"),
    ("POST", "/storage", {"tier": "boundless"}, "small, medium, large"),
]


@pytest.mark.parametrize("method,path,body,part", WRONG)
def test_what_the_guide_does_not_say_is_refused_without_effect(reader, method, path, body, part):
    before, boot = reader.runtime(), reader.page()["boot"]
    answer = reader.call(method, path, body)
    assert answer.status == 400 and part in answer.json["error"], answer.body
    assert reader.runtime() == before and reader.page()["boot"] == boot


def test_who_may_only_read_changes_nothing(reader, hub, visitor):
    before = reader.runtime()
    for path, body in (("/pause", None), ("/restart", None), ("/hardware", {"flavor": "cpu-basic"}),
                       ("/secrets", {"key": "A", "value": "b"}), ("/storage", {"tier": "large"})):
        answer = hub.call("POST", f"/api/spaces/{REPO}{path}", body, token=visitor)
        assert answer.status == 403, (path, answer.body)
    assert reader.runtime() == before
