"""`Speech.warnings`: whether the voice of another language read the text."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import KellyAPI, Khaya

from .khaya_messages import WAV

NOTE = "no Asante Twi voice in espeak-ng: spoken by the Swahili voice"


@pytest.mark.parametrize(("note", "warnings"), [(None, ()), ("", ()), (NOTE, (NOTE,))])
@pytest.mark.parametrize("format", [None, "mp3"])
async def test_a_warning_is_the_note_of_the_response(note: str | None, warnings: tuple[str, ...], format: Any) -> None:
    headers = {} if note is None else {"X_Sandbox_Note": note}
    async with Server(make_response(body=WAV, kind="audio/wav", **headers)) as server:
        async with Khaya("key", base_url=server.url) as khaya:
            speech = await khaya.synthesize("Maakye", "twi", format=format)
            assert (speech.audio, speech.warnings) == (WAV, warnings)
            assert pickle.loads(pickle.dumps(speech)).warnings == warnings
        async with KellyAPI(khaya=Khaya("key", base_url=server.url)) as api:
            speech = await api.synthesize("Maakye", "twi", format=format, provider="khaya")
            assert (speech.warnings, speech.provider) == (warnings, "khaya")
