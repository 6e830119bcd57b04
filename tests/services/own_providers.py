"""Providers for the tests of users' own providers."""

from __future__ import annotations

import io
import wave
from typing import Any


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setparams((1, 2, 8000, 0, "NONE", ""))
        audio.writeframes(bytes(16))
    return file.getvalue()


class Mine:
    """A provider that answers everything with plain values."""

    name = "mine"

    def __init__(self, name: str = "mine") -> None:
        self.name = name
        self.got: list[dict[str, Any]] = []

    async def translate(self, text: str, source: str, target: str) -> str:
        self.got.append({"text": text, "source": source, "target": target})
        return text.upper()

    async def transcribe(self, audio: Any, language: str) -> str:
        return f"{audio!r} in {language}"

    async def synthesize(self, text: str, language: str, *, voice: str = "anna") -> bytes:
        self.got.append({"voice": voice})
        return wav()

    async def generate_image(self, prompt: str, width: int = 8) -> bytes:
        self.got.append({"width": width})
        return b"\x89PNG\r\n\x1a\n"

    async def edit_image(self, image: Any, prompt: str) -> bytes:
        return b"\x89PNG\r\n\x1a\n"

    async def describe_image(self, image: Any, prompt: str) -> str:
        return prompt

    async def upscale_image(self, image: Any) -> bytearray:
        return bytearray(b"GIF89a")

    async def remove_background(self, image: Any) -> memoryview:
        return memoryview(b"GIF89a")

    async def chat(self, prompt: str) -> str:
        return f"You said {prompt}"


def answering(method: str, function: Any, name: str = "mine", **attributes: Any) -> Any:
    """Return a provider with one method."""
    return type("Provider", (), {"name": name, method: staticmethod(function), **attributes})()


def raising(error: BaseException, name: str = "mine") -> Any:
    """Return a provider whose chat fails."""

    async def chat(prompt: str) -> str:
        raise error

    return answering("chat", chat, name)
