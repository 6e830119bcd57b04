"""The released `khaya` 0.3.0, unchanged, and ours with the same input, against the sandbox with fake engines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fake_engines.voice import recognition
from khaya.config import API_ENDPOINTS
from khaya.exceptions import APIError, ASRTranscriptionError, AuthenticationError, TranslationError, TTSGenerationError
from khaya.models import SynthesisResult, TranscriptionResult, TranslationResult

from kellyapi import AuthenticationError as OurAuthenticationError
from kellyapi import BadRequestError, KellyAPIError, Sandbox, Speech, StatusError, Transcript, Translation
from official.clients import FORMS, official, our_client
from official.operations import WAV, Operation, of

pytestmark = pytest.mark.parametrize("form", FORMS)


@pytest.fixture
def engines() -> str:
    return "fake_engines"


def normalize(result: Any) -> Any:
    """Return a result of either client in a common form."""
    match result:
        case TranslationResult() | Translation():
            return result.text, result.source_language, result.target_language
        case SynthesisResult() | Speech():
            return result.audio, result.language
        case TranscriptionResult():
            words, segments = (result.timings.words, result.timings.segments) if result.timings else ([], [])
        case Transcript():
            words, segments = result.words, result.segments
        case httpx.Response():
            listed = result.json()["languages"]
            return {each["code"] for each in listed} if isinstance(listed, list) else set(listed.values())
        case dict():
            return set(result)
    times = [(each.start, each.end) for each in [*words, *segments]]
    said = [each.word for each in words], [each.text for each in segments]
    return result.text, result.language, list(result.warnings), times, *said


RESULTS = {
    "translate": ("Maakye", "en", "tw"),
    "transcribe": (recognition.TEXT, "eng", [], [], [], []),
    "transcribe: words": (
        recognition.TEXT, "eng", [], [(0.1, 0.2), (0.2, 0.5), (1.2, 1.5)], ["a", "quick", "fox"], [],
    ),
    "transcribe: segments": (recognition.TEXT, "eng", [], [(0.1, 0.5), (1.2, 1.5)], [], ["a quick", "fox"]),
    "synthesize": (b"RIFF twi None Maakye", "twi"),
    "synthesize: a voice": (b"RIFF twi female Maakye", "twi"),
}  # fmt: skip


@pytest.mark.parametrize("operation", of("khaya"), ids=str)
async def test_both_give_the_same_result(sandbox: Sandbox, operation: Operation, form: str) -> None:
    url = sandbox.urls["khaya"]
    async with official("khaya", url, form, **operation.options) as call_official:
        theirs = normalize(await call_official(operation.official))
    async with our_client("khaya", url, **operation.options) as client:
        ours = normalize(await operation.ours(client))
    assert theirs == ours
    if operation.methods == ["mcp"]:
        assert "twi" in theirs
    else:
        assert theirs == RESULTS.get(operation.name, RESULTS[operation.methods[0]])


@pytest.mark.parametrize("version", ["v2", "v3"])
async def test_both_pass_on_the_warning_about_an_old_code(sandbox: Sandbox, version: str, form: str) -> None:
    async with official("khaya", sandbox.urls["khaya"], form, asr_version=version) as call_official:
        theirs = await call_official(lambda client: client.transcribe(WAV, "en"))
    async with our_client("khaya", sandbox.urls["khaya"], asr_version=version) as client:
        ours = await client.transcribe(WAV, "en")
    assert tuple(theirs.warnings) == ours.warnings
    assert ["legacy code" in warning for warning in ours.warnings] == [True]


async def test_both_save_the_same_file(sandbox: Sandbox, form: str, tmp_path: Path) -> None:
    async with official("khaya", sandbox.urls["khaya"], form) as call_official:
        (await call_official(lambda client: client.synthesize("Maakye", "twi"))).save(str(tmp_path / "theirs.wav"))
    async with our_client("khaya", sandbox.urls["khaya"]) as client:
        await (await client.synthesize("Maakye", "twi")).save(tmp_path / "ours.wav")
    assert (tmp_path / "theirs.wav").read_bytes() == (tmp_path / "ours.wav").read_bytes() == b"RIFF twi None Maakye"


async def both_errors(
    sandbox: Sandbox, form: str, call: Callable[[Any], Any], key: str = "right"
) -> tuple[APIError, Exception]:
    """Return the errors of both clients for the same call."""
    async with official("khaya", sandbox.urls["khaya"], form, key) as call_official:
        with pytest.raises(APIError) as theirs:
            await call_official(call)
    async with our_client("khaya", sandbox.urls["khaya"], key) as client:
        with pytest.raises((KellyAPIError, ValueError, OSError)) as ours:
            await call(client)
    return theirs.value, ours.value


async def test_a_wrong_key_is_the_authentication_error_of_both(sandbox: Sandbox, form: str) -> None:
    theirs, ours = await both_errors(sandbox, form, lambda c: c.translate("Good morning", "en-tw"), "wrong")
    assert (type(theirs), type(ours)) == (AuthenticationError, OurAuthenticationError)
    assert isinstance(ours, StatusError)
    assert (theirs.status_code, theirs.message) == (ours.status, ours.message)
    assert (theirs.status_code, "invalid subscription key" in theirs.message) == (401, True)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda c: c.translate("hello", "en-zz"), "UNSUPPORTED_LANGUAGE_PAIR"),
        (lambda c: c.synthesize("hello", "zzz"), "UNSUPPORTED_LANGUAGE"),
        (lambda c: c.transcribe(WAV, "twi"), "UNSUPPORTED_LANGUAGE"),
        (lambda c: c.transcribe(__file__, "eng"), "INVALID_AUDIO_FORMAT"),
    ],
)
async def test_a_refusal_has_the_same_code_and_details_for_both(
    sandbox: Sandbox, call: Callable[[Any], Any], code: str, form: str
) -> None:
    theirs, ours = await both_errors(sandbox, form, call)
    assert isinstance(ours, BadRequestError)
    assert (theirs.status_code, theirs.code, theirs.details, theirs.activity_id) == (
        ours.status, ours.code, ours.details, ours.request_id,
    )  # fmt: skip
    assert (theirs.status_code, theirs.code, [each["code"] for each in theirs.details]) == (
        400, "VALIDATION_FAILED", [code],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("call", "official_class", "our_class"),
    [
        (lambda c: c.translate(" ", "en-tw"), TranslationError, ValueError),
        (lambda c: c.translate("hello", ""), TranslationError, ValueError),
        (lambda c: c.synthesize(" ", "twi"), TTSGenerationError, ValueError),
        (lambda c: c.synthesize("hello", ""), TTSGenerationError, ValueError),
        (lambda c: c.transcribe("missing.wav", "eng"), ASRTranscriptionError, FileNotFoundError),
        (lambda c: c.transcribe(WAV, "eng", timestamps="letter"), ASRTranscriptionError, ValueError),
    ],
)
async def test_both_refuse_wrong_arguments_themselves(
    sandbox: Sandbox, call: Callable[[Any], Any], official_class: type, our_class: type, form: str
) -> None:
    theirs, ours = await both_errors(sandbox, form, call)
    assert (type(theirs), type(ours)) == (official_class, our_class)


async def test_every_route_of_the_official_client_exists(sandbox: Sandbox, form: str) -> None:
    async with official("khaya", sandbox.urls["khaya"], form) as call_official:
        for path in API_ENDPOINTS.values():
            with pytest.raises(APIError) as raised:
                await call_official(lambda c, path=path: c.http_client.request("POST", sandbox.urls["khaya"] + path))
            assert raised.value.status_code == 400, path
