"""Services that generate files, over a sandbox that fails at each request that they send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from kellyapi import KellyAPI, KellyAPIError, RequestTimeoutError, Sandbox, Skytells

SMALL = {"width": 64, "height": 64}
SERVICES: dict[str, Callable[[KellyAPI], Awaitable[Any]]] = {
    "generate_image": lambda api: api.generate_image("a fox", **SMALL),
    "generate_images": lambda api: api.generate_images("a fox", 2, **SMALL),
    "generate_music": lambda api: api.generate_music("slow", duration=5),
}
SCHEMA, CREATE, DELIVERY = "GET /v1/model/*", "POST /v1/predict", "GET /delivery/*"


@pytest.mark.parametrize("name", SERVICES)
async def test_each_request_may_fail_and_no_paid_prediction_is_lost(sandbox: Sandbox, name: str) -> None:
    async with Skytells("key", base_url=sandbox.api().skytells.base_url) as skytells:
        api = KellyAPI(skytells=skytells)
        for route, created in ((SCHEMA, False), (CREATE, False), (DELIVERY, True)):
            sandbox.fail_next(route, status=402)
            with pytest.raises(KellyAPIError) as caught:
                await SERVICES[name](api)
            assert (caught.value.prediction is not None) == created
        assert await SERVICES[name](api)


async def test_a_creation_whose_response_is_late_is_cancelled(sandbox: Sandbox) -> None:
    sandbox.fail_next(CREATE, delay=0.2, carried_out=True)
    async with sandbox.api() as api:
        with pytest.raises(RequestTimeoutError):
            await api.generate_image("a fox", provider="skytells", timeout=0.05)
    async with sandbox.api() as api:  # closing the other one has waited for the cancellation
        assert [each.status for each in (await api.skytells.predictions.list()).items] == ["cancelled"]
