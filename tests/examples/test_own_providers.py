"""The examples with providers of one's own, against a local server with the same API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import ClientResponseError, ClientSession, web
from aiohttp.test_utils import TestServer

from kellyapi import BadRequestError, KellyAPI, NotFoundError, Sandbox

from .conftest import EXAMPLES

EXAMPLES_OF_PROVIDERS = ("openai_compatible.py", "apertium.py")


async def complete(request: web.Request) -> web.StreamResponse:
    """Reply as OpenAI's API does, with the model and the last message."""
    body = await request.json()
    if body["model"] == "missing":
        raise web.HTTPNotFound
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for piece in (body["model"], " read: ", body["messages"][-1]["content"], f" ({body['max_tokens']})", None):
        choice = {"index": 0, "delta": {"content": piece} if piece else {}}
        await response.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
    await response.write(b'data: {"choices": [], "usage": {"total_tokens": 9}}\n\ndata: [DONE]\n\n')
    return response


async def list_pairs(_: web.Request) -> web.Response:
    pairs = [{"sourceLanguage": "spa", "targetLanguage": "eng"}, {"sourceLanguage": "spa", "targetLanguage": "cat"}]
    return web.json_response({"responseData": pairs, "responseDetails": None, "responseStatus": 200})


async def translate(request: web.Request) -> web.Response:
    """Translate one text, as Apertium's server does."""
    known = {("Buenos días", "spa|eng"): "Good morning", ("Buenos días", "spa|cat"): "Bon dia"}
    found = known.get((request.query["q"], request.query["langpair"]))
    if found is None:
        return web.json_response({"status": "error", "code": 400, "message": "Bad Request"}, status=400)
    return web.json_response({"responseData": {"translatedText": found}, "responseStatus": 200})


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """The address of the server."""
    app = web.Application()
    app.add_routes(
        [
            web.post("/v1/chat/completions", complete),
            web.get("/listPairs", list_pairs),
            web.get("/translate", translate),
        ]
    )
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize("name", EXAMPLES_OF_PROVIDERS)
def test_an_example_of_a_provider_has_less_than_40_lines(name: str) -> None:
    assert len(Path(EXAMPLES / name).read_text("utf-8").splitlines()) < 40


async def test_a_server_with_openais_api_chats(
    url: str, load: Callable[[str], ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    example = load("openai_compatible")
    await example.main(f"{url}v1/", "llama", "Name a river.")
    assert capsys.readouterr().out == "llama read: Name a river. (500)\n"


async def test_a_server_with_openais_api_streams_and_takes_conversations(
    url: str, load: Callable[[str], ModuleType]
) -> None:
    example = load("openai_compatible")
    talk: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a lake."}]
    async with ClientSession(f"{url}v1/") as session:
        async with KellyAPI(providers=[example.OpenAICompatible(session, "llama")]) as api:
            async with api.chat_stream(talk, max_tokens=7) as stream:
                assert [piece async for piece in stream] == ["llama", " read: ", "Name a lake.", " (7)"]
            assert (stream.reply.text, stream.reply.provider) == ("llama read: Name a lake. (7)", "own-server")
        async with KellyAPI(providers=[example.OpenAICompatible(session, "missing")]) as api:
            with pytest.raises(NotFoundError) as caught:
                await api.chat("Name a river.")
    assert (caught.value.provider, caught.value.status) == ("own-server", 404)
    assert isinstance(caught.value.__cause__, ClientResponseError)


@pytest.mark.parametrize(
    ("pair", "printed"),
    [
        ("es-en", "Good morning (apertium)\n"),
        ("spa-cat", "Bon dia (apertium)\n"),
        ("es-tw", "Maakye (apertium → khaya)\n"),
    ],
)
async def test_apertium_translates_its_pairs_and_khaya_the_others(
    pair: str,
    printed: str,
    url: str,
    sandbox: Sandbox,
    load: Callable[[str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APERTIUM_URL", url)
    await load("apertium").main("Buenos días", pair)
    assert capsys.readouterr().out == printed


async def test_a_text_that_apertium_refuses_is_an_error_of_the_library(
    url: str, load: Callable[[str], ModuleType]
) -> None:
    example = load("apertium")
    async with ClientSession(url) as session, KellyAPI(providers=[example.Apertium(session, [("spa", "eng")])]) as api:
        with pytest.raises(BadRequestError) as caught:
            await api.translate("Hola", "es-en")
    assert caught.value.provider == "apertium"
