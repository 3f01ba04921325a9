"""Commits a second, each on the disk before it is answered, against `git commit` of equal durability.

A commit replaces one file of 1 kB by another. git runs with core.fsync=objects,reference, one process
after the other in as many repositories as there are clients; our clients are one program that holds
connections. So it is measured what a user of either waits for, not how fast a program starts; the
processor time of both is told beside. All take turns within each round.
"""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

from hub import Hub

from machine import cpu_s, hub_pids

CLIENTS = 16
SIZE = 1024

SCRIPT = """
local paths = {%s}
local threads = 0
function setup(thread)
	thread:set("path", paths[threads %% #paths + 1])
	thread:set("name", threads)
	threads = threads + 1
end
function init(arguments)
	count = 0
	start = os.time()
	headers = {["Authorization"] = "Bearer %s", ["Content-Type"] = "application/x-ndjson"}
	filling = string.rep("x", %d)
end
function request()
	count = count + 1
	local text = start .. "-" .. name .. "-" .. count .. " " .. filling
	return wrk.format("POST", path, headers,
		'{"key":"header","value":{"summary":"change"}}\\n' ..
		'{"key":"file","value":{"path":"file-' .. name .. '.txt","content":"' .. text .. '","encoding":"utf-8"}}')
end
"""


def ours(hub, folder, names, clients, seconds):
    paths = ",".join(f'"/api/models/me/{name}/commit/main"' for name in names)
    script = folder / "commit.lua"
    script.write_text(SCRIPT % (paths, hub.token, SIZE))
    before = cpu_s(hub_pids(hub))
    done = subprocess.run(["wrk", f"-t{clients}", f"-c{clients}", f"-d{seconds}s", "--timeout", "30s", "-s", script,
                           hub.url], check=True, capture_output=True, text=True).stdout
    assert "Non-2xx" not in done and "Socket errors" not in done, done
    count = int(re.search(r"(\d+) requests in", done)[1])
    return {"rate": float(re.search(r"Requests/sec:\s*([\d.]+)", done)[1]),
            "cpu_ms": (cpu_s(hub_pids(hub)) - before) / count * 1e3}


LOOP = r"""
cd "$1"; end=$2; count=0
while [ "${EPOCHREALTIME/./}" -lt "$end" ]; do
	printf '%s-%s %s\n' "$EPOCHREALTIME" "$1" "$3" > file.txt
	git commit -q -a -m change || exit 1
	count=$((count + 1))
done
echo $count
"""


def make_git(folder, number):
    repo = folder / f"git-{number}"
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null"}
    for words in (["init", "-q", "-b", "main", repo], ["-C", repo, "config", "core.fsync", "objects,reference"],
                  ["-C", repo, "config", "gc.auto", "0"], ["-C", repo, "config", "user.name", "me"],
                  ["-C", repo, "config", "user.email", "me@localhost"]):
        subprocess.run(["git", *words], check=True, env=environment)
    (repo / "file.txt").write_text("first")
    subprocess.run(["git", "-C", repo, "add", "file.txt"], check=True, env=environment)
    subprocess.run(["git", "-C", repo, "commit", "-q", "-m", "first"], check=True, env=environment)
    return repo


def git(repos, seconds):
    before = os.times()
    end = int((time.time() + seconds) * 1e6)
    running = [subprocess.Popen(["bash", "-c", LOOP, "bash", repo, str(end), "x" * SIZE], stdout=subprocess.PIPE, text=True)
               for repo in repos]
    count = sum(int(process.communicate()[0]) for process in running)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"rate": count / seconds, "cpu_ms": spent / count * 1e3}


def bench(rounds, seconds=3):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="es-bench-"))
    hub = Hub().init()
    try:
        hub.start()
        names = [f"repo-{number}" for number in range(CLIENTS)]
        for name in names:
            assert hub.call("POST", "/api/repos/create", {"name": name, "type": "model"}).status == 200
        repos = [make_git(folder, number) for number in range(CLIENTS)]
        ways = {
            "espace_1": lambda: ours(hub, folder, names[:1], 1, seconds),
            "git_1": lambda: git(repos[:1], seconds),
            "espace_16_in_16": lambda: ours(hub, folder, names, CLIENTS, seconds),
            "git_16_in_16": lambda: git(repos, seconds),
            "espace_16_in_1": lambda: ours(hub, folder, names[:1], CLIENTS, seconds),
        }
        runs = {way: [] for way in ways}
        for number in range(rounds):
            for way in list(ways)[number % len(ways):] + list(ways)[:number % len(ways)]:
                runs[way].append(ways[way]())
        result = {way: {key: round(statistics.median(run[key] for run in runs[way]), 2) for key in runs[way][0]}
                  for way in ways}
        for mine, other in (("espace_1", "git_1"), ("espace_16_in_16", "git_16_in_16"),
                            ("espace_16_in_1", "git_16_in_16")):
            result[f"{mine}_to_git"] = round(statistics.median(
                a["rate"] / b["rate"] for a, b in zip(runs[mine], runs[other])), 2)
        return result | {"goal": "espace_1_to_git, espace_16_in_16_to_git >= 1"}
    finally:
        hub.remove()
        shutil.rmtree(folder)
