"""What no app and no build may do, tried with the real system calls; and what they need.

This file is part of the Spaces of test_isolation.py and needs the standard library alone. Each probe says in a
word what came of it: "ok", the name of an errno, of a signal that ended it, or what it found.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import platform
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"

# Numbers of x86-64 and of aarch64; from 424 on all machines have the same.
NUMBERS = {
    "clone": (56, 220), "ptrace": (101, 117), "syslog": (103, 116), "pivot_root": (155, 41), "chroot": (161, 51),
    "acct": (163, 89), "settimeofday": (164, 170), "mount": (165, 40), "umount2": (166, 39), "swapon": (167, 224),
    "reboot": (169, 142), "sethostname": (170, 161), "init_module": (175, 105), "delete_module": (176, 106),
    "quotactl": (179, 60), "clock_settime": (227, 112), "kexec_load": (246, 104), "add_key": (248, 217),
    "request_key": (249, 218), "keyctl": (250, 219), "unshare": (272, 97), "perf_event_open": (298, 241),
    "fanotify_init": (300, 262), "open_by_handle_at": (304, 265), "setns": (308, 268),
    "process_vm_readv": (310, 270), "kcmp": (312, 272), "finit_module": (313, 273), "bpf": (321, 280),
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432),
    "fspick": (433, 433), "pidfd_open": (434, 434), "clone3": (435, 435), "process_madvise": (440, 440),
    "mount_setattr": (442, 442),
}
NAMESPACES = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000,
              "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
NOWHERE = -100  # AT_FDCWD
CONNECT_S = 5
MIB = 1 << 20

PROBES = {}


def probe(function):
    PROBES[function.__name__] = function
    return function


def answer(result):
    if result >= 0:
        return "ok"
    return errno.errorcode[ctypes.get_errno()]


def call(name, *args):
    """The system call itself; numbers are passed as longs, texts as pointers."""
    words = [ctypes.c_long(arg) if isinstance(arg, int) else arg for arg in args]
    ctypes.set_errno(0)
    return answer(LIBC.syscall(ctypes.c_long(NUMBERS[name][not X86]), *words))


def attempt(function, *args, **named):
    try:
        function(*args, **named)
    except OSError as error:
        return errno.errorcode.get(error.errno, "timeout")
    return "ok"


def all_of(answers):
    """One word where all are the same, else each with its name."""
    words = set(answers.values())
    return words.pop() if len(words) == 1 else answers


# Mounts and namespaces

@probe
def mounts(targets):
    return all_of({
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
        "bind": call("mount", b"/", b"/tmp", None, 4096, None),
        "umount2": call("umount2", b"/proc", 2),
        "pivot_root": call("pivot_root", b"/tmp", b"/tmp"),
        "open_tree": call("open_tree", NOWHERE, b"/", 1),
        "move_mount": call("move_mount", NOWHERE, b"/tmp", NOWHERE, b"/opt", 0),
        "mount_setattr": call("mount_setattr", NOWHERE, b"/", 0, None, 0),
        "fsopen": call("fsopen", b"tmpfs", 0),
        "fsconfig": call("fsconfig", 0, 0, None, None, 0),
        "fsmount": call("fsmount", 0, 0, 0),
        "fspick": call("fspick", NOWHERE, b"/", 0),
    })


@probe
def unsharing(targets):
    return all_of({name: call("unshare", flag) for name, flag in NAMESPACES.items()})


@probe
def cloning(targets):
    flags = {name: flag for name, flag in NAMESPACES.items() if name != "time"}  # has the place of a signal there
    return all_of({name: call("clone", flag | signal.SIGCHLD, 0, 0, 0, 0) for name, flag in flags.items()})


@probe
def cloning_by_a_structure(targets):
    size = 88
    args = ctypes.create_string_buffer(struct.pack("Q", NAMESPACES["user"]), size)
    return call("clone3", args, size)


@probe
def entering_namespaces(targets):
    answers = {}
    for name in ("mnt", "net", "pid_for_children", "user", "uts"):
        fd = os.open(f"/proc/1/ns/{name}", os.O_RDONLY)
        answers[name] = call("setns", fd, 0)
    return all_of(answers)


@probe
def changing_the_root(targets):
    return call("chroot", b"/tmp")


# The kernel

@probe
def keyrings(targets):
    return all_of({"add": call("add_key", b"user", b"x", b"y", 1, -3),
                   "request": call("request_key", b"user", b"x", None, -3),
                   "session": call("keyctl", 1, 0)})


@probe
def io_uring(targets):
    return all_of({"setup": call("io_uring_setup", 8, ctypes.create_string_buffer(120)),
                   "enter": call("io_uring_enter", 0, 0, 0, 0, 0)})


@probe
def bpf(targets):
    return call("bpf", 0, ctypes.create_string_buffer(128), 128)


@probe
def perf(targets):
    return call("perf_event_open", ctypes.create_string_buffer(struct.pack("II", 1, 112), 112), 0, -1, -1, 0)


@probe
def userfaultfd(targets):
    return call("userfaultfd", 1)


@probe
def modules(targets):
    return all_of({"init": call("init_module", b"x", 1, b""), "finit": call("finit_module", 0, b"", 0),
                   "delete": call("delete_module", b"loop", 0)})


@probe
def rule_over_the_machine(targets):
    return all_of({
        "reboot": call("reboot", 0xfee1dead, 672274793, 0, None),
        "kexec": call("kexec_load", 0, 0, None, 0),
        "swap": call("swapon", b"/tmp/x", 0),
        "accounting": call("acct", b"/tmp/x"),
        "quota": call("quotactl", 0x80000100, b"/", 0, None),
        "clock": call("settimeofday", ctypes.create_string_buffer(16), None),
        "clock 2": call("clock_settime", 0, ctypes.create_string_buffer(16)),
        "name": call("sethostname", b"x", 1),
        "fanotify": call("fanotify_init", 0, 0),
        "handles": call("open_by_handle_at", NOWHERE, ctypes.create_string_buffer(16), 0),
    })


@probe
def the_log_of_the_kernel(targets):
    return call("syslog", 3, ctypes.create_string_buffer(4096), 4096)


def foreign_call(code):
    """Run machine code; what comes back in eax is an errno, negative."""
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    result = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return "ok" if result >= 0 else errno.errorcode[-result]


if X86:
    @probe
    def calls_of_32_bits(targets):
        # push rbx; mov eax, 310 (unshare); mov ebx, CLONE_NEWUSER; int 0x80; pop rbx; ret
        return foreign_call(b"\x53\xb8\x36\x01\0\0\xbb\0\0\0\x10\xcd\x80\x5b\xc3")

    @probe
    def calls_of_x32(targets):
        # mov eax, 0x40000000 | 272 (unshare); mov edi, CLONE_NEWUSER; syscall; ret
        return foreign_call(b"\xb8\x10\x01\0\x40\xbf\0\0\0\x10\x0f\x05\xc3")


# Other processes, and rights

@probe
def processes_of_others(targets):
    """By their number on the machine: here that is somebody else, or nobody."""
    pid = targets["pid"]
    vector = ctypes.create_string_buffer(struct.pack("QQ", 4096, 8))
    return all_of({"ptrace": call("ptrace", 16, pid, 0, 0), "kill": attempt(os.kill, pid, 0),
                   "read": call("process_vm_readv", pid, vector, 1, vector, 1, 0),
                   "pidfd": call("pidfd_open", pid, 0)})


@probe
def comparing_processes(targets):
    return all_of({"kcmp": call("kcmp", os.getpid(), os.getppid(), 0, 0, 0),
                   "madvise": call("process_madvise", 0, None, 0, 0, 0)})


@probe
def processes_in_sight(targets):
    """All of them are in our own container, so the init is first, and in our own cgroup, which looks like the root."""
    with open("/proc/1/comm") as file:
        found = [file.read().strip()]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cgroup") as file:
                found += {line.strip().split(":", 2)[2] for line in file} - {"/"}
        except OSError:
            pass  # ended meanwhile
    return found


@probe
def another_user(targets):
    return all_of({"setuid": attempt(os.setuid, 0), "setgid": attempt(os.setgid, 0),
                   "setgroups": attempt(os.setgroups, [0])})


@probe
def set_user_id_programs(targets):
    """mount(8) is root's and set-user-ID: it would find out that it is root."""
    assert os.stat("/usr/bin/mount").st_mode & stat.S_ISUID
    done = subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "none", "/opt"], capture_output=True, text=True)
    return "refused" if done.returncode and "superuser" in done.stderr else done.stderr or "ok"


