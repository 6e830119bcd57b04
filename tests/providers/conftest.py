"""A client of each provider, without retries."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from kellyapi import NO_RETRY, Aerostack, Khaya, Skytells


@pytest.fixture
async def skytells() -> AsyncIterator[Skytells]:
    async with Skytells("key", retry=NO_RETRY) as client:
        yield client


@pytest.fixture
async def aerostack() -> AsyncIterator[Aerostack]:
    async with Aerostack("key", retry=NO_RETRY) as client:
        yield client


@pytest.fixture
async def khaya() -> AsyncIterator[Khaya]:
    async with Khaya("key", retry=NO_RETRY) as client:
        yield client
