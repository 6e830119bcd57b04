"""The parts that Skytells' chat completions, responses and embeddings share: models, parameters, messages, replies.

The chat engine makes the replies, `tool_calls` the calls of tools, and `response_format` the replies that are JSON.
Sampling parameters are accepted and have no effect. A prompt that the content filter blocks gets no content and the
finish reason "content_filter". Images in `data:` URLs are described, and the reply is the description; other images are
not fetched. The content filter checks the descriptions too.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from types import NoneType
from typing import Any

from aiohttp import web
from attrs import frozen

from ...engines.language.chat_rules import check_length
from ...frontend import ApiError, run_engine
from ...response_format import ResponseFormat, write_json
from ...sse import SINGLE_WORDS, split_words
from ...tool_calls import (
    Turn,
    check_count,
    check_results,
    choose_calls,
    read_calls,
    read_tool_options,
    reply_to_results,
)
from ..models import find_model, model_kind
from . import content_filter

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NUMBERS = {"temperature": (0, 2), "top_p": (0, 1), "presence_penalty": (-2, 2), "frequency_penalty": (-2, 2)}
MAX_TOP_LOGPROBS = 20
MAX_STOPS = 4


@frozen
class Reply:
    """What the sandbox's model replies."""

    text: str | None
    finish_reason: str
    calls: Sequence[dict[str, str]] = ()
    """Tool calls: id, name, and arguments as JSON text."""

    @property
    def tokens(self) -> int:
        """The number of tokens."""
        return count_tokens(self.text or "") + sum(count_tokens(call["arguments"]) + 1 for call in self.calls)


def parameter_error(param: str, message: str) -> ApiError:
    """Return the error for a wrong parameter."""
    return ApiError(400, "INVALID_PARAMETER", f"{param} {message}", param=param)


def find_usable_model(use: str, body: dict[str, Any]) -> str:
    """Return the slug of the requested model.

    Args:
        use: What the model must be able to do: "chat" or "embedding".
        body: Body of the request.

    Raises:
        ApiError: If the model is missing, unknown or made for something else.
    """
    name = body.get("model")
    if not isinstance(name, str) or not name:
        raise parameter_error("model", "is required and must be a string.")
    try:
        model = find_model(name)
    except ApiError as error:
        raise ApiError(error.status, error.code, error.message, param="model") from None
    if (model_kind(model) in ("text", "code")) != (use == "chat") or (use != "chat" and model_kind(model) != use):
        raise ApiError(422, "MODEL_NOT_SUPPORTED", f"Model {name!r} cannot be used here.", param="model")
    return str(model["namespace"])


def count_tokens(text: str) -> int:
    """Return the number of tokens, which are words in the sandbox."""
    return len(text.split())


def count_turn_tokens(turns: list[Turn]) -> int:
    """Return the number of tokens in a conversation."""
    return sum(count_tokens(turn["content"]) for turn in turns)


def joined_text(turns: list[Turn]) -> str:
    """Return the text of a conversation, for the content filter.

    Raises:
        BadInput: If it is too long.
    """
    check_length(turn["content"] for turn in turns)
    return "\n".join(turn["content"] for turn in turns)


def is_streamed(request: web.Request, body: dict[str, Any]) -> bool:
    """Return whether the request asks for a stream, in its body or its query."""
    return bool(body.get("stream")) or request.query.get("stream") == "true"


def check_parameters(body: dict[str, Any], *count_names: str) -> None:
    """Check the parameters of sampling and streaming, and the `count_names`, which must be whole numbers from 1."""
    if not isinstance(body.get("stream"), (bool, NoneType)):
        raise parameter_error("stream", "must be true or false.")
    if not isinstance(body.get("stream_options"), (dict, NoneType)):
        raise parameter_error("stream_options", "must be an object.")
    top = body.get("top_logprobs")
    if not (top is None or (type(top) is int and 0 <= top <= MAX_TOP_LOGPROBS)):
        raise parameter_error("top_logprobs", f"must be a whole number from 0 to {MAX_TOP_LOGPROBS}.")
    _read_stops(body)
    for name in count_names:
        value = body.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise parameter_error(name, "must be a whole number from 1.")
    for name, (least, most) in _NUMBERS.items():
        value = body.get(name)
        if value is not None and not (
            isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
        ):
            raise parameter_error(name, f"must be a number between {least} and {most}.")


