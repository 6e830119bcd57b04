"""Kelly AI's exact requests and the shapes of its responses."""

from __future__ import annotations

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from PIL import Image as Picture

from kellyapi import NO_RETRY, Base64, ChatReply, DecodingError, Description, Image, Kelly, Speech, Transcript
from kellyapi.providers.kelly import NEGATIVE_PROMPT

BASE = "https://api.kellyai.pro"
BEARER = {"Authorization": "Bearer key"}
JSON = {**BEARER, "Content-Type": "application/json"}
AS_BASE64 = {"responseType": "base64data"}


def _png() -> bytes:
    file = io.BytesIO()
    Picture.new("RGB", (3, 2)).save(file, "PNG")
    return file.getvalue()


PNG = _png()
PNG64 = base64.b64encode(PNG).decode()
WAV = b"RIFF\x00\x00\x00\x00WAVEdata"
WAV64 = base64.b64encode(WAV).decode()


@pytest.fixture
async def kelly() -> AsyncIterator[Kelly]:
    async with Kelly("key", retry=NO_RETRY) as client:
        yield client


DRAWN = {"image": PNG64}
PICTURE = Image(data=PNG, mime="image/png", provider="kelly")
SIZE = {"width": 1024, "height": 1024}
NEGATIVE = {"negative_prompt": NEGATIVE_PROMPT}


@pytest.mark.parametrize(
    ("method", "arguments", "options", "path", "data", "reply", "result"),
    [
        (
            "generate_image",
            ["a fox"],
            {},
            "/image/generate",
            {"prompt": "a fox", **NEGATIVE, "model": "PhotoPerfect", **SIZE, **AS_BASE64},
            DRAWN,
            PICTURE,
        ),
        (
            "generate_image",
            ["a fox"],
            {"negative_prompt": "dogs", "model": "Anime", "width": 512, "height": 256},
            "/image/generate",
            {"prompt": "a fox", "negative_prompt": "dogs", "model": "Anime", "width": 512, "height": 256, **AS_BASE64},
            DRAWN,
            PICTURE,
        ),
        (
            "edit_image",
            [PNG, "bluer"],
            {},
            "/image/edit",
            {"prompt": "bluer", **NEGATIVE, "image_data": PNG64, **SIZE, **AS_BASE64},
            DRAWN,
            PICTURE,
        ),
        (
            "edit_image",
            [Base64(PNG64), "bluer"],
            {"negative_prompt": "", "width": 8, "height": 9},
            "/image/edit",
            {"prompt": "bluer", "negative_prompt": "", "image_data": PNG64, "width": 8, "height": 9, **AS_BASE64},
            DRAWN,
            PICTURE,
        ),
        (
            "describe_image",
            [PNG, "what is it?"],
            {},
            "/image/description",
            {"prompt": "what is it?", "image_data": PNG64},
            {"content": "A fox."},
            Description(text="A fox.", provider="kelly"),
        ),
        ("upscale_image", [PNG], {}, "/image/upscale", {"image_data": PNG64, **AS_BASE64}, DRAWN, PICTURE),
        ("remove_background", [PNG], {}, "/image/removebg", {"image_data": PNG64, **AS_BASE64}, DRAWN, PICTURE),
        ("write_notes", ["Dear me"], {}, "/write/notes", {"code": "Dear me", **AS_BASE64}, DRAWN, PICTURE),
        ("render_code", ["x = 1"], {}, "/write/code", {"code": "x = 1", **AS_BASE64}, DRAWN, PICTURE),
        (
            "chat",
            ["hi"],
            {},
            "/chat/chatgpt",
            {"prompt": "hi", "character": "KelyAI"},
            {"message": "Hello!"},
            ChatReply(text="Hello!", model="chatgpt", provider="kelly"),
        ),
        (
            "chat",
            ["hi"],
            {"model": "../sd/models?x=1", "character": "Bob"},
            "/chat/..%2Fsd%2Fmodels%3Fx%3D1",
            {"prompt": "hi", "character": "Bob"},
            {"message": "Hello!", "detail": "a sentence that is no error beside a message"},
            ChatReply(text="Hello!", model="../sd/models?x=1", provider="kelly"),
        ),
        (
            "synthesize",
            ["hi"],
            {},
            "/voice/generation",
            {"text": "hi", "model": "en-US_LisaExpressive", **AS_BASE64},
            {"voice": WAV64},
            Speech(audio=WAV, mime="audio/wav", language="eng", provider="kelly"),
        ),
        (
            "synthesize",
            ["hi"],
            {"voice": "en-GB_Kate"},
            "/voice/generation",
            {"text": "hi", "model": "en-GB_Kate", **AS_BASE64},
            {"voice": WAV64},
            Speech(audio=WAV, mime="audio/wav", language="eng", provider="kelly"),
        ),
        (
            "transcribe",
            [WAV],
            {},
            "/voice/transcribe",
            {"audio": WAV64},
            {"result": "Hello."},
            Transcript(text="Hello.", language="eng", provider="kelly"),
        ),
    ],
)
async def test_each_post_is_exact_and_its_response_is_read(
    wire: Responses,
    kelly: Kelly,
    method: str,
    arguments: Any,
    options: Any,
    path: str,
    data: Any,
    reply: Any,
    result: Any,
) -> None:
    sent = respond(wire, "POST", BASE + path, json=reply)
    assert await getattr(kelly, method)(*arguments, **options) == result
    assert [(one.headers, one.json) for one in sent] == [(JSON, data)]


