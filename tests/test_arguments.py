"""Wrong arguments: every public method refuses them by name, before anything is sent."""

from __future__ import annotations

import asyncio
import inspect
import logging
import math
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from servers import Server, make_response

from kellyapi import (
    NO_RETRY,
    PROVIDERS,
    Aerostack,
    ChatCompletion,
    Choice,
    ExtraFields,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Options,
    Prediction,
    Rate,
    RetryPolicy,
    Skytells,
    SkytellsModel,
    Timeout,
)
from kellyapi._core.raw_requests import METHODS
from kellyapi.providers.skytells.inference.parameters import ChatParameters, ResponseParameters
from kellyapi.providers.skytells.predictions.requests import RunOptions
from kellyapi.providers.skytells.predictions.resource import ListFilters

OWNERS = (
    "api",
    "api.kelly",
    "api.khaya",
    *(
        f"api.skytells{each}"
        for each in ("", ".predictions", ".models", ".chat", ".responses", ".embeddings", ".safety")
    ),
    *(f"api.aerostack{each}" for each in ("", ".ai", ".auth", ".cache", ".db", ".queue", ".services", ".storage")),
    *(f"api.aerostack{each}" for each in (".search", ".gateway")),
)
OPTIONS: dict[str, Any] = {
    "Unpack[Options]": Options,
    "Unpack[ExtraFields]": ExtraFields,
    "Unpack[RunOptions]": RunOptions,
    "Unpack[ListFilters]": ListFilters,
    "Unpack[ChatParameters]": ChatParameters,
    "Unpack[ResponseParameters]": ResponseParameters,
}
LOCAL = {"with_options", "with_access", "close", "read_filters", "was_filtered", "evaluate", "estimate"}
"""They send nothing."""

Accepts = Callable[[Any], Any]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def is_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def is_list_of(accepts: Accepts, *more: type) -> Accepts:
    return lambda value: isinstance(value, (list, tuple, *more)) and all(map(accepts, value))


def one_of(*choices: str) -> Accepts:
    return lambda value: isinstance(value, str) and value in choices


def is_callable(value: Any) -> bool:
    return callable(value)


def is_path(value: Any) -> bool:
    return isinstance(value, Path) or is_text(value)


def is_messages(value: Any) -> bool:
    return is_text(value) or (bool(value) and is_list_of(lambda each: is_dict(each) and bool(each))(value))


def is_media(value: Any) -> bool:
    return isinstance(value, (str, bytes, Path)) and bool(value)


