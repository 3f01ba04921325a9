import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

from guest_hub import GuestHub  # noqa: E402
from machine import Machine  # noqa: E402


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    report = (yield).get_result()
    if report.failed and "machine" in item.funcargs:
        report.sections.append(("journal of the guest", item.funcargs["machine"].journal()))


@pytest.fixture(scope="session")
def machine():
    machine = Machine()
    try:
        yield machine.start()
    finally:
        machine.remove()


@pytest.fixture(scope="session")
def hub(machine):
    """The hub that systemd serves in the guest."""
    return GuestHub(machine).init()