@probe
def status(targets):
    wanted = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    return [int(lines[name], 16) for name in wanted]


@probe
def priorities(targets):
    return all_of({"nice": attempt(os.setpriority, os.PRIO_PROCESS, 0, -20),
                   "real time": attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1))})


@probe
def oom_score(targets):
    def lower():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")
    return attempt(lower)


@probe
def more_open_files(targets):
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, 1 << 20))
    except ValueError as error:  # what Python makes of EPERM
        return str(error)
    return "ok"


# Files and devices

@probe
def devices(targets):
    names = ("mem", "kmem", "kmsg", "port", "loop-control", "loop0", "fuse", "kvm", "net/tun", "mapper/control",
             "vsock", "vhost-net", "vda", "sda", "nvme0", "input", "dri", "userfaultfd", "uinput", "hpet")
    return all_of({name: attempt(os.open, f"/dev/{name}", os.O_RDONLY) for name in names})


@probe
def making_devices(targets):
    return all_of({name: attempt(os.mknod, f"/tmp/{name}", mode | 0o600, os.makedev(*number))
                   for name, mode, number in [("mem", stat.S_IFCHR, (1, 1)), ("kmsg", stat.S_IFCHR, (1, 11)),
                                              ("loop", stat.S_IFBLK, (7, 0)), ("disk", stat.S_IFBLK, (254, 0))]})


