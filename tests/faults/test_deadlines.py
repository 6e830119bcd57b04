"""When a call ends, by the clock of the loop: its deadline, and all the time that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver
from fake_clock import run
from servers import KEY, Script, Server, hang, late, make_response, pausing

from kellyapi import KellyAPIError, Khaya, RequestTimeoutError, RetryPolicy, StatusError
from kellyapi._core.messages import NO_TIMEOUT, Timeout

from .calls import OPERATIONS, Operation, ask
from .scripts import drip

PRECISION = 0.15
"""Seconds that the end of a call may differ from its deadline."""
CALLS = {name: one for name, one in OPERATIONS.items() if not one.transfer}
WHOLE = make_response(body=b'"y"')
SLOW: dict[str, Script] = {
    "no response": hang,
    "half a body": pausing(WHOLE[:-1]),
    "a byte a second": drip(WHOLE),
    "a byte a tenth of a second": drip(WHOLE, 0.1),
    "a late error, again and again": late(2.0, make_response(500)),
    "a late 429, again and again": late(2.0, make_response(429)),
    "a late redirect, again and again": late(1.0, make_response(307, b"", Location="/there")),
}


@pytest.mark.parametrize("seconds", [0.2, 4.9, 5.2, 7.7, 60.0])
@pytest.mark.parametrize("operation", CALLS.values(), ids=CALLS)
def test_a_call_ends_at_its_deadline(operation: Operation, seconds: float) -> None:
    outcome = run(ask(operation, hang, timeout=seconds))
    assert type(outcome.error) is RequestTimeoutError
    assert outcome.seconds == pytest.approx(seconds)


@pytest.mark.parametrize("seconds", [0.2, 5.2])
@pytest.mark.parametrize("name", SLOW)
def test_attempts_pauses_redirects_and_the_body_share_one_deadline(name: str, seconds: float) -> None:
    retry = RetryPolicy(attempts=100, repeat_metered=True)
    outcome = run(ask(OPERATIONS["khaya POST"], SLOW[name], timeout=seconds, retry=retry))
    assert isinstance(outcome.error, KellyAPIError)
    if isinstance(outcome.error, RequestTimeoutError):
        assert seconds <= outcome.seconds <= seconds + PRECISION
    else:  # the next pause would have passed the deadline
        assert isinstance(outcome.error, StatusError)
        assert outcome.seconds <= seconds


@pytest.mark.parametrize("seconds", [0.2, 5.2])
@pytest.mark.parametrize("idle", [True, False])
def test_a_transfer_has_an_idle_timeout_and_no_total(seconds: float, idle: bool) -> None:
    timeout = Timeout(total=None, idle=seconds) if idle else NO_TIMEOUT
    slow = late(seconds - 0.1 if idle else 100_000.0, OPERATIONS["khaya stream"].good)
    assert run(ask(OPERATIONS["khaya stream"], slow, timeout=timeout)).error is None
    if idle:
        outcome = run(ask(OPERATIONS["khaya stream"], hang, timeout=timeout))
        assert type(outcome.error) is RequestTimeoutError
        assert outcome.seconds == pytest.approx(seconds)


class Nowhere(AbstractResolver):
    """A name service that never responds."""

    async def resolve(self, *_: Any, **__: Any) -> Any:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


async def _no_name(seconds: float) -> tuple[RequestTimeoutError, float]:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Nowhere())) as session:
        return await _time(Khaya(KEY, session=session, timeout=seconds))


async def _behind_another(seconds: float, **limit: int) -> tuple[RequestTimeoutError, float]:
    async with Server(hang) as server, Khaya(KEY, base_url=server.url, **limit) as khaya:  # type: ignore[arg-type]
        busy = asyncio.create_task(khaya.with_options(timeout=NO_TIMEOUT).translate("x", "en-tw"))
        await server.until(lambda: len(server.requests) == 1)
        ended = await _time(khaya.with_options(timeout=seconds))
        assert len(server.requests) == 1
        busy.cancel()
        await asyncio.wait([busy])
        return ended


async def _no_free_connection(seconds: float) -> tuple[RequestTimeoutError, float]:
    return await _behind_another(seconds, max_connections=1)


async def _no_turn(seconds: float) -> tuple[RequestTimeoutError, float]:
    return await _behind_another(seconds, max_concurrency=1)


async def _no_handshake(seconds: float) -> tuple[RequestTimeoutError, float]:
    async with Server(hang) as server, Khaya(KEY, base_url=server.url.replace("http", "https")) as khaya:
        return await _time(khaya.with_options(timeout=Timeout(total=seconds, connect=None)))


async def _time(khaya: Khaya) -> tuple[RequestTimeoutError, float]:
    started = asyncio.get_running_loop().time()
    with pytest.raises(RequestTimeoutError) as caught:
        await khaya.translate("x", "en-tw")
    return caught.value, asyncio.get_running_loop().time() - started


@pytest.mark.parametrize("seconds", [0.2, 5.2])
@pytest.mark.parametrize("wait", [_no_name, _no_free_connection, _no_turn, _no_handshake])
def test_time_before_the_request_counts_and_the_request_is_never_sent(
    wait: Callable[[float], Awaitable[tuple[RequestTimeoutError, float]]], seconds: float
) -> None:
    error, took = run(wait(seconds))
    assert (error.sent, error.outcome_unknown) == (False, False)
    assert seconds - PRECISION <= took <= seconds + PRECISION
