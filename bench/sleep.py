"""Sleep of the Gradio example: how soon it answers again, and what it costs meanwhile, at each depth.

The runner alone is measured: what the hub and nginx add to a wake is a question and its answer, a millisecond or two.
A wake begins when the runner is asked for it, with the visitor's request right behind; it ends with the first bytes of
the app's answer. Beside it: the same request awake, a start of the app from nothing, by us and as a bare process, and
`podman unpause` of the same files.
"""

import pathlib
import random
import re
import shutil
import statistics
import subprocess
import time

from hub import Hub, free_port
from machine import memory_kb
from runner import App, Runner, cgroup_file, first_answer
from sandbox import Merged, variables, with_port

QUIET_S = 1
STARTS = 5  # of a round that takes seconds
BATCH = 8   # that are awake at once while many are made
SLEEPER_MB = 128  # of swap space


def figures(seconds):
    ordered = sorted(seconds)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return {"median_ms": round(statistics.median(ordered) * 1000, 2), "p99_ms": round(p99 * 1000, 2),
            "rounds": len(ordered)}


def one_wake(runner, key):
    begin = time.monotonic()
    runner.resume(key)
    return first_answer(runner.address(key)) - begin


def wakes(runner, key, put_to_sleep, rounds):
    times = []
    for _ in range(rounds):
        put_to_sleep(key)
        times.append(one_wake(runner, key))
        runner.state(key, "RUNNING")
    return figures(times)


def awake(runner, key, rounds):
    times = []
    for _ in range(rounds):
        begin = time.monotonic()
        times.append(first_answer(runner.address(key)) - begin)
    return figures(times)


def from_nothing(runner, app, rounds):
    """What a visit of a stopped Space waits for."""
    times = []
    for number in range(rounds):
        begin = time.monotonic()
        key = runner.start(app, 100 + number)
        times.append(first_answer(runner.address(key)) - begin)
        runner.stop(key)
    return figures(times)


def podman(merged, source, rounds):
    """Frozen by podman; the unpausing program's own start is part of it, as ours is of the runner's request."""
    port = free_port()
    name = f"espace-bench-{port}"
    (merged.root / "bench.py").write_text(with_port(source, port))
    words = [word for pair in variables(port).items() for word in ("-e", "=".join(pair))]
    subprocess.run(["podman", "run", "--detach", "--name", name, "--network", "host", "--ulimit", "nofile=1024:1024",
                    "--ulimit", "nproc=4096:4096", *words, "--rootfs", merged.root, "/opt/venv/bin/python",
                    "/bench.py"], check=True, stdout=subprocess.DEVNULL)
    try:
        first_answer(("127.0.0.1", port))
        times = []
        for _ in range(rounds):
            subprocess.run(["podman", "pause", name], check=True, stdout=subprocess.DEVNULL)
            begin = time.monotonic()
            subprocess.run(["podman", "unpause", name], check=True, stdout=subprocess.DEVNULL)
            times.append(first_answer(("127.0.0.1", port)) - begin)
        return figures(times)
    finally:
        subprocess.run(["podman", "rm", "--force", "--time", "0", name], check=True, stdout=subprocess.DEVNULL)


class Place:
    """A hub that has built the example and left: its layers, and a runner with a kind of swap space."""

    def __init__(self, files):
        self.hub = Hub().init()
        self.runner = None
        try:
            self.hub.start()
            self.hub.create("sleeper")
            self.hub.commit("sleeper", files)
            self.hub.wait_stage("sleeper", "RUNNING", timeout=600)
            assert self.hub.call("POST", "/api/spaces/me/sleeper/pause").status == 200
            self.hub.wait_stage("sleeper", "PAUSED")
            time.sleep(QUIET_S)  # its run has ended
            self.hub.end()
            self.app = App(self.hub)
        except BaseException:
            self.hub.remove()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.runner:
            self.runner.end()
        self.hub.remove()

    def with_swap(self, kind):
        """The runner, with this kind alone: one of ours that was there before is turned off."""
        if self.runner:
            self.runner.end()
        for line in pathlib.Path("/proc/swaps").read_text().splitlines()[1:]:
            name = line.split()[0]
            if "zram" in name or name.startswith(str(self.hub.data)):
                subprocess.run(["swapoff", name], check=True)
        self.runner = Runner(self.hub, ["--sleep-swap", kind])
        end = time.monotonic() + 20
        while kind != "none" and len(pathlib.Path("/proc/swaps").read_text().splitlines()) < 2:
            assert time.monotonic() < end, self.hub.tail()
            time.sleep(0.05)
        return self.runner


