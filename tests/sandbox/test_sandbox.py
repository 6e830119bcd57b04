"""Start and close of the sandbox, its addresses and keys, its engines' process, and clients that disconnect."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from fake_engines.voice import recognition
from http_client import EngineGate, Send

from kellyapi import KellyAPI, Khaya, Sandbox, TransportError
from kellyapi.sandbox import app

pytestmark = pytest.mark.usefixtures("own_sandbox")

KEY = {"Ocp-Apim-Subscription-Key": "key"}


@pytest.fixture
def synthesize(send: Send) -> Send:
    """Synthesize a text in the engines' process."""

    async def synthesize(text: str, **request: object) -> object:
        return await send("POST", "/tts/v1/tts", headers=KEY, json={"text": text, "language": "eng"}, **request)

    return synthesize


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_provider_has_a_base_url_on_the_same_port() -> None:
    async with Sandbox(keep_engines=True) as sandbox:
        assert sandbox.port > 0
        root = f"http://127.0.0.1:{sandbox.port}"
        v1 = f"{root}/v1"
        assert sandbox.url == root
        assert sandbox.urls == {"kelly": root, "khaya": root, "skytells": v1, "aerostack": v1}
        async with sandbox.api() as api:
            assert {name: getattr(api, name).base_url for name in sandbox.urls} == sandbox.urls


def test_an_ipv6_address_is_in_brackets() -> None:
    assert Sandbox(8787, host="::1").url == "http://[::1]:8787"


async def test_the_client_of_a_sandbox_ignores_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("KELLYAI", "KHAYA", "SKYTELLS", "AEROSTACK"):
        monkeypatch.setenv(f"{provider}_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{provider}_API_KEY", "from the environment")
    async with Sandbox(keys=["right"], keep_engines=True) as sandbox, sandbox.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
        assert (await api.chat("hello")).text.startswith("[sandbox]")
        assert await api.kelly.models("sd")


async def test_kellyapi_sandbox_yields_a_client_with_its_options_and_closes_it_after_the_block() -> None:
    class Mine(KellyAPI):
        pass

    urls: list[str] = []
    async with Mine.sandbox(on_response=lambda request, response: urls.append(request.url), timeout=5) as api:
        assert isinstance(api, Mine)
        assert str(await api.translate("Thank you", "en-ee")) == "Akpe"
        assert urls == [f"{api.khaya.base_url}/v1/translate"]
    with pytest.raises(TransportError):
        await api.khaya.languages("translation")
    await api.close()


async def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="retires"):
        async with KellyAPI.sandbox(retires=3):  # type: ignore[call-arg]  # what is tested
            pass


def test_a_single_string_as_keys_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="keys must be a list of strings"):
        Sandbox(keys="right")


async def test_an_empty_list_of_keys_accepts_no_key(send: Send) -> None:
    async with Sandbox(keys=[]) as closed:
        assert (await send("GET", "/v1/languages", url=closed.url, headers=KEY)).status == 401


async def test_a_taken_port_is_an_oserror_and_works_once_it_is_free() -> None:
    async with Sandbox(keep_engines=True) as first:
        second = Sandbox(first.port, keep_engines=True)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
    async with second, second.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"


async def test_starting_a_sandbox_twice_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="listening already"):
        await sandbox.start()


async def test_a_sandbox_can_be_closed_twice_and_restarts_on_its_port_without_its_data() -> None:
    sandbox = Sandbox(keep_engines=True)
    async with sandbox, sandbox.api() as api:
        prediction = await api.skytells.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64})
    url = sandbox.url
    await sandbox.close()
    async with sandbox, sandbox.api() as api:
        assert sandbox.url == url
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
        with pytest.raises(Exception, match=prediction.id):
            await api.skytells.predictions.get(prediction)


def test_a_sandbox_works_in_one_event_loop_after_another() -> None:
    sandbox = Sandbox(keep_engines=True)

    async def once() -> str:
        async with sandbox, sandbox.api() as api:
            return (await api.translate("Good morning", "en-tw")).text

    assert [asyncio.run(once()), asyncio.run(once())] == ["Maakye", "Maakye"]


async def test_two_sandboxes_at_once_share_nothing() -> None:
    async with (
        Sandbox(keep_engines=True) as first,
        Sandbox(keys=["two"], keep_engines=True) as second,
        first.api() as api,
        second.api() as others,
    ):
        prediction = await api.skytells.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64})
        assert (await others.khaya.translate("Good morning", "en-tw")).text == "Maakye"
        with pytest.raises(Exception, match=prediction.id):
            await others.skytells.predictions.get(prediction)
        with pytest.raises(Exception, match="invalid subscription key"):
            await Khaya("one", base_url=second.url).translate("Good morning", "en-tw")


