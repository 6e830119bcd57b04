"""The log of the sandbox in Python: one line at level INFO for each request."""

from __future__ import annotations

import logging

import aiohttp
import pytest

from kellyapi import Sandbox


async def get(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url, headers={"x-api-key": "sk-secret"}) as response:
        await response.read()


async def test_each_request_is_logged_with_its_status_and_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kellyapi.sandbox")
    async with Sandbox() as sandbox:
        await get(f"{sandbox.url}/v1/models?fields=key")
        await get(f"{sandbox.url}/v1/models/none")
    said = [record.getMessage().rpartition(" ms")[0].rpartition(" ")[0] for record in caplog.records]
    assert said == ["GET /v1/models 200", "GET /v1/models/none 404"]


async def test_a_long_path_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "kellyapi.sandbox")
    async with Sandbox() as sandbox:
        await get(f"{sandbox.url}/{'a' * 5000}")
    assert len(caplog.records[0].getMessage()) < 250


async def test_nothing_is_logged_by_default(caplog: pytest.LogCaptureFixture) -> None:
    async with Sandbox() as sandbox:
        await get(f"{sandbox.url}/v1/models")
    assert not caplog.records
