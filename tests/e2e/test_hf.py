"""The command lines that people type, `hf` of today and `huggingface-cli` of old, by what they print."""

import json
import subprocess

import pytest

import apps
import clients


class Shell:
    """Commands of one client in one folder."""

    def __init__(self, client, program, folder):
        self.client, self.program, self.folder = client, program, folder

    def run(self, *words, stdin=""):
        return subprocess.run([self.client.python.parent / self.program, *map(str, words)], cwd=self.folder,
                              env=self.client.environment, input=stdin, capture_output=True, text=True, timeout=120)

    def __call__(self, *words, **options):
        """What a command that succeeds prints."""
        done = self.run(*words, **options)
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def json(self, *words):
        return json.loads(self(*words, "--json"))

    def fails(self, *words):
        """The complaint of a command that fails."""
        done = self.run(*words)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr


@pytest.fixture
def hf(new_client, tmp_path):
    new_client.environment["HF_HUB_DISABLE_UPDATE_CHECK"] = "1"
    return Shell(new_client, "hf", tmp_path)


def write(folder, **files):
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_repositories(hub, hf):
    assert hf.json("auth", "whoami")["user"] == "me"
    made = hf.json("repos", "create", "me/hf-repo", "--type", "dataset")
    assert made == {"repo_id": "me/hf-repo", "url": f"{hub.url}/datasets/me/hf-repo"}
    assert "You already created this dataset repo" in hf.fails("repos", "create", "me/hf-repo", "--type", "dataset")
    hf("repos", "create", "me/hf-repo", "--type", "dataset", "--exist-ok")
    assert "me/hf-repo" in [repo["id"] for repo in hf.json("repos", "ls")]
    hf("repos", "settings", "me/hf-repo", "--type", "dataset", "--private")
    assert hf.json("datasets", "info", "me/hf-repo")["private"] is True
    hf("repos", "delete", "me/hf-repo", "--type", "dataset", "-y")
    assert "not found" in hf.fails("datasets", "info", "me/hf-repo")
    hf("repos", "delete", "me/hf-repo", "--type", "dataset", "-y", "--missing-ok")


def test_files(hub, hf):
    write(hf.folder / "up", a_txt="a\n", sub__b_bin="b" * 1000, c_tmp="left out")
    hf("repos", "create", "me/hf-files")
    url = hf("upload", "me/hf-files", "up", ".", "--exclude", "*.tmp", "--commit-message", "by hand", "-q")
    assert url.startswith(f"{hub.url}/me/hf-files/commit/")
    assert hf("upload", "me/hf-files", "up", ".", "--exclude", "*.tmp", "-q") == url  # nothing has changed
    assert hf("models", "ls", "me/hf-files", "-R", "-q").split() == [".gitattributes", "a.txt", "sub/", "sub/b.bin"]
    place = hf.folder / "down"
    hf("download", "me/hf-files", "--local-dir", place, "--include", "sub/*")
    assert (place / "sub/b.bin").read_text() == "b" * 1000 and not (place / "a.txt").exists()
    hf("download", "me/hf-files")
    assert "All checksums match" in hf("cache", "verify", "me/hf-files")
    (place / "sub/b.bin").write_text("changed")
    assert "sub/b.bin" in hf.fails("cache", "verify", "me/hf-files", "--local-dir", place)
    hf("repos", "delete-files", "me/hf-files", "sub/*")
    assert hf("models", "ls", "me/hf-files", "-R", "-q").split() == [".gitattributes", "a.txt"]
    assert "me/hf-files" in hf("models", "ls", "--author", "me", "--search", "hf-files", "-q")
    assert hf("datasets", "ls", "--search", "hf-files", "-q") == ""


def test_revisions(hf):
    write(hf.folder, a_txt="a\n")
    hf("repos", "create", "me/hf-refs")
    hf("repos", "tag", "create", "me/hf-refs", "v1", "-m", "the first")
    assert "already exists" in hf.fails("repos", "tag", "create", "me/hf-refs", "v1")
    assert hf("repos", "tag", "ls", "me/hf-refs", "-q").split() == ["v1"]
    hf("repos", "branch", "create", "me/hf-refs", "dev")
    hf("repos", "branch", "create", "me/hf-refs", "dev", "--exist-ok")
    hf("upload", "me/hf-refs", "a.txt", "--revision", "dev")
    hf("upload", "me/hf-refs", "a.txt", "--revision", "made/by-upload")
    assert "a.txt" in hf("download", "me/hf-refs", "a.txt", "--revision", "made/by-upload", "-q")
    assert "not found" in hf.fails("download", "me/hf-refs", "a.txt").lower()
    hf("repos", "tag", "delete", "me/hf-refs", "v1", "-y")
    hf("repos", "branch", "delete", "me/hf-refs", "dev")
    assert "Revision not found" in hf.fails("repos", "branch", "delete", "me/hf-refs", "dev")


