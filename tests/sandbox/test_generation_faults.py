"""Services that generate files, over a sandbox that fails at each request that they send."""

from __future__ import annotations

import pytest

from kellyapi import KellyAPIError, RequestTimeoutError, Sandbox

pytestmark = pytest.mark.usefixtures("own_sandbox")

SCHEMA, CREATE, DELIVERY = "GET /v1/model/*", "POST /v1/predict", "GET /delivery/*"


async def test_each_request_may_fail_and_no_paid_prediction_is_lost(sandbox: Sandbox) -> None:
    async with sandbox.api() as api:
        for route, created in ((SCHEMA, False), (CREATE, False), (DELIVERY, True)):
            sandbox.fail_next(route, status=402)
            with pytest.raises(KellyAPIError) as caught:
                await api.skytells.generate_images("a fox", 2, width=64, height=64)
            assert (caught.value.prediction is not None) == created
    assert [image.width for image in caught.value.partial] == [64]


async def test_a_creation_whose_response_is_late_is_cancelled(sandbox: Sandbox) -> None:
    sandbox.fail_next(CREATE, delay=0.2, carried_out=True)
    async with sandbox.api() as api:
        with pytest.raises(RequestTimeoutError):
            await api.generate_image("a fox", provider="skytells", timeout=0.05)
    async with sandbox.api() as api:  # closing the other one has waited for the cancellation
        assert [each.status for each in (await api.skytells.predictions.list()).items] == ["cancelled"]
