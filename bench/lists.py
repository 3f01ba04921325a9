"""Pages of lists with 100,000 repositories in the store, asked of the API over its own socket.

The rows are written by SQL, as 100,000 creations would have left them: 60 % models, 20 % data sets, 20 %
Spaces of 2,000 owners, a fifth of them private, cards with tags of very different frequency.
"""

import http.client
import json
import os
import pathlib
import random
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time

from hub import BUILD

from machine import cpu_s

REPOS = int(os.environ.get("ESPACE_BENCH_REPOS", "100000"))
OWNERS = 2000
START_MS = 1_700_000_000_000
ALWAYS = [
    "/api/models",
    "/api/models?limit=1000",
    "/api/spaces?limit=500&expand=sdk&expand=likes&expand=private&expand=lastModified",
    "/api/models?limit=200&full=true&cardData=true",
    "/api/spaces?limit=200&expand=runtime",
    "/api/models?search=e",
    "/api/models?search=q",
    "/api/models?search=gp",
    "/api/models?search=zx",
    "/api/models?search=gpt",
    "/api/models?search=model-77777",
    "/api/models?search=nothing-has-this",
    "/api/spaces?search=leader+board",
    "/api/models?search=gp&search=7&filter=en",
    "/api/models?author=owner-77",
    "/api/models?author=owner-1&sort=id",
    "/api/models?filter=license:mit",
    "/api/models?filter=tag-4999",
    "/api/models?filter=license:mit&filter=license:apache-2.0",
    "/api/models?filter=no-such-tag",
    "/api/models?pipeline_tag=fill-mask&filter=en&filter=tag-7",
    "/api/spaces?models=owner-1/model-7",
    "/api/models?sort=createdAt",
    "/api/models?sort=createdAt&direction=1",
    "/api/models?sort=lastModified&direction=1",
    "/api/models?sort=id",
    "/api/models?sort=id&direction=-1&limit=1000",
    "/api/models?sort=likes&direction=-1",
    "/api/spaces/semantic-search?q=leader+gpt",
    "/api/models-tags-by-type",
]


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=120)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.unix_path)


