"""Providers of the user's own: conversations and streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import (
    Aerostack,
    ChatReply,
    DecodingError,
    KellyAPI,
    Message,
    RequestTimeoutError,
    ServerError,
    Timeout,
    TransportError,
)

from .own_providers import Mine, answering

TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
EVENTS = b"".join(
    b'data: {"model": "m", "choices": [{"delta": {"content": "%s"}}], "usage": {"total_tokens": 3}}\n\n' % text
    for text in (b"Akwaa", b"ba")
)
AEROSTACK_STREAMS = make_response(body=EVENTS + b"data: [DONE]\n\n", kind="text/event-stream")


async def pieces(prompt: str) -> AsyncIterator[str]:
    for piece in ("You ", "", "said ", prompt):
        yield piece


async def iterator_later(prompt: str) -> Any:
    return pieces(prompt)


def iterator_now(prompt: str) -> Any:
    return pieces(prompt)


async def whole_text(prompt: str) -> str:
    return f"You said {prompt}"


async def whole_reply(prompt: str) -> ChatReply:
    return ChatReply(text=f"You said {prompt}")


# Conversations


@pytest.mark.parametrize("prompt", ["Hi", [Message("user", "Hi")]])
async def test_a_method_with_messages_gets_a_prompt_as_a_message(prompt: Any) -> None:
    async def chat(messages: list[dict[str, Any]]) -> str:
        return repr(messages)

    async with KellyAPI(providers=[answering("chat", chat)]) as api:
        assert (await api.chat(prompt)).text == "[{'role': 'user', 'content': 'Hi'}]"
        assert (await api.chat(TALK)).text == repr(TALK)


async def test_a_method_with_a_prompt_gets_no_conversation() -> None:
    async with KellyAPI(providers=[Mine()]) as api:
        assert (await api.chat([Message("user", "Hi")])).text == "You said Hi"
        with pytest.raises(ValueError, match="mine has no messages"):
            await api.chat(TALK, provider="mine")  # type: ignore[arg-type]  # no literal


async def test_a_method_may_take_both_or_the_rest() -> None:
    async def both(prompt: str | None = None, messages: Any = None) -> str:
        return f"{prompt} {messages and len(messages)}"

    async def rest(messages: list[Any], **options: Any) -> str:
        return f"{len(messages)} {options}"

    async with KellyAPI(providers=[answering("chat", both), answering("chat", rest, "rest")]) as api:
        assert (await api.chat("Hi")).text == "Hi None"
        assert (await api.chat(TALK)).text == "None 2"
        assert (await api.chat("Hi", temperature=0.5)).text == "1 {'temperature': 0.5}"


# Streams


@pytest.mark.parametrize("function", [pieces, iterator_later, iterator_now])
async def test_pieces_of_text_are_a_stream(function: Any) -> None:
    async with KellyAPI(providers=[answering("chat_stream", function)]) as api:
        async with api.chat_stream("hello") as stream:
            assert [piece async for piece in stream] == ["You ", "said ", "hello"]
        assert stream.reply == ChatReply(text="You said hello", provider="mine")
        assert (await api.chat_stream("hello").finish()).text == "You said hello"
        assert [chunk.choices[0].delta.content async for chunk in api.chat_stream("a").chunks()][-1] == "a"


@pytest.mark.parametrize("method", ["chat", "chat_stream"])
@pytest.mark.parametrize("function", [whole_text, whole_reply])
async def test_a_whole_reply_is_one_piece(method: str, function: Any) -> None:
    async with KellyAPI(providers=[answering(method, function)]) as api, api.chat_stream("hello") as stream:
        assert [piece async for piece in stream] == ["You said hello"]
        assert (stream.reply.text, stream.reply.provider) == ("You said hello", "mine")


async def test_a_stream_of_the_library_keeps_all_that_it_has() -> None:
    async with Server(AEROSTACK_STREAMS) as server, Aerostack("key", base_url=server.url) as aerostack:
        mine = answering("chat_stream", lambda prompt: aerostack.ai.chat_stream(prompt))
        async with KellyAPI(providers=[mine]) as api, api.chat_stream("hello") as stream:
            assert [piece async for piece in stream] == ["Akwaa", "ba"]
            reply = stream.reply
    assert (reply.provider, reply.tried, reply.model) == ("mine", ("mine",), "m")
    assert reply.usage is not None
    assert reply.usage.total_tokens == 3


async def test_a_stream_that_fails_before_its_first_piece_goes_to_the_next_provider() -> None:
    async def broken(prompt: str) -> AsyncIterator[str]:
        yield ""
        raise ConnectionResetError("gone")

    async with KellyAPI(providers=[answering("chat_stream", broken, "broken"), Mine()]) as api:
        async with api.chat_stream("hello", fallback=True) as stream:
            assert (await stream.finish()).tried == ("broken", "mine")
        with pytest.raises(TransportError) as caught:
            await api.chat_stream("hello").finish()
    assert (caught.value.provider, caught.value.outcome_unknown) == ("broken", True)


async def test_a_stream_that_breaks_off_has_what_arrived() -> None:
    async def broken(prompt: str) -> AsyncIterator[str]:
        yield "You "
        raise ServerError("out of memory")

    async with KellyAPI(providers=[answering("chat_stream", broken, "broken"), Mine()]) as api:
        with pytest.raises(ServerError) as caught:
            await api.chat_stream("hello", fallback=True).finish()
    assert (caught.value.provider, caught.value.partial.text) == ("broken", "You ")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda prompt: 5, r"mine\.chat_stream must return an async iterator of texts, not int"),
        (lambda prompt: iter(["a"]), r"mine\.chat_stream must return an async iterator of texts, not list_iterator"),
        (lambda prompt: numbers(), r"mine\.chat_stream must yield texts, not int"),
    ],
)
async def test_what_is_no_stream_is_a_decoding_error(function: Any, message: str) -> None:
    async with KellyAPI(providers=[answering("chat_stream", function)]) as api:
        with pytest.raises(DecodingError, match=message):
            await api.chat_stream("hello").finish()


async def numbers() -> AsyncIterator[int]:
    yield 5


async def test_leaving_a_stream_early_closes_the_iterator_of_the_user() -> None:
    closed = []

    async def endless(prompt: str) -> AsyncIterator[str]:
        try:
            while True:
                yield prompt
        finally:
            closed.append(prompt)

    async with KellyAPI(providers=[answering("chat_stream", endless)]) as api:
        async with api.chat_stream("hello") as stream:
            assert await anext(stream) == "hello"
        assert closed == ["hello"]
        async with api.chat_stream("unread"):
            pass
    assert closed == ["hello"]


async def stop_after_one(prompt: str) -> AsyncIterator[str]:
    yield "one"
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("timeout", "limit"), [(Timeout(total=0.05), "total"), (Timeout(total=None, idle=0.05), "idle")]
)
async def test_a_stream_has_the_time_limits_of_the_client(timeout: Timeout, limit: str) -> None:
    async with KellyAPI(providers=[answering("chat_stream", stop_after_one)], timeout=timeout) as api:
        with pytest.raises(RequestTimeoutError, match=rf"the limit is {limit}=0\.05 s") as caught:
            await api.chat_stream("hello").finish()
    assert (caught.value.limit, caught.value.partial.text) == (limit, "one")


async def test_a_stream_gives_its_turn_back_at_its_first_piece() -> None:
    mine = answering("chat_stream", stop_after_one)
    api = KellyAPI(providers=[mine], max_concurrency=1, timeout=5)
    async with api, api.chat_stream("a") as first, api.chat_stream("b") as second:
        assert (await anext(first), await anext(second)) == ("one", "one")
