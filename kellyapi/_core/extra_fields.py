"""Fields that users add to a request: `extra_body`, `extra_query` and `extra_headers` of an operation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypedDict, cast

from attrs import evolve

from .connection import Connection
from .messages import Call, Headers
from .options import check_headers
from .provider import Provider
from .secrets import hide_headers

QueryValue = str | float | bool | Sequence[str | float | bool] | None
"""A value of a query; a list repeats its name, and `None` leaves it out."""


class ExtraFields(TypedDict, total=False):
    """Fields of a request that the library does not know. They are merged last, and replace its own."""

    extra_body: Mapping[str, Any] | None
    """Fields of the JSON body. A field that the operation sends too is replaced as a whole."""
    extra_query: Mapping[str, QueryValue] | None
    """Parameters of the query; a list repeats a name."""
    extra_headers: Mapping[str, str] | None
    """Headers of the request. Those that carry the key are refused."""


_SET_BY_US = frozenset({"host", "content-length", "transfer-encoding"})
_OUR_SPELLING = {name.lower(): name for name in ("Accept", "Accept-Encoding", "Content-Type")}


def take_extra(parameters: Any) -> ExtraFields:
    """Take the extra fields out of the parameters of an operation."""
    return cast(ExtraFields, {name: parameters.pop(name) for name in ExtraFields.__annotations__ if name in parameters})


def hide_extra(options: Any) -> None:
    """Hide the extra headers in the options of an operation: a traceback may show its local variables."""
    if headers := options.get("extra_headers"):
        options["extra_headers"] = hide_headers(headers)


def add_extra(connection: Connection, call: Call, extra: ExtraFields) -> tuple[Connection, Call]:
    """Return a call with the extra fields of a user, and the connection to send it by."""
    hide_extra(extra)
    if headers := extra.get("extra_headers") or {}:
        headers = replace_headers(connection, call.headers, headers, "extra_headers")
    added = query_pairs(extra.get("extra_query"))
    names = {name for name, _ in added}
    sent = call.query.items() if isinstance(call.query, Mapping) else call.query
    body = extra.get("extra_body") or {}
    streamed = call.json.get("stream", False)
    for name, given, right in (
        ("extra_body", body, streamed),
        ("extra_query", dict(added), as_text(streamed)),
    ):
        if given.get("stream", right) != right:  # its response would be paid for and not be understood
            raise ValueError(f"{name} must not change 'stream': the method chooses whether the response is streamed")
    call = evolve(
        call,
        json={**call.json, **body},
        query=(*(pair for pair in sent if pair[0] not in names), *added) if added else call.query,
        headers=headers or call.headers,
    )
    return connection.without_headers(headers), call


def replace_headers(connection: Connection, sent: Headers, added: Headers, argument: str) -> dict[str, str]:
    """Return the headers of a call with those of a user, which replace others of the same name."""
    check_added_headers(added, connection.provider, argument)
    lower = {name.lower() for name in added}
    kept = {name: value for name, value in sent.items() if name.lower() not in lower}
    return kept | dict(
        connection.extended_header(_OUR_SPELLING.get(name.lower(), name), value) for name, value in added.items()
    )


def check_added_headers(added: Headers, provider: Provider, argument: str) -> None:
    """Refuse headers of a user that cannot be sent, carry the key, or are set by the library; `argument` names them."""
    check_headers(added, argument)
    keys = {provider.key_header.lower(), "authorization"}
    for name in added:
        if name.lower() in keys:
            other = "pass the key as api_key=…, or to with_access(api_key=…)"
            raise ValueError(f"{argument} must not have {name!r}, which carries the key: {other}")
        if name.lower() in _SET_BY_US:
            raise ValueError(f"{argument} must not have {name!r}, which is set for each request")


def query_pairs(query: Mapping[str, QueryValue] | None) -> tuple[tuple[str, str], ...]:
    """Return the names and values of a query; a list repeats its name, and `None` is left out."""
    return tuple((name, as_text(each)) for name, value in (query or {}).items() for each in _values(value))


def _values(value: QueryValue) -> Iterable[str | float | bool]:
    if value is None:
        return ()
    return value if isinstance(value, Sequence) and not isinstance(value, str) else (value,)


def as_text(value: str | float | bool) -> str:
    """Return a value as the text of a query or a form."""
    return str(value).lower() if isinstance(value, bool) else str(value)