def _read_stops(body: dict[str, Any]) -> list[str]:
    """Return the texts before which a reply ends."""
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if not (isinstance(stops, list) and len(stops) <= MAX_STOPS and all(isinstance(each, str) for each in stops)):
        raise parameter_error("stop", f"must be a text or up to {MAX_STOPS} texts.")
    return stops


async def read_turns(request: web.Request, messages: Any, param: str) -> list[Turn]:
    """Read the messages of a request."""
    if not isinstance(messages, list) or not messages:
        raise parameter_error(param, "is required and must not be empty.")
    check_count(messages, param, parameter_error)
    turns = [await read_turn(request, message, f"{param}[{place}]") for place, message in enumerate(messages)]
    check_results(turns, param, parameter_error)
    return turns


async def read_turn(request: web.Request, message: Any, param: str) -> Turn:
    """Read a message: the role, the text, the descriptions of the images, the tool calls, and whose result it is."""
    if not isinstance(message, dict):
        raise parameter_error(param, "must be an object.")
    if message.get("role") not in ROLES:
        raise parameter_error(f"{param}.role", f"must be one of {', '.join(ROLES)}.")
    content = message.get("content")
    parts = [{"text": content}] if isinstance(content, str) else content or []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise parameter_error(f"{param}.content", "must be a text or parts.")
    texts = [str(part["text"]) for part in parts if isinstance(part.get("text"), str)]
    descriptions = [
        await _describe_image(request, part["image_url"], f"{param}.content") for part in parts if "image_url" in part
    ]
    turn: Turn = {
        "role": message["role"],
        "content": "\n".join(texts + descriptions),
        "image_descriptions": "\n".join(descriptions),
    }
    if "tool_calls" in message:
        turn["tool_calls"] = read_calls(message["tool_calls"], f"{param}.tool_calls", parameter_error)
    if message["role"] == "tool":
        turn["tool_call_id"] = message.get("tool_call_id")
        if not isinstance(turn["tool_call_id"], str):
            raise parameter_error(f"{param}.tool_call_id", "is required.")
    return turn


async def make_reply(
    request: web.Request,
    model: str,
    turns: list[Turn],
    prompt_filter: dict[str, Any],
    body: dict[str, Any],
    limits: Sequence[str],
    format: ResponseFormat,
) -> Reply:
    """Return the reply to a conversation. `limits` names the parameters that limit its tokens."""
    options = read_tool_options(body, parameter_error)
    if format.type == "json_object" and "json" not in joined_text(turns).lower():
        raise parameter_error("messages", "must contain the word 'json', so that a response can be a JSON object.")
    if content_filter.is_blocked(prompt_filter):
        return Reply(None, "content_filter")
    if calls := choose_calls(turns, options):
        return Reply(None, "tool_calls", calls)
    if descriptions := turns[-1].get("image_descriptions"):
        text = f"[sandbox] {descriptions}"
    else:
        text = reply_to_results(turns) or await run_engine(
            request, "language.chat_rules.reply", messages=turns, model=model
        )
    if format.type != "text":
        users = [turn["content"] for turn in turns if turn["role"] == "user"]
        text = write_json(format, users[-1] if users else "", text, parameter_error)
    for end in filter(None, _read_stops(body)):
        text = text.partition(end)[0]
    words = split_words(text.rstrip())
    most = min((body[name] for name in limits if body.get(name)), default=None)
    if most is None or len(words) <= most:
        return Reply(text, "stop")
    return Reply("".join(words[:most]), "length")


def make_logprobs(text: str, top: int) -> list[dict[str, Any]]:
    """Return the logprobs of the words that a stream sends one by one. The first choice is always the word itself."""
    tokens = []
    for place, word in enumerate(split_words(text)[:SINGLE_WORDS]):
        token, logprob = {"token": word, "bytes": list(word.encode("utf-8", "replace"))}, place % 4 / -8 or 0.0
        others = [{**token, "logprob": logprob - rank} for rank in range(top)]
        tokens.append({**token, "logprob": logprob, "top_logprobs": others})
    return tokens


async def _describe_image(request: web.Request, image: Any, param: str) -> str:
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str) and url.startswith(("https://", "http://")):
        return f"There is an image at {url}, which the sandbox does not fetch."
    kind, comma, text = url.partition(",") if isinstance(url, str) else ("", "", "")
    try:
        if not (comma and kind.startswith("data:image/") and kind.endswith(";base64")):
            raise ValueError(kind)
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise parameter_error(param, "has an image that is neither a URL nor base64 in a data: URL.") from None
    return str(await run_engine(request, "pictures.image_operations.describe", image=data))
