"""A real HTTP server on this machine that answers as an OpenAI-compatible endpoint does, well or badly."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """`answer` makes the text from what was asked; `raw` sends bytes instead, `trickle` a byte now and then."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answer: Callable[[str], str] = lambda line: line
        self.raw: bytes | None = None
        self.status = 200
        self.wait = 0.0
        self.trickle = False
        self.url = ""

    def body(self, asked: dict[str, Any]) -> bytes:
        if self.raw is not None:
            return self.raw
        text = self.answer(asked["messages"][-1]["content"])
        return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@contextmanager
def serving(endpoint: Endpoint) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            endpoint.asked.append(asked)
            endpoint.keys.append(self.headers.get("Authorization"))
            time.sleep(endpoint.wait)
            try:
                self.send_response(endpoint.status if self.path == "/v1/chat/completions" else 404)
                self.end_headers()
                if endpoint.trickle:
                    for _ in range(100):
                        self.wfile.write(b" ")
                        self.wfile.flush()
                        time.sleep(0.05)
                self.wfile.write(endpoint.body(asked))
            except OSError:  # the client went away
                return

        def log_message(self, *_: object) -> None:
            """Not to the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    endpoint.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
