"""Which attempts of a call follow a failure, and when."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from servers import OK, Script, asked, make_response, reset

from kellyapi._core.limits import RetryQuota
from kellyapi._core.messages import NO_TIMEOUT
from kellyapi._core.retry import NO_RETRY, RetryPolicy
from kellyapi.errors import KellyAPIError, RateLimitError, StatusError, TransportError


@pytest.mark.parametrize(
    ("status", "free", "metered", "unknown"),
    [
        (400, 1, 1, False), (401, 1, 1, False), (402, 1, 1, False), (403, 1, 1, False), (404, 1, 1, False),
        (408, 3, 1, True), (409, 1, 1, False), (413, 1, 1, False), (422, 1, 1, False), (429, 3, 3, False),
        (500, 3, 1, True), (501, 1, 1, True), (502, 3, 1, True), (503, 3, 3, False), (504, 3, 1, True),
    ],
)  # fmt: skip
async def test_a_status_is_retried_if_that_is_free_or_nothing_was_done(
    status: int, free: int, metered: int, unknown: bool
) -> None:
    async with asked(make_response(status)) as (shop, server):
        for call, times in ((shop.look, free), (shop.put, free), (shop.buy, metered)):
            server.requests.clear()
            with pytest.raises(StatusError) as caught:
                await call()
            assert (caught.value.status, len(server.requests)) == (status, times)
        assert caught.value.outcome_unknown is unknown
        server.requests.clear()
        with pytest.raises(StatusError):
            await anext(shop.listen())
        assert len(server.requests) == metered


async def test_only_repeat_metered_resends_a_metered_call() -> None:
    async with asked(reset, make_response(500), OK, retry=RetryPolicy(base=0, repeat_metered=True)) as (shop, server):
        assert await shop.buy() == {}
        assert len(server.requests) == 3


@pytest.mark.parametrize("scripts", [(reset, OK), (make_response(503), OK), (make_response(429), OK)])
async def test_no_retry_sends_once(scripts: tuple[Script, ...]) -> None:
    async with asked(*scripts, retry=NO_RETRY) as (shop, server):
        with pytest.raises((TransportError, StatusError)):
            await shop.look()
        assert len(server.requests) == 1


async def test_only_the_statuses_of_the_policy_are_retried() -> None:
    policy = RetryPolicy(base=0, statuses=[409], connection_errors=False)
    for script, times in ((make_response(409), 3), (make_response(503), 1), (reset, 1)):
        async with asked(script, retry=policy) as (shop, server):
            with pytest.raises(KellyAPIError):
                await shop.look()
            assert len(server.requests) == times


@pytest.mark.parametrize("hint", ["0", format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_retry_after_in_the_past_causes_no_wait(status: int, hint: str) -> None:
    policy = RetryPolicy(base=3600, throttle_base=3600, cap=3600)
    async with asked(make_response(status, Retry_After=hint), OK, retry=policy, timeout=NO_TIMEOUT) as (shop, server):
        assert await shop.buy() == {}
        assert [seen.connection for seen in server.requests] == [1, 1]


@pytest.mark.parametrize("seconds", [61, 3600])
@pytest.mark.parametrize("dated", [False, True])
async def test_a_retry_after_that_is_too_long_is_raised_without_waiting(seconds: int, dated: bool) -> None:
    hint = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds + 30), usegmt=True) if dated else str(seconds)
    async with asked(make_response(429, Retry_After=hint), timeout=NO_TIMEOUT) as (shop, server):
        with pytest.raises(RateLimitError) as caught:
            await shop.look()
        assert caught.value.retry_after == pytest.approx(seconds + 30 * dated, abs=30)
        assert len(server.requests) == 1


async def test_a_connection_is_free_for_other_calls_during_a_pause() -> None:
    async with asked(make_response(503, Retry_After="30"), OK, max_connections=1) as (shop, server):
        pausing = asyncio.create_task(shop.look("/first"))
        await server.until(lambda: len(server.requests) == 1)
        assert await shop.look("/second") == {}
        pausing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pausing
        assert [seen.target for seen in server.requests] == ["/first", "/second"]
        assert server.connections == 1


@pytest.mark.parametrize(("script", "retries"), [(reset, 35), (make_response(500), 35), (make_response(429), 100)])
async def test_an_outage_uses_up_the_retries_of_a_client_and_its_siblings(script: Script, retries: int) -> None:
    async with asked(script) as (shop, server):
        for number in range(60):
            with pytest.raises(KellyAPIError):
                await (shop if number % 2 else shop.with_options(max_concurrency=3)).look()
        assert len(server.requests) == 60 + retries


async def test_a_success_returns_the_cost_of_its_retry() -> None:
    async with asked(*[make_response(500), OK] * 40) as (shop, _):
        for _ in range(40):
            await shop.look()
        assert shop._connection.limits.quota == RetryQuota()


async def test_retries_are_logged_with_the_reason(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kellyapi.shop")
    async with asked(make_response(503, b'{"problem": "busy"}'), OK) as (shop, _):
        await shop.look()
    [record] = caplog.records
    assert (record.name, record.levelname) == ("kellyapi.shop", "INFO")
    assert record.getMessage() == "attempt 1 failed, the next in 0.00 s: shop: busy (503, HTTP_ERROR)"
