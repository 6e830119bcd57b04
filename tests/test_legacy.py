"""Code written for kellyapi 0.0.2.5 runs unchanged: names, arguments, return values, `except` clauses.

Source: https://pypi.org/project/kellyapi/0.0.2.5/
"""

from __future__ import annotations

import base64
import builtins
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from processes import ForkingPython

import kellyapi
from kellyapi.api import KellyAPI
from kellyapi.errors import (
    BaseError,
    ConnectionError,
    GenericApiError,
    InvalidApiKey,
    InvalidContent,
    InvalidRequest,
    TimeoutError,
)
from kellyapi.providers.kelly import NEGATIVE_PROMPT

BASE = "https://api.kellyai.pro"
PICTURE = b"\x89PNG\r\n\x1a\nrest"
TEXT = base64.b64encode(PICTURE).decode()
SOUND = b"RIFF\x00\x00\x00\x00WAVEdata"
JSON = {"Authorization": "Bearer key", "Content-Type": "application/json"}
AS_BASE64 = {"responseType": "base64data"}
DRAWN = {"image": TEXT}
POSTS: list[tuple[str, list[Any], str, dict[str, Any], Any, Any]] = [
    (
        "generate",
        ["a fox", "dogs", "Anime", 512, 256],
        "/image/generate",
        {"prompt": "a fox", "negative_prompt": "dogs", "model": "Anime", "width": 512, "height": 256, **AS_BASE64},
        DRAWN,
        PICTURE,
    ),
    (
        "generate",
        ["a fox"],
        "/image/generate",
        {
            "prompt": "a fox",
            "negative_prompt": NEGATIVE_PROMPT,
            "model": "PhotoPerfect",
            "width": 1024,
            "height": 1024,
            **AS_BASE64,
        },
        DRAWN,
        PICTURE,
    ),
    (
        "img2img",
        ["bluer", TEXT, "dogs", "512", "256"],  # its annotation said str
        "/image/edit",
        {
            "prompt": "bluer",
            "negative_prompt": "dogs",
            "image_data": TEXT,
            "width": "512",
            "height": "256",
            **AS_BASE64,
        },
        DRAWN,
        PICTURE,
    ),
    (
        "img2img",
        ["bluer", TEXT],
        "/image/edit",
        {
            "prompt": "bluer",
            "negative_prompt": NEGATIVE_PROMPT,
            "image_data": TEXT,
            "width": 1024,
            "height": 1024,
            **AS_BASE64,
        },
        DRAWN,
        PICTURE,
    ),
    (
        "img2text",
        ["what?", TEXT],
        "/image/description",
        {"prompt": "what?", "image_data": TEXT},
        {"content": "A fox."},
        "A fox.",
    ),
    ("llm", ["hi"], "/chat/chatgpt", {"prompt": "hi", "character": "KelyAI"}, {"message": "Hello!"}, "Hello!"),
    (
        "llm",
        ["hi", "gemini", "Bob"],
        "/chat/gemini",
        {"prompt": "hi", "character": "Bob"},
        {"message": "Hello!"},
        "Hello!",
    ),
    ("upscale", [TEXT], "/image/upscale", {"image_data": TEXT, **AS_BASE64}, DRAWN, PICTURE),
    ("removebg", [TEXT], "/image/removebg", {"image_data": TEXT, **AS_BASE64}, DRAWN, PICTURE),
    (
        "text2voice",
        ["hi"],
        "/voice/generation",
        {"text": "hi", "model": "en-US_LisaExpressive", **AS_BASE64},
        {"voice": base64.b64encode(SOUND).decode()},
        SOUND,
    ),
    (
        "text2voice",
        ["hi", "en-GB_Kate"],
        "/voice/generation",
        {"text": "hi", "model": "en-GB_Kate", **AS_BASE64},
        {"voice": base64.b64encode(SOUND).decode()},
        SOUND,
    ),
    ("voice2text", [TEXT], "/voice/transcribe", {"audio": TEXT}, {"result": "Hello."}, "Hello."),
    ("text2write", ["Dear me"], "/write/notes", {"code": "Dear me", **AS_BASE64}, DRAWN, PICTURE),
    ("code2image", ["x = 1"], "/write/code", {"code": "x = 1", **AS_BASE64}, DRAWN, PICTURE),
]
LISTS = [("sd_models", "sd"), ("sdxl_models", "sdxl"), ("llm_models", "chat"), ("voice_models", "voice")]


