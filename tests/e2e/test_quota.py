"""A client that has spent what it may ask waits as long as the hub says."""
import clients
from hub import Hub

# Unchanged but for its sleep, which would last up to five minutes.
SCRIPT = """
import json, time
from huggingface_hub import HfApi
from huggingface_hub.utils import HfHubHTTPError

class Asleep(Exception):
    pass

def sleep(seconds):
    raise Asleep(seconds)

time.sleep = sleep
api = HfApi()
told = slept = None
try:
    for _ in range(9):
        api.get_user_overview("me")
except HfHubHTTPError as error:
    told = error.response.status_code, str(error)
try:
    list(api.list_spaces())
except Asleep as error:
    slept = error.args[0]
print(json.dumps([told, slept]))
"""


def test_a_client_waits_for_its_next_window():
    hub = Hub(options=["--rate-api", "5"]).init()
    try:
        hub.start()
        with clients.Client("2.4.0", hub) as client:
            (status, text), slept = client.run(SCRIPT)
    finally:
        hub.remove()
    assert status == 429
    assert "you have reached your 'api' rate limit" in text
    assert "(0/5 requests remaining in current 300s window)" in text
    assert 1 < slept <= 301
