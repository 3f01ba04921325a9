"""sleep.swap: swap space of ours, and nobody else's, from the first start to `stop`, whatever is killed between."""

import contextlib
import os
import pathlib
import signal
import subprocess
import time

import pytest

import apps
from hub import Hub

LABEL_AT = 1024 + 3 * 4 + 16  # of the header that mkswap writes
KINDS = ["file", *(["zram"] if pathlib.Path("/sys/class/zram-control").exists() else [])]
SLEEPS_SOON = ["--sleep-min", "1", "--sleep-pageout", "1", "--hardware-grants", "none"]
WAIT_S = 60


def label_of(device):
    with contextlib.suppress(OSError), open(device, "rb") as file:  # another's may be gone
        file.seek(LABEL_AT)
        return file.read(16).rstrip(b"\0").decode(errors="replace")


def label(hub):
    return "espace-" + dict(line.split("=", 1) for line in (hub.data / "instance").read_text().splitlines())["id"]


def swaps(hub):
    """What the machine swaps to that is of this instance."""
    names = [line.split()[0] for line in pathlib.Path("/proc/swaps").read_text().splitlines()[1:]]
    return [name for name in names if label_of(name) == label(hub)]


def devices(hub):
    """The compressed ones of this instance, also where nothing swaps to them."""
    return [device for device in pathlib.Path("/dev").glob("zram*") if label_of(device) == label(hub)]


def wait_for(hub, what):
    end = time.monotonic() + WAIT_S
    while not (found := what(hub)):
        assert time.monotonic() < end, hub.tail()
        time.sleep(0.05)
    return found


def sleeps(hub, depth):
    runtime = hub.runtime("sleeper")
    return runtime["stage"] == "SLEEPING" and runtime["sleep"]["depth"] == depth


def is_paged_out(hub):
    return sleeps(hub, "paged-out")


def is_stopped(hub):
    """… and its process is gone."""
    return sleeps(hub, "stopped") and "Application ended" in hub.logs("sleeper", "run")


@pytest.mark.parametrize("kind", KINDS)
def test_swap_outlives_kills_and_goes_with_stop(kind):
    hub = Hub(options=["--sleep-swap", f"{kind}:64M", *SLEEPS_SOON]).init()
    try:
        hub.start()
        made = wait_for(hub, swaps)
        assert len(made) == 1 and (kind in made[0] or made[0] == str(hub.data / "swap"))
        hub.create("sleeper", hardware="cpu-upgrade", sleepTimeSeconds=1)
        hub.commit("sleeper", apps.plain("here"))
        wait_for(hub, is_paged_out)
        hub.end(signal.SIGKILL)
        assert swaps(hub) == made
        hub.start()
        assert wait_for(hub, swaps) == made
        assert hub.visit("sleeper").body == b"here"
        assert hub.logs("sleeper", "run").count("app says here") == 1  # the process that slept, not another
        assert hub.end() == 0
        hub.options += ["--sleep-stop", "3"]
        hub.start()
        wait_for(hub, is_stopped)
        assert hub.visit("sleeper").body == b"here" and hub.runtime("sleeper")["stage"] == "RUNNING"
        assert hub.end() == 0 and swaps(hub) == made
        hub.stop()
        assert not swaps(hub) and not (hub.data / "swap").exists()
        assert not devices(hub)
        assert "runner.swap" not in hub.log_path.read_text()
    finally:
        hub.remove()


def test_a_bad_setting_is_told_at_the_start():
    hub = Hub(options=["--sleep-swap", "none:8G"])
    hub.words("init")
    try:
        done = subprocess.run(hub.command(), capture_output=True, text=True, env=os.environ, timeout=WAIT_S)
        assert done.returncode == 2 and "sleep.swap" in done.stderr
    finally:
        hub.remove()