@pytest.mark.parametrize(("method", "arguments", "path", "data", "reply", "result"), POSTS)
async def test_each_old_method_sends_and_returns_the_same_as_before(
    wire: Responses, method: str, arguments: Any, path: str, data: Any, reply: Any, result: Any
) -> None:
    sent = respond(wire, "POST", BASE + path, json=reply)
    async with KellyAPI("key") as api:
        given = await getattr(api, method)(*arguments)
    assert (type(given), given) == (type(result), result)
    assert [(one.headers, one.json) for one in sent] == [(JSON, data)]


@pytest.mark.parametrize(("method", "kind"), LISTS)
@pytest.mark.parametrize("listed", [["a", "b"], {"models": ["a"]}])
async def test_each_old_list_returns_the_response_unchanged(
    wire: Responses, method: str, kind: str, listed: Any
) -> None:
    respond(wire, "GET", f"{BASE}/{kind}/models", json=listed)
    async with KellyAPI("key") as api:
        assert await getattr(api, method)() == listed


def test_there_are_fourteen_old_methods_with_their_old_arguments() -> None:
    old = {
        "generate": ["prompt", "negative_prompt", "model", "width", "height"],
        "img2img": ["prompt", "image_data", "negative_prompt", "width", "height"],
        "img2text": ["prompt", "image_data"],
        "llm": ["prompt", "model", "character"],
        "upscale": ["image_data"],
        "removebg": ["image_data"],
        "text2voice": ["text", "model"],
        "voice2text": ["audio"],
        "text2write": ["text"],
        "code2image": ["text"],
        **{name: [] for name, _ in LISTS},
    }
    assert len(old) == 14
    assert {name: list(inspect.signature(getattr(KellyAPI("key"), name)).parameters) for name in old} == old


# Attributes


def test_the_old_attributes_exist() -> None:
    api = KellyAPI()
    assert (api.api, api.api_key, api.session) == ("https://api.kellyai.pro/", None, aiohttp.ClientSession)

    def session() -> aiohttp.ClientSession:
        raise AssertionError("nothing is opened when a client is made")

    api = KellyAPI(api_key="key", api="https://other.example/", session=session)
    assert (api.api, api.api_key, api.session) == ("https://other.example/", "key", session)
    assert isinstance(kellyapi.__version__, str)


def test_the_old_attributes_can_be_set(wire: Responses) -> None:
    """They were plain attributes: a bot may change its key while it runs."""
    api = KellyAPI("key")
    api.api_key = "another"
    api.api = "https://other.example/"
    assert (api.api, api.api_key, api.kelly.api_key) == ("https://other.example/", "another", "another")


@pytest.fixture(scope="module")
def python() -> Iterator[ForkingPython]:
    """A Python that has imported what the library needs, but not the library."""
    python = ForkingPython("import aiohttp, attrs, cattrs", "-X", "dev", "-W", "error")
    yield python
    python.close()


@pytest.mark.parametrize(
    "code",
    [
        "from kellyapi import KellyAPI; KellyAPI",
        "from kellyapi.api import KellyAPI; KellyAPI('key')",
        "import kellyapi; kellyapi.KellyAPI('key'); kellyapi.errors.InvalidApiKey; kellyapi.__version__",
        "import kellyapi; kellyapi.api.KellyAPI('key')",
        "from kellyapi import errors, api; errors.BaseError, api.KellyAPI",
        "from kellyapi.errors import *; BaseError, TimeoutError().success, InvalidApiKey",
        "import kellyapi.api as k; k.KellyAPI('key')",
    ],
)
def test_old_imports_work_as_the_first_import(python: ForkingPython, code: str) -> None:
    assert python.run(f'import sys; assert "kellyapi" not in sys.modules; {code}') == ""


# Sessions


async def test_a_lambda_that_returns_one_session_works_for_every_call(wire: Responses) -> None:
    respond(wire, "GET", f"{BASE}/sd/models", json=["a"], repeat=True)
    async with aiohttp.ClientSession() as session:
        api = KellyAPI("key", session=lambda: session)
        assert await api.sd_models() == ["a"]
        assert await api.sd_models() == ["a"]
        assert not session.closed


