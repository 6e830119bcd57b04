"""Work of the engines that fails or that nobody waits for: errors in the providers' form, and failed predictions."""

from __future__ import annotations

import asyncio

import pytest
from http_client import EngineGate, Send

from kellyapi import PredictionFailedError, Sandbox
from kellyapi.sandbox import frontend
from kellyapi.sandbox.engines import supervisor

KHAYA = {"Ocp-Apim-Subscription-Key": "key"}


@pytest.fixture
def synthesize(send: Send) -> Send:
    def synthesize(text: str) -> object:
        return send("POST", "/tts/v1/tts", headers=KHAYA, json={"text": text, "language": "eng"})

    return synthesize


@pytest.mark.usefixtures("fake_engines")
async def test_the_work_of_a_client_that_disconnects_is_ended(
    synthesize: Send, engine_gate: EngineGate, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(frontend, "CLIENT_CHECK_INTERVAL", 0.01)
    working = asyncio.create_task(synthesize(engine_gate.text))
    engine = await engine_gate.calls.get()
    working.cancel()
    await engine.ended.wait()
    assert (await synthesize("hello")).status == 200
    assert not caplog.records


@pytest.mark.usefixtures("fake_engines")
async def test_work_that_does_not_end_is_an_error_of_the_provider(
    synthesize: Send, engine_gate: EngineGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(supervisor.TIME_LIMITS, "voice", 0.5)
    response = await synthesize(engine_gate.text)
    assert (response.status, set(response.json)) == (500, {"statusCode", "message", "activityId"})
    assert "took longer than 0.5 s" in response.json["message"]


async def test_a_prediction_whose_work_does_not_end_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(supervisor.TIME_LIMITS, "pictures", 0.0)
    async with Sandbox(keep_engines=True, prediction_time=0) as sandbox, sandbox.api() as api:
        with pytest.raises(PredictionFailedError, match="took longer than 0 s"):
            await api.skytells.run("truefusion", {"prompt": "a fox"})
