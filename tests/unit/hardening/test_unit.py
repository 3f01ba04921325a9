"""The unit of systemd: accepted by systemd itself, tight, and without what would break espace.

usage: test_unit.py UNIT ESPACED: the unit as it is installed, and a program to stand for the installed one
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# Each of them gives the service a mount namespace of its own: what one keeper mounts would not be
# there for the next, for nginx, which outlives it, and for the words of administration.
MOUNT_NAMESPACE = [
    "PrivateDevices", "PrivateMounts", "PrivateTmp", "PrivateUsers", "ProtectControlGroups", "ProtectHome",
    "ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "ProtectProc", "ProtectSystem",
    "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "RootDirectory", "TemporaryFileSystem", "ExecPaths",
    "NoExecPaths", "BindPaths", "BindReadOnlyPaths", "MountAPIVFS", "DynamicUser", "RootImage", "StateDirectory",
]
# Containers are made of these, or their apps need them.
CONTAINERS = [
    "RestrictNamespaces", "RestrictSUIDSGID", "MemoryDenyWriteExecute", "ProtectHostname", "PrivateNetwork",
    "PrivateIPC", "DevicePolicy", "DeviceAllow", "ProtectClock",
]
NEVER = {"CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_TIME", "CAP_SYS_BOOT", "CAP_SYSLOG", "CAP_NET_RAW",
         "CAP_MAC_ADMIN", "CAP_MAC_OVERRIDE", "CAP_LINUX_IMMUTABLE", "CAP_IPC_LOCK", "CAP_BPF", "CAP_PERFMON"}
# As far as one can come without a mount namespace, and with swap space of ours (sleep.swap): systemd's scale goes from 0,
# safe, to 10.
EXPOSURE_MOST = 7.1


def read_service(text):
    """Option to its values of [Service]."""
    found = {}
    for line in text.split("[Service]")[1].split("[Install]")[0].splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def check_options(service):
    assert service["Type"] == ["notify"]
    assert service["KillMode"] == ["process"], "a restart would end every Space"
    assert service["Delegate"] == ["yes"]
    assert service["OOMPolicy"] == ["continue"], "an app that is out of memory would end the hub"
    assert service["NoNewPrivileges"] == ["yes"]
    assert service["LimitCORE"] == ["0"]
    for name in MOUNT_NAMESPACE + CONTAINERS:
        assert name not in service, f"{name} breaks espace"
    kept = set(" ".join(service["CapabilityBoundingSet"]).split())
    assert kept and not kept & NEVER, kept & NEVER


def check_by_systemd(unit):
    subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit], check=True)
    rated = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit],
                           check=True, capture_output=True, text=True).stdout
    exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", rated)[1])
    print(f"exposure {exposure}")
    assert exposure <= EXPOSURE_MOST, rated


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    check_options(read_service(text))
    with tempfile.TemporaryDirectory() as folder:
        unit = pathlib.Path(folder) / "espaced.service"
        unit.write_text(re.sub(r"^ExecStart=\S+", f"ExecStart={sys.argv[2]}", text, flags=re.MULTILINE))
        check_by_systemd(unit)


main()
