"""Hardware that is granted, counted, queued for, and given to an app as a device."""

import json
import os
import signal
import subprocess
import time

import apps
from front import wait_until
from hub import fetch
from test_versions import visitors

# Of use, behind which a Space loses its hardware; before, somebody must have seen that it has it.
GRANTED_S = 5


class Person:
    """Somebody who is no administrator, with a token of their own."""

    def __init__(self, hub, name):
        self.hub, self.name = hub, name
        hub.words("user", "add", name)
        self.token = hub.words("token", "add", name, "--name", "test")

    def call(self, method, path, body=None, **options):
        return self.hub.call(method, path, body, token=self.token, **options)

    def space(self, name, files, **fields):
        made = self.call("POST", "/api/repos/create",
                         {"name": name, "type": "space", "sdk": "gradio", **fields})
        assert made.status == 200, made.body
        lines = [{"key": "header", "value": {"summary": "upload"}}]
        lines += [{"key": "file", "value": {"path": path, "content": text, "encoding": "utf-8"}}
                  for path, text in files.items()]
        answer = self.call("POST", f"/api/spaces/{self.name}/{name}/commit/main",
                           "\n".join(map(json.dumps, lines)).encode(),
                           headers={"Content-Type": "application/x-ndjson"})
        assert answer.status == 200, answer.body

    def runtime(self, name):
        return self.call("GET", f"/api/spaces/{self.name}/{name}/runtime").json

    def hardware(self, name, flavor):
        return self.call("POST", f"/api/spaces/{self.name}/{name}/hardware", {"flavor": flavor})

    def wait(self, name, holds, timeout=120):
        end = time.monotonic() + timeout
        while not holds(runtime := self.runtime(name)):
            assert time.monotonic() < end, f"{runtime}\n{self.hub.tail()}"
            time.sleep(0.05)
        return runtime


def test_granted_hours_run_out(hub):
    """402 without a grant; with one the hardware, until its hours are used; then cpu-basic, and why."""
    ada = Person(hub, "ada")
    ada.space("worker", apps.plain("at work"))
    ada.wait("worker", lambda runtime: runtime["stage"] == "RUNNING")
    refused = ada.hardware("worker", "cpu-upgrade")
    assert refused.status == 402
    assert "ask an administrator" in refused.json["error"]
    assert ada.runtime("worker")["hardware"]["requested"] == "cpu-basic"

    hub.words("grant", "ada", "--hardware", "cpu-upgrade", "--hours", str(GRANTED_S / 3600))
    assert ada.hardware("worker", "cpu-upgrade").status == 200
    began = ada.wait("worker", lambda runtime: runtime["hardware"]["current"] == "cpu-upgrade")
    assert "note" not in began["hardware"]
    after = ada.wait("worker", lambda runtime: runtime["hardware"]["current"] == "cpu-basic")
    assert after["hardware"]["requested"] == "cpu-basic"
    assert "granted hours of cpu-upgrade are used up" in after["hardware"]["note"]
    ada.wait("worker", lambda runtime: runtime["stage"] == "RUNNING")
    assert fetch(ada.call("GET", "/api/spaces/ada/worker").json["host"]).body == b"at work"
    assert ada.hardware("worker", "cpu-upgrade").status == 402
    rows = hub.words("audit", "--target", "ada/worker", "--action", "space.hardware", "--json")
    assert "used up" in json.loads(rows.splitlines()[0])["detail"]
    assert json.loads(rows.splitlines()[0])["actor"] == "the hub"
    assert ada.call("DELETE", "/api/repos/delete", {"type": "space", "name": "worker"}).status == 200


def hardware(hub, name, flavor):
    answer = hub.call("POST", f"/api/spaces/me/{name}/hardware", {"flavor": flavor})
    assert answer.status == 200, answer.body
    return answer.json


def current(hub, name):
    return hub.runtime(name)["hardware"]["current"]


