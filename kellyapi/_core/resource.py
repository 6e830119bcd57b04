"""`Resource`: the base of a provider's resources, with one method for each kind of request.

A resource says what it calls and what the response becomes. How a call is sent is in `connection`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from .._data.arguments import Checked
from .._data.decoding import Into
from .._data.links import encode_url
from .._data.media import Media
from .._data.writables import WritableTarget
from ..errors import TransportError
from .connection import Connection
from .downloads import download_to_file, download_to_writable
from .extra_fields import ExtraFields, add_extra
from .messages import (
    DEFAULT_TIMEOUT,
    TRANSFER_TIMEOUT,
    Call,
    FormField,
    FromResponse,
    Headers,
    OnBytes,
    Response,
    Timeout,
    make_call,
)
from .request_bodies import embed_files, form_fields, media_fields
from .secrets import Key
from .streams import ByteStream, EventStream, StreamRequest, is_event_stream
from .unpicklable import Unpicklable

T = TypeVar("T")
E = TypeVar("E", bound=EventStream[Any])

logging.getLogger("kellyapi").addHandler(logging.NullHandler())  # without a handler Python would print warnings


class Resource(Unpicklable, Checked):
    """Operations of one provider over one connection. Each method here returns the coroutine of the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def _fetch(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        into: Into[T] | FromResponse[T],
        bearer: Key | None = None,
    ) -> Coroutine[Any, Any, T]:
        """GET, which is always free to repeat."""
        call = make_call(method="GET", url=path, query=query or {}, repeatable=True, bearer=bearer)
        return self._connection.call(call, into)

    def _post_json(
        self,
        path: str,
        data: Any,
        *,
        into: Into[T] | FromResponse[T],
        repeatable: bool = False,
        bearer: Key | None = None,
        timeout: Timeout = DEFAULT_TIMEOUT,
        extra: ExtraFields | None = None,
        files: Mapping[str, Media] = {},
    ) -> Coroutine[Any, Any, T]:
        """POST a JSON body. What may be billed is not `repeatable`. `bearer` is sent in place of the provider's key.

        `timeout` holds if the client was given none. `extra` is what the user adds. `files` are sent in place of the
        tokens that stand for them in the JSON.
        """
        call = make_call(method="POST", url=path, json=data, repeatable=repeatable, bearer=bearer, timeout=timeout)
        connection = self._connection
        if extra:
            connection, call = add_extra(connection, call, extra)
        return connection.call(embed_files(call, files) if files else call, into)

    def _post_form(
        self,
        path: str,
        *parts: FormField,
        into: Into[T] | FromResponse[T],
        repeatable: bool = False,
        one_shot: bool = False,
    ) -> Coroutine[Any, Any, T]:
        """POST a multipart form; `one_shot` says that a part can be read only once."""
        call = make_call(method="POST", url=path, repeatable=repeatable, **form_fields(parts, one_shot=one_shot))
        return self._connection.call(call, into)

    def _post_bytes(
        self,
        path: str,
        media: Media,
        query: Mapping[str, str] | None = None,
        *,
        into: Into[T] | FromResponse[T],
        repeatable: bool = False,
        timeout: Timeout | None = None,
    ) -> Coroutine[Any, Any, T]:
        """POST a file as it is, streamed unless it is in memory.

        `timeout` holds if the client was given none; by default it depends on whether the file is streamed.
        """
        fields = media_fields(media) | ({} if timeout is None else {"timeout": timeout})
        call = make_call(method="POST", url=path, query=query or {}, repeatable=repeatable, **fields)
        return self._connection.call(call, into)

    def _delete(self, path: str, *, into: Into[T] | FromResponse[T]) -> Coroutine[Any, Any, T]:
        """DELETE, which is free to repeat."""
        return self._connection.call(make_call(method="DELETE", url=path, repeatable=True), into)

    def _stream(
        self,
        path: str,
        data: Any,
        *,
        accepts: Callable[[Headers], bool] = lambda _: True,
        blank: str | None = None,
        repeatable: bool = False,
    ) -> ByteStream:
        """POST a JSON body and return a stream of the response, if its head is what is expected.

        `blank` says what is wrong with a response without a byte.
        """
        call = make_call(method="POST", url=path, json=data, repeatable=repeatable, timeout=TRANSFER_TIMEOUT)
        return ByteStream(StreamRequest(self._connection, call, accepts, blank))

    def _stream_events(
        self,
        path: str,
        data: Any,
        *,
        into: type[E],
        bearer: Key | None = None,
        extra: ExtraFields | None = None,
        request: Callable[..., StreamRequest] = StreamRequest,
    ) -> E:
        """POST a JSON body and return a stream of the events of the response. The call is billed.

        `request` makes the object that opens the stream.
        """
        call = make_call(
            method="POST",
            url=path,
            json={**data, "stream": True},
            headers={"Accept": "text/event-stream"},
            repeatable=False,
            bearer=bearer,
            timeout=TRANSFER_TIMEOUT,
        )
        connection = self._connection
        if extra:
            connection, call = add_extra(connection, call, extra)
        return into(request(connection, call, is_event_stream))

    async def _save_link(
        self,
        url: str,
        path: str | os.PathLike[str],
        on_progress: OnBytes | None = None,
        *,
        follow_links: bool = True,
    ) -> Path:
        """GET a foreign address without the key, and stream the response to a file, resumably."""
        call = self._link_call(url)
        return await download_to_file(self._connection, call, path, on_progress, follow_links=follow_links)

    async def _write_link(self, url: str, target: WritableTarget, on_progress: OnBytes | None = None) -> int:
        """GET a foreign address without the key, and stream the response to an object of the user."""
        return await download_to_writable(self._connection, self._link_call(url), target, on_progress)

    def _download(self, url: str) -> Coroutine[Any, Any, Response]:
        """GET a foreign address without the key."""
        return self._connection.call(self._link_call(url), FromResponse(lambda response: response))

    def _link_call(self, link: str) -> Call:
        try:
            url = encode_url(link)
        except ValueError as error:  # the link is a server's: users' are checked before
            raise TransportError(str(error), sent=False, provider=self._connection.provider.name) from None
        return make_call(method="GET", url=url, repeatable=True, keyless=True, timeout=TRANSFER_TIMEOUT)


def drop_none(**fields: Any) -> dict[str, Any]:
    """Leave out the optional fields that were not given (`None`)."""
    return {name: value for name, value in fields.items() if value is not None}
