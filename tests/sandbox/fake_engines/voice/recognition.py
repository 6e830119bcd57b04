"""Fake speech recognition: every WAV has the same transcript."""

from __future__ import annotations

from typing import Any

from kellyapi.sandbox.engines.errors import BadInput

TEXT = "a quick fox"
WORDS = [
    {"word": "a", "start": 0.1, "end": 0.2},
    {"word": "quick", "start": 0.2, "end": 0.5},
    {"word": "fox", "start": 1.2, "end": 1.5},
]
SEGMENTS = [{"text": "a quick", "start": 0.1, "end": 0.5}, {"text": "fox", "start": 1.2, "end": 1.5}]


def transcribe(audio: bytes, language: str = "eng") -> dict[str, Any]:
    if language != "eng":
        raise BadInput("language", f"no model for {language!r}")
    if not audio.startswith(b"RIFF"):
        raise BadInput("audio", "not audio")
    return {"text": TEXT, "words": WORDS, "segments": SEGMENTS, "duration": 1.7}
