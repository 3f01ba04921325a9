"""JSON calls a second through our nginx, against the same nginx program answering constants.

A constant is a file of the size of our answer, with our answer's headers, sent by sendfile from an open
descriptor: the least that any server can do. A third door tells what passing through nginx costs by
itself: it proxies to the first one as our nginx does to the hub. The doors take turns within each round;
the load generator has a processor of its own where there are several, and all doors share the others.
"""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

from hub import Hub, fetch, free_port

from machine import cpu_s, family, hub_pids, pin, spare_cpus

FILES = 1000
LIST = 100
REPO = "/api/models/me/bench"
CALLS = {
    "whoami": ("GET", "/api/whoami-v2"),
    "info": ("GET", REPO),
    "tree": ("GET", f"{REPO}/tree/main?recursive=true"),
    "resolve_head": ("HEAD", "/me/bench/resolve/main/file-0007.txt"),
    "list": ("GET", f"/api/models?author=me&limit={LIST}"),
}
CLIENTS = (1, 64)

# Not sent by add_header: nginx makes these itself, for both sides.
OWN_HEADERS = {"date", "server", "connection", "content-length", "content-type", "last-modified", "etag",
               "accept-ranges", "transfer-encoding"}

HEAD = """
daemon off; pid {folder}/pid; error_log {folder}/log warn; worker_processes {workers};
events {{ worker_connections 1024; }}
http {{ access_log off; log_not_found off; server_tokens off; sendfile on; keepalive_requests 10000;
large_client_header_buffers 4 16k; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
"""
CONSTANTS = HEAD + """open_file_cache max=100;
server {{ listen 127.0.0.1:{port}; listen unix:{folder}/socket; root {folder}; etag off;
{locations} }} }}
"""
PROXY = HEAD + """upstream constants {{ server unix:{socket}; keepalive 64; keepalive_requests 10000; }}
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://constants; proxy_http_version 1.1;
proxy_set_header Connection ""; proxy_set_header Host $http_host; proxy_buffering off;
proxy_buffer_size 16k; proxy_buffers 8 16k; }} }} }}
"""


class Door:
    def __init__(self, port, pids):
        self.url = f"http://127.0.0.1:{port}"
        self.pids = pids


def start_nginx(folder, template, **values):
    port = free_port()
    conf = folder / "nginx.conf"
    conf.write_text(template.format(folder=folder, port=port, **values))
    process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", conf, "-p", folder],
                               start_new_session=True)
    door = Door(port, lambda: family(process.pid))
    for _ in range(200):
        try:
            fetch(door.url, timeout=5)
            return process, door
        except OSError:
            pass
    process.kill()
    raise AssertionError("nginx does not answer")


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def constant(folder, name, answer):
    """A location that answers what the hub has answered."""
    (folder / name).write_bytes(answer.body if answer.body else b"x" * int(answer.headers["Content-Length"]))
    headers = "".join(f"add_header {key} {quoted(value)};" for key, value in answer.headers.items()
                      if key.lower() not in OWN_HEADERS)
    return f"location = /{name} {{ default_type {quoted(answer.headers['Content-Type'])}; {headers} }}\n"


def generate(command, cpu):
    """Run a load generator on a processor of its own: its output, and its processor time in seconds."""
    process = subprocess.Popen(["taskset", "-c", cpu, *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True)
    text = process.stdout.read()
    _, process.returncode, usage = os.wait4(process.pid, 0)
    assert process.returncode == 0, text
    return text, usage.ru_utime + usage.ru_stime


def run_wrk(url, clients, seconds, token, cpu):
    """Count of requests, requests a second, p99 in milliseconds, processor time of the generator."""
    text, spent = generate(["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "--timeout", "30s",
                            "-H", f"Authorization: Bearer {token}", url], cpu)
    assert "Non-2xx" not in text and "Socket errors" not in text, text
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return (int(re.search(r"(\d+) requests in", text)[1]), float(re.search(r"Requests/sec:\s*([\d.]+)", text)[1]),
            float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], spent)


