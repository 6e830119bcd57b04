"""Providers of the user's own: how they are checked, when they are called, and what becomes of their results."""

from __future__ import annotations

import asyncio
import errno
import functools
import io
import socket
import ssl
import wave
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest
from servers import Server, make_response

from kellyapi import (
    Aerostack,
    AuthenticationError,
    BadRequestError,
    ChatReply,
    DecodingError,
    Description,
    Image,
    KellyAPI,
    KellyAPIError,
    Khaya,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    ServiceProvider,
    Speech,
    Transcript,
    Translation,
    TransportError,
)
from kellyapi.services.circuit import FAILURES_BEFORE_REST

BUILT_IN = ["kelly", "khaya", "skytells", "aerostack"]
PAIR = {"source_language": "en", "target_language": "tw"}
KELLY_SAYS = make_response(body=b'{"message": "I am Kelly"}')


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setparams((1, 2, 8000, 0, "NONE", ""))
        audio.writeframes(bytes(16))
    return file.getvalue()


class Mine:
    """A provider that answers everything with plain values."""

    name = "mine"

    def __init__(self, name: str = "mine") -> None:
        self.name = name
        self.got: list[dict[str, Any]] = []

    async def translate(self, text: str, source: str, target: str) -> str:
        self.got.append({"text": text, "source": source, "target": target})
        return text.upper()

    async def transcribe(self, audio: Any, language: str) -> str:
        return f"{audio!r} in {language}"

    async def synthesize(self, text: str, language: str, *, voice: str = "anna") -> bytes:
        self.got.append({"voice": voice})
        return wav()

    async def generate_image(self, prompt: str, width: int = 8) -> bytes:
        self.got.append({"width": width})
        return b"\x89PNG\r\n\x1a\n"

    async def edit_image(self, image: Any, prompt: str) -> bytes:
        return b"\x89PNG\r\n\x1a\n"

    async def describe_image(self, image: Any, prompt: str) -> str:
        return prompt

    async def upscale_image(self, image: Any) -> bytearray:
        return bytearray(b"GIF89a")

    async def remove_background(self, image: Any) -> memoryview:
        return memoryview(b"GIF89a")

    async def chat(self, prompt: str) -> str:
        return f"You said {prompt}"


def answering(method: str, function: Any, name: str = "mine", **attributes: Any) -> Any:
    """Return a provider with one method."""
    return type("Provider", (), {"name": name, method: staticmethod(function), **attributes})()


def raising(error: BaseException, name: str = "mine") -> Any:
    """Return a provider whose chat fails."""

    async def chat(prompt: str) -> str:
        raise error

    return answering("chat", chat, name)


# Results


@pytest.mark.parametrize(
    ("service", "arguments", "result"),
    [
        ("translate", ("a", "en-tw"), Translation(text="A", **PAIR, provider="mine")),
        ("transcribe", (b"a", "twi"), Transcript(text="b'a' in twi", language="twi", provider="mine")),
        ("synthesize", ("a", "twi"), Speech(audio=wav(), mime="audio/wav", language="twi", provider="mine")),
        ("generate_image", ("a",), Image(data=b"\x89PNG\r\n\x1a\n", mime="image/png", provider="mine")),
        ("edit_image", (b"a", "b"), Image(data=b"\x89PNG\r\n\x1a\n", mime="image/png", provider="mine")),
        ("describe_image", (b"a", "b"), Description(text="b", provider="mine")),
        ("upscale_image", (b"a",), Image(data=b"GIF89a", mime="image/gif", provider="mine")),
        ("remove_background", (b"a",), Image(data=b"GIF89a", mime="image/gif", provider="mine")),
        ("chat", ("a",), ChatReply(text="You said a", provider="mine")),
    ],
)
async def test_a_plain_value_becomes_the_result_of_the_service(
    service: str, arguments: tuple[Any, ...], result: Any
) -> None:
    async with KellyAPI(providers=[Mine()]) as api:
        found = await getattr(api, service)(*arguments)
        assert found == result
        assert type(found) is type(result)


