"""The sandbox's life: its address, its keys, its engines' process, and guests who do not behave."""

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
from http_client import Ask, Line

from kellyapi import KellyAPI, Khaya, Sandbox, TransportError
from kellyapi.sandbox import app

KEY = {"Ocp-Apim-Subscription-Key": "key"}


@pytest.fixture
def speak(ask: Ask) -> Ask:
    """Have the engines' process say a text."""

    async def speak(text: str, **request: object) -> object:
        return await ask("POST", "/tts/v1/tts", headers=KEY, json={"text": text, "language": "eng"}, **request)

    return speak


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_every_system_has_its_own_address_at_one_port() -> None:
    async with Sandbox() as sandbox:
        assert sandbox.port > 0
        root = f"http://127.0.0.1:{sandbox.port}"
        v1 = f"{root}/v1"
        assert sandbox.url == root
        assert sandbox.urls == {"kelly": root, "khaya": root, "skytells": v1, "aerostack": v1}
        async with sandbox.api() as api:
            assert {name: getattr(api, name).base_url for name in sandbox.urls} == sandbox.urls


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert Sandbox(8787, host="::1").url == "http://[::1]:8787"


async def test_the_client_of_a_sandbox_does_not_heed_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in ("KELLYAI", "KHAYA", "SKYTELLS", "AEROSTACK"):
        monkeypatch.setenv(f"{provider}_BASE_URL", "http://127.0.0.1:1")
        monkeypatch.setenv(f"{provider}_API_KEY", "from the environment")
    async with Sandbox(keys=["right"]) as sandbox, sandbox.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
        assert (await api.chat("hello")).text.startswith("[sandbox]")
        assert await api.kelly.models("sd")


async def test_kellyapi_sandbox_gives_a_client_with_the_given_options_and_ends_with_the_block() -> None:
    class Mine(KellyAPI):
        pass

    seen: list[str] = []
    async with Mine.sandbox(on_response=lambda request, response: seen.append(request.url), timeout=5) as api:
        assert isinstance(api, Mine)
        assert str(await api.translate("Thank you", "en-ee")) == "Akpe"
        assert seen == [f"{api.khaya.base_url}/v1/translate"]
    with pytest.raises(TransportError):
        await api.khaya.languages("translation")
    await api.close()


async def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="retires"):
        async with KellyAPI.sandbox(retires=3):  # type: ignore[call-arg]  # what is tested
            pass


def test_a_string_is_not_several_keys() -> None:
    with pytest.raises(TypeError, match="my-key"):
        Sandbox(keys="right")


async def test_no_keys_at_all_let_nobody_in(ask: Ask) -> None:
    async with Sandbox(keys=[]) as closed:
        assert (await ask("GET", "/v1/languages", url=closed.url, headers=KEY)).status == 401


async def test_a_port_that_is_taken_is_an_oserror_and_is_free_again_later() -> None:
    async with Sandbox() as first:
        second = Sandbox(first.port)
        with pytest.raises(OSError, match="address already in use"):
            await second.start()
    async with second, second.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"


async def test_a_sandbox_that_listens_cannot_be_started_again(sandbox: Sandbox) -> None:
    with pytest.raises(RuntimeError, match="listening already"):
        await sandbox.start()


async def test_a_sandbox_can_be_closed_twice_and_used_again_at_its_address_without_its_past() -> None:
    sandbox = Sandbox()
    async with sandbox, sandbox.api() as api:
        job = await api.skytells.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64})
    url = sandbox.url
    await sandbox.close()
    async with sandbox, sandbox.api() as api:
        assert sandbox.url == url
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
        with pytest.raises(Exception, match=job.id):
            await api.skytells.predictions.get(job)


def test_a_sandbox_lives_in_one_loop_after_another() -> None:
    sandbox = Sandbox()

    async def once() -> str:
        async with sandbox, sandbox.api() as api:
            return (await api.translate("Good morning", "en-tw")).text

    assert [asyncio.run(once()), asyncio.run(once())] == ["Maakye", "Maakye"]


async def test_two_sandboxes_at_once_share_nothing() -> None:
    async with Sandbox() as one, Sandbox(keys=["two"]) as other, one.api() as api, other.api() as others:
        job = await api.skytells.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64})
        assert (await others.khaya.translate("Good morning", "en-tw")).text == "Maakye"
        with pytest.raises(Exception, match=job.id):
            await others.skytells.predictions.get(job)
        with pytest.raises(Exception, match="invalid subscription key"):
            await Khaya("one", base_url=other.url).translate("Good morning", "en-tw")


