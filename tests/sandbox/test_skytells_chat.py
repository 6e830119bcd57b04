"""Skytells' chat completions in the sandbox, S11; keys and errors of all inference endpoints."""

from __future__ import annotations

from typing import Any

import pytest
from http_client import Send

from kellyapi import AuthenticationError, KellyAPI, Message, NotFoundError, Sandbox, Skytells

KEY = {"x-api-key": "key"}
HELLO = [{"role": "user", "content": "Hello"}]
SUM = "[sandbox] 2 + 3 = 5"
CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"
SAFE = {"filtered": False, "severity": "safe"}
HARMLESS = dict.fromkeys(("hate", "self_harm", "sexual", "violence"), SAFE)
UNDETECTED = {"filtered": False, "detected": False}


async def test_a_completion_has_all_fields(skytells: Send) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "2 + 3"}]
    completion = (await skytells("POST", CHAT, json={"model": "gpt-5-nano", "messages": messages})).json
    assert completion.pop("id").startswith("chatcmpl-")
    assert isinstance(completion.pop("created"), int)
    assert completion == {
        "object": "chat.completion",
        "model": "gpt-5-nano",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": SUM, "refusal": None, "annotations": []},
                "finish_reason": "stop",
                "logprobs": None,
                "content_filter_results": {
                    **HARMLESS,
                    "protected_material_code": UNDETECTED,
                    "protected_material_text": UNDETECTED,
                },
            }
        ],
        "usage": {
            "prompt_tokens": 5,
            "completion_tokens": 6,
            "total_tokens": 11,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
        "system_fingerprint": "fp_sandbox",
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {**HARMLESS, "jailbreak": UNDETECTED}}],
    }


@pytest.mark.parametrize(
    ("options", "texts", "reason"),
    [
        ({"max_tokens": 6}, [SUM], "stop"),
        ({"max_tokens": 2}, ["[sandbox] 2"], "length"),
        ({"stop": " ="}, ["[sandbox] 2 + 3"], "stop"),
        ({"stop": ["nothing", "+"]}, ["[sandbox] 2 "], "stop"),
        ({"n": 2}, [SUM, SUM], "stop"),
        ({"tools": [{"type": "function", "function": {"name": "dance"}}], "tool_choice": "auto"}, [SUM], "stop"),
        ({"temperature": 0, "top_p": 1, "user": "u", "response_format": {"type": "text"}}, [SUM], "stop"),
    ],
)
async def test_the_client_chats(api: KellyAPI, options: dict[str, Any], texts: list[str], reason: str) -> None:
    completion = await api.skytells.chat.create("deepbrain-router", "2 + 3", **options)
    assert [choice.message.content for choice in completion.choices] == texts
    assert {choice.finish_reason for choice in completion.choices} == {reason}


async def test_a_reply_can_refer_to_earlier_messages(api: KellyAPI) -> None:
    messages = [Message("user", "I like plums."), Message("assistant", "So do I."), Message("user", "What did I say?")]
    assert (await api.skytells.chat.create("gpt-5", messages)).text == "[sandbox] Before that you said: I like plums."


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-api-key": "key"}, 200),
        ({"Authorization": "Bearer key"}, 200),
        ({"x-api-key": "key", "Authorization": "Bearer key"}, 200),
        ({}, 401),
        ({"Authorization": "Basic key"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"x-api-key": " ", "Authorization": "Bearer key"}, 401),
    ],
)
@pytest.mark.parametrize("path", [CHAT, RESPONSES, EMBEDDINGS])
async def test_the_key_can_be_in_either_header(send: Send, path: str, headers: dict[str, str], status: int) -> None:
    model = "text-embedding-3-small" if path == EMBEDDINGS else "gpt-5"
    response = await send("POST", path, headers=headers, json={"model": model, "messages": HELLO, "input": "Hello"})
    assert response.status == status
    if status == 401:
        error = response.json["error"]
        assert (error["error_id"], error["code"], error["type"]) == (
            "UNAUTHORIZED",
            "invalid_api_key",
            "authentication_error",
        )


