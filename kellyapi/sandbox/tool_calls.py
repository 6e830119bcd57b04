"""Tools in the chats of the sandbox: which tool a message asks for, with which arguments, and the reply to its result.

There is no model. A message asks for a tool if it has the tool's name, a word of the name such as "weather" of
`get_weather`, or two words of the description. The arguments are a JSON object in the message, or what `schema_values`
finds there. All patterns take time that is linear in the length of the message.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from attrs import frozen

from .frontend import ApiError
from .schema_values import SchemaTooLarge, write_object

Turn = dict[str, Any]
"""A message: its role and its content; `tool_calls` with id and name, or the `tool_call_id` of a result."""
Refuse = Callable[[str, str], ApiError]
"""Makes the error of a parameter, in the provider's form, from its name and what is wrong."""

MAX_TOOLS = 128
MAX_MESSAGES = 10_000
"""Messages of a conversation, and tool calls of a message."""
_MAX_CALLS = 8
_MAX_PROMPT = 10_000
"""Characters of a message that are searched."""
_MAX_DESCRIPTION = 1000
"""Characters of a description that are searched."""
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NAME_WORDS = re.compile(r"[A-Z]?[a-z]++|[A-Z]++|[0-9]++")
_WORDS = re.compile(r"\w+")
_COMMON = frozenset(
    _WORDS.findall(
        "a an and at by call create current do fetch find for from function get give given in is it list look lookup"
        " make me my of on or return returns run search set show some that the this to tool up use with you your"
    )
)
"""Words that say nothing of what a tool does."""


@frozen
class Tool:
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: Any = None
    """JSON Schema of the arguments."""

    def score(self, prompt: str, words: frozenset[str]) -> Fraction:
        """Return how much a message asks for this tool; 0 if it does not."""
        if self.name.lower() in prompt:
            return Fraction(2)
        all_words = _folded(_NAME_WORDS.findall(self.name))
        name_words = all_words - _COMMON or all_words
        if name_words & words:
            return Fraction(len(name_words & words), len(name_words))
        described = {word for word in _folded(_WORDS.findall(self.description)) - _COMMON if len(word) > 3}
        return Fraction(1, 1000) if len(described & words) > 1 else Fraction(0)


@frozen
class ToolOptions:
    """The tools of a request, and when they are called."""

    tools: tuple[Tool, ...] = ()
    choice: str = "auto"
    """"auto", "none", "required", or "tool" if only one tool is left."""
    parallel: bool = True


def read_tool_options(body: dict[str, Any], refuse: Refuse) -> ToolOptions:
    """Read `tools`, `tool_choice` and `parallel_tool_calls`. Tools that are not functions are never called."""
    given = body.get("tools")
    if given is not None and not isinstance(given, list):
        raise refuse("tools", "must be an array.")
    if len(given or ()) > MAX_TOOLS:
        raise refuse("tools", f"must be at most {MAX_TOOLS} tools.")
    tools = tuple(filter(None, (_read_tool(tool, f"tools[{place}]", refuse) for place, tool in enumerate(given or ()))))
    parallel = body.get("parallel_tool_calls")
    if not (parallel is None or isinstance(parallel, bool)):
        raise refuse("parallel_tool_calls", "must be true or false.")
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict):
        function = choice.get("function", choice)
        name = function.get("name") if isinstance(function, dict) else None
        tools = tuple(tool for tool in tools if tool.name == name)
        choice = "tool"
    if choice not in ("auto", "none", "required", "tool"):
        raise refuse("tool_choice", "must be 'auto', 'none', 'required' or a tool.")
    if choice in ("required", "tool") and not tools:
        raise refuse("tool_choice", "needs a tool that is among the tools.")
    return ToolOptions(tools, choice, parallel is not False)


def check_count(given: list[Any], param: str, refuse: Refuse) -> None:
    """Check the number of messages, or of tool calls."""
    if len(given) > MAX_MESSAGES:
        raise refuse(param, f"must have at most {MAX_MESSAGES:,} items.")


def read_calls(given: Any, param: str, refuse: Refuse) -> list[dict[str, str]]:
    """Read the `tool_calls` of a message that is sent back."""
    if not isinstance(given, list) or not given:
        raise refuse(param, "must be an array with at least one tool call.")
    check_count(given, param, refuse)
    return [read_call(call, f"{param}[{place}]", refuse) for place, call in enumerate(given)]