@probe
def the_terminal(targets):
    """Typing into a terminal of ours (TIOCSTI); there is none."""
    def push():
        fcntl.ioctl(os.open("/dev/tty", os.O_RDWR), 0x5412, b"x")
    return attempt(push)


@probe
def secrets_of_the_machine(targets):
    """Files of /proc that show what others do, or keys: empty."""
    found = {}
    for name in ("acpi", "interrupts", "kcore", "key-users", "keys", "kmsg", "scsi", "timer_list", "sched_debug"):
        path = f"/proc/{name}"
        try:
            if os.path.isdir(path):
                found[name] = len(os.listdir(path))
            elif os.path.exists(path):
                with open(path, "rb") as file:
                    found[name] = len(file.read(4096))
        except OSError as error:
            assert error.errno in (errno.EACCES, errno.EPERM), error
    found["firmware"] = len(os.listdir("/sys/firmware"))
    return {name: size for name, size in found.items() if size}


@probe
def knobs_of_the_machine(targets):
    def write(path):
        os.write(os.open(path, os.O_WRONLY), b"0")
    paths = ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches",
             "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/hostname", "/proc/irq/default_smp_affinity",
             "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/class/net/lo/mtu"]
    answers = {path: attempt(write, path) for path in paths if os.path.exists(path)}
    assert len(answers) > 4
    return sorted(set(answers.values()) - {"EACCES", "EROFS", "EPERM"}) and answers


@probe
def the_system(targets):
    """Its files are read-only, or root's; cgroups are not even mounted."""
    def write(path):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    paths = ["/usr/bin/python3", "/usr/bin/x", "/etc/passwd", "/etc/hosts", "/etc/resolv.conf", "/run/espace-init",
             "/opt/x", "/dev/x", "/lib/x", "/sys/x", "/sys/fs/cgroup/x", "/proc/x"]
    answers = {path: attempt(write, path) for path in paths}
    return sorted(set(answers.values()) - {"EACCES", "EROFS", "EPERM", "ENOENT"}) and answers


