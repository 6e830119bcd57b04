"""Calls to a provider that are recorded, and played again. Another sandbox stands in for the provider."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from kellyapi import Aerostack, KellyAPI, KellyAPIError, Khaya, NotFoundError, Sandbox, ServerError, Skytells
from kellyapi.sandbox.recordings import request_key, without_secrets

KEY = "the-key-of-the-provider"
LOCAL_KEY = "the-key-of-the-program"
PASSWORD = "correct-horse-battery"


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """A sandbox that accepts the key of the environment alone."""
    async with Sandbox(keys=[KEY], keep_engines=True) as provider:
        for name, value in provider.environment.items():
            monkeypatch.setenv(name, value)
        yield provider


def texts(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.json"))]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def client_of(sandbox: Sandbox) -> KellyAPI:
    urls = sandbox.urls
    return KellyAPI(
        LOCAL_KEY,
        urls["kelly"],
        khaya=Khaya(LOCAL_KEY, base_url=urls["khaya"]),
        skytells=Skytells(LOCAL_KEY, base_url=urls["skytells"]),
        aerostack=Aerostack(LOCAL_KEY, base_url=urls["aerostack"]),
    )


async def in_session(sandbox: Sandbox, session: Callable[[KellyAPI], Any]) -> Any:
    async with sandbox, client_of(sandbox) as api:
        return await session(api)


async def skytells_session(api: KellyAPI) -> list[Any]:
    found: list[Any] = [await api.skytells.models.get("truefusion-pro")]
    wolf = await api.skytells.predictions.create("truefusion-pro", {"prompt": "a wolf", "width": 64, "height": 64})
    found += [state async for state in api.skytells.predictions.follow(wolf, interval=0.05)]
    found.append(await api.skytells.chat.create("gpt-5", "Hello"))
    async with api.skytells.chat.stream("gpt-5", "Hello") as stream:
        found.append([chunk async for chunk in stream])
    try:
        await api.skytells.models.get("no-such-model")
    except KellyAPIError as error:
        found.append((type(error), error.status, error.code, error.message))
    return found


async def aerostack_session(api: KellyAPI) -> list[Any]:
    stored = api.aerostack.storage
    return [
        await stored.upload("a.bin", bytes(range(256)), content_type="application/octet-stream"),
        await stored.download("a.bin"),
        await api.aerostack.cache.set("a", {"b": [1, 2]}),
        await api.aerostack.cache.get("a"),
    ]


async def gateway_session(api: KellyAPI) -> list[Any]:
    gateway, consumer = api.aerostack.gateway, "ask_test_of_a_consumer"
    async with gateway.chat_stream("tutor", "Hello", consumer=consumer) as stream:
        pieces = [piece async for piece in stream]
    return [
        pieces,
        await gateway.chat("tutor", "Hello", consumer=consumer),
        await gateway.wallet("tutor", consumer=consumer),
        await gateway.usage("tutor", consumer=consumer, days=7),  # its path is not below /v1
    ]


@pytest.mark.parametrize(
    ("upstream", "session"),
    [("skytells", skytells_session), ("aerostack", aerostack_session), ("aerostack", gateway_session)],
)
async def test_a_replayed_session_equals_the_recorded_one(
    provider: Sandbox, tmp_path: Path, upstream: Any, session: Any
) -> None:
    recorded = await in_session(Sandbox(record=tmp_path, upstream=upstream), session)
    asked = len(provider.requests)
    assert asked == len(texts(tmp_path))
    assert await in_session(Sandbox(replay=tmp_path), session) == recorded
    assert len(provider.requests) == asked
    assert not [text for text in texts(tmp_path) if KEY in text or LOCAL_KEY in text or "of_a_consumer" in text]


async def test_passwords_and_tokens_are_not_recorded(provider: Sandbox, tmp_path: Path) -> None:
    async def session(api: KellyAPI) -> Any:
        return await api.aerostack.auth.sign_up("ama@example.com", PASSWORD)

    live = await in_session(Sandbox(record=tmp_path, upstream="aerostack"), session)
    (text,) = texts(tmp_path)
    assert PASSWORD not in text
    assert live.token
    assert live.token not in text
    replayed = await in_session(Sandbox(replay=tmp_path), session)
    assert (replayed.token, replayed.user) == ("***", live.user)


async def test_secrets_in_a_query_are_not_recorded(provider: Sandbox, tmp_path: Path) -> None:
    async def session(api: KellyAPI) -> Any:
        return await api.khaya.request("GET", "/v1/languages", query={"subscription-key": PASSWORD})

    live = await in_session(Sandbox(record=tmp_path, upstream="khaya"), session)
    (text,) = texts(tmp_path)
    assert PASSWORD not in text
    assert await in_session(Sandbox(replay=tmp_path), session) == live


async def test_the_numbers_of_other_files_do_not_count(provider: Sandbox, tmp_path: Path) -> None:
    for name in ("9.json", "8a-b.json", "0007-GET-x.json"):
        (tmp_path / name).write_text("{}")
    await in_session(Sandbox(record=tmp_path, upstream="khaya"), lambda api: api.khaya.languages("translation"))
    assert names(tmp_path)[1][:8] == "0008-GET"


async def test_a_recording_names_what_was_asked(provider: Sandbox, tmp_path: Path) -> None:
    async def session(api: KellyAPI) -> Any:
        return await api.khaya.languages("translation")

    for _ in range(2):
        await in_session(Sandbox(record=tmp_path / "new", upstream="khaya"), session)
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert names == ["0001-GET-v1-languages.json", "0002-GET-v1-languages.json"]
    recording = json.loads(texts(tmp_path / "new")[0])
    assert recording["request"] == {"method": "GET", "path": "/v1/languages", "content_type": "", "text": ""}
    assert recording["response"]["status"] == 200
    assert json.loads(recording["response"]["text"])["languages"]["twi"]


async def test_what_was_not_recorded_is_not_found(provider: Sandbox, tmp_path: Path) -> None:
    await in_session(Sandbox(record=tmp_path, upstream="khaya"), lambda api: api.khaya.languages("translation"))
    with pytest.raises(NotFoundError) as raised:
        await in_session(Sandbox(replay=tmp_path), lambda api: api.khaya.translate("Hello", "en-tw"))
    assert "Nothing was recorded for this POST /v1/translate" in str(raised.value)


async def test_a_provider_that_does_not_respond_is_a_502_and_no_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", KEY)
    monkeypatch.setenv("KHAYA_BASE_URL", "http://127.0.0.1:1")
    with pytest.raises(ServerError) as raised:
        await in_session(Sandbox(record=tmp_path, upstream="khaya"), lambda api: api.khaya.languages("translation"))
    assert raised.value.status == 502
    assert texts(tmp_path) == []


async def test_recording_needs_a_key_and_another_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Sandbox(record=tmp_path, upstream="khaya")
    with pytest.raises(ValueError, match="set KHAYA_API_KEY"):
        await sandbox.start()
    async with Sandbox() as other:
        port = other.port
    monkeypatch.setenv("KHAYA_API_KEY", KEY)
    monkeypatch.setenv("KHAYA_BASE_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(ValueError, match="KHAYA_BASE_URL is the sandbox itself"):
        await Sandbox(port, record=tmp_path, upstream="khaya").start()


@pytest.mark.parametrize("content", [None, "{", "{}", '{"request": 1, "response": 2}'])
async def test_a_folder_without_recordings_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "1.json").write_text(content)
    with pytest.raises(ValueError, match="recording"):
        await Sandbox(replay=tmp_path).start()


@pytest.mark.parametrize(
    "arguments", [{"record": "a"}, {"upstream": "khaya"}, {"record": "a", "upstream": "khaya", "replay": "b"}]
)
def test_arguments_that_do_not_belong_together_are_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match="record and"):
        Sandbox(**arguments)


def test_requests_are_equal_whatever_the_order_of_fields_and_the_boundary_of_a_form() -> None:
    assert request_key("POST", "/a", "", b'{"a": 1, "b": 2}') == request_key("POST", "/a", "", b'{"b":2,"a":1}')
    forms = [("multipart/form-data; boundary=one", b"--one\r\n"), ('multipart/form-data; boundary="two"', b"--two\r\n")]
    assert len({request_key("POST", "/a", kind, body) for kind, body in forms}) == 1
    assert request_key("POST", "/a", "", b"x") != request_key("POST", "/a?b=1", "", b"x")


@pytest.mark.parametrize(
    ("data", "left"),
    [
        (b'{"password": "a\\"b", "x": 1}', b'{"password": "***", "x": 1}'),
        (b'{"accessToken":"abc"}', b'{"accessToken":"***"}'),
        (b'{"pin_otp": 12345, "client_secret": "s"}', b'{"pin_otp": "***", "client_secret": "***"}'),
        (b'{"text": "\\"password\\": no", "password": "cut o', b'{"text": "\\"password\\": no", "password": "***"'),
        (b'{"total_tokens": 5, "token": null}', b'{"total_tokens": 5, "token": null}'),
        (b'{"token": "He", "logprob": -0.1}', b'{"token": "He", "logprob": -0.1}'),
        (b'{"password": "He", "logprob": -0.1}', b'{"password": "***", "logprob": -0.1}'),
        (b"a-long-secret in a text", b"*** in a text"),
        (b"a sandbox in a text", b"a sandbox in a text"),
    ],
)
def test_secrets_are_replaced(data: bytes, left: bytes) -> None:
    assert without_secrets(data, ["Bearer a-long-secret", "sandbox", None]) == left
