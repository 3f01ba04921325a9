"""Runs commands in the guest for the tests on the host: one POST each, JSON in and out."""

import http.server
import json
import subprocess


class Door(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        done = subprocess.run(asked["argv"], input=asked["input"], capture_output=True, text=True,
                              errors="replace")
        body = json.dumps({"status": done.returncode, "out": done.stdout, "err": done.stderr}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("", 9000), Door).serve_forever()
