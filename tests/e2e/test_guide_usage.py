"""What a Space has used, beside what was seen from outside; its events and metrics, as clients read them."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request

import pytest
from hub import fetch
from test_secrets import process_of

ROUNDS = 5 if os.environ.get("ESPACE_TEST_FULL") else 1
PATIENCE_S = 300  # the first build of a session makes the environment
PRICE = 60000  # millionths of a dollar for a minute of cpu-upgrade
BEAT = re.compile(r"beat (\d+)")

# Says all the time that it is there; /work uses a processor, and sends what it is asked for.
APP = '''
import http.server, os, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        size, end = 2, time.monotonic() + 3
        if self.path == "/work":
            size = 1000000
            while time.monotonic() < end:
                pass
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        self.wfile.write(b"x" * size)
    def log_message(self, *args):
        pass
def beat():
    while True:
        os.write(1, b"beat %d\\n" % int(time.time() * 1000))  # in one piece
        time.sleep(0.02)
threading.Thread(target=beat, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''


class Watch:
    """A stream of events, read in a thread of its own."""

    def __init__(self, hub, name, kind, token=None):
        request = urllib.request.Request(f"{hub.url}/api/spaces/me/{name}/{kind}",
                                         headers={"Authorization": f"Bearer {token or hub.token}"})
        self.stream = urllib.request.urlopen(request, timeout=60)
        assert self.stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        self.events = []
        self.names = set()
        self.news = threading.Condition()
        self.error = None
        self.ended = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        try:
            for line in self.stream:
                with self.news:
                    if line.startswith(b"data: {"):
                        self.events.append(json.loads(line[len(b"data: "):]))
                    elif line.startswith(b"event: "):
                        self.names.add(line.split()[1].decode())
                    self.news.notify()
        except (OSError, ValueError) as error:
            self.error = error
        with self.news:
            self.ended = True
            self.news.notify()

    def wait(self, done):
        with self.news:
            assert self.news.wait_for(lambda: done(self) or self.ended, PATIENCE_S), self.events[-3:]
        assert done(self), (self.events[-3:], self.error)

    def stages(self):
        return [event["stage"] for event in self.events]



def spans(hub, name):
    """The ledger's rows of a Space, oldest first, with the number of the run's log."""
    with sqlite3.connect(f"file:{hub.data}/espace.db?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute(
            "SELECT l.*, r.log FROM ledger l JOIN runs r ON r.id = l.run_id WHERE l.space = ? ORDER BY l.id",
            [f"me/{name}"])]


def beats(hub, name):
    """When each run was there and awake, by its own word: number of its log, moments."""
    folder = hub.data / "spaces" / hub.call("GET", f"/api/spaces/me/{name}").json["_id"] / "logs"
    seen = {}
    for log in folder.glob("run-*.log"):
        moments = [int(moment) for moment in BEAT.findall(log.read_text(errors="replace"))]
        if moments:
            seen[int(log.stem[4:])] = moments
    return seen


def usage(hub, name, query=""):
    answer = hub.call("GET", f"/api/spaces/me/{name}/usage{query}")
    assert answer.status == 200, answer.body
    return answer.json


def kill_hub(hub):
    os.kill(process_of(hub, "hub"), signal.SIGKILL)


def wait(done):
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def ask(hub, path, body=None):
    """As a client does: a hub that is just being killed is asked again."""
    wait(lambda: hub.call("POST", f"/api/spaces/me/metered/{path}", body).status == 200)


def wait_runs(hub, name, flavor):
    def runs():
        answer = hub.call("GET", f"/api/spaces/me/{name}/runtime")
        return answer.status == 200 and (
            answer.json["stage"], answer.json["hardware"]["current"]) == ("RUNNING", flavor)
    wait(runs)


def now_ms():
    return time.time_ns() // 1000000


def nap(hub, name):
    """It sleeps, over a kill of the hub, and wakes: when it was seen asleep, called, and when it had answered."""
    ask(hub, "sleeptime", {"seconds": 1})
    wait(lambda: hub.runtime(name)["stage"] == "SLEEPING")
    slept_ms = now_ms()
    kill_hub(hub)
    called_ms = now_ms()
    assert hub.visit(name).body == b"xx"
    answered_ms = now_ms()
    ask(hub, "sleeptime", {"seconds": -1})
    return slept_ms, called_ms, answered_ms


def check_spans(hub, name, rows, naps):
    """Each run was there in its spans, all of the time; it has one, and one more for each nap."""
    seen, naps = beats(hub, name), list(naps)
    assert sorted(seen) == sorted({row["log"] for row in rows}), (seen.keys(), rows)
    for log, moments in seen.items():
        own = [row for row in rows if row["log"] == log]
        assert own[0]["from_ms"] <= moments[0] and moments[-1] <= own[-1]["to_ms"], (own, moments[0], moments[-1])
        for before, after in zip(own, own[1:]):
            slept_ms, called_ms, answered_ms = naps.pop(0)
            assert before["to_ms"] <= slept_ms and called_ms <= after["from_ms"] <= answered_ms, (before, after)
            assert not [moment for moment in moments if before["to_ms"] < moment < called_ms], before
    assert naps == []
    assert all(row["used_ms"] == row["to_mono"] - row["from_mono"] for row in rows)


def check_bill(bill, rows):
    used = {}
    for row in rows:
        key = row["flavor"], row["price"]
        used[key] = used.get(key, 0) + row["used_ms"]
    assert {(use["flavor"], use["unitCostMicroUSD"]): use["milliseconds"] for use in bill["uses"]} == used
    for use in bill["uses"]:
        assert use["costMicroUSD"] == (use["unitCostMicroUSD"] * use["milliseconds"] + 30000) // 60000
        assert use["seconds"] == f"{use['milliseconds'] // 1000}.{use['milliseconds'] % 1000:03}"
        assert use["costUSD"] == f"{use['costMicroUSD'] // 1000000}.{use['costMicroUSD'] % 1000000:06}"
    for field in ("milliseconds", "costMicroUSD"):
        assert bill["total"][field] == sum(use[field] for use in bill["uses"])


@pytest.fixture
def priced(hub):
    """cpu-upgrade costs something from the next start of the hub on."""
    file = hub.data / "hardware.yaml"
    before = file.read_text()
    file.write_text(before.replace("- name: cpu-upgrade\n", f"- name: cpu-upgrade\n  price: {PRICE * 60 / 1e6}\n"))
    yield hub
    file.write_text(before)
    kill_hub(hub)
    wait(lambda: hub.call("GET", "/api/whoami-v2").status == 200)


def test_the_ledger_has_what_was_seen_from_outside(priced):
    hub = priced
    hub.create("metered")
    hub.commit("metered", {"app.py": APP})
    wait_runs(hub, "metered", "cpu-basic")
    middle, naps = None, []
    for _ in range(ROUNDS):
        kill_hub(hub)  # the run goes on, and so does its span
        ask(hub, "hardware", {"flavor": "cpu-upgrade"})
        wait_runs(hub, "metered", "cpu-upgrade")
        middle = usage(hub, "metered")["to"]
        naps.append(nap(hub, "metered"))
        kill_hub(hub)
        ask(hub, "restart")
        wait_runs(hub, "metered", "cpu-upgrade")
        ask(hub, "hardware", {"flavor": "cpu-basic"})
        wait_runs(hub, "metered", "cpu-basic")
    ask(hub, "pause")
    wait(lambda: all(row["to_ms"] for row in spans(hub, "metered")))

    rows = spans(hub, "metered")
    check_spans(hub, "metered", rows, naps)
    bill = usage(hub, "metered")
    check_bill(bill, rows)
    assert {(use["flavor"], use["unitCostMicroUSD"]) for use in bill["uses"]} == {("cpu-basic", 0), ("cpu-upgrade", PRICE)}
    # Paused, it costs nothing more; and time before and behind a moment is all of the time.
    assert usage(hub, "metered")["total"] == bill["total"]
    parts = [usage(hub, "metered", query) for query in (f"?to={middle}", f"?from={middle}")]
    assert sum(part["total"]["milliseconds"] for part in parts) == bill["total"]["milliseconds"]

    told = json.loads(hub.words("usage", "--json", "me"))
    assert [use for use in told["uses"] if use["space"] == "me/metered"] == bill["uses"]
    table = hub.words("usage", "--from", "1d", "me").splitlines()
    assert [line.split() for line in table if line.startswith("me/metered ")] == [
        ["me/metered", use["flavor"], use["seconds"], use["costUSD"]] for use in bill["uses"]]
    assert hub.words("usage", "no-one", check=False).returncode == 1


def test_events_tell_each_stage_until_the_space_is_gone(hub):
    hub.create("watched")
    watch = Watch(hub, "watched", "events")
    watch.wait(lambda it: it.stages() == ["NO_APP_FILE"])
    hub.commit("watched", {"app.py": APP})
    watch.wait(lambda it: it.stages()[-1] == "RUNNING")
    stages = watch.stages()
    assert stages.index("BUILDING") < stages.index("APP_STARTING") < stages.index("RUNNING")
    assert watch.events[-1] == hub.runtime("watched")
    hub.call("POST", "/api/spaces/me/watched/pause")
    watch.wait(lambda it: it.stages()[-1] == "PAUSED")
    # Each event is another state than the one before.
    assert all(watch.events[i] != watch.events[i + 1] for i in range(len(watch.events) - 1))
    hub.call("DELETE", "/api/repos/delete", {"name": "watched", "type": "space"})
    watch.wait(lambda it: it.ended)
    assert watch.error is None  # not cut: it has ended


def test_metrics_tell_what_the_run_uses(hub):
    hub.create("busy")
    hub.commit("busy", {"app.py": APP})
    watch = Watch(hub, "busy", "metrics")
    hub.wait_stage("busy", "RUNNING")
    watch.wait(lambda it: it.events)
    assert watch.names == {"metric"}
    assert watch.events[0]["memory_used_bytes"] > 1 << 20
    assert watch.events[0]["memory_used_bytes"] < watch.events[0]["memory_total_bytes"]
    idle = len(watch.events)
    assert len(hub.visit("busy", "/work").body) == 1000000
    watch.wait(lambda it: any(event["tx_bps"] > 1000000 for event in it.events[idle:]))
    # One of its processors, whatever else this machine does.
    most = max(watch.events[idle:], key=lambda event: event["cpu_usage_pct"])
    assert most["cpu_usage_pct"] * most["cpu_millicores"] > 100 * 100, most
    # A new run is another replica; a paused one has none.
    replica = watch.events[-1]["replica"]
    hub.call("POST", "/api/spaces/me/busy/restart")
    watch.wait(lambda it: it.events[-1]["replica"] != replica)
    hub.call("DELETE", "/api/repos/delete", {"name": "busy", "type": "space"})
    watch.wait(lambda it: it.ended)
    assert watch.error is None


# As a browser's page or a script would: the events that have come when there are enough of them.
FETCH = """
const [url, token, count] = process.argv.slice(1);
const answer = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
let text = "";
for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
	text += chunk;
	if (text.split("\\n\\n").filter((event) => event.includes("data: {")).length >= Number(count)) break;
}
console.log(JSON.stringify(text));
process.exit(0);
"""

HTTPX = """
import httpx, json, os, sys
with httpx.stream("GET", sys.argv[1], headers={"Authorization": f"Bearer {os.environ['HF_TOKEN']}"}, timeout=60) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        if line.startswith("data: {"):
            print(json.dumps(json.loads(line[6:])))
            break
