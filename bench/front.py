"""CPU per request and requests per second of our front, of plain nginx with keep-alive and of Caddy.

The three doors stand before the same app (an nginx with files in memory) on loopback; only the ratios
of one run mean something. For the rate they take turns within each round. For CPU two of them work
side by side, so that whatever else the machine does meets both alike; it is the scheduler's time of all
threads of a door. Of each ratio the median over the rounds counts.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from front import Front, NGINX, wait_until  # noqa: E402
from hub import free_port  # noqa: E402

WORKERS = 2
CONNECTIONS = 32
SIZES = {"1k": 1024, "100k": 100 * 1024}
HOST = "me-demo.localhost"
GOAL = "cpu_to_nginx <= 1.05, cpu_to_caddy <= 0.33 (1k)"

NGINX_HEAD = """
daemon off; pid {folder}/pid; error_log {folder}/log warn; worker_processes {workers};
events {{ worker_connections 4096; }}
http {{ access_log off; server_tokens off; sendfile on; keepalive_requests 10000000;
client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
"""

APP = NGINX_HEAD + "open_file_cache max=10; server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"

# What one writes for an app with WebSockets and streams, as many guides have it.
PLAIN = NGINX_HEAD + """
map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
upstream app {{ server 127.0.0.1:{app}; keepalive 256; keepalive_requests 10000000; }}
server {{ listen 127.0.0.1:{port}; server_name *.localhost; location / {{
proxy_pass http://app; proxy_http_version 1.1; proxy_buffering off; proxy_request_buffering off;
proxy_buffer_size 16k; proxy_buffers 8 16k;
proxy_set_header Host $http_host; proxy_set_header Upgrade $http_upgrade;
proxy_set_header Connection $connection_upgrade; proxy_set_header X-Forwarded-For $remote_addr;
proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $http_host; }} }} }}
"""

CADDY = """{{ admin off
auto_https off
}}
http://{host}:{port} {{
bind 127.0.0.1
reverse_proxy 127.0.0.1:{app}
}}
"""


class Door:
    """A process with its children in a session of its own, listening on a port."""

    def __init__(self, name, port, process):
        self.name, self.port, self.process = name, port, process
        try:
            wait_until(self.answers, f"{name} answers")
        except AssertionError:
            self.close()
            raise

    def answers(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/1k",
                                         headers={"Host": f"{HOST}:{self.port}"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return len(answer.read()) == SIZES["1k"]
        except OSError:
            return False

    def pids(self):
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [self.process.pid, *map(int, children.read_text().split())]

    def cpu_s(self):
        """Time on a processor of all threads (the first number of schedstat, nanoseconds)."""
        return sum(int(stat.read_text().split()[0])
                   for pid in self.pids() for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def start_nginx(name, folder, template, **values):
    folder.mkdir()
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(template.format(folder=folder, port=port, workers=WORKERS, **values))
    if template is APP:
        folder.chmod(0o755)
        for path, size in SIZES.items():
            (folder / path).write_bytes(b"x" * size)
    process = subprocess.Popen([NGINX, "-e", "stderr", "-c", conf, "-p", folder], start_new_session=True)
    return Door(name, port, process)


def start_caddy(folder, app):
    folder.mkdir()
    port = free_port()
    conf = folder / "Caddyfile"
    conf.write_text(CADDY.format(host=HOST, port=port, app=app.port))
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "GOMAXPROCS": str(WORKERS)}
    process = subprocess.Popen(["caddy", "run", "--config", conf, "--adapter", "caddyfile"], env=environment,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    return Door("caddy", port, process)


def load(door, path, seconds):
    """Requests per second, CPU microseconds per request."""
    before = door.cpu_s()
    done = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Host: {HOST}:{door.port}",
                           f"http://127.0.0.1:{door.port}/{path}"], check=True, capture_output=True, text=True)
    count = int(re.search(r"(\d+) requests in", done.stdout)[1])
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])
    assert "Non-2xx" not in done.stdout and "Socket errors" not in done.stdout, done.stdout
    return rate, (door.cpu_s() - before) / count * 1e6


def side_by_side(doors, path, seconds):
    """CPU microseconds per request of two doors in the same seconds."""
    with concurrent.futures.ThreadPoolExecutor(len(doors)) as pool:
        return [cost for _, cost in pool.map(lambda door: load(door, path, seconds), doors)]


def measure(doors, path, rounds, seconds):
    rates = {door.name: [] for door in doors}
    costs = {door.name: [] for door in doors}
    ratios = {door.name: [] for door in doors[1:]}
    for number in range(rounds):
        turn = number % len(doors)
        for door in doors[turn:] + doors[:turn]:
            rates[door.name].append(load(door, path, 1)[0])
        for other in doors[1:]:
            ours, theirs = side_by_side([doors[0], other], path, seconds)
            costs["espace"].append(ours)
            costs[other.name].append(theirs)
            ratios[other.name].append(ours / theirs)
    result = {"cpu_us": {name: round(statistics.median(values), 1) for name, values in costs.items()},
              "requests_per_s": {name: round(statistics.median(values)) for name, values in rates.items()}}
    for name, values in ratios.items():
        result[f"cpu_to_{name}"] = round(statistics.median(values), 3)
        result[f"rate_to_{name}"] = round(statistics.median(
            ours / theirs for ours, theirs in zip(rates["espace"], rates[name])), 2)
    return result


def run(folder, rounds, seconds):
    app = start_nginx("app", folder / "app", APP)
    front = Front(WORKERS)
    doors = []
    try:
        front.set("me-demo", "running", app.port)
        doors.append(Door("espace", front.port, front.nginx))
        doors.append(start_nginx("nginx", folder / "plain", PLAIN, app=app.port))
        doors.append(start_caddy(folder / "caddy", app))
        time.sleep(0.5)  # Caddy's start-up work is not its requests' cost
        results = {path: measure(doors, path, rounds, seconds) for path in SIZES}
        results["goal"] = GOAL
        return results
    finally:
        for door in doors[1:] + [app]:
            door.close()
        front.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one line of JSON instead of a table")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=1, help="that two doors work side by side, in each round")
    arguments = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="es-bench-"))
    folder.chmod(0o755)
    try:
        results = run(folder, arguments.rounds, arguments.seconds)
    finally:
        shutil.rmtree(folder)
    if arguments.json:
        print(json.dumps(results))
        return
    for path in SIZES:
        row = results[path]
        for name in ("espace", "nginx", "caddy"):
            print(f"{path:5} {name:7} {row['cpu_us'][name]:7.1f} us CPU a request {row['requests_per_s'][name]:7} a second")
        print(f"{path:5} CPU: {row['cpu_to_nginx']} x nginx, {row['cpu_to_caddy']} x Caddy; "
              f"rate: {row['rate_to_nginx']} x nginx, {row['rate_to_caddy']} x Caddy")
    print("goal:", results["goal"])


main()
