"""A network of its own for a test that needs a machine's routes and firewall: nothing of it touches the real ones."""

import ctypes
import os
import signal
import socket
import subprocess
import traceback

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_NETWORK = 0x20000, 0x40000000
PRIVATE = 1 << 18 | 0x4000  # MS_PRIVATE, MS_REC
BIND = 4096 | 0x4000
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG

# What the outside answers at. The first is the way out, as if it were public (RFC 5737).
GATEWAY, OWN = "198.51.100.1", "198.51.100.2"
PRIVATE_ADDRESS, METADATA = "10.99.0.1", "169.254.169.254"


def check(result, what):
    if result < 0:
        raise OSError(ctypes.get_errno(), what)


def mount(source, target, kind, flags):
    check(LIBC.mount(source and source.encode(), target.encode(), kind and kind.encode(), flags, None),
          f"mount {target}")


def enter():
    """New namespaces for this process: its /sys shows their links, and the machine's cgroups."""
    check(LIBC.unshare(NEW_NETWORK | NEW_MOUNTS), "unshare")
    mount(None, "/", None, PRIVATE)
    groups = os.open("/sys/fs/cgroup", os.O_PATH)
    mount("sysfs", "/sys", "sysfs", 0)
    mount(f"/proc/self/fd/{groups}", "/sys/fs/cgroup", None, BIND)
    os.close(groups)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def serve(server):
    while True:
        client, _ = server.accept()
        client.close()


def outside(ready, go):
    """Another machine, behind the link that it is given."""
    LIBC.prctl(DIE_WITH_PARENT, signal.SIGKILL)
    check(LIBC.unshare(NEW_NETWORK), "unshare")
    os.write(ready, b"x")
    os.read(go, 1)
    commands = "".join(f"address add {address}/{bits} dev out\n" for address, bits in
                       [(GATEWAY, 24), (PRIVATE_ADDRESS, 32), (METADATA, 32)])
    subprocess.run(["ip", "-batch", "-"], input=commands + "link set out up\n", text=True, check=True)
    server = socket.create_server(("0.0.0.0", 80))
    os.write(ready, b"x")
    serve(server)


def start_outside():
    """Start it and make it our way out; its process id."""
    listen, ready = os.pipe()
    go, start = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            outside(ready, go)
        finally:
            os._exit(1)
    os.close(ready)
    assert os.read(listen, 1)
    subprocess.run(["ip", "-batch", "-"], text=True, check=True, input=f"""
        link add up0 type veth peer name out netns {pid}
        address add {OWN}/24 dev up0
        link set up0 up
        route add default via {GATEWAY}
        """)
    os.write(start, b"x")
    assert os.read(listen, 1)
    return pid


def run_apart(function, *args):
    """Call it in a process with a network of its own and an outside; what it raises is raised here."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            enter()
            other = start_outside()
            try:
                function(*args)
                status = 0
            finally:
                os.kill(other, signal.SIGKILL)
        except BaseException:  # told to the parent
            os.write(writing, traceback.format_exc().encode()[-60000:])
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, text
