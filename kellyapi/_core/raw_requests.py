"""Requests to paths that have no operation: `client.request` and `client.stream`."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, TypeVar, Unpack, overload

from attrs import evolve, frozen

from .._data.decoding import Into, can_decode
from .._data.media import MediaSource, open_media
from .connection import Connection
from .extra_fields import QueryValue, as_text, query_pairs, replace_headers
from .messages import TRANSFER_TIMEOUT, Call, FormField, FromResponse, Response
from .request_bodies import form_fields, media_fields
from .resource import Resource
from .secrets import hide_headers
from .streams import ByteStream, JSONEventStream, StreamRequest, is_event_stream
from .urls import RelativePath, split_path

if TYPE_CHECKING:
    from .transport import IncomingResponse

T = TypeVar("T")
FormValue = str | float | bool | MediaSource | None
"""A value of a form: a text, a number, or a file. A `str` is a text here, and `None` is left out."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def _check_method(method: str, name: str) -> None:
    if method.upper() not in METHODS:
        raise ValueError(f"{name} must be one of {', '.join(METHODS)}, not {method!r}")


Method = Annotated[str, _check_method]


class RequestParts(TypedDict, total=False):
    """The optional arguments of `request` and `stream`, except `into`."""

    json: Any
    form: Mapping[str, FormValue] | None
    data: MediaSource | None
    query: Mapping[str, QueryValue] | None
    headers: Mapping[str, str] | None
    repeatable: bool | None


class RawRequests(Resource):
    """Requests to any path of a provider."""

    @overload
    async def request(self, method: Method, path: RelativePath, **parts: Unpack[RequestParts]) -> Any: ...
    @overload
    async def request(
        self, method: Method, path: RelativePath, *, into: None, **parts: Unpack[RequestParts]
    ) -> None: ...
    @overload
    async def request(
        self, method: Method, path: RelativePath, *, into: type[T], **parts: Unpack[RequestParts]
    ) -> T: ...
    async def request(
        self,
        method: Method,
        path: RelativePath,
        *,
        json: Any = None,
        form: Mapping[str, FormValue] | None = None,
        data: MediaSource | None = None,
        query: Mapping[str, QueryValue] | None = None,
        headers: Mapping[str, str] | None = None,
        into: Any = object,
        repeatable: bool | None = None,
    ) -> Any:
        """Send a request to a path that has no operation, and return its result.

        The client adds the key. Retries, limits, timeouts and errors work as in every call.

        Args:
            method: GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.
            path: A path below the address of the client, such as "/models". Ids in it must be percent-encoded, and it
                may end in a query. A URL, `//host` and the segment ".." are refused.
            json: The body as JSON; `None` sends none.
            form: The body as a multipart form of texts, numbers, and files as in `data`. A `str` is a text.
            data: The body as it is: a path, bytes, a binary file, an upload of a web framework, an iterator of bytes, a
                `Speech` or `Image`, a `data:` URL or `Base64(text)`. Files are streamed.
            query: The query; a list repeats its name, and `None` leaves it out.
            headers: More headers of this request. Those that carry the key are refused.
            into: What the response becomes: `object` for any JSON (`None` if the response has no content), `bytes` for
                the body as it is, a result class such as `Prediction`, a class of attrs, `dict[str, str]` and the like,
                `Response` for status, headers and body, or `None` to read nothing.
            repeatable: Whether the request may be sent again if the first attempt may have been carried out. By default
                only GET and HEAD are.

        Raises:
            ValueError: An argument cannot be used, or more than one of `json`, `form` and `data` was passed.

        Example::

            models = await skytells.request("GET", "/models", query={"fields": "input_schema"})
        """
        headers = hide_headers(headers)
        kind = _read_into(method, into)
        connection, call = self._raw_call(method, path, query, headers, repeatable, json=json, form=form, data=data)
        return await connection.call(await _add_body(call, form, data), kind)

    @overload
    def stream(self, method: Method, path: RelativePath, **parts: Unpack[RequestParts]) -> JSONEventStream[Any]: ...
    @overload
    def stream(  # type: ignore[overload-overlap]  # `bytes` is a `type[T]` too, which the next one takes
        self, method: Method, path: RelativePath, *, into: type[bytes], **parts: Unpack[RequestParts]
    ) -> ByteStream: ...
    @overload
    def stream(
        self, method: Method, path: RelativePath, *, into: type[T], **parts: Unpack[RequestParts]
    ) -> JSONEventStream[T]: ...
    def stream(
        self,
        method: Method,
        path: RelativePath,
        *,
        json: Any = None,
        form: Mapping[str, FormValue] | None = None,
        data: MediaSource | None = None,
        query: Mapping[str, QueryValue] | None = None,
        headers: Mapping[str, str] | None = None,
        into: Any = object,
        repeatable: bool | None = None,
    ) -> Any:
        """Send a request to a path that has no operation, and receive the response while it arrives.

        The arguments are those of `request`, except `into`. Errors are raised when the `async with` block is entered.
        Until the head of the response has arrived, a failed request is retried as in every call. The server
        decides whether it streams; many need `"stream": True` in `json`.

        Args:
            method: See `request`.
            path: See `request`.
            json: See `request`.
            form: See `request`.
            data: See `request`.
            query: See `request`.
            headers: See `request`.
            into: `object` for the JSON events of an event stream, another type to read each event into, or `bytes` for
                the bytes of any response.
            repeatable: See `request`.

        Returns:
            A `JSONEventStream`; with `into=bytes` a `ByteStream`.

        Example::

            body = {"model": "deepbrain-router", "messages": messages, "stream": True}
            async with skytells.stream("POST", "/chat/completions", json=body) as events:
                async for event in events:
                    print(event["choices"])
        """
        headers = hide_headers(headers)
        accept = {}
        if into is not bytes:
            _check_json_type(into)
            accept = {"Accept": "text/event-stream"}
        connection, call = self._raw_call(method, path, query, headers, repeatable, json=json, form=form, data=data)
        call = evolve(call, headers={**accept, **call.headers}, timeout=TRANSFER_TIMEOUT)
        if into is bytes:
            return ByteStream(_RawStreamRequest(connection, call, form=form, data=data))
        return JSONEventStream(_RawStreamRequest(connection, call, is_event_stream, form=form, data=data), into)

    def _raw_call(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None,
        headers: Mapping[str, str] | None,
        repeatable: bool | None,
        **bodies: Any,
    ) -> tuple[Connection, Call]:
        """Return the call without its form or data, and the connection to send it by."""
        given = [name for name, value in bodies.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"a request has one body: pass {' or '.join(given)}")
        method = method.upper()
        url, pairs = split_path(path)
        added = replace_headers(self._connection, {}, headers or {}, "headers")
        call = Call(
            method=method,
            url=url,
            query=(*pairs, *query_pairs(query)),
            headers=added,
            json=bodies["json"],
            repeatable=method in ("GET", "HEAD") if repeatable is None else repeatable,
        )
        return self._connection.without_headers(added), call


