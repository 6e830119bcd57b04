"""Khaya's translation: requests and the shapes of responses."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import DecodingError, Khaya, Translation

from .khaya_messages import BASE, JSON


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_translate_posts_text_and_pair_to_its_version(wire: Responses, version: Any) -> None:
    sent = respond(wire, "POST", f"{BASE}/{version}/translate", json="Ɛte sɛn?")
    async with Khaya("key", translation_version=version) as khaya:
        result = await khaya.translate("How are you?", "en-tw")
    assert result == Translation(text="Ɛte sɛn?", source_language="en", target_language="tw", provider="khaya")
    assert str(result) == "Ɛte sɛn?"
    assert [(one.headers, one.json) for one in sent] == [(JSON, {"in": "How are you?", "lang": "en-tw"})]


async def test_source_and_target_make_the_pair(wire: Responses, khaya: Khaya) -> None:
    sent = respond(wire, "POST", f"{BASE}/v1/translate", json="x")
    result = await khaya.translate("x", source="eng", target="twi")
    assert (result.source_language, result.target_language, sent[0].json["lang"]) == ("eng", "twi", "eng-twi")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"text": "", "pair": "en-tw"}, "text is empty"),
        ({"text": " \n", "pair": "en-tw"}, "text is empty"),
        ({"text": "x", "pair": ""}, "pair is empty"),
        ({"text": "x", "pair": "en"}, "pair"),
        ({"text": "x", "pair": "-tw"}, "pair"),
        ({"text": "x"}, "pair"),
        ({"text": "x", "source": "en"}, "pair"),
        ({"text": "x", "pair": "en-tw", "target": "tw"}, "not both"),
    ],
)
async def test_wrong_arguments_are_refused_before_anything_is_sent(
    wire: Responses, khaya: Khaya, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await khaya.translate(**arguments)
    assert not wire.requests


async def test_a_text_that_is_not_a_string_is_a_type_error(wire: Responses, khaya: Khaya) -> None:
    with pytest.raises(TypeError, match="text"):
        await khaya.translate(b"x", "en-tw")  # type: ignore[arg-type]  # the wrong type is the point
    assert not wire.requests


@pytest.mark.parametrize("body", ["null", "1", "true", "[]", '{"text": "x"}', "", "Ɛte sɛn?", "[" * 1000 + "]" * 1000])
async def test_a_translation_that_is_not_a_json_string_is_a_decoding_error(
    wire: Responses, khaya: Khaya, body: str
) -> None:
    respond(wire, "POST", f"{BASE}/v1/translate", body=body)
    with pytest.raises(DecodingError) as caught:
        await khaya.translate("x", "en-tw")
    assert caught.value.code == "INVALID_JSON"
    assert caught.value.provider == "khaya"
    assert caught.value.outcome_unknown