async def test_a_result_of_the_library_is_kept_and_names_the_provider() -> None:
    kept = Translation(text="a", source_language="x", target_language="y", warnings=("odd",), provider="other")

    async def translate(text: str, pair: str) -> Translation:
        return kept

    async with KellyAPI(providers=[answering("translate", translate)]) as api:
        found = await api.translate("a", "en-tw")
    assert (found.text, found.source_language, found.warnings) == ("a", "x", ("odd",))
    assert (found.provider, found.tried) == ("mine", ("mine",))
    assert (kept.provider, kept.tried) == ("other", ("other",))


async def test_a_result_may_leave_its_provider_out_and_keeps_where_it_comes_from() -> None:
    answer = make_response(body=b'"Maakye"', X_Request_Id="r1")
    async with Server(answer) as server, Khaya("key", base_url=server.url) as khaya:

        async def translate(text: str, source: str, target: str) -> Translation:
            return await khaya.translate(text, source=source, target=target)

        async def chat(prompt: str) -> ChatReply:
            return ChatReply(text="yes")

        async with KellyAPI(providers=[answering("translate", translate), answering("chat", chat, "other")]) as api:
            found = await api.translate("Good morning", "en-tw")
            assert (found.provider, found.raw, found.request_id) == ("mine", "Maakye", "r1")
            assert (await api.chat("a")).provider == "other"


@pytest.mark.parametrize(
    ("service", "arguments", "value", "message"),
    [
        ("translate", ("a", "en-tw"), 5, "must return Translation or str, not int"),
        ("translate", ("a", "en-tw"), None, "must return Translation or str, not None"),
        ("translate", ("a", "en-tw"), b"a", "must return Translation or str, not bytes"),
        ("chat", ("a",), Description(text="a"), "must return ChatReply or str, not Description"),
        ("synthesize", ("a", "twi"), "a", "must return Speech or bytes, not str"),
        ("generate_image", ("a",), ["a"], "must return Image or bytes, not list"),
        ("generate_image", ("a",), b"", "returned no bytes"),
    ],
)
async def test_a_wrong_value_is_a_decoding_error_that_names_provider_method_and_type(
    service: str, arguments: tuple[Any, ...], value: Any, message: str
) -> None:
    async def method(**given: Any) -> Any:
        return value

    async with KellyAPI(providers=[answering(service, method)]) as api:
        with pytest.raises(DecodingError, match=message) as caught:
            await getattr(api, service)(*arguments)
    assert f"mine.{service}" in caught.value.message
    assert (caught.value.provider, caught.value.outcome_unknown) == ("mine", True)


async def test_a_method_that_returns_no_awaitable_is_a_decoding_error() -> None:
    async with KellyAPI(providers=[answering("chat", lambda prompt: prompt)]) as api:
        with pytest.raises(DecodingError, match=r"mine\.chat must be an async function: it returned str"):
            await api.chat("a")


# Arguments


async def test_a_method_gets_the_arguments_that_it_takes_and_keeps_its_own_defaults() -> None:
    mine = Mine()
    async with KellyAPI(providers=[mine]) as api:
        await api.synthesize("a", "twi")
        await api.synthesize("a", "twi", voice="kofi")
        await api.generate_image("a")
        await api.generate_image("a", width=9)
        await api.translate("a", source="en", target="tw")
    assert mine.got == [
        {"voice": "anna"},
        {"voice": "kofi"},
        {"width": 8},
        {"width": 9},
        {"text": "a", "source": "en", "target": "tw"},
    ]


async def positional_only(text: str, pair: str, /) -> str:
    return f"{text} {pair}"


async def pair_and_others(
    text: str, *, pair: str = "none", source: str = "no", target: str = "ne", other: int = 5
) -> str:
    return f"{text} {source}-{target}"


async def everything(**given: Any) -> str:
    return f"{given['text']} {given['source']}-{given['target']}"


