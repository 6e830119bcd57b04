"""A link, streamed to a file: gone on with where it broke off, checked, and put in its place whole.

How a request is sent belongs to the connection, how a file is written to `saving`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from pathlib import Path

from attrs import evolve, frozen

from .._data.files import PartialFile
from ..errors import DecodingError, KellyAPIError, RequestTimeoutError, StatusError, TransportError
from .connection import Connection, IncomingResponse
from .messages import TRANSFER_TIMEOUT, Headers, Request, media_type
from .retry import retry_delay

OnBytes = Callable[[int, int | None], Awaitable[None] | None]
"""Called with (bytes that are here, bytes of the whole file or `None`); plain or async."""

_UNCOMPRESSED = {"Accept-Encoding": "identity"}
"""A compressed answer could not be gone on with, since its ranges are of what was compressed."""
_BROKEN_OFF = TransportError("the answer broke off")


@frozen
class RemoteFile:
    """What a server says of a file before it sends it."""

    size: int | None = None
    """Bytes; `None` when only the end tells."""
    validator: str | None = None
    """What `If-Range` compares: a strong ETag, else the date of the last change."""
    resumable: bool = False
    """Whether the rest can be asked for in this download."""

    def mark(self, url: str) -> str | None:
        """Give a word for this very content; `None` when there is nothing to tell it from other content."""
        where = re.sub(r"[?#].*", "", url)  # what stands there signs the link, and is another each time
        return f"{where} {self.size} {self.validator}" if self.resumable and self.validator else None


def describe_file(status: int, headers: Headers) -> RemoteFile:
    """Read the head of a 200 or 206.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
    """
    if headers.get("Content-Encoding", "identity") != "identity":
        return RemoteFile()
    size = read_range(headers)[1] if status == 206 else _number(headers.get("Content-Length"))
    tag = headers.get("ETag", "")
    validator = tag if tag.startswith('"') else headers.get("Last-Modified")
    accepts = headers.get("Accept-Ranges", "").strip().lower()
    return RemoteFile(
        size, validator, size is not None and (bool(validator) or accepts == "bytes") and accepts != "none"
    )


def read_range(headers: Headers) -> tuple[int | None, int | None]:
    """Read `Content-Range` as (first byte, bytes of the whole file); `None` for what it does not tell."""
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", headers.get("Content-Range", "").strip())
    return (_number(found[1]), _number(found[2])) if found else (None, None)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


async def download_to_file(
    connection: Connection, request: Request, path: str | os.PathLike[str], on_progress: OnBytes | None = None
) -> Path:
    """Stream the answer to a file and give its path.

    A download that breaks off is gone on with, if the server can, and begun anew if not. It fails when as many attempts
    in a row as calls have brought nothing that can be kept; what can be kept stays for the next download to this path.
    """
    total = (connection.timeout or TRANSFER_TIMEOUT).total
    timer = asyncio.timeout(total)
    try:
        try:
            async with timer:
                return await _download(connection, request, path, on_progress)
        except TimeoutError:
            if not timer.expired():
                raise
            raise RequestTimeoutError(f"the file was not whole after {total:g} s") from None
    except KellyAPIError as error:
        connection.annotate_error(error, request)
        raise


async def _download(
    connection: Connection, request: Request, path: str | os.PathLike[str], on_progress: OnBytes | None
) -> Path:
    part: PartialFile | None = None
    entity, failures = RemoteFile(), 0
    async with AsyncExitStack() as parts:
        while True:
            kept = part.size if part is not None and entity.resumable else 0
            opened = False
            try:
                asked = evolve(request, headers={**_UNCOMPRESSED, **_range_headers(kept, entity)})
                with closing(await connection.open(asked, lambda _: True)) as answer:
                    opened = True
                    _check_head(asked, answer)
                    if part is None or not kept or answer.status != 206:
                        found = describe_file(answer.status, answer.headers)
                        if part is not None and part.size:
                            await part.empty()
                        if part is None or found.mark(request.url) != entity.mark(request.url):
                            part = await parts.enter_async_context(
                                await PartialFile.open(path, found.mark(request.url))
                            )
                        entity = found
                        if part.size and entity.size is not None and part.size < entity.size:
                            continue  # an earlier program left a beginning: only the rest is asked for
                        if part.size != entity.size:
                            await part.empty()
                    elif not _continues(answer.headers, kept, entity):
                        await part.empty()
                        raise TransportError("the server sent another range than it was asked for")
                    await _receive(answer, part, entity, on_progress)
                if entity.size is not None and part.size != entity.size:
                    raise TransportError(f"{part.size} of {entity.size} bytes arrived")
                return await part.finish()
            except (TransportError, StatusError) as error:
                if isinstance(error, StatusError) and error.status == 416 and part is not None and kept:
                    await part.empty()  # the file has become shorter
                elif not opened:
                    raise  # the connection has tried as often as it may
                brought = part is not None and entity.resumable and part.size > kept
                failures = 0 if brought else failures + 1
                delay = retry_delay(
                    connection.retry, max(failures, 1), _BROKEN_OFF, request, dice=random.random(), remaining=None
                )
                if delay is None or not (brought or connection.limits.quota.take(throttled=False)):
                    raise
                size = part.size if part is not None and entity.resumable else 0
                connection.logger.info("a download broke off; from byte %d on again in %.2f s: %s", size, delay, error)
            await asyncio.sleep(delay)


def _range_headers(kept: int, entity: RemoteFile) -> dict[str, str]:
    """Give the headers that ask for what is missing."""
    if not kept:
        return {}
    condition = {} if entity.validator is None else {"If-Range": entity.validator}
    return {"Range": f"bytes={kept}-", **condition}


def _check_head(asked: Request, answer: IncomingResponse) -> None:
    """Refuse what is no file: a part that nobody asked for, an answer without a body, and a page in place of one."""
    if answer.status == 206 and "Range" not in asked.headers:
        raise DecodingError("a part of the file, which nobody asked for")
    if answer.status == 204:
        raise DecodingError("an answer without a file")
    page = media_type(answer.headers) == "text/html"
    if page and not re.search(r"(?i)\.html?$", re.sub(r"[?#].*", "", asked.url)):
        raise DecodingError("a page in HTML in place of the file")


def _continues(headers: Headers, kept: int, entity: RemoteFile) -> bool:
    """Tell whether a 206 is the rest of what is here."""
    start, size = read_range(headers)
    validator = describe_file(206, headers).validator
    return start == kept and size in (None, entity.size) and validator in (None, entity.validator)


async def _receive(
    answer: IncomingResponse, part: PartialFile, entity: RemoteFile, on_progress: OnBytes | None
) -> None:
    async def report() -> None:
        if on_progress is not None:
            waiting = on_progress(part.size, entity.size)
            if inspect.isawaitable(waiting):
                await waiting

    await report()
    if part.size == entity.size:
        return
    async for piece in answer.chunks():
        if await part.write(piece):
            await report()
    await report()
