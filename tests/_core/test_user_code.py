"""Code of the user that raises our errors: they are errors of other calls and have no effect on this one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from servers import AT_ONCE, Server, make_response

from kellyapi import Khaya, Skytells, TransportError
from kellyapi.errors import KellyAPIError, status_error

THROTTLED = status_error(429)("slower", status=429)
UNSENT = TransportError("refused", sent=False)
CREATED = make_response(body=b'{"id": "p1", "status": "pending"}')


@pytest.mark.parametrize("error", [THROTTLED, UNSENT], ids=repr)
async def test_a_hook_that_raises_ends_a_paid_call_with_its_own_error(error: KellyAPIError) -> None:
    def fail(request: object, response: object) -> None:
        raise error

    async with (
        Server(CREATED) as server,
        Skytells("key", base_url=server.url, retry=AT_ONCE, on_response=fail) as skytells,
    ):
        with pytest.raises(type(error)) as caught:
            await skytells.predictions.create("m", {})
    assert caught.value is error
    assert (len(server.requests), error.provider) == (1, None)
    assert '"id": "p1"' in "".join(error.__notes__)


@pytest.mark.parametrize("error", [THROTTLED, UNSENT], ids=repr)
async def test_a_key_function_that_raises_ends_the_call(error: KellyAPIError) -> None:
    def key() -> str:
        raise error

    async with Server(CREATED) as server, Skytells(key, base_url=server.url, retry=AT_ONCE) as skytells:
        with pytest.raises(type(error)) as caught:
            await skytells.predictions.create("m", {})
    assert caught.value is error
    assert server.requests == []


async def test_an_upload_whose_source_raises_is_not_retried() -> None:
    async def source() -> AsyncIterator[bytes]:
        yield b"RIFF"
        raise UNSENT

    async with Server(make_response(body=b'{"text": "torn"}')) as server:
        khaya = Khaya("key", base_url=server.url, retry=AT_ONCE)
        with pytest.raises(TransportError) as caught:
            await khaya.transcribe(source(), "twi")
        await khaya.close()
    assert caught.value is UNSENT
    assert len(server.requests) <= 1


async def test_an_error_of_another_kind_is_raised_unchanged() -> None:
    def key() -> str:
        raise LookupError("no vault")

    with pytest.raises(LookupError, match="no vault"):
        await Khaya(key).translate("hi", "en-tw")
