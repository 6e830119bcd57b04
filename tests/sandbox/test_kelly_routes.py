"""Kelly AI's routes in the sandbox, K1 to K14: requests, responses and error bodies."""

from __future__ import annotations

import base64
import io
from functools import partial
from typing import Any

import pytest
from fake_engines.voice import recognition
from http_client import Send
from PIL import Image

from kellyapi import NO_RETRY, AuthenticationError, Kelly, Sandbox, ServerError

KEY = {"Authorization": "Bearer key"}
SIZE = {"width": 80, "height": 64}


@pytest.fixture
def kelly(send: Send) -> Send:
    return partial(send, headers=KEY)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer    "},
        {"Authorization": "key"},
        {"Kelly-API-KEY": "k"},
    ],
)
async def test_a_missing_key_is_a_403(send: Send, headers: dict[str, str]) -> None:
    response = await send("GET", "/sd/models", headers=headers)
    assert (response.status, response.json) == (403, {"detail": "Not authenticated"})


async def test_a_wrong_key_is_a_401_and_a_right_key_is_accepted(send: Send) -> None:
    async with Sandbox(keys=["right", "also right"], keep_engines=True) as restricted:
        refused = await send("GET", "/sd/models", url=restricted.url, headers=KEY)
        assert (refused.status, refused.json) == (401, {"detail": "Invalid API key"})
        for key in ("right", "also right"):
            assert (
                await send("GET", "/sd/models", url=restricted.url, headers={"Authorization": f"Bearer {key}"})
            ).json


async def test_a_wrong_key_is_the_clients_authentication_error() -> None:
    async with (
        Sandbox(keys=["right"], keep_engines=True) as restricted,
        Kelly("wrong", base_url=restricted.urls["kelly"]) as kelly,
    ):
        with pytest.raises(AuthenticationError, match="Invalid API key"):
            await kelly.models("sd")


@pytest.mark.parametrize(
    ("kind", "default"),
    [("sd", "PhotoPerfect"), ("sdxl", "PhotoPerfectXL"), ("chat", "chatgpt"), ("voice", "en-US_LisaExpressive")],
)
async def test_each_list_of_models_is_an_array_of_names(kelly: Send, kind: str, default: str) -> None:
    models = (await kelly("GET", f"/{kind}/models")).json
    assert default in models
    assert all(isinstance(model, str) for model in models)


PICTURES = [
    ("/image/generate", {"prompt": "a fox", "negative_prompt": "", "model": "PhotoPerfect", **SIZE}, (80, 64)),
    ("/image/generate", {"prompt": "a fox", **SIZE}, (80, 64)),
    ("/image/edit", {"prompt": "a fox", "negative_prompt": "x", "image_data": ..., **SIZE}, (80, 64)),
    ("/image/upscale", {"image_data": ...}, (80, 40)),
    ("/image/removebg", {"image_data": ...}, (20, 10)),
    ("/write/notes", {"code": "Buy milk"}, None),
    ("/write/code", {"code": "print('a')"}, None),
]


@pytest.mark.parametrize(("path", "body", "size"), PICTURES)
async def test_a_picture_is_base64_in_json_if_requested_else_bytes(
    kelly: Send, picture: bytes, path: str, body: dict[str, Any], size: tuple[int, int] | None
) -> None:
    body = {name: b64(picture) if value is ... else value for name, value in body.items()}
    wrapped = await kelly("POST", path, json={**body, "responseType": "base64data"})
    assert wrapped.status == 200
    assert list(wrapped.json) == ["image"]
    drawn = base64.b64decode(wrapped.json["image"], validate=True)
    assert opened(drawn).format == "PNG"
    assert size in (None, opened(drawn).size)
    bare = await kelly("POST", path, json=body)
    assert (bare.headers["Content-Type"], bare.body) == ("image/png", drawn)


async def test_a_picture_has_1024_pixels_a_side_by_default(kelly: Send) -> None:
    drawn = await kelly("POST", "/image/generate", json={"prompt": "a fox"})
    assert opened(drawn.body).size == (1024, 1024)


