"""`client.stream`: the response to any request as it arrives."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import frozen
from servers import AT_ONCE, KEY, asked, cut, make_response

from kellyapi import ByteStream, DecodingError, JSONEventStream, KellyAPI, RateLimitError, TransportError


def events(*values: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    body = b"".join(b"data: %s\n\n" % json.dumps(value).encode() for value in values)
    return make_response(body=body + end, kind="text/event-stream")


@frozen
class Step:
    """What a user reads an event into."""

    n: int


async def test_events_are_decoded_json() -> None:
    async with asked(events({"n": 1}, {"n": 2})) as (shop, server):
        async with shop.stream("POST", "/a", json={"stream": True}, query={"x": 1}) as stream:
            assert isinstance(stream, JSONEventStream)
            assert [event async for event in stream] == [{"n": 1}, {"n": 2}]
        (seen,) = server.requests
        assert (seen.target, json.loads(seen.body)) == ("/a?x=1", {"stream": True})
        assert (seen.headers["accept"], seen.headers["x-key"]) == ("text/event-stream", f"Key {KEY}")


async def test_events_are_read_into_a_type() -> None:
    async with asked(events({"n": 1, "more": 0}, {"m": 2})) as (shop, _):
        async with shop.stream("GET", "/a", into=Step) as stream:
            assert await anext(stream) == Step(1)
            with pytest.raises(DecodingError, match=r"\$\.n: missing") as caught:
                await anext(stream)
        assert caught.value.partial == 1


async def test_the_stream_may_end_without_done_and_may_come_whole() -> None:
    async with asked(events({"n": 1}, end=b""), make_response(body=b'{"n": 2}')) as (shop, _):
        for expected in (1, 2):
            async with shop.stream("GET", "/a") as stream:
                assert [event async for event in stream] == [{"n": expected}]


async def test_an_event_may_be_any_json_but_null() -> None:
    async with asked(events([1], "a", 2), make_response(body=b"[1, 2]"), events([1], [2], end=b""), events(None)) as (
        shop,
        _,
    ):
        async with shop.stream("GET", "/a") as stream:
            assert [event async for event in stream] == [[1], "a", 2]
        for values in ([[1, 2]], [[1], [2]]):
            async with shop.stream("GET", "/a", into=list[int]) as numbers:
                assert [each async for each in numbers] == values
        with pytest.raises(DecodingError, match="not a JSON object: None"):
            async with shop.stream("GET", "/a") as stream:
                await anext(stream)


async def test_bytes_of_any_response_are_streamed() -> None:
    async with asked(make_response(body=b"RIFF", kind="audio/wav")) as (shop, server):
        async with shop.stream("POST", "/a", data=iter([b"up", b"load"]), into=bytes) as stream:
            assert isinstance(stream, ByteStream)
            assert b"".join([piece async for piece in stream]) == b"RIFF"
        assert server.requests[0].body == b"upload"


async def test_a_response_without_events_is_refused() -> None:
    async with asked(make_response(body=b"RIFF", kind="audio/wav")) as (shop, _):
        with pytest.raises(DecodingError, match="audio/wav instead of a stream"):
            async with shop.stream("GET", "/a"):
                pass


async def test_a_header_of_the_user_replaces_the_stream_s() -> None:
    async with asked(events()) as (shop, server):
        async with shop.stream("GET", "/a", headers={"accept": "text/*"}) as stream:
            assert [event async for event in stream] == []
        assert server.requests[0].headers["accept"] == "text/*"


async def test_until_the_head_has_arrived_it_is_retried_like_a_call() -> None:
    async with asked(make_response(429), events({"n": 1}), retry=AT_ONCE) as (shop, server):
        async with shop.stream("POST", "/a", form={"a": b"file"}) as stream:
            assert [event async for event in stream] == [{"n": 1}]
        assert len(server.requests) == 2


async def test_errors_say_what_had_arrived() -> None:
    head = make_response(body=b"", kind="text/event-stream", Transfer_Encoding="chunked")
    async with asked(cut(head + b'19\r\ndata: {"n": 1}\n\ndata: {"n\r\n')) as (shop, _):
        async with shop.stream("POST", "/a") as stream:
            assert await anext(stream) == {"n": 1}
            with pytest.raises(TransportError) as caught:
                await anext(stream)
        assert (caught.value.partial, caught.value.outcome_unknown) == (1, True)


async def test_an_event_that_reports_an_error_raises_it() -> None:
    problem = {"error": {"problem": "no"}, "problem": "slow down", "status": 429}
    async with asked(events(problem)) as (shop, _), shop.stream("GET", "/a") as stream:
        with pytest.raises(RateLimitError, match="slow down"):
            await anext(stream)


async def test_all_four_clients_reach_their_sandbox(kelly_api: KellyAPI) -> None:
    body = {"model": "deepbrain-router", "messages": [{"role": "user", "content": "Hello"}], "stream": True}
    async with kelly_api.skytells.stream("POST", "/chat/completions", json=body) as stream:
        text = "".join(
            [event["choices"][0]["delta"].get("content") or "" async for event in stream if event["choices"]]
        )
    assert text
    assert "languages" in await kelly_api.khaya.request("GET", "/v1/languages")
    assert await kelly_api.kelly.request("GET", "/sd/models")
    assert await kelly_api.aerostack.request("POST", "/cache/set", json={"key": "a", "value": 1})
