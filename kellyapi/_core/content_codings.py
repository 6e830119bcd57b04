"""Content codings that aiohttp leaves in a body: `x-gzip`, and lists such as `gzip, identity`.

aiohttp decodes a single coding that is called `gzip`, `deflate`, `br` or `zstd`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from .._data.text import excerpt
from ..errors import TransportError
from .messages import Headers

_BY_AIOHTTP = (["gzip"], ["deflate"], ["br"], ["zstd"])
"""The headers of which it is certain that aiohttp decodes their bodies."""
_ALIASES = {"x-gzip": "gzip", "x-deflate": "deflate"}
_NOT_UNDERSTOOD = frozenset({"br", "zstd", "compress", "x-compress"})
"""Any other name stands for no compression: servers send `utf-8`, `none` or `aws-chunked`."""
_PIECE_SIZE = 256 * 2**10
_MAX_CODINGS = 4
_MAX_MEMBERS = 1000
"""Each takes a copy of what follows it."""


def read_codings(headers: Headers) -> tuple[str, ...]:
    """Return the codings of a body in the order in which they were applied, without `identity`.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.4
    """
    if not headers.get("Content-Encoding"):  # most responses
        return ()
    names = (name.strip().lower() for name in ",".join(_lines(headers)).split(","))
    return tuple(_ALIASES.get(name, name) for name in names if name not in ("", "identity"))


def make_decoder(headers: Headers, *, aiohttp_decodes: bool) -> ContentDecoder | None:
    """Return a decoder for the codings that aiohttp leaves; `None` if it leaves none.

    Args:
        headers: Of the response.
        aiohttp_decodes: Whether aiohttp decodes a coding. Of several headers it reads only one.
    """
    codings = read_codings(headers)
    if codings and (aiohttp_decodes or [line.strip().lower() for line in _lines(headers)] in _BY_AIOHTTP):
        codings = codings[:-1]
    return ContentDecoder(codings) if codings else None


def _lines(headers: Headers) -> list[str]:
    getall = getattr(headers, "getall", None)
    return getall("Content-Encoding") if getall else [headers["Content-Encoding"]]


class ContentDecoder:
    """Decodes one body, in pieces of at most 256 KiB, whatever it grows to."""

    def __init__(self, codings: tuple[str, ...]) -> None:
        self._names = ", ".join(codings)
        self._understood = len(codings) <= _MAX_CODINGS and _NOT_UNDERSTOOD.isdisjoint(codings)
        self._layers = [_Inflater(name) for name in reversed(codings) if name in ("gzip", "deflate")]

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what a piece of the body decodes to."""
        if not self._understood:
            raise TransportError(f"the body has the content coding {excerpt(self._names)!r}, which is not understood")
        pieces: Iterator[bytes] = iter((data,))
        for layer in self._layers:
            pieces = layer.feed_all(pieces)
        return pieces

    def check_end(self) -> None:
        """Raise an error if the body lacks its end."""
        for layer in self._layers:
            layer.check_end()


class _Inflater:
    """Decodes gzip, in one member or several, or deflate, with or without the header of zlib."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._member: zlib._Decompress | None = None
        self._members = 0

    def feed_all(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            yield from self._feed(piece)

    def check_end(self) -> None:
        if self._member is not None:
            raise TransportError(f"the body broke off: the end of its {self._name} is missing")

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._member is None:
                data = data.lstrip(b"\0") if self._members else data  # padding may follow a member
                if not data:
                    return
                self._member = self._open_member(data[0])
            try:
                decoded = self._member.decompress(data, _PIECE_SIZE)
            except zlib.error:
                raise TransportError(f"the body is not {self._name}, which its Content-Encoding names") from None
            if decoded:
                yield decoded
            data = self._member.unconsumed_tail
            if self._member.eof:
                data, self._member = self._member.unused_data, None
            elif len(decoded) < _PIECE_SIZE:
                return

    def _open_member(self, first_byte: int) -> zlib._Decompress:
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise TransportError(f"the body has more than {_MAX_MEMBERS} parts in {self._name}")
        if self._name == "gzip":
            return zlib.decompressobj(wbits=31)
        # The low half of zlib's first byte is 8: https://www.rfc-editor.org/rfc/rfc1950#section-2.2
        return zlib.decompressobj(wbits=15 if first_byte & 0xF == 8 else -15)
