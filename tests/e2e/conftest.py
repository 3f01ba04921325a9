import sys
import pathlib

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import clients  # noqa: E402
from hub import Hub  # noqa: E402


# One that one Space may have, and a card that test_hardware.py makes up.
COUNTED = """
- {name: one-of-a-kind, title: One of a kind, cpu: 2, memory: 4, count: 1}
- {name: made-up-card, title: Made-up card, cpu: 2, memory: 4, cards: [example.com/gpu=0],
   accelerator: {type: gpu, model: Zero, manufacturer: Example, quantity: 1, vram: 1}}
"""


@pytest.fixture(scope="session")
def hub():
    """One hub for all tests that do not end it: the base system and Gradio are made once."""
    hub = Hub(options=["--log-level", "debug", "--sleep-min", "1"])
    hub.options += ["--hardware-cdi", hub.data / "cdi"]
    hub.init().offer(COUNTED)
    try:
        yield hub.start()
        # Whatever the tests did to it: nothing is damaged.
        done = hub.words("check", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        hub.remove()


@pytest.fixture(params=["0.20.3", "2.4.0"])
def client(request, hub):
    """The oldest client and the newest; test_clients.py has all of them."""
    client = clients.Client(request.param, hub)
    yield client
    client.close()


@pytest.fixture
def new_client(hub):
    client = clients.Client("2.4.0", hub)
    yield client
    client.close()
