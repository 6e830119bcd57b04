"""Khaya's lists of languages and voices, and its versions and other settings."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from fake_clock import run

from kellyapi import NO_TIMEOUT, ConfigurationError, Khaya, RetryPolicy, ServerError, Timeout

from .khaya_messages import BASE, KEY, WAV

# Lists


@pytest.mark.parametrize(
    ("service", "options", "path", "reply"),
    [
        ("translation", {}, "/v1/languages", {"twi": "Twi", "ewe": "Ewe"}),
        ("translation", {"translation_version": "v2"}, "/v2/languages", {"twi": "Twi", "ewe": "Ewe"}),
        (
            "transcription",
            {"asr_version": "v1"},  # the only list is v3's
            "/asr/v3/languages",
            [{"code": "twi", "name": "Twi"}, {"code": "ewe", "name": "Ewe"}],
        ),
        ("synthesis", {}, "/tts/v1/languages", {"Twi": "twi", "Ewe": "ewe"}),
        ("synthesis", {"tts_version": "v2"}, "/tts/v2/languages", {"Twi": "twi", "Ewe": "ewe"}),
    ],
)
async def test_each_list_of_languages_maps_codes_to_names(
    wire: Responses, service: Any, options: Any, path: str, reply: Any
) -> None:
    sent = respond(wire, "GET", BASE + path, json={"languages": reply})
    async with Khaya("key", **options) as khaya:
        assert await khaya.languages(service) == {"twi": "Twi", "ewe": "Ewe"}
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_voices_are_the_names_of_all_groups_without_duplicates(wire: Responses, version: Any) -> None:
    groups = {"Multilingual": ["male_low", "male_high", "female"], "Twi": ["female", "elder"]}
    respond(wire, "GET", f"{BASE}/tts/{version}/speakers", json={"speakers": groups})
    async with Khaya("key", tts_version=version) as khaya:
        assert await khaya.voices() == ("male_low", "male_high", "female", "elder")


async def test_languages_of_an_unknown_service_is_a_value_error(wire: Responses, khaya: Khaya) -> None:
    with pytest.raises(ValueError, match="translation"):
        await khaya.languages("poetry")  # type: ignore[arg-type]  # the wrong value is the point
    assert not wire.requests


# Settings


async def test_the_environment_chooses_the_versions(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    for service, version in {"TRANSLATION": "v2", "ASR": "v1", "TTS": "v2"}.items():
        monkeypatch.setenv(f"KHAYA_{service}_VERSION", version)
    respond(wire, "POST", f"{BASE}/v2/translate", json="x")
    respond(wire, "POST", f"{BASE}/asr/v1/transcribe?language=twi", json="x")
    respond(wire, "POST", f"{BASE}/tts/v2/synthesize", body=WAV, content_type="audio/wav")
    async with Khaya("key") as khaya:
        await khaya.translate("x", "en-tw")
        await khaya.transcribe(WAV, "twi")
        await khaya.synthesize("x", "twi")


async def test_an_argument_overrides_the_environment(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHAYA_TRANSLATION_VERSION", "v2")
    monkeypatch.setenv("KHAYA_TIMEOUT", "5")
    respond(wire, "POST", f"{BASE}/v1/translate", json="x")
    timeouts: list[Timeout] = []
    hook: Any = lambda request, response: timeouts.append(request.timeout)  # noqa: E731  short
    async with Khaya("key", translation_version="v1", timeout=NO_TIMEOUT, on_response=hook) as khaya:
        await khaya.translate("x", "en-tw")
    assert timeouts == [NO_TIMEOUT]


async def failed_attempts(khaya: Khaya) -> list[Timeout]:
    """Call a server that always fails, and return the timeout of each attempt."""
    timeouts: list[Timeout] = []
    hook: Any = lambda request, response: timeouts.append(request.timeout)  # noqa: E731  short
    with pytest.raises(ServerError):
        await khaya.with_options(on_response=hook).languages("synthesis")
    await khaya.close()
    return timeouts


def test_the_environment_sets_timeout_and_attempts(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHAYA_TIMEOUT", "12.5")
    monkeypatch.setenv("KHAYA_RETRY_ATTEMPTS", "5")
    respond(wire, "GET", f"{BASE}/tts/v1/languages", status=500, repeat=True)
    attempts = run(failed_attempts(Khaya("key")))
    assert (len(attempts), attempts[0]) == (5, Timeout(total=12.5))


def test_empty_variables_count_as_unset(wire: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TIMEOUT", "RETRY_ATTEMPTS", "ASR_VERSION", "API_KEY", "BASE_URL"):
        monkeypatch.setenv(f"KHAYA_{name}", "")
    khaya = Khaya()
    assert (khaya.configured, khaya.base_url) == (False, BASE)
    respond(wire, "GET", f"{BASE}/tts/v1/languages", status=500, repeat=True)
    attempts = run(failed_attempts(khaya.with_access(api_key="key")))
    assert len(attempts) == RetryPolicy().attempts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TIMEOUT", "soon"),
        ("TIMEOUT", "0"),
        ("TIMEOUT", "-1"),
        ("TIMEOUT", "nan"),
        ("RETRY_ATTEMPTS", "0"),
        ("RETRY_ATTEMPTS", "2.5"),
        ("RETRY_ATTEMPTS", "many"),
        ("TRANSLATION_VERSION", "v3"),
        ("ASR_VERSION", "3"),
        ("TTS_VERSION", "V1"),
    ],
)
async def test_a_bad_variable_is_named_at_the_first_call(
    wire: Responses, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"KHAYA_{name}", value)
    khaya = Khaya("key")
    for client in (khaya, khaya.with_options(allow_http=True)):
        calls: list[tuple[Any, ...]] = [
            (client.translate, "x", "en-tw"),
            (client.transcribe, WAV, "twi"),
            (client.synthesize, "x", "twi"),
            (client.languages, "synthesis"),
        ]
        for method, *arguments in calls:
            with pytest.raises(ConfigurationError, match=f"KHAYA_{name}"):
                await method(*arguments)
    assert not wire.requests


@pytest.mark.parametrize("option", ["translation_version", "asr_version", "tts_version"])
def test_an_unknown_version_is_a_value_error(option: str) -> None:
    with pytest.raises(ValueError, match=option):
        Khaya("key", **{option: "v9"})  # type: ignore[arg-type]  # the wrong value is the point
