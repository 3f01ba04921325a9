"""Collects .wire files and lends each test a hub of its own.

ESPACE_BUILD names the build directory with tests/unit/api/wire_hub. Instead of it, ESPACE_WIRE_URL and
ESPACE_WIRE_TOKENS ("me=hf_...,reader=hf_...") name a whole hub, with the accounts of wire_hub.c.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import wire  # noqa: E402


def program():
    build = pathlib.Path(os.environ.get("ESPACE_BUILD", HERE.parent.parent / "build"))
    return build / "tests" / "unit" / "api" / "wire_hub"


class Demo(wire.Hub):
    """wire_hub in a directory that goes away with it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="espace-wire-")
        self.data = os.path.join(self.folder, "data")
        path = os.path.join(self.folder, "api.sock")
        self.child = subprocess.Popen([program(), path, self.data], stdout=subprocess.PIPE, text=True)
        super().__init__(path=path)
        if self.child.stdout.readline() != "ready\n":
            self.stop()
            raise RuntimeError("wire_hub did not start")

    def stop(self):
        self.child.terminate()
        status = self.child.wait(timeout=30)
        self.child.stdout.close()
        shutil.rmtree(self.folder)
        return status


def borrowed_hub():
    tokens = dict(pair.split("=") for pair in os.environ["ESPACE_WIRE_TOKENS"].split(","))
    return wire.Hub(url=os.environ["ESPACE_WIRE_URL"], tokens=tokens)


@pytest.fixture(scope="module")
def hub():
    if "ESPACE_WIRE_URL" in os.environ:
        found = borrowed_hub()
        yield found
        found.clean()
        return
    demo = Demo()
    yield demo
    # A sanitizer that found something says so by the exit status.
    assert demo.stop() == 0


def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".wire":
        return WireFile.from_parent(parent, path=file_path)
    return None


class WireFile(pytest.File):
    def collect(self):
        yield WireItem.from_parent(self, name=self.path.stem)


class WireItem(pytest.Item):
    def runtest(self):
        steps = wire.parse(self.path.read_text())
        if "ESPACE_WIRE_URL" in os.environ:
            hub = borrowed_hub()
            try:
                self.play(hub, steps)
            finally:
                hub.clean()
            return
        demo = Demo()
        try:
            self.play(demo, steps)
        except BaseException:
            demo.stop()
            raise
        assert demo.stop() == 0, "wire_hub ended with a failure"

    def setup(self):
        if "ESPACE_WIRE_URL" in os.environ and self.path.read_text().startswith("# Without nginx"):
            pytest.skip("asks what nginx keeps for itself")

    @staticmethod
    def play(hub, steps):
        player = wire.Player(hub)
        for step in steps:
            player.play(step)

    def repr_failure(self, excinfo):
        if isinstance(excinfo.value, AssertionError):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self):
        return self.path, 0, self.path.name