def test_wishes_of_a_space(hf):
    space = "me/hf-wishes"
    hf("repos", "create", space, "--type", "space", "--space-sdk", "gradio", "--secrets", "TOKEN=hidden",
       "--env", "MODEL=a/b")
    assert hf("spaces", "secrets", "ls", space, "-q") == "TOKEN"
    hf("spaces", "secrets", "add", space, "-s", "SECOND=hidden too")
    hf("spaces", "secrets", "delete", space, "TOKEN", "-y")
    assert hf("spaces", "secrets", "ls", space, "-q") == "SECOND"
    hf("spaces", "variables", "add", space, "-e", "DEBUG=1")
    found = {entry["key"]: entry["value"] for entry in hf.json("spaces", "variables", "ls", space)}
    assert found == {"MODEL": "a/b", "DEBUG": "1"}
    hf("spaces", "variables", "delete", space, "DEBUG", "-y")
    hf("spaces", "settings", space, "--hardware", "cpu-upgrade", "--sleep-time", "300")
    runtime = hf.json("spaces", "info", space)["runtime"]
    assert (runtime["requested_hardware"], runtime["sleep_time"]) == ("cpu-upgrade", 300)
    assert "cpu-basic" in hf("spaces", "hardware")
    hf("spaces", "volumes", "set", space, "-v", "hf://datasets/me/data:/data:ro")
    assert "/data" in hf("spaces", "volumes", "ls", space)
    hf("spaces", "volumes", "delete", space, "-y")
    assert "/data" not in hf("spaces", "volumes", "ls", space)


def test_the_life_of_a_space(hf):
    space = "me/hf-life"
    write(hf.folder / "app", app_py=apps.plain("hello")["app.py"])
    hf("repos", "create", space, "--type", "space", "--space-sdk", "gradio")
    hf("upload", space, "app", ".", "--type", "space")
    assert "RUNNING" in hf("spaces", "wait", space, "--timeout", "120s")
    assert "app says hello" in hf("spaces", "logs", space)
    assert hf("spaces", "logs", space, "--build")
    hf("spaces", "pause", space)
    assert hf.json("spaces", "info", space)["runtime"]["stage"] == "PAUSED"
    assert "PAUSED" in hf.fails("spaces", "wait", space)
    hf("spaces", "restart", space)
    assert "RUNNING" in hf("spaces", "wait", space, "--timeout", "120s")
    assert space in hf("spaces", "ls", "--author", "me", "--search", "hf-life", "-q").split()
    assert space in hf("spaces", "search", "hf-life", "-q")
    hf("spaces", "pause", space)


@pytest.mark.parametrize("version", ["0.20.3", "0.36.2"])
def test_huggingface_cli(hub, tmp_path, version):
    with clients.Client(version, hub) as client:
        cli = Shell(client, "huggingface-cli", tmp_path)
        name = f"cli-{version.replace('.', '-')}"
        assert "me" in cli("whoami").splitlines()
        cli("repo", "create", name, "--type", "dataset", "-y")
        write(tmp_path / "up", a_txt="a\n", sub__b_bin="b" * 1000)
        cli("upload", f"me/{name}", "up", ".", "--repo-type", "dataset")
        path = cli("download", f"me/{name}", "a.txt", "--repo-type", "dataset").splitlines()[-1]
        assert open(path).read() == "a\n"
        cli("download", f"me/{name}", "--repo-type", "dataset", "--local-dir", tmp_path / "down")
        assert (tmp_path / "down/sub/b.bin").read_text() == "b" * 1000
        assert name in cli("scan-cache")
        assert "Entry Not Found" in cli.fails("download", f"me/{name}", "nothing", "--repo-type", "dataset")
        if version == "0.36.2":
            cli("tag", f"me/{name}", "v1", "--repo-type", "dataset")
            assert "v1" in cli("tag", "-l", f"me/{name}", "--repo-type", "dataset")
