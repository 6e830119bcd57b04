"""Files inside a JSON value, which are sent as `data:` URLs.

A token stands for each file until the value is sent. So a file on disk is read and encoded piece by piece while it is
sent, and is never in memory as a whole.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping
from types import NoneType
from typing import Any

from attrs import evolve, field, frozen

from .base64_text import b64encode, is_media_type
from .media import Media, MediaSource, is_media, open_media
from .media_types import UNKNOWN_TYPE
from .threads import run_off_loop

MAX_FILE_BYTES = 10 * 2**20
"""Of one file. Skytells states no limit; in base64, such a file has 14 MB."""
MAX_TOTAL_BYTES = 20 * 2**20
"""Of all files of one value."""
_PLAIN = frozenset({str, int, float, bool, NoneType})
_CONTAINERS = (dict, list, tuple)


def has_files(value: Any) -> bool:
    """Return whether a JSON value is a file, or has one in it."""
    if type(value) in _PLAIN:
        return False
    if not isinstance(value, _CONTAINERS):
        return is_media(value)
    values = value.values() if isinstance(value, dict) else value
    if _PLAIN.issuperset(map(type, values)):  # as most are
        return False
    try:
        return any(map(has_files, values))
    except RecursionError:  # it may contain itself: the error is that of writing it as JSON
        return False


@frozen
class EmbeddedFiles:
    """The files of one or more JSON values. One that is passed more than once is opened once."""

    _opened: dict[int, tuple[str, Media, Any]] = field(factory=dict)
    """Token, file and source by the identity of the source, which is kept so that no other gets its identity."""

    async def replace(self, value: Any, name: str) -> tuple[Any, dict[str, Media]]:
        """Return a JSON value with a token in place of each file, and its files by token.

        Args:
            value: The value. It is not changed.
            name: Its name in errors.

        Raises:
            ValueError: A file is empty, closed or too large, or the files are too large together.
            TypeError: A file was opened in text mode.
            OSError: A file cannot be read.
        """
        try:
            found = list(_find_files(value, name))
        except RecursionError:
            raise ValueError(f"{name} is nested too deeply") from None
        files: dict[str, Media] = {}
        total = 0
        for place, source in found:
            if id(source) not in self._opened:
                self._opened[id(source)] = secrets.token_hex(16), await _open(source, place), source
            token, media, _ = self._opened[id(source)]
            files[token] = media
            total += media.size or 0
            if total > MAX_TOTAL_BYTES:
                raise ValueError(_too_large(f"files in {name} have", total, MAX_TOTAL_BYTES))
        return self._without_files(value), files

    def _without_files(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._without_files(each) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._without_files(each) for each in value]
        return self._opened[id(value)][0] if id(value) in self._opened else value


def _find_files(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _CONTAINERS):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            if type(each) not in _PLAIN:
                yield from _find_files(each, f'{place}["{key}"]' if isinstance(key, str) else f"{place}[{key}]")
    elif is_media(value):
        yield place, value


async def _open(source: MediaSource, place: str) -> Media:
    """Open a file so that its size is known, and it can be read again. Only one that has a path stays on disk."""
    try:
        media = await open_media(source, f"file {place}")
        if media.size is None or not isinstance(source, os.PathLike):
            _check_size(media.size or 0, place)  # before it is read
            data = await media.read(MAX_FILE_BYTES)
            media = evolve(media, body=data, size=len(data), one_shot=False)
    except OSError as error:
        if error.errno is None:
            raise
        raise type(error)(error.errno, f"{error.strerror}; it is the file {place}", error.filename) from None
    _check_size(media.size or 0, place)
    return media


def _check_size(size: int, place: str) -> None:
    if size > MAX_FILE_BYTES:
        raise ValueError(_too_large(f"file {place} has", size, MAX_FILE_BYTES))


def _too_large(what: str, size: int, most: int) -> str:
    limit = f"{size:,} bytes or more, and {most // 2**20} MiB are the most that is sent inside a request"
    return f"the {what} {limit}: upload it, and pass the link"


# The bytes that are sent


def split_at_files(text: bytes, files: Mapping[str, Media]) -> list[bytes | Media]:
    """Return the parts of a JSON text in which tokens stand for files."""
    by_token = {token.encode(): media for token, media in files.items()}
    return [by_token.get(part, part) for part in re.split(b"(%s)" % b"|".join(by_token), text)]


def data_url_length(media: Media) -> int:
    """Return the length of a file as a `data:` URL."""
    return len(_head(media)) + -(-(media.size or 0) // 3) * 4


async def data_url_pieces(media: Media) -> AsyncIterator[bytes]:
    """Yield a file as a `data:` URL, which needs no escapes in JSON."""
    yield _head(media)
    rest = b""
    async for piece in media.pieces():
        piece = rest + piece if rest else piece
        whole = len(piece) // 3 * 3
        if whole:
            yield await run_off_loop(b64encode, piece[:whole], size=whole)
        rest = piece[whole:]
    if rest:
        yield b64encode(rest)


def _head(media: Media) -> bytes:
    mime = media.mime.partition(";")[0].strip()
    return f"data:{mime if is_media_type(mime) else UNKNOWN_TYPE};base64,".encode()
