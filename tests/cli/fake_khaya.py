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

    answers: dict[str, tuple[int, str, bytes]]
    asked: list[tuple[str, bytes]]
    before_answer: Callable[[], None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def put(self, path: str, answer: object, status: int = 200) -> None:
        if isinstance(answer, bytes):
            self.answers[path] = status, "audio/wav", answer
        else:
            self.answers[path] = status, "application/json", json.dumps(answer).encode()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, body))
        self.server.before_answer()
        status, kind, answer = self.server.answers[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        with contextlib.suppress(OSError):  # a command that was interrupted reads no response
            self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass
