"""The files that predictions make: their names, and their download, whole or a range of bytes."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

from aiohttp import web

_NAME = re.compile(r"([0-9a-f-]{36})-output(?:-[0-9]+)?\.[a-z0-9]+")


def output_name(id: str, place: int, ending: str) -> str:
    """Return the name of an output file, such as "…-output.png"; `place` counts the outputs of a prediction from 0."""
    return f"{id}-output{f'-{place}' if place else ''}.{ending}"


def read_id(name: str) -> str | None:
    """Return the id of the prediction in the name of an output file, or `None` if the name is not one."""
    match = _NAME.fullmatch(name)
    return match and match[1]


async def serve_file(request: web.Request, path: Path, content_type: str) -> web.Response:
    """Respond with a file, or with the range that the request asks for.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
    """
    data = await asyncio.to_thread(path.read_bytes)
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    requested = read_byte_range(request.headers.get("Range", ""), len(data))
    if requested is None or request.headers.get("If-Range", tag) != tag:
        return web.Response(body=data, content_type=content_type, headers=headers)
    if not requested:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {requested[0]}-{requested[-1]}/{len(data)}"
    part = data[requested.start : requested.stop]
    return web.Response(status=206, body=part, content_type=content_type, headers=headers)


def read_byte_range(header: str, size: int) -> range | None:
    """Read a `Range` header for a file of `size` bytes.

    Returns:
        The range, empty if it lies behind the end of the file; `None` if the header is to be ignored.
    """
    match = re.fullmatch("bytes=([0-9]{0,18})-([0-9]{0,18})", header)
    if match is None:
        return None
    first, last = match.groups()
    if not (first or last) or (first and last and int(last) < int(first)):
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    return range(int(first), min(size, int(last) + 1) if last else size)
