"""What the lines of `check` promise: who does what they say sees the damage go."""

import struct
import subprocess

import apps
from test_check import check, own_hub  # noqa: F401

# src/route/layout.h: two words and the numbers of 64 workers; then entries, of four words, eight places and a slug.
ENTRIES_AT, ENTRY = 2 * 4 + 64 * 8, struct.Struct("=4I 64x 64s")
RUNNING, PUBLIC, SIDE = 2, 0, 0


def test_a_start_mends_a_route_and_a_stop_forgets_it(own_hub):  # noqa: F811
    hub = own_hub.start()
    hub.end()
    with open(hub.data / "run/routes", "r+b") as table:
        table.seek(ENTRIES_AT)
        table.write(ENTRY.pack(1, RUNNING, PUBLIC, SIDE, b"me-nobodys"))
    half = ["warning: route of me-nobodys: it is half written; the next start of the hub mends it"]
    assert check(hub) == (0, half)
    assert check(hub, "--repair") == (0, half)
    hub.start().end()
    assert check(hub) == (0, ["warning: route of me-nobodys: its Space is gone; the next `espaced stop` forgets it"])
    assert hub.stop().returncode == 0
    hub.start()
    assert check(hub) == (0, [])


def test_a_disk_that_has_failed_is_named_until_a_restart(hub):
    space = hub.create("marred", storageTier="small")["id"]
    hub.commit("marred", apps.plain("marred"))
    hub.wait_stage("marred", "RUNNING")
    bundle, = (hub.data / "run/bundles").glob(f"{space}-*")
    record = dict(line.split("=", 1) for line in (bundle / "run").read_text().splitlines())
    # What ext4 does of itself when a write of the machine's disk has failed.
    subprocess.run(["nsenter", "-m", "-t", record["conmon"], "mount", "--options-mode", "ignore",
                    "-o", "remount,abort", bundle / "data"], check=True)
    assert check(hub, "--repair") == (0, [
        f"warning: run {bundle.name}: its /data has become read-only: a write to this machine's disk has failed; "
        "restart the Space; make room before, where the disk is full"])
    assert hub.call("POST", "/api/spaces/me/marred/restart").status == 200
    hub.wait_stage("marred", "RUNNING")
    assert check(hub) == (0, []) and hub.visit("marred").body == b"marred"
