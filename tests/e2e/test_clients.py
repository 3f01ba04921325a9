"""Every client that we promise to serve runs its whole smoke script (smoke/) against one hub."""

import pathlib

import pytest

import clients

SMOKE = pathlib.Path(__file__).parent / "smoke"
TIMEOUT_S = 600

# How many checks the oldest client has, and the script in JavaScript.
AT_LEAST = {"py": 30, "js": 8}


class Smoke:
    """Runs smoke scripts on a hub where somebody else has an account as well."""

    def __init__(self, hub):
        self.hub = hub
        hub.words("user", "add", "other")
        self.other = hub.words("token", "add", "other", "--role", "write", "--name", "smoke")
        hub.words("org", "add", "smokers", "--fullname", "All clients", "--member", "me:admin", "--member", "other:read")

    def run(self, client, mark, *command, **environment):
        result = client.last_line(*command, timeout=TIMEOUT_S, SMOKE_USER="me", SMOKE_OTHER_TOKEN=self.other,
                                  SMOKE_ORG="smokers", SMOKE_MARK=mark, **environment)
        assert not result["failed"], "\n".join(result["failed"].values())
        return result["passed"]


@pytest.fixture(scope="module")
def smoke(hub):
    return Smoke(hub)


@pytest.mark.parametrize("number,version", enumerate(clients.ENVIRONMENTS), ids=list(clients.ENVIRONMENTS))
def test_python(hub, smoke, number, version):
    """One client calls the hub by its name, the next one by its address."""
    url = [hub.url, f"http://127.0.0.1:{hub.port}"][number % 2]
    with clients.Client(version, hub, url=url) as client:
        passed = smoke.run(client, "v" + version.replace(".", "-"), client.python, SMOKE / "run.py")
    assert passed >= AT_LEAST["py"]


def test_javascript(hub, smoke):
    with clients.Client("2.4.0", hub) as client:  # of it, the environment only
        passed = smoke.run(client, "js", "node", SMOKE / "smoke.mjs", SMOKE_MODULES=clients.javascript())
    assert passed >= AT_LEAST["js"]
