"""Which provider responds to a service, and what its results can do."""

from __future__ import annotations

import io
import pkgutil
import wave
from importlib import import_module
from inspect import getmembers, isfunction, signature
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from PIL import Image as Picture

from kellyapi import (
    PROVIDERS,
    ChatReply,
    ConfigurationError,
    Description,
    Embeddings,
    Image,
    KellyAPI,
    Khaya,
    Message,
    Music,
    Skytells,
    Speech,
    Transcript,
    Translation,
    Video,
    services,
)
from kellyapi.client import SERVICES
from kellyapi.providers.aerostack.ai import AI
from kellyapi.providers.kelly import Kelly
from kellyapi.providers.skytells.inference.chat import ChatResource
from kellyapi.providers.skytells.inference.embeddings import EmbeddingsResource
from kellyapi.services.openai_completions import ChatCompletion, Choice
from kellyapi.services.routing import Service

KEYS = {
    "kelly": {"api_key": "k1"},
    "khaya": {"khaya": "k2"},
    "skytells": {"skytells": "k3"},
    "aerostack": {"aerostack": "k4"},
}


def having(*providers: str) -> KellyAPI:
    """Make a client with the keys of these providers."""
    return KellyAPI(**{name: key for provider in providers for name, key in KEYS[provider].items()})  # type: ignore[arg-type]  # all are keys


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Replace the providers' methods with functions that record the arguments that differ from their defaults."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def note(owner: type[Any], name: str, provider: str) -> None:
        parameters = signature(getattr(owner, name))

        async def method(*given: Any, **named: Any) -> ChatReply | ChatCompletion:
            arguments = parameters.bind(*given, **named).arguments
            del arguments["self"]
            defaults = {each.name: each.default for each in parameters.parameters.values()}
            calls.append((provider, {each: value for each, value in arguments.items() if value != defaults[each]}))
            reply = ChatReply(text="", provider=provider)
            return reply if owner is not ChatResource else ChatCompletion(choices=(Choice(reply.message),))

        monkeypatch.setattr(owner, name, method)

    for name in [
        "chat",
        "synthesize",
        "transcribe",
        "generate_image",
        "generate_images",
        "edit_image",
        "describe_image",
        "upscale_image",
        "remove_background",
    ]:
        note(Kelly, name, "kelly")
    for name in ("translate", "transcribe", "synthesize"):
        note(Khaya, name, "khaya")
    for name in ("generate_image", "generate_images", "generate_video", "generate_music"):
        note(Skytells, name, "skytells")
    note(EmbeddingsResource, "create", "skytells")
    note(AI, "chat", "aerostack")
    note(ChatResource, "create", "skytells")
    return calls


ALL = ("kelly", "khaya", "skytells", "aerostack")


TWI = {"language": "twi"}
SPEECH = {**TWI, "voice": "female", "format": "mp3"}
SAMPLING = {"temperature": 0.5, "max_tokens": 9, "top_p": 0.1, "tools": [{}], "tool_choice": "none"}
BRIEF, HI = Message("system", "Be brief."), Message("user", "hi")
BRIEF_SENT, HI_SENT = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}
ROUTER = "deepbrain-router"
SIZE = {"width": 8, "height": 9, "negative_prompt": ""}
FILM = {**SIZE, "image": b"i", "duration": 5, "model": "m", "input": {"fps": 30}}
SONG = {"lyrics": "la", "duration": 5.5, "model": "m", "input": {"bpm": 90}}
WAITING = {"timeout": 5, "on_progress": print, "cancel_on_exit": False}