def run_ab(url, clients, seconds, token, cpu):
    """As run_wrk(), by HEAD, which wrk cannot send."""
    with tempfile.NamedTemporaryFile() as table:
        text, spent = generate(["ab", "-q", "-i", "-k", "-r", f"-c{clients}", f"-t{seconds}", "-n10000000",
                                "-e", table.name, "-H", f"Authorization: Bearer {token}", url], cpu)
        p99 = dict(line.split(",") for line in open(table.name).read().splitlines())["99"]
    assert "Non-2xx" not in text and re.search(r"Failed requests:\s+0\n", text), text
    return (int(re.search(r"Complete requests:\s+(\d+)", text)[1]),
            float(re.search(r"Requests per second:\s+([\d.]+)", text)[1]), float(p99), spent)


def load(door, method, path, clients, seconds, token, cpus):
    pin(door.pids(), cpus[1])
    before = cpu_s(door.pids())
    count, rate, p99_ms, spent = (run_ab if method == "HEAD" else run_wrk)(door.url + path, clients, seconds, token,
                                                                           cpus[0])
    return {"rate": rate, "p99_ms": p99_ms, "cpu_us": (cpu_s(door.pids()) - before) / count * 1e6,
            "generator_us": spent / count * 1e6}


def measure(doors, name, clients, rounds, seconds, token, cpus):
    """Medians of each door, and the median over the rounds of our ratios to the others."""
    method, path = CALLS[name]
    runs = {door: [] for door in doors}
    for number in range(rounds):
        turn = list(doors)[number % len(doors):] + list(doors)[:number % len(doors)]
        for door in turn:
            runs[door].append(load(doors[door], method, path if door == "espace" else f"/{name}", clients, seconds,
                                   token, cpus))
    result = {door: {key: round(statistics.median(run[key] for run in runs[door]), 3) for key in runs[door][0]}
              for door in doors}
    for other in list(doors)[1:]:
        pairs = list(zip(runs["espace"], runs[other]))
        result[f"rate_to_{other}"] = round(statistics.median(a["rate"] / b["rate"] for a, b in pairs), 3)
        result[f"cpu_to_{other}"] = round(statistics.median(a["cpu_us"] / b["cpu_us"] for a, b in pairs), 2)
    return result


def fill(hub):
    for number in range(LIST):
        name = f"model-{number}" if number else "bench"
        answer = hub.call("POST", "/api/repos/create", {"name": name, "type": "model"})
        assert answer.status == 200, answer.body
    hub.commit("bench", {f"file-{i:04}.txt": f"content of {i}\n" for i in range(FILES)}, kind="models")


def bench(rounds, seconds=2, names=None):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="es-bench-"))
    folder.chmod(0o755)
    hub = Hub().init()
    started = []
    try:
        hub.start()
        fill(hub)
        cpus = spare_cpus()
        answers = {name: hub.call(*CALLS[name]) for name in names or CALLS}
        present = [name for name, answer in answers.items() if answer.status == 200]
        (folder / "constants").mkdir()
        (folder / "proxy").mkdir()
        locations = "".join(constant(folder / "constants", name, answers[name]) for name in present)
        workers = len(cpus[1].split(","))
        process, constants = start_nginx(folder / "constants", CONSTANTS, locations=locations, workers=workers)
        started.append(process)
        process, proxy = start_nginx(folder / "proxy", PROXY, socket=folder / "constants" / "socket",
                                     workers=workers)
        started.append(process)
        both = Door(0, lambda: proxy.pids() + constants.pids())
        both.url = proxy.url
        doors = {"espace": Door(hub.port, lambda: hub_pids(hub)), "constants": constants, "proxied": both}
        return {name: {f"{clients}_clients": measure(doors, name, clients, rounds, seconds, hub.token, cpus)
                       for clients in CLIENTS} for name in present} | {"goal": "rate_to_constants >= 0.5"}
    finally:
        for process in started:
            process.terminate()
            process.wait()
        hub.remove()
        shutil.rmtree(folder)
