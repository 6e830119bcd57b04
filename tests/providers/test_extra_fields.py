"""`extra_body`, `extra_query` and `extra_headers`: what users add to the request of an operation."""

from __future__ import annotations

import inspect
import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from servers import Server, Shop, asked, make_response

from kellyapi import NO_RETRY, Aerostack, Kelly, KellyAPIError, PredictionRequest, Skytells
from kellyapi._core.extra_fields import ExtraFields
from kellyapi._core.resource import Resource

PNG = b"\x89PNG\r\n\x1a\n"
Clients = dict[type[Any], Any]
Operation = Callable[[Clients, Any], Any]
OPERATIONS: dict[str, Operation] = {
    "kelly.generate_image": lambda c, extra: c[Kelly].generate_image("a fox", **extra),
    "kelly.generate_images": lambda c, extra: c[Kelly].generate_images("a fox", 1, **extra),
    "kelly.edit_image": lambda c, extra: c[Kelly].edit_image(PNG, "a fox", **extra),
    "kelly.describe_image": lambda c, extra: c[Kelly].describe_image(PNG, "what?", **extra),
    "kelly.upscale_image": lambda c, extra: c[Kelly].upscale_image(PNG, **extra),
    "kelly.remove_background": lambda c, extra: c[Kelly].remove_background(PNG, **extra),
    "kelly.write_notes": lambda c, extra: c[Kelly].write_notes("a", **extra),
    "kelly.render_code": lambda c, extra: c[Kelly].render_code("a", **extra),
    "kelly.chat": lambda c, extra: c[Kelly].chat("a", **extra),
    "skytells.chat.create": lambda c, extra: c[Skytells].chat.create("m", "a", **extra),
    "skytells.chat.stream": lambda c, extra: c[Skytells].chat.stream("m", "a", **extra),
    "skytells.responses.create": lambda c, extra: c[Skytells].responses.create("m", "a", **extra),
    "skytells.responses.stream": lambda c, extra: c[Skytells].responses.stream("m", "a", **extra),
    "skytells.embeddings.create": lambda c, extra: c[Skytells].embeddings.create("m", "a", **extra),
    "skytells.predictions.create": lambda c, extra: c[Skytells].predictions.create("m", {}, **extra),
    "skytells.predictions.create_many": lambda c, extra: c[Skytells].predictions.create_many(
        [PredictionRequest("m", {}, **extra)]
    ),
    "skytells.predictions.run": lambda c, extra: c[Skytells].predictions.run("m", {}, **extra),
    "skytells.run": lambda c, extra: c[Skytells].run("m", {}, **extra),
    "skytells.generate_image": lambda c, extra: c[Skytells].generate_image("a fox", **extra),
    "skytells.generate_images": lambda c, extra: c[Skytells].generate_images("a fox", 1, **extra),
    "skytells.generate_video": lambda c, extra: c[Skytells].generate_video("a fox", **extra),
    "skytells.generate_music": lambda c, extra: c[Skytells].generate_music("a fox", **extra),
    "aerostack.ai.chat": lambda c, extra: c[Aerostack].ai.chat("a", **extra),
    "aerostack.ai.chat_stream": lambda c, extra: c[Aerostack].ai.chat_stream("a", **extra),
    "aerostack.gateway.chat": lambda c, extra: c[Aerostack].gateway.chat("api", "a", consumer="token", **extra),
    "aerostack.gateway.chat_stream": lambda c, extra: c[Aerostack].gateway.chat_stream(
        "api", "a", consumer="token", **extra
    ),
}


async def use(operation: str, extra: dict[str, Any], server: Server) -> None:
    """Call an operation, up to the first result or error."""
    clients = {kind: kind("the-key", base_url=server.url, retry=NO_RETRY) for kind in (Kelly, Skytells, Aerostack)}
    try:
        called = OPERATIONS[operation](clients, extra)
        await (called if inspect.isawaitable(called) else anext(called))
    except (KellyAPIError, StopAsyncIteration):
        pass  # the response is not what the operation expects
    finally:
        for client in clients.values():
            await client.close()


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_extra_fields_are_merged_last(operation: str) -> None:
    extra = {
        "extra_body": {"seed": 7, "model": "newer", "messages": None},
        "extra_query": {"beta": True, "tag": ["a", "b"]},
        "extra_headers": {"X-Trace": "t", "ACCEPT": "text/*"},
    }
    async with Server(make_response(400)) as server:
        await use(operation, extra, server)
        (seen,) = server.requests
        body = json.loads(seen.body)
        assert {name: body[name] for name in ("seed", "model", "messages")} == extra["extra_body"]
        assert seen.target.partition("?")[2] == "beta=true&tag=a&tag=b"
        assert (seen.headers["x-trace"], seen.headers["accept"]) == ("t", "text/*")
        keys = {seen.headers.get(name) for name in ("authorization", "x-api-key", "x-aerostack-key")}
        assert keys & {"Bearer the-key", "the-key", "Bearer token"}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["authorization", "X-API-KEY", "x-aerostack-key", "host"])
