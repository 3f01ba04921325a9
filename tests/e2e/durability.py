"""What of a program's files would be there after a power cut: by its system calls, as strace tells them.

A model of the weakest disk that POSIX allows: written bytes are safe by an fsync of the file that began after the
write, a name is safe by an fsync of its folder that began after it was given, and syncfs makes all safe. Calls are in
the order in which the kernel ended them; one that counts as a sync must have begun behind what it is to cover.
"""

import os
import re
import signal
import subprocess
import time

CALLS = ("openat,open,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,ftruncate,copy_file_range,link,linkat,symlinkat,"
         "rename,renameat,renameat2,unlink,unlinkat,rmdir,fsync,fdatasync,syncfs,sendto,sendmsg")
WRITES = {"write", "writev", "pwrite64", "pwritev", "ftruncate"}
SYNCS = {"fsync", "fdatasync"}
SENDS = {"sendto", "sendmsg", "writev", "write"}


class Call:
    def __init__(self, thread, name, arguments, result, begin, end):
        self.thread, self.name, self.arguments, self.result = thread, name, arguments, result
        self.begin, self.end = begin, end

    def __repr__(self):
        return f"{self.thread} {self.name}({self.arguments}) = {self.result}"


STRACE = ["strace", "-y", "-s", "24", "-e", f"trace={CALLS}", "-e", "signal=none"]


