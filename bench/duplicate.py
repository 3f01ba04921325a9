"""Duplicates of a Space with 5 GB and of one with nearly nothing, against git's own clones of the same repositories.

The time of the call, from the request to the answer, by which the duplicate is on the disk and found by its name. git's
clones with hard links (`--local`) and with borrowed objects (`--shared`) write nothing through to the disk.
"""

import base64
import http.client
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

from hub import Hub

FILE_BYTES = 60 << 20
LARGE_BYTES = 5_000_000_000


def fill(hub, name, size):
    """Files of random bytes, which nothing makes smaller."""
    for number in range(-(-size // FILE_BYTES)):
        data = base64.b64encode(os.urandom(min(FILE_BYTES, size))).decode()
        hub.commit(name, {f"part-{number}.bin": data}, encoding="base64")


def duplicate_ms(hub, name, number):
    connection = http.client.HTTPConnection("127.0.0.1", hub.port)
    headers = {"Authorization": f"Bearer {hub.token}", "Content-Type": "application/json"}
    connection.request("GET", "/api/whoami-v2", headers=headers)  # the connection is there
    connection.getresponse().read()
    body = json.dumps({"repository": f"me/{name}-copy-{number}"})
    began = time.perf_counter()
    connection.request("POST", f"/api/spaces/me/{name}/duplicate", body, headers)
    answer = connection.getresponse()
    answer.read()
    took = time.perf_counter() - began
    connection.close()
    assert answer.status == 200
    return took * 1e3


def clone_ms(repo, way):
    folder = pathlib.Path(tempfile.mkdtemp(dir=repo.parent.parent))
    (folder / "config").write_text("[safe]\n\tdirectory = *\n")  # it is the hub's
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": str(folder / "config")}
    began = time.perf_counter()
    subprocess.run(["git", "clone", "-q", "--bare", way, repo, folder / "copy.git"], check=True, env=environment)
    took = time.perf_counter() - began
    shutil.rmtree(folder)
    return took * 1e3


def bench(rounds):
    sizes = {"large": LARGE_BYTES, "small": 1000}
    hub = Hub().init()
    try:
        hub.start()
        took = {name: {"espace": [], "--local": [], "--shared": []} for name in sizes}
        repos = {}
        for name, size in sizes.items():
            before = set((hub.data / "repos").iterdir())
            hub.create(name)
            repos[name], = set((hub.data / "repos").iterdir()) - before
            fill(hub, name, size)
        os.sync()
        for number in range(rounds):
            for name, times in took.items():
                times["espace"].append(duplicate_ms(hub, name, number))
                for way in ("--local", "--shared"):
                    times[way].append(clone_ms(repos[name], way))
    finally:
        hub.remove()
    figures = {name: {way: {"median_ms": round(statistics.median(values), 1), "max_ms": round(max(values), 1)}
                      for way, values in times.items()} for name, times in took.items()}
    return {**figures, "bytes": sizes, "goal": "espace <= 50 ms"}
