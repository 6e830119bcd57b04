"""Audio, images and files: which sources are accepted, and how they are read.

A `str` is always a path, unless it is a `data:` URL: a bot must not open files that a user's text names, so base64 text
has to say that it is. A URL is never fetched. Files are read in threads.
"""

from __future__ import annotations

import inspect
import io
import mimetypes
import os
import re
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterator
from pathlib import PureWindowsPath
from typing import IO, Any, Protocol, TypeVar, cast

import attrs
from attrs import evolve, frozen

from .base64_text import Base64, b64encode, from_base64, is_data_url, is_media_type, read_data_url
from .media_files import (
    CHUNK_SIZE,
    Pieces,
    as_bytes,
    can_read,
    exactly,
    explain_missing_file,
    file_state,
    find_position,
    look_at_file,
    read_file,
    read_path,
    takes_size,
)
from .media_types import UNKNOWN_TYPE, is_enough_to_sniff, sniff
from .result import Result
from .text import clip
from .threads import call_off_loop, call_patiently, run_off_loop, to_thread


class Readable(Protocol):
    """A binary file, or an upload of a web framework. `read` may be async."""

    def read(self, size: int = ..., /) -> bytes | Awaitable[bytes]: ...


class FileField(Protocol):
    """An upload that holds a binary file, such as `aiohttp.web.FileField`."""

    @property
    def file(self) -> IO[bytes]: ...
    @property
    def filename(self) -> str | None: ...


class PillowImage(Protocol):
    """An image of Pillow."""

    @property
    def mode(self) -> str: ...
    def save(self, fp: IO[bytes], format: str | None = None) -> None: ...


class PixelArray(Protocol):
    """A NumPy array of pixels."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> Any: ...


class SpeechResult(Protocol):
    """A `Speech`."""

    @property
    def audio(self) -> bytes: ...
    @property
    def mime(self) -> str: ...


class ImageResult(Protocol):
    """An `Image`."""

    @property
    def data(self) -> bytes: ...
    @property
    def mime(self) -> str: ...


@frozen
class Media:
    """A source that is ready to be sent."""

    body: bytes | Chunks
    mime: str
    size: int | None
    """Bytes; `None` if it is known only at the end of the source."""
    one_shot: bool = False
    name: str | None = None
    """The file's own name."""

    async def read(self, most: int | None = None) -> bytes:
        """Read the whole source into memory. Of one with more than `most` bytes, a beginning that is too long."""
        if not callable(self.body):
            return self.body
        pieces, size = [], 0
        async for piece in self.body():
            pieces.append(piece)
            size += len(piece)
            if most is not None and size > most:
                break
        return await run_off_loop(b"".join, pieces, size=size)

    async def pieces(self) -> Pieces:
        """Yield the source in pieces of some 100 KiB, from its beginning."""
        if callable(self.body):
            async for piece in self.body():
                yield piece
            return
        for at in range(0, len(self.body), CHUNK_SIZE):
            yield self.body[at : at + CHUNK_SIZE]


MediaSource = (
    str
    | os.PathLike[str]
    | bytes
    | bytearray
    | memoryview
    | Base64
    | IO[bytes]
    | Readable
    | FileField
    | AsyncIterable[bytes]
    | Iterator[bytes]
    | PillowImage
    | PixelArray
    | SpeechResult
    | ImageResult
    | Media
)
"""What is accepted as audio, image or file: a path, bytes, a binary file, an upload of a web framework, an iterator of
bytes, an image of Pillow, an array of NumPy with the pixels of an image, a `Speech`, an `Image` or another result that
is a file, a `data:` URL or `Base64(text)`.
"""

_KINDS = (
    "a path, bytes, a binary file, an iterator of bytes, an upload of a web framework, an image of Pillow or NumPy, "
    "a Speech or Image, a data: URL or Base64(text)"
)