@pytest.mark.parametrize(
    ("keys", "method", "arguments", "provider", "passed"),
    [
        (ALL, "translate", {"text": "x", "pair": "e-t"}, "khaya", {"text": "x", "source": "e", "target": "t"}),
        (
            ALL,
            "translate",
            {"text": "x", "source": "e", "target": "t"},
            "khaya",
            {"text": "x", "source": "e", "target": "t"},
        ),
        (ALL, "transcribe", {"audio": b"a"}, "khaya", {"audio": b"a", "language": "eng"}),
        (
            ALL,
            "transcribe",
            {"audio": b"a", **TWI, "timestamps": "word"},
            "khaya",
            {"audio": b"a", **TWI, "timestamps": "word"},
        ),
        (ALL, "transcribe", {"audio": b"a", "provider": "kelly"}, "kelly", {"audio": b"a"}),
        (["kelly"], "transcribe", {"audio": b"a"}, "kelly", {"audio": b"a"}),
        (["kelly"], "transcribe", {"audio": b"a", "language": "en-US"}, "kelly", {"audio": b"a"}),
        (ALL, "synthesize", {"text": "x"}, "khaya", {"text": "x", "language": "eng"}),
        (ALL, "synthesize", {"text": "x", **SPEECH}, "khaya", {"text": "x", **SPEECH}),
        (["kelly"], "synthesize", {"text": "x", "language": "EN", "voice": "v"}, "kelly", {"text": "x", "voice": "v"}),
        (ALL, "generate_image", {"prompt": "x"}, "kelly", {"prompt": "x"}),
        (ALL, "generate_image", {"prompt": "x", **SIZE}, "kelly", {"prompt": "x", **SIZE}),
        (ALL, "generate_image", {"prompt": "x", "provider": "skytells"}, "skytells", {"prompt": "x"}),
        (["skytells"], "generate_image", {"prompt": "x", "model": "m"}, "skytells", {"prompt": "x", "model": "m"}),
        (["aerostack", "skytells"], "generate_image", {"prompt": "x"}, "skytells", {"prompt": "x"}),
        (["skytells"], "generate_image", {"prompt": "x", **SIZE}, "skytells", {"prompt": "x", **SIZE}),
        (
            ALL,
            "generate_image",
            {"prompt": "x", "on_progress": print, "cancel_on_exit": False},
            "kelly",
            {"prompt": "x"},
        ),
        (["skytells"], "generate_image", {"prompt": "x", **WAITING}, "skytells", {"prompt": "x", **WAITING}),
        (ALL, "generate_images", {"prompt": "x", "n": 2, **SIZE}, "kelly", {"prompt": "x", "n": 2, **SIZE}),
        (["skytells"], "generate_images", {"prompt": "x", "n": 2}, "skytells", {"prompt": "x", "n": 2}),
        (ALL, "generate_video", {"prompt": "x", **FILM}, "skytells", {"prompt": "x", **FILM}),
        (["skytells"], "generate_video", {"prompt": "x", **WAITING}, "skytells", {"prompt": "x", **WAITING}),
        (ALL, "generate_music", {"prompt": "x", **SONG, **WAITING}, "skytells", {"prompt": "x", **SONG, **WAITING}),
        (ALL, "embed", {"texts": "x"}, "skytells", {"model": "text-embedding-3-small", "input": ("x",)}),
        (
            ["skytells"],
            "embed",
            {"texts": iter(["x", "y"]), "model": "m", "dimensions": 8},
            "skytells",
            {"model": "m", "input": ("x", "y"), "dimensions": 8},
        ),
        (ALL, "edit_image", {"image": b"i", "prompt": "x", **SIZE}, "kelly", {"image": b"i", "prompt": "x", **SIZE}),
        (ALL, "describe_image", {"image": b"i", "prompt": "x"}, "kelly", {"image": b"i", "prompt": "x"}),
        (ALL, "upscale_image", {"image": b"i"}, "kelly", {"image": b"i"}),
        (ALL, "remove_background", {"image": b"i"}, "kelly", {"image": b"i"}),
        (ALL, "chat", {"prompt": "x", "character": "c"}, "kelly", {"prompt": "x", "character": "c"}),
        (
            ALL,
            "chat",
            {"prompt": "x", "provider": "aerostack", "model": "m"},
            "aerostack",
            {"messages": "x", "model": "m"},
        ),
        (["aerostack"], "chat", {"prompt": "x"}, "aerostack", {"messages": "x"}),
        (ALL, "chat", {"prompt": "x", **SAMPLING}, "aerostack", {"messages": "x", **SAMPLING}),
        (ALL, "chat", {"prompt": [HI]}, "kelly", {"prompt": "hi"}),
        (ALL, "chat", {"prompt": [{**HI_SENT, "name": "a"}]}, "aerostack", {"messages": [{**HI_SENT, "name": "a"}]}),
        (ALL, "chat", {"prompt": iter([BRIEF, HI])}, "aerostack", {"messages": [BRIEF_SENT, HI_SENT]}),
        (
            ["kelly", "skytells"],
            "chat",
            {"prompt": [BRIEF, HI]},
            "skytells",
            {"model": ROUTER, "messages": [BRIEF_SENT, HI_SENT]},
        ),
        (
            ["skytells"],
            "chat",
            {"prompt": "x", "model": "m", **SAMPLING},
            "skytells",
            {"model": "m", "messages": "x", "parameters": SAMPLING},
        ),
    ],
)
async def test_the_first_provider_with_a_key_that_has_the_arguments_is_called(
    asked: Any, keys: Any, method: str, arguments: Any, provider: str, passed: Any
) -> None:
    await getattr(having(*keys), method)(**arguments)
    assert asked == [(provider, passed)]


