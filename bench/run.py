"""Benchmarks whose peers run in the same minutes on the same machine: only ratios mean something."""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from hub import BUILD, Hub, fetch, free_port  # noqa: E402
import calls  # noqa: E402
import churn  # noqa: E402
import commits  # noqa: E402
import duplicate  # noqa: E402
import lists  # noqa: E402
import memory  # noqa: E402
import recovery  # noqa: E402
import sandbox  # noqa: E402
import sleep  # noqa: E402

EXAMPLE = ROOT / "examples" / "hello-gradio"
POLL_S = 0.005


def example_files(note=""):
    files = {str(path.relative_to(EXAMPLE)): path.read_text() for path in EXAMPLE.rglob("*") if path.is_file()}
    files["app.py"] += f"\n# {note}\n"
    return files


def seconds_until_answer(url, timeout=120):
    """From now to the first 200."""
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                if answer.status == 200:
                    answer.read(1)
                    return time.monotonic() - start
        except (OSError, urllib.error.HTTPError):
            pass
        time.sleep(POLL_S)
    raise AssertionError(f"{url} does not answer")


def seconds_until_stage(hub, name, wanted, timeout=600):
    start = time.monotonic()
    while time.monotonic() - start < timeout:
        stage = hub.runtime(name)["stage"]
        if stage in wanted:
            return time.monotonic() - start
        assert not stage.endswith("ERROR"), hub.runtime(name)
        time.sleep(POLL_S)
    raise AssertionError(f"{name} does not come to {wanted}")


def summary(values):
    return {"median": round(statistics.median(values), 3), "min": round(min(values), 3), "max": round(max(values), 3),
            "rounds": len(values)}