async def test_the_class_itself_may_be_the_session(wire: Responses) -> None:
    respond(wire, "GET", f"{BASE}/sd/models", json=["a"])
    async with KellyAPI("key", session=aiohttp.ClientSession) as api:
        assert await api.sd_models() == ["a"]


# Errors


def test_the_seven_old_errors_are_unchanged() -> None:
    for kind in (InvalidRequest, InvalidContent, GenericApiError, ConnectionError, TimeoutError):
        assert issubclass(kind, BaseError)
    assert issubclass(BaseError, Exception)
    assert not issubclass(InvalidApiKey, BaseError)
    error = BaseError("what happened")
    assert (error.success, error.error_message) == (False, "what happened")


@pytest.mark.parametrize(
    ("status", "content_type", "body", "kind"),
    [
        (401, "application/json", '{"detail": "no key"}', InvalidApiKey),
        (403, "application/json", '{"detail": "banned"}', InvalidApiKey),
        (401, "text/html", "<html>", InvalidApiKey),
        (502, "text/html", "<html>", ConnectionError),
        (502, "application/json", '{"detail": "down"}', ConnectionError),
        (500, "text/plain", "Internal Server Error", ConnectionError),
        (200, "text/html", "<html>", InvalidContent),
    ],
)
async def test_an_old_except_clause_catches_the_same_errors(
    wire: Responses, status: int, content_type: str, body: str, kind: type[Exception]
) -> None:
    respond(wire, "GET", f"{BASE}/sd/models", status=status, body=body, content_type=content_type)
    async with KellyAPI("key").with_options(retry=kellyapi.NO_RETRY) as api:
        with pytest.raises(kind) as caught:
            await api.sd_models()
    if isinstance(caught.value, BaseError):
        assert (caught.value.success, caught.value.error_message) == (False, caught.value.message)
        assert caught.value.error_message


async def test_no_response_in_time_is_the_old_and_the_builtin_timeout_error(wire: Responses) -> None:
    wire.get(f"{BASE}/sd/models", timeout=True)
    async with KellyAPI("key").with_options(retry=kellyapi.NO_RETRY) as api:
        with pytest.raises(TimeoutError) as caught:
            await api.sd_models()
    assert isinstance(caught.value, builtins.TimeoutError)
    assert caught.value.error_message


async def test_no_connection_is_the_old_connection_error(wire: Responses) -> None:
    wire.get(f"{BASE}/sd/models", exception=aiohttp.ServerDisconnectedError())
    async with KellyAPI("key").with_options(retry=kellyapi.NO_RETRY) as api:
        with pytest.raises(ConnectionError) as caught:
            await api.sd_models()
    assert not caught.value.success


# A user's text is never a file name


@pytest.mark.parametrize("method", ["upscale", "removebg", "voice2text", "img2text", "img2img"])
async def test_text_arguments_never_open_a_file(
    wire: Responses, method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"private")
    monkeypatch.chdir(tmp_path)
    arguments = ["describe"] if method.startswith("img2") else []
    path = {
        "upscale": "/image/upscale",
        "removebg": "/image/removebg",
        "voice2text": "/voice/transcribe",
        "img2text": "/image/description",
        "img2img": "/image/edit",
    }[method]
    reply = {**DRAWN, "result": "x", "content": "x"}
    for text in ("secret", str(tmp_path / "secret"), "data:,secret"):
        sent = respond(wire, "POST", BASE + path, json=reply)
        async with KellyAPI("key") as api:
            await getattr(api, method)(*arguments, text)
        assert text in sent[0].json.values()
        assert b"private" not in sent[0].body
        assert base64.b64encode(b"private") not in sent[0].body


@pytest.mark.parametrize("method", ["upscale", "removebg", "voice2text"])
async def test_bytes_instead_of_base64_text_are_a_type_error(wire: Responses, method: str) -> None:
    """In 0.0.2.5 they were accepted and sent as `b'…'`, which is garbage that users pay for."""
    async with KellyAPI("key") as api:
        with pytest.raises(TypeError):
            await getattr(api, method)(PICTURE)
    assert not wire.requests
