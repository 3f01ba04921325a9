"""What the sandbox adds to the start of an app: a bare process, our run, and `podman run` where there is podman.

The same Python, packages and files in each. Ours has a user namespace, an overlay on a disk image of its own,
limits, a system call filter, a network of its own and a probe; podman, run by root, has its defaults and the
host's network. Ours is told twice: from a commit's answer to the first answer of the app, which is what a user
waits for; and what the runner says that the container alone took.
"""

import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

import apps
from hub import Hub, free_port

READY_S = 120
RUN_UP = re.compile(r"runner\.start run=(\S+) slot=\d+ took_ms=(\d+)")


class Merged:
    """Base system and environment in one tree, as the container sees them."""

    def __init__(self, data):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="espace-bench-"))
        layers = data / "layers"
        base = (layers / "base").resolve()
        lower = ":".join(map(str, [*layers.glob("env-*"), base]))
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        self.root = self.folder / "root"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir={lower},upperdir={self.folder}/upper,workdir={self.folder}/work", self.root],
                       check=True)

    def remove(self):
        subprocess.run(["umount", self.root], check=True)
        shutil.rmtree(self.folder)


def start(command, port, seconds_until_answer, end=None):
    """Seconds to the first answer. `end`: a command that ends what `command` has started."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return seconds_until_answer(f"http://127.0.0.1:{port}/", READY_S)
    finally:
        if end:
            subprocess.run(end, check=True, stdout=subprocess.DEVNULL)
        else:
            process.kill()
        process.wait()


def variables(port):
    return {"HOME": "/tmp", "PYTHONUNBUFFERED": "1", "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}


def with_port(text, port):
    return text.replace("7860", str(port))


def bare(merged, app, seconds_until_answer):
    port = free_port()
    (merged.root / "bench.py").write_text(with_port(app, port))
    words = [f"{name}={value}" for name, value in variables(port).items()]
    return start(["env", "-i", "PATH=/usr/sbin:/usr/bin:/bin", *words, "chroot", merged.root, "/opt/venv/bin/python",
                  "/bench.py"], port, seconds_until_answer)


def podman(merged, app, seconds_until_answer):
    port = free_port()
    (merged.root / "bench.py").write_text(with_port(app, port))
    words = [word for name, value in variables(port).items() for word in ("-e", f"{name}={value}")]
    limits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]  # its own need more than some roots may
    name = f"espace-bench-{port}"
    return start(["podman", "run", "--rm", "--name", name, "--network", "host", *limits, *words, "--rootfs", merged.root,
                  "/opt/venv/bin/python", "/bench.py"], port, seconds_until_answer,
                 ["podman", "rm", "--force", "--time", "0", name])


def ours(hub, name, files, seconds_until_answer):
    hub.create(name)
    host = hub.host(name)
    hub.commit(name, files)
    seconds = seconds_until_answer(host + "/", READY_S)
    runs = [int(took) for key, took in RUN_UP.findall(hub.log_path.read_text()) if not key.startswith("env-")]
    hub.call("DELETE", "/api/repos/delete", {"name": name, "organization": "me", "type": "space"})
    time.sleep(1)
    return seconds, runs[-1] / 1000


def one_app(hub, merged, name, files, rounds, seconds_until_answer):
    times = {"bare_s": [], "espace_s": [], "container_s": [], "podman_s": []}
    for number in range(rounds):
        changed = {**files, "app.py": f"{files['app.py']}\n# {number}\n"}
        times["bare_s"].append(bare(merged, changed["app.py"], seconds_until_answer))
        seconds, container = ours(hub, f"{name}-{number}", changed, seconds_until_answer)
        times["espace_s"].append(seconds)
        times["container_s"].append(container)
        if shutil.which("podman"):
            times["podman_s"].append(podman(merged, changed["app.py"], seconds_until_answer))
    figures = {label: round(statistics.median(values), 3) for label, values in times.items() if values}
    figures["espace_over_bare_s"] = round(figures["espace_s"] - figures["bare_s"], 3)
    if times["podman_s"]:
        figures["podman_over_bare_s"] = round(figures["podman_s"] - figures["bare_s"], 3)
    return figures


def bench(rounds, gradio_files, seconds_until_answer):
    hub = Hub().init()
    try:
        hub.start()
        hub.create("first")
        hub.commit("first", gradio_files)
        hub.wait_stage("first", "RUNNING", timeout=600)
        merged = Merged(hub.data)
        try:
            return {"http.server": one_app(hub, merged, "plain", apps.plain("plain"), rounds, seconds_until_answer),
                    "gradio": one_app(hub, merged, "gradio", gradio_files, rounds, seconds_until_answer),
                    "rounds": rounds}
        finally:
            merged.remove()
    finally:
        hub.remove()
