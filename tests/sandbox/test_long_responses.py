"""Long responses: they are sent piece by piece, so that they need little memory and never hold the loop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from aiohttp.test_utils import make_mocked_request
from http_client import Send

from kellyapi import Sandbox
from kellyapi.sandbox import sse
from kellyapi.sandbox.engines.supervisor import EngineSupervisor
from kellyapi.sandbox.fault_injection import BodyRecorder
from kellyapi.sandbox.json_stream import send_json
from kellyapi.sandbox.skytells import prediction_state
from kellyapi.sandbox.sse import send_events, split_pieces, split_words

PIECES = 5
LONG = "a" * 100_000
HEADERS = {"x-api-key": "key", "X-Aerostack-Key": "key"}


class Turns:
    """Counts the turns of the event loop."""

    def __init__(self) -> None:
        self.now = 0
        self._task = asyncio.create_task(self._count())

    async def _count(self) -> None:
        for self.now in count():
            await asyncio.sleep(0)

    def end(self) -> None:
        self._task.cancel()


@pytest.fixture
async def turns() -> AsyncIterator[Turns]:
    turns = Turns()
    yield turns
    turns.end()


async def test_others_have_their_turn_between_two_events(turns: Turns) -> None:
    begun = []

    def events() -> Iterator[dict[str, Any]]:
        for number in range(PIECES):
            begun.append(turns.now)
            yield {"number": number}

    await send_events(make_mocked_request("GET", "/", writer=BodyRecorder()), events())
    assert len(set(begun)) == PIECES


async def test_each_long_item_is_sent_before_the_next_is_made(turns: Turns) -> None:
    begun, sent, recorder = [], [], BodyRecorder()

    async def items() -> AsyncIterator[str]:
        for _ in range(PIECES):
            begun.append(turns.now)
            sent.append(len(recorder.body))
            yield LONG

    response = await send_json(make_mocked_request("GET", "/", writer=recorder), {"a": "é", "b": items(), "c": [1]})
    assert len(set(begun)) == PIECES
    assert [size // len(LONG) for size in sent] == [*range(PIECES)]
    assert json.loads(recorder.body) == {"a": "é", "b": [LONG] * PIECES, "c": [1]}
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("items", [[], ["é"], [1, {"a": []}, None]])
async def test_a_short_response_is_sent_whole(items: list[Any]) -> None:
    async def each() -> AsyncIterator[Any]:
        for item in items:
            yield item

    recorder = BodyRecorder()
    request = make_mocked_request("GET", "/", writer=recorder)
    response = await send_json(request, {"items": each(), "n": 1})
    await response.prepare(request)
    await response.write_eof()
    assert json.loads(recorder.body) == {"items": items, "n": 1}
    assert int(response.headers["Content-Length"]) == len(recorder.body)


@pytest.mark.usefixtures("own_sandbox")
async def test_lists_with_long_values_are_json(send: Send) -> None:
    for number in range(3):
        body = {"model": "truefusion", "input": {"prompt": f"fail please {number}", "negative_prompt": LONG}}
        await send("POST", "/v1/predict", headers=HEADERS, json=body)
    response = await send("GET", "/v1/predictions", headers=HEADERS)
    assert [each["input"]["prompt"][-1] for each in response.json["data"]] == ["2", "1", "0"]
    assert response.json["pagination"]["total"] == 3
    body = {"model": "text-embedding-3-large", "input": ["a", "b", "c"]}
    response = await send("POST", "/v1/embeddings", headers=HEADERS, json=body)
    assert [len(each["embedding"]) for each in response.json["data"]] == [3072] * 3


@pytest.mark.usefixtures("own_sandbox")
async def test_a_response_that_breaks_off_ends_its_connection(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(prediction: Any, *state: Any) -> Any:
        if prediction["input"]["prompt"].endswith("0"):
            raise OSError("no disk")
        return to_wire(prediction, *state)

    for number in range(3):
        body = {"model": "truefusion", "input": {"prompt": f"fail please {number}", "negative_prompt": LONG}}
        await send("POST", "/v1/predict", headers=HEADERS, json=body)
    to_wire = prediction_state.to_wire
    monkeypatch.setattr(prediction_state, "to_wire", break_off)
    with pytest.raises(ClientPayloadError):
        await send("GET", "/v1/predictions", headers=HEADERS)
    response = await send("GET", "/v1/predictions?page=2&per_page=2", headers=HEADERS)
    assert (response.status, response.json["response"]) == (500, "The sandbox cannot store this: no disk")


@pytest.mark.parametrize("words", [0, 1, 999, 1000, 1001, 2000, 2001, 100_000])
def test_a_long_text_comes_in_few_pieces(words: int) -> None:
    text = " ".join(f"w{number}" for number in range(words))
    pieces = split_pieces(text)
    assert "".join(pieces) == text
    assert pieces[: sse.SINGLE_WORDS] == split_words(text)[: sse.SINGLE_WORDS]
    assert len(pieces) == min(words, 2000) or (1500 <= len(pieces) <= 2000 < words)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "gpt-5", "messages": [{"role": "user", "content": "w " * 5000}]}),
        ("/v1/responses", {"model": "gpt-5", "input": "w " * 5000}),
        ("/v1/ai/chat", {"messages": [{"role": "user", "content": "w " * 5000}]}),
    ],
)
async def test_a_long_reply_is_streamed_in_few_events(send: Send, path: str, body: Any) -> None:
    response = await send("POST", path, headers=HEADERS, json=body | {"stream": True})
    assert 1000 < response.body.count(b"data: ") < 2050


async def test_the_name_of_a_model_that_every_chunk_repeats_is_short(send: Send) -> None:
    for model in ("m" * 201, 5):
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        response = await send("POST", "/v1/ai/chat", headers=HEADERS, json=body)
        assert (response.status, response.json["details"]) == (400, {"field": "model"})


@pytest.mark.usefixtures("own_sandbox")
async def test_no_work_begins_for_a_client_that_has_left(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    begun = []

    async def describe(_: EngineSupervisor, function: str, **arguments: Any) -> str:
        begun.append(function)
        writer.close()
        while sandbox._runner.server.connections:  # type: ignore[union-attr]  # noqa: ASYNC110  the server has no event
            await asyncio.sleep(0)
        return "a picture"

    monkeypatch.setattr(EngineSupervisor, "run", describe)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": [image] * 9}]}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: k\r\nContent-Type: application/json"
    writer.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    assert await reader.read() == b""
    await asyncio.sleep(0)
    assert begun == ["pictures.image_operations.describe"]
