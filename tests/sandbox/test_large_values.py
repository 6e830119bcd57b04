"""Limits of what is stored and of what one response returns, so that no list takes the sandbox's whole memory."""

from __future__ import annotations

from typing import Any

import pytest
from http_client import Send

from kellyapi import Aerostack
from kellyapi.sandbox import store
from kellyapi.sandbox.aerostack import body_fields, cache, queue, search
from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.language import chat_rules
from kellyapi.sandbox.skytells.inference import embeddings

LONG = "a" * 2000
HEADERS = {"X-Aerostack-Key": "key", "x-api-key": "key"}


@pytest.fixture
def short_records(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (store, body_fields):
        monkeypatch.setattr(module, "MAX_RECORD", 1000)


@pytest.mark.usefixtures("short_records")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/predict", {"model": "gpt-5", "input": {"prompt": LONG}}),
        ("/v1/predictions", {"model": "truefusion", "input": {"prompt": "a", "negative_prompt": LONG}}),
        ("/v1/responses", {"model": "gpt-5", "input": LONG, "store": True}),
        ("/v1/cache/set", {"key": "a", "value": LONG}),
        ("/v1/cache/set", {"key": "a", "value": ["", "é" * 500]}),
        ("/v1/cache/set", {"key": LONG, "value": 1}),
        ("/v1/cache/setMany", {"entries": [{"key": "a", "value": LONG}]}),
        ("/v1/queue/enqueue", {"type": "t", "data": LONG}),
        ("/v1/queue/enqueue", {"type": LONG, "data": 1}),
        ("/v1/ai/search/ingest", {"type": "t", "content": LONG}),
        ("/v1/ai/search/ingest", {"type": "t", "content": "a", "metadata": {"a": LONG}}),
        ("/v1/auth/signup", {"email": "a@example.com", "password": "password", "metadata": {"a": LONG}}),
    ],
)
async def test_a_value_that_is_too_long_to_store_is_a_400(send: Send, path: str, body: Any) -> None:
    response = await send("POST", path, headers=HEADERS, json=body)
    assert response.status == 400
    assert response.json


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "gpt-5", "messages": [{"role": "user", "content": LONG}] * 2}),
        ("/v1/responses", {"model": "gpt-5", "input": "a", "instructions": LONG * 2}),
        ("/v1/embeddings", {"model": "text-embedding-3-small", "input": [LONG, LONG]}),
    ],
)
async def test_a_text_that_is_too_long_for_a_model_is_a_400(
    send: Send, path: str, body: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (chat_rules, embeddings):
        monkeypatch.setattr(module, "MAX_CHARACTERS", 3000)
    response = await send("POST", path, headers=HEADERS, json=body)
    assert response.status == 400
    assert "at most 3,000 characters" in response.json["error"]["message"]


def test_a_reply_is_made_to_a_conversation_of_limited_length() -> None:
    with pytest.raises(BadInput, match="1,000,000 characters"):
        chat_rules.reply([{"role": "user", "content": "a" * 500_001}] * 2)


async def test_one_response_has_a_limited_size_of_cached_values(post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MAX_RESPONSE", 10_000)
    await post("/v1/cache/set", json={"key": "a", "value": LONG})
    assert len((await post("/v1/cache/getMany", json={"keys": ["a"] * 4})).json["results"]) == 4
    refused = await post("/v1/cache/getMany", json={"keys": ["a"] * 5})
    assert (refused.status, refused.json["details"]) == (400, {"field": "keys"})


async def test_a_page_of_jobs_ends_early_when_they_are_large(
    post: Any, aerostack: Aerostack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MAX_PAGE", 5000)
    for number in range(7):
        await aerostack.queue.enqueue("t" if number else "other", LONG)
    page = (await post("/v1/queue/jobs", json={})).json
    assert (len(page["jobs"]), page["list_complete"]) == (3, False)
    assert [job.type async for job in aerostack.queue.iterate()] == ["t"] * 6 + ["other"]
    assert len([job async for job in aerostack.queue.iterate(type="t")]) == 6


async def test_a_search_returns_fewer_documents_when_they_are_large(
    aerostack: Aerostack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MAX_RESPONSE", 5000)
    for number in range(5):
        await aerostack.search.ingest(f"fox {LONG}", type="t", id=str(number))
    assert len(await aerostack.search.query("fox")) == 2
