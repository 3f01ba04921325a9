"""Bytecode for a fresh environment, with every wheel compiled once for all environments.

Run as `python3 -I -S compile.py CACHE SITE` inside of the build container: -I and -S, so that neither
the folder, nor the environment's variables, nor a .pth file of a wheel can run code here. Sources
are parsed and never executed.

uv unpacks a wheel to CACHE/archive-v0/NAME and makes environments out of hard links to it. So the
.pyc files are written beside the sources in the archive: uv links them into each later environment
together with the rest, and Python accepts them, for a hard link keeps the time stamp that a .pyc
names. CACHE/compiled/TAG/NAME says that an archive is done; it lies outside of the archive, for
what is inside would be installed.

Folders named "tests" are left out: they are two fifths of a scientific stack, and no app imports
them. Python compiles such a module by itself if one does.
"""

import gc
import importlib.util
import mmap
import os
import py_compile
import signal
import sys

# Where SITE is when an app runs: the path in tracebacks, right from the start.
RUNTIME_SITE = "/opt/venv/lib/python%d.%d/site-packages" % sys.version_info[:2]
SKIPPED = {"__pycache__", "tests"}
FILE_LIMIT_S = 30  # a source that the compiler chews on longer goes without
RESTARTS_MAX = 16  # sources that kill the compiler; so many in one environment are no accident


def sources(top):
    """Yield the paths below `top`, relative to it, of all Python sources without bytecode."""
    stack = [""]
    while stack:
        folder = stack.pop()
        with os.scandir(os.path.join(top, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in SKIPPED:
                        stack.append(path)
                elif entry.name.endswith(".py") and entry.is_file(follow_symlinks=False):
                    if not os.path.exists(importlib.util.cache_from_source(os.path.join(top, path))):
                        yield path


def compile_some(jobs, progress):
    """The work of one child: `progress` tells the parent how far it came, should a source kill it."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    gc.disable()  # syntax trees hold no cycles, and looking for some costs a quarter of the time
    while (at := int.from_bytes(progress[:4], "little")) < len(jobs):
        progress[:4] = (at + 1).to_bytes(4, "little")
        source, shown = jobs[at]
        signal.alarm(FILE_LIMIT_S)
        try:
            py_compile.compile(
                source,
                dfile=shown,
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP,
            )
        except Exception:
            pass  # templates, Python 2 sources: the import of such a file fails without us, too
        signal.alarm(0)


def start(jobs, progress):
    pid = os.fork()
    if pid == 0:
        try:
            compile_some(jobs, progress)
        finally:
            os._exit(0)
    return pid


def compile_all(jobs):
    """Compile (source, shown path) pairs on all cores."""
    count = min(len(os.sched_getaffinity(0)), len(jobs))
    jobs = sorted(jobs, key=lambda job: os.path.getsize(job[0]), reverse=True)
    running = {}
    for n in range(count):
        share = (jobs[n::count], mmap.mmap(-1, 4))
        running[start(*share)] = share
    restarts = 0
    while running:
        pid, status = os.wait()
        share = running.pop(pid)
        if status != 0 and restarts < RESTARTS_MAX:
            restarts += 1
            running[start(*share)] = share


def link_bytecode(archive, site):
    """Bring new .pyc files of an archive into the environment whose sources are links to it."""
    for folder, _, names in os.walk(archive):
        if os.path.basename(folder) != "__pycache__":
            continue
        target = os.path.join(site, os.path.relpath(folder, archive))
        if not os.path.isdir(os.path.dirname(target)):
            continue
        os.makedirs(target, exist_ok=True)
        for name in names:
            try:
                os.link(os.path.join(folder, name), os.path.join(target, name))
            except FileExistsError:
                pass


def is_installed(archive, site):
    """Every wheel has its NAME.dist-info folder at the top."""
    return any(
        name.endswith(".dist-info") and os.path.isdir(os.path.join(site, name))
        for name in os.listdir(archive)
    )


def new_archives(cache, markers):
    """Archives that no build has compiled yet."""
    archives = os.path.join(cache, "archive-v0")
    names = os.listdir(archives) if os.path.isdir(archives) else []
    return {
        name: os.path.join(archives, name)
        for name in sorted(names)
        if not os.path.exists(os.path.join(markers, name))
        and os.path.isdir(os.path.join(archives, name))
    }


def flush_early():
    """The layer is synced at its end: let the disk begin while we compile. An orphan waits for it."""
    pid = os.fork()
    if pid == 0:
        if os.fork() == 0:
            os.sync()
        os._exit(0)
    os.waitpid(pid, 0)


def main(cache, site):
    markers = os.path.join(cache, "compiled", sys.implementation.cache_tag)
    os.makedirs(markers, exist_ok=True)
    new = new_archives(cache, markers)
    if new:
        flush_early()
    compile_all(
        [
            (os.path.join(archive, path), os.path.join(RUNTIME_SITE, path))
            for archive in new.values()
            for path in sources(archive)
        ]
    )
    for name, archive in new.items():
        if is_installed(archive, site):
            link_bytecode(archive, site)
        with open(os.path.join(markers, name), "w"):
            pass
    # What is no link to an archive: files of .data folders, of editable and local packages.
    compile_all(
        [
            (os.path.join(site, path), os.path.join(RUNTIME_SITE, path))
            for path in sources(site)
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
