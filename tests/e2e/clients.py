"""Real clients in fresh environments, unchanged, pointed at a hub by HF_ENDPOINT."""

import json
import os
import subprocess
import tempfile

from hub import BUILD, turn

# What a client environment holds; the folder's name is its key.
COMMON = ["Jinja2"]  # with which a client fills in a card
ENVIRONMENTS = {
    version: [f"huggingface_hub=={version}", *COMMON]
    for version in ("0.20.3", "0.23.5", "0.30.2", "0.36.2", "1.0.1", "1.9.2", "1.20.1", "1.33.0", "2.4.0")
}
ENVIRONMENTS["0.30.2"] += ["hf_xet"]  # later ones bring it
ENVIRONMENTS["2.4.0"] += ["gradio_client==2.7.*", "websockets"]
JAVASCRIPT = "2.17.5"


def python(version):
    """The interpreter of a client environment, made at the first call."""
    folder = BUILD / f".venv-client-{version}"
    program = folder / "bin" / "python"
    stamp = folder / "complete"
    wanted = " ".join(ENVIRONMENTS[version])
    with turn(folder.name):
        if not stamp.exists() or stamp.read_text() != wanted:
            uv = BUILD / "uv"
            subprocess.run([uv, "venv", "-q", "--clear", "--python", "/usr/bin/python3.11", folder], check=True)
            subprocess.run([uv, "pip", "install", "-q", "--python", program, *ENVIRONMENTS[version]], check=True)
            stamp.write_text(wanted)
    return program


def javascript():
    """The folder from which a script finds @huggingface/hub."""
    folder = BUILD / f".node-client-{JAVASCRIPT}"
    with turn(folder.name):
        if not (folder / "complete").exists():
            subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder,
                            f"@huggingface/hub@{JAVASCRIPT}"], check=True)
            (folder / "complete").touch()
    return folder


class Client:
    def __init__(self, version, hub, token=None, url=None):
        self.python = python(version)
        self.version = version
        self.home = tempfile.TemporaryDirectory(prefix="espace-client-")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.home.name,
            "HF_HOME": self.home.name,
            "HF_ENDPOINT": url or hub.url,
            "HF_TOKEN": token or hub.token,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

    def run(self, script, *arguments, timeout=300):
        """Run a script; what it printed as JSON in its last line, or None."""
        return self.last_line(self.python, "-c", script, *arguments, timeout=timeout)

    def last_line(self, *command, timeout=300, **environment):
        """Run a command; its last line, read as JSON where it is some."""
        done = subprocess.run(list(map(str, command)), env={**self.environment, **environment},
                              capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        lines = done.stdout.strip().splitlines()
        try:
            return json.loads(lines[-1]) if lines else None
        except json.JSONDecodeError:
            return lines[-1]

    def close(self):
        self.home.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
