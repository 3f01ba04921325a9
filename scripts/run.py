"""Run a hub and put the first Space into it, through the API that every client uses."""

import argparse
import base64
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
ESPACED = ROOT / "build" / "espaced"
EXAMPLE = ROOT / "examples" / "hello-gradio"
USER, SPACE = "me", "hello"
ENDED_BADLY = {"BUILD_ERROR", "RUNTIME_ERROR", "CONFIG_ERROR", "NO_APP_FILE"}
POLL_S = 0.2

started = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - started:6.1f} s] {text}", flush=True)


class Hub:
    def __init__(self, arguments):
        self.data = arguments.data
        self.options = ["--data", self.data]
        for address in arguments.listen or []:
            self.options += ["--listen", address]
        self.process = None
        self.url = self.token = None

    def words(self, *words):
        done = subprocess.run([ESPACED, *self.options, *words], capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stderr.strip())
        return done.stdout.strip()

    def prepare_account(self):
        self.words("init")
        self.words("user", "add", USER, "--admin")
        kept = pathlib.Path(self.data) / "me.token"
        if kept.exists():
            self.token = kept.read_text().strip()
        # imports it again where the database is new; says so where it is another's
        imported = ["--value", self.token] if self.token else []
        self.token = self.words("token", "add", USER, "--role", "write", "--name", "run", *imported)
        with open(os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(self.token + "\n")

    def prepare_base(self):
        """Make the base system of all Spaces where it is missing, and show what it does."""
        if os.path.exists(os.path.join(self.data, "layers", "base")):
            return
        say("making the base system, once for all Spaces (half a minute or more)")
        process = subprocess.Popen([ESPACED, *self.options, "prepare"], stderr=subprocess.PIPE, text=True)
        for line in process.stderr:
            say("  base | " + line.rstrip("\n").split(" line=")[-1])
        if process.wait():
            sys.exit("the base system could not be made")

    def start(self):
        """Start espaced and wait until it is ready."""
        self.process = subprocess.Popen([ESPACED, *self.options, "--log-level", "warn"], stdout=subprocess.PIPE,
                                        text=True, start_new_session=True)
        line = self.process.stdout.readline()
        if "ready on" not in line:
            sys.exit(self.process.wait() or 1)
        self.url = line.split()[-1]

    def end(self):
        if self.process and self.process.poll() is None:
            say("stopping")
            self.process.send_signal(signal.SIGINT)
            self.process.wait()
            say("stopped; everything is kept in " + self.data)

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.url + path, data=body, method=method,
                                         headers={"Authorization": f"Bearer {self.token}"})
        return urllib.request.urlopen(request)

    def json(self, method, path, body=None):
        with self.call(method, path, body) as answer:
            return json.load(answer)


def upload(hub):
    """create_repo and upload_folder, as huggingface_hub does them."""
    try:
        hub.json("POST", "/api/repos/create",
                 json.dumps({"name": SPACE, "organization": USER, "type": "space", "sdk": "gradio"}).encode())
    except urllib.error.HTTPError as error:
        if error.code != 409:  # it is there from an earlier run
            raise
    lines = [{"key": "header", "value": {"summary": "the hello example"}}]
    for file in sorted(path for path in EXAMPLE.rglob("*") if path.is_file()):
        lines.append({"key": "file", "value": {"path": str(file.relative_to(EXAMPLE)), "encoding": "base64",
                                               "content": base64.b64encode(file.read_bytes()).decode()}})
    return hub.json("POST", f"/api/spaces/{USER}/{SPACE}/commit/main",
                    "\n".join(json.dumps(line) for line in lines).encode())["commitOid"]


def follow_build(hub):
    """Print the build log while it grows."""
    try:
        with hub.call("GET", f"/api/spaces/{USER}/{SPACE}/logs/build") as stream:
            for line in stream:
                if line.startswith(b"data: {"):
                    say("  build | " + json.loads(line[len(b"data: "):])["data"].rstrip("\n"))
    except OSError:
        pass  # the stages go on telling


def wait_until_it_runs(hub, commit):
    stage = None
    follower = None
    while True:
        runtime = hub.json("GET", f"/api/spaces/{USER}/{SPACE}/runtime")
        if runtime["stage"] != stage:
            stage = runtime["stage"]
            say(f"{USER}/{SPACE} is {stage}")
        if "BUILDING" in stage and not follower:
            follower = threading.Thread(target=follow_build, args=(hub,), daemon=True)
            follower.start()
        if stage == "RUNNING" and runtime.get("sha", commit) == commit:
            return
        if stage in ENDED_BADLY:
            sys.exit(f"{USER}/{SPACE}: {stage}: {runtime.get('errorMessage', '')}")
        time.sleep(POLL_S)


def explain(hub):
    host = hub.json("GET", f"/api/spaces/{USER}/{SPACE}")["host"]
    print(f"""
  app    {host}
  hub    {hub.url}
  token  {hub.token}

The same from Python (pip install huggingface_hub gradio_client):

  export HF_ENDPOINT={hub.url} HF_TOKEN={hub.token}

  from huggingface_hub import HfApi
  api = HfApi()
  api.create_repo("{USER}/my-space", repo_type="space", space_sdk="gradio")
  api.upload_folder(repo_id="{USER}/my-space", repo_type="space", folder_path="{EXAMPLE.relative_to(ROOT)}")
  print(api.get_space_runtime("{USER}/my-space").stage)

  from gradio_client import Client
  print(Client("{USER}/{SPACE}").predict("world", api_name="/predict"))

Ctrl-C ends all of it.""", flush=True)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="/var/lib/espace")
    parser.add_argument("--listen", action="append")
    hub = Hub(parser.parse_args())
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    try:
        hub.prepare_account()
        hub.prepare_base()
        say("starting the hub")
        hub.start()
        say(f"the hub is ready on {hub.url}")
        commit = upload(hub)
        say(f"uploaded {EXAMPLE.relative_to(ROOT)} to {USER}/{SPACE}")
        wait_until_it_runs(hub, commit)
        explain(hub)
        status = hub.process.wait()
        sys.exit(f"espaced ended with status {status}")
    except KeyboardInterrupt:
        print()
    finally:
        hub.end()


main()
