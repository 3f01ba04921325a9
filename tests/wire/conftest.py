"""Collects .wire files and lends each test a hub of its own.

ESPACE_BUILD names the build directory with tests/unit/api/wire_hub.
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

    def __init__(self, *options):
        self.folder = tempfile.mkdtemp(prefix="espace-wire-")
        self.data = os.path.join(self.folder, "data")
        path = os.path.join(self.folder, "api.sock")
        self.child = subprocess.Popen([program(), *options, path, self.data], stdout=subprocess.PIPE, text=True)
        super().__init__(path, self.data)
        if self.child.stdout.readline() != "ready\n":
            self.stop()
            raise RuntimeError("wire_hub did not start")

    def stop(self):
        self.child.terminate()
        status = self.child.wait(timeout=30)
        self.child.stdout.close()
        shutil.rmtree(self.folder)
        return status


@pytest.fixture(scope="module")
def hub():
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
        demo = Demo()
        try:
            self.play(demo, steps)
        except BaseException:
            demo.stop()
            raise
        assert demo.stop() == 0, "wire_hub ended with a failure"

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
