"""Aerostack's chat, A11: one answer for both generations of its clients, and its flat errors."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from http_client import Ask

from kellyapi import AuthenticationError, Sandbox

KEY = {"X-Aerostack-Key": "key"}
HELLO = [{"role": "user", "content": "Say something else"}]


@pytest.fixture
def aerostack(ask: Ask) -> Ask:
    return partial(ask, headers=KEY)


@pytest.mark.parametrize("headers", [{}, {"X-Aerostack-Key": " "}, {"Authorization": "Bearer key"}, {"X-API-Key": "k"}])
async def test_without_a_key_the_answer_is_401(ask: Ask, headers: dict[str, str]) -> None:
    answer = await ask("POST", "/v1/ai/chat", headers=headers, json={"messages": HELLO})
    message = "The X-Aerostack-Key header is missing"
    assert (answer.status, answer.json) == (401, {"code": "AUTH_INVALID_KEY", "message": message})


async def test_a_wrong_key_is_401_and_a_right_one_is_let_in(ask: Ask) -> None:
    async with Sandbox(keys=["right"]) as narrow:
        chat = partial(ask, "POST", "/v1/ai/chat", url=narrow.url, json={"messages": HELLO})
        refused = await chat(headers=KEY)
        assert (refused.status, refused.json) == (401, {"code": "AUTH_INVALID_KEY", "message": "Invalid API key"})
        assert (await chat(headers={"X-Aerostack-Key": "right"})).status == 200
        async with narrow.api() as api:
            assert (await api.aerostack.ai.chat(HELLO)).text
            api.aerostack = type(api.aerostack)("wrong", base_url=narrow.urls["aerostack"])
            with pytest.raises(AuthenticationError, match="Invalid API key"):
                await api.aerostack.ai.chat(HELLO)
            await api.aerostack.close()


async def test_both_generations_of_clients_find_the_reply(aerostack: Ask) -> None:
    answer = (await aerostack("POST", "/v1/ai/chat", json={"messages": HELLO})).json
    said = "[sandbox] You said: Say something else"
    assert answer["response"] == said
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    ]
    assert answer["usage"] == {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}
    assert (answer["object"], answer["model"]) == ("chat.completion", "@cf/meta/llama-3-8b-instruct")
    assert answer["id"].startswith("chatcmpl-")
    assert isinstance(answer["created"], int)


async def test_a_message_may_lack_its_role_or_content(aerostack: Ask) -> None:
    messages = [{"role": "system"}, {"content": "Say something else"}]
    answer = await aerostack("POST", "/v1/ai/chat", json={"messages": messages, "model": "my-model"})
    assert answer.json["response"] == "[sandbox] You said: Say something else"
    assert answer.json["model"] == "my-model"


@pytest.mark.parametrize("messages", [..., None, [], {}, "hello", 5, ["hello"], [HELLO[0], None]])
async def test_messages_that_are_none_are_a_400(aerostack: Ask, messages: Any) -> None:
    answer = await aerostack("POST", "/v1/ai/chat", json={} if messages is ... else {"messages": messages})
    assert answer.status == 400
    assert answer.json == {
        "code": "VALIDATION_ERROR",
        "message": "messages must be an array of objects",
        "details": {"field": "messages"},
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
async def test_a_body_that_is_no_json_object_is_a_400(aerostack: Ask, body: bytes) -> None:
    answer = await aerostack("POST", "/v1/ai/chat", data=body)
    assert (answer.status, answer.json["code"]) == (400, "VALIDATION_ERROR")
    assert set(answer.json) == {"code", "message"}


async def test_a_route_that_is_not_there_says_so_in_aerostacks_words(aerostack: Ask) -> None:
    answer = await aerostack("POST", "/v1/db/nothing")
    assert (answer.status, answer.json) == (404, {"code": "ENDPOINT_NOT_FOUND", "message": "Not Found"})
