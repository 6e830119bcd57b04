"""Downloading a link to a file or a writable object: a pure plan for each response, and the loop that carries it out.

A download that breaks off is resumed if the server allows it, and started again if not. How a file is written is in
`_data.files`, how a request is sent in `connection`.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing, contextmanager
from email.utils import parsedate_to_datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from attrs import evolve, frozen

from .._data.files import PartialFile, find_destination
from .._data.threads import to_thread
from .._data.writables import WritableTarget
from ..errors import DecodingError, KellyAPIError, RequestTimeoutError, StatusError, TransportError
from .callbacks import run_callback
from .connection import Connection
from .content_codings import read_codings
from .messages import Call, Headers, OnBytes, RaisedByUser, media_type
from .retry import retry_delay

if TYPE_CHECKING:
    from .transport import IncomingResponse


# The plan


class Step(Enum):
    """What is done with a response."""

    START = "write it from the first byte of the file"
    RESUME = "append it; if it is the whole file, request the rest instead"
    RESTART = "throw away what is here, and request the whole file"
    DONE = "nothing: the whole file is here"


@frozen
class RemoteFile:
    """What a server says about a file before it sends it."""

    size: int | None = None
    """Bytes; `None` if it is known only at the end."""
    validator: str | None = None
    """What identifies this content: a strong ETag, or a date that is as good as one."""
    is_etag: bool = False
    ranges: bool = False
    """Whether the server sends a part of the file."""

    @property
    def resumable(self) -> bool:
        """Whether the rest can be requested: only if it is sure to be of the same content."""
        return self.ranges and self.size is not None and self.validator is not None

    def content_key(self, url: str) -> str | None:
        """Return a text that stands for this content of this link; `None` if it cannot be told from other content."""
        return f"{url.partition('#')[0]} {self.size} {self.validator}" if self.resumable else None


def plan(status: int, headers: Headers, *, requested_from: int, kept: int, file: RemoteFile) -> Step:
    """Decide what is done with a response.

    Args:
        status: Of the response: 200, 206 or another success.
        headers: Of the response.
        requested_from: The first byte that was requested.
        kept: The number of bytes that are here.
        file: What is known about the content of these bytes.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
    """
    if status == 206:
        return Step.RESUME if requested_from and _continues(headers, requested_from, file) else Step.RESTART
    same_content = file.is_etag and headers.get("ETag") == file.validator
    if requested_from and same_content and describe_file(status, headers).size not in (None, file.size):
        return Step.RESTART  # one of the two sizes is wrong: this may be the rest of the file, sent as the whole
    if requested_from or not kept:  # it is the whole file, whether the rest was requested or not
        return Step.START
    if file.size is None or kept > file.size:
        return Step.START
    return Step.DONE if kept == file.size else Step.RESUME


def describe_file(status: int, headers: Headers) -> RemoteFile:
    """Read the head of a 200 or 206."""
    if read_codings(headers):
        return RemoteFile()
    size = read_range(headers)[1] if status == 206 else _number(headers.get("Content-Length"))
    tag = headers.get("ETag", "")
    is_etag = tag.startswith('"')
    validator = tag if is_etag else _strong_date(headers)
    ranges = headers.get("Accept-Ranges", "bytes").strip().lower() != "none"
    return RemoteFile(size, validator, is_etag, ranges)


def read_range(headers: Headers) -> tuple[int | None, int | None]:
    """Read `Content-Range` as (first byte, bytes of the whole file); `None` for what it does not tell."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", headers.get("Content-Range", "").strip())
    return (_number(found[1]), _number(found[2])) if found else (None, None)


def _continues(headers: Headers, kept: int, file: RemoteFile) -> bool:
    """Return whether a 206 is the rest of what is here."""
    start, size = read_range(headers)
    if start != kept or size not in (None, file.size) or read_codings(headers):
        return False
    if file.is_etag:
        return headers.get("ETag") == file.validator
    return headers.get("Last-Modified") in (None, file.validator)  # a 206 need not repeat the date


