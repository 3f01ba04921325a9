"""Many create one name at once: one of them has made it, all know where it is."""
import os
from concurrent.futures import ThreadPoolExecutor

CALLERS = 12


def test_one_creates_and_the_others_hear_where_it_is(hub):
    body = {"name": "race", "organization": "acme", "type": "space", "sdk": "gradio"}
    with ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(hub.call, "POST", "/api/repos/create", "writer", body) for _ in range(CALLERS)]
        answers = [call.result() for call in calls]
    assert sorted(answer.status for answer in answers) == [200] + [409] * (CALLERS - 1)
    assert len({answer.json()["url"] for answer in answers}) == 1
    assert len(os.listdir(os.path.join(hub.data, "repos"))) == 1  # nothing of the others is left
