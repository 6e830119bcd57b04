"""Skytells' responses in the sandbox, S13."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from http_client import Send

from kellyapi import BadRequestError, FunctionCallItem, KellyAPI, Message, OutputMessage, ReasoningItem, Sandbox

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
    async with Sandbox(data=tmp_path, keep_engines=True) as first, first.api() as api:
        stored = await api.skytells.responses.create("gpt-5", "I like plums.", store=True)
    async with Sandbox(data=tmp_path, keep_engines=True) as second, second.api() as api:
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
    assert [each.blocked for each in blocked.content_filters] == [True, False]


# Tools


PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}}
NESTED = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
FLAT = {"type": "function", "name": "get_weather", "parameters": PARAMETERS}
QUESTION = "What is the weather in Accra?"
ANSWER = "[sandbox] get_weather returned: 24 °C"


@pytest.mark.parametrize("tool", [NESTED, FLAT])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("how", ["whole", "stored", "dict"])
async def test_a_function_is_called_and_its_result_is_answered(
    api: KellyAPI, tool: Any, streamed: bool, how: str
) -> None:
    async def ask(input: Any, **options: Any) -> Any:
        responses = api.skytells.responses
        options = {"tools": [tool], "reasoning": {"summary": "auto"}, "store": True, **options}
        if streamed:
            return await responses.stream("gpt-5", input, **options).finish()
        return await responses.create("gpt-5", input, **options)

    asked = await ask(QUESTION)
    reasoning, call = asked.output
    assert (type(reasoning), type(call)) == (ReasoningItem, FunctionCallItem)
    assert reasoning.text.startswith("[sandbox]")
    assert (call.name, call.arguments, asked.function_calls) == ("get_weather", '{"city": "Accra"}', (call,))
    result: Any = Message("tool", "24 °C", tool_call_id=call.call_id)
    if how == "stored":
        answered = await ask([result], previous_response_id=asked.id)
    else:
        if how == "dict":
            result = {"type": "function_call_output", "call_id": call.call_id, "output": "24 °C"}
        answered = await ask([{"role": "user", "content": QUESTION}, *asked.output, result])
    assert (answered.text, answered.function_calls) == (ANSWER, ())
    assert [type(item) for item in answered.output] == [ReasoningItem, OutputMessage]
    talk = [Message("user", QUESTION), *asked.output, result, *answered.output, Message("user", "2 + 3")]
    assert (await ask(talk)).text == SUM


async def test_a_message_of_a_chat_continues_as_a_response(api: KellyAPI) -> None:
    chat = await api.skytells.chat.create("gpt-5", QUESTION, tools=[NESTED])
    message = chat.choices[0].message
    result = Message("tool", "24 °C", tool_call_id=message.tool_calls[0].id)
    response = await api.skytells.responses.create("gpt-5", [Message("user", QUESTION), message, result])
    assert response.text == ANSWER


async def test_the_arguments_of_a_function_call_arrive_in_events(api: KellyAPI) -> None:
    async with api.skytells.responses.stream("gpt-5", QUESTION, tools=[FLAT]) as stream:
        events = [event async for event in stream]
    kinds = [event.type.removeprefix("response.") for event in events]
    assert kinds == [
        "created",
        "in_progress",
        "output_item.added",
        *["function_call_arguments.delta"] * 2,
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    arguments = "".join(event.delta or "" for event in events)
    assert arguments == events[5].arguments == stream.response.function_calls[0].arguments  # type: ignore[union-attr]  # it is complete


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "24"}
USER = {"role": "user", "content": "Hi"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": [USER, {"type": "dance"}]}, "input[1].type"),
        ({"input": [USER, {**CALL, "call_id": None}, RESULT]}, "input[1]"),
        ({"input": [USER, {**CALL, "arguments": {}}, RESULT]}, "input[1]"),
        ({"input": [USER, CALL, {**RESULT, "call_id": 5}]}, "input[2].tool_call_id"),
        ({"input": [USER, CALL, {**RESULT, "output": 5}]}, "input[2].content"),
        ({"input": [USER, RESULT]}, "input"),
        ({"input": [USER] * 10_001}, "input"),
        ({"input": [USER, CALL]}, "input"),
        ({"input": [USER, CALL, USER]}, "input"),
        ({"input": "Hi", "tools": [{"type": "function"}]}, "tools[0].function.name"),
    ],
)
async def test_wrong_items_are_refused(skytells: Send, body: Any, param: str) -> None:
    response = await skytells("POST", RESPONSES, json={"model": "gpt-5", **body})
    assert (response.status, response.json["error"]["param"]) == (400, param)


async def test_calls_of_one_response_come_before_their_results(skytells: Send) -> None:
    calls = [CALL, {**CALL, "call_id": "d", "name": "g"}]
    input = [USER, *calls, RESULT, {"type": "function_call_output", "call_id": "d", "output": [{"text": "25"}]}]
    response = await skytells("POST", RESPONSES, json={"model": "gpt-5", "input": input})
    assert response.json["output"][0]["content"][0]["text"] == "[sandbox] f returned: 24\ng returned: 25"


async def test_logprobs_of_a_response_are_those_of_its_words(api: KellyAPI) -> None:
    whole = await api.skytells.responses.create("gpt-5", "2 + 3", top_logprobs=1)
    (part,) = whole.output[0].content
    assert "".join(token.token for token in part.logprobs) == SUM
