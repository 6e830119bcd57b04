"""Aerostack's chat in the sandbox, A11: a response for both generations of clients, keys and error bodies."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from http_client import Send

from kellyapi import AuthenticationError, Sandbox

KEY = {"X-Aerostack-Key": "key"}
HELLO = [{"role": "user", "content": "Say something else"}]


@pytest.fixture
def aerostack(send: Send) -> Send:
    return partial(send, headers=KEY)


@pytest.mark.parametrize("headers", [{}, {"X-Aerostack-Key": " "}, {"Authorization": "Bearer key"}, {"X-API-Key": "k"}])
async def test_a_missing_key_is_a_401(send: Send, headers: dict[str, str]) -> None:
    response = await send("POST", "/v1/ai/chat", headers=headers, json={"messages": HELLO})
    message = "The X-Aerostack-Key header is missing"
    assert (response.status, response.json) == (401, {"code": "AUTH_INVALID_KEY", "message": message})


async def test_a_wrong_key_is_a_401_and_a_right_key_is_accepted(send: Send) -> None:
    async with Sandbox(keys=["right"], keep_engines=True) as restricted:
        chat = partial(send, "POST", "/v1/ai/chat", url=restricted.url, json={"messages": HELLO})
        refused = await chat(headers=KEY)
        assert (refused.status, refused.json) == (401, {"code": "AUTH_INVALID_KEY", "message": "Invalid API key"})
        assert (await chat(headers={"X-Aerostack-Key": "right"})).status == 200
        async with restricted.api() as api:
            assert (await api.aerostack.ai.chat(HELLO)).text
            api.aerostack = type(api.aerostack)("wrong", base_url=restricted.urls["aerostack"])
            with pytest.raises(AuthenticationError, match="Invalid API key"):
                await api.aerostack.ai.chat(HELLO)
            await api.aerostack.close()


async def test_both_generations_of_clients_find_the_reply(aerostack: Send) -> None:
    response = (await aerostack("POST", "/v1/ai/chat", json={"messages": HELLO})).json
    reply = "[sandbox] You said: Say something else"
    assert response["response"] == reply
    assert response["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
    ]
    assert response["usage"] == {"prompt_tokens": 3, "completion_tokens": 6, "total_tokens": 9}
    assert (response["object"], response["model"]) == ("chat.completion", "@cf/meta/llama-3-8b-instruct")
    assert response["id"].startswith("chatcmpl-")
    assert isinstance(response["created"], int)


async def test_a_message_may_lack_its_role_or_content(aerostack: Send) -> None:
    messages = [{"role": "system"}, {"content": "Say something else"}]
    response = await aerostack("POST", "/v1/ai/chat", json={"messages": messages, "model": "my-model"})
    assert response.json["response"] == "[sandbox] You said: Say something else"
    assert response.json["model"] == "my-model"


@pytest.mark.parametrize("messages", [..., None, [], {}, "hello", 5, ["hello"], [HELLO[0], None]])
async def test_messages_must_be_an_array_of_objects(aerostack: Send, messages: Any) -> None:
    response = await aerostack("POST", "/v1/ai/chat", json={} if messages is ... else {"messages": messages})
    assert response.status == 400
    assert response.json == {
        "code": "VALIDATION_ERROR",
        "message": "messages must be an array of objects",
        "details": {"field": "messages"},
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b"[" * 100_000])
async def test_a_body_that_is_not_a_json_object_is_a_400(aerostack: Send, body: bytes) -> None:
    response = await aerostack("POST", "/v1/ai/chat", data=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert set(response.json) == {"code", "message"}


async def test_an_unknown_route_is_an_error_in_aerostacks_form(aerostack: Send) -> None:
    response = await aerostack("POST", "/v1/db/nothing")
    assert (response.status, response.json) == (404, {"code": "ENDPOINT_NOT_FOUND", "message": "Not Found"})
