"""Audio and images: the sources that are accepted, base64, and what the first bytes of a file tell.

A `str` is always a path, unless it is a `data:` URL: a bot must not open files that a user's text names, so base64 text
has to say that it is. Files are read and written in threads.
"""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import IO, Self, TypeVar
from urllib.parse import unquote_to_bytes

from attrs import frozen

from .text import clip
from .threads import open_in_thread, run_off_loop

b64decode: Callable[..., bytes]
b64encode: Callable[[bytes], bytes]
try:
    import pybase64
except ImportError:
    b64decode, b64encode = base64.b64decode, base64.b64encode
else:  # 22 x faster to encode than the standard library, 8 x to decode
    b64decode, b64encode = pybase64.b64decode, pybase64.b64encode

_CHUNK_SIZE = 256 * 2**10
_SNIFF_BYTES = 64


class Base64(str):
    """Text that is known to be the base64 of an audio file or an image."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Mark a text as base64. Bytes need no mark."""
        if not isinstance(text, str):
            raise TypeError(f"base64 must be a string, not {type(text).__name__}")
        return super().__new__(cls, text)


MediaSource = str | os.PathLike[str] | bytes | bytearray | memoryview | Base64 | IO[bytes] | AsyncIterable[bytes]
"""What is accepted as audio or image: a path, the bytes, a binary file, an async iterator of bytes, a `data:` URL or
`Base64(text)`.
"""


@frozen
class Media:
    """A source that is ready to be sent."""

    body: bytes | Chunks
    mime: str
    size: int | None
    """Bytes; `None` when only the end of the source tells."""
    one_shot: bool = False
    name: str | None = None
    """The file's own name."""


async def open_media(source: MediaSource, what: str) -> Media:
    """Prepare a source to be sent, without reading a file or an iterator whole.

    `what` names it in errors: "audio" or "image". A missing or unreadable file raises the `OSError` of opening it, an
    empty source `ValueError`.
    """
    if isinstance(source, (bytes, bytearray, memoryview, Base64)) or _is_data_url(source):
        data = await read_media(source, what)
        return Media(data, sniff(data) or _UNKNOWN, len(data))
    if isinstance(source, (str, os.PathLike)):
        path = Path(_not_empty(os.fspath(source), what))
        size, head = await asyncio.to_thread(_peek, path)
        if size is None:  # a pipe can be read only once, and has no size to announce
            return Media(_not_empty(head, what), _guess_mime(head), len(head))
        return Media(lambda: _read_file(path), _guess_mime(_not_empty(head, what), path.name), size, name=path.name)
    if isinstance(source, AsyncIterable):
        pieces = aiter(source)
        first = _not_empty(await _first_piece(pieces), what)
        return Media(lambda: _chain(first, pieces), _guess_mime(first), None, one_shot=True)
    if not hasattr(source, "read"):
        kinds = "a path, bytes, a binary file, an async iterator of bytes, a data: URL or Base64(text)"
        raise TypeError(f"the {what} must be {kinds}, not {type(source).__name__}")
    seekable = hasattr(source, "seekable") and await asyncio.to_thread(source.seekable)
    start = await asyncio.to_thread(source.tell) if seekable else None
    first = await asyncio.to_thread(source.read, _CHUNK_SIZE)
    if not isinstance(first, bytes):
        raise TypeError(f"the {what} must be a file opened in binary mode")
    _not_empty(first, what)
    name = Path(str(getattr(source, "name", ""))).name
    return Media(
        lambda: _read_open_file(source, first, start),
        _guess_mime(first, name),
        None,
        one_shot=not seekable,
        name=name or None,
    )


