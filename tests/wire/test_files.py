"""Uploads and downloads against a model of what a repository holds, and many of them at once."""
import hashlib
import os
import random
import threading
from urllib.parse import quote

import pytest

from conftest import program
from wire import commit_lines, file_line

FULL = os.environ.get("ESPACE_TEST_FULL") == "1"
PARTS = ["a", "b", "c", "A", "é", "e\u0301", "a.b", "a-b", ".x"]


class Refused(Exception):
    """The status that a change must get."""


class Model:
    """A repository's files by path. Folders are there as long as something is in them."""

    def __init__(self, files=()):
        self.files = dict(files)

    def is_folder(self, path):
        return any(name.startswith(path + "/") for name in self.files)

    def put(self, path, content):
        parents = [path[:i] for i, c in enumerate(path) if c == "/"]
        if self.is_folder(path) or any(parent in self.files for parent in parents):
            raise Refused(422)
        self.files[path] = content

    def delete_file(self, path):
        if self.files.pop(path, None) is None:
            self.delete_folder(path)

    def delete_folder(self, path):
        if not self.is_folder(path):
            raise Refused(404)
        self.files = {n: c for n, c in self.files.items() if not n.startswith(path + "/")}

    def tree(self):
        """What the tree must list: path, kind, size, oid of files."""
        rows = set()
        for path, content in self.files.items():
            oid = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            rows.add((path, "file", len(content), oid))
            rows |= {(path[:i], "directory", 0, None) for i, c in enumerate(path) if c == "/"}
        return rows


def any_path(rng, model):
    """Mostly one that is there, or close to one."""
    if model.files and rng.random() < 0.5:
        path = rng.choice(sorted(model.files))
        return path if rng.random() < 0.7 else path.rpartition("/")[0] or path
    return "/".join(rng.choice(PARTS) for _ in range(rng.randint(1, 3)))


def any_operation(rng, model):
    """One line, applied to the model already."""
    path, kind = any_path(rng, model), rng.random()
    if kind < 0.15:
        model.delete_file(path)
        return {"key": "deletedFile", "value": {"path": path}}
    if kind < 0.25:
        model.delete_folder(path)
        return {"key": "deletedFolder", "value": {"path": path + rng.choice(["", "/"])}}
    content = rng.randbytes(rng.choice([0, 1, 5, 3000, 70000]))
    line = file_line(path, content)
    if kind < 0.35:
        line["value"]["oldPath"] = old = any_path(rng, model)
        if old != path:
            model.delete_file(old)
    model.put(path, content)
    return line


def any_change(rng, model):
    """Lines, the model behind them, and the status that they must get."""
    after, lines = Model(model.files), []
    for _ in range(rng.randint(1, 6)):
        trial = Model(after.files)
        state = rng.getstate()
        try:
            lines.append(any_operation(rng, trial))
            after = trial
        except Refused as refused:
            if rng.random() < 0.8:
                continue
            rng.setstate(state)
            lines.append(any_operation(rng, Unchecked(after.files)))
            return lines, model, refused.args[0]
    return (lines, after, 200) if lines else any_change(rng, model)


class Unchecked(Model):
    """Takes everything, for the line of a change that must be refused."""

    def put(self, path, content):
        pass

    def delete_file(self, path):
        pass

    def delete_folder(self, path):
        pass


def tree_of(hub, name):
    path, rows = f"/api/models/{name}/tree/main?recursive=true", set()
    while path:
        answer = hub.call("GET", path)
        assert answer.status == 200
        rows |= {(e["path"], e["type"], e["size"], e["oid"] if e["type"] == "file" else None)
                 for e in answer.json()}
        link = answer.headers.get("Link")
        path = link[1:].partition(">")[0].removeprefix(hub.origin) if link else None
    return rows


def make(hub, name):
    assert hub.call("POST", "/api/repos/create", "me", {"name": name}).status == 200
    return "me/" + name


def commit(hub, name, *lines, **header):
    return hub.call("POST", f"/api/models/{name}/commit/main", "me", commit_lines(*lines, **header))


def head(hub, name):
    return hub.call("GET", f"/api/models/{name}", "me").json()["sha"]


