"""What apps and browsers send each other passes the front as it is: L2 of the protocol."""

import base64
import hashlib
import http.client
import json
import os
import time

import pytest

import apps
from hub import fetch

ECHO = """
import asyncio, json, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1]) as socket:
        answers = []
        for text in ["one", "two", "x" * 70000]:
            await socket.send(text)
            answers.append(await socket.recv())
        print(json.dumps([answers[0], answers[1], len(answers[2])]))
asyncio.run(main())
"""

DATA = os.urandom(3 << 20)


@pytest.fixture(scope="module")
def app(hub):
    hub.create("traffic")
    files = {"app.py": apps.TRAFFIC.encode(), "requirements.txt": b"websockets\n", "data.bin": DATA}
    lines = [{"key": "header", "value": {"summary": "app"}}]
    lines += [{"key": "file", "value": {"path": path, "content": base64.b64encode(content).decode(),
                                        "encoding": "base64"}} for path, content in files.items()]
    assert hub.call("POST", "/api/spaces/me/traffic/commit/main", "\n".join(map(json.dumps, lines)).encode()).status == 200
    hub.wait_stage("traffic", "RUNNING")
    return hub.host("traffic")


def connect(app):
    return http.client.HTTPConnection(app.removeprefix("http://"), timeout=30)


def test_websocket_echo(app, new_client):
    assert new_client.run(ECHO, app.replace("http://", "ws://") + "/echo") == ["one", "two", 70000]


def test_events_arrive_as_they_are_sent(app):
    connection = connect(app)
    connection.request("GET", "/ticks")
    answer = connection.getresponse()
    arrived = []
    while line := answer.readline():
        if line.startswith(b"data:"):
            arrived.append(time.monotonic())
    assert len(arrived) == 5
    # sent 0.3 s apart: a buffering front would hand them over all at once
    assert all(later - earlier > 0.1 for earlier, later in zip(arrived, arrived[1:])), arrived


def test_large_upload_arrives_whole(app):
    body = os.urandom(40 << 20)
    answer = fetch(app + "/upload", "POST", body)
    assert answer.json == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def test_range_request(app):
    answer = fetch(app + "/file", headers={"Range": "bytes=1000-1999"})
    assert answer.status == 206 and answer.body == DATA[1000:2000]


def test_keep_alive(app):
    connection = connect(app)
    for _ in range(3):
        connection.request("GET", "/hello")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        sock = connection.sock
    assert sock is connection.sock is not None


def test_headers_that_reach_the_app(app):
    host = app.removeprefix("http://")
    seen = fetch(app + "/x?y=1", headers={
        "X-HF-Authorization": "Bearer hf_secret", "Authorization": "Bearer mine", "Cookie": "a=1; __Host-espace=hub; b=2",
        "X-Espace-User": "root", "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"}).json["headers"]
    assert seen["host"] == seen["x-forwarded-host"] == host
    assert seen["x-forwarded-proto"] == "http"
    assert seen["authorization"] == "Bearer mine"
    assert "hub" not in seen["cookie"] and "a=1" in seen["cookie"] and "b=2" in seen["cookie"]
    assert not {name for name in seen if name.startswith("x-espace")} and "x-hf-authorization" not in seen
