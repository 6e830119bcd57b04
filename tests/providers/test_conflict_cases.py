"""Where the sources of the protocols contradict each other: cases that no table holds."""

from __future__ import annotations

import inspect
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import (
    NO_RETRY,
    Aerostack,
    BadRequestError,
    KellyAPI,
    KellyAPIError,
    Khaya,
    NotFoundError,
    PredictionFailedError,
    RetryPolicy,
    ServerError,
    Skytells,
)
from kellyapi.providers.skytells.predictions.resource import PredictionsResource

from .conflict_messages import A1, AEROSTACK, DONE, KELLY, KHAYA, PREDICT, SKYTELLS, WAV, Call, reply

NO_ROUTE = {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}


# Those that need words of their own


def test_1_times_are_seconds_and_clients_are_closed_by_a_block() -> None:
    assert inspect.signature(PredictionsResource.wait).parameters["timeout"].default == 900.0
    assert hasattr(Skytells, "__aexit__")


async def test_3_a_queued_prediction_is_waited_for(wire: Responses) -> None:
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


async def test_10_a_list_is_filtered_with_the_parameters_of_the_code(wire: Responses) -> None:
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
async def test_15_and_16_the_code_decides_before_the_status_in_every_form(
    wire: Responses, status: int, body: Any, error: type[KellyAPIError]
) -> None:
    respond(wire, "POST", PREDICT, status=status, json=body)
    async with Skytells("key", retry=NO_RETRY) as skytells:
        with pytest.raises(error, match="no"):
            await skytells.predictions.create("m", {})


async def test_19_the_stream_of_a_prediction_is_an_address_in_json(wire: Responses) -> None:
    respond(wire, "GET", f"{A1}/stream", json={**DONE, "urls": {"stream": "https://s.example/a1"}})
    async with Skytells("key") as skytells:
        assert (await skytells.predictions.stream_info("a1")).urls["stream"] == "https://s.example/a1"


async def test_20_the_key_is_read_from_the_environment(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_API_KEY", "from the environment")
    sent = respond(wire, "GET", A1, json=DONE)
    async with Skytells() as skytells:
        await skytells.predictions.get("a1")
    assert sent[0].headers == {"x-api-key": "from the environment"}


async def test_23_an_unknown_voice_is_an_error_of_the_provider(wire: Responses) -> None:
    detail = {"code": "INVALID_SPEAKER", "message": "Unknown speaker", "target": "speaker_id"}
    body = {"error": {"code": "VALIDATION_FAILED", "message": "Invalid.", "details": [detail]}}
    respond(wire, "POST", f"{KHAYA}/tts/v1/tts", status=400, json=body)
    async with Khaya("key") as khaya:
        with pytest.raises(BadRequestError, match="Unknown speaker") as caught:
            await khaya.synthesize("hi", "twi", voice="nobody")
    assert caught.value.details == [detail]


async def test_25_the_versions_are_v1_v3_and_v1_by_default(wire: Responses) -> None:
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
async def test_26_and_27_the_format_of_audio_is_known_by_its_type(wire: Responses, audio: bytes, kind: str) -> None:
    sent = respond(wire, "POST", f"{KHAYA}/asr/v3/transcribe?language=twi", json={"text": "x"})
    async with Khaya("key") as khaya:
        await khaya.transcribe(audio, "twi")
    assert (sent[0].headers["Content-Type"], sent[0].body) == (kind, audio)


async def test_33_a_session_of_the_user_works_for_more_than_one_call(wire: Responses) -> None:
    sent = respond(wire, "POST", f"{KELLY}/chat/chatgpt", json={"message": "x"}, repeat=True)
    async with aiohttp.ClientSession() as session:
        for source in (session, lambda: session):
            async with KellyAPI("key", session=source) as api:
                await api.llm("hi")
                await api.llm("hi")
        assert not session.closed
    assert len(sent) == 4


async def test_35_the_address_is_that_of_the_wheel_and_can_be_changed(wire: Responses) -> None:
    for url, options in (
        (Aerostack.PRODUCTION, {}),
        (Aerostack.DEV, {"base_url": Aerostack.DEV}),
        ("https://api.aerocall.ai/v1", {"base_url": "https://api.aerocall.ai/v1/"}),
    ):
        sent = respond(wire, "POST", f"{url}/cache/get", json={"value": 1})
        async with Aerostack("key", **options) as aerostack:
            await aerostack.cache.get("a")
        assert len(sent) == 1


async def test_41_free_calls_are_retried_and_billed_calls_are_not(wire: Responses) -> None:
    down = {"code": "INTERNAL_ERROR", "message": "no"}
    for path in ("/cache/get", "/ai/chat"):
        respond(wire, "POST", AEROSTACK + path, status=500, json=down)
    respond(wire, "POST", f"{AEROSTACK}/cache/get", json={"value": 1})
    async with Aerostack("key", retry=RetryPolicy(attempts=2, base=0.0)) as aerostack:
        assert (await aerostack.cache.get("a")).value == 1
        with pytest.raises(ServerError):
            await aerostack.ai.chat("hi")