@pytest.mark.parametrize(
    ("keys", "method", "arguments", "options", "problem"),
    [
        (ALL, "translate", ["x", "en-tw"], {"provider": "kelly"}, "provider='kelly' cannot do this: only khaya can"),
        (
            ALL,
            "generate_image",
            ["x"],
            {"provider": "nobody"},
            "provider must be one of kelly, khaya, skytells, aerostack, not 'nobody'",
        ),
        (ALL, "transcribe", [b"a", "twi"], {"provider": "kelly"}, "kelly knows only the language en or eng"),
        (ALL, "transcribe", [b"a"], {"provider": "kelly", "timestamps": "word"}, "kelly has no timestamps"),
        (ALL, "synthesize", ["x", "twi"], {"provider": "kelly"}, "kelly knows only the language en or eng"),
        (ALL, "synthesize", ["x"], {"provider": "kelly", "format": "mp3"}, "kelly has no format"),
        (ALL, "generate_image", ["x"], {"provider": "khaya"}, "only kelly or skytells can"),
        (ALL, "chat", ["x"], {"provider": "aerostack", "character": "c"}, "aerostack has no character"),
        ([], "chat", ["x"], {"provider": "aerostack", "character": "c"}, "aerostack has no character: only kelly can"),
        (ALL, "chat", [[BRIEF, HI]], {"provider": "kelly"}, "kelly has no messages: only aerostack or skytells can do"),
        (ALL, "chat", [[BRIEF]], {"character": "c"}, "kelly has no messages; aerostack has no character; skytells"),
        (ALL, "chat", ["x"], {"provider": "kelly", "top_p": 1}, "kelly has no top_p: only aerostack or skytells can"),
        (ALL, "chat", [[]], {}, "prompt must not be empty"),
        (ALL, "chat", [[Message("user", " ")]], {}, "the last message is empty"),
    ],
)
async def test_naming_a_provider_that_lacks_the_service_or_an_argument_is_a_value_error(
    asked: Any, keys: Any, method: str, arguments: Any, options: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await getattr(having(*keys), method)(*arguments, **options)
    assert not asked


@pytest.mark.parametrize(
    ("keys", "method", "arguments", "options", "variables"),
    [
        ([], "translate", ["x", "en-tw"], {}, "KHAYA_API_KEY"),
        (["kelly"], "translate", ["x", "en-tw"], {}, "KHAYA_API_KEY"),
        ([], "transcribe", [b"a"], {}, "KHAYA_API_KEY or KELLYAI_API_KEY"),
        (["kelly"], "transcribe", [b"a", "twi"], {}, "KHAYA_API_KEY"),
        (["kelly"], "transcribe", [b"a"], {"timestamps": "word"}, "KHAYA_API_KEY"),
        (["kelly"], "synthesize", ["x", "twi"], {}, "KHAYA_API_KEY"),
        ([], "generate_image", ["x"], {}, "KELLYAI_API_KEY or SKYTELLS_API_KEY"),
        (["kelly"], "generate_video", ["x"], {}, "SKYTELLS_API_KEY"),
        (["kelly"], "generate_music", ["x"], {}, "SKYTELLS_API_KEY"),
        (["aerostack"], "embed", ["x"], {}, "SKYTELLS_API_KEY"),
        (["khaya"], "generate_images", ["x", 2], {"width": 8}, "KELLYAI_API_KEY or SKYTELLS_API_KEY"),
        (["kelly"], "generate_image", ["x"], {"provider": "skytells"}, "SKYTELLS_API_KEY"),
        (["aerostack"], "chat", ["x"], {"character": "c"}, "KELLYAI_API_KEY"),
        ([], "chat", ["x"], {}, "KELLYAI_API_KEY or AEROSTACK_API_KEY or SKYTELLS_API_KEY"),
    ],
)
async def test_without_a_key_the_error_names_the_variables_and_the_sandbox(
    asked: Any, keys: Any, method: str, arguments: Any, options: Any, variables: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await getattr(having(*keys), method)(*arguments, **options)
    assert f"set {variables}," in str(caught.value)
    assert "KellyAPI.sandbox()" in str(caught.value)
    assert not asked


async def test_a_blank_key_is_an_error_that_says_so(asked: Any) -> None:
    api = KellyAPI(khaya="   ")
    with pytest.raises(ConfigurationError, match="blank") as caught:
        await api.khaya.languages("synthesis")
    assert caught.value.provider == "khaya"


NEVER_CHOOSING = {"self", "provider", "fallback", "via", "timeout", "on_progress", "cancel_on_exit"}


def test_the_list_of_services_is_complete() -> None:
    modules = [import_module(f"kellyapi.services.{each.name}") for each in pkgutil.iter_modules(services.__path__)]
    found = {value.name: value for each in modules for value in vars(each).values() if isinstance(value, Service)}
    assert {service.name: service for service in SERVICES} == found


@pytest.mark.parametrize(
    "method",
    [
        name
        for name, member in getmembers(KellyAPI, isfunction)
        if name[0] != "_" and "provider" in member.__annotations__
    ],
)
def test_each_method_with_a_provider_takes_one_of_the_users_own(method: str) -> None:
    annotations = getattr(KellyAPI, method).__annotations__
    assert (annotations["provider"], annotations["fallback"]) == ("ProviderChoice | None", "Fallback")


IN_ROUTES = {name: {"messages", "response_format"} for name in ("chat", "chat_stream")}
"""What the routes call a `prompt` that is more than one message of the user, and what `into` asks for."""


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_the_routes_of_a_service_accept_exactly_its_arguments(service: Service[Any, Any]) -> None:
    offered = set(signature(getattr(KellyAPI, service.name)).parameters) - NEVER_CHOOSING
    offered = (offered | IN_ROUTES.get(service.name, set())) - {"into"}
    for route in service.routes:
        assert route.provider in PROVIDERS
        assert set(route.accepts) <= offered
        assert set(route.defaults) <= set(route.accepts)
    assert offered - {"language"} == {name for route in service.routes for name in route.accepts} - {"language"}


# Results


async def test_a_result_names_its_provider_and_those_tried_before(wire: Responses) -> None:
    respond(wire, "POST", "https://translation-api.ghananlp.org/v1/translate", json="Maakye")
    async with having(*ALL) as api:
        result = await api.translate("Good morning", "en-tw")
    assert (result.provider, result.tried) == ("khaya", ("khaya",))


RESULTS = [
    Translation(text="t", source_language="en", target_language="tw", provider="khaya"),
    Transcript(text="t", language="twi", provider="khaya"),
    Speech(audio=b"a", mime="audio/wav", language="twi", provider="khaya"),
    Image(data=b"i", mime="image/png", provider="kelly"),
    Video(data=b"v", mime="video/mp4", provider="skytells"),
    Music(data=b"m", mime="audio/wav", provider="skytells"),
    Embeddings(((0.5,),), provider="skytells"),
    Description(text="t", provider="kelly"),
    ChatReply(text="t", provider="aerostack"),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_results_are_frozen_and_end_with_the_provider(result: Any) -> None:
    with pytest.raises(AttributeError):
        result.provider = "me"
    assert repr(result).endswith(f", provider={result.provider!r}, tried=({result.provider!r},))")
    if hasattr(result, "text"):
        assert str(result) == result.text


def test_large_data_is_not_in_repr() -> None:
    speech = Speech(audio=b"\x00" * 1000, mime="audio/wav", language="twi", provider="khaya")
    image = Image(data=b"\x00" * 1000, mime="image/png", provider="kelly")
    assert "audio=<1000 bytes>" in repr(speech)
    assert "data=<1000 bytes>" in repr(image)


def test_speech_reads_its_rate_and_duration_from_a_wav() -> None:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 22050, 0, "NONE", ""))
        sound.writeframes(b"\x00\x00" * 11025)
    speech = Speech(audio=file.getvalue(), mime="audio/wav", language="twi", provider="khaya")
    assert (speech.sample_rate, speech.duration) == (22050, 0.5)
    other = Speech(audio=b"ID3\x04", mime="audio/mpeg", language="twi", provider="khaya")
    assert (other.sample_rate, other.duration) == (None, None)


def test_an_image_reads_its_size_from_the_picture() -> None:
    file = io.BytesIO()
    Picture.new("RGB", (30, 20)).save(file, "PNG")
    image = Image(data=file.getvalue(), mime="image/png", provider="kelly")
    assert (image.width, image.height) == (30, 20)
    other = Image(data=b"<svg/>", mime="image/svg+xml", provider="kelly")
    assert (other.width, other.height) == (None, None)


async def test_saving_a_result_returns_the_path(tmp_path: Path) -> None:
    speech = Speech(audio=b"sound", mime="audio/wav", language="twi", provider="khaya")
    image = Image(data=b"picture", mime="image/png", provider="kelly")
    assert await speech.save(str(tmp_path / "a.wav")) == tmp_path / "a.wav"
    assert await image.save(tmp_path / "a.png") == tmp_path / "a.png"
    assert ((tmp_path / "a.wav").read_bytes(), (tmp_path / "a.png").read_bytes()) == (b"sound", b"picture")
