"""Small apps for tests. They need no more than the standard library, so that they start at once."""

# Answers TEXT to every request, after a line in the log.
PLAIN = '''
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = {text!r}.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        while length:
            length -= len(self.rfile.read(min(length, 1 << 16)))
        self.do_GET()
    def log_message(self, *args):
        pass
print("app says {text}", flush=True)
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''

# Answers every request with VALUE, an expression, as JSON; SETUP runs before the first one.
TELLING = '''
import http.server, json
SETUP
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(VALUE).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", 7860), Handler).serve_forever()
'''

# WebSocket echo, a slow event stream, uploads counted, what the app saw of a request. Starlette and
# uvicorn come with Gradio.
TRAFFIC = '''
import asyncio, hashlib
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse, FileResponse
from starlette.routing import Route, WebSocketRoute

async def echo(socket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text(text)

async def ticks(request):
    async def events():
        for i in range(5):
            yield f"data: {i}\\n\\n"
            await asyncio.sleep(0.3)
    return StreamingResponse(events(), media_type="text/event-stream")

async def upload(request):
    digest, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        digest.update(chunk)
        size += len(chunk)
    return JSONResponse({"size": size, "sha256": digest.hexdigest()})

async def seen(request):
    return JSONResponse({"headers": dict(request.headers), "url": str(request.url)})

async def file(request):
    return FileResponse("/home/user/app/data.bin")

uvicorn.run(Starlette(routes=[
    WebSocketRoute("/echo", echo), Route("/ticks", ticks), Route("/upload", upload, methods=["POST"]),
    Route("/file", file), Route("/{path:path}", seen)]), host="0.0.0.0", port=7860, log_level="warning")
'''


def telling(setup, value):
    return TELLING.replace("SETUP", setup.strip()).replace("VALUE", value)


def plain(text):
    return {"app.py": PLAIN.replace("{text!r}", repr(text)).replace("{text}", text)}
