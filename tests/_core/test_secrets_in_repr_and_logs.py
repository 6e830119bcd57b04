"""Keys and passwords in `repr` and in logs."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest
from servers import AT_ONCE, KEY, OK, Script, Server, cut, make_response

import kellyapi
from kellyapi import Aerostack, Kelly, KellyAPI, Khaya, PreparedRequest, Sandbox, Skytells, WebhookReceiver
from kellyapi._core.messages import Call
from kellyapi._core.secrets import Secret

from .shown_secrets import ALL_PROVIDERS, ECHO, FAR, secrets_in, with_password

# -- repr --------------------------------------------------------------------------------------------------------------


def objects() -> dict[str, Any]:
    """Make an object of each public class that takes a key or a proxy's password."""
    options: dict[str, Any] = {"proxy": with_password(FAR)}
    api = KellyAPI(KEY, khaya=KEY, skytells=lambda: KEY, aerostack=Aerostack(KEY, **options), **options)
    made: dict[str, Any] = {kind.__name__: kind(KEY, **options) for kind in ALL_PROVIDERS}
    made["KellyAPI"] = api
    made["WebhookReceiver"] = WebhookReceiver(KEY, skytells=Skytells(KEY))
    return made


def values() -> dict[str, Any]:
    """Make each value that has the key of a request."""
    call = Call(method="GET", url="/", repeatable=True, bearer=KEY, headers={"X-Key": Secret(KEY)})
    return {"Call": call, "PreparedRequest": PreparedRequest(call=call, url="/", headers={"X-Key": Secret(KEY)})}


def parts(thing: Any) -> Iterator[Any]:
    """Yield an object, its attributes and its resources."""
    yield thing
    if not hasattr(thing, "__dict__") or attrs.has(type(thing)):
        return
    yield vars(thing)
    for name in dir(type(thing)):
        if not name.startswith("_") and isinstance(getattr(type(thing), name), property):
            part = getattr(thing, name)
            yield part
            if type(part).__module__.startswith("kellyapi.") and hasattr(part, "__dict__"):
                yield vars(part)


def test_no_repr_of_an_object_with_a_key_shows_it() -> None:
    made = objects() | values()
    for name, thing in list(made.items()):
        if hasattr(thing, "with_options"):
            made[f"{name}, a sibling"] = thing.with_options(timeout=5, proxy=with_password(FAR))
    texts = [repr(part) for thing in made.values() for part in parts(thing)]
    assert len(texts) > 10 * len(ALL_PROVIDERS)
    assert [text for text in texts if secrets_in(text)] == []


def test_each_public_class_that_takes_a_key_is_tested() -> None:
    takes = {"api_key", "bearer", "secrets", "keys"}
    found = set()
    for name in kellyapi.__all__:
        public = getattr(kellyapi, name)
        if isinstance(public, type):
            code = getattr(inspect.unwrap(public.__init__), "__code__", None)
            if code and takes & set(code.co_varnames):
                found.add(name)
    assert found == {*objects(), "Sandbox"}


def test_a_sandbox_does_not_show_the_keys_it_accepts() -> None:
    assert secrets_in(repr(Sandbox(keys=[KEY]))) == []


# -- logs --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def everything(url: str, **options: Any) -> AsyncIterator[list[Callable[[], Awaitable[Any]]]]:
    """Yield calls of all providers, with each way of sending a key."""
    async with (
        Kelly(KEY, base_url=url, **options) as kelly,
        Khaya(KEY, base_url=url, **options) as khaya,
        Skytells(KEY, base_url=url, **options) as skytells,
        Aerostack(KEY, base_url=url, **options) as aerostack,
    ):
        yield [
            lambda: kelly.chat("hi"),
            lambda: khaya.translate("hi", "en-tw"),
            lambda: anext(khaya.synthesize_stream("hi", "twi")),
            lambda: skytells.predictions.get("a1"),
            lambda: skytells.predictions.wait("a1", timeout=0.05),
            lambda: anext(skytells.chat.stream("m", "hi")),
            lambda: aerostack.cache.get("a"),
            lambda: aerostack.gateway.chat("api", "hi", consumer=KEY),
            lambda: aerostack.storage.upload("a", b"RIFF"),
        ]


@pytest.mark.parametrize(
    "script",
    [OK, make_response(503, ECHO, X_Request_Id=KEY), cut(b"")],
)
@pytest.mark.parametrize("by_proxy", [False, True])
async def test_no_log_at_any_level_shows_a_key_or_a_password(
    script: Script, by_proxy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("kellyapi", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    asyncio.get_running_loop().set_debug(True)
    async with Server(script) as server:
        options = {"proxy": with_password(server.url)} if by_proxy else {}
        async with everything(server.url, retry=AT_ONCE, **options) as calls:
            for call in calls:
                await asyncio.gather(call(), return_exceptions=True)
    assert [record for record in caplog.records if record.name.startswith("kellyapi.")]
    for record in caplog.records:
        assert secrets_in(f"{record.getMessage()} {record.args!r} {vars(record)!r}") == []


async def test_a_receiver_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    status, said = await WebhookReceiver(KEY).handle({"X-Skytells-Signature": KEY}, b"{}")
    assert (status, secrets_in(repr(said))) == (401, [])
    assert caplog.records
    assert secrets_in(caplog.text + repr([vars(record) for record in caplog.records])) == []
