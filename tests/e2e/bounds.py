"""What an app or a build may use up, used up until something says no.

This file is part of the Spaces of test_isolation.py, like probes.py. Each function answers the errno that it met and
how far it came; a process that is ended by the kernel answers by its signal.
"""

import errno
import os
import resource
import signal
import socket

from probes import contained

MIB = 1 << 20
PAIRS = 300
INODES_MOST = 1 << 19

BOUNDS = {}


def bound(function):
    BOUNDS[function.__name__] = function
    return function


def until_refused(step, most):
    """Call it until it fails: errno, and how often it succeeded. A missing bound is no reason to fill the machine."""
    count = 0
    try:
        while count < most:
            step(count)
            count += 1
    except OSError as error:
        return [errno.errorcode[error.errno], count]
    return ["none", count]


def fill_file(folder, targets):
    """MiB that fit into one file."""
    path = os.path.join(folder, "fill")
    block = b"x" * MIB
    with open(path, "wb", buffering=0) as file:
        try:
            return until_refused(lambda count: file.write(block), 2 * targets["disk_mib"])
        finally:
            os.unlink(path)


def fill_inodes(folder):
    path = os.path.join(folder, "many")
    os.mkdir(path)
    try:
        return until_refused(lambda count: os.close(os.open(f"{path}/{count}", os.O_CREAT | os.O_WRONLY, 0o600)),
                             INODES_MOST)
    finally:
        for name in os.listdir(path):
            os.unlink(f"{path}/{name}")
        os.rmdir(path)


@bound
def processes(targets):
    children = []

    def fork(count):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
    try:
        return until_refused(fork, 10 * targets["pids"])
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@bound
def memory(targets):
    held = []
    while len(held) * 16 < 3 * targets["memory_mib"]:
        held.append(bytearray(b"x" * 16 * MIB))
    return "none"


@bound
def memory_of_files(targets):
    """Files in memory count: what fits into /dev/shm is missing elsewhere."""
    path = "/dev/shm/held"
    child = os.fork()
    if child == 0:
        with open(path, "wb") as file:
            for _ in range(200):
                file.write(b"x" * MIB)
        file = bytearray(b"x" * (targets["memory_mib"] - 150) * MIB)
        os._exit(0)
    try:
        _, status = os.waitpid(child, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else "ok"
    finally:
        os.unlink(path)


@bound
def disk(targets):
    return fill_file(targets["disk"], targets)


@bound
def disk_inodes(targets):
    return fill_inodes(targets["disk"])


@bound
def files_in_memory(targets):
    return fill_file("/dev/shm", targets)


@bound
def inodes_in_memory(targets):
    return fill_inodes("/dev/shm")


@bound
def descriptors(targets):
    held = []
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return until_refused(lambda count: held.append(os.open("/dev/null", os.O_RDONLY)), 10 * most)


@bound
def buffers_of_sockets(targets):
    """MiB that wait in connections to ourselves, which nobody reads."""
    server = socket.create_server(("127.0.0.1", 0), backlog=PAIRS)
    held, sent = [], 0
    for _ in range(PAIRS):
        client = socket.create_connection(server.getsockname(), timeout=10)
        held += [client, server.accept()[0]]
        client.setblocking(False)
        try:
            while True:
                sent += client.send(b"x" * MIB)
        except OSError as error:
            assert error.errno in (errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM), error
    return sent // MIB


def run(name, targets):
    return contained(BOUNDS[name], targets)