async def test_a_wrong_key_is_an_authentication_error_in_the_client(send: Send) -> None:
    async with (
        Sandbox(keys=["right"], keep_engines=True) as restricted,
        Skytells("wrong", base_url=restricted.urls["skytells"]) as skytells,
    ):
        with pytest.raises(AuthenticationError, match="Invalid API key") as raised:
            await skytells.chat.create("gpt-5", "Hello")
    assert (raised.value.code, (raised.value.request_id or "")[:4]) == ("UNAUTHORIZED", "req_")


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "param"),
    [
        (CHAT, {"messages": HELLO}, 400, "INVALID_PARAMETER", "model"),
        (CHAT, {"model": 5, "messages": HELLO}, 400, "INVALID_PARAMETER", "model"),
        (CHAT, {"model": "gpt-0", "messages": HELLO}, 404, "MODEL_NOT_FOUND", "model"),
        (CHAT, {"model": "flux-pro", "messages": HELLO}, 422, "MODEL_NOT_SUPPORTED", "model"),
        (CHAT, {"model": "text-embedding-3-small", "messages": HELLO}, 422, "MODEL_NOT_SUPPORTED", "model"),
        *(
            (CHAT, {"model": "gpt-5", "messages": HELLO, "stop": stop}, 400, "INVALID_PARAMETER", "stop")
            for stop in (5, [5], {}, ["a"] * 5)
        ),
        (CHAT, {"model": "gpt-5"}, 400, "INVALID_PARAMETER", "messages"),
        (CHAT, {"model": "gpt-5", "messages": []}, 400, "INVALID_PARAMETER", "messages"),
        (CHAT, {"model": "gpt-5", "messages": "Hello"}, 400, "INVALID_PARAMETER", "messages"),
        (CHAT, {"model": "gpt-5", "messages": [*HELLO, "Hi"]}, 400, "INVALID_PARAMETER", "messages[1]"),
        (CHAT, {"model": "gpt-5", "messages": [{"role": "x"}]}, 400, "INVALID_PARAMETER", "messages[0].role"),
        (CHAT, {"model": "gpt-5", "messages": [{"content": "Hi"}]}, 400, "INVALID_PARAMETER", "messages[0].role"),
        *(
            (
                CHAT,
                {"model": "gpt-5", "messages": [{"role": "user", "content": content}]},
                400,
                "INVALID_PARAMETER",
                "messages[0].content",
            )
            for content in (
                5,
                ["Hi"],
                *(
                    [{"image_url": {"url": url}}]
                    for url in ("data:image/png;base64,?", "data:text/plain,a", "fox.png", 5)
                ),
            )
        ),
        *(
            (CHAT, {"model": "gpt-5", "messages": HELLO, name: value}, 400, "INVALID_PARAMETER", name)
            for name, value in (
                ("max_tokens", 0),
                ("max_tokens", "5"),
                ("n", True),
                ("n", 9),
                ("temperature", 2.1),
                ("temperature", "hot"),
                ("top_p", -1),
                ("stream", "yes"),
                ("stream_options", True),
            )
        ),
        (RESPONSES, {"input": "Hi"}, 400, "INVALID_PARAMETER", "model"),
        (RESPONSES, {"model": "gpt-0", "input": "Hi"}, 404, "MODEL_NOT_FOUND", "model"),
        (RESPONSES, {"model": "gpt-5"}, 400, "INVALID_PARAMETER", "input"),
        (RESPONSES, {"model": "gpt-5", "input": ""}, 400, "INVALID_PARAMETER", "input"),
        (RESPONSES, {"model": "gpt-5", "input": [{}]}, 400, "INVALID_PARAMETER", "input[0].role"),
        (RESPONSES, {"model": "gpt-5", "input": "Hi", "stream": 1}, 400, "INVALID_PARAMETER", "stream"),
        (RESPONSES, {"model": "gpt-5", "input": "Hi", "metadata": [1]}, 400, "INVALID_PARAMETER", "metadata"),
        (
            RESPONSES,
            {"model": "gpt-5", "input": "Hi", "max_output_tokens": -1},
            400,
            "INVALID_PARAMETER",
            "max_output_tokens",
        ),
        (
            RESPONSES,
            {"model": "gpt-5", "input": "Hi", "previous_response_id": "resp_0"},
            400,
            "INVALID_PARAMETER",
            "previous_response_id",
        ),
        (EMBEDDINGS, {"input": "Hi"}, 400, "INVALID_PARAMETER", "model"),
        (EMBEDDINGS, {"model": "gpt-5", "input": "Hi"}, 422, "MODEL_NOT_SUPPORTED", "model"),
        *(
            (EMBEDDINGS, {"model": "text-embedding-3-small", "input": input}, 400, "INVALID_PARAMETER", "input")
            for input in (None, "", [], ["Hi", ""], [1, 2], {"text": "Hi"}, ["Hi"] * 2049)
        ),
        *(
            (
                EMBEDDINGS,
                {"model": "text-embedding-3-small", "input": "Hi", "dimensions": dimensions},
                400,
                "INVALID_PARAMETER",
                "dimensions",
            )
            for dimensions in (0, 1537, "8", True)
        ),
        (
            EMBEDDINGS,
            {"model": "text-embedding-3-small", "input": "Hi", "encoding_format": "hex"},
            400,
            "INVALID_PARAMETER",
            "encoding_format",
        ),
    ],
)
async def test_a_wrong_request_gets_an_error_in_the_form_of_inference(
    skytells: Send, path: str, body: dict[str, Any], status: int, code: str, param: str
) -> None:
    response = await skytells("POST", path, json=body)
    error = response.json.pop("error")
    assert (response.status, list(response.json)) == (status, ["error"])
    assert error.pop("message")
    assert error.pop("request_id").startswith("req_")
    assert error == {
        "type": "invalid_request_error",
        "code": code.lower(),
        "error_id": code,
        "status": status,
        "param": param,
        "details": {"category": "request"},
    }


@pytest.mark.parametrize("path", [CHAT, RESPONSES, EMBEDDINGS])
@pytest.mark.parametrize("body", [b"", b"{", b"[]"])
async def test_a_body_that_is_not_a_json_object_is_an_invalid_request(skytells: Send, path: str, body: bytes) -> None:
    response = await skytells("POST", path, data=body)
    error = response.json["error"]
    assert (response.status, error["error_id"], error["code"]) == (400, "INVALID_REQUEST", "invalid_request")


async def test_an_unknown_model_is_a_not_found_error_in_the_client(api: KellyAPI) -> None:
    with pytest.raises(NotFoundError) as raised:
        await api.skytells.chat.create("gpt-0", "Hello")
    assert (raised.value.code, raised.value.details) == ("MODEL_NOT_FOUND", {"category": "request"})
