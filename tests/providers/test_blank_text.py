"""Text that shows nothing is refused by every operation that takes text, before anything is sent or billed."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable

import pytest

from kellyapi import Aerostack, KellyAPI, Khaya, Message, Skytells

PNG = b"\x89PNG\r\n\x1a\n"
OPERATIONS: dict[str, Callable[[KellyAPI, str], Awaitable[object] | object]] = {
    "translate": lambda api, text: api.translate(text, "en-tw"),
    "translate split": lambda api, text: api.translate(text, "en-tw", split=True),
    "synthesize": lambda api, text: api.synthesize(text, "twi"),
    "generate_image": lambda api, text: api.generate_image(text),
    "generate_images": lambda api, text: api.generate_images(text, 2),
    "generate_video": lambda api, text: api.generate_video(text),
    "generate_music": lambda api, text: api.generate_music(text),
    "embed": lambda api, text: api.embed(["a", text]),
    "edit_image": lambda api, text: api.edit_image(PNG, text),
    "describe_image": lambda api, text: api.describe_image(PNG, text),
    "chat": lambda api, text: api.chat(text),
    "chat_stream": lambda api, text: api.chat_stream(text),
    "khaya.synthesize_stream": lambda api, text: api.khaya.synthesize_stream(text, "twi"),
    "kelly.synthesize": lambda api, text: api.kelly.synthesize(text),
    "kelly.write_notes": lambda api, text: api.kelly.write_notes(text),
    "kelly.render_code": lambda api, text: api.kelly.render_code(text),
    "skytells.generate_image": lambda api, text: api.skytells.generate_image(text),
    "skytells.chat": lambda api, text: api.skytells.chat.create("model", text),
    "skytells.chat, messages": lambda api, text: api.skytells.chat.create("model", [Message("user", text)]),
    "skytells.responses": lambda api, text: api.skytells.responses.create("model", text),
    "skytells.embeddings": lambda api, text: api.skytells.embeddings.create("model", text),
    "skytells.embeddings, list": lambda api, text: api.skytells.embeddings.create("model", ["a", text]),
    "skytells.safety": lambda api, text: api.skytells.safety.check_text(text),
    "aerostack.ai.chat": lambda api, text: api.aerostack.ai.chat(text),
    "aerostack.ai.chat, messages": lambda api, text: api.aerostack.ai.chat(
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}]
    ),
    "aerostack.gateway.chat": lambda api, text: api.aerostack.gateway.chat("api", text, consumer="key"),
    "aerostack.search": lambda api, text: api.aerostack.search.query(text),
}


@pytest.mark.parametrize("text", ["\u200b", "\ufeff", " \u2060\n\u00ad"])
@pytest.mark.parametrize("name", OPERATIONS)
async def test_text_that_shows_nothing_is_refused_before_anything_is_sent(name: str, text: str) -> None:
    nowhere = "http://127.0.0.1:9"
    khaya, skytells = Khaya("key", base_url=nowhere), Skytells("key", base_url=nowhere)
    api = KellyAPI("key", nowhere, khaya=khaya, skytells=skytells, aerostack=Aerostack("key", base_url=nowhere))

    async def call() -> None:
        result = OPERATIONS[name](api, text)
        if inspect.isawaitable(result):
            await result

    with pytest.raises(ValueError, match="is empty: all its characters are invisible"):
        await call()


async def test_an_assistants_message_may_be_empty() -> None:
    async with KellyAPI.sandbox() as api:
        messages = [Message("user", "Hello"), Message("assistant", ""), Message("user", "What is 2 + 3?")]
        assert "5" in (await api.aerostack.ai.chat(messages)).text