def read_call(call: Any, param: str, refuse: Refuse, id_name: str = "id") -> dict[str, str]:
    """Read a tool call that is sent back."""
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise refuse(param, "must be a tool call.")
    id, name, arguments = call.get(id_name), function.get("name"), function.get("arguments")
    if not (isinstance(id, str) and id and isinstance(name, str) and name and isinstance(arguments, str)):
        raise refuse(param, f"needs the strings {id_name}, name and arguments.")
    return {"id": id, "name": name}


def check_results(turns: list[Turn], param: str, refuse: Refuse) -> None:
    """Check that each result belongs to a call, and that each call has its result before another message follows."""
    waiting: set[str] = set()
    for turn in turns:
        if turn["role"] == "tool":
            if turn["tool_call_id"] not in waiting:
                raise refuse(param, f"have no tool call {turn['tool_call_id']!r} before its result.")
            waiting.remove(turn["tool_call_id"])
            continue
        if waiting:
            break
        waiting = {call["id"] for call in turn.get("tool_calls", ())}
    if waiting:
        raise refuse(param, f"need the result of the tool call {min(waiting)!r} next.")


def choose_calls(turns: list[Turn], options: ToolOptions) -> list[dict[str, str]]:
    """Return the tool calls that the sandbox's model makes: id, name, and arguments as JSON text."""
    if options.choice == "none" or not options.tools:
        return []
    users = [turn["content"] for turn in turns if turn["role"] == "user"]
    prompt = users[-1][:_MAX_PROMPT] if users else ""
    lowered = prompt.lower()
    words = frozenset(_folded(_WORDS.findall(lowered)))
    scores = [tool.score(lowered, words) for tool in options.tools]
    best = max(scores)
    if options.choice == "auto" and (not best or turns[-1]["role"] == "tool"):
        return []
    chosen = [tool for tool, score in zip(options.tools, scores, strict=True) if score == best]
    chosen = chosen[: _MAX_CALLS if best and options.parallel else 1]
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:24]}",
            "name": tool.name,
            "arguments": _make_arguments(tool.parameters, prompt),
        }
        for tool in chosen
    ]


def write_calls(calls: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Return tool calls in the form of chat completions."""
    return [
        {
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for call in calls
    ]


def reply_to_results(turns: list[Turn]) -> str | None:
    """Return the reply to the results of tools at the end of a conversation; `None` if there are none."""
    names = {call["id"]: call["name"] for turn in turns for call in turn.get("tool_calls", ())}
    lines: list[str] = []
    for turn in reversed(turns):
        if turn["role"] != "tool":
            break
        lines.append(f"{names[turn['tool_call_id']]} returned: {turn['content']}")
    return "[sandbox] " + "\n".join(reversed(lines)) if lines else None


def _read_tool(tool: Any, param: str, refuse: Refuse) -> Tool | None:
    """Read a tool in the form of chat completions, or in the flat one of responses."""
    if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
        raise refuse(param, "must be an object with a type.")
    if tool["type"] != "function":
        return None
    function = tool.get("function", tool)
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refuse(f"{param}.function.name", "must be 1 to 64 letters, digits, '_' or '-'.")
    parameters = function.get("parameters")
    if not (parameters is None or isinstance(parameters, dict)):
        raise refuse(f"{param}.function.parameters", "must be a JSON Schema.")
    description = function.get("description")
    return Tool(name, description[:_MAX_DESCRIPTION] if isinstance(description, str) else "", parameters)


def _folded(words: list[str]) -> set[str]:
    """Return words in lower case, without the "s" of a plural."""
    lowered = (word.lower() for word in words)
    return {word.removesuffix("s") if len(word) > 3 else word for word in lowered}


def _make_arguments(schema: Any, prompt: str) -> str:
    """Return arguments as JSON text: the JSON object that is in the message, or what fits the schema."""
    try:
        start = prompt.find("{")
        given = json.JSONDecoder().raw_decode(prompt, start)[0] if start >= 0 else None
    except (ValueError, RecursionError):
        given = None
    try:
        return json.dumps(given, ensure_ascii=False) if isinstance(given, dict) else write_object(schema, prompt)
    except (RecursionError, SchemaTooLarge):
        return "{}"
