"""`KellyAPI`: keys, clients that users pass, and one session for all four providers."""

from __future__ import annotations

import warnings
from typing import Any

import aiohttp
import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond
from servers import AT_ONCE, Server, make_response

from kellyapi import NO_RETRY, Aerostack, ConfigurationError, Kelly, KellyAPI, Khaya, Skytells, Timeout

ALL_PROVIDERS = {"kelly": Kelly, "khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
VARIABLES = {"kelly": "KELLYAI", "khaya": "KHAYA", "skytells": "SKYTELLS", "aerostack": "AEROSTACK"}
ADDRESSES = {
    "kelly": "https://api.kellyai.pro",
    "khaya": "https://translation-api.ghananlp.org",
    "skytells": "https://api.skytells.ai/v1",
    "aerostack": "https://api.aerostack.ai/v1",
}


def clients(api: KellyAPI) -> dict[str, Any]:
    """Return the four clients by name."""
    return {name: getattr(api, name) for name in ALL_PROVIDERS}


# Keys and addresses


def test_positional_arguments_are_kelly_ais_key_address_and_session() -> None:
    def make() -> aiohttp.ClientSession:
        raise AssertionError("nothing is opened when a client is made")

    api = KellyAPI("key", "https://kelly.example/", make)
    assert (api.kelly.api_key, api.kelly.base_url, api.kelly.session) == ("key", "https://kelly.example", make)
    assert [client.session for client in clients(api).values()] == [make] * 4


def test_keyword_arguments_are_the_keys_of_the_other_providers() -> None:
    api = KellyAPI("k1", khaya="k2", skytells="k3", aerostack="k4")
    assert [client.api_key for client in clients(api).values()] == ["k1", "k2", "k3", "k4"]
    assert {name: client.base_url for name, client in clients(api).items()} == ADDRESSES


@pytest.mark.parametrize("name", ALL_PROVIDERS)
def test_keys_and_addresses_come_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{VARIABLES[name]}_API_KEY", "from-environment")
    monkeypatch.setenv(f"{VARIABLES[name]}_BASE_URL", "https://other.example/base/")
    api = KellyAPI()
    assert [other for other, client in clients(api).items() if client.configured] == [name]
    assert (clients(api)[name].api_key, clients(api)[name].base_url) == (
        "from-environment",
        "https://other.example/base",
    )
    alone = ALL_PROVIDERS[name]("given", base_url="https://given.example")
    assert (alone.api_key, alone.base_url) == ("given", "https://given.example")


def test_making_a_client_needs_no_key_and_no_network() -> None:
    api = KellyAPI()
    assert not any(client.configured for client in clients(api).values())
    assert repr(api) == "KellyAPI(no key)"


def test_repr_names_the_providers_and_never_a_key() -> None:
    api = KellyAPI("sk-secret", khaya="sk-secret", aerostack=lambda: "sk-secret")
    assert repr(api) == "KellyAPI(kelly, khaya, aerostack)"
    shown = f"{api!r} {api} {[repr(client) for client in clients(api).values()]} {api.khaya.api_key!r} {api.api_key!r}"
    assert "sk-secret" not in shown + repr(vars(api))
    assert repr(api.khaya) == "Khaya(base_url='https://translation-api.ghananlp.org')"


@pytest.mark.parametrize("key", [1, b"key", ["key"]])
@pytest.mark.parametrize("name", ["api_key", "khaya", "skytells", "aerostack"])
def test_a_key_of_the_wrong_type_is_a_type_error(name: str, key: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a string, a function"):
        KellyAPI(**{name: key})


def test_a_client_of_another_provider_is_a_type_error() -> None:
    with pytest.raises(TypeError):
        KellyAPI(khaya=Skytells("key"))  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("key", ["", "  ", "\t\n", "schlüssel", "a\nb"])
async def test_an_unusable_key_is_an_error_at_the_first_call(wire: Responses, key: str) -> None:
    api = KellyAPI(khaya=key)
    with pytest.raises(ConfigurationError) as caught:
        await api.khaya.languages("synthesis")
    assert caught.value.provider == "khaya"
    assert not key.strip() or key not in str(caught.value)
    assert not wire.requests


async def test_white_space_around_a_key_is_not_sent(wire: Responses) -> None:
    sent = respond(wire, "GET", f"{ADDRESSES['khaya']}/tts/v1/languages", json={"languages": {}})
    async with KellyAPI(khaya=" key\n") as api:
        await api.khaya.languages("synthesis")
    assert sent[0].headers["Ocp-Apim-Subscription-Key"] == "key"


@pytest.mark.parametrize(
    "address",
    ["language.translation.example", "ftp://x.example", "https://", "http://x.example", "https://u:p@x.example", "//x"],
)
async def test_an_unusable_address_is_an_error_at_the_first_call(wire: Responses, address: str) -> None:
    khaya = Khaya("key", base_url=address)
    with pytest.raises(ConfigurationError) as caught:
        await khaya.languages("synthesis")
    assert caught.value.provider == "khaya"
    assert "u:p" not in str(caught.value)
    assert not wire.requests


# A client that the user passes


async def test_a_given_client_keeps_its_options_and_shares_the_session(wire: Responses) -> None:
    timeouts: list[Timeout] = []
    hook: Any = lambda request, response: timeouts.append(request.timeout)  # noqa: E731  short
    options: dict[str, Any] = {"timeout": 500, "retry": AT_ONCE, "headers": {"X-A": "1"}, "on_response": hook}
    own = Khaya("own", base_url="https://khaya.example", tts_version="v2", **options)
    async with KellyAPI("k1", khaya=own, timeout=900, retry=NO_RETRY, headers={"X-B": "2"}, on_response=hook) as api:
        assert api.khaya is not own
        assert (api.khaya.api_key, api.khaya.base_url) == ("own", "https://khaya.example")
        url = "https://khaya.example/tts/v2/languages"
        sent = [respond(wire, "GET", url, status=500), respond(wire, "GET", url, json={"languages": {}})]
        others = respond(wire, "GET", f"{ADDRESSES['kelly']}/sd/models", json=[])
        await api.khaya.languages("synthesis")
        await api.kelly.models("sd")
    assert [one.headers["X-A"] for each in sent for one in each] == ["1", "1"]
    assert (others[0].headers["X-B"], "X-A" in others[0].headers) == ("2", False)
    assert [timeout.total for timeout in timeouts] == pytest.approx([500, 500, 900], abs=60)  # what is left of them


async def test_a_given_client_stays_usable_after_the_others_are_closed() -> None:
    async with Server(make_response(body=b'{"languages": {}}')) as server, Khaya("key", base_url=server.url) as own:
        async with KellyAPI(khaya=own) as api:
            await api.khaya.languages("synthesis")
            await own.languages("synthesis")
            assert (server.open, server.connections) == (2, 2)
        await server.until(lambda: server.open == 1)
        await own.languages("synthesis")
        assert server.connections == 2


async def test_a_given_client_with_its_own_session_keeps_it(wire: Responses) -> None:
    async with aiohttp.ClientSession() as session:
        api = KellyAPI(khaya=Khaya("key", session=session))
        assert (api.khaya.session, api.kelly.session) == (session, aiohttp.ClientSession)
        respond(wire, "GET", f"{ADDRESSES['khaya']}/tts/v1/languages", json={"languages": {}})
        await api.khaya.languages("synthesis")
        await api.close()
        assert not session.closed


# Sessions


async def test_the_four_providers_use_one_session(wire: Responses) -> None:
    opened: list[aiohttp.ClientSession] = []

    def make() -> aiohttp.ClientSession:
        opened.append(aiohttp.ClientSession())
        return opened[0]

    respond(wire, "GET", f"{ADDRESSES['kelly']}/sd/models", json=[])
    respond(wire, "GET", f"{ADDRESSES['khaya']}/tts/v1/languages", json={"languages": {}})
    respond(wire, "GET", f"{ADDRESSES['skytells']}/predictions/a", json={"id": "a", "status": "failed"})
    respond(wire, "POST", f"{ADDRESSES['aerostack']}/ai/chat", json={"response": "x"})
    async with KellyAPI("k", session=make, khaya="k", skytells="k", aerostack="k") as api:
        assert not opened
        await api.kelly.models("sd")
        await api.khaya.languages("synthesis")
        await api.skytells.predictions.get("a")
        await api.with_options(timeout=5).aerostack.ai.chat("x")
    assert len(opened) == 1
    assert not opened[0].closed  # a session made by a function of the user belongs to the user
    await opened[0].close()


async def test_the_own_session_is_closed_with_the_client_and_opened_again() -> None:
    async with Server(make_response(body=b"[]")) as server:
        api = KellyAPI("k", server.url)
        for connections in (1, 2):
            await api.kelly.models("sd")
            assert (server.open, server.connections) == (1, connections)
            await api.close()
            await server.until(lambda: server.open == 0)


async def test_a_session_that_was_given_is_never_closed(wire: Responses) -> None:
    respond(wire, "GET", f"{ADDRESSES['kelly']}/sd/models", json=[], repeat=True)
    async with aiohttp.ClientSession() as session:
        async with KellyAPI("k", session=session) as api:
            await api.kelly.models("sd")
        assert not session.closed
        assert api.session is session


def test_a_session_of_the_wrong_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"aiohttp\.ClientSession"):
        KellyAPI(session="session")  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize("connections", [0, -1])
def test_max_connections_must_be_positive(connections: int) -> None:
    with pytest.raises(ValueError, match="max_connections"):
        KellyAPI(max_connections=connections)


def test_max_connections_is_refused_with_a_given_session_and_for_a_sibling() -> None:
    with pytest.raises(ValueError, match="max_connections"):
        KellyAPI(session=aiohttp.ClientSession, max_connections=5)
    for client in (KellyAPI(max_connections=5), Khaya("key", max_connections=5)):
        with pytest.raises(ValueError, match="max_connections"):
            client.with_options(max_connections=6)


async def test_resources_have_the_options_of_their_client(wire: Responses) -> None:
    sent = respond(wire, "GET", f"{ADDRESSES['skytells']}/predictions/a", json={"id": "a", "status": "failed"})
    async with Skytells("k").with_options(headers={"X-A": "1"}) as skytells:
        await skytells.predictions.get("a")
    assert sent[0].headers == {"X-A": "1", "x-api-key": "k"}


# Options

WRONG = [
    ({"timeout": 0}, ValueError, "timeout"),
    ({"timeout": -1}, ValueError, "timeout"),
    ({"timeout": float("nan")}, ValueError, "timeout"),
    ({"timeout": "5"}, TypeError, "timeout"),
    ({"timeout": True}, TypeError, "timeout"),
    ({"retry": 3}, TypeError, "retry"),
    ({"headers": [("a", "b")]}, TypeError, "headers"),
    ({"proxy": 3128}, TypeError, "proxy"),
    ({"max_response_bytes": "5"}, TypeError, "max_response_bytes"),
    ({"max_response_bytes": 0}, ValueError, "max_response_bytes"),
    ({"max_concurrency": 0}, ValueError, "max_concurrency"),
    ({"max_concurrency": "5"}, TypeError, "max_concurrency"),
    ({"rate": 5}, TypeError, "rate"),
    ({"allow_http": 1}, TypeError, "allow_http"),
    ({"logger": "kellyapi"}, TypeError, "logger"),
    ({"on_response": 5}, TypeError, "on_response"),
    ({"time_out": 5}, TypeError, "time_out"),
]


@pytest.mark.parametrize(("options", "kind", "name"), WRONG)
def test_a_wrong_option_is_refused_at_once(options: Any, kind: type[Exception], name: str) -> None:
    for accept in (KellyAPI, Khaya, Aerostack, KellyAPI().with_options, Skytells().with_options):
        with pytest.raises(kind, match=name):
            accept(**options)


@pytest.mark.parametrize("accept", [KellyAPI, Kelly, Khaya, Khaya().with_options, KellyAPI().with_options])
def test_a_timeout_above_an_hour_warns_once_where_it_was_written(accept: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        accept(timeout=5000)
    assert [(one.category, one.filename) for one in caught] == [(UserWarning, __file__)]
    assert "5000 is in seconds, which is 1.4 hours" in str(caught[0].message)


async def test_on_response_gets_every_request_and_raw_response(wire: Responses) -> None:
    seen: list[Any] = []

    async def note(request: Any, response: Any) -> None:
        seen.append((request.method, request.url, response.status, response.body, repr(request)))

    respond(wire, "GET", f"{ADDRESSES['kelly']}/sd/models", json=["a"])
    async with KellyAPI("sk-secret", on_response=note) as api:
        await api.kelly.models("sd")
    assert [one[:4] for one in seen] == [("GET", f"{ADDRESSES['kelly']}/sd/models", 200, b'["a"]')]
    assert "sk-secret" not in seen[0][4]
