"""Hardware that is granted, counted, queued for, and given to an app as a device."""

import json
import time

import apps
from hub import fetch

# Of use, before which a Space must be up and behind which it loses its hardware.
GRANTED_S = 8


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
    began = ada.wait("worker", lambda runtime: runtime["stage"] == "RUNNING"
                     and runtime["hardware"]["current"] == "cpu-upgrade")
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
