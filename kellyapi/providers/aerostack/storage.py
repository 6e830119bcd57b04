"""Aerostack's storage of files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath
from typing import overload

from attrs import frozen

from ..._core.messages import FormField, FromResponse
from ..._core.resource import Resource, drop_none
from ..._data.decoding import json_name
from ..._data.files import save_stream
from ..._data.media import MediaSource, open_media
from ..._data.text import not_blank
from .pagination import CursorPage, iterate_pages
from .response_types import Success


@frozen
class StoredObject:
    """A file in a list."""

    key: str
    size: int | None = None
    """Bytes."""
    last_modified: str | None = json_name("lastModified", default=None)
    """ISO 8601."""
    content_type: str | None = json_name("contentType", default=None)
    etag: str | None = None


@frozen
class ObjectMetadata:
    """What is known of a file, or that there is none."""

    exists: bool
    size: int | None = None
    """Bytes."""
    content_type: str | None = json_name("contentType", default=None)
    last_modified: str | None = json_name("lastModified", default=None)
    """ISO 8601."""
    etag: str | None = None


@frozen
class _Address:
    url: str


@frozen
class _Exists:
    exists: bool


@frozen
class _Listed:
    objects: tuple[StoredObject, ...]
    truncated: bool = False
    cursor: str | None = None


class Storage(Resource):
    """`aerostack.storage`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/storage_api.py)
    """

    async def upload(
        self, key: str, file: MediaSource, *, content_type: str | None = None, filename: str | None = None
    ) -> str:
        """Store a file and give its URL; one that was there is replaced.

        `file` is a path (streamed, not read whole), bytes, a binary file, an async iterator of bytes, a `data:` URL or
        `Base64(text)`. Type and name are taken from it unless they are given.
        """
        media = await open_media(file, "file")
        kind = content_type or media.mime
        name = filename or media.name or PurePosixPath(_key(key)).name or "file"
        parts = (
            FormField("file", media.body, filename=name, content_type=kind),
            FormField("key", _key(key).encode()),
            FormField("contentType", kind.encode()),
        )
        stored = await self._post_form(
            "/storage/upload", *parts, into=_Address, repeatable=True, one_shot=media.one_shot
        )
        return stored.url

    @overload
    async def download(self, key: str, path: None = None) -> bytes: ...
    @overload
    async def download(self, key: str, path: str | os.PathLike[str]) -> Path: ...
    async def download(self, key: str, path: str | os.PathLike[str] | None = None) -> bytes | Path:
        """Give a file's bytes, or stream them to `path` and give that. A missing key raises `NotFoundError`."""
        data = {"key": _key(key)}
        if path is None:
            return await self._post_json(
                "/storage/get", data, into=FromResponse(lambda answer: answer.body), repeatable=True
            )
        async with self._stream("/storage/get", data, repeatable=True) as pieces:
            return await save_stream(path, pieces)

    async def url(self, key: str) -> str:
        """Give the URL of a file."""
        return (await self._post_json("/storage/getUrl", {"key": _key(key)}, into=_Address, repeatable=True)).url

    async def list(
        self, *, prefix: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> CursorPage[StoredObject]:
        """Give one page of files: up to `limit`, 100 by default and 1,000 at most."""
        data = drop_none(prefix=prefix, limit=limit, cursor=cursor)
        page = await self._post_json("/storage/list", data, into=_Listed, repeatable=True)
        return CursorPage(page.objects, page.cursor if page.truncated else None)

    def iterate(self, *, prefix: str | None = None) -> AsyncIterator[StoredObject]:
        """Give every file whose key starts with a prefix, page after page."""
        return iterate_pages(lambda cursor: self.list(prefix=prefix, limit=1000, cursor=cursor))

    async def delete(self, key: str) -> bool:
        """Delete a file."""
        return (await self._post_json("/storage/delete", {"key": _key(key)}, into=Success, repeatable=True)).success

    async def exists(self, key: str) -> bool:
        """Tell whether there is a file."""
        return (await self._post_json("/storage/exists", {"key": _key(key)}, into=_Exists, repeatable=True)).exists

    async def metadata(self, key: str) -> ObjectMetadata:
        """Give size, type and date of a file."""
        return await self._post_json("/storage/getMetadata", {"key": _key(key)}, into=ObjectMetadata, repeatable=True)

    async def copy(self, source: str, target: str) -> str | None:
        """Copy a file to another key and give the copy's URL, if the platform tells it."""
        data = {"sourceKey": _key(source), "destKey": _key(target)}
        return (await self._post_json("/storage/copy", data, into=_Moved, repeatable=True)).url

    async def move(self, source: str, target: str) -> str | None:
        """Move a file to another key and give its URL, if the platform tells it. The platform does not do it
        atomically.
        """
        data = {"sourceKey": _key(source), "destKey": _key(target)}
        return (await self._post_json("/storage/move", data, into=_Moved)).url


@frozen
class _Moved:
    url: str | None = None


def _key(key: str) -> str:
    return not_blank(key, "key")