async def open_media(source: MediaSource, what: str) -> Media:
    """Prepare a source to be sent, without reading a file or an iterator whole.

    `what` names it in errors: "audio", "image" or "file". An empty source raises `ValueError`, a wrong one `TypeError`,
    and a file that cannot be read the `OSError` of opening it.
    """
    return await _opener(source, what)(source, what)


async def check_media(source: MediaSource, what: str) -> MediaSource:
    """Check a source that is opened later, and return it, or what was read of a pipe, which can be read only once.

    Files and iterators that are open already are checked later: reading would move them.
    """
    open = _opener(source, what)
    if open in (_open_file, _open_iterator, _open_async_iterator, _open_pillow_image):
        return source
    media = await open(source, what)
    return media if open is _open_path and not callable(media.body) else source


def _opener(source: MediaSource, what: str) -> _Opener:
    for accepts, open in _OPENERS:
        if accepts(source):
            return open
    hint = "; await it first" if inspect.isawaitable(source) else ""
    raise TypeError(f"the {what} must be {_KINDS}, not {type(source).__name__}{hint}")


def is_media(value: object) -> bool:
    """Return whether a value stands for a file, where a plain `str` stands for text."""
    if isinstance(value, str):
        return isinstance(value, Base64)
    return any(accepts(value) for accepts, _ in _OPENERS)


async def open_reusable_media(source: MediaSource, what: str) -> Media:
    """Prepare a source to be sent more than once. If it can be read only once, it is read into memory."""
    media = await open_media(source, what)
    if not media.one_shot:
        return media
    data = await media.read()
    return evolve(media, body=data, size=len(data), one_shot=False)


async def read_media(source: MediaSource, what: str) -> bytes:
    """Read a whole source into memory."""
    return await (await open_media(source, what)).read()


async def to_base64(source: MediaSource, what: str) -> str:
    """Return a source as base64 text; text that is base64 already is returned unchanged."""
    if isinstance(source, Base64):
        return _not_empty(str(source), what)
    data = await read_media(source, what)
    return (await run_off_loop(b64encode, data, size=len(data))).decode("ascii")


# Sources that are in memory


async def _open_bytes(source: bytes | bytearray | memoryview, what: str) -> Media:
    if isinstance(source, bytes):
        return _in_memory(source, what)
    try:
        view = memoryview(source)
    except ValueError:
        raise ValueError(f"the {what} is a memoryview that is released") from None
    return _in_memory(await run_off_loop(_copy, view, size=view.nbytes), what)


def _copy(view: memoryview) -> bytes:
    if not view.c_contiguous or not view.nbytes:
        return bytes(view)
    # In pieces, between which the loop takes its turns: 64 MiB in one step hold it for 100 ms and more.
    flat = view.cast("B")
    return b"".join([bytes(flat[at : at + CHUNK_SIZE]) for at in range(0, len(flat), CHUNK_SIZE)])


async def _open_base64(source: Base64, what: str) -> Media:
    try:
        data = await run_off_loop(from_base64, source, size=len(source))
    except ValueError:
        raise ValueError(f"the {what} is not base64: {clip(source, 40)!r}") from None
    return _in_memory(data, what, source.mime)


async def _open_data_url(source: str, what: str) -> Media:
    try:
        declared, data = await run_off_loop(read_data_url, source, size=len(source))
    except ValueError as error:
        raise ValueError(f"the {what} is {error}: {clip(source, 40)!r}") from None
    return _in_memory(data, what, declared)


async def _open_result(source: Any, what: str) -> Media:
    return _in_memory(_bytes_of_result(source) or b"", what, source.mime)


async def _open_pillow_image(source: Any, what: str) -> Media:
    if 0 in source.size:
        raise ValueError(f"the {what} is empty")
    return _in_memory(await to_thread(_encode_png, source), what, "image/png")