def test_one_card_for_two_spaces(hub):
    """Push, restart and secret of the holder, who keeps it; an upgrade that waits, over a killed hub."""
    for name in ("holder", "waiting"):
        hub.create(name)
        hub.commit(name, apps.plain(name))
    for name in ("holder", "waiting"):
        hub.wait_stage(name, "RUNNING")
    hardware(hub, "holder", "one-of-a-kind")
    wait_until(lambda: current(hub, "holder") == "one-of-a-kind", "the holder has it")
    hub.wait_stage("holder", "RUNNING")

    queued = hardware(hub, "waiting", "one-of-a-kind")
    assert queued["stage"] == "RUNNING"
    assert queued["hardware"]["current"] == "cpu-basic"
    assert queued["hardware"]["queue"]["position"] == 1
    assert "1 of 1 places of one-of-a-kind are taken" in queued["hardware"]["queue"]["reason"]

    crowd = visitors(hub.host("holder"))
    second = hub.commit("holder", apps.plain("second"))
    hub.wait_stage("holder", "RUNNING", sha=second)
    for visitor in crowd:
        visitor.leave()
    assert not [visitor.failures for visitor in crowd if visitor.failures]
    assert all(b"second" in visitor.answers for visitor in crowd)
    hub.call("POST", "/api/spaces/me/holder/restart")
    hub.wait_stage("holder", "RUNNING", sha=second)
    hub.call("POST", "/api/spaces/me/holder/secrets", {"key": "A", "value": "b"})
    hub.wait_stage("holder", "RUNNING", sha=second)
    assert current(hub, "holder") == "one-of-a-kind"
    assert fetch(hub.host("waiting")).body == b"waiting"

    pid = int(subprocess.run(["pgrep", "-P", str(hub.process.pid), "-f", "@hub"], capture_output=True,
                             text=True, check=True).stdout.split()[0])
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: hub.call("GET", "/api/spaces/me/waiting").status == 200, "the next hub answers")
    after = hub.runtime("waiting")["hardware"]
    assert (after["current"], after["queue"]["position"]) == ("cpu-basic", 1)
    assert current(hub, "holder") == "one-of-a-kind"

    assert hub.call("POST", "/api/spaces/me/holder/pause").json["stage"] == "PAUSED"
    wait_until(lambda: current(hub, "waiting") == "one-of-a-kind", "its turn has come")
    hub.wait_stage("waiting", "RUNNING")
    assert "queue" not in hub.runtime("waiting")["hardware"]
    assert fetch(hub.host("waiting")).body == b"waiting"
    # Who comes back is behind: the other one has it now.
    hub.call("POST", "/api/spaces/me/holder/restart")
    wait_until(lambda: "queue" in hub.runtime("holder")["hardware"], "it waits")
    assert hub.runtime("holder")["stage"] == "APP_STARTING"
    hub.call("DELETE", "/api/repos/delete", {"type": "space", "name": "waiting"})
    hub.wait_stage("holder", "RUNNING")
    assert current(hub, "holder") == "one-of-a-kind"
    hub.call("DELETE", "/api/repos/delete", {"type": "space", "name": "holder"})


# Shows what it finds of its card: a node that counts as open, the driver's files, its environment.
CARD_APP = '''
import http.server, json, os, pathlib
def try_open(path):
    try:
        return open(path, "rb").read(4).hex()
    except OSError as error:
        return error.strerror
found = {"card": try_open("/dev/card0"), "env": os.environ.get("CARD"),
         "file": pathlib.Path("/opt/card/driver").read_text() if os.path.exists("/opt/card/driver") else None,
         "hook": os.path.exists("/hooked"), "groups": os.getgroups()}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())
http.server.HTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''


def test_a_card_by_cdi(hub):
    """A made-up card: a node under another name, a file, a variable, a hook; and nothing without it."""
    driver = hub.data / "cdi" / "driver"
    driver.mkdir(parents=True)
    (driver / "driver").write_text("of the host")
    driver.chmod(0o755)
    spec = {"cdiVersion": "0.6.0", "kind": "example.com/gpu",
            "devices": [{"name": "0", "containerEdits": {
                "deviceNodes": [{"path": "/dev/card0", "hostPath": "/dev/zero"}], "env": ["CARD=0"]}}],
            "containerEdits": {
                "mounts": [{"hostPath": str(driver), "containerPath": "/opt/card", "options": ["ro"]}],
                "hooks": [{"hookName": "createContainer", "path": "/usr/bin/touch", "args": ["touch", "hooked"]}],
                "additionalGids": [44]}}
    hub.create("card")
    hub.commit("card", {"app.py": CARD_APP})
    hub.wait_stage("card", "RUNNING")
    assert json.loads(hub.visit("card").body) == {"card": "No such file or directory", "env": None, "file": None,
                                                  "hook": False, "groups": []}
    hardware(hub, "card", "made-up-card")
    hub.wait_stage("card", "RUNTIME_ERROR")
    assert "example.com/gpu=0: this machine has no such device" in hub.runtime("card")["errorMessage"]
    (hub.data / "cdi" / "card.json").write_text(json.dumps(spec))
    hub.call("POST", "/api/spaces/me/card/restart")
    hub.wait_stage("card", "RUNNING")
    assert json.loads(hub.visit("card").body) == {"card": "00000000", "env": "0", "file": "of the host", "hook": True,
                                                  "groups": [44]}
    hub.call("DELETE", "/api/repos/delete", {"type": "space", "name": "card"})