class Callable_:
    async def __call__(self, text: str, pair: str) -> str:
        return f"{text} {pair}"


def returns_awaitable(text: str, pair: str) -> Awaitable[str]:
    return positional_only(text, pair)


@functools.wraps(positional_only)
def wrapped(*given: Any) -> Any:
    return positional_only(*given)


@pytest.mark.parametrize(
    "function",
    [
        positional_only,
        pair_and_others,
        everything,
        Callable_(),
        returns_awaitable,
        wrapped,
        functools.partial(positional_only),
        lambda text, pair: positional_only(text, pair),
    ],
)
async def test_a_method_may_have_any_form(function: Any) -> None:
    async with KellyAPI(providers=[answering("translate", function)]) as api:
        assert (await api.translate("a", "en-tw")).text == "a en-tw"
        assert (await api.translate("a", source="en", target="tw")).text == "a en-tw"


async def test_a_provider_without_an_argument_is_not_called() -> None:
    async with Server(KELLY_SAYS) as server, KellyAPI("key", server.url, providers=[Mine()]) as api:
        assert (await api.chat("a")).provider == "mine"
        assert (await api.chat("a", character="KelyAI")).provider == "kelly"
        with pytest.raises(ValueError, match="mine has no character"):
            await api.chat("a", character="KelyAI", provider="mine")


# Checks


async def takes_more(text: str, pair: str, mood: str) -> str:
    return ""


async def takes_no_text(pair: str) -> str:
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
        (["kelly", "kelly"], ValueError, r"providers\[1\] is a second provider 'kelly'"),
        ([Mine(), Mine()], ValueError, r"providers\[1\] is a second provider 'mine'"),
        ([named("")], ValueError, r"the name of providers\[0\] is empty"),
        ([named(5)], TypeError, r"providers\[0\]\.name must be a string, not int"),
        ([named("khaya")], ValueError, r"providers\[0\]\.name must be none of kelly, khaya"),
        ([type("Empty", (), {"name": "empty"})()], TypeError, "'empty' has no method of a service: translate, "),
        ([answering("translate", "text")], TypeError, "'mine' has no method of a service"),
        ([answering("translate", takes_more)], TypeError, r"mine\.translate has a parameter 'mood' without a default"),
        ([answering("translate", takes_no_text)], TypeError, r"mine\.translate needs a parameter text"),
        ([answering("synthesize", takes_no_language)], TypeError, "needs a parameter language or the provider an attr"),
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


def test_the_error_of_a_parameter_names_the_arguments_of_the_service() -> None:
    with pytest.raises(TypeError, match="its arguments are text, source, target, split, pair"):
        KellyAPI(providers=[answering("translate", takes_more)])


def test_repr_names_the_providers_in_their_order() -> None:
    assert repr(KellyAPI("key", providers=[Mine("a"), "khaya", Mine("b")])) == "KellyAPI(a, b, kelly)"
    assert repr(KellyAPI(providers=[Mine()])) == "KellyAPI(mine)"


# Order and fallback


@pytest.mark.parametrize(
    ("order", "provider"), [([Mine()], "mine"), ([*BUILT_IN, Mine()], "kelly"), (["khaya", Mine()], "mine")]
)
async def test_providers_are_tried_in_the_order_of_the_list(order: list[Any], provider: str) -> None:
    async with Server(KELLY_SAYS) as server, KellyAPI("key", server.url, providers=order) as api:
        assert (await api.chat("a")).provider == provider


async def test_names_alone_order_the_built_in_providers() -> None:
    async with Server(make_response(body=b'{"response": "I am Aerostack"}')) as server:
        aerostack = Aerostack("key", base_url=server.url)
        async with KellyAPI("key", server.url, aerostack=aerostack, providers=["aerostack"]) as api:
            assert (await api.chat("a")).provider == "aerostack"


