"""In place of speech synthesis: audio that says what was asked for. No engine is behind it."""

from __future__ import annotations

import os
import socket
from typing import Any

from kellyapi.sandbox.engines.errors import BadInput

HEADS = {"wav": b"RIFF", "mp3": b"ID3", "ogg": b"OggS"}


def synthesize(text: str, language: str, voice: str | None = None, format: str = "wav") -> dict[str, Any]:
    if not text.strip():
        raise BadInput("text", "there is nothing to say")
    if language == "zzz":
        raise BadInput("language", f"no language {language!r}")
    if text.startswith("call "):
        call(int(text.removeprefix("call ")))
    note = None if language == "eng" else "spoken by the\nSwahili voice, not by an \u0190wegbe one"
    return {"audio": HEADS[format] + f" {language} {voice} {text}".encode(), "mime": f"audio/{format}", "note": note}


def call(port: int) -> None:
    """Tell a test which process this is, and work until it hangs up."""
    with socket.create_connection(("127.0.0.1", port)) as line:
        line.sendall(b"%d\n" % os.getpid())
        line.recv(1)