@pytest.mark.parametrize("kind", ["sd", "sdxl", "chat", "voice"])
@pytest.mark.parametrize("listed", [["a", "b"], {"models": [{"name": "a"}]}, []])
async def test_each_list_of_models_is_returned_unchanged(wire: Responses, kelly: Kelly, kind: Any, listed: Any) -> None:
    sent = respond(wire, "GET", f"{BASE}/{kind}/models", json=listed)
    assert await kelly.models(kind) == listed
    assert [(one.headers, one.body) for one in sent] == [(BEARER, b"")]


async def test_models_of_an_unknown_kind_is_a_value_error(wire: Responses, kelly: Kelly) -> None:
    with pytest.raises(ValueError, match="sdxl"):
        await kelly.models("text")  # type: ignore[arg-type]  # the wrong value is the point
    assert not wire.requests


async def _pieces() -> AsyncIterator[bytes]:
    yield PNG[:20]
    yield PNG[20:]


@pytest.mark.parametrize("kind", ["path", "str", "file", "iterator", "data_url", "bytearray", "memoryview"])
async def test_an_image_from_every_kind_of_source_is_sent_as_base64(
    wire: Responses, kelly: Kelly, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "fox.png"
    path.write_bytes(PNG)
    source: Any = {
        "path": path,
        "str": str(path),
        "file": io.BytesIO(PNG),
        "iterator": _pieces(),
        "data_url": f"data:image/png;base64,{PNG64}",
        "bytearray": bytearray(PNG),
        "memoryview": memoryview(PNG),
    }[kind]
    sent = respond(wire, "POST", f"{BASE}/image/upscale", json=DRAWN)
    await kelly.upscale_image(source)
    assert sent[0].json["image_data"] == PNG64


async def test_a_picture_knows_its_size(wire: Responses, kelly: Kelly) -> None:
    respond(wire, "POST", f"{BASE}/write/code", json=DRAWN)
    image = await kelly.render_code("x = 1")
    assert (image.width, image.height) == (3, 2)


async def test_base64_may_come_in_a_data_url(wire: Responses, kelly: Kelly) -> None:
    link = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    respond(wire, "POST", f"{BASE}/image/generate", json={"image": link})
    assert (await kelly.generate_image("a fox")).data == PNG


async def test_line_breaks_in_base64_are_no_error(wire: Responses, kelly: Kelly) -> None:
    respond(wire, "POST", f"{BASE}/write/code", json={"image": base64.encodebytes(PNG).decode()})
    assert (await kelly.render_code("x = 1")).data == PNG


@pytest.mark.parametrize(
    ("method", "arguments", "problem"),
    [
        ("generate_image", [" "], "prompt is empty"),
        ("edit_image", [PNG, ""], "prompt is empty"),
        ("edit_image", [b"", "x"], "image is empty"),
        ("describe_image", [PNG, "\n"], "prompt is empty"),
        ("describe_image", ["data:image/png;base64,?", "x"], "image is not base64"),
        ("upscale_image", [b""], "image is empty"),
        ("remove_background", [Base64("")], "image is empty"),
        ("write_notes", [""], "text is empty"),
        ("render_code", [""], "code is empty"),
        ("chat", [""], "prompt is empty"),
        ("synthesize", [" "], "text is empty"),
        ("transcribe", [b""], "audio is empty"),
    ],
)
async def test_wrong_input_is_refused_before_anything_is_sent(
    wire: Responses, kelly: Kelly, method: str, arguments: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await getattr(kelly, method)(*arguments)
    assert not wire.requests


@pytest.mark.parametrize("model", ["", ".", "..", "a\nb"])
async def test_a_model_that_is_not_one_path_segment_is_refused(wire: Responses, kelly: Kelly, model: str) -> None:
    with pytest.raises(ValueError, match="model must not"):
        await kelly.chat("hi", model=model)
    assert not wire.requests


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("render_code", "/write/code"),
        ("chat", "/chat/chatgpt"),
        ("synthesize", "/voice/generation"),
        ("generate_image", "/image/generate"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        "null",
        "[]",
        '"text"',
        "{}",
        '{"image": null, "message": null, "voice": null}',
        '{"image": 1, "message": 1, "voice": 1}',
        '{"image": {}, "message": [], "voice": true}',
        '{"success": true}',
        "",
        "<html>",
    ],
)
async def test_a_response_without_its_needed_field_is_a_decoding_error(
    wire: Responses, kelly: Kelly, method: str, path: str, body: str
) -> None:
    respond(wire, "POST", BASE + path, body=body)
    with pytest.raises(DecodingError) as caught:
        await getattr(kelly, method)("x")
    assert caught.value.outcome_unknown
    assert caught.value.provider == "kelly"


@pytest.mark.parametrize(
    ("method", "path", "name"), [("render_code", "/write/code", "image"), ("synthesize", "/voice/generation", "voice")]
)
@pytest.mark.parametrize("text", ["not base64!", "abc", "é", ""])
async def test_base64_that_is_broken_or_empty_is_a_decoding_error(
    wire: Responses, kelly: Kelly, method: str, path: str, name: str, text: str
) -> None:
    respond(wire, "POST", BASE + path, json={name: text})
    with pytest.raises(DecodingError, match=name):
        await getattr(kelly, method)("x")


async def test_a_key_function_is_called_for_every_request(wire: Responses) -> None:
    keys = iter(["first", "second"])

    async def ask() -> str:
        return next(keys)

    sent = respond(wire, "GET", f"{BASE}/sd/models", json=[], repeat=True)
    async with Kelly(ask) as kelly:
        await kelly.models("sd")
        await kelly.models("sd")
    assert [one.headers["Authorization"] for one in sent] == ["Bearer first", "Bearer second"]