async def test_a_provider_is_chosen_by_its_name_or_as_the_object() -> None:
    first, second = Mine("first"), Mine("second")
    async with KellyAPI(providers=[first, second]) as api:
        assert (await api.chat("a", provider="second")).provider == "second"  # type: ignore[arg-type]  # no literal
        assert (await api.chat("a", provider=second)).provider == "second"
        with pytest.raises(ValueError, match=r"provider must be one of kelly, .*, first, second, not 'third'"):
            await api.chat("a", provider="third")  # type: ignore[arg-type]  # the wrong name is the point
        with pytest.raises(ValueError, match=r"fallback must be one of kelly, .*, first, second, not 'third'"):
            await api.chat("a", fallback=["third"])  # type: ignore[list-item]  # the wrong name is the point
        with pytest.raises(ValueError, match="a provider 'second' that this client was not given"):
            await api.chat("a", provider=Mine("second"))


@pytest.mark.parametrize("as_object", [True, False])
async def test_fallback_goes_to_and_from_a_provider_of_ones_own(as_object: bool) -> None:
    broken, mine = raising(ServerError("down", status=503), "broken"), Mine()
    order: Any = [mine, broken] if as_object else ["mine", "broken"]
    async with (
        Server(make_response(500)) as server,
        KellyAPI("key", server.url, providers=[broken, *BUILT_IN, mine]) as api,
    ):
        reply = await api.chat("a", fallback=True)
        assert (reply.provider, reply.tried) == ("mine", ("broken", "kelly", "mine"))
        assert (await api.chat("a", fallback=order)).tried == ("mine",)
        assert (await api.chat("a", provider=broken, fallback=order)).tried == ("broken", "mine")


async def test_a_provider_that_keeps_failing_is_skipped() -> None:
    calls = []

    async def chat(prompt: str) -> str:
        calls.append(prompt)
        raise ServerError("down", status=503)

    async with KellyAPI(providers=[answering("chat", chat, "broken"), Mine()]) as api:
        for _ in range(FAILURES_BEFORE_REST + 2):
            reply = await api.with_options(timeout=5).chat("a", fallback=True)
        assert reply.tried == ("mine",)
        assert len(calls) == FAILURES_BEFORE_REST


# Errors


@pytest.mark.parametrize(
    ("error", "becomes", "unknown"),
    [
        (aiohttp.ServerDisconnectedError(), TransportError, True),
        (aiohttp.ClientPayloadError("cut"), TransportError, True),
        (ConnectionRefusedError("no"), TransportError, True),
        (OSError(errno.EHOSTUNREACH, "no route"), TransportError, True),
        (socket.gaierror("no such host"), TransportError, True),
        (ssl.SSLError("bad"), TransportError, True),
        (TimeoutError(), RequestTimeoutError, True),
        (aiohttp.SocketTimeoutError(), RequestTimeoutError, True),
        (DecodingError("odd"), DecodingError, True),
        (RateLimitError("slow down", status=429), RateLimitError, False),
        (BadRequestError("no", status=400), BadRequestError, False),
    ],
    ids=repr,
)
async def test_errors_of_connections_become_those_of_the_library(
    error: Exception, becomes: type[KellyAPIError], unknown: bool
) -> None:
    async with KellyAPI(providers=[raising(error)]) as api:
        with pytest.raises(becomes) as caught:
            await api.chat("a")
    assert type(caught.value) is becomes
    assert (caught.value.provider, caught.value.outcome_unknown) == ("mine", unknown)
    assert "the limit is" not in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [KeyError("choices"), FileNotFoundError(2, "no file", "model.bin"), UnicodeDecodeError("utf-8", b"", 0, 1, "bad")],
    ids=repr,
)
async def test_other_errors_pass_unchanged_and_no_other_provider_is_tried(error: Exception) -> None:
    async with KellyAPI(providers=[raising(error), Mine("other")]) as api:
        with pytest.raises(type(error)) as caught:
            await api.chat("a", fallback=True)
    assert caught.value is error