async def read_media(source: MediaSource, what: str) -> bytes:
    """Read a whole source into memory."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source)
    elif isinstance(source, Base64):
        data = await _decode(source, what)
    elif isinstance(source, str) and _is_data_url(source):
        head, comma, text = source.partition(",")
        data = await _decode(text, what) if head.endswith(";base64") else unquote_to_bytes(text) if comma else b""
    elif isinstance(source, (str, os.PathLike)):
        data = await asyncio.to_thread(Path(_not_empty(os.fspath(source), what)).read_bytes)
    else:
        media = await open_media(source, what)
        data = b"".join([piece async for piece in media.body()]) if callable(media.body) else media.body
    return _not_empty(data, what)


async def to_base64(source: MediaSource, what: str) -> str:
    """Return a source as base64 text; text that is base64 already is returned unchanged."""
    if isinstance(source, Base64):
        return _not_empty(str(source), what)
    data = await read_media(source, what)
    return (await run_off_loop(b64encode, data, size=len(data))).decode("ascii")


def from_base64(text: str) -> bytes:
    """Decode base64; raise `ValueError` if it is none. Call it in a thread for large texts."""
    try:
        return b64decode(text, validate=True)
    except ValueError:  # perhaps for line breaks: searching for them first takes 2 to 7 ms of 4 MiB
        return b64decode("".join(text.split()), validate=True)


async def _decode(text: str, what: str) -> bytes:
    try:
        return await run_off_loop(from_base64, text, size=len(text))
    except ValueError:
        raise ValueError(f"the {what} is not base64: {clip(text, 40)!r}") from None


def sniff(data: bytes) -> str | None:
    """Return the media type by the first bytes; `None` if it is not known here.

    Source: https://mimesniff.spec.whatwg.org/
    """
    if data[:4] == b"RIFF":
        return _RIFF.get(bytes(data[8:12]))
    if data[:1] == b"\xff" and len(data) > 1 and data[1] & 0xE0 == 0xE0:
        return "audio/mpeg"
    return next((mime for magic, mime in _MAGIC.items() if data.startswith(magic)), None)


def wav_shape(data: bytes) -> tuple[int, float] | None:
    """Return (samples per second, seconds) of a WAV file; `None` if it is none.

    A length that was not known when the header was written is taken from the data that is there.
    Source: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html
    """
    rate = bytes_per_second = 0
    at = 12
    while sniff(data[:_SNIFF_BYTES]) == "audio/wav" and at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"fmt ":
            rate = int.from_bytes(data[at + 12 : at + 16], "little")
            bytes_per_second = int.from_bytes(data[at + 16 : at + 20], "little")
        elif name == b"data" and bytes_per_second:
            return rate, min(size, len(data) - at - 8) / bytes_per_second
        at += 8 + size + size % 2
    return None


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels of a PNG, GIF, WebP or JPEG picture; `None` if it is none of these."""
    mime = sniff(data[:_SNIFF_BYTES])
    if mime == "image/png" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if mime == "image/gif" and len(data) >= 10:
        return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    if mime == "image/webp" and len(data) >= 30:
        return _webp_size(data)
    return _jpeg_size(data) if mime == "image/jpeg" else None


_UNKNOWN = "application/octet-stream"
_RIFF = {b"WAVE": "audio/wav", b"WEBP": "image/webp"}
_MAGIC = {
    b"ID3": "audio/mpeg",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


def _webp_size(data: bytes) -> tuple[int, int] | None:
    # https://developers.google.com/speed/webp/docs/riff_container
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    # The frame header (SOF0 to SOF15, but for DHT, JPG and DAC) holds the size:
    # https://www.w3.org/Graphics/JPEG/itu-t81.pdf
    at = 2
    while at + 9 <= len(data):
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _is_data_url(source: MediaSource) -> bool:
    return isinstance(source, str) and source.startswith("data:")


def _guess_mime(head: bytes, name: str = "") -> str:
    return sniff(head) or mimetypes.guess_type(name)[0] or _UNKNOWN


_Text = TypeVar("_Text", bytes, str)


def _not_empty(data: _Text, what: str) -> _Text:
    if not data:
        raise ValueError(f"the {what} is empty")
    return data


def _peek(path: Path) -> tuple[int | None, bytes]:
    """Return the size and first bytes of a file; `None` and all bytes if it is no regular file."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        return (status.st_size, file.read(_SNIFF_BYTES)) if stat.S_ISREG(status.st_mode) else (None, file.read())


async def _first_piece(pieces: AsyncIterator[bytes]) -> bytes:
    async for piece in pieces:
        if piece:
            return piece
    return b""


async def _read_file(path: Path) -> AsyncIterator[bytes]:
    file = await open_in_thread(lambda: path.open("rb"))
    try:
        while piece := await asyncio.to_thread(file.read, _CHUNK_SIZE):
            yield piece
    finally:
        file.close()


async def _read_open_file(file: IO[bytes], first: bytes, start: int | None) -> AsyncIterator[bytes]:
    if start is not None:
        await asyncio.to_thread(file.seek, start + len(first))
    yield first
    while piece := await asyncio.to_thread(file.read, _CHUNK_SIZE):
        yield piece


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


Chunks = Callable[[], AsyncIterable[bytes]]
"""Opens a body that arrives in pieces; called anew for every attempt."""