async def test_thirty_requests_at_once_each_get_their_own_answer(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        pairs = [("en-tw", "Maakye"), ("en-ee", "Ŋdi"), ("en-gaa", "Ojeekoo")] * 10
        answers = await asyncio.gather(*(api.translate("Good morning", pair) for pair, _ in pairs))
    assert [answer.text for answer in answers] == [expected for _, expected in pairs]


@pytest.mark.usefixtures("fake_engines")
async def test_the_loop_answers_while_an_engine_works(ask: Ask, speak: Ask, line: Line) -> None:
    working = asyncio.create_task(speak(line.text))
    call = await line.calls.get()
    assert (await ask("GET", "/v1/languages", headers=KEY)).status == 200
    assert not working.done()
    call.hang_up()
    assert (await working).status == 200


@pytest.mark.usefixtures("fake_engines")
async def test_an_engine_that_is_killed_fails_its_request_and_the_next_one_works(speak: Ask, line: Line) -> None:
    working = asyncio.create_task(speak(line.text))
    os.kill((await line.calls.get()).process, signal.SIGKILL)
    failed = await working
    assert (failed.status, set(failed.json)) == (500, {"statusCode", "message", "activityId"})
    assert "engine" in failed.json["message"]
    assert (await speak("hello")).status == 200


@pytest.mark.usefixtures("fake_engines")
async def test_a_guest_who_leaves_while_an_engine_works_disturbs_nobody(
    speak: Ask, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    working = asyncio.create_task(speak(line.text))
    call = await line.calls.get()
    working.cancel()
    with suppress(asyncio.CancelledError):
        await working
    following = asyncio.create_task(speak("hello"))
    call.hang_up()
    assert (await following).body == b"RIFF eng None hello"
    assert not caplog.records


@pytest.mark.usefixtures("fake_engines")
@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Sub",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: k\r\n"
        b"Content-Length: 1000\r\n\r\nRIFF",
        b"POST /asr/v3/transcribe?language=eng HTTP/1.1\r\nHost: a\r\nOcp-Apim-Subscription-Key: k\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n4\r\nRIFF\r\n",
    ],
)
async def test_a_guest_who_leaves_in_the_middle_of_a_request_disturbs_nobody(
    sandbox: Sandbox, ask: Ask, caplog: pytest.LogCaptureFixture, part: bytes
) -> None:
    _, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    writer.write(part)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    heard = await ask("POST", "/asr/v3/transcribe?language=eng", headers=KEY, data=b"RIFF")
    assert heard.json == {"text": recognition.TEXT}
    assert not caplog.records


@pytest.mark.usefixtures("fake_engines")
async def test_a_guest_who_leaves_in_the_middle_of_a_stream_disturbs_nobody(
    sandbox: Sandbox, speak: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandbox.api() as api:
        async with api.khaya.synthesize_stream("hello " * 2_000_000, "eng") as stream:
            assert (await anext(stream)).startswith(b"RIFF eng None hello")
        assert (await speak("hello")).status == 200
    assert not caplog.records


async def test_a_body_above_the_limit_is_a_413_in_the_words_of_its_system(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "MAX_BODY", 1000)
    async with Sandbox() as small:
        post = partial(ask, "POST", url=small.url)
        khaya = await post("/asr/v3/transcribe?language=eng", headers=KEY, data=bytes(1001))
        assert (khaya.status, khaya.json["statusCode"]) == (413, 413)
        skytells = await post("/v1/predict", headers={"x-api-key": "key"}, data=bytes(1001))
        assert (skytells.status, skytells.json["error"]["error_id"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_a_stranger_gets_a_plain_404(ask: Ask) -> None:
    answer = await ask("GET", "/wp-login.php")
    assert (answer.status, answer.body) == (404, b"404: Not Found")


@pytest.mark.usefixtures("fake_engines")
async def test_closing_ends_an_engine_at_work_and_answers_whoever_waits_for_it(
    sandbox: Sandbox, speak: Ask, line: Line
) -> None:
    working = asyncio.create_task(speak(line.text))
    process = (await line.calls.get()).process
    await sandbox.close()
    assert not lives(process)
    assert (await working).status == 500


SCRIPT = """
import asyncio
from kellyapi import KellyAPI, run_sync

async def main():
    # That asyncio's debugging reports what takes long is no warning, and up to the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    async with KellyAPI.sandbox() as api:
        print(await api.translate("Good morning", "en-tw"))
        print((await api.generate_image("a fox", width=64, height=64)).mime)
        job = await api.skytells.predictions.create("truefusion", {"prompt": "a fox"})
        print(job.status)

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
