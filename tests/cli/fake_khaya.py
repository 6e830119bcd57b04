"""A server that stands in for Khaya."""

from __future__ import annotations

import contextlib
import io
import json
import wave
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "key-that-must-not-show"


def make_wav(seconds: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(bytes(16000 * seconds))
    return file.getvalue()


WAV = make_wav()
HEARD = {
    "text": "good morning",
    "timings": {"words": [{"word": "good", "start": 0, "end": 0.25}, {"word": "morning", "start": 0.25, "end": 1}]},
}
SEGMENTS = {"text": "good morning", "timings": {"segments": [{"text": "good morning", "start": 0, "end": 1}]}}


class Server(ThreadingHTTPServer):
    """Responds to each path with what a test put there, and records the requests."""

    responses: dict[str, tuple[int, str, bytes]]
    requests: list[tuple[str, bytes]]
    before_response: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, response: object, status: int = 200) -> None:
        if isinstance(response, bytes):
            self.responses[path] = status, "audio/wav", response
        else:
            self.responses[path] = status, "application/json", json.dumps(response).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, body))
        self.server.before_response()
        status, kind, response = self.server.responses[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        with contextlib.suppress(OSError):  # a command that was interrupted reads no response
            self.wfile.write(response)

    def log_message(self, format: str, *args: object) -> None:
        pass
