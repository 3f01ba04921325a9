"""Spaces that do what no Space should, and what people see of it."""

from apps import PLAIN, plain

# Far more than a log may hold, at once; then the server.
FLOOD = """
import sys
for i in range(200_000):
    sys.stdout.write("x" * 99 + "\\n")
sys.stdout.flush()
"""

LOG_MAX = 16 << 20  # what passes that is dropped, at a look once a second

# Bytes that break lines, terminals and texts elsewhere.
ODD = r"""
import sys
sys.stdout.buffer.write(b"\x1b[31mred\x1b[0m\n\xe2\x80\xa8separated\n\x00zero\n\xff\xfebytes\nevent: x\n\n")
sys.stdout.flush()
"""

LOGS = """
import json, sys
from huggingface_hub import HfApi
print(json.dumps("".join(HfApi().fetch_space_logs(sys.argv[1], follow=False))))
"""


def serving(first):
    app = plain("late")["app.py"]
    return {"app.py": first + app}


def test_a_flood_of_log_is_dropped_and_says_so(hub, new_client):
    hub.create("flood")
    hub.commit("flood", serving(FLOOD))
    hub.wait_stage("flood", "RUNNING")
    for _ in range(50):  # the runner looks once a second
        text = new_client.run(LOGS, "me/flood")
        if "bytes of log were dropped" in text:
            break
    assert "bytes of log were dropped" in text
    assert len(text) < LOG_MAX
    assert hub.visit("flood").body == b"late"


def test_odd_bytes_in_a_log_reach_the_client(hub, new_client):
    hub.create("odd-log")
    hub.commit("odd-log", serving(ODD))
    hub.wait_stage("odd-log", "RUNNING")
    text = new_client.run(LOGS, "me/odd-log")
    for line in ("\x1b[31mred\x1b[0m\n", "\u2028separated\n", "\x00zero\n", "\ufffd\ufffdbytes\n", "event: x\n",
                 "app says late"):
        assert line in text


def test_a_package_of_the_repository_is_installed(hub):
    """A path in requirements.txt is meant from the root of the repository."""
    hub.create("own-package")
    hub.commit("own-package", {
        "requirements.txt": "./greeting\n",
        "greeting/pyproject.toml": '[project]\nname = "greeting"\nversion = "1"\n'
                                   '[build-system]\nrequires = ["setuptools"]\n'
                                   'build-backend = "setuptools.build_meta"\n',
        "greeting/greeting/__init__.py": 'TEXT = "from the package"\n',
        "app.py": "import greeting\n" + PLAIN.replace("{text!r}", "greeting.TEXT").replace("{text}", "so"),
    })
    hub.wait_stage("own-package", "RUNNING")
    assert hub.visit("own-package").body == b"from the package"