async def test_a_picture_is_described_in_words(kelly: Send, picture: bytes) -> None:
    response = await kelly("POST", "/image/description", json={"prompt": "What is it?", "image_data": b64(picture)})
    assert list(response.json) == ["content"]
    assert "20 x 10" in response.json["content"]


@pytest.mark.parametrize("model", ["chatgpt", "gemini", "roastai"])
async def test_a_chat_names_its_model_in_the_path(kelly: Send, model: str) -> None:
    response = await kelly("POST", f"/chat/{model}", json={"prompt": "Who are you?", "character": "KelyAI"})
    assert list(response.json) == ["message"]
    assert model in response.json["message"]
    assert "KelyAI" in response.json["message"]


@pytest.mark.usefixtures("fake_engines")
async def test_speech_is_base64_in_json_if_requested_else_bytes(kelly: Send) -> None:
    body = {"text": "hello", "model": "en-US_LisaExpressive"}
    wrapped = await kelly("POST", "/voice/generation", json={**body, "responseType": "base64data"})
    assert wrapped.json == {"voice": b64(b"RIFF eng en-US_LisaExpressive hello")}
    bare = await kelly("POST", "/voice/generation", json={"text": "hello"})
    assert (bare.headers["Content-Type"], bare.body) == ("audio/wav", b"RIFF eng en-US_LisaExpressive hello")


@pytest.mark.usefixtures("fake_engines")
async def test_a_transcript_is_one_string(kelly: Send) -> None:
    response = await kelly("POST", "/voice/transcribe", json={"audio": b64(b"RIFF")})
    assert response.json == {"result": recognition.TEXT}


@pytest.mark.parametrize(
    ("path", "body", "field", "kind"),
    [
        ("/image/generate", {}, "prompt", "missing"),
        ("/image/generate", {"prompt": None}, "prompt", "string_type"),
        ("/image/generate", {"prompt": 5}, "prompt", "string_type"),
        ("/image/generate", {"prompt": "a", "negative_prompt": []}, "negative_prompt", "string_type"),
        ("/image/generate", {"prompt": "a", "width": "wide"}, "width", "int_type"),
        ("/image/generate", {"prompt": "a", "width": None}, "width", "int_type"),
        ("/image/generate", {"prompt": "a", "height": True}, "height", "int_type"),
        ("/image/generate", {"prompt": "a", "height": 64.5}, "height", "int_type"),
        ("/image/edit", {"prompt": "a"}, "image_data", "missing"),
        ("/image/edit", {"image_data": ""}, "prompt", "missing"),
        ("/image/description", {"prompt": "a", "image_data": "no base64!"}, "image_data", "base64"),
        ("/image/upscale", {"image_data": "\u0190\u025b"}, "image_data", "base64"),
        ("/image/upscale", {"image_data": "AAA"}, "image_data", "base64"),
        ("/image/upscale", {"image_data": {}}, "image_data", "string_type"),
        ("/image/removebg", {}, "image_data", "missing"),
        ("/write/notes", {"text": "a"}, "code", "missing"),
        ("/write/code", {"code": ["a"]}, "code", "string_type"),
        ("/chat/chatgpt", {}, "prompt", "missing"),
        ("/chat/chatgpt", {"prompt": "a", "character": 1}, "character", "string_type"),
        ("/voice/generation", {}, "text", "missing"),
        ("/voice/generation", {"text": "a", "model": False}, "model", "string_type"),
        ("/voice/transcribe", {}, "audio", "missing"),
    ],
)
async def test_a_field_that_is_wrong_is_a_422_that_names_it(
    kelly: Send, path: str, body: dict[str, Any], field: str, kind: str
) -> None:
    response = await kelly("POST", path, json=body)
    assert response.status == 422
    [problem] = response.json["detail"]
    assert (problem["loc"], problem["type"]) == (["body", field], kind)
    assert isinstance(problem["msg"], str)


