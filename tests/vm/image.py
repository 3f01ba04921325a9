"""The disk image of the guest: Debian with its own kernel and systemd, and espace installed in it.

The system is made once and kept in build/vm/root until its list of packages changes; what was built
since, and the files beside this one, are put into it anew each time.
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import zipfile

from hub import BASE, BUILD, ESPACED, ROOT, Hub

VM = BUILD / "vm"
SYSTEM = VM / "root"
DISK = VM / "disk.img"
DISK_SIZE = "6G"  # sparse
SUITE = "bookworm"
HERE = pathlib.Path(__file__).parent

PACKAGES = ["systemd-sysv", "dbus", "udev", "procps", "linux-image-cloud-amd64", "initramfs-tools", "zstd"]
# What costs a start under emulation, and tells nothing here.
MASKED = ["apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer",
          "e2scrub_reap.service", "fstrim.timer", "nginx.service", "systemd-timesyncd.service",
          "systemd-networkd-wait-online.service", "getty@tty1.service", "serial-getty@ttyS0.service"]
ENABLED = ["systemd-networkd", "systemd-sysusers", "door", "outside"]


def run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert done.returncode == 0, f"{argv[0]}: {done.stdout[-4000:]}"
    return done.stdout


def libraries():
    """The packages of the shared libraries that the program was linked with."""
    names = re.findall(r"(\S+) => /", run("ldd", ESPACED))
    owners = run("dpkg-query", "--search", *(f"*-linux-gnu/{name}" for name in names))
    return sorted({line.split(":")[0] for line in owners.splitlines()})


def sources():
    """Where apt gets this suite on this machine."""
    files = [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]
    return [file for file in files
            if file.suffix in (".list", ".sources") and file.exists() and SUITE in file.read_text().split()]


def make_system():
    packages = ",".join([*PACKAGES, *run("scripts/build", "--needs").split(), *libraries()])
    wanted = hashlib.sha256("\n".join([packages, *MASKED, *ENABLED]).encode()).hexdigest()
    stamp = VM / "stamp"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(SYSTEM, ignore_errors=True)
    settings = VM / "apt.conf"  # proxies and the like: mmdebstrap does not read them itself
    settings.write_text("\n".join(line for line in run("apt-config", "dump").splitlines()
                                  if line.startswith("Acquire::") and "Changelogs" not in line))
    run("mmdebstrap", "--mode=root", "--variant=minbase", f"--include={packages}", f"--aptopt={settings}",
        "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        SUITE, SYSTEM, *sources())
    run("chroot", SYSTEM, "systemctl", "mask", *MASKED)
    (SYSTEM / "etc/hostname").write_text("guest\n")
    stamp.write_text(wanted)


def make_wheel(folder):
    """What builds install here in Gradio's place: the Space uses the standard library alone."""
    folder.mkdir(parents=True, exist_ok=True)
    info = "gradio-0.1.dist-info"
    files = {"gradio.py": "", f"{info}/METADATA": "Metadata-Version: 2.1\nName: gradio\nVersion: 0.1\n",
             f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / "gradio-0.1-py3-none-any.whl", "w") as wheel:
        for name, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(name, text)


def base_system():
    """The base system of Spaces, which the other tests make too."""
    if not BASE.exists():
        hub = Hub()
        try:
            hub.words("init")
            hub.prepare()
        finally:
            hub.remove()
    return BASE


def furnish():
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", SYSTEM)
    run("cp", "-R", f"{HERE}/files/.", SYSTEM)
    shutil.rmtree(SYSTEM / "opt/base", ignore_errors=True)
    run("cp", "-a", f"{base_system()}/.", SYSTEM / "opt/base")
    make_wheel(SYSTEM / "opt/index/simple/gradio")
    run("chroot", SYSTEM, "systemctl", "enable", *ENABLED)


def make():
    """Make the image; the kernel and its first file system that go with it."""
    VM.mkdir(parents=True, exist_ok=True)
    make_system()
    furnish()
    DISK.unlink(missing_ok=True)
    run("mke2fs", "-q", "-t", "ext4", "-d", SYSTEM, DISK, DISK_SIZE)
    return [next((SYSTEM / "boot").glob(name)) for name in ("vmlinuz-*", "initrd.img-*")]
