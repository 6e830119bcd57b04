"""Tools in the sandbox's chats: what is called with which arguments, whole round trips, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from http_client import Send

from kellyapi import BadRequestError, ChatReply, CompletionMessage, KellyAPI, Message, TokenLogprob

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tool(name: str, parameters: Any = None, description: str = "") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


WEATHER = tool("get_weather", CITY, "The current weather of a city")
TIME = tool("get_time", CITY)
QUESTION = "What is the weather in Addis Ababa?"
ANSWER = "[sandbox] get_weather returned: 24 °C"

Chat = Callable[..., Awaitable[CompletionMessage]]


async def skytells(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    return (await api.skytells.chat.create("gpt-5", talk, **options)).choices[0].message


async def skytells_stream(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    stream = api.skytells.chat.stream("gpt-5", talk, **options)
    await stream.finish()
    return stream.completion.choices[0].message


async def aerostack(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    return (await api.aerostack.ai.chat(talk, **options)).message


async def aerostack_stream(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    return (await api.aerostack.ai.chat_stream(talk, **options).finish()).message


async def gateway(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    return (await api.aerostack.gateway.chat("my-api", talk, consumer="ask", **options)).choices[0].message


async def gateway_stream(api: KellyAPI, talk: Any, **options: Any) -> CompletionMessage:
    return (await api.aerostack.gateway.chat_stream("my-api", talk, consumer="ask", **options).finish()).message


each_chat = pytest.mark.parametrize(
    "chat", [skytells, skytells_stream, aerostack, aerostack_stream, gateway, gateway_stream]
)


@each_chat
async def test_a_tool_is_called_and_its_result_is_answered(api: KellyAPI, chat: Chat) -> None:
    asked = await chat(api, QUESTION, tools=[WEATHER, TIME])
    (call,) = asked.tool_calls
    assert (asked.content, call.function.name) == (None, "get_weather")
    assert json.loads(call.function.arguments) == {"city": "Addis Ababa"}
    talk = [Message("user", QUESTION), asked, Message("tool", "24 °C", tool_call_id=call.id)]
    answered = await chat(api, talk, tools=[WEATHER, TIME])
    assert (answered.content, answered.tool_calls) == (ANSWER, ())
    again = await chat(api, [*talk, answered, {"role": "user", "content": "What is the time in Kumasi?"}], tools=[TIME])
    assert json.loads(again.tool_calls[0].function.arguments) == {"city": "Kumasi"}


async def test_calls_have_a_finish_reason_and_are_counted(api: KellyAPI) -> None:
    completion = await api.skytells.chat.create("gpt-5", QUESTION, tools=[WEATHER])
    reply: ChatReply = await api.aerostack.ai.chat(QUESTION, tools=[WEATHER])
    assert (completion.choices[0].finish_reason, reply.finish_reason) == ("tool_calls", "tool_calls")
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 0
    assert (completion.text, reply.text) == ("", "")


@pytest.mark.parametrize(
    ("prompt", "tools", "options", "called"),
    [
        (QUESTION, [WEATHER, TIME], {}, ["get_weather"]),
        ("The time and the weather in Accra", [WEATHER, TIME], {}, ["get_weather", "get_time"]),
        ("The time and the weather in Accra", [WEATHER, TIME], {"parallel_tool_calls": False}, ["get_weather"]),
        ("Call get_time, whatever the weather", [WEATHER, TIME], {}, ["get_time"]),
        (
            "Is the city warm at current prices? Any cities?",
            [tool("warmth", None, "How warm a city is")],
            {},
            ["warmth"],
        ),
        ("Send emails to Ama", [tool("sendEmail")], {}, ["sendEmail"]),
        ("Hello", [WEATHER, TIME], {}, []),
        (QUESTION, [], {}, []),
        (QUESTION, None, {"tool_choice": "auto"}, []),
        (QUESTION, [WEATHER], {"tool_choice": "none"}, []),
        ("Hello", [WEATHER, TIME], {"tool_choice": "required"}, ["get_weather"]),
        (
            QUESTION,
            [WEATHER, TIME],
            {"tool_choice": {"type": "function", "function": {"name": "get_time"}}},
            ["get_time"],
        ),
        (QUESTION, [WEATHER, TIME], {"tool_choice": {"type": "function", "name": "get_time"}}, ["get_time"]),
        (QUESTION, [{"type": "function", "name": "get_weather"}, {"type": "web_search"}], {}, ["get_weather"]),
    ],
)
async def test_a_message_asks_for_a_tool_by_its_name_or_its_words(
    api: KellyAPI, prompt: str, tools: Any, options: Any, called: list[str]
) -> None:
    message = await skytells(api, prompt, tools=tools, **options)
    assert [call.function.name for call in message.tool_calls] == called
    assert len({call.id for call in message.tool_calls}) == len(called)
    assert (message.content is None) == bool(called)


@pytest.mark.parametrize(
    ("prompt", "parameters", "arguments"),
    [
        ('f {"a": [1], "b": null} now', CITY, {"a": [1], "b": None}),
        ('f {"a": ' + "[" * 4000, {}, {}),
        ('f {"a": ' + "[" * 900 + "]" * 900 + "}", {}, None),
        ("f {no json", CITY, {"city": "f {no json"}),
        ("f city=Accra, please", CITY, {"city": "Accra"}),
        ('f city: "Addis Ababa"', CITY, {"city": "Addis Ababa"}),
        ("f in Cape Coast. There is Elmina, too", CITY, {"city": "Cape Coast"}),
        ("f of “Good morning”", CITY, {"city": "Good morning"}),
        ("Ask f", None, {}),
        (
            "f 3 times and -2.5",
            {"properties": {"a": {"type": "integer"}, "b": {"type": "number"}}},
            {"a": 3, "b": -2.5},
        ),
        ("f", {"properties": {"a": {"type": "integer", "default": 7}, "b": {"type": "boolean"}}}, {"a": 7, "b": True}),
        ("f in FAHRENHEIT", {"properties": {"u": {"enum": ["celsius", "fahrenheit"]}}}, {"u": "fahrenheit"}),
        ("f", {"properties": {"u": {"enum": ["celsius", "fahrenheit"]}}}, {"u": "celsius"}),
        ("f 5", {"properties": {"l": {"type": "array", "items": {"type": "integer"}}}}, {"l": [5]}),
        ("f 5", {"properties": {"o": {"properties": {"n": {"type": ["integer", "null"]}}}}}, {"o": {"n": 5}}),
        ("f", {"properties": {"a": {"type": "string"}, "b": {"type": "null"}}, "required": ["b"]}, {"b": None}),
        ("f", {"properties": [], "required": 5}, {}),
        ("f", {"properties": {"a": 5, "(": {"type": {}}}}, {"a": "f", "(": "f"}),
    ],
)
async def test_arguments_come_from_the_message(api: KellyAPI, prompt: str, parameters: Any, arguments: Any) -> None:
    (call,) = (await skytells(api, prompt, tools=[tool("f", parameters)])).tool_calls
    assert arguments is None or json.loads(call.function.arguments) == arguments


async def test_few_of_many_tools_are_called(api: KellyAPI) -> None:
    tools = [tool(f"weather_{number}") for number in range(100)]
    message = (await api.skytells.chat.create("gpt-5", QUESTION, tools=tools)).choices[0].message
    assert len(message.tool_calls) == 8


async def test_a_schema_that_holds_itself_has_an_end(api: KellyAPI) -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(50):
        schema = {"type": "object", "properties": {"a": {"type": "array", "items": schema}}}
    (call,) = (await skytells(api, "f", tools=[tool("f", schema)])).tool_calls
    assert len(call.function.arguments) < 100


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "parameters",
    [
        {"properties": {f"a{number}": {} for number in range(20_000)}},
        {"properties": {"a": {"type": "array", "items": {"properties": {f"a{n}": {} for n in range(20_000)}}}}},
        {"properties": {"a": {"enum": [f"x{number}" for number in range(100_000)]}}},
        {"properties": {"a": {"enum": nested(150)}}},
        {"properties": {"a": {"default": nested(150)}}},
        {"properties": {"a": {"type": "array", "items": nested(150)}}, "description": nested(150)},
    ],
)
async def test_the_arguments_for_any_schema_are_few(api: KellyAPI, parameters: Any) -> None:
    message = await skytells(api, "Call f", tools=[{**tool("f", parameters), "description": nested(150)}])
    assert len(message.tool_calls[0].function.arguments) < 20_000


async def test_a_long_reply_has_logprobs_for_its_beginning(api: KellyAPI) -> None:
    options: dict[str, Any] = {"logprobs": True, "top_logprobs": 20}
    stream = api.skytells.chat.stream("gpt-5", "a " * 1500 + ".", **options)
    await stream.finish()
    logprobs = stream.completion.choices[0].logprobs
    assert logprobs is not None
    assert (len(logprobs.content), len(stream.text.split()) > 1500) == (1000, True)


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
USER = {"role": "user", "content": "Hi"}
RESULT = {"role": "tool", "content": "24", "tool_call_id": "c"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [5]}, "tools[0]"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools[0]"),
        ({"tools": [WEATHER, tool("a b")]}, "tools[1].function.name"),
        ({"tools": [{"type": "function", "function": None}]}, "tools[0].function.name"),
        ({"tools": [tool("f", [])]}, "tools[0].function.parameters"),
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"tools": [WEATHER], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"function": {"name": "f"}}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": None}]}, "messages[1].tool_calls"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": []}]}, "messages[1].tool_calls"),
        (
            {"messages": [USER, {"role": "assistant", "tool_calls": [{**CALL, "id": None}]}]},
            "messages[1].tool_calls[0]",
        ),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "messages[1].tool_calls[0]"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]}, "messages"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, USER, RESULT]}, "messages"),
        ({"messages": [USER, RESULT]}, "messages"),
        ({"messages": [USER] * 10_001}, "messages"),
        ({"messages": [USER, {"role": "assistant", "tool_calls": [CALL] * 10_001}]}, "messages[1].tool_calls"),
        ({"messages": [USER, {**RESULT, "tool_call_id": None}]}, "messages[1].tool_call_id"),
    ],
)
@pytest.mark.parametrize("where", ["skytells", "aerostack"])
async def test_wrong_tools_and_results_are_refused(send: Send, where: str, body: Any, param: str) -> None:
    body = {"model": "gpt-5", "messages": [USER], **body}
    if where == "skytells":
        response = await send("POST", "/v1/chat/completions", headers={"x-api-key": "key"}, json=body)
        found = response.json["error"]["param"]
    else:
        response = await send("POST", "/v1/ai/chat", headers={"X-Aerostack-Key": "key"}, json=body)
        found = response.json["details"]["field"]
    assert (response.status, found) == (400, param)


async def test_logprobs_come_whole_and_in_a_stream(api: KellyAPI) -> None:
    options: dict[str, Any] = {"logprobs": True, "top_logprobs": 2}
    whole = await api.skytells.chat.create("gpt-5", "2 + 3", **options)
    stream = api.skytells.chat.stream("gpt-5", "2 + 3", **options)
    await stream.finish()
    logprobs = whole.choices[0].logprobs
    assert logprobs is not None
    assert "".join(token.token for token in logprobs.content) == whole.text
    assert all(isinstance(token, TokenLogprob) and len(token.top_logprobs) == 2 for token in logprobs.content)
    assert stream.completion.choices[0].logprobs == logprobs
    with pytest.raises(BadRequestError, match="top_logprobs"):
        await api.skytells.chat.create("gpt-5", "2 + 3", logprobs=True, top_logprobs=21)