@probe
def sockets_in_sight(targets):
    """No socket of the hub, of nginx or a container runtime lies anywhere in the file system."""
    found = []
    for folder, folders, names in os.walk("/"):
        if folder == "/":
            folders[:] = [name for name in folders if name not in ("proc", "sys")]
        for name in names:
            path = os.path.join(folder, name)
            try:
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    found.append(path)
            except OSError:
                pass
    with open("/proc/net/unix") as file:
        lines = file.read().splitlines()[1:]
    return found + [line.split()[7] for line in lines if len(line.split()) > 7]


@probe
def open_descriptors(targets):
    """What was left open for us: nothing but pipes, /dev/null and what Python opened itself."""
    found = [os.readlink(f"/proc/1/fd/{name}") for name in os.listdir("/proc/1/fd")]
    return [path for path in found
            if not path.startswith(("pipe:", "/dev/null", "anon_inode:[signalfd]", "anon_inode:[pidfd]"))]


# The network

@probe
def kinds_of_sockets(targets):
    families = {"packet": 17, "vsock": 40, "alg": 38, "key": 15, "xdp": 44, "bluetooth": 31, "tipc": 30, "rds": 21,
                "can": 29, "x25": 9, "kcm": 41, "last": 45}
    return all_of({name: attempt(socket.socket, family, socket.SOCK_RAW) for name, family in families.items()})


@probe
def raw_sockets(targets):
    return all_of({"ipv4": attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                   "ipv6": attempt(socket.socket, socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)})


@probe
def netlink_of_administrators(targets):
    return all_of({str(number): attempt(socket.socket, socket.AF_NETLINK, socket.SOCK_RAW, number)
                   for number in (4, 6, 9, 11, 12, 16, 20)})


@probe
def own_network(targets):
    """Deleting a link (RTM_DELLINK): reading is allowed, changing is not."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.bind((0, 0))
        link.send(struct.pack("IHHII", 32, 17, 5, 1, 0) + struct.pack("BxHiII", 0, 0, 2, 0, 0))
        code, = struct.unpack_from("i", link.recv(4096), 16)
    return errno.errorcode.get(-code, "ok")


def connect(address, port, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECT_S)
        result = attempt(client.connect, (address, port))
    return result


@probe
def neighbours(targets):
    """The other Space, by both of its addresses; the app listens, and visitors reach it."""
    answers = {"ipv4": connect(targets["neighbour"], 7860)}
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as client:
        client.settimeout(CONNECT_S)
        answers["ipv6"] = attempt(client.connect, (targets["neighbour6"], 7860, 0, socket.if_nametoindex("eth0")))
    return sorted(set(answers.values()) - {"EHOSTUNREACH", "ENETUNREACH", "timeout"}) and answers


@probe
def ports_of_the_machine(targets):
    """Listeners of the test on the bridge's gateway and on another address of the machine."""
    return all_of({f"{address}:{port}": connect(address, port) for address, port in targets["listeners"]})


@probe
def loopback_of_the_machine(targets):
    return all_of({str(port): connect("127.0.0.1", port) for port in targets["loopback"]})