class Trace:
    """strace, attached to a process with all of its threads, or to some threads alone."""

    def __init__(self, path, pids, follow=True):
        self.path = path
        words = [*STRACE, "-o", path, *(["-f"] if follow else [])]
        for pid in pids:
            words += ["-p", str(pid)]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        for _ in pids:
            line = self.process.stderr.readline()
            assert "attached" in line, line

    def wait_answer(self):
        """Until the answer that a client has is among the calls: it gets it before strace sees the call's end."""
        deadline = time.monotonic() + 30
        while not any(map(is_answer, self.calls())):
            assert time.monotonic() < deadline, "strace saw no answer"
            time.sleep(0.01)

    def end(self):
        """The calls, in the order of their ends."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)
        return self.calls()

    def calls(self):
        with open(self.path, errors="replace") as lines:
            return parse(lines)


def run(path, *words):
    """The calls of a command that must succeed, from its start to its end."""
    subprocess.run([*STRACE, "-f", "-o", path, *words], check=True, stdout=subprocess.PIPE)
    with open(path, errors="replace") as lines:
        return parse(lines)


def parse(lines):
    """Calls of a file of strace -o. A call that began and has not ended is none."""
    open_calls, calls = {}, []
    for number, line in enumerate(lines):
        thread, _, text = line.rstrip("\n").partition(" ")
        text = text.strip()
        if text.endswith("<unfinished ...>"):
            open_calls[thread] = (number, text.removesuffix("<unfinished ...>").rstrip())
            continue
        begin = number
        resumed = re.match(r"<\.\.\. \w+ resumed>", text)
        if resumed:
            begin, before = open_calls.pop(thread)
            text = before + text[resumed.end():]
        found = re.match(r"(\w+)\((.*)\)\s+= (-?\d+)", text)
        if found:
            calls.append(Call(thread, found[1], found[2], int(found[3]), begin, number))
    return calls


def descriptor(text):
    """The path of `7</a/b>`; none where the file has no name (any more): no power cut keeps such a file."""
    found = re.match(r"(?:AT_FDCWD|\d+)<(.*)>$", text.strip())
    return found[1] if found else None


def split(arguments):
    """Arguments at their commas, which strings, structs and paths may hold as well."""
    return re.findall(r'(?:"(?:\\.|[^"\\])*"(?:\.\.\.)?|\{[^}]*\}|\[[^]]*\]|<[^>]*>|[^,])+', arguments)


def path_at(folder, name):
    return os.path.normpath(os.path.join(descriptor(folder) or "/", name.strip().strip('"')))


def names(call):
    """The paths that a call is about."""
    words = split(call.arguments)
    if call.name in ("openat", "mkdirat", "unlinkat"):
        return [path_at(words[0], words[1])]
    if call.name in ("renameat", "renameat2", "linkat"):
        return [path_at(words[0], words[1]), path_at(words[2], words[3])]
    if call.name == "symlinkat":
        return [path_at(words[1], words[2])]
    return [os.path.normpath(word.strip().strip('"')) for word in words[:2] if word.strip().startswith('"')]


class File:
    """Bytes and names are two things: a file may have several names."""

    def __init__(self):
        self.written = None  # the end of the last write that no sync has covered


class Disk:
    """Files below `root`, as far as calls have touched them."""

    def __init__(self, root):
        self.root = str(root)
        self.files = {}  # path -> File
        self.named = {}  # path -> the end of the call that gave it, until its folder was synced
        self.removed = {}  # the same of names that were there before

    def file(self, path):
        return self.files.setdefault(path, File())

    def play(self, call):
        if call.result < 0:
            return
        if call.name in WRITES or call.name == "copy_file_range":
            words = split(call.arguments)
            path = descriptor(words[2 if call.name == "copy_file_range" else 0])
            if self.holds(path):
                self.file(path).written = call.end
        elif call.name in SYNCS:
            self.sync(descriptor(call.arguments), call)
        elif call.name == "syncfs":
            self.sync_all(call)
        elif call.name in ("open", "openat", "creat", "mkdir", "mkdirat", "symlinkat"):
            self.make(call)
        elif call.name.startswith(("rename", "link")):
            self.move(call)
        elif call.name.startswith(("unlink", "rmdir")):
            self.remove(names(call)[0], call)

    def holds(self, path):
        return bool(path) and path.startswith(self.root + "/")

    def make(self, call):
        path = names(call)[0]
        if not self.holds(path) or (call.name.startswith("open") and "O_CREAT" not in call.arguments):
            return
        if path not in self.files:
            self.file(path)
            self.named[path] = call.end

    def move(self, call):
        old, new = names(call)[:2]
        assert not old.startswith("/proc/"), f"a file without a name gets one: {call}"
        below = [path for path in self.files if path == old or path.startswith(old + "/")]
        for path in below or [old]:
            there = new + path[len(old):]
            self.files[there] = self.file(path)
            if path in self.named:
                self.named[there] = self.named[path]
            if call.name.startswith("rename"):
                self.forget(path)
        self.named[new] = call.end

    def remove(self, path, call):
        if self.holds(path) and path not in self.files:
            self.removed[path] = call.end
        self.forget(path)

    def forget(self, path):
        self.files.pop(path, None)
        self.named.pop(path, None)

    def sync(self, path, call):
        file = self.files.get(path)
        if file and file.written is not None and file.written < call.begin:
            file.written = None
        for names_of_folder in (self.named, self.removed):
            for name, end in list(names_of_folder.items()):
                if os.path.dirname(name) == path and end < call.begin:
                    del names_of_folder[name]

    def sync_all(self, call):
        for file in self.files.values():
            if file.written is not None and file.written < call.begin:
                file.written = None
        self.named = {name: end for name, end in self.named.items() if end >= call.begin}
        self.removed = {name: end for name, end in self.removed.items() if end >= call.begin}

    def unsafe_bytes(self, part=""):
        return sorted(path for path, file in self.files.items() if part in path and file.written is not None)

    def unsafe_names(self, part=""):
        return sorted(path for path in self.named if part in path)

    def unsafe_removals(self, part=""):
        return sorted(path for path in self.removed if part in path)


def is_answer(call):
    """An HTTP server tells its client that it is done."""
    return call.name in SENDS and "HTTP/1.1 20" in call.arguments and call.result > 0


def syncs(calls):
    """The syncs of each file or folder, which may be several, and each sync of everything."""
    one_by_one = {}
    for call in calls:
        if call.name in SYNCS:
            one_by_one.setdefault(call.arguments.partition("<")[2], []).append(call)
    return [*one_by_one.values(), *([call] for call in calls if call.name == "syncfs")]
