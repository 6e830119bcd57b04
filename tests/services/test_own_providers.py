"""Providers of the user's own: when they are called, and what becomes of their results."""

from __future__ import annotations

import asyncio
import functools
import io
from array import array
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import (
    Aerostack,
    Base64,
    ChatReply,
    DecodingError,
    Description,
    Embeddings,
    Image,
    KellyAPI,
    Khaya,
    ServerError,
    Speech,
    Transcript,
    Translation,
)
from kellyapi.sandbox.app import Sandbox
from kellyapi.services.circuit import FAILURES_BEFORE_REST

from .own_providers import Mine, answering, raising, wav

BUILT_IN = ["kelly", "khaya", "skytells", "aerostack"]
PAIR = {"source_language": "en", "target_language": "tw"}
KELLY_SAYS = make_response(body=b'{"message": "I am Kelly"}')

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


async def test_several_images_are_a_tuple_of_results() -> None:
    async def generate_images(prompt: str, n: int) -> list[Any]:
        return [b"GIF89a"] * n if prompt == "a" else [prompt] if prompt == "b" else prompt

    async with KellyAPI(providers=[answering("generate_images", generate_images)]) as api:
        found = await api.generate_images("a", 2)
        assert found == (Image(data=b"GIF89a", mime="image/gif", provider="mine"),) * 2
        with pytest.raises(DecodingError, match=r"mine\.generate_images must return Image or bytes, not str"):
            await api.generate_images("b", 1)
        with pytest.raises(DecodingError, match=r"mine\.generate_images must return a list of Image, not str"):
            await api.generate_images("c", 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([b"GIF89a", None, b"GIF89a"], "must return Image or bytes, not None"),
        ([b"", b"GIF89a", b"GIF89a"], "returned no bytes"),
        ([b"GIF89a"] * 2, r"mine\.generate_images returned 2 of 3 results"),
    ],
)
async def test_images_that_came_are_kept_if_others_are_wrong_or_missing(values: list[Any], message: str) -> None:
    async def generate_images(prompt: str, n: int) -> list[Any]:
        return values

    async with KellyAPI(providers=[answering("generate_images", generate_images), Mine("other")]) as api:
        with pytest.raises(DecodingError, match=message) as caught:
            await api.generate_images("a", 3, fallback=True)
    assert caught.value.partial == (Image(data=b"GIF89a", mime="image/gif", provider="mine"),) * 2


async def test_no_images_are_an_outage() -> None:
    async def generate_images(prompt: str, n: int) -> list[bytes]:
        return [b"GIF89a"] * n if prompt == "a" else []

    first = answering("generate_images", lambda prompt, n: generate_images("b", n), "first")
    async with KellyAPI(providers=[first, answering("generate_images", generate_images)]) as api:
        with pytest.raises(DecodingError, match=r"first\.generate_images returned 0 of 1 results"):
            await api.generate_images("a", 1)
        (image,) = await api.generate_images("a", 1, fallback=True)
    assert image.tried == ("first", "mine")


@pytest.mark.parametrize("plain", [True, False])
async def test_there_is_a_vector_for_each_text(plain: bool) -> None:
    async def embed(texts: Any) -> Any:
        return [[1.0]] if plain else Embeddings(((1.0,),))

    async with KellyAPI(providers=[answering("embed", embed)]) as api:
        with pytest.raises(DecodingError, match="2 vectors were expected, one for each text, and 1 came") as caught:
            await api.embed(["a", "b"])
    assert caught.value.partial.vectors == ((1.0,),)
    assert (caught.value.provider, caught.value.outcome_unknown) == ("mine", True)


@pytest.mark.parametrize(
    ("vectors", "found"),
    [
        ([[1, 2.5]], ((1.0, 2.5),)),
        (((0.5,), (1.5,)), ((0.5,), (1.5,))),
        (array("d", [1.0]), None),
        ([["a"]], None),
        ("12", None),
        (None, None),
    ],
    ids=repr,
)
async def test_rows_of_numbers_are_embeddings(vectors: Any, found: Any) -> None:
    async def embed(texts: Any) -> Any:
        return vectors

    async with KellyAPI(providers=[answering("embed", embed)]) as api:
        if found is None:
            with pytest.raises(DecodingError, match=r"mine\.embed must return Embeddings or rows of numbers, not"):
                await api.embed(["a"])
        else:
            embeddings = await api.embed(["a"] * len(found))
            assert (embeddings.vectors, embeddings.provider, embeddings.tried) == (found, "mine", ("mine",))


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


@pytest.mark.parametrize(
    "source",
    [b"RIFF", Path("a.wav"), "a.wav", io.BytesIO(b"RIFF"), Base64("UklGRg==")],
    ids=lambda source: type(source).__name__,
)
async def test_audio_and_images_come_as_bytes(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await asyncio.to_thread(Path("a.wav").write_bytes, b"RIFF")
    async with KellyAPI(providers=[Mine()]) as api:
        assert (await api.transcribe(source)).text == "b'RIFF' in eng"
        with pytest.raises(TypeError, match="audio must be"):
            await api.transcribe(5)  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("service", ["transcribe", "upscale_image", "remove_background"])
async def test_what_can_be_read_once_reaches_the_next_provider_whole(service: str) -> None:
    got = []

    async def broken(**given: Any) -> Any:
        got.append(given.get("audio", given.get("image")))
        raise ServerError("down")

    async def works(**given: Any) -> Any:
        got.append(given.get("audio", given.get("image")))
        return b"GIF89a" if "image" in given else "heard"

    async with KellyAPI(providers=[answering(service, broken, "broken"), answering(service, works)]) as api:
        found = await getattr(api, service)(iter([b"GIF", b"89a"]), fallback=True)
    assert (got, found.tried) == ([b"GIF89a", b"GIF89a"], ("broken", "mine"))


async def test_a_provider_without_an_argument_is_not_called() -> None:
    async with Server(KELLY_SAYS) as server, KellyAPI("key", server.url, providers=[Mine()]) as api:
        assert (await api.chat("a")).provider == "mine"
        assert (await api.chat("a", character="KelyAI")).provider == "kelly"
        with pytest.raises(ValueError, match="mine has no character"):
            await api.chat("a", character="KelyAI", provider="mine")


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


async def test_a_sandbox_has_providers_of_ones_own_too() -> None:
    mine = answering("chat", Mine().chat)
    async with KellyAPI.sandbox(providers=["khaya", mine]) as api:
        assert repr(api) == "KellyAPI(khaya, mine, kelly, skytells, aerostack)"
        assert (await api.chat("a")).provider == "mine"
        assert (await api.translate("Good morning", "en-tw")).provider == "khaya"


async def test_a_client_of_a_running_sandbox_has_providers_and_clients_of_ones_own() -> None:
    async with Sandbox(keep_engines=True) as sandbox:
        khaya = Khaya("other", base_url=sandbox.urls["khaya"])
        async with sandbox.api(providers=[Mine()], khaya=khaya, timeout=5) as api:
            assert (await api.chat("a")).provider == "mine"
            assert (await api.translate("Good morning", "en-tw", provider="khaya")).provider == "khaya"
        assert [request.path for request in sandbox.requests] == ["/v1/translate"]
