"""Keys do not go to another origin, and not over plain HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from providers.replies import PREDICTION
from servers import KEY, OK, Server, make_response

from kellyapi import NO_RETRY, ConfigurationError, KellyAPI, Prediction, Skytells, StatusError

from .shown_secrets import ALL_PROVIDERS, FAR, consume, consume_stream, secrets_in, wallet


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_consumers_key_is_not_sent_to_another_origin_by_a_redirect(status: int) -> None:
    async with Server(OK) as other, Server(make_response(status, Location=f"{other.url}/there")) as server:
        for use in (wallet, consume, consume_stream):
            with pytest.raises(StatusError, match="which is not followed"):
                await use(server.url)
        assert len(server.requests) == 3
        assert other.connections == 0


async def test_no_key_goes_to_the_addresses_that_a_prediction_names() -> None:
    ended = make_response(body=json.dumps(PREDICTION).encode())
    async with (
        Server(ended) as server,
        Server(OK) as other,
        Skytells(KEY, base_url=server.url, retry=NO_RETRY) as skytells,
    ):
        urls = {name: f"{other.url}/{name}" for name in ("get", "cancel", "stream", "delete")}
        prediction = Prediction(id="a1", status="processing", urls=urls)
        one = skytells.predictions
        for call in (
            one.get(prediction),
            one.cancel(prediction),
            one.delete(prediction),
            one.stream_info(prediction),
            anext(one.follow(prediction)),
        ):
            await call
        assert (len(server.requests), other.connections) == (5, 0)


async def test_outputs_are_fetched_without_a_key(tmp_path: Path) -> None:
    async with Server(make_response(body=b"\x89PNG", kind="image/png")) as server:
        done = Prediction(id="a1", status="succeeded", output=[f"{server.url}/a.png"])
        async with KellyAPI(skytells=KEY, headers={"X-Mine": KEY}) as api:
            await api.skytells.predictions.download(done, tmp_path)
            await api.download(f"{server.url}/b.png", tmp_path / "b.png")
        assert len(server.requests) == 2
        assert secrets_in(repr(server.requests)) == []


@pytest.mark.parametrize("address", [FAR, "http://10.0.0.1", "http://127.0.0.1.example", "http://localhost.example"])
@pytest.mark.parametrize("provider", ALL_PROVIDERS)
async def test_plain_http_to_other_machines_is_refused_before_anything_is_sent(
    provider: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(OK) as proxy:  # it would receive any request
        options = {"proxy": proxy.url, "retry": NO_RETRY}
        monkeypatch.setenv(f"{provider.PROVIDER.variables}_BASE_URL", address)
        for client in (
            provider(KEY, base_url=address, **options),
            provider(KEY, **options),
            provider(KEY, base_url="https://a.example", **options).with_access(base_url=address),
            provider(KEY, base_url=address, allow_http=True, **options).with_options(allow_http=False),
        ):
            with pytest.raises(ConfigurationError, match="allow_http=True"):
                await client._fetch("/a", into=object)
        assert proxy.connections == 0
        async with provider(KEY, base_url=address, allow_http=True, **options) as client:
            assert await client._fetch("/a", into=object) == {}
        assert proxy.requests[0].target == f"{address}/a"