@pytest.mark.parametrize("size", [0, -1, 63, 2049, 10**30, -(10**30)])
async def test_a_size_that_cannot_be_drawn_is_a_422(kelly: Send, size: int) -> None:
    response = await kelly("POST", "/image/generate", json={"prompt": "a", "width": size, "height": 64})
    problem = {"loc": ["body", "width"], "msg": "Input should be 64 to 2048 pixels", "type": "value_error"}
    assert (response.status, response.json) == (422, {"detail": [problem]})


@pytest.mark.parametrize(
    ("path", "body", "part"),
    [
        ("/image/generate", {"prompt": "a", "model": "Photoperfect"}, "body"),
        ("/image/generate", {"prompt": "a", "model": "chatgpt"}, "body"),
        ("/voice/generation", {"text": "a", "model": "en-US_Nobody"}, "body"),
        ("/chat/gpt", {"prompt": "a"}, "path"),
        ("/chat/a%2Fb", {"prompt": "a"}, "path"),
    ],
)
async def test_a_model_that_is_not_in_its_list_is_a_422(
    kelly: Send, path: str, body: dict[str, Any], part: str
) -> None:
    response = await kelly("POST", path, json=body)
    (problem,) = response.json["detail"]
    assert (response.status, problem["loc"], problem["type"]) == (422, [part, "model"], "enum")


@pytest.mark.parametrize("path", ["/image/generate", "/voice/generation"])
@pytest.mark.parametrize("model", [3, None, ["PhotoPerfect"], True])
async def test_a_model_is_a_string(kelly: Send, path: str, model: Any) -> None:
    response = await kelly("POST", path, json={"prompt": "a", "text": "a", "model": model})
    assert (response.status, response.json["detail"][0]["type"]) == (422, "string_type")


@pytest.mark.parametrize("path", ["/image/upscale", "/image/removebg"])
@pytest.mark.parametrize("data", [b"", b"a text", b"\x89PNG\r\n\x1a\n" + bytes(100)])
async def test_bytes_that_are_not_a_picture_are_a_400(kelly: Send, path: str, data: bytes) -> None:
    response = await kelly("POST", path, json={"image_data": b64(data)})
    assert response.status == 400
    assert isinstance(response.json["detail"], str)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b"null", b'"prompt"', b"1", b"[" * 100_000])
async def test_a_body_that_is_not_a_json_object_is_a_400(kelly: Send, body: bytes) -> None:
    response = await kelly("POST", "/chat/chatgpt", data=body)
    assert response.status == 400
    assert response.json["detail"] in ("The body is not valid JSON.", "The body must be a JSON object.")


@pytest.mark.usefixtures("fake_engines")
async def test_bytes_that_are_not_audio_are_a_400(kelly: Send) -> None:
    response = await kelly("POST", "/voice/transcribe", json={"audio": b64(b"a text")})
    assert (response.status, response.json) == (400, {"detail": "not audio"})


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/styles", 404), ("GET", "/image/generate", 405)])
async def test_an_unknown_route_is_an_error_in_kelly_ais_form(kelly: Send, method: str, path: str, status: int) -> None:
    response = await kelly(method, path)
    assert response.status == status
    assert isinstance(response.json["detail"], str)


@pytest.mark.usefixtures("no_packages")
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/voice/generation", {"text": "hello"}),
        ("/voice/transcribe", {"audio": b64(b"RIFF")}),
        ("/image/generate", {"prompt": "a fox"}),
        ("/write/code", {"code": "a"}),
    ],
)
async def test_a_missing_package_is_a_503_that_says_what_to_install(
    kelly: Send, path: str, body: dict[str, Any]
) -> None:
    response = await kelly("POST", path, json=body)
    assert response.status == 503
    assert 'pip install "kellyapi[sandbox]"' in response.json["detail"]


@pytest.mark.usefixtures("no_packages")
async def test_the_client_error_says_what_to_install(sandbox: Sandbox) -> None:
    async with Kelly("key", base_url=sandbox.urls["kelly"], retry=NO_RETRY) as kelly:
        with pytest.raises(ServerError, match=r'pip install "kellyapi\[sandbox\]"') as raised:
            await kelly.synthesize("hello")
    assert raised.value.status == 503