def swap_kinds(size):
    """The depths below frozen, as this machine has them."""
    kinds = {"disk": f"file:{size}"}
    if pathlib.Path("/sys/class/zram-control").exists():
        kinds = {"zram": f"zram:{size}", **kinds}
    return kinds


def refuse_other_swap():
    swaps = pathlib.Path("/proc/swaps").read_text().splitlines()[1:]
    assert not swaps, f"the machine has swap space of its own, which would be measured instead: {swaps}"


def bench_wake(rounds, files, bare_start):
    refuse_other_swap()
    with Place(files) as place:
        runner = place.with_swap("none")
        key = runner.start(place.app, 2)
        first_answer(runner.address(key))
        found = {"awake": awake(runner, key, rounds), "frozen": wakes(runner, key, runner.freeze, rounds)}
        for depth, kind in swap_kinds("2G").items():
            runner = place.with_swap(kind)
            found[depth] = wakes(runner, key, runner.page_out, rounds)
        runner.stop(key)
        starts = min(rounds, STARTS)
        found["stopped"] = from_nothing(runner, place.app, starts)
        found["bare_start"] = figures([bare_start(place.hub) for _ in range(starts)])
        found["stopped_over_bare_s"] = round((found["stopped"]["median_ms"] - found["bare_start"]["median_ms"]) / 1000,
                                             3)
        if shutil.which("podman"):
            merged = Merged(place.hub.data)
            try:
                found["podman_unpause"] = podman(merged, files["app.py"], rounds)
            finally:
                merged.remove()
    found["goal"] = "p99: frozen <= 20 ms, zram <= 50 ms, disk <= 250 ms; stopped_over_bare_s <= 0.2"
    return found


def available_kb():
    return int(re.search(r"^MemAvailable:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), re.M)[1])


def zram_kb():
    """What the zram devices take of the memory."""
    return sum(int(path.read_text().split()[2]) // 1024 for path in pathlib.Path("/sys/block").glob("zram*/mm_stat"))


def monitor_kb(place, key):
    return memory_kb(int((place.hub.data / "run" / "bundles" / key / "conmon.pid").read_text()))[1]


def cost(place, keys, before_kb, zram_before_kb):
    """Of one of many: what its cgroup (init, app, kernel memory) and its monitor have; and what the machine misses."""
    groups = [cgroup_file(place.hub, key, "memory.usage_in_bytes", "memory.current") / 1024 for key in keys]
    monitors = [monitor_kb(place, key) for key in keys]
    zram = (zram_kb() - zram_before_kb) / len(keys)
    return {"cgroup_mb": round(statistics.mean(groups) / 1024, 2),
            "monitor_mb": round(statistics.mean(monitors) / 1024, 2), "zram_mb": round(zram / 1024, 2),
            "machine_mb": round(((before_kb - available_kb()) / len(keys) - zram) / 1024, 2)}


def many(place, runner, count, put_to_sleep):
    """So many asleep; a few are awake at a time meanwhile, or they would not fit."""
    keys = []
    for begin in range(0, count, BATCH):
        batch = [runner.start(place.app, 1000 + number) for number in range(begin, min(count, begin + BATCH))]
        for key in batch:
            first_answer(runner.address(key))
        for key in batch:
            put_to_sleep(key)
        keys += batch
    return keys


def bench_density(sleepers, rounds, files):
    refuse_other_swap()
    found = {"sleepers": sleepers}
    with Place(files) as place:
        fitting = min(sleepers, available_kb() // (400 * 1024))  # frozen ones keep their memory
        swap_mb = max(1024, sleepers * SLEEPER_MB)
        deeper = [(depth, kind, sleepers) for depth, kind in swap_kinds(f"{swap_mb}M").items()]
        for depth, kind, count in [("frozen", "none", fitting), *deeper]:
            runner = place.with_swap(kind)
            put_to_sleep = runner.freeze if depth == "frozen" else runner.page_out
            alone = many(place, runner, 1, put_to_sleep)[0]  # what all share is in memory from now on
            one = wakes(runner, alone, put_to_sleep, rounds)
            runner.stop(alone)
            time.sleep(QUIET_S)
            before_kb, zram_before_kb = available_kb(), zram_kb()
            keys = many(place, runner, count, put_to_sleep)
            time.sleep(QUIET_S)
            found[depth] = {"count": count, **cost(place, keys, before_kb, zram_before_kb), "wake_of_one": one}
            times = []
            for _ in range(rounds):
                key = random.choice(keys)
                times.append(one_wake(runner, key))
                runner.state(key, "RUNNING")
                put_to_sleep(key)
            found[depth]["wake_of_many"] = figures(times)
            for key in keys:
                runner.stop(key)
    found["goal"] = "disk: cgroup_mb + monitor_mb <= 4, wake_of_many as wake_of_one"
    return found