def _strong_date(headers: Headers) -> str | None:
    """Return `Last-Modified` if it identifies the content: it is at least a second older than the response.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.2.2
    """
    try:
        modified, sent = (parsedate_to_datetime(headers[name]) for name in ("Last-Modified", "Date"))
        return headers["Last-Modified"] if (sent - modified).total_seconds() >= 1 else None
    except (KeyError, ValueError, TypeError, OverflowError):  # absent, unreadable, or one of them without a zone
        return None


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


# The loop


_MAX_REQUESTS = 1000
"""Of one download: a server may send a byte each time."""


def enough_arrived(size: int, file: RemoteFile) -> bool:
    """Return whether an attempt brought enough new bytes to try again: a hundredth of the file, or 16 KiB."""
    return file.size is not None and size >= max(min(file.size // 100, 16 * 2**10), 1)


async def download_to_file(
    connection: Connection,
    call: Call,
    path: str | os.PathLike[str],
    on_progress: OnBytes | None = None,
    *,
    follow_links: bool = True,
) -> Path:
    """Stream a response to a file and return its path.

    It fails when as many attempts in a row as a call has have brought nothing that can be kept. If the content can be
    identified, what has arrived stays in a `.part` file, from which the next download to this path resumes.
    `follow_links` is `False` for a name that comes from a server.
    """
    destination = await to_thread(find_destination, path, follow_links=follow_links)

    def open_part(mark: str | None) -> Awaitable[PartialFile]:
        return PartialFile.open(destination, mark)

    return await _download_in_time(connection, call, open_part, on_progress)


async def download_to_writable(
    connection: Connection, call: Call, target: WritableTarget, on_progress: OnBytes | None = None
) -> int:
    """Stream a response to an object of the user, and return the number of bytes.

    What was written stays there. So a download that breaks off is resumed only if the content can be identified;
    otherwise the error says how many bytes were written.
    """
    try:
        return await _download_in_time(connection, call, target.reopen, on_progress)
    except KellyAPIError as error:
        if target.written:
            error.partial = target.written
            error.message += f"; {target.written} bytes were written"
        raise
    except Exception as error:  # what `write` of the object or `on_progress` raises
        error.add_note(f"{target.written} bytes of the download were written")
        raise


T = TypeVar("T", covariant=True)


class _Part(AbstractAsyncContextManager["_Part[T]"], Protocol[T]):
    """What a download is written to: a part of a file, or an object of the user."""

    size: int

    @property
    def can_be_emptied(self) -> bool: ...
    async def write(self, data: bytes) -> bool: ...
    async def empty(self) -> None: ...
    async def finish(self) -> T: ...


_OpenPart = Callable[[str | None], Awaitable[_Part[T]]]
"""Called with a text that stands for the content, if it can be identified."""


async def _download_in_time(
    connection: Connection, call: Call, open_part: _OpenPart[T], on_progress: OnBytes | None
) -> T:
    total = (connection.timeout or call.timeout).total
    timer = asyncio.timeout(total)
    try:
        try:
            async with timer:
                return await _download(connection, call, open_part, on_progress)
        except TimeoutError:
            if not timer.expired():
                raise
            raise RequestTimeoutError("the file was not whole in time", limit="total") from None
    except RaisedByUser as raised:
        raise raised.error from None
    except KellyAPIError as error:
        connection.annotate_error(error, call)
        raise


async def _download(connection: Connection, call: Call, open_part: _OpenPart[T], on_progress: OnBytes | None) -> T:
    part: _Part[T] | None = None
    file, failures, requests = RemoteFile(), 0, 0
    furthest = 0  # a server may send the same bytes again and again
    async with AsyncExitStack() as open_parts:
        while True:
            kept = part.size if part is not None and file.resumable else 0
            opened = False
            requests += 1
            try:
                ranged = evolve(call, headers={**call.headers, **_range_headers(kept, file)})
                with closing(await connection.open(ranged, lambda _: True)) as response:
                    opened = True
                    _check_is_file(call.url, response)
                    step = plan(response.status, response.headers, requested_from=kept, kept=kept, file=file)
                    if step is Step.RESTART and part is None:
                        raise DecodingError("the server sent a part of the file, which was not requested")
                    if step is Step.RESTART:
                        await part.empty()  # type: ignore[union-attr]  # mypy does not join the two conditions
                        raise TransportError("the server sent another range than the one that was requested")
                    if step is Step.START:
                        found = describe_file(response.status, response.headers)
                        key = found.content_key(call.url)
                        if part is not None and part.size:
                            await part.empty()
                        if part is None or key != file.content_key(call.url):
                            part = await open_part(key)
                            await open_parts.enter_async_context(part)
                        file = found
                        # An earlier program may have left a beginning.
                        step = plan(response.status, response.headers, requested_from=0, kept=part.size, file=file)
                        if step is Step.RESUME:
                            continue
                        if step is Step.START:
                            await part.empty()
                    assert part is not None  # it was opened by the first response
                    if step is not Step.DONE:
                        await _receive(response, part, file, on_progress)
                    else:
                        await _report(on_progress, part, file)
                if file.size is not None and part.size != file.size:
                    raise TransportError(f"{part.size} of {file.size} bytes arrived")
                with _raised_by_user():
                    return await part.finish()
            except KellyAPIError as error:
                if opened:
                    connection.annotate_error(error, call)
                    await connection.report_broken_off(response, error)
                if not isinstance(error, (TransportError, StatusError)):
                    raise
                if isinstance(error, StatusError) and error.status == 416 and part is not None and kept:
                    await part.empty()  # the file has become shorter
                elif not opened or getattr(error, "final", False):
                    raise  # the connection has made all its attempts, or another would fail in the same way
                if part is not None and not (part.can_be_emptied or file.resumable):
                    raise  # what was written cannot be taken back
                arrived = part.size if part is not None and file.resumable else 0
                has_more = enough_arrived(arrived - max(furthest, kept), file)
                furthest = max(furthest, arrived)
                failures = 0 if has_more else failures + 1
                broken_off = TransportError(str(error))  # a 416 counts as one: the file has changed
                delay = retry_delay(
                    connection.retry, max(failures, 1), broken_off, call, dice=random.random(), remaining=None
                )
                if requests >= _MAX_REQUESTS or delay is None:
                    raise
                if not (has_more or connection.limits.quota.take(throttled=False)):
                    raise
                connection.logger.info(
                    "a download broke off; it resumes at byte %d in %.2f s: %s", arrived, delay, error
                )
            await asyncio.sleep(delay)


def _range_headers(kept: int, file: RemoteFile) -> dict[str, str]:
    """Make the headers that request the rest of a file."""
    return {"Range": f"bytes={kept}-", "If-Range": file.validator} if kept and file.validator else {}


def _check_is_file(url: str, response: IncomingResponse) -> None:
    """Refuse a response without a body, and a page in place of a file."""
    if response.status == 204:
        raise DecodingError("the response has no file")
    page = media_type(response.headers) == "text/html"
    if page and not re.search(r"(?i)\.html?$", re.sub(r"[?#].*", "", url)):
        raise DecodingError("the server sent an HTML page in place of the file")


async def _receive(
    response: IncomingResponse, part: _Part[object], file: RemoteFile, on_progress: OnBytes | None
) -> None:
    await _report(on_progress, part, file)
    async for piece in response.chunks():
        if file.size is not None and part.size + len(piece) > file.size:
            await part.empty()
            raise TransportError(f"more than the {file.size} bytes of the file arrived")
        with _raised_by_user():
            written = await part.write(piece)
        if written:
            await _report(on_progress, part, file)
    await _report(on_progress, part, file)


async def _report(on_progress: OnBytes | None, part: _Part[object], file: RemoteFile) -> None:
    if on_progress is not None:
        with _raised_by_user():
            await run_callback(on_progress, part.size, file.size)


@contextmanager
def _raised_by_user() -> Iterator[None]:
    """Keep an error of ours that code of the user raises apart from those of the download, which is resumed."""
    try:
        yield
    except KellyAPIError as error:
        raise RaisedByUser(error) from None