async def _open_array(source: Any, what: str) -> Media:
    right = f"(height, width) or (height, width, 3 or 4) and uint8, not {source.shape} and {source.dtype}"
    if what == "audio":
        raise ValueError("the audio is an array, which does not say its rate: pass the bytes of an audio file")
    if source.dtype != "uint8" or source.ndim not in (2, 3) or source.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(f"the {what} must be an array of the shape {right}")
    if 0 in source.shape:
        raise ValueError(f"the {what} is empty")
    try:
        from PIL import Image
    except ImportError:
        raise ModuleNotFoundError(
            f'the {what} is an array, which needs Pillow: pip install "kellyapi[sandbox]"'
        ) from None
    return await _open_pillow_image(await to_thread(Image.fromarray, source), what)


def _in_memory(data: bytes, what: str, declared: str | None = None, name: str | None = None) -> Media:
    return Media(_not_empty(data, what), declared or _guess_mime(data, what, name), len(data), name=name)


# Files


async def _open_path(source: str | os.PathLike[str], what: str) -> Media:
    if isinstance(source, str) and re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]{1,40}://", source):
        raise TypeError(f"the {what} is a URL, which is not fetched: download it and pass the bytes")
    name = _not_empty(os.fsdecode(source), what)
    try:
        path, state, rest = await to_thread(look_at_file, name)
    except ValueError:
        raise ValueError(f"the {what} is not a path: it has characters that no file name can have") from None
    except OSError as error:
        raise (explain_missing_file(source, error, what) if isinstance(source, str) else error) from None
    if state is None:  # a pipe can be read only once, and has no size to announce
        return _in_memory(await call_patiently(path.read_bytes) if rest is None else rest, what)
    return await _open_pieces(lambda: read_path(path, state, what), what, state.size, name=path.name)


async def _open_file(source: Any, what: str) -> Media:
    """Prepare a binary file, or an upload of a web framework, which may have a type and a name of its own."""
    if isinstance(source, io.TextIOBase):
        raise TypeError(f"the {what} must be a file opened in binary mode")
    inner = getattr(source, "file", None)
    wrapped = can_read(inner) and (hasattr(source, "filename") or not can_read(source))
    file: Any = inner if wrapped else source
    if getattr(file, "closed", False) is True:
        raise ValueError(f"the {what} is a file that is closed")
    if isinstance(file, io.IOBase) and not file.readable():
        raise ValueError(f"the {what} must be a file opened for reading")
    declared = _declared_type(source)
    name = _own_name(source)
    if not takes_size(file.read):  # all or nothing, and the second time perhaps all again
        return _in_memory(as_bytes(await call_off_loop(file.read, may_wait=True), what), what, declared, name)
    start = await find_position(file)
    state = None if start is None else await to_thread(file_state, file)
    size = None if start is None or state is None else state.size - start
    return await _open_pieces(lambda: read_file(file, start, state, what), what, size, start is None, declared, name)


async def _open_async_iterator(source: AsyncIterable[Any], what: str) -> Media:
    async def pieces() -> Pieces:
        async for piece in source:
            yield as_bytes(piece, what)

    return await _open_pieces(pieces, what, one_shot=True)


async def _open_iterator(source: Iterator[Any], what: str) -> Media:
    async def pieces() -> Pieces:
        while (piece := await call_patiently(next, source, None)) is not None:
            yield as_bytes(piece, what)

    return await _open_pieces(pieces, what, one_shot=True)


async def _open_pieces(
    read: Callable[[], Pieces],
    what: str,
    size: int | None = None,
    one_shot: bool = False,
    declared: str | None = None,
    name: str | None = None,
) -> Media:
    """Read the beginning of a source, and prepare it to be sent."""
    pieces = read()
    head = b""
    async for piece in pieces:
        head += piece
        if is_enough_to_sniff(head):
            break
    mime = declared or _guess_mime(_not_empty(head, what), what, name)
    if one_shot:
        return Media(lambda: _chain(head, pieces), mime, None, one_shot=True, name=name)
    await pieces.aclose()
    body = read if size is None else lambda: exactly(size, read(), what)
    return Media(body, mime, size, name=name)


