"""Where the sources of the protocols contradict each other, by the numbers of the reference, and what is done here.

Each row is (conflict, what is answered at which address, the call, what is seen). The request that a row names is the
only one that is answered, so another address or method would fail. Left out are the conflicts that are about names in
other packages and not about the wire (21, 34, 40, 43), 29, which is the address of every row of Khaya's, and 6, which
is the webhooks'.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as Responses
from exchanges import Sent, respond

from kellyapi import (
    NO_RETRY,
    Aerostack,
    BadRequestError,
    CacheEntry,
    Kelly,
    KellyAPI,
    KellyAPIError,
    Khaya,
    NotFoundError,
    Prediction,
    PredictionFailedError,
    RetryPolicy,
    ServerError,
    Skytells,
    Wallet,
    Webhook,
)
from kellyapi.providers.skytells.predictions.resource import PredictionsResource

KELLY, KHAYA = "https://api.kellyai.pro", "https://translation-api.ghananlp.org"
SKYTELLS, AEROSTACK = "https://api.skytells.ai/v1", "https://api.aerostack.ai/v1"
PREDICT, A1 = f"{SKYTELLS}/predict", f"{SKYTELLS}/predictions/a1"
CHAT = f"{AEROSTACK}/ai/chat"
DONE = {"id": "a1", "status": "succeeded"}
EVENTS = ["started", "completed", "failed", "canceled"]
HOOK = "https://h.example/x"
WAV = b"RIFF\x00\x00\x00\x00WAVE"
NO_ROUTE = {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}
Call = Callable[[Any], Awaitable[Any]]


async def last(predictions: Any) -> Any:
    """Follow a job to its end."""
    return [state.status async for state in predictions.follow("a1", interval=0)]


READ: list[tuple[str, Any, str, str, Any, Call, Any]] = [
    # The answer of either side is understood.
    (
        "3 canceled",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "canceled"},
        lambda it: last(it.predictions),
        ["canceled"],
    ),
    (
        "3 cancelled",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "cancelled"},
        lambda it: last(it.predictions),
        ["cancelled"],
    ),
    ("11 object", Skytells, "GET", f"{SKYTELLS}/predictions?page=1", {"data": [DONE]}, lambda it: ids(it), ["a1"]),
    ("11 array", Skytells, "GET", f"{SKYTELLS}/predictions?page=1", [DONE], lambda it: ids(it), ["a1"]),
    ("12 success", Skytells, "POST", f"{A1}/cancel", {"success": True}, lambda it: it.predictions.cancel("a1"), None),
    (
        "12 prediction",
        Skytells,
        "POST",
        f"{A1}/cancel",
        DONE,
        lambda it: it.predictions.cancel("a1"),
        Prediction(**DONE),
    ),
    (
        "13 billing",
        Skytells,
        "GET",
        A1,
        {**DONE, "metadata": {"billing": {"credits_used": 0.5}}},
        lambda it: cost(it),
        0.5,
    ),
    (
        "13 other billing",
        Skytells,
        "GET",
        A1,
        {**DONE, "metrics": {"billing": {"credits_used": 0.5}}},
        lambda it: cost(it),
        None,
    ),
    (
        "14 response",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "failed", "response": "no GPU"},
        lambda it: reason(it),
        "no GPU",
    ),
    (
        "14 error",
        Skytells,
        "GET",
        A1,
        {"id": "a1", "status": "failed", "error": "no GPU"},
        lambda it: reason(it),
        "no GPU",
    ),
    ("17", Skytells, "POST", PREDICT, {"status": False, "id": "a1"}, lambda it: status(it), "pending"),
    ("37 response", Aerostack, "POST", CHAT, {"response": "hello"}, lambda it: text(it), "hello"),
    (
        "37 completion",
        Aerostack,
        "POST",
        CHAT,
        {"choices": [{"message": {"content": "hello"}}]},
        lambda it: text(it),
        "hello",
    ),
    (
        "39",
        Aerostack,
        "GET",
        f"{AEROSTACK}/ai/gateway/me/wallet?api_slug=a",
        {"wallet": {"balance": 1, "total_consumed": 2, "total_purchased": 3, "hard_limit": 4, "soft_limit": 5}},
        lambda it: it.gateway.wallet("a", consumer="ask"),
        Wallet(balance=1.0, total_consumed=2.0, total_purchased=3.0, hard_limit=4.0, soft_limit=5.0),
    ),
    *(
        (
            "42",
            Aerostack,
            "POST",
            f"{AEROSTACK}/cache/get",
            {"value": value},
            lambda it: it.cache.get("a"),
            CacheEntry(value),
        )
        for value in ("text", 1, [None], {"a": 1}, False, None)
    ),
]

SENT: list[tuple[str, Any, str, Any, Any, Call, set[str]]] = [
    # Of two ways to ask, this one goes out; the fields that are named are seen in the body.
    ("2", Skytells, PREDICT, DONE, {"await": False}, lambda it: it.predictions.create("m", {}), {"wait"}),
    ("2", Skytells, PREDICT, DONE, {"await": True}, lambda it: it.predictions.create("m", {}, wait=True), {"wait"}),
    (
        "4 url",
        Skytells,
        PREDICT,
        DONE,
        {"webhook": {"url": HOOK, "events": EVENTS}},
        lambda it: it.predictions.create("m", {}, webhook=HOOK),
        {"webhook_events_filter"},
    ),
    (
        "5",
        Skytells,
        PREDICT,
        DONE,
        {"webhook": {"url": HOOK, "events": ["completed", "canceled"]}},
        lambda it: it.predictions.create(
            "m", {}, webhook=Webhook(HOOK, ["prediction.succeeded", "prediction.cancelled"])
        ),
        set(),
    ),
    ("7", Skytells, PREDICT, DONE, {"model": "m"}, lambda it: it.predictions.create("m", {}), set()),
    (
        "22",
        Khaya,
        f"{KHAYA}/tts/v1/tts",
        WAV,
        {"speaker_id": "female"},
        lambda it: it.synthesize("hi", "twi", voice="female"),
        {"speaker"},
    ),
    ("24", Khaya, f"{KHAYA}/v1/translate", "x", {"lang": "en-tw"}, lambda it: it.translate("hi", "en-tw"), set()),
    ("24", Khaya, f"{KHAYA}/v1/translate", "x", {"lang": "eng-twi"}, lambda it: it.translate("hi", "eng-twi"), set()),
    (
        "28",
        Khaya,
        f"{KHAYA}/tts/v1/tts",
        WAV,
        {"speaker_id": "twi_speaker_4"},
        lambda it: it.synthesize("hi", "twi", voice="twi_speaker_4"),
        set(),
    ),
    ("31", Kelly, f"{KELLY}/write/notes", {"image": "aGk="}, {"code": "hi"}, lambda it: it.write_notes("hi"), {"text"}),
    ("32", Kelly, f"{KELLY}/chat/chatgpt", {"message": "x"}, {"character": "KelyAI"}, lambda it: it.chat("hi"), set()),
    (
        "38",
        Aerostack,
        f"{AEROSTACK}/ai/gateway/a/chat/completions",
        {"choices": []},
        {},
        lambda it: it.gateway.chat("a", "hi", consumer="ask"),
        set(),
    ),
    (
        "42",
        Aerostack,
        f"{AEROSTACK}/queue/enqueue",
        {"jobId": "j"},
        {"data": [1, None]},
        lambda it: it.queue.enqueue("t", [1, None]),
        set(),
    ),
    (
        "42",
        Aerostack,
        f"{AEROSTACK}/services/invoke",
        {},
        {"data": "text"},
        lambda it: it.services.invoke("s", "text"),
        set(),
    ),
]

HEADERS: list[tuple[str, Any, str, str, Any, Call, dict[str, str]]] = [
    ("18", Skytells, "GET", A1, DONE, lambda it: it.predictions.get("a1"), {"x-api-key": "key"}),
    ("30", Kelly, "GET", f"{KELLY}/sd/models", [], lambda it: it.models("sd"), {"Authorization": "Bearer key"}),
    (
        "36",
        Aerostack,
        "POST",
        f"{AEROSTACK}/cache/get",
        {"exists": False},
        lambda it: it.cache.get("a"),
        {"X-Aerostack-Key": "key", "Content-Type": "application/json"},
    ),
    (
        "38",
        Aerostack,
        "GET",
        f"{AEROSTACK}/ai/gateway/me/wallet?api_slug=a",
        {"wallet": {}},
        lambda it: it.gateway.wallet("a", consumer="ask"),
        {"Authorization": "Bearer ask"},
    ),
]


async def ids(it: Skytells) -> list[str]:
    return [job.id for job in (await it.predictions.list()).items]


async def cost(it: Skytells) -> float | None:
    return (await it.predictions.get("a1")).credits_used


async def reason(it: Skytells) -> str | None:
    return (await it.predictions.get("a1")).error


async def status(it: Skytells) -> str:
    return (await it.predictions.create("m", {})).status


async def text(it: Aerostack) -> str:
    return (await it.ai.chat("hi")).text


def reply(wire: Responses, method: str, url: str, body: Any) -> list[Sent]:
    """Answer with JSON, or with audio."""
    if isinstance(body, bytes):
        return respond(wire, method, url, body=body, content_type="audio/wav")
    return respond(wire, method, url, json=body)


@pytest.mark.parametrize(
    ("number", "client", "method", "url", "body", "call", "result"), READ, ids=[row[0] for row in READ]
)
async def test_the_answers_of_both_sides_are_understood(
    wire: Responses, number: str, client: Any, method: str, url: str, body: Any, call: Call, result: Any
) -> None:
    reply(wire, method, url, body)
    async with client("key", retry=NO_RETRY) as one:
        assert await call(one) == result


@pytest.mark.parametrize(
    ("number", "client", "url", "body", "fields", "call", "absent"), SENT, ids=[row[0] for row in SENT]
)
async def test_of_two_ways_to_ask_the_one_of_the_code_goes_out(
    wire: Responses, number: str, client: Any, url: str, body: Any, fields: Any, call: Call, absent: Any
) -> None:
    sent = reply(wire, "POST", url, body)
    async with client("key", retry=NO_RETRY) as one:
        await call(one)
    assert {name: sent[0].json[name] for name in fields} == fields
    assert not absent & sent[0].json.keys()


@pytest.mark.parametrize(
    ("number", "client", "method", "url", "body", "call", "headers"), HEADERS, ids=[row[0] for row in HEADERS]
)
async def test_one_header_carries_the_key(
    wire: Responses, number: str, client: Any, method: str, url: str, body: Any, call: Call, headers: dict[str, str]
) -> None:
    sent = reply(wire, method, url, body)
    async with client("key", retry=NO_RETRY) as one:
        await call(one)
    assert [one.headers for one in sent] == [headers]


# Those that need words of their own


def test_1_times_are_seconds_and_clients_are_closed_by_a_block() -> None:
    assert inspect.signature(PredictionsResource.wait).parameters["timeout"].default == 900.0
    assert hasattr(Skytells, "__aexit__")


async def test_3_a_queued_job_is_waited_for(wire: Responses) -> None:
    for state in ("queued", "starting", "processing", "canceled"):
        respond(wire, "GET", A1, json={"id": "a1", "status": state})
    async with Skytells("key") as skytells:
        with pytest.raises(PredictionFailedError) as caught:
            await skytells.predictions.wait("a1", interval=0)
    assert caught.value.prediction.status == "canceled"


@pytest.mark.parametrize(
    ("method", "first", "second", "call"),
    [
        ("DELETE", f"{A1}/delete", A1, lambda it: it.predictions.delete("a1")),  # 8
        ("GET", f"{SKYTELLS}/model/m", f"{SKYTELLS}/models/m", lambda it: it.models.get("m")),  # 9
    ],
)
@pytest.mark.parametrize("missing", [404, 405])
async def test_8_and_9_the_other_address_is_tried_when_one_is_unknown(
    wire: Responses, method: str, first: str, second: str, call: Call, missing: int
) -> None:
    respond(wire, method, first, status=missing, json=NO_ROUTE)
    respond(wire, method, second, json={"id": "a1", "status": "cancelled", "name": "M", "namespace": "m"})
    async with Skytells("key") as skytells:
        assert await call(skytells) is not None
    assert len(wire.requests) == 2


async def test_10_a_list_is_filtered_in_the_words_of_the_code(wire: Responses) -> None:
    query = "page=2&from=2026-01-01&to=2026-01-31&model=m&status=failed&per_page=50"
    respond(wire, "GET", f"{SKYTELLS}/predictions?{query}", json={"data": []})
    async with Skytells("key") as skytells:
        await skytells.predictions.list(
            page=2, since="2026-01-01", until="2026-01-31", model="m", status="failed", per_page=50
        )
        with pytest.raises(TypeError, match="limit"):
            await skytells.predictions.list(limit=5)  # type: ignore[call-arg]  # in no code


async def test_13_a_model_is_named_by_its_namespace_and_costs_an_amount_by_unit(wire: Responses) -> None:
    model = {"id": "x", "name": "M", "namespace": "m", "pricing": {"per_prediction": 9, "amount": 0.5, "unit": "token"}}
    respond(wire, "GET", f"{SKYTELLS}/models", json=[model])
    async with Skytells("key") as skytells:
        (found,) = await skytells.models.list()
    assert found.pricing is not None
    assert (found.namespace, found.pricing.amount, found.pricing.unit) == ("m", 0.5, "token")


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (422, {"error": {"error_id": "INVALID_INPUT", "message": "no"}}, BadRequestError),
        (400, {"error": {"error_id": "INVALID_INPUT", "message": "no"}}, BadRequestError),
        (422, {"status": False, "error": {"error_id": "VALIDATION_ERROR", "message": "no"}}, BadRequestError),
        (400, {"error": {"error_id": "MODEL_NOT_FOUND", "message": "no"}}, NotFoundError),
        (404, {"error": {"message": "no"}}, NotFoundError),
        (502, {"error_id": "PREDICTION_FAILED", "message": "no"}, ServerError),
        (200, {"status": False, "error": {"error_id": "INVALID_INPUT", "message": "no"}}, BadRequestError),
    ],
)
async def test_15_and_16_the_code_decides_first_and_the_status_second_in_every_shape(
    wire: Responses, status: int, body: Any, error: type[KellyAPIError]
) -> None:
    respond(wire, "POST", PREDICT, status=status, json=body)
    async with Skytells("key", retry=NO_RETRY) as skytells:
        with pytest.raises(error, match="no"):
            await skytells.predictions.create("m", {})


async def test_19_the_stream_of_a_job_is_an_address_in_json(wire: Responses) -> None:
    respond(wire, "GET", f"{A1}/stream", json={**DONE, "urls": {"stream": "https://s.example/a1"}})
    async with Skytells("key") as skytells:
        assert (await skytells.predictions.stream_info("a1")).urls["stream"] == "https://s.example/a1"


async def test_20_the_key_is_read_from_the_environment(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_API_KEY", "from the environment")
    sent = respond(wire, "GET", A1, json=DONE)
    async with Skytells() as skytells:
        await skytells.predictions.get("a1")
    assert sent[0].headers == {"x-api-key": "from the environment"}


async def test_23_an_unknown_voice_is_the_systems_error(wire: Responses) -> None:
    detail = {"code": "INVALID_SPEAKER", "message": "Unknown speaker", "target": "speaker_id"}
    body = {"error": {"code": "VALIDATION_FAILED", "message": "Invalid.", "details": [detail]}}
    respond(wire, "POST", f"{KHAYA}/tts/v1/tts", status=400, json=body)
    async with Khaya("key") as khaya:
        with pytest.raises(BadRequestError, match="Unknown speaker") as caught:
            await khaya.synthesize("hi", "twi", voice="nobody")
    assert caught.value.details == [detail]


async def test_25_the_versions_are_v1_v3_and_v1_unless_others_are_asked_for(wire: Responses) -> None:
    for versions, paths in (
        ({}, ("/v1/translate", "/asr/v3/transcribe?language=twi", "/tts/v1/tts")),
        (
            {"translation_version": "v2", "asr_version": "v2", "tts_version": "v2"},
            ("/v2/translate", "/asr/v2/transcribe?language=twi", "/tts/v2/synthesize"),
        ),
    ):
        for path, body in zip(paths, ("x", {"text": "x"}, WAV), strict=True):
            reply(wire, "POST", KHAYA + path, body)
        async with Khaya("key", **versions) as khaya:  # type: ignore[arg-type]  # a row of the table
            await khaya.translate("hi", "en-tw")
            await khaya.transcribe(WAV, "twi")
            await khaya.synthesize("hi", "twi")
    assert len(wire.requests) == 6


@pytest.mark.parametrize(
    ("audio", "kind"),
    [(WAV, "audio/wav"), (b"ID3\x03", "audio/mpeg"), (b"fLaC", "audio/flac"), (b"OggS", "audio/ogg")],
)
async def test_26_and_27_audio_of_four_kinds_says_what_it_is(wire: Responses, audio: bytes, kind: str) -> None:
    sent = respond(wire, "POST", f"{KHAYA}/asr/v3/transcribe?language=twi", json={"text": "x"})
    async with Khaya("key") as khaya:
        await khaya.transcribe(audio, "twi")
    assert (sent[0].headers["Content-Type"], sent[0].body) == (kind, audio)


async def test_33_a_session_that_is_passed_in_serves_more_than_one_call(wire: Responses) -> None:
    sent = respond(wire, "POST", f"{KELLY}/chat/chatgpt", json={"message": "x"}, repeat=True)
    async with aiohttp.ClientSession() as session:
        for source in (session, lambda: session):
            async with KellyAPI("key", session=source) as api:
                await api.llm("hi")
                await api.llm("hi")
        assert not session.closed
    assert len(sent) == 4


async def test_35_the_address_is_that_of_the_wheel_and_another_is_an_option(wire: Responses) -> None:
    for url, options in (
        (Aerostack.PRODUCTION, {}),
        (Aerostack.DEV, {"base_url": Aerostack.DEV}),
        ("https://api.aerocall.ai/v1", {"base_url": "https://api.aerocall.ai/v1/"}),
    ):
        sent = respond(wire, "POST", f"{url}/cache/get", json={"value": 1})
        async with Aerostack("key", **options) as aerostack:
            await aerostack.cache.get("a")
        assert len(sent) == 1


async def test_41_what_may_be_done_twice_for_free_is_retried_and_what_is_billed_is_not(wire: Responses) -> None:
    down = {"code": "INTERNAL_ERROR", "message": "no"}
    for path in ("/cache/get", "/ai/chat"):
        respond(wire, "POST", AEROSTACK + path, status=500, json=down)
    respond(wire, "POST", f"{AEROSTACK}/cache/get", json={"value": 1})
    async with Aerostack("key", retry=RetryPolicy(attempts=2, base=0.0)) as aerostack:
        assert (await aerostack.cache.get("a")).value == 1
        with pytest.raises(ServerError):
            await aerostack.ai.chat("hi")