KINDS: list[tuple[str, Accepts]] = [
    (
        "text prompt language pair source target via model voice character code key api api_id consumer_id metric"
        " content content_type email password name id type status cursor sql url user previous_response_id"
        " service_tier truncation prompt_cache_key prompt_cache_retention image_data proxy",
        is_text,
    ),
    ("prefix negative_prompt lyrics base_url filename instructions", lambda value: isinstance(value, str)),
    ("consumer api_key", lambda value: isinstance(value, str) or callable(value)),
    ("audio image file", is_media),
    ("path to", is_path),
    ("index", lambda value: is_whole(value) and value >= 0),
    (
        "window width height limit max_tokens dimensions page n days max_output_tokens max_tool_calls max_connections"
        " max_concurrency max_response_bytes",
        lambda value: is_whole(value) and value >= 1,
    ),
    ("per_page", lambda value: is_whole(value) and 1 <= value <= 50),
    ("top_logprobs", lambda value: is_whole(value) and value >= 0),
    ("ttl", lambda value: is_number(value) and value > 0),
    ("duration", lambda value: is_number(value) and value > 0),
    ("delay temperature units interval timeout", lambda value: is_number(value) and value >= 0),
    ("top_p", lambda value: is_number(value) and 0 <= value <= 1),
    ("amount initial presence_penalty frequency_penalty", is_number),
    (
        "split overwrite wait stream cancel_on_exit logprobs parallel_tool_calls store allow_http log_bodies",
        lambda value: isinstance(value, bool),
    ),
    ("on_progress on_response on_upload", is_callable),
    ("input metadata filter response_format reasoning headers", is_dict),
    ("method", one_of(*(name for each in METHODS for name in (each, each.lower())))),
    ("form query extra_body extra_query", is_dict),
    ("extra_headers", lambda value: value == {}),
    ("repeatable", lambda value: isinstance(value, bool)),
    ("into", lambda value: value is None or value is int),
    ("webhook", lambda value: is_text(value) or (is_dict(value) and "url" in value)),
    ("tool_choice", lambda value: isinstance(value, str) or is_dict(value)),
    ("tools", is_list_of(is_dict)),
    ("stop", lambda value: isinstance(value, str) or is_list_of(lambda each: isinstance(each, str))(value)),
    ("fields", lambda value: isinstance(value, str) or is_list_of(lambda each: isinstance(each, str), set)(value)),
    ("texts", is_list_of(is_text, set)),
    ("audios", is_list_of(is_media, set)),
    ("keys", is_list_of(is_text, set)),
    ("types", is_list_of(is_text)),
    ("params", lambda value: isinstance(value, (list, tuple, set))),
    ("messages", is_messages),
    ("prediction", lambda value: isinstance(value, Prediction) or (isinstance(value, str) and value)),
    ("since until", lambda value: isinstance(value, date) or is_text(value)),
    ("completion", lambda value: isinstance(value, (ChatCompletion, Choice)) or value in ([], (), set())),
    ("template", one_of("strict", "moderate", "minimal", "child_safe", "enterprise")),
    ("provider", one_of("kelly", "khaya", "skytells", "aerostack")),
    (
        "fallback",
        lambda value: isinstance(value, bool) or is_list_of(one_of("kelly", "khaya", "skytells", "aerostack"))(value),
    ),
    ("kind", one_of("sd", "sdxl", "chat", "voice")),
    ("service", one_of("translation", "transcription", "synthesis")),
    ("timestamps", one_of("word", "segment")),
    ("format", one_of("wav", "mp3", "ogg")),
    ("embedding_model", one_of("english", "multilingual")),
    ("encoding_format", one_of("float", "base64")),
    ("entries", lambda value: (isinstance(value, Mapping) and all(map(is_text, value))) or value in ([], ())),
    ("queries", lambda value: value in ([], (), [["x"]])),
    ("requests", lambda value: value in ([], ())),
    ("retry", lambda value: isinstance(value, RetryPolicy)),
    ("rate", lambda value: isinstance(value, Rate)),
    ("logger", lambda value: isinstance(value, logging.Logger)),
]
"""What each argument accepts, by its name; `None` is accepted where it is the default."""
ACCEPTS: dict[str, Accepts] = {name: accepts for named, accepts in KINDS for name in named.split()}
SPECIAL: dict[str, Accepts] = {
    "api.voice2text audio": is_text,
    "api.img2img width": lambda value: is_text(value) or (is_whole(value) and value >= 1),
    "api.img2img height": lambda value: is_text(value) or (is_whole(value) and value >= 1),
    "api.skytells.responses.create input": is_messages,
    "api.skytells.responses.stream input": is_messages,
    "api.skytells.responses.create text": is_dict,
    "api.skytells.responses.stream text": is_dict,
    "api.skytells.responses.create store": lambda value: isinstance(value, bool),
    "api.embed texts": lambda value: is_text(value) or (is_list_of(is_text, set)(value) and value),
    "api.skytells.embeddings.create input": lambda value: is_text(value) or is_list_of(is_text, set)(value),
    "api.skytells.models.get model": lambda value: isinstance(value, str) and value,
    "api.skytells.models.estimate model": lambda value: isinstance(value, SkytellsModel),
    "api.kelly.chat model": lambda value: isinstance(value, str) and value,
    "api.aerostack.gateway.chat api": lambda value: isinstance(value, str) and value,
    "api.aerostack.gateway.chat_stream api": lambda value: isinstance(value, str) and value,
    **{
        f"api.{provider}.{method} {name}": accepts
        for provider in PROVIDERS
        for method in ("request", "stream")
        for name, accepts in (("path", is_text), ("headers", lambda value: value in ({}, None)))
    },
}
UNCHECKED = {"value", "data", "json"}
"""Any JSON value."""
GOOD: dict[str, Any] = {
    "audio": b"RIFF",
    "audios": [b"RIFF"],
    "texts": ["word"],
    "image": b"\x89PNG\r\n\x1a\n",
    "file": b"data",
    "image_data": "iVBORw0KGgo=",
    "input": {"prompt": "a wolf"},
    "messages": "Hello",
    "completion": ChatCompletion(choices=()),
    "keys": ["a"],
    "entries": {"a": 1},
    "queries": [("SELECT 1", ())],
    "requests": [("m", {})],
    "kind": "sd",
    "method": "GET",
    "service": "translation",
    "embedding_model": "english",
    "ttl": 60,
    "units": 1,
    "n": 1,
    "value": 1,
    "data": {},
    "api_key": "key",
}
JUNK: list[Any] = [
    None, True, False, 0, -1, 5, 99, 1.5, -0.5, math.nan, math.inf, -math.inf, "", " ", "word", b"", b"bytes", [],
    ["x"], [5], [None], [""], [["x"]], ("a", "b"), [{}], [{5: 1}], {}, {"x": 1}, {5: 1}, {"": 1}, {"x"}, object(),
    print, int, Path("x"), date(2026, 1, 1), 1j, Timeout(),
]  # fmt: skip


@frozen
class Operation:
    """A public method of a client, with a call that is right."""

    owner: str
    name: str
    parameters: Mapping[str, bool]
    """The parameters that are checked, and whether they accept `None`."""
    good: Mapping[str, Any]
    """Arguments for the needed ones."""

    @property
    def label(self) -> str:
        return f"{self.owner}.{self.name}"

    def accepts(self, parameter: str) -> Accepts:
        accepts = SPECIAL.get(f"{self.label} {parameter}") or ACCEPTS[parameter]
        if parameter == "timeout" and self.name == "with_options":
            return lambda value: value is None or isinstance(value, Timeout) or (is_number(value) and value > 0)
        optional = self.parameters[parameter]
        return lambda value: (optional and value is None) or accepts(value)