@pytest.mark.parametrize("seed", range(20 if FULL else 2))
def test_any_change_does_what_a_model_says(hub, seed):
    rng = random.Random(seed)
    name = make(hub, f"model-{seed}")
    attributes = hub.call("GET", f"/{name}/resolve/main/.gitattributes").body
    model = Model({".gitattributes": attributes})
    for step in range(100 if FULL else 25):
        before = head(hub, name)
        lines, after, status = any_change(rng, model)
        header = {"summary": f"step {step}"}
        if rng.random() < 0.3:
            header["parentCommit"] = before[: rng.randint(5, 40)]
        what = f"seed {seed} step {step}: {[(l['key'], l['value']['path']) for l in lines]}"
        answer = commit(hub, name, *lines, **header)
        assert answer.status == status, f"{what}: {answer.status} {answer.body}"
        if status == 200:
            assert answer.json()["commitOid"] == head(hub, name), what
            again = commit(hub, name, *lines, **header)
            assert (again.status, again.json()["commitOid"]) == (200, head(hub, name)), what
            model = after
        else:
            assert head(hub, name) == before, what
        assert tree_of(hub, name) == model.tree(), what
    for path, content in model.files.items():
        assert hub.call("GET", f"/{name}/resolve/main/{quote(path)}").body == content


def test_sixteen_uploads_to_one_branch_all_pass(hub):
    name = make(hub, "sixteen")
    results = []

    def upload(i):
        lines = [file_line(f"part/{i}-{j}", f"{i} {j}") for j in range(3)]
        results.append(commit(hub, name, *lines, summary=f"part {i}").status)

    threads = [threading.Thread(target=upload, args=(i,)) for i in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 16
    assert len(hub.call("GET", f"/api/models/{name}/tree/main/part").json()) == 48
    assert len(hub.call("GET", f"/api/models/{name}/commits/main").json()) == 17


def test_of_two_with_one_parent_one_passes(hub):
    name = make(hub, "rivals")
    parent, results = head(hub, name), []

    def upload(i):
        results.append(commit(hub, name, file_line("x", str(i)), summary=str(i), parentCommit=parent))

    threads = [threading.Thread(target=upload, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status for answer in results) == [200, 412, 412, 412]


def test_readers_of_ranges_get_their_own_bytes(hub):
    name = make(hub, "ranges")
    content, wrong = random.Random(1).randbytes(5 << 20), []
    assert commit(hub, name, file_line("big.bin", content)).status == 200

    def read(i):
        rng = random.Random(i)
        for _ in range(8):
            first = rng.randrange(len(content))
            last = rng.choice([first, first + 8, first + 1000, first + 3000000])
            answer = hub.call("GET", f"/{name}/resolve/main/big.bin",
                              headers={"Range": f"bytes={first}-{last}"})
            end = min(last, len(content) - 1)
            want = (206, f"bytes {first}-{end}/{len(content)}", content[first : end + 1])
            if (answer.status, answer.headers["Content-Range"], answer.body) != want:
                wrong.append((first, last))

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert hub.call("GET", f"/{name}/resolve/main/big.bin").body == content


def resident(hub):
    with open(f"/proc/{hub.child.pid}/status") as status:
        lines = [line for line in status if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) >> 10


def test_memory_does_not_grow_with_files(hub):
    """Above what the tests before have left: one file of 40 MB, and 5000 files."""
    name = make(hub, "flat")
    before = resident(hub)
    content = bytes(40 << 20)
    assert commit(hub, name, file_line("big.bin", content)).status == 200
    assert hub.call("GET", f"/{name}/resolve/main/big.bin").body == content
    lines = [file_line(f"many/{i % 50}/{i}.txt", str(i)) for i in range(5000)]
    assert commit(hub, name, *lines).status == 200
    # A sanitizer keeps what was freed.
    sanitized = b"__asan_init" in program().read_bytes()
    assert resident(hub) - before < (500 if sanitized else 16)


def test_a_hidden_answer_is_found_by_its_whole_body_only(hub):
    """The same title over other files is another change."""
    name = make(hub, "replay")
    first = commit(hub, name, file_line("a", "1"), summary="same").json()["commitOid"]
    other = commit(hub, name, file_line("a", "2"), summary="same", parentCommit=first)
    assert other.status == 200 and other.json()["commitOid"] != first
    stale = commit(hub, name, file_line("a", "3"), summary="same", parentCommit=first)
    assert stale.status == 412
