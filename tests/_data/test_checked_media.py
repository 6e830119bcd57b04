"""Sources that are checked before they are opened."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as Picture

from kellyapi import Base64, Speech
from kellyapi._data.media import Media, check_media, read_media

SPEECH = Speech(audio=b"RIFF", mime="audio/wav", language="twi", provider="khaya")


async def later() -> AsyncIterator[bytes]:
    yield b"RIFF"


@pytest.mark.parametrize(
    "source",
    [
        b"RIFF",
        bytearray(b"RIFF"),
        Base64("UklGRg=="),
        "data:audio/wav;base64,UklGRg==",
        SPEECH,
        io.BytesIO(b"RIFF"),
        iter([b"RI", b"FF"]),
        later(),
        Picture.new("RGB", (1, 1)),
        Media(b"RIFF", "audio/wav", 4),
    ],
    ids=lambda source: type(source).__name__,
)
async def test_a_good_source_is_returned_as_it_is_and_can_still_be_read(source: Any) -> None:
    assert await check_media(source, "audios[0]") is source
    assert b"RIFF" in await read_media(source, "audio") or isinstance(source, Picture.Image)


async def test_a_file_is_opened_again_when_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    assert await check_media(path, "audios[0]") is path
    path.write_bytes(b"RIFF, and more")
    assert await read_media(path, "audio") == b"RIFF, and more"


async def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(b"RIFF"))
    writer.start()
    checked = await check_media(tmp_path / "pipe", "audios[0]")
    writer.join()
    assert await read_media(checked, "audio") == b"RIFF"


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (b"", r"the audios\[0\] is empty"),
        ("", r"the audios\[0\] is empty"),
        (Base64("?"), r"the audios\[0\] is not base64"),
        ("data:,", r"the audios\[0\] is"),
        (5, r"the audios\[0\] must be a path, bytes"),
        ("no.wav", "No such file"),
        ("https://files.example/a.wav", r"the audios\[0\] is a URL, which is not fetched"),
    ],
)
async def test_a_wrong_source_is_refused_by_its_place(source: Any, problem: str) -> None:
    with pytest.raises((ValueError, TypeError, FileNotFoundError), match=problem):
        await check_media(source, "audios[0]")