def owner_of(api: KellyAPI, path: str) -> Any:
    owner: Any = api
    for name in path.split(".")[1:]:
        owner = getattr(owner, name)
    return owner


def find_operations() -> Iterator[Operation]:
    """Read the operations from the classes, so that none is forgotten."""
    api = KellyAPI("key", khaya="key", skytells="key", aerostack="key")
    for path in OWNERS:
        owner = owner_of(api, path)
        for name in dir(type(owner)):
            method = inspect.getattr_static(type(owner), name)
            method = getattr(method, "__func__", method)
            if name.startswith(("_", "share", "sandbox")) or not inspect.isfunction(method):
                continue
            checked: dict[str, bool] = {}
            good: dict[str, Any] = {}
            for parameter in inspect.signature(method).parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:
                    hints = OPTIONS[parameter.annotation].__annotations__
                    checked |= {each: "None" in str(hint) for each, hint in hints.items()}
                elif parameter.name not in ("self", "cls") and parameter.name not in UNCHECKED:
                    checked[parameter.name] = parameter.default is None or "None" in parameter.annotation
                if parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
                    good[parameter.name] = GOOD.get(parameter.name, "en-tw" if parameter.name == "pair" else "word")
            if "pair" in checked:
                good["pair"] = "en-tw"
            if path.startswith(("api.skytells.responses", "api.skytells.embeddings")):
                good["input"] = "Hello"
            if name == "estimate":
                good["model"] = SkytellsModel(name="word", namespace="word")
            if name == "voice2text":
                good["audio"] = "UklGRg=="
            good.pop("self", None)
            good.pop("cls", None)
            yield Operation(path, name, checked, good)


OPERATIONS = [each for each in find_operations() if each.parameters]


@asynccontextmanager
async def one_client() -> AsyncIterator[tuple[KellyAPI, Server]]:
    """Open a client whose providers are all at the address of one server."""
    async with Server(make_response(body=b'{"id": "word", "status": "succeeded"}')) as server:
        options: Any = {"retry": NO_RETRY, "timeout": 5}
        clients = {
            kind.PROVIDER.name: kind("key", base_url=server.url, **options) for kind in (Khaya, Skytells, Aerostack)
        }
        async with KellyAPI("key", server.url, **clients, **options) as api:
            yield api, server


async def call(api: KellyAPI, operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Call an operation, up to its first result."""
    if arguments.get("url") == "word":
        arguments = {**arguments, "url": f"{api.khaya.base_url}/a.png"}
    called: Any = getattr(owner_of(api, operation.owner), operation.name)(**arguments)
    if inspect.isawaitable(called):
        await called
    elif hasattr(called, "__anext__"):
        await anext(called)


def wrong_values(operation: Operation, parameter: str) -> list[Any]:
    accepts = operation.accepts(parameter)
    return [value for value in JUNK if not accepts(value)]


async def mistake(api: KellyAPI, operation: Operation, parameter: str, value: Any) -> str | None:
    """Return what happens to a wrong argument, if it is not refused by its name."""
    try:
        await call(api, operation, {**operation.good, parameter: value})
    except (TypeError, ValueError) as error:
        named = re.search(rf"\b{parameter}\b", str(error))
        return None if named else f"{parameter}={value!r}: {error}"
    except Exception as error:  # the promise is a TypeError or a ValueError
        return f"{parameter}={value!r}: {error!r}"
    return f"{parameter}={value!r} is accepted"


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
async def test_each_wrong_argument_is_refused_by_its_name_before_anything_is_sent(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with one_client() as (api, server):
        wrong = [(name, value) for name in operation.parameters for value in wrong_values(operation, name)]
        mistakes = [await mistake(api, operation, name, value) for name, value in wrong]
        assert len(wrong) > 10
        assert list(filter(None, mistakes)) == []
        assert (server.requests, server.connections) == ([], 0)


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.name not in LOCAL], ids=lambda operation: operation.label
)
async def test_the_same_call_with_right_arguments_is_sent(
    operation: Operation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with one_client() as (api, server):
        with suppress(KellyAPIError, StopAsyncIteration):  # the response is not what each operation expects
            await call(api, operation, operation.good)
        assert server.requests


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@given(operation=st.sampled_from(OPERATIONS), value=ANYTHING, data=st.data())
def test_any_wrong_value_is_refused_by_the_name_of_the_argument(operation: Operation, value: Any, data: Any) -> None:
    parameter = data.draw(st.sampled_from(sorted(operation.parameters)))
    if operation.accepts(parameter)(value):
        return

    async def main() -> None:
        async with one_client() as (api, server):
            assert await mistake(api, operation, parameter, value) is None
            assert server.connections == 0

    asyncio.run(main())