@frozen(repr=False, kw_only=True)
class _RawStreamRequest(StreamRequest):
    """A request whose form or data is opened just before it is sent."""

    form: Mapping[str, FormValue] | None
    data: MediaSource | None

    async def open(self) -> tuple[StreamRequest, IncomingResponse]:
        call = evolve(await _add_body(self.call, self.form, self.data), timeout=TRANSFER_TIMEOUT)
        return await StreamRequest(self.connection, call, self.accepts).open()


async def _add_body(call: Call, form: Mapping[str, FormValue] | None, data: MediaSource | None) -> Call:
    """Return a call with the form or the data of a user as its body."""
    if data is not None:
        fields = media_fields(await open_media(data, "data"))
    elif form is not None:
        fields = await _read_form(form)
    else:
        return call
    names = {name.lower() for name in call.headers}
    own = {name: value for name, value in fields.pop("headers", {}).items() if name.lower() not in names}
    return evolve(call, **fields, headers={**own, **call.headers})


async def _read_form(form: Mapping[str, FormValue]) -> dict[str, Any]:
    parts: list[FormField] = []
    one_shot = False
    for name, value in form.items():
        if isinstance(value, (str, int, float)):
            parts.append(FormField(name, as_text(value).encode()))
        elif value is not None:
            media = await open_media(value, f"form[{name!r}]")
            one_shot |= media.one_shot
            parts.append(FormField(name, media.body, filename=media.name or name, content_type=media.mime))
    return form_fields(tuple(parts), one_shot=one_shot)


def _read_into(method: str, into: Any) -> Into[Any] | FromResponse[Any]:
    """Return what the body of a response becomes; refuse types that cannot be read from JSON."""
    if into is None or (into is object and method.upper() == "HEAD"):
        return NoneType
    if into is bytes:
        return FromResponse(lambda response: response.body)
    if into is Response:
        return FromResponse(lambda response: response)
    _check_json_type(into)
    result: Into[Any] = into
    return result


def _check_json_type(into: Any) -> None:
    """Refuse a type that JSON cannot be read into."""
    if not can_decode(into):
        known = "object for any JSON, bytes, a class of attrs, or a type such as dict[str, str] or tuple[Result, ...]"
        raise TypeError(f"into must be {known}, not {into!r:.100}")