async def _chain(head: bytes, rest: AsyncIterator[bytes]) -> Pieces:
    yield head
    async for piece in rest:
        yield piece


def _declared_type(source: Any) -> str | None:
    """Return the type that an upload was declared with. Frameworks put "application/octet-stream" for none."""
    declared = getattr(source, "content_type", None)
    return declared if isinstance(declared, str) and declared != UNKNOWN_TYPE and is_media_type(declared) else None


def _own_name(source: Any) -> str | None:
    # The name of an upload is that of its form field. The `filename` of a gzip file is deprecated.
    named = "filename" if not isinstance(source, io.IOBase) and hasattr(source, "filename") else "name"
    path = getattr(source, named, None)
    # A browser sends the name, perhaps with slashes of both kinds.
    return (PureWindowsPath(path).name or None) if isinstance(path, (str, os.PathLike)) else None


# Checks


def _guess_mime(head: bytes, what: str, name: str | None = None) -> str:
    mime = sniff(head) or mimetypes.guess_type(name or "")[0] or UNKNOWN_TYPE
    return mime.replace("video/", "audio/") if what == "audio" else mime  # containers hold either


_Text = TypeVar("_Text", bytes, str)


def _not_empty(data: _Text, what: str) -> _Text:
    if not data:
        raise ValueError(f"the {what} is empty")
    return data


def _bytes_of_result(source: Any) -> bytes | None:
    """Return the file that a result is, whatever its field is called; `None` if the result is not a file."""
    if not (isinstance(source, Result) and isinstance(getattr(source, "mime", None), str)):
        return None
    fields = (getattr(source, each.name) for each in attrs.fields(cast(Any, type(source))))
    return next((each for each in fields if isinstance(each, bytes)), None)


def _is_of(module: str, name: str) -> Callable[[Any], bool]:
    """Return whether a value is of a class of another package, of which there are none before it is imported."""

    def accepts(source: Any) -> bool:
        imported = sys.modules.get(module)
        return imported is not None and isinstance(source, getattr(imported, name, ()))

    return accepts


_PNG_MODES = frozenset({"1", "L", "LA", "I;16", "P", "RGB", "RGBA"})
_NEAREST_PNG_MODE = {"I": "I;16", "La": "LA", "PA": "RGBA", "RGBa": "RGBA"}


def _encode_png(picture: Any) -> bytes:
    file = io.BytesIO()
    if picture.mode not in _PNG_MODES:
        picture = picture.convert(_NEAREST_PNG_MODE.get(picture.mode, "RGB"))
    picture.save(file, "PNG")
    return file.getvalue()


async def _open_again(source: Media, what: str) -> Media:
    return source


_Opener = Callable[[Any, str], Awaitable[Media]]

_OPENERS: tuple[tuple[Callable[[Any], bool], _Opener], ...] = (
    (lambda source: isinstance(source, Media), _open_again),
    (lambda source: isinstance(source, (bytes, bytearray, memoryview)), _open_bytes),
    (lambda source: isinstance(source, Base64), _open_base64),
    (lambda source: isinstance(source, str) and is_data_url(source), _open_data_url),
    (lambda source: isinstance(source, (str, os.PathLike)), _open_path),
    (lambda source: _bytes_of_result(source) is not None, _open_result),
    (_is_of("PIL.Image", "Image"), _open_pillow_image),
    (_is_of("numpy", "ndarray"), _open_array),
    (lambda source: can_read(source) or can_read(getattr(source, "file", None)), _open_file),
    (lambda source: isinstance(source, AsyncIterable), _open_async_iterator),
    (lambda source: isinstance(source, Iterator), _open_iterator),
)
"""How each kind of source is opened; the first that accepts it does. A stream of aiohttp is a file and an iterator of
lines: it is read as a file.
"""

Chunks = Callable[[], AsyncIterable[bytes]]
"""Opens a body that arrives in pieces; called again for every attempt."""
