"""Skytells' responses in the sandbox, S13."""

from __future__ import annotations

from pathlib import Path

import pytest
from http_client import Send

from kellyapi import BadRequestError, KellyAPI, Message, Sandbox

SUM = "[sandbox] 2 + 3 = 5"
RESPONSES = "/v1/responses"


async def test_a_response_has_all_fields(skytells: Send) -> None:
    body = {"model": "gpt-5", "input": "2 + 3", "instructions": "Be brief.", "metadata": {"a": "b"}}
    response = (await skytells("POST", RESPONSES, json=body)).json
    assert response.pop("id").startswith("resp_")
    assert isinstance(response.pop("created_at"), int)
    assert response["output"][0].pop("id").startswith("msg_")
    prompt, reply = response.pop("content_filters")
    assert (prompt["source_type"], prompt["blocked"], reply["source_type"]) == ("prompt", False, "completion")
    assert prompt["content_filter_offsets"] == {"start_offset": 0, "end_offset": 15, "check_offset": 0}
    assert response == {
        "object": "response",
        "status": "completed",
        "model": "gpt-5",
        "output": [
            {
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": SUM, "annotations": [], "logprobs": []}],
            }
        ],
        "usage": {
            "input_tokens": 5,
            "output_tokens": 6,
            "total_tokens": 11,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        "error": None,
        "incomplete_details": None,
        "instructions": "Be brief.",
        "metadata": {"a": "b"},
        "previous_response_id": None,
        "store": False,
    }


async def test_only_a_stored_response_can_be_continued(api: KellyAPI) -> None:
    responses = api.skytells.responses
    first = await responses.create("gpt-5", "I like plums.", store=True)
    body = [Message("user", "What did I say?")]
    second = await responses.create("gpt-5", body, previous_response_id=first.id)
    assert second.text == "[sandbox] Before that you said: I like plums."
    assert second.previous_response_id == first.id
    with pytest.raises(BadRequestError, match="is not of a response that was stored"):
        await responses.create("gpt-5", body, previous_response_id=second.id)


async def test_a_stored_response_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path) as first, first.api() as api:
        stored = await api.skytells.responses.create("gpt-5", "I like plums.", store=True)
    async with Sandbox(data=tmp_path) as second, second.api() as api:
        reply = await api.skytells.responses.create("gpt-5", "What did I say?", previous_response_id=stored.id)
    assert reply.text == "[sandbox] Before that you said: I like plums."


async def test_a_response_that_is_cut_is_incomplete(api: KellyAPI) -> None:
    cut = await api.skytells.responses.create("gpt-5", "2 + 3", max_output_tokens=2)
    assert (cut.status, cut.text, cut.incomplete_details) == (
        "incomplete",
        "[sandbox] 2",
        {"reason": "max_output_tokens"},
    )


async def test_a_response_that_is_blocked_has_no_output(api: KellyAPI) -> None:
    blocked = await api.skytells.responses.create("gpt-5", "Tell me of a massacre")
    assert (blocked.status, blocked.output) == ("incomplete", ())
    assert blocked.incomplete_details == {"reason": "content_filter"}
    assert [each["blocked"] for each in blocked.content_filters] == [True, False]
