"""Wrong arguments of constructors, of functions, and of methods that send nothing themselves."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kellyapi import (
    Aerostack,
    Base64,
    Deliveries,
    Fault,
    Image,
    Kelly,
    KellyAPI,
    Khaya,
    MemoryDeliveries,
    Message,
    PredictionRequest,
    Rate,
    RetryPolicy,
    Sandbox,
    Skytells,
    Speech,
    SQLiteDeliveries,
    Timeout,
    Webhook,
    WebhookReceiver,
    iterate_sync,
    languages,
    open_sync,
    run_sync,
    verify_webhook,
)
from kellyapi.providers.aerostack.cache import CacheItem

CLIENTS = {each.__name__: each for each in (KellyAPI, Kelly, Khaya, Skytells, Aerostack)}
TEXT: list[Any] = [5, True, b"x", ["x"], {"x": 1}, object()]
BLANK: list[Any] = ["", " ", "\u200b"]
COUNT: list[Any] = [0, -1, 1.5, "5", True, math.nan, [5]]
NUMBER: list[Any] = ["5", True, math.nan, math.inf, -math.inf, [5], 1j]
NOT_NEGATIVE: list[Any] = [*NUMBER, -1, -0.5]
POSITIVE: list[Any] = [*NOT_NEGATIVE, 0]
BOOL: list[Any] = [0, 1, "yes", None, []]
OTHER: list[Any] = [5, "x", object(), ["x"]]
OPTIONS: dict[str, list[Any]] = {
    "timeout": POSITIVE,
    "retry": [*OTHER, None],
    "headers": [5, "a", ["a"], {"a": 5}, {5: "a"}, {"a b": "c"}, {"a": "b\n"}, None],
    "proxy": [5, b"http://a", "", " "],
    "max_connections": [*COUNT, None],
    "max_concurrency": COUNT,
    "rate": OTHER,
    "max_response_bytes": [*COUNT, None],
    "allow_http": BOOL,
    "on_response": [5, "x", ["x"]],
    "on_upload": [5, "x", ["x"]],
    "logger": [*OTHER, None],
}

Wrong = tuple[Callable[..., Any], dict[str, Any], str, list[Any]]
"""What is called, with which other arguments, and the wrong values of one argument."""
ROWS: list[Wrong] = [
    *((client, {}, name, wrong) for client in CLIENTS.values() for name, wrong in OPTIONS.items()),
    *((client, {}, "api_key", [5, b"key", ["key"], True]) for client in CLIENTS.values()),
    *((client, {}, "session", [5, "x"]) for client in CLIENTS.values()),
    *((client, {}, "base_url", [5, b"http://a", ["a"]]) for client in (Kelly, Khaya, Skytells, Aerostack)),
    *((KellyAPI, {}, name, [5, b"key", ["key"]]) for name in ("khaya", "skytells", "aerostack", "api")),
    *((Khaya, {}, f"{name}_version", [1, "v9", "", b"v1"]) for name in ("translation", "asr", "tts")),
    (Timeout, {}, "total", NOT_NEGATIVE),
    *((Timeout, {}, name, POSITIVE) for name in ("connect", "idle", "head")),
    (RetryPolicy, {}, "attempts", [*COUNT, None]),
    *((RetryPolicy, {}, name, [*NOT_NEGATIVE, None]) for name in ("base", "throttle_base", "cap")),
    (RetryPolicy, {}, "statuses", [5, "500", ["500"], [5.5], [True], None]),
    *((RetryPolicy, {}, name, BOOL) for name in ("connection_errors", "repeat_metered")),
    (Rate, {}, "calls", [*COUNT, None]),
    (Rate, {"calls": 1}, "per", [*POSITIVE, None]),
    (Base64, {}, "text", [5, b"x", None]),
    (Base64, {"text": ""}, "mime", [5, b"a/b", "", "word"]),
    *((Message, {"role": "user", "content": "x"}, name, [*TEXT, None]) for name in ("role", "content")),
    (Message, {"content": "x"}, "role", BLANK),
    (PredictionRequest, {"input": {}}, "model", [*TEXT, *BLANK, None]),
    (PredictionRequest, {"model": "m"}, "input", [5, "x", ["x"], {5: "x"}, None]),
    (PredictionRequest, {"model": "m", "input": {}}, "webhook", [5, b"x", ["x"], "", " "]),
    (PredictionRequest, {"model": "m", "input": {}}, "stream", BOOL),
    (Webhook, {}, "url", [*TEXT, *BLANK, None]),
    (Webhook, {"url": "https://h.example"}, "events", [5, [5], {"completed": 1}, None]),
    (CacheItem, {"value": 1}, "key", [*TEXT, *BLANK, None]),
    (CacheItem, {"key": "k", "value": 1}, "ttl", POSITIVE),
    (Sandbox, {}, "port", [-1, 65536, "80", 1.5, True, None]),
    (Sandbox, {}, "host", [*TEXT, *BLANK, None]),
    (Sandbox, {}, "keys", [5, "key", [5], {"a": 1}]),
    (Sandbox, {}, "data", [5, b"x", "", ["x"]]),
    (Sandbox, {}, "schema", [5, b"x", ["x"]]),
    (Sandbox, {}, "clock", [5, "x", None]),
    (Sandbox, {}, "prediction_time", [*NOT_NEGATIVE, None]),
    (Sandbox, {}, "webhook_retries", [5, "x", ["x"], [-1], [math.nan], None]),
    (Sandbox, {}, "faults", [5, "x", ["x"], [None], None]),
    (Sandbox, {}, "seed", ["5", 1.5, True, None]),
    (Sandbox, {}, "engines", [*TEXT, *BLANK, None]),
    (Fault, {}, "route", [*TEXT, "", "a", None]),
    *((Fault, {}, name, COUNT) for name in ("times", "gzip_bomb")),
    *((Fault, {"status": 503}, name, [-1, 1.5, "5", True]) for name in ("cut_after", "reset_after")),
    (Fault, {}, "probability", [*NUMBER, 0, -1, 1.5]),
    (Fault, {}, "status", [199, 600, "503", 503.0, True]),
    (Fault, {}, "headers", [5, "x", ["x"], {"a": 5}, {5: "a"}]),
    (Fault, {}, "html", [5, b"x", ["x"]]),
    (Fault, {}, "redirect_to", [5, b"x", ["x"]]),
    (Fault, {}, "length_off_by", ["5", 1.5, True]),
    (Fault, {}, "delay", [*NOT_NEGATIVE, None]),
    (Fault, {}, "drip", [5, (5,), (0, 1), (1, -1), (1, "x"), "ab"]),
    *((Fault, {}, name, BOOL) for name in ("reset", "hang")),
    (Fault, {}, "carried_out", [0, 1, "yes", []]),
    (MemoryDeliveries, {}, "size", [*COUNT, None]),
    (SQLiteDeliveries, {"path": "a.db"}, "keep", [*POSITIVE, None]),
    (SQLiteDeliveries, {"path": "a.db"}, "clock", [5, "x", None]),
    (SQLiteDeliveries, {}, "path", [5, ["x"], None, {}]),
    *((WebhookReceiver, {}, name, [*OTHER]) for name in ("skytells", "store")),
    (WebhookReceiver, {}, "answer_first", BOOL),
    (WebhookReceiver("s").on, {}, "name", [*TEXT, *BLANK, None]),
    (WebhookReceiver("s").routes, {}, "path", [*TEXT, *BLANK, None]),
    (verify_webhook, {"body": b"x", "secret": "s"}, "headers", [5, "x", [5], None]),
    (verify_webhook, {"headers": {}, "secret": "s"}, "body", [5, ["x"], {}, None]),
    (verify_webhook, {"headers": {}, "body": b"x"}, "secret", [5, None, [5], [None], {"s": 1}]),
    (iterate_sync, {}, "iterable", [5, "x", [1], None]),
    (open_sync, {}, "context", [5, "x", [1], None]),
    (languages.find, {}, "code", [*TEXT, None]),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0].__name__}-{row[2]}")
def test_each_wrong_argument_is_refused_by_its_name(
    row: Wrong, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    function, others, name, wrong = row
    messages = []
    for value in wrong:
        with pytest.raises((TypeError, ValueError)) as caught:
            function(**others, **{name: value})
        messages.append(str(caught.value))
    assert [each for each in messages if not re.search(rf"\b{name}\b", each)] == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [5, None, "x", [1]])
def test_run_sync_says_what_it_takes(value: Any) -> None:
    with pytest.raises(TypeError, match="run_sync takes a coroutine"):
        run_sync(value)


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)
def test_an_option_that_does_not_exist_is_refused_with_the_names_of_all(client: Any) -> None:
    with pytest.raises(TypeError, match=r"unknown argument 'timeot'; the arguments are .*timeout, retry, headers"):
        client("key", timeot=5)
    with pytest.raises(TypeError, match="unknown argument 'timeot'; the arguments are timeout, retry, headers"):
        client("key").with_options(timeot=5)


@pytest.mark.parametrize("result", [Image(data=b"x", mime="image/png", provider="kelly")], ids=["image"])
@pytest.mark.parametrize("path", [5, None, b"a.png", "", ["a"]])
async def test_a_result_is_saved_to_a_path_only(result: Image | Speech, path: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\bpath\b"):
        await result.save(path)


async def test_a_receiver_refuses_wrong_arguments() -> None:
    receiver = WebhookReceiver("secret")
    for body in (["{}"], 5, None):
        with pytest.raises(TypeError, match="body must be the bytes"):
            await receiver.handle({}, body)  # type: ignore[arg-type]  # the wrong type is the point
    for prediction in (5, None, "", ".."):
        with pytest.raises((TypeError, ValueError), match="prediction must"):
            await receiver.wait_for(prediction)  # type: ignore[arg-type]  # the wrong type is the point
    for seconds in ("5", -1, math.nan, True):
        with pytest.raises((TypeError, ValueError), match="poll_after must be"):
            await receiver.wait_for("p1", poll_after=seconds)  # type: ignore[arg-type]  # the wrong type is the point


class Store:
    """A store of the user's own, which has the methods and no base."""

    async def claim(self, key: str) -> bool:
        return bool(key)

    async def release(self, key: str) -> None: ...


def test_a_store_needs_only_the_methods() -> None:
    store: Deliveries = Store()
    assert WebhookReceiver("secret", store=store)