"""


def test_real_clients_read_them(hub, new_client):
    hub.create("read")
    url = f"{hub.url}/api/spaces/me/read/events"
    assert new_client.run(HTTPX, url) == hub.runtime("read")
    done = subprocess.run(["node", "--input-type=module", "-e", FETCH, "--", url, hub.token, "1"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    retry, event = json.loads(done.stdout).split("\n\n")[:2]
    assert retry == "retry: 2000"
    assert json.loads(event.removeprefix("data: ")) == hub.runtime("read")


def test_streams_end_with_the_right_to_read_them(hub):
    hub.words("user", "add", "guest")
    token = hub.words("token", "add", "guest", "--name", "streams")
    hub.create("theirs")
    watch = Watch(hub, "theirs", "events", token)
    watch.wait(lambda it: it.events)
    assert fetch(f"{hub.url}/api/spaces/me/theirs/metrics", headers={"Authorization": f"Bearer {token}"}).status == 403
    assert hub.call("PUT", "/api/spaces/me/theirs/settings", {"private": True}).status == 200
    watch.wait(lambda it: it.ended)
    assert watch.error is None
    # Nobody comes in by the address that the API tells nginx.
    assert fetch(f"{hub.url}/_stream/feed/0123456789abcdef0123456789abcdef").status == 404