class Api:
    """The API alone, on a data directory of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="espace-bench-"))

    def start(self):
        program = BUILD / "tests" / "unit" / "api" / "wire_hub"
        self.child = subprocess.Popen([program, self.folder / "sock", self.folder / "data"], stdout=subprocess.PIPE,
                                      text=True)
        assert self.child.stdout.readline() == "ready\n"
        self.connection = Connection(str(self.folder / "sock"))

    def stop(self):
        self.connection.close()
        self.child.terminate()
        self.child.wait()
        self.child.stdout.close()

    def get(self, path, user="me"):
        headers = {"Authorization": f"Bearer hf_{user}"} if user else {}
        start = time.perf_counter()
        self.connection.request("GET", path, headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        ms = (time.perf_counter() - start) * 1000
        assert answer.status == 200, (path, answer.status, body[:300])
        return ms, answer, body

    def rss_mb(self):
        status = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return round(int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024, 1)


def card_of(rng, kind):
    tags = [f"tag-{int(rng.paretovariate(0.6)) % 5000}" for _ in range(rng.randrange(6))]
    license = rng.choice(["mit", "apache-2.0", "cc-by-4.0", "openrail"])
    card = {"license": license, "tags": tags}
    shown = [*tags, f"license:{license}", "region:us"]
    if kind == "model":
        card |= {"library_name": "transformers", "pipeline_tag": rng.choice(["fill-mask", "text-generation"])}
        shown = [card["library_name"], card["pipeline_tag"], *tags, rng.choice(["en", "de", "fr", "zh"]), *shown[-2:]]
    if kind == "space":
        card |= {"title": f"{rng.choice(['Leader', 'Score', 'Chat'])} board {rng.randrange(1000)}", "sdk": "gradio"}
        shown = ["gradio", *shown]
    return card, list(dict.fromkeys(shown))


def rows(rng):
    words = ["bert", "gpt", "llama", "vision", "audio", "tiny", "large", "quant", "speech", "demo"]
    for i in range(REPOS):
        kind = ("model", "model", "model", "dataset", "space")[i % 5]
        card, tags = card_of(rng, kind)
        links = f"model:owner-1/model-{rng.randrange(100)}\n" if kind == "space" else ""
        created = START_MS + i * 60_000
        yield (
            {"id": 1000 + i, "hex": f"{rng.getrandbits(96):024x}", "kind": kind, "owner": 100 + rng.randrange(OWNERS),
             "name": f"{rng.choice(words)}-{rng.choice(words)}-{kind}-{i}", "private": i % 5 == rng.randrange(5),
             "created": created, "modified": created + rng.randrange(10**10), "sdk": "gradio" if kind == "space" else ""},
            {"head": f"{rng.getrandbits(160):040x}", "title": card.get("title", ""), "card": json.dumps(card),
             "tags": "\n".join(tags) + "\n", "links": links,
             "library": card.get("library_name", ""), "task": card.get("pipeline_tag", "")},
        )


def fill(data):
    rng = random.Random(4)
    store = sqlite3.connect(data / "espace.db")
    store.executemany("INSERT INTO accounts (id, hex, type, name, created_ms) VALUES (?, ?, 'user', ?, 0)",
                      ((100 + i, f"{i:024x}", f"owner-{i}") for i in range(OWNERS)))
    for repo, listing in rows(rng):
        store.execute("INSERT INTO repos (id, hex, type, owner_id, name, is_private, creator_id, created_ms, modified_ms,"
                      " sdk) VALUES (:id, :hex, :kind, :owner, :name, :private, :owner, :created, :modified, :sdk)", repo)
        store.execute("INSERT INTO listings VALUES (:id, :head, :title, :card, :tags, :links, :library, :task)", {**repo, **listing})
        if repo["kind"] == "space":
            store.execute("INSERT INTO spaces (repo_id, hex, full_name, slug, flavor, stage) VALUES (:id, :hex, :name,"
                          " :name, 'cpu-basic', 'RUNNING')", repo)
    store.commit()
    store.close()


def measure_one(api, path, user, rounds):
    before = cpu_s([api.child.pid])
    times = [api.get(path, user)[0] for _ in range(rounds)]
    cpu_ms = (cpu_s([api.child.pid]) - before) * 1000 / rounds
    return {"ms": round(statistics.median(times), 2), "min": round(min(times), 2), "cpu_ms": round(cpu_ms, 2),
            "bytes": len(api.get(path, user)[2])}


def hundredth_page(api):
    """The path of a page far into the list, by its Links."""
    path = "/api/models?limit=200"
    for _ in range(99):
        _, answer, _ = api.get(path)
        path = re.search(r"<http://[^/]*([^>]*)>", answer.headers["Link"])[1]
    return path


def measure(api, rounds):
    deep = hundredth_page(api)
    return {f"{path} as {user}": measure_one(api, path, user, rounds)
            for path in (*ALWAYS, deep) for user in ("me", None, "other")}


def bench(rounds):
    api = Api()
    try:
        api.start()
        empty_mb = api.rss_mb()
        fill(api.folder / "data")
        learn_ms, _, _ = api.get("/api/models?limit=1")
        results = measure(api, 8 * rounds)
        loaded_mb = api.rss_mb()
    finally:
        api.stop()
        shutil.rmtree(api.folder)
    worst = sorted(results, key=lambda name: results[name]["min"], reverse=True)
    return {"repos": REPOS, "first_ms": round(learn_ms), "rss_mb": loaded_mb, "rss_empty_mb": empty_mb,
            "slowest": {name: results[name] for name in worst[:15]},
            "within_10_ms": sum(result["min"] <= 10 for result in results.values()), "of": len(results),
            "goal": "all of them"}
