"""The outputs of the sandbox's predictions as they are fetched: whole, or from where a download broke off."""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

from aiohttp import web


async def serve(request: web.Request, path: Path, kind: str) -> web.Response:
    """Answer with a file, or with the range of it that is asked for.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-range-requests
    """
    data = await asyncio.to_thread(path.read_bytes)
    tag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Accept-Ranges": "bytes"}
    asked = find_range(request.headers.get("Range", ""), len(data))
    if asked is None or request.headers.get("If-Range", tag) != tag:
        return web.Response(body=data, content_type=kind, headers=headers)
    if not asked:
        return web.Response(status=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
    headers["Content-Range"] = f"bytes {asked[0]}-{asked[-1]}/{len(data)}"
    return web.Response(status=206, body=data[asked.start : asked.stop], content_type=kind, headers=headers)


def find_range(text: str, size: int) -> range | None:
    """Read one range of bytes; an empty one lies behind the end, and `None` says that there is none to be heeded."""
    found = re.fullmatch("bytes=([0-9]{0,18})-([0-9]{0,18})", text)
    if found is None or not (found[1] or found[2]) or (found[1] and found[2] and int(found[2]) < int(found[1])):
        return None
    if not found[1]:
        return range(max(0, size - int(found[2])), size)
    return range(int(found[1]), min(size, int(found[2]) + 1) if found[2] else size)
