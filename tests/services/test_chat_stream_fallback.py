"""Streamed chats over real sockets: which provider replies when one fails, and when it is too late for another."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from servers import AT_ONCE, Script, Server, cut, hang, make_response, pausing, reset

from kellyapi import (
    Aerostack,
    AuthenticationError,
    ChatStream,
    DecodingError,
    KellyAPI,
    ServerError,
    Skytells,
    Timeout,
    TransportError,
)
from kellyapi.services.circuit import FAILURES_BEFORE_REST

KELLY_SAYS = make_response(body=b'{"message": "I am Kelly"}')


def events(*texts: str, finish_reason: str | None = "stop") -> bytes:
    choices: list[dict[str, Any]] = [{"delta": {"role": "assistant", "content": ""}}]
    choices += [{"delta": {"content": text}} for text in texts]
    choices += [{"delta": {}, "finish_reason": finish_reason}] if finish_reason else []
    return b"".join(b"data: %s\n\n" % json.dumps({"model": "m", "choices": [each]}).encode() for each in choices)


def streamed(body: bytes) -> bytes:
    return make_response(body=body, kind="text/event-stream")


AEROSTACK_SAYS = streamed(events("I am ", "Aerostack") + b"data: [DONE]\n\n")
SKYTELLS_SAYS = streamed(events("I am ", "Skytells") + b"data: [DONE]\n\n")


@asynccontextmanager
async def three(
    kelly: Script, aerostack: Script, skytells: Script, **options: Any
) -> AsyncIterator[tuple[KellyAPI, list[Server]]]:
    """Yield a client of three providers, and their servers."""
    options = {"retry": AT_ONCE, **options}
    async with Server(kelly) as first, Server(aerostack) as second, Server(skytells) as third:
        clients = {
            "aerostack": Aerostack("k2", base_url=second.url, **options),
            "skytells": Skytells("k3", base_url=third.url, **options),
        }
        async with KellyAPI("k1", first.url, **clients, **options) as api:
            yield api, [first, second, third]


def counts(servers: list[Server]) -> list[int]:
    return [len(server.requests) for server in servers]


@pytest.mark.parametrize(
    ("provider", "pieces"),
    [
        ("kelly", ["I am Kelly"]),
        ("aerostack", ["I am ", "Aerostack"]),
        ("skytells", ["I am ", "Skytells"]),
    ],
)
async def test_each_provider_streams_its_pieces_and_its_reply(provider: Any, pieces: list[str]) -> None:
    async with three(KELLY_SAYS, AEROSTACK_SAYS, SKYTELLS_SAYS) as (api, servers):
        stream = api.chat_stream("Who are you?", provider=provider)
        assert (stream.text, stream.completion.choices, counts(servers)) == ("", (), [0, 0, 0])
        with pytest.raises(DecodingError, match="no choices"):
            print(stream.reply)
        async with stream:
            assert [piece async for piece in stream] == pieces
            assert [piece async for piece in stream] == []
        assert (stream.text, stream.reply.text) == ("".join(pieces), "".join(pieces))
        assert (stream.reply.provider, stream.reply.tried) == (provider, (provider,))
        assert stream.completion.text == stream.text
        assert stream.reply.model == ("chatgpt" if provider == "kelly" else "m")


async def test_the_reply_of_kelly_is_one_chunk() -> None:
    async with three(KELLY_SAYS, reset, reset) as (api, _):
        (chunk,) = [chunk async for chunk in api.chat_stream("Who are you?").chunks()]
        assert (chunk.choices[0].delta.content, chunk.model) == ("I am Kelly", "chatgpt")


BREAKS: dict[str, Script] = {
    "a reset": reset,
    "402": make_response(402),
    "429": make_response(429),
    "500": make_response(500),
    "a page": make_response(body=b"<html></html>", kind="text/html"),
    "no event": streamed(b""),
    "no text": streamed(events(finish_reason=None)),
    "a cut before the text": cut(streamed(events(finish_reason=None) + b"x" * 50)[:-50]),
    "silence before the text": pausing(streamed(events(finish_reason=None) + b"x" * 50)[:-50]),
    "an error event": streamed(b'data: {"error": {"message": "busy"}}\n\n'),
    "nonsense": streamed(b"data: {nonsense\n\n"),
}


@pytest.mark.parametrize("case", BREAKS)
@pytest.mark.parametrize("read", ["pieces", "chunks"])
async def test_a_provider_that_fails_before_its_first_piece_is_followed_by_the_next(case: str, read: str) -> None:
    quick = Timeout(total=None, idle=0.2)
    async with three(reset, BREAKS[case], SKYTELLS_SAYS, timeout=quick) as (api, servers):
        stream = api.chat_stream("Who are you?", fallback=True)
        if read == "pieces":
            async with stream:
                assert [piece async for piece in stream] == ["I am ", "Skytells"]
        else:
            texts = [chunk.choices[0].delta.content async for chunk in stream.chunks()]
            assert texts == ["", "I am ", "Skytells", None]
        assert stream.reply.tried == ("kelly", "aerostack", "skytells")
        assert (stream.reply.provider, stream.text) == ("skytells", "I am Skytells")
        assert counts(servers) == [1, 3 if case == "429" else 1, 1]


async def test_the_error_of_the_last_provider_is_raised_when_the_block_is_entered() -> None:
    async with three(reset, make_response(402), streamed(events(finish_reason=None))) as (api, servers):
        stream = api.chat_stream("Who are you?", fallback=True)
        with pytest.raises(TransportError, match="broke off") as caught:
            async with stream:
                pytest.fail("it was entered")
        assert (caught.value.provider, caught.value.outcome_unknown) == ("skytells", True)
        assert [note.split()[2] for note in caught.value.__notes__] == ["kelly:", "aerostack:"]
        assert counts(servers) == [1, 1, 1]


async def test_after_the_first_piece_no_other_provider_is_tried() -> None:
    broken = cut(streamed(events("I am ", finish_reason=None) + b"x" * 50)[:-50])
    async with three(reset, broken, SKYTELLS_SAYS) as (api, servers):
        async with api.chat_stream("Who are you?", fallback=True) as stream:
            assert await anext(stream) == "I am "
            with pytest.raises(TransportError) as caught:
                await anext(stream)
        assert (caught.value.partial.text, caught.value.outcome_unknown) == ("I am ", True)
        assert counts(servers) == [1, 1, 0]


@pytest.mark.parametrize("fallback", [False, []])
async def test_without_fallback_one_provider_is_asked(fallback: Any) -> None:
    async with three(make_response(503), AEROSTACK_SAYS, SKYTELLS_SAYS) as (api, servers):
        with pytest.raises(ServerError):
            await api.chat_stream("Who are you?", fallback=fallback).finish()
        assert counts(servers) == [3, 0, 0]


async def test_a_wrong_key_ends_the_stream_and_a_model_is_for_the_first_provider_only() -> None:
    async with three(make_response(401), AEROSTACK_SAYS, SKYTELLS_SAYS) as (api, servers):
        with pytest.raises(AuthenticationError):
            await api.chat_stream("Who are you?", fallback=True).finish()
        assert counts(servers) == [1, 0, 0]
    async with three(KELLY_SAYS, reset, SKYTELLS_SAYS) as (api, servers):
        order: Any = ("aerostack", "skytells")
        reply = await api.chat_stream("Who?", model="mine", temperature=1, fallback=order).finish()
        assert (reply.provider, reply.tried) == ("skytells", order)
        assert json.loads(servers[1].requests[0].body)["model"] == "mine"
        sent = json.loads(servers[2].requests[0].body)
        assert (sent["model"], sent["temperature"]) == ("deepbrain-router", 1)


async def test_a_reply_of_tool_calls_alone_is_no_failure() -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}
    body = b'data: {"choices": [{"delta": {"tool_calls": [%s]}, "finish_reason": "tool_calls"}]}\n\n'
    async with three(reset, streamed(body % json.dumps(call).encode()), SKYTELLS_SAYS) as (api, _):
        async with api.chat_stream("Who are you?", fallback=True) as stream:
            assert [piece async for piece in stream] == []
        assert (stream.reply.provider, stream.reply.tool_calls[0].function.name) == ("aerostack", "f")


# Circuit breakers


async def test_streams_and_calls_share_the_circuit_breakers() -> None:
    async with three(KELLY_SAYS, streamed(events(finish_reason=None)), SKYTELLS_SAYS) as (api, servers):
        for _ in range(FAILURES_BEFORE_REST + 2):
            reply = await api.chat_stream("Who?", provider="aerostack", fallback=["skytells"]).finish()
        assert reply.tried == ("skytells",)
        assert counts(servers) == [0, FAILURES_BEFORE_REST, FAILURES_BEFORE_REST + 2]
        assert (await api.chat("Who?", provider="aerostack", fallback=["kelly"])).tried == ("kelly",)


async def test_a_stream_that_breaks_off_later_counts_as_a_failure_and_one_that_is_left_early_does_not() -> None:
    broken = cut(streamed(events("I am ", finish_reason=None) + b"x" * 50)[:-50])
    async with three(KELLY_SAYS, broken, SKYTELLS_SAYS) as (api, _):

        async def tried(read: Callable[[ChatStream], Any]) -> tuple[str, ...]:
            async with api.chat_stream("Who?", provider="aerostack", fallback=["skytells"]) as stream:
                await read(stream)
            return stream.reply.tried

        async def to_the_end(stream: ChatStream) -> None:
            with pytest.raises(TransportError):
                await stream.finish()

        for read in (to_the_end, to_the_end, anext, to_the_end, to_the_end, to_the_end):
            assert await tried(read) == ("aerostack",)
        assert await tried(anext) == ("skytells",)


# Ends


@pytest.mark.parametrize("at", ["the head", "the first piece", "a later piece"])
async def test_a_cancelled_stream_frees_its_connection(at: str) -> None:
    head = streamed(events(finish_reason=None) + b"x" * 50)[:-50]
    script: Script = {
        "the head": hang,
        "the first piece": pausing(head),
        "a later piece": pausing(streamed(events("I am ", finish_reason=None) + b"x" * 50)[:-50]),
    }[at]
    async with three(reset, script, SKYTELLS_SAYS) as (api, servers):
        stream = api.chat_stream("Who are you?", fallback=True)
        task = asyncio.create_task(stream.finish())
        await servers[1].until(lambda: bool(servers[1].requests))
        async with asyncio.timeout(20):
            while at == "a later piece" and not stream.text:  # noqa: ASYNC110  nothing else says how much was read
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await stream.aclose()
        assert counts(servers) == [1, 1, 0]
        await servers[1].until(lambda: not servers[1].open)


async def test_leaving_early_frees_the_connection() -> None:
    begun = streamed(events("I am ", finish_reason=None) + b"x" * 50)[:-50]
    async with three(reset, pausing(begun), SKYTELLS_SAYS) as (api, servers):
        async with api.chat_stream("Who are you?", fallback=True) as stream:
            async for _ in stream:
                break
        await servers[1].until(lambda: not servers[1].open)
        assert isinstance(stream, ChatStream)
        assert stream.text == "I am "
