"""`Translation.warnings`: what the sandbox could not translate."""

from __future__ import annotations

import json
import pickle

import pytest
from servers import Server, make_response

from kellyapi import KellyAPI, Khaya, Sandbox

NOTE = "not translated: unknown from en to tw"


async def test_a_text_that_is_not_translated_says_so_in_the_result() -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        marked = await api.translate("The lorry is late", "en-tw")
        assert (marked.text, marked.warnings) == ("⟦tw⟧ The lorry is late", (NOTE,))
        assert (marked.raw, pickle.loads(pickle.dumps(marked)).warnings) == (marked.text, (NOTE,))
        assert NOTE in repr(marked)
        assert (await api.translate("Good morning", "en-tw")).warnings == ()


async def test_a_text_in_parts_has_each_warning_once() -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        text = "The lorry is late. " * 120
        assert (await api.translate(text, "en-tw", split=True)).warnings == (NOTE,)


@pytest.mark.parametrize(("note", "warnings"), [(None, ()), ("", ()), ("a note", ("a note",))])
async def test_a_warning_is_the_note_of_the_response(note: str | None, warnings: tuple[str, ...]) -> None:
    headers = {} if note is None else {"X_Sandbox_Note": note}
    async with Server(make_response(body=b'"Maakye"', **headers)) as server:
        async with Khaya("key", base_url=server.url) as khaya:
            assert (await khaya.translate("Good morning", "en-tw")).warnings == warnings
        async with KellyAPI(khaya=Khaya("key", base_url=server.url)) as api:
            translation = await api.translate("Good morning", "en-tw", provider="khaya")
            assert (translation.text, translation.warnings, translation.provider) == ("Maakye", warnings, "khaya")
            assert json.dumps(translation.warnings)