async def test_thirty_concurrent_requests_each_get_their_own_response(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        pairs = [("en-tw", "Maakye"), ("en-ee", "Ŋdi"), ("en-gaa", "Ojeekoo")] * 10
        results = await asyncio.gather(*(api.translate("Good morning", pair) for pair, _ in pairs))
    assert [response.text for response in results] == [expected for _, expected in pairs]


@pytest.mark.usefixtures("fake_engines")
async def test_other_requests_are_served_while_an_engine_works(
    send: Send, synthesize: Send, engine_gate: EngineGate
) -> None:
    working = asyncio.create_task(synthesize(engine_gate.text))
    busy_engine = await engine_gate.calls.get()
    assert (await send("GET", "/v1/languages", headers=KEY)).status == 200
    assert not working.done()
    busy_engine.finish()
    assert (await working).status == 200


@pytest.mark.usefixtures("fake_engines")
async def test_a_killed_engine_fails_its_request_and_the_next_request_works(
    synthesize: Send, engine_gate: EngineGate
) -> None:
    working = asyncio.create_task(synthesize(engine_gate.text))
    os.kill((await engine_gate.calls.get()).process, signal.SIGKILL)
    failed = await working
    assert (failed.status, set(failed.json)) == (500, {"statusCode", "message", "activityId"})
    assert "engine" in failed.json["message"]
    assert (await synthesize("hello")).status == 200


@pytest.mark.usefixtures("fake_engines")
async def test_a_client_that_disconnects_while_an_engine_works_affects_no_other(
    synthesize: Send, engine_gate: EngineGate, caplog: pytest.LogCaptureFixture
) -> None:
    working = asyncio.create_task(synthesize(engine_gate.text))
    busy_engine = await engine_gate.calls.get()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    following = asyncio.create_task(synthesize("hello"))
    busy_engine.finish()
    assert (await following).body == b"RIFF eng None hello"
    assert not caplog.records


@pytest.mark.usefixtures("fake_engines")
@pytest.mark.parametrize(
    "partial_request",
    [
        b"",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Sub",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: k\r\n"
        b"Content-Length: 1000\r\n\r\nRIFF",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: k\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nRIFF\r\n",
    ],
)
async def test_a_client_that_disconnects_during_its_request_affects_no_other(
    sandbox: Sandbox, send: Send, caplog: pytest.LogCaptureFixture, partial_request: bytes
) -> None:
    _, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    writer.write(partial_request)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    transcript = await send("POST", "/asr/v3/transcribe?language=eng", headers=KEY, data=b"RIFF")
    assert transcript.json == {"text": recognition.TEXT}
    assert not caplog.records


@pytest.mark.usefixtures("fake_engines")
async def test_a_client_that_disconnects_during_a_stream_affects_no_other(
    sandbox: Sandbox, synthesize: Send, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandbox.api() as api:
        async with api.khaya.synthesize_stream("hello " * 2_000_000, "eng") as stream:
            assert (await anext(stream)).startswith(b"RIFF eng None hello")
        assert (await synthesize("hello")).status == 200
    assert not caplog.records


async def test_a_body_above_the_limit_is_a_413_in_the_form_of_the_provider(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_BODY", 1000)
    async with Sandbox(keep_engines=True) as small:
        post = partial(send, "POST", url=small.url)
        khaya = await post("/asr/v3/transcribe?language=eng", headers=KEY, data=bytes(1001))
        assert (khaya.status, khaya.json["statusCode"]) == (413, 413)
        skytells = await post("/v1/predict", headers={"x-api-key": "key"}, data=bytes(1001))
        assert (skytells.status, skytells.json["error"]["error_id"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.usefixtures("fake_engines")
async def test_closing_kills_a_working_engine_and_its_request_gets_a_500(
    sandbox: Sandbox, synthesize: Send, engine_gate: EngineGate
) -> None:
    working = asyncio.create_task(synthesize(engine_gate.text))
    process = (await engine_gate.calls.get()).process
    await sandbox.close()
    assert not is_running(process)
    assert (await working).status == 500


SCRIPT = """
import asyncio
from kellyapi import KellyAPI, run_sync

async def main():
    # In debug mode asyncio logs slow callbacks, which depend on the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    async with KellyAPI.sandbox() as api:
        print(await api.translate("Good morning", "en-tw"))
        print((await api.generate_image("a fox", width=64, height=64)).mime)
        prediction = await api.skytells.predictions.create("truefusion", {"prompt": "a fox"})
        print(prediction.status)

asyncio.run(main())
run_sync(main())
"""


def test_a_script_without_a_main_guard_is_silent_under_every_warning(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.split() == ["Maakye", "image/png", "pending"] * 2
