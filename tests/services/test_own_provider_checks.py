"""Providers of the user's own: what is refused when they are given."""

from __future__ import annotations

from typing import Any

import pytest

from kellyapi import ChatStream, KellyAPI

from .own_providers import Mine, answering


async def takes_more(text: str, pair: str, mood: str) -> str:
    return ""


async def takes_no_text(pair: str) -> str:
    return ""


async def takes_no_prompt(model: str = "m") -> str:
    return ""


async def takes_no_language(text: str) -> bytes:
    return b""


async def generates(text: str, pair: str) -> Any:
    yield text


def blocks(text: str, pair: str) -> str:
    return text


def named(name: Any) -> Any:
    mine = Mine()
    mine.name = name
    return mine


@pytest.mark.parametrize(
    ("providers", "error", "message"),
    [
        ([object()], TypeError, r"providers\[0\] must be 'kelly', .* or an object with name, not object"),
        ([Mine], TypeError, "or an object with name, not type"),
        (Mine(), TypeError, "providers must be a list of"),
        ("kelly", TypeError, "providers must be a list of"),
        (["openai"], ValueError, r"providers\[0\] must be 'kelly', 'khaya'"),
        (["kelly", "kelly"], ValueError, r"providers\[1\] has the name of another provider, 'kelly'"),
        ([Mine(), Mine()], ValueError, r"providers\[1\] has the name of another provider, 'mine'"),
        ([named("")], ValueError, r"the name of providers\[0\] is empty"),
        ([named("a\nb")], ValueError, r"providers\[0\]\.name must have printable characters only"),
        ([named("\ud800")], ValueError, r"providers\[0\]\.name must have printable characters only"),
        ([named(5)], TypeError, r"providers\[0\]\.name must be a string, not int"),
        ([named("khaya")], ValueError, r"providers\[0\]\.name must not be .*: kelly, khaya"),
        ([type("Empty", (), {"name": "empty"})()], TypeError, "'empty' needs one of these methods: translate, "),
        ([answering("translate", "text")], TypeError, "'mine' needs one of these methods"),
        ([answering("translate", takes_more)], TypeError, r"mine\.translate has a parameter 'mood' without a default"),
        ([answering("translate", takes_no_text)], TypeError, r"mine\.translate needs a parameter text"),
        ([answering("chat", takes_no_prompt)], TypeError, r"mine\.chat needs a parameter prompt or messages"),
        ([answering("chat_stream", takes_no_prompt)], TypeError, r"mine\.chat_stream needs a parameter prompt or mess"),
        (
            [answering("synthesize", takes_no_language)],
            TypeError,
            "needs a parameter language, or its provider an at",
        ),
        ([answering("translate", generates)], TypeError, r"mine\.translate must be an async function, not a generator"),
        ([answering("translate", blocks)], TypeError, r"mine\.translate must be an async function"),
        ([answering("chat", Mine().chat, languages="en")], TypeError, r"mine\.languages must be a list of codes"),
        ([answering("chat", Mine().chat, languages=[""])], ValueError, r"the code in mine\.languages is empty"),
        ([answering("chat", Mine().chat, languages=[5])], TypeError, r"each code in mine\.languages must be a string"),
        ([answering("chat", Mine().chat, pairs="en-tw")], TypeError, r"mine\.pairs must be a list of pairs"),
        ([answering("chat", Mine().chat, pairs=["entw"])], TypeError, r"must be a pair such as 'en-tw' or"),
        ([answering("chat", Mine().chat, pairs=[("en", "")])], ValueError, r"the code in mine\.pairs is empty"),
    ],
)
def test_a_wrong_provider_is_refused_when_it_is_given(providers: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        KellyAPI(providers=providers)


def test_a_plain_function_may_return_a_stream() -> None:
    def chat_stream(prompt: str) -> ChatStream:
        raise NotImplementedError

    assert repr(KellyAPI(providers=[answering("chat_stream", chat_stream)])) == "KellyAPI(mine)"


def test_the_error_of_a_parameter_names_the_arguments_of_the_service() -> None:
    with pytest.raises(TypeError, match="it passes text, source, target, split, pair"):
        KellyAPI(providers=[answering("translate", takes_more)])


def test_repr_names_the_providers_in_their_order() -> None:
    assert repr(KellyAPI("key", providers=[Mine("a"), "khaya", Mine("b")])) == "KellyAPI(a, b, kelly)"
    assert repr(KellyAPI(providers=[Mine()])) == "KellyAPI(mine)"
