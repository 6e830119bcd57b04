"""Hostile ids, keys and queries, for every method that takes one: they arrive unchanged, or nothing is sent.

An id in a path is one encoded segment, a value in a query one encoded value, and a body JSON. A
server decodes them here, as any server would.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest
from servers import Seen, Server, make_response

from kellyapi import NO_RETRY, Aerostack, Kelly, KellyAPIError, Khaya, Prediction, Skytells

IDS = [
    "../models?x=1",
    "a/b",
    "ü",
    "%2e%2e",
    "...",
    "x" * 300,
    "a b#c",
    "a&b=c+d",
    "a;b:c@d\\e'f\"g",
    "{0}{id}",
]
STEPS = [".", ".."]
CONTROL = ["a\nb", "a\r\nX-Evil: 1", "a\x00", "a\x7f", "a\u2028b"]

Call = Callable[[Any, Any], Awaitable[Any]]
IN_PATH: dict[str, tuple[Any, Call, str, str]] = {
    "kelly.chat": (Kelly, lambda it, id: it.chat("hi", model=id), "/chat/", ""),
    "skytells.get": (Skytells, lambda it, id: it.predictions.get(id), "/predictions/", ""),
    "skytells.wait": (Skytells, lambda it, id: it.predictions.wait(id), "/predictions/", ""),
    "skytells.follow": (Skytells, lambda it, id: anext(it.predictions.follow(id)), "/predictions/", ""),
    "skytells.download": (Skytells, lambda it, id: it.predictions.download(id, "."), "/predictions/", ""),
    "skytells.stream_info": (Skytells, lambda it, id: it.predictions.stream_info(id), "/predictions/", "/stream"),
    "skytells.cancel": (Skytells, lambda it, id: it.predictions.cancel(id), "/predictions/", "/cancel"),
    "skytells.delete": (Skytells, lambda it, id: it.predictions.delete(id), "/predictions/", "/delete"),
    "skytells.models.get": (Skytells, lambda it, id: it.models.get(id), "/model/", ""),
    "aerostack.gateway.chat": (
        Aerostack,
        lambda it, id: it.gateway.chat(id, "hi", consumer="ask"),
        "/ai/gateway/",
        "/chat/completions",
    ),
}
IN_QUERY: dict[str, tuple[Any, Call, str]] = {
    "skytells.list model": (Skytells, lambda it, value: it.predictions.list(model=value), "model"),
    "skytells.list status": (Skytells, lambda it, value: it.predictions.list(status=value), "status"),
    "skytells.list since": (Skytells, lambda it, value: it.predictions.list(since=value), "from"),
    "skytells.models.list": (Skytells, lambda it, value: it.models.list(fields=[value]), "fields"),
    "aerostack.wallet": (Aerostack, lambda it, value: it.gateway.wallet(value, consumer="ask"), "api_slug"),
    "khaya.transcribe": (Khaya, lambda it, value: it.transcribe(b"RIFF", value), "language"),
    "skytells.list until": (Skytells, lambda it, value: it.predictions.list(until=value), "to"),
    "skytells.pages": (Skytells, lambda it, value: anext(it.predictions.pages(model=value)), "model"),
    "skytells.iterate": (Skytells, lambda it, value: anext(it.predictions.iterate(status=value)), "status"),
}
IN_BODY: dict[str, tuple[Any, Call, str]] = {
    "skytells.create": (Skytells, lambda it, id: it.predictions.create(id, {}), "model"),
    "skytells.chat": (Skytells, lambda it, id: it.chat.create(id, "hi"), "model"),
    "skytells.responses": (Skytells, lambda it, id: it.responses.create(id, "hi"), "model"),
    "skytells.embeddings": (Skytells, lambda it, id: it.embeddings.create(id, "hi"), "model"),
    "cache.get": (Aerostack, lambda it, key: it.cache.get(key), "key"),
    "cache.set": (Aerostack, lambda it, key: it.cache.set(key, 1), "key"),
    "cache.delete": (Aerostack, lambda it, key: it.cache.delete(key), "key"),
    "cache.get_many": (Aerostack, lambda it, key: it.cache.get_many([key]), "keys.0"),
    "cache.set_many": (Aerostack, lambda it, key: it.cache.set_many({key: 1}), "entries.0.key"),
    "cache.delete_many": (Aerostack, lambda it, key: it.cache.delete_many([key]), "keys.0"),
    "cache.expire": (Aerostack, lambda it, key: it.cache.expire(key, 60), "key"),
    "cache.increment": (Aerostack, lambda it, key: it.cache.increment(key), "key"),
    "queue.enqueue": (Aerostack, lambda it, id: it.queue.enqueue(id, {}), "type"),
    "queue.job": (Aerostack, lambda it, id: it.queue.job(id), "jobId"),
    "queue.cancel": (Aerostack, lambda it, id: it.queue.cancel(id), "jobId"),
    "storage.download": (Aerostack, lambda it, key: it.storage.download(key), "key"),
    "storage.url": (Aerostack, lambda it, key: it.storage.url(key), "key"),
    "storage.delete": (Aerostack, lambda it, key: it.storage.delete(key), "key"),
    "storage.exists": (Aerostack, lambda it, key: it.storage.exists(key), "key"),
    "storage.metadata": (Aerostack, lambda it, key: it.storage.metadata(key), "key"),
    "storage.copy source": (Aerostack, lambda it, key: it.storage.copy(key, "b"), "sourceKey"),
    "storage.copy target": (Aerostack, lambda it, key: it.storage.copy("a", key), "destKey"),
    "storage.move source": (Aerostack, lambda it, key: it.storage.move(key, "b"), "sourceKey"),
    "storage.move target": (Aerostack, lambda it, key: it.storage.move("a", key), "destKey"),
    "search.get": (Aerostack, lambda it, id: it.search.get(id), "id"),
    "search.update": (Aerostack, lambda it, id: it.search.update(id, "text"), "id"),
    "search.delete": (Aerostack, lambda it, id: it.search.delete(id), "id"),
    "search.delete_type": (Aerostack, lambda it, id: it.search.delete_type(id), "type"),
    "search.ingest": (Aerostack, lambda it, id: it.search.ingest("text", id), "type"),
    "services.invoke": (Aerostack, lambda it, name: it.services.invoke(name, {}), "serviceName"),
    "gateway.log_usage consumer": (Aerostack, lambda it, id: it.gateway.log_usage(id, "a", 1), "consumerId"),
    "gateway.log_usage api": (Aerostack, lambda it, id: it.gateway.log_usage("c", id, 1), "apiId"),
}
# Filters of a list may be any string, an empty one too.
FILTERS: dict[str, tuple[Any, Call, str]] = {
    "cache.keys": (Aerostack, lambda it, prefix: it.cache.keys(prefix=prefix), "prefix"),
    "cache.list": (Aerostack, lambda it, prefix: it.cache.list(prefix=prefix), "prefix"),
    "cache.flush": (Aerostack, lambda it, prefix: it.cache.flush(prefix=prefix), "prefix"),
    "storage.list": (Aerostack, lambda it, prefix: it.storage.list(prefix=prefix), "prefix"),
    "queue.jobs": (Aerostack, lambda it, status: it.queue.jobs(status=status), "status"),
    "search.query": (Aerostack, lambda it, type: it.search.query("text", types=[type]), "types.0"),
    "search.count": (Aerostack, lambda it, type: it.search.count(type), "type"),
    "db.query": (Aerostack, lambda it, value: it.db.query("SELECT ?", [value]), "params.0"),
}

REFUSED = make_response(400, b'{"message": "no", "code": "VALIDATION_ERROR"}')


async def ask(client: Any, call: Call, values: Iterable[str], *, into: Callable[[str], Any] = str) -> dict[str, Seen]:
    """Call a method with each value, ignore the results, and return the one request of each."""
    sent = {}
    async with Server(REFUSED) as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        for value in values:
            with pytest.raises((KellyAPIError, ValueError)):
                await call(one, into(value))
            (sent[value],) = server.requests[len(sent) :]
    return sent


@pytest.mark.parametrize("name", IN_PATH)
async def test_an_id_in_a_path_is_one_segment(name: str) -> None:
    client, call, before, after = IN_PATH[name]
    for id, seen in (await ask(client, call, IDS)).items():
        assert seen.target.startswith(before)
        assert seen.target.endswith(after)
        segment = seen.target.removeprefix(before).removesuffix(after)
        assert not set(segment) & set("/?#+& \\")
        assert unquote(segment) == id


@pytest.mark.parametrize("name", IN_PATH)
async def test_an_id_that_a_server_may_misread_in_a_path_is_refused(name: str) -> None:
    client, call, _, _ = IN_PATH[name]
    async with Server() as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        for id in ("", *STEPS, *CONTROL):
            with pytest.raises(ValueError, match=r"^\w+ must not "):
                await call(one, id)
    assert (server.requests, server.connections) == ([], 0)


@pytest.mark.parametrize("name", [name for name in IN_PATH if "predictions" in IN_PATH[name][2]])
async def test_a_prediction_with_a_hostile_id_is_named_by_it(name: str) -> None:
    client, call, before, after = IN_PATH[name]
    sent = await ask(client, call, IDS, into=lambda id: Prediction(id=id, status="processing"))
    for id, seen in sent.items():
        assert unquote(seen.target.removeprefix(before).removesuffix(after)) == id


@pytest.mark.parametrize("name", IN_QUERY)
async def test_a_value_in_a_query_stays_one_value(name: str) -> None:
    client, call, field = IN_QUERY[name]
    for value, seen in (await ask(client, call, [*IDS, *STEPS, *CONTROL])).items():
        path, _, query = seen.target.partition("?")
        assert parse_qs(query, keep_blank_values=True, strict_parsing=True)[field] == [value]
        assert "#" not in seen.target
        assert ".." not in path


@pytest.mark.parametrize("name", [*IN_BODY, *FILTERS])
async def test_a_key_in_a_body_arrives_unchanged(name: str) -> None:
    client, call, place = {**IN_BODY, **FILTERS}[name]
    for value, seen in (await ask(client, call, [*IDS, *STEPS, *CONTROL, "a\u0301", "\U0001f98a"])).items():
        found = json.loads(bytes(seen.body))
        for step in place.split("."):
            found = found[int(step) if step.isdigit() else step]
        assert found == value
        assert not seen.target.partition("?")[2]


async def test_a_key_in_a_form_stays_one_part() -> None:
    sent = await ask(Aerostack, lambda it, key: it.storage.upload(key, b"RIFF", filename="sound"), IDS)
    for value, seen in sent.items():
        parts = bytes(seen.body).split(b"\r\n--")
        assert [part.partition(b"\r\n\r\n")[2].decode() for part in parts if b'name="key"' in part] == [value]
        assert len(parts) == len(("file", "key", "contentType", "the end"))


@pytest.mark.parametrize("name", IN_BODY)
async def test_an_empty_key_is_refused(name: str) -> None:
    client, call, _ = IN_BODY[name]
    async with Server() as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        for value in ("", "  ", "\n"):
            with pytest.raises(ValueError, match="is empty"):
                await call(one, value)
    assert server.connections == 0


@pytest.mark.parametrize("name", [*IN_PATH, *IN_BODY])
async def test_a_key_that_is_not_a_string_is_a_type_error(name: str) -> None:
    client, call = {**IN_PATH, **IN_BODY}[name][:2]
    async with Server() as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        with pytest.raises(TypeError):
            await call(one, 5)
    assert server.connections == 0


@pytest.mark.parametrize("name", [*IN_PATH, *IN_BODY])
async def test_a_lone_surrogate_is_refused(name: str) -> None:
    client, call = {**IN_PATH, **IN_BODY}[name][:2]
    async with Server() as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        with pytest.raises((ValueError, TypeError)):
            await call(one, "a\ud800")
    assert server.connections == 0