async def test_headers_that_carry_the_key_cannot_be_replaced(operation: str, name: str) -> None:
    own = {"kelly": ("authorization",), "skytells": ("X-API-KEY",), "aerostack": ("x-aerostack-key",)}
    refused = name in ("authorization", "host", *own[operation.partition(".")[0]])
    async with Server(make_response(400)) as server:
        extra = {"extra_headers": {name: "my-secret-value"}}
        if not refused:
            await use(operation, extra, server)
            assert server.requests[0].headers[name.lower()] == "my-secret-value"
            return
        with pytest.raises(ValueError, match=f"extra_headers must not have '{name}', which") as caught:
            await use(operation, extra, server)
        assert server.connections == 0
        trace = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        assert not [
            frame for frame in trace.stack if "/kellyapi/" in frame.filename and shows(frame, "my-secret-value")
        ]


def shows(frame: traceback.FrameSummary, text: str) -> bool:
    return any(text in value for value in (frame.locals or {}).values())


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"extra_body": [("a", 1)]}, "extra_body must be a dict"),
        ({"extra_body": {5: 1}}, "each key of extra_body must be a string"),
        ({"extra_query": {"a": {}}}, "extra_query"),
        ({"extra_headers": {"a": 5}}, "extra_headers"),
        ({"extra_bodi": {}}, "extra_bodi"),
    ],
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_wrong_types_are_refused_before_anything_is_sent(
    operation: str, extra: dict[str, Any], message: str
) -> None:
    async with Server(make_response(400)) as server:
        with pytest.raises(TypeError, match=message):
            await use(operation, extra, server)
        assert server.connections == 0


@pytest.mark.parametrize("value", [{}, None])
async def test_empty_extra_fields_change_nothing(value: Any) -> None:
    async with Server(make_response(400)) as server:
        await use("kelly.chat", {}, server)
        await use("kelly.chat", dict.fromkeys(ExtraFields.__annotations__, value), server)
        plain, extra = server.requests
        assert (plain.target, plain.headers, plain.body) == (extra.target, extra.headers, extra.body)


async def test_a_value_that_is_no_json_is_refused_by_its_place_before_anything_is_sent() -> None:
    async with Server(make_response(400)) as server:
        with pytest.raises(TypeError, match=r"\$\.seed"):
            await use("skytells.predictions.create", {"extra_body": {"seed": object()}}, server)
        many = [PredictionRequest("m", {}), PredictionRequest("m", {}, extra_body={"seed": object()})]
        async with Skytells("the-key", base_url=server.url) as skytells:
            with pytest.raises(TypeError, match=r"\$\[1\]\.seed"):
                await skytells.predictions.create_many(many)
            with pytest.raises(ValueError, match="which carries the key"):
                await skytells.predictions.create_many([many[0], {"model": "m", "input": {}, "extra_headers": {"x-api-key": "a"}}])  # fmt: skip  # noqa: E501
        assert server.connections == 0


async def test_an_extra_parameter_replaces_that_of_the_operation_and_an_extra_header_that_of_the_client() -> None:
    class Library(Resource):
        async def find(self, **extra: Any) -> Any:
            call: Awaitable[Any] = self._post_json("/find", {"a": {"b": 1}, "c": 2}, into=object, extra=extra)  # type: ignore[arg-type]  # any dict
            return await call

    async with asked(make_response(), headers={"x-trace": "client", "X-Other": "client"}) as (shop, server):
        assert isinstance(shop, Shop)
        library = Library(shop._connection)
        await library.find(extra_headers={"X-Trace": "call", "content-type": "text/x"}, extra_body={"a": {}})
        (seen,) = server.requests
        assert (json.loads(seen.body), seen.headers["content-type"]) == ({"a": {}, "c": 2}, "text/x")
        assert (seen.headers["x-trace"], seen.headers["x-other"]) == ("call", "client")


@pytest.mark.parametrize(
    "operation", sorted(OPERATIONS.keys() - {"skytells.predictions.create_many"})
)  # it returns errors
async def test_a_response_that_the_operation_could_not_read_is_not_requested(operation: str) -> None:
    streamed = "stream" in operation
    async with Server(make_response(body=b"{}")) as server:
        for name in ("extra_body", "extra_query"):
            with pytest.raises(ValueError, match=f"{name} must not change 'stream'"):
                await use(operation, {name: {"stream": not streamed}}, server)
        assert server.requests == []
        await use(operation, {"extra_body": {"stream": streamed}, "extra_query": {"stream": streamed}}, server)
        assert len(server.requests) == 1
