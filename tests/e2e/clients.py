"""Real clients in fresh environments, unchanged, pointed at a hub by HF_ENDPOINT."""

import json
import os
import subprocess
import tempfile

from hub import BUILD

# What a client environment holds; the folder's name is its key.
ENVIRONMENTS = {
    "2.4.0": ["huggingface_hub==2.4.0", "gradio_client==2.7.*", "websockets"],
    "0.20.3": ["huggingface_hub==0.20.3"],
}


def python(version):
    """The interpreter of a client environment, made at the first call."""
    folder = BUILD / f".venv-client-{version}"
    program = folder / "bin" / "python"
    if not (folder / "complete").exists():
        uv = BUILD / "uv"
        subprocess.run([uv, "venv", "-q", "--clear", "--python", "/usr/bin/python3.11", folder], check=True)
        subprocess.run([uv, "pip", "install", "-q", "--python", program, *ENVIRONMENTS[version]], check=True)
        (folder / "complete").touch()
    return program


class Client:
    def __init__(self, version, hub, token=None):
        self.python = python(version)
        self.home = tempfile.TemporaryDirectory(prefix="espace-client-")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": self.home.name,
            "HF_HOME": self.home.name,
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": token or hub.token,
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        }

    def run(self, script, *arguments, timeout=300):
        """Run a script; what it printed as JSON in its last line, or None."""
        done = subprocess.run([self.python, "-c", script, *map(str, arguments)], env=self.environment,
                              capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        lines = done.stdout.strip().splitlines()
        try:
            return json.loads(lines[-1]) if lines else None
        except json.JSONDecodeError:
            return lines[-1]

    def close(self):
        self.home.cleanup()
