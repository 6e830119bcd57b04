"""How long a call and each of its waits may take."""

from __future__ import annotations

import pytest
from servers import OK, Script, asked, hang, late, make_response, pausing

from kellyapi._core.messages import FromResponse, Timeout
from kellyapi._core.retry import NO_RETRY
from kellyapi.errors import RequestTimeoutError, StatusError

from .shop_calls import LONG


async def test_a_file_is_requested_without_compression_and_json_with_it() -> None:
    async with asked(OK) as (shop, server):
        await shop.look()
        await shop.look(into=FromResponse(lambda response: response.body))
        await anext(shop.listen())
        assert [seen.headers["accept-encoding"].split(",")[0] for seen in server.requests] == [
            "gzip", "identity", "identity",
        ]  # fmt: skip


@pytest.mark.parametrize("script", [hang, pausing(make_response(body=LONG)[:-1])], ids=["no head", "half a body"])
@pytest.mark.parametrize("timeout", [0.05, Timeout(total=None, idle=0.05)], ids=["total", "idle"])
async def test_silence_is_a_timeout_that_frees_the_connection(script: Script, timeout: float | Timeout) -> None:
    async with asked(script, timeout=timeout, retry=NO_RETRY) as (shop, server):
        with pytest.raises(RequestTimeoutError) as caught:
            await shop.buy()
        assert (caught.value.sent, caught.value.outcome_unknown) == (True, True)
        assert isinstance(caught.value, TimeoutError)
        await server.until(lambda: server.open == 0)


async def test_one_deadline_covers_all_attempts() -> None:
    async with asked(late(0.1, make_response(503)), timeout=0.15) as (shop, server):
        with pytest.raises(RequestTimeoutError):
            await shop.look()
        assert len(server.requests) <= 2


async def test_one_deadline_covers_all_redirects() -> None:
    async with asked(late(0.1, make_response(302, Location="/again")), timeout=0.15) as (shop, server):
        with pytest.raises(RequestTimeoutError):
            await shop.look()
        assert len(server.requests) <= 2


async def test_a_pause_that_would_pass_the_deadline_does_not_start() -> None:
    async with asked(make_response(429, Retry_After="1"), timeout=0.2) as (shop, server):
        with pytest.raises(StatusError) as caught:
            await shop.look()
        assert (caught.value.retry_after, len(server.requests)) == (1.0, 1)
