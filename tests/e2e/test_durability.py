"""What was acknowledged is on the disk: the order of syncs, of the API alone (wire_hub), on the file systems that
there are, and of a hub that makes layers."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest

import apps
import durability
from hub import BUILD, ESPACED
from test_secrets import process_of

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "wire"))

import wire  # noqa: E402

MAKERS = {"ext4": ["mkfs.ext4", "-q"], "xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"]}
IMAGE_BYTES = 400 << 20  # xfs takes no less than 300 MB; sparse

# One journal for all renames keeps their order (src/repo/land.h): there objects and branch become durable together.
KEEPS_ORDER = {"ext4", "xfs"}


@contextlib.contextmanager
def file_system(kind):
    """A file system of its own in an image, mounted."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="espace-disk-"))
    image, place = folder / "image", folder / "place"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(IMAGE_BYTES)
    try:
        subprocess.run([*MAKERS[kind], image], check=True)
        subprocess.run(["mount", "-o", "loop", image, place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        shutil.rmtree(folder)


class Api(wire.Hub):
    """wire_hub in a folder, and what it did to answer a call."""

    def __init__(self, folder):
        self.folder = folder
        path = str(folder / "api.sock")
        program = BUILD / "tests/unit/api/wire_hub"
        self.child = subprocess.Popen([program, path, folder / "data"], stdout=subprocess.PIPE, text=True)
        super().__init__(path, str(folder / "data"))
        assert self.child.stdout.readline() == "ready\n"

    def stop(self):
        self.child.terminate()
        self.child.wait(timeout=30)
        self.child.stdout.close()

    def traced(self, method, path, body):
        trace = durability.Trace(self.folder / "trace", [self.child.pid])
        try:
            answer = self.call(method, path, "me", body)
            assert answer.status == 200, answer.body
            trace.wait_answer()
        finally:
            calls = trace.end()
        return calls


@pytest.fixture(scope="module", params=sorted(MAKERS))
def api(request):
    with file_system(request.param) as place:
        api = Api(place)
        api.kind = request.param
        assert api.call("POST", "/api/repos/create", "me", {"name": "kept"}).status == 200
        try:
            yield api
        finally:
            api.stop()


def small_commit(number):
    return wire.commit_lines(wire.file_line(f"folder-{number}/small.txt", f"small {number}"))


def large_commit(number):
    """More than is kept in memory: objects go through a folder of their own."""
    return wire.commit_lines(wire.file_line("large.bin", os.urandom(3 << 20)))


def commit_of_many(number):
    """More than are synced one by one."""
    return wire.commit_lines(*(wire.file_line(f"many-{number}/{i}.txt", f"{number} {i}") for i in range(100)))


def unsafe_at_answer(disk):
    return ([f"{path} is not written when it is answered"
             for path in disk.unsafe_bytes(".git/") + disk.unsafe_bytes(".db-wal")]
            + [f"{path} has no safe name when it is answered" for path in disk.unsafe_names(".git")]
            + [f"{path} may be there again" for path in disk.unsafe_removals(".git/refs/")])


def losses(calls, data, kind):
    """What a power cut could take of a commit that is answered, or leave of one that is half done."""
    disk = durability.Disk(data)
    found, moved, answered, objects, logged = [], 0, 0, 0, 0
    for call in calls:
        if call.name.startswith("rename") and call.result == 0:
            new = durability.names(call)[1]
            objects += "/objects/" in new
            if "/refs/heads/" in new:
                moved += 1
                found += [f"{path} is not written when the branch moves" for path in disk.unsafe_bytes(".git/")]
                if kind not in KEEPS_ORDER:
                    found += [f"{path} has no safe name when the branch moves"
                              for path in disk.unsafe_names(".git/objects/")]
        logged += call.name in durability.WRITES and "espace.db-wal>" in call.arguments
        if durability.is_answer(call):
            answered += 1
            found += unsafe_at_answer(disk)
        disk.play(call)
    assert moved == 1 and answered == 1 and objects >= 3 and logged >= 1, calls
    return found


def each_sync_counts(calls, check):
    for left_out in durability.syncs(calls):
        rest = [call for call in calls if call not in left_out]
        try:
            found = check(rest)
        except AssertionError:
            continue  # not even what it looks for is there
        assert found != [], f"{left_out} is for nothing, or this test notices nothing"


@pytest.mark.parametrize("lines", [small_commit, large_commit, commit_of_many], ids=lambda lines: lines.__name__)
def test_a_commit_is_safe_before_its_branch_moves_and_before_it_is_answered(api, lines):
    calls = api.traced("POST", "/api/models/me/kept/commit/main", lines(0))
    assert losses(calls, api.data, api.kind) == []
    each_sync_counts(calls, lambda rest: losses(rest, api.data, api.kind))


def losses_of_reference(calls, data):
    """Of a call that makes or removes a name for a commit that is there."""
    disk, found, answered = durability.Disk(data), [], 0
    for call in calls:
        if durability.is_answer(call):
            answered += 1
            found += unsafe_at_answer(disk)
        disk.play(call)
    assert answered == 1, calls
    return found


def losses_of_repository(calls, data):
    """Its files come first, then the row that names them."""
    disk, found, answered, written = durability.Disk(data), [], 0, 0
    for call in calls:
        if call.name in durability.SYNCS and "espace.db-wal>" in call.arguments:
            written += 1
            found += [f"{path} is not written when its row is"
                      for path in disk.unsafe_bytes(".git/") + disk.unsafe_names(".git")]
        if durability.is_answer(call):
            answered += 1
            found += unsafe_at_answer(disk)
        disk.play(call)
    assert answered == 1 and written >= 1, calls
    return found


REFERENCES = [
    ("POST", "branch/side", {}),
    ("POST", "branch/a%2Fb", {}),
    ("POST", "tag/main", {"tag": "v1", "message": "one"}),
    ("DELETE", "branch/side", None),
    ("DELETE", "tag/v1", None),
]


def test_a_reference_is_safe_before_it_is_answered(api):
    for method, path, body in REFERENCES:
        calls = api.traced(method, "/api/models/me/kept/" + path, body)
        assert losses_of_reference(calls, api.data) == [], path
        each_sync_counts(calls, lambda rest: losses_of_reference(rest, api.data))


def test_a_repository_is_safe_before_its_row_and_before_it_is_answered(api):
    body = {"name": "made", "type": "space", "sdk": "gradio"}
    calls = api.traced("POST", "/api/repos/create", body)
    assert losses_of_repository(calls, api.data) == []
    each_sync_counts(calls, lambda rest: losses_of_repository(rest, api.data))


def losses_of_token(calls, data):
    disk, found, printed = durability.Disk(data), [], 0
    for call in calls:
        if call.name == "write" and call.arguments.startswith("1<") and '"hf_' in call.arguments:
            printed += 1
            found += disk.unsafe_bytes()
        disk.play(call)
    assert printed == 1, calls
    return found


def test_a_token_is_safe_before_it_is_printed(hub, tmp_path):
    words = [ESPACED, "--data", hub.data, "token", "add", "me", "--name", "traced"]
    calls = durability.run(tmp_path / "trace", *words)
    assert losses_of_token(calls, hub.data) == []
    assert losses_of_token([call for call in calls if call.name not in durability.SYNCS], hub.data) != []


def losses_of_layers(calls, layers):
    """What a layer may lack that has its name, and the names of all that were made."""
    disk, found, made = durability.Disk(layers), [], []
    for number, call in enumerate(calls):
        if call.name.startswith("rename") and call.result == 0:
            old, new = durability.names(call)
            if os.path.dirname(new) == layers:
                made.append(os.path.basename(new))
                mine = [each for each in calls if each.thread == call.thread and not each.name.startswith("open")]
                at = mine.index(call)
                before, after = mine[at - 1], mine[at + 1] if at + 1 < len(mine) else None
                if old.startswith(layers):
                    found += disk.unsafe_bytes(old + "/") + disk.unsafe_names(old + "/")
                elif before.name != "syncfs" or durability.descriptor(before.arguments) != old:
                    found.append(f"{old} was written by others and is not synced")
                if not after or after.name != "fsync" or durability.descriptor(after.arguments) != layers:
                    found.append(f"the name of {new} is not synced")
        disk.play(call)
    return found, made


def threads_of(*pids):
    return [path.name for pid in pids for path in pathlib.Path(f"/proc/{pid}/task").iterdir()]


def test_a_layer_is_safe_before_it_has_its_name_and_the_name_before_it_is_used(hub, tmp_path):
    layers = str(hub.data / "layers")
    # The threads that make layers live as long as their process. The builds themselves are not slowed down.
    trace = durability.Trace(tmp_path / "trace", threads_of(process_of(hub, "hub"), process_of(hub, "runner")), follow=False)
    try:
        hub.create("layered")
        hub.commit("layered", {**apps.plain("layers"), "requirements.txt": "iniconfig==2.0.0\n"})
        hub.wait_stage("layered", "RUNNING")
    finally:
        calls = trace.end()
    found, made = losses_of_layers(calls, layers)
    assert found == []
    assert sorted(name.partition("-")[0] for name in made) == ["app", "env"], made
    for left_out in durability.syncs(calls):
        if f"<{layers}" in left_out[0].arguments or "/out-" in left_out[0].arguments:
            rest = [call for call in calls if call not in left_out]
            assert losses_of_layers(rest, layers)[0] != [], f"{left_out} is for nothing, or this test notices nothing"
