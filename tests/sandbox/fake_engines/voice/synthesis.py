"""Fake speech synthesis: the audio contains the arguments. A text "call PORT" makes it wait for a test."""

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
        wait_for_test(int(text.removeprefix("call ")))
    note = None if language == "eng" else "spoken by the\nSwahili voice, not by an \u0190wegbe one"
    return {"audio": HEADS[format] + f" {language} {voice} {text}".encode(), "mime": f"audio/{format}", "note": note}


def wait_for_test(port: int) -> None:
    """Send the id of this process to a test, and wait until the test closes the connection."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"%d\n" % os.getpid())
        connection.recv(1)
