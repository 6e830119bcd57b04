"""`KHAYA_ALLOW_HTTP` and its like: the option `allow_http` from the environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import PROVIDERS, KellyAPI, Khaya
from kellyapi.errors import ConfigurationError, DecodingError

FAR = "http://far.example"
PREFIXES = {name: client.PROVIDER.variables for name, client in PROVIDERS.items()}
CALLS: dict[str, Callable[[KellyAPI], Awaitable[Any]]] = {
    "kelly": lambda api: api.kelly.models("sd"),
    "khaya": lambda api: api.khaya.voices(),
    "skytells": lambda api: api.skytells.models.list(),
    "aerostack": lambda api: api.aerostack.cache.get("key"),
}


def client(name: str, **options: Any) -> KellyAPI:
    """Return a client whose provider `name` is at a plain http address of another machine."""
    if name == "kelly":
        return KellyAPI("key", FAR, **options)
    clients: dict[str, Any] = {name: PROVIDERS[name]("key", base_url=FAR, **options)}
    return KellyAPI(**clients, **options)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("value", ["1", "true", "YES", " True "])
async def test_the_variable_allows_plain_http(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIXES[name]}_ALLOW_HTTP", value)
    async with Server(make_response(body=b"12")) as proxy, client(name, proxy=proxy.url) as api:
        with suppress(DecodingError):
            await CALLS[name](api)
        assert proxy.requests[0].target.startswith(FAR)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("value", ["0", "false", "No", ""])
async def test_the_variable_refuses_plain_http_which_the_error_explains(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIXES[name]}_ALLOW_HTTP", value)
    async with client(name) as api:
        with pytest.raises(ConfigurationError, match=f"{PREFIXES[name]}_ALLOW_HTTP=1"):
            await CALLS[name](api)


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("value", ["2", "on", "tru", "allow", "-1"])
async def test_another_value_is_named_at_the_first_call(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIXES[name]}_ALLOW_HTTP", value)
    async with client(name) as api:
        with pytest.raises(ConfigurationError, match=f"{PREFIXES[name]}_ALLOW_HTTP must be 1, true, yes, 0, .*{value}"):
            await CALLS[name](api)


async def test_an_argument_goes_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KHAYA_ALLOW_HTTP", "1")
    async with Khaya("key", base_url=FAR, allow_http=False) as khaya:
        with pytest.raises(ConfigurationError, match="allow_http=True"):
            await khaya.voices()
    monkeypatch.setenv("KHAYA_ALLOW_HTTP", "0")
    async with (
        Server(make_response(body=b"12")) as proxy,
        Khaya("key", base_url=FAR, allow_http=True, proxy=proxy.url) as khaya,
    ):
        with pytest.raises(DecodingError):
            await khaya.voices()


async def test_a_variable_of_one_provider_says_nothing_about_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKYTELLS_ALLOW_HTTP", "1")
    async with Khaya("key", base_url=FAR) as khaya:
        with pytest.raises(ConfigurationError, match="KHAYA_ALLOW_HTTP"):
            await khaya.voices()