def bare_start(hub):
    """`python app.py` as a plain process of uid 1000, from the same layer, in the same Python."""
    layer = next((hub.data / "layers").glob("env-*"))
    port = free_port()
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o777)
        environment = {"PATH": "/usr/bin:/bin", "HOME": home, "GRADIO_SERVER_NAME": "127.0.0.1",
                       "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False", "PYTHONUNBUFFERED": "1"}
        process = subprocess.Popen([layer / "opt/venv/bin/python", EXAMPLE / "app.py"], env=environment, cwd=home,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return seconds_until_answer(f"http://127.0.0.1:{port}/")
        finally:
            process.kill()
            process.wait()


def bench_start(hub, rounds):
    """A first start each round: new Space, environment there; the clock runs from the commit's answer."""
    ours, bare = [], []
    for i in range(rounds):
        bare.append(bare_start(hub))
        name = f"start-{i}"
        hub.create(name)
        host = hub.host(name)
        hub.commit(name, example_files(str(i)))
        ours.append(seconds_until_answer(host + "/"))
        hub.call("DELETE", "/api/repos/delete", {"name": name, "organization": "me", "type": "space"})
        time.sleep(1)
    over = statistics.median(o - b for o, b in zip(ours, bare))
    return {"espace_s": summary(ours), "bare_s": summary(bare), "over_bare_s": round(over, 3),
            "goal": "over_bare_s <= 0.3"}


def app_of(hub, name):
    """Which process of a Gradio app answers; None: none does."""
    answer = fetch(hub.host(name) + "/config")
    return answer.json["app_id"] if answer.status == 200 else None


def bench_restart(hub, rounds):
    """A secret changes and the app is restarted with it: from the request to the first answer of the new process."""
    ours, bare = [], []
    hub.create("again")
    hub.commit("again", example_files("again"))
    seconds_until_answer(hub.host("again") + "/")
    seconds_until_stage(hub, "again", ("RUNNING",))
    for i in range(rounds):
        bare.append(bare_start(hub))
        before, start = app_of(hub, "again"), time.monotonic()
        assert hub.call("POST", "/api/spaces/me/again/secrets", {"key": "ROUND", "value": str(i)}).status == 200
        while app_of(hub, "again") in (before, None):
            time.sleep(POLL_S)
        ours.append(time.monotonic() - start)
        seconds_until_stage(hub, "again", ("RUNNING",))
    over = statistics.median(o - b for o, b in zip(ours, bare))
    return {"espace_s": summary(ours), "bare_s": summary(bare), "over_bare_s": round(over, 3)}


def pip_build(cache):
    """`pip install gradio` in a fresh venv; pip compiles bytecode by default."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        subprocess.run(["/usr/bin/python3.11", "-m", "venv", folder], check=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", "--cache-dir", cache, "gradio"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - start


def our_build(hub, name, requirements):
    """From the commit's answer to the start of the app."""
    hub.create(name)
    hub.commit(name, {**example_files(), "requirements.txt": requirements})
    seconds = seconds_until_stage(hub, name, ("APP_STARTING", "RUNNING"))
    seconds_until_stage(hub, name, ("RUNNING",))
    hub.call("DELETE", "/api/repos/delete", {"name": name, "organization": "me", "type": "space"})
    return seconds


def bench_build(rounds):
    pip_cold, pip_warm, cold, warm, existing = [], [], [], [], []
    for i in range(rounds):
        os.sync()
        with tempfile.TemporaryDirectory() as cache:
            pip_cold.append(pip_build(cache))
            pip_warm.append(pip_build(cache))
        hub = Hub().init()
        try:
            hub.words("prepare")
            hub.start()
            os.sync()  # what prepare wrote is not part of the build
            cold.append(our_build(hub, "cold", "# cold\n"))
            warm.append(our_build(hub, "warm", "# another key, the same wheels\n"))
            existing.append(our_build(hub, "existing", "# another key, the same wheels\n"))
        finally:
            hub.remove()
    return {"pip_cold_s": summary(pip_cold), "espace_cold_s": summary(cold),
            "cold_ratio": round(statistics.median(pip_cold) / statistics.median(cold), 2),
            "pip_warm_s": summary(pip_warm), "espace_warm_s": summary(warm),
            "warm_ratio": round(statistics.median(pip_warm) / statistics.median(warm), 2),
            "existing_layer_s": summary(existing),
            "goal": "cold_ratio >= 4, warm_ratio >= 3, existing_layer_s <= 0.1"}


def bench_front():
    done = subprocess.run([sys.executable, ROOT / "bench" / "front.py", "--json"], check=True, capture_output=True,
                          text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--deploys", type=int, default=1000)
    parser.add_argument("--wakes", type=int, default=200)
    parser.add_argument("--sleepers", type=int, default=300)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=["start", "build", "front"])
    arguments = parser.parse_args()
    results = {"machine": {"cpus": os.cpu_count(), "load": os.getloadavg()}}
    if {"start", "restart"} & set(arguments.names):
        hub = Hub().init()
        try:
            hub.start()
            our_build(hub, "first", "")
            for name, bench in (("start", bench_start), ("restart", bench_restart)):
                if name in arguments.names:
                    results[name] = bench(hub, arguments.rounds)
        finally:
            hub.remove()
    if "build" in arguments.names:
        results["build"] = bench_build(max(1, arguments.rounds // 2))
    if "front" in arguments.names:
        results["front"] = bench_front()
    if "calls" in arguments.names:
        results["calls"] = calls.bench(arguments.rounds)
    if "commits" in arguments.names:
        results["commits"] = commits.bench(arguments.rounds)
    if "duplicate" in arguments.names:
        results["duplicate"] = duplicate.bench(arguments.rounds)
    if "memory" in arguments.names:
        results["memory"] = memory.bench()
    if "lists" in arguments.names:
        results["lists"] = lists.bench(arguments.rounds)
    if "recovery" in arguments.names:
        results["recovery"] = recovery.bench(arguments.rounds)
    if "sandbox" in arguments.names:
        results["sandbox"] = sandbox.bench(arguments.rounds, example_files(), seconds_until_answer)
    if "churn" in arguments.names:
        results["churn"] = churn.bench(arguments.deploys)
    if "wake" in arguments.names:
        results["wake"] = sleep.bench_wake(arguments.wakes, example_files(), bare_start)
    if "density" in arguments.names:
        results["density"] = sleep.bench_density(arguments.sleepers, arguments.wakes, example_files())
    text = json.dumps(results, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


main()