@pytest.mark.parametrize(
    ("status", "becomes", "tried"),
    [
        (401, AuthenticationError, None),
        (404, NotFoundError, None),
        (429, RateLimitError, "mine"),
        (500, ServerError, "mine"),
    ],
)
async def test_raise_for_status_becomes_the_error_of_the_status(
    status: int, becomes: type[KellyAPIError], tried: str | None
) -> None:
    async with Server(make_response(status, Retry_After="7")) as server, aiohttp.ClientSession() as session:

        async def chat(prompt: str) -> str:
            async with session.get(server.url) as response:
                response.raise_for_status()
                return await response.text()

        async with KellyAPI(providers=[answering("chat", chat, "broken"), Mine()]) as api:
            with pytest.raises(becomes) as caught:
                await api.chat("a")
            assert (caught.value.status, caught.value.provider, caught.value.retry_after) == (status, "broken", 7)
            if tried:
                assert (await api.chat("a", fallback=True)).provider == tried


async def test_an_error_of_another_provider_of_ours_keeps_its_name() -> None:
    async with Server(make_response(400)) as server, Khaya("key", base_url=server.url) as khaya:

        async def translate(text: str, pair: str) -> Translation:
            return await khaya.translate(text, pair)

        async with KellyAPI(providers=[answering("translate", translate)]) as api:
            with pytest.raises(BadRequestError) as caught:
                await api.translate("a", "en-tw")
    assert caught.value.provider == "khaya"


async def test_a_client_of_the_library_is_a_provider_when_it_has_a_name() -> None:
    class Mirror(Khaya):
        name = "mirror"

    async with Server(make_response(body=b'"Maakye"')) as server, Mirror("key", base_url=server.url) as mirror:
        async with KellyAPI(providers=[mirror]) as api:
            found = await api.translate("Good morning", "en-tw", split=True)
            assert (found.text, found.provider) == ("Maakye", "mirror")
        await mirror.translate("Good morning", "en-tw")  # its session is still open
    assert [bytes(each.body) for each in server.requests] == [b'{"in":"Good morning","lang":"en-tw"}'] * 2


def test_a_provider_fits_the_protocol() -> None:
    provider: ServiceProvider = Mine()
    assert provider.name == "mine"


# Limits


async def wait_forever(prompt: str) -> str:
    await asyncio.Event().wait()
    return ""


async def test_the_timeout_of_the_client_limits_a_call() -> None:
    async with KellyAPI(providers=[answering("chat", wait_forever, "slow"), Mine()], timeout=0.01) as api:
        with pytest.raises(
            RequestTimeoutError, match=r"there was no result in time: the limit is total=0\.01 s"
        ) as caught:
            await api.chat("a")
        assert (caught.value.limit, caught.value.provider, caught.value.outcome_unknown) == ("total", "slow", True)
        reply = await api.with_options(timeout=0.02).chat("a", fallback=True)
        assert reply.tried == ("slow", "mine")


async def test_the_limits_of_the_client_hold_for_each_provider() -> None:
    running, most = 0, 0

    async def chat(prompt: str) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return prompt

    async with KellyAPI(providers=[answering("chat", chat)]) as api:
        await asyncio.gather(*(api.chat("a") for _ in range(5)))
        assert most == 5
        most = 0
        limited = api.with_options(max_concurrency=2)
        assert {each.text for each in await asyncio.gather(*(limited.chat("a") for _ in range(5)))} == {"a"}
        assert most == 2


async def test_a_call_that_gets_no_turn_was_not_sent() -> None:
    async with KellyAPI(providers=[answering("chat", wait_forever)], max_concurrency=1, timeout=0.05) as api:
        first = asyncio.create_task(api.with_options(timeout=None).chat("a"))
        await asyncio.sleep(0)
        with pytest.raises(RequestTimeoutError, match="there was no turn in time") as caught:
            await api.chat("a")
        assert (caught.value.sent, caught.value.outcome_unknown) == (False, False)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
