"""A Streamlit Space: its page, its WebSocket as a browser speaks it, and st.secrets."""

import hashlib
import json
import re

import pytest

from hub import fetch
from test_secrets import files_with

# Prints only hashes: of the environment and of st.secrets, which must be the same.
APP = """
import hashlib, json, os, stat, streamlit as st
FILE = "/home/user/.streamlit/secrets.toml"
def digest(text):
    return text and hashlib.sha256(text.encode()).hexdigest()
st.title("A Streamlit Space")
seen = {key: digest(st.secrets[key]) for key in sorted(st.secrets)}
facts = os.stat(FILE)
st.text("seen " + json.dumps({
    "secrets": seen,
    "environment": {key: digest(os.environ.get(key)) for key in seen},
    "file": [stat.S_IMODE(facts.st_mode), facts.st_uid],
    "home": os.access(os.path.dirname(FILE), os.W_OK),
    "mode": os.environ.get("MODE"),
}) + " end")
"""

# A browser asks for a run of the script (BackMsg, field 11, empty) and is sent what to draw.
TALK = r"""
import asyncio, json, sys, websockets
async def main():
    host, origin = sys.argv[1:]
    async with websockets.connect(host.replace("http://", "ws://") + "/_stcore/stream", origin=origin,
                                  subprotocols=["streamlit"], max_size=None) as socket:
        await socket.send(b"\x5a\x00")
        while True:
            message = await asyncio.wait_for(socket.recv(), 60)
            start = message.find(b"seen {")
            if start >= 0:
                text = message[start + len(b"seen "):message.index(b" end", start)]
                print(json.dumps(json.loads(text)))
                return
asyncio.run(main())
"""

# What breaks files, in a value: each must arrive as it is.
ODD = {
    "QUOTES": "x\"'\"\"\" '''\\ \\\" \\n",
    "LINES": "one\ntwo\r\n\n[table]\nTOKEN = \"mine\"\n",
    "UNICODE": "clé ❤ 😀 \u2028 \u0085",
    "CONTROL": "".join(map(chr, range(1, 32))) + "\x7f",
    "EMPTY": "",
    "LONG": "0123456789abcdef" * 2048,
    "HOME": "/home/user",  # one of the platform's own
}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest() if text else text


def shown(client, host):
    return client.run(TALK, host, host)


@pytest.fixture(scope="module")
def app(hub):
    """No card states a version or a port: the newest one, on 8501."""
    hub.create("stream", sdk="streamlit")
    hub.commit("stream", {"app.py": APP})
    hub.wait_stage("stream", "RUNNING")
    return hub.host("stream")


def test_page_health_and_script(app, new_client):
    page = fetch(app + "/")
    assert page.status == 200 and b"streamlit" in page.body.lower()
    health = fetch(app + "/_stcore/health")
    assert (health.status, health.body) == (200, b"ok")
    # Without a secret there is an empty file: `"X" in st.secrets` is an answer, not an error.
    assert shown(new_client, app) == {"secrets": {}, "environment": {}, "file": [0o400, 1000], "home": True, "mode": None}


def test_another_origin_is_refused(app, new_client):
    failed = """
import asyncio, sys, websockets
async def main():
    try:
        async with websockets.connect(sys.argv[1].replace("http://", "ws://") + "/_stcore/stream",
                                      origin="http://evil.example", subprotocols=["streamlit"]):
            print("open")
    except websockets.exceptions.InvalidStatus as error:
        print(error.response.status_code)
asyncio.run(main())
"""
    assert new_client.run(failed, app) == 403


def test_secrets_arrive_as_they_are_and_restart_the_app(hub, app, new_client):
    for key, value in ODD.items():
        assert hub.call("POST", "/api/spaces/me/stream/secrets", {"key": key, "value": value}).status == 200, key
    assert hub.call("POST", "/api/spaces/me/stream/variables", {"key": "MODE", "value": "plain"}).status == 200
    assert hub.runtime("stream")["stage"] == "APP_STARTING"
    hub.wait_stage("stream", "RUNNING")
    wanted = {key: sha256(value) for key, value in ODD.items()}
    seen = shown(new_client, app)
    assert seen["secrets"] == seen["environment"] == wanted
    assert seen["file"] == [0o400, 1000] and seen["mode"] == "plain"

    for key in ODD:
        assert hub.call("DELETE", "/api/spaces/me/stream/secrets", {"key": key}).status == 200, key
    hub.wait_stage("stream", "RUNNING")
    assert shown(new_client, app)["secrets"] == {}


def test_the_file_of_secrets_is_on_no_disk(hub, app, new_client):
    value = "hf_" + hashlib.sha256(app.encode()).hexdigest()
    assert hub.call("POST", "/api/spaces/me/stream/secrets", {"key": "TOKEN", "value": value}).status == 200
    hub.wait_stage("stream", "RUNNING")
    assert shown(new_client, app)["secrets"] == {"TOKEN": sha256(value)}
    holders = files_with(hub, value)
    assert {path.rsplit("/", 1)[1] for path in holders} == {"config.json", "secrets.toml"}
    for path in holders:
        assert re.fullmatch(rf"{hub.data}/run/bundles/[^/]+/[a-z.]+", path), path
    assert hub.call("POST", "/api/spaces/me/stream/pause").status == 200
    hub.wait_stage("stream", "PAUSED")
    for _ in range(100):  # the process is given a moment to end
        if not (holders := files_with(hub, value)):
            break
    assert holders == []
    assert hub.call("POST", "/api/spaces/me/stream/restart").status == 200
    hub.wait_stage("stream", "RUNNING")


def test_a_card_states_another_port(hub, app, new_client):
    card = "---\nsdk: streamlit\napp_port: 7000\n---\n"
    commit = hub.commit("stream", {"README.md": card})
    hub.wait_stage("stream", "RUNNING", sha=commit)
    assert fetch(app + "/_stcore/health").body == b"ok"
    assert json.dumps(shown(new_client, app)["file"]) == "[256, 1000]"
