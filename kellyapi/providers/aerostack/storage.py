"""`aerostack.storage`: stored files."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import overload

from attrs import frozen

from ..._core.messages import FormField, FromResponse
from ..._core.resource import Resource, drop_none
from ..._data.arguments import Count, FilePath, NotBlank
from ..._data.decoding import Shape, json_name
from ..._data.files import find_destination, save_stream
from ..._data.media import MediaSource, open_media
from ..._data.result import Result
from ..._data.threads import to_thread
from ..._data.writables import Writable, WritableTarget
from .pagination import CursorPage, iterate_pages
from .response_types import SUCCESS


@frozen
class StoredObject(Result):
    """A stored file, in a list of files."""

    key: str
    size: int | None = None
    """The size in bytes."""
    last_modified: str | None = json_name("lastModified", default=None)
    """ISO 8601."""
    content_type: str | None = json_name("contentType", default=None)
    etag: str | None = None


@frozen
class ObjectMetadata(Result):
    """Size, type and date of a stored file, if the file exists."""

    exists: bool
    """Whether there is such a file. The other fields are `None` if not."""
    size: int | None = None
    """The size in bytes."""
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
    """Stored files.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/storage_api.py)
    """

    async def upload(
        self,
        key: NotBlank,
        file: MediaSource,
        *,
        content_type: NotBlank | None = None,
        filename: str | None = None,
    ) -> str:
        """Upload a file, and return its URL. A file with the same key is replaced.

        Args:
            key: The key to store the file under, such as "reports/june.pdf".
            file: A path (streamed, not read into memory), bytes, a binary file, an upload of a web framework, an
                iterator of bytes, a `Speech` or `Image`, a `data:` URL or `Base64(text)`.
            content_type: The MIME type. If you pass none, it is read from the file.
            filename: The file name. If you pass none, it is that of the file, or the last part of the key.

        Example::

            url = await aerostack.storage.upload("greetings/twi.wav", "hello.wav")
        """
        media = await open_media(file, "file")
        kind = content_type or media.mime
        if not (kind.isascii() and kind.isprintable()):
            raise ValueError(f"content_type must be a MIME type such as 'image/png', not {kind!r}")
        name = filename or media.name or PurePosixPath(key).name or "file"
        parts = (
            FormField("file", media.body, filename=name, content_type=kind),
            FormField("key", key.encode()),
            FormField("contentType", kind.encode()),
        )
        return await self._post_form("/storage/upload", *parts, into=_URL, repeatable=True, one_shot=media.one_shot)

    @overload
    async def download(self, key: NotBlank, path: None = None) -> bytes: ...
    @overload
    async def download(self, key: NotBlank, path: FilePath) -> Path: ...
    @overload
    async def download(self, key: NotBlank, path: Writable) -> int: ...
    async def download(self, key: NotBlank, path: FilePath | Writable | None = None) -> bytes | Path | int:
        """Download a file into memory, to a path, or to an object of yours.

        Args:
            key: The key of the file.
            path: Where to save the file. It is streamed, and replaces a file at this path when it is complete. An
                object with `write`, plain or async, such as an open binary file, gets the bytes as they arrive.

        Returns:
            The bytes of the file, the path that it was saved to, or the number of bytes that were written.

        Raises:
            NotFoundError: There is no file with this key.
        """
        data = {"key": key}
        if path is None:
            return await self._post_json(
                "/storage/get", data, into=FromResponse(lambda response: response.body), repeatable=True
            )
        if isinstance(path, (str, os.PathLike)):
            save: Callable[[AsyncIterable[bytes]], Awaitable[Path | int]] = partial(
                save_stream, await to_thread(find_destination, path)
            )
        else:
            save = (await WritableTarget.open(path, "path")).write_all
        async with self._stream("/storage/get", data, repeatable=True) as pieces:
            return await save(pieces)

    async def url(self, key: NotBlank) -> str:
        """Return the URL of a file."""
        return await self._post_json("/storage/getUrl", {"key": key}, into=_URL, repeatable=True)

    async def list(
        self, *, prefix: str | None = None, limit: Count | None = None, cursor: NotBlank | None = None
    ) -> CursorPage[StoredObject]:
        """Return one page of files.

        Args:
            prefix: Return only files whose key starts with it.
            limit: The size of the page: 100 by default, 1,000 at most.
            cursor: The `cursor` of the page before; `None` for the first page.
        """
        data = drop_none(prefix=prefix, limit=limit, cursor=cursor)
        return await self._post_json("/storage/list", data, into=_PAGE, repeatable=True)

    def iterate(self, *, prefix: str | None = None) -> AsyncIterator[StoredObject]:
        """Yield every file whose key starts with a prefix, page by page."""
        return iterate_pages(lambda cursor: self.list(prefix=prefix, limit=1000, cursor=cursor))

    async def delete(self, key: NotBlank) -> bool:
        """Delete a file, and return whether the platform did so."""
        return await self._post_json("/storage/delete", {"key": key}, into=SUCCESS, repeatable=True)

    async def exists(self, key: NotBlank) -> bool:
        """Return whether there is a file with this key."""
        return await self._post_json("/storage/exists", {"key": key}, into=_EXISTS, repeatable=True)

    async def metadata(self, key: NotBlank) -> ObjectMetadata:
        """Return size, type and date of a file."""
        return await self._post_json("/storage/getMetadata", {"key": key}, into=ObjectMetadata, repeatable=True)

    async def copy(self, source: NotBlank, target: NotBlank) -> str | None:
        """Copy a file to another key, and return the URL of the copy if the platform sends it."""
        data = {"sourceKey": source, "destKey": target}
        return await self._post_json("/storage/copy", data, into=_MOVED_URL, repeatable=True)

    async def move(self, source: NotBlank, target: NotBlank) -> str | None:
        """Move a file to another key, and return its new URL if the platform sends it.

        The platform does not do this atomically.
        """
        data = {"sourceKey": source, "destKey": target}
        return await self._post_json("/storage/move", data, into=_MOVED_URL)


@frozen
class _Moved:
    url: str | None = None


_PAGE = Shape(_Listed, lambda page: CursorPage(page.objects, page.cursor if page.truncated else None))
_URL = Shape(_Address, lambda found: found.url)
_EXISTS = Shape(_Exists, lambda found: found.exists)
_MOVED_URL = Shape(_Moved, lambda found: found.url)