@probe
def private_networks(targets):
    return all_of({address: connect(address, 80) for address in
                   ("10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "168.63.129.16")})


@probe
def the_hub(targets):
    """The one door that is open, and names; what nginx keeps for itself is not behind it."""
    import http.client
    answers = []
    for path in ("/api/whoami-v2", "/espace-ask", "/_ask", "/run/api.sock", "/../run/ask.sock", "/_internal"):
        door = http.client.HTTPConnection("hub.espace", targets["port"], timeout=10)
        door.request("GET", path)
        answers.append(door.getresponse().status)
        door.close()
    return answers


def ask_names(gateway, question, kind, number=7):
    """The answer's code, and how many answers there are, of one question to the name server."""
    name = b"".join(bytes([len(label)]) + label.encode() for label in question.split(".")) + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect((gateway, 53))
        client.send(struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + name + struct.pack(">HH", kind, 1))
        _, flags, _, answers, _, _ = struct.unpack_from(">HHHHHH", client.recv(4096))
    return [flags & 15, answers]


@probe
def names(targets):
    gateway = targets["gateway"]
    return {"the hub": ask_names(gateway, "hub.espace", 1), "a Space": ask_names(gateway, "x.hub.espace", 1),
            "nothing else": ask_names(gateway, "hub.espace", 28)[1],
            "no transfer": ask_names(gateway, "hub.espace", 252)[1],
            "no hosts": ask_names(gateway, targets["host"] + ".espace-no-such.invalid", 1)[1]}


@probe
def other_services_of_the_name_server(targets):
    def send(port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(CONNECT_S)
            client.connect((targets["gateway"], port))
            client.send(b"x" * 300)
            client.recv(1)
    return sorted({attempt(send, port) for port in (67, 69, 5353)} - {"EHOSTUNREACH", "timeout"})


# What an app needs, and must go on to work

NEEDED = {}


def needed(function):
    NEEDED[function.__name__] = function
    return function


def square(number):
    return number * number


@needed
def pools(targets):
    """Threads, forked and spawned processes, with queues, locks and shared memory between them."""
    import concurrent.futures
    import multiprocessing
    answers = []
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers.append(list(pool.map(square, range(4))))
    for method in ("fork", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            answers.append(pool.map(square, range(4)))
    return all_of({str(i): "ok" if each == [0, 1, 4, 9] else each for i, each in enumerate(answers)})


@needed
def shared_memory(targets):
    from multiprocessing import Semaphore, Value, shared_memory as module
    block = module.SharedMemory(create=True, size=MIB)
    try:
        with Semaphore(1), Value("i", 7).get_lock():
            block.buf[0] = 1
        again = module.SharedMemory(block.name)
        seen = again.buf[0]
        again.close()
        return "ok" if seen == 1 else "lost"
    finally:
        block.close()
        block.unlink()


@needed
def other_programs(targets):
    import asyncio

    async def run():
        child = await asyncio.create_subprocess_exec("/bin/echo", "x", stdout=subprocess.PIPE)
        return (await child.communicate())[0]
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return "ok" if asyncio.run(run()) == subprocess.check_output(["/bin/echo", "x"]) == b"x\n" else "lost"


@needed
def calls_of_libraries(targets):
    """What event loops, BLAS, databases and debuggers ask of the kernel."""
    child = os.fork()
    if child == 0:
        signal.pause()
    answers = {
        "memfd": attempt(os.memfd_create, "x"), "eventfd": attempt(os.eventfd, 0),
        "pidfd": attempt(os.pidfd_open, os.getpid()), "affinity": attempt(os.sched_getaffinity, 0),
        "lock": attempt(fcntl.flock, os.open("/tmp", os.O_RDONLY), fcntl.LOCK_EX),
        "huge pages": attempt(mmap.mmap(-1, 4 * MIB).madvise, mmap.MADV_HUGEPAGE),
        "copy": attempt(shutil.copyfile, "/bin/true", "/tmp/true"), "priority": attempt(os.nice, 1),
        "own child": call("ptrace", 16, child, 0, 0),
    }
    os.kill(child, signal.SIGKILL)
    return all_of(answers)


@needed
def own_addresses(targets):
    """Names of links, a server of one's own, both families of local sockets."""
    names = [name for _, name in socket.if_nameindex()]
    left, right = socket.socketpair()
    left.send(b"x")
    server = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(server.getsockname()):
        server.accept()[0].close()
    with socket.socket(socket.AF_UNIX) as own:
        own.bind("\0espace-test")
    return "ok" if "eth0" in names and right.recv(1) == b"x" else names


# Running them

def contained(function, targets):
    """In a process of its own, for some of them end it: what it answered, or the signal."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answered = function(targets)
        except BaseException as error:  # told as it is
            answered = f"{type(error).__name__}: {error}"
        os.write(writing, json.dumps(answered).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    _, end = os.waitpid(pid, 0)
    return signal.Signals(os.WTERMSIG(end)).name if os.WIFSIGNALED(end) else json.loads(text)


def run_all(targets):
    return {name: contained(function, targets) for name, function in {**PROBES, **NEEDED}.items()}
