"""A virtual machine that boots the image, and the two ways into it: its hub's port and its door."""

import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

import image  # noqa: E402
from hub import fetch, free_port  # noqa: E402

MEMORY = "3G"
CPUS = os.environ.get("ESPACE_VM_CPUS", "2")
KERNEL = "root=/dev/vda rw console=ttyS0 panic=-1 quiet"
CONSOLE = image.VM / "console.log"

# /dev/kvm may be there and boot nothing, so it gets this long; emulation on a busy machine is slow.
ACCELERATORS = {"kvm": (["-accel", "kvm", "-cpu", "host"], 60),
                "emulation": (["-accel", "tcg,thread=multi", "-cpu", "max"], 900)}
POLL_S = 0.5
COMMAND_S = 600


class Failed(Exception):
    """A command in the guest ended with another status than 0."""


class Machine:
    def __init__(self):
        self.kernel, self.initrd = image.make()
        self.hub_port, self.door_port = free_port(), free_port()
        self.monitor = pathlib.Path(tempfile.mkdtemp(prefix="espace-vm-")) / "monitor"
        self.process = None
        self.boot_id = ""

    def start(self):
        for name, (options, limit_s) in ACCELERATORS.items():
            began = time.monotonic()
            self.launch(options)
            if self.wait_boot(limit_s):
                print(f"guest up by {name} after {time.monotonic() - began:.0f} s", flush=True)
                return self
            self.end()
        raise AssertionError(f"the guest does not boot:\n{self.console()}")

    def launch(self, options):
        # the hub's port is the same inside: it is part of the names of Spaces
        forward = ",".join(f"hostfwd=tcp:127.0.0.1:{port}-:{inside}"
                           for port, inside in ((self.hub_port, self.hub_port), (self.door_port, 9000)))
        # restrict: nothing of the guest leaves it but the answers
        self.process = subprocess.Popen(
            ["nice", "-n", "15", "qemu-system-x86_64", *options, "-smp", CPUS, "-m", MEMORY, "-display", "none",
             "-kernel", self.kernel, "-initrd", self.initrd, "-append", KERNEL, "-serial", f"file:{CONSOLE}",
             "-drive", f"file={image.DISK},format=raw,if=virtio,snapshot=on",
             "-nic", f"user,model=virtio-net-pci,restrict=on,{forward}",
             "-qmp", f"unix:{self.monitor},server=on,wait=off"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def wait_boot(self, limit_s):
        """Wait until a system answers that is not the one before. False: it does not."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end and self.process.poll() is None:
            try:
                boot_id = self.read("/proc/sys/kernel/random/boot_id", timeout=10)
            except (OSError, http.client.HTTPException):
                boot_id = self.boot_id
            if boot_id != self.boot_id:
                self.boot_id = boot_id
                return True
            time.sleep(POLL_S)
        return False

    def cut_power(self):
        """What the guest has not written to its disk is gone."""
        self.command("system_reset")
        assert self.wait_boot(ACCELERATORS["emulation"][1]), f"the guest does not come back:\n{self.console()}"

    def command(self, name):
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.monitor))
            with monitor.makefile("rw") as lines:
                lines.readline()  # its greeting
                for word in ("qmp_capabilities", name):
                    print(json.dumps({"execute": word}), file=lines, flush=True)
                    while "return" not in lines.readline():
                        pass  # events

    def end(self):
        if not self.process:
            return
        self.process.kill()
        _, said = self.process.communicate()
        if said.strip():
            print(f"qemu: {said.strip().splitlines()[-1]}")
        self.process = None

    def remove(self):
        self.end()
        self.monitor.unlink(missing_ok=True)
        self.monitor.parent.rmdir()

    def console(self):
        return CONSOLE.read_text(errors="replace")[-4000:]

    def ask(self, *argv, input="", timeout=COMMAND_S):
        body = json.dumps({"argv": argv, "input": input}).encode()
        return fetch(f"http://127.0.0.1:{self.door_port}/", "POST", body, timeout=timeout).json

    def run(self, *argv, **options):
        """Run a command as root; its standard output."""
        done = self.ask(*argv, **options)
        if done["status"]:
            raise Failed(f"{' '.join(argv)}: {done['status']}: {done['err']}{done['out']}")
        return done["out"].strip()

    def journal(self, lines=60):
        """What the service said last, if the guest still tells."""
        try:
            return self.run("journalctl", "--unit=espaced", f"--lines={lines}", "--output=short-monotonic")
        except (OSError, http.client.HTTPException, Failed) as error:
            return repr(error)

    def read(self, path, **options):
        return self.run("cat", path, **options)

    def write(self, path, text):
        self.run("tee", path, input=text)


def main():
    """Boot the guest to look around in it: commands as root, one a line; Ctrl-D ends it."""
    machine = Machine()
    try:
        machine.start()
        print(f"hub: http://localhost:{machine.hub_port} (once it serves); console: {CONSOLE}")
        for line in sys.stdin:
            done = machine.ask("/bin/sh", "-c", line)
            print(done["out"] + done["err"], end="", flush=True)
    finally:
        machine.remove()


if __name__ == "__main__":
    main()
