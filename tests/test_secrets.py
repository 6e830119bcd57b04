"""Keys and passwords, wherever they might show: tracebacks with locals, errors, logs, `repr`, and other origins.

What a redirect does to each operation is in `faults/test_redirects.py`, what an error body that repeats a key becomes
in `test_connection.py`, what a proxy is told in `test_proxies.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from processes import ForkingPython
from providers.replies import PREDICTION
from servers import AT_ONCE, KEY, OK, Exchange, Script, Server, Shop, asked, cut, hang, make_response

import kellyapi
from kellyapi import (
    NO_RETRY,
    Aerostack,
    ChatStream,
    ConfigurationError,
    Kelly,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Prediction,
    PreparedRequest,
    Sandbox,
    Skytells,
    StatusError,
    WebhookReceiver,
    verify_webhook,
)
from kellyapi._core.messages import Call
from kellyapi._core.secrets import Secret, redact_error

PASSWORD = "pass-word-of-the-proxy"
SECRETS = (KEY, PASSWORD)
ALL_PROVIDERS = (Kelly, Khaya, Skytells, Aerostack)
FAR = "http://far.example"
HERE = Path(__file__).parent


def with_password(url: str) -> str:
    return url.replace("://", f"://somebody:{PASSWORD}@")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an error and all that a formatted traceback shows of what led to it."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from chain(one)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def shown(error: BaseException) -> str:
    """Give all that an error shows: itself, its fields, and its traceback with the locals of all frames but ours."""
    texts: list[str] = []
    for each in chain(error):
        trace = traceback.TracebackException.from_exception(each, capture_locals=True)
        trace.stack[:] = [frame for frame in trace.stack if HERE not in Path(frame.filename).parents]
        trace.__cause__ = trace.__context__ = None
        texts += [*trace.format(), str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", ())]
    return "\n".join(texts)


def tell(text: str) -> list[str]:
    """Give the secrets that a text tells, and what stands around them."""
    return [text[max(0, text.index(one) - 80) :][:160] for one in SECRETS if one in text]


# -- tracebacks with locals --------------------------------------------------------------------------------------------


async def wallet(url: str) -> None:
    await Aerostack("project-key", base_url=url, retry=NO_RETRY).gateway.wallet("api", consumer=KEY)


async def consume(url: str) -> None:
    await Aerostack("project-key", base_url=url, retry=NO_RETRY).gateway.chat("api", "hi", consumer=KEY)


async def consume_stream(url: str) -> None:
    client = Aerostack("project-key", base_url=url, retry=NO_RETRY)
    async with client.gateway.chat_stream("api", "hi", consumer=KEY) as stream:
        await anext(stream)


async def ask_a_function(url: str) -> None:
    await Khaya(lambda: KEY, base_url=url, retry=NO_RETRY).translate("hi", "en-tw")


async def upload(url: str) -> None:
    await Aerostack(KEY, base_url=url, retry=NO_RETRY).storage.upload("a", __file__)


async def follow(url: str) -> None:
    await anext(Skytells(KEY, base_url=url, retry=NO_RETRY).predictions.follow("a1", timeout=0))


async def fall_back(url: str) -> None:
    await KellyAPI(KEY, url, khaya=Khaya(KEY, base_url=url), retry=NO_RETRY).transcribe(b"RIFF", "en", fallback=True)


async def through_a_proxy(url: str) -> None:
    await Shop(KEY, base_url=FAR, allow_http=True, retry=NO_RETRY, proxy=with_password(url)).look()


async def through_a_tunnel(url: str) -> None:
    await Shop(KEY, base_url="https://far.example", retry=NO_RETRY, proxy=with_password(url)).look()


USES: tuple[Callable[[str], Awaitable[None]], ...] = (
    wallet, consume, consume_stream, ask_a_function, upload, follow, fall_back, through_a_proxy, through_a_tunnel
)  # fmt: skip


@pytest.mark.parametrize("script", [make_response(401), make_response(500), cut(b""), cut(b"SSH-2.0\r\n\r\n")])
@pytest.mark.parametrize("use", USES)
async def test_a_call_that_fails_shows_no_key_in_any_frame(use: Callable[[str], Awaitable[None]], script: Any) -> None:
    async with Server(script) as server:
        with pytest.raises(KellyAPIError) as caught:
            await use(server.url)
    assert "self = " in shown(caught.value)
    assert tell(shown(caught.value)) == []


@pytest.mark.parametrize("use", USES)
async def test_a_call_that_is_cancelled_at_any_moment_shows_no_key_in_any_frame(
    use: Callable[[str], Awaitable[None]],
) -> None:
    frames = 0
    async with Server(hang) as server:
        for turns in range(30):
            call = asyncio.ensure_future(use(server.url))
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns > 20:
                await server.until(lambda: bool(server.requests))
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            text = shown(caught.value)
            frames += "aiohttp" in text
            assert tell(text) == []
    assert frames  # those of aiohttp hold the headers and the proxy


@pytest.mark.parametrize("make", [*ALL_PROVIDERS, KellyAPI])
def test_a_client_that_cannot_be_made_shows_neither_key_nor_password(make: Callable[..., Any]) -> None:
    for options in ({"timeout": 0}, {"max_connections": 0}, {"unheard": 1}, {"retry": 3}):
        with pytest.raises((ValueError, TypeError)) as caught:
            make(KEY, proxy=with_password(FAR), **options)
        assert "options = " in shown(caught.value)
        assert tell(shown(caught.value)) == []
        with pytest.raises((ValueError, TypeError)) as caught:
            make(KEY).with_options(proxy=with_password(FAR), **options)
        assert tell(shown(caught.value)) == []
    with pytest.raises(ValueError, match="proxy must be a URL") as caught:
        make(KEY, proxy=f"somebody:{PASSWORD}@far.example")
    assert tell(shown(caught.value)) == []


@pytest.mark.parametrize("name", ["khaya", "skytells", "aerostack"])
def test_a_key_for_one_of_four_is_hidden_as_well(name: str) -> None:
    with pytest.raises(ValueError, match="timeout") as caught:
        KellyAPI(**{name: KEY}, timeout=0)
    assert tell(shown(caught.value)) == []


WRONG: dict[str, Callable[[], Any]] = {
    "a receiver": lambda: WebhookReceiver(KEY, 3),  # type: ignore[arg-type]  # on purpose
    "secrets": lambda: verify_webhook({}, b"", [KEY, 3]),  # type: ignore[list-item]  # on purpose
    "a signature": lambda: verify_webhook({"X-Skytells-Signature": "0" * 64}, b"{}", KEY),
    "an address": lambda: Khaya("x").with_access(api_key=KEY, base_url=3),  # type: ignore[arg-type]  # on purpose
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_a_wrong_argument_beside_a_key_does_not_show_it(wrong: Callable[[], Any]) -> None:
    with pytest.raises((TypeError, KellyAPIError)) as caught:
        wrong()
    assert tell(shown(caught.value)) == []


@pytest.mark.parametrize("given", [f"{KEY}\n\x00", f"{KEY}é"])
@pytest.mark.parametrize("provider", ALL_PROVIDERS)
async def test_a_key_that_no_header_can_carry_is_not_shown(provider: Any, given: str) -> None:
    for key in (given, lambda: given):
        with pytest.raises(ConfigurationError, match="no header can carry") as caught:
            await provider(key)._fetch("/a", into=object)
        assert tell(shown(caught.value)) == []


# -- servers that repeat a key -----------------------------------------------------------------------------------------


async def repeat_as_a_header(exchange: Exchange) -> None:
    await exchange.write(f"HTTP/1.1 200 OK\r\n{exchange.seen.headers['x-key']}\r\n\r\n".encode())
    exchange.writer.close()


async def repeat_as_a_status(exchange: Exchange) -> None:
    await exchange.write(f"HTTP/1.1 {exchange.seen.headers['x-key']}\r\n\r\n".encode())
    exchange.writer.close()


ECHO = json.dumps({"problem": f"no {KEY}", "code": KEY, "key": [KEY]}).encode()
ECHOES: dict[str, Script] = {
    "a status line": repeat_as_a_status,
    "a header that is none": repeat_as_a_header,
    "all fields of an error": make_response(400, ECHO, X_Request_Id=KEY, X_Key=f"Key {KEY}"),
    "an error in a success": make_response(200, ECHO, X_Request_Id=KEY),
    "a server's failure": make_response(500, ECHO),
    "a page": make_response(502, f"<title>{KEY}</title>".encode(), "text/html"),
    "a success that is none": make_response(200, f"<html>{KEY}".encode(), "text/html"),
    "an excerpt that ends within it": make_response(200, b"<" * (201 - len(KEY)) + KEY.encode(), "text/html"),
    "the wrong type": make_response(200, json.dumps({"a": KEY}).encode()),
    "a redirect": make_response(302, KEY.encode(), Location=f"http://other.example/{KEY}"),
}


@pytest.mark.parametrize("script", ECHOES.values(), ids=ECHOES)
async def test_an_error_that_repeats_the_key_is_raised_without_it(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with asked(script) as (shop, _):
        for call in (shop.buy, shop.put):  # the second is repeated, and the log says why
            with pytest.raises(KellyAPIError) as caught:
                await call(into=int)
            assert tell(shown(caught.value)) == []
            assert KEY[:-1].encode() not in pickle.dumps((type(caught.value), caught.value.args, vars(caught.value)))
    assert KEY not in caplog.text


STREAMED = {
    "an event": f'data: {{"error": {{"message": "{KEY}", "code": "{KEY}"}}}}\n\n',
    "an event in words": f"event: error\ndata: bad key {KEY}\n\n",
    "an event that is no JSON": f"data: {KEY}\n\n",
    "an event that is no object": f'data: ["{KEY}"]\n\n',
    "an event after the first": 'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n'
    f'data: {{"error": {{"message": "{KEY}"}}}}\n\n',
}


@pytest.mark.parametrize("events", STREAMED.values(), ids=STREAMED)
async def test_the_error_of_an_event_is_raised_without_the_key(events: str) -> None:
    async with asked(make_response(body=events.encode(), kind="text/event-stream", X_Request_Id=KEY)) as (shop, _):
        with pytest.raises(KellyAPIError) as caught:
            [piece async for piece in shop._stream_events("/chat", {}, into=ChatStream)]
        assert "***" in str(caught.value)
        assert KEY not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("events", [STREAMED["an event"], STREAMED["an event in words"]])
async def test_the_error_of_an_event_is_raised_without_a_consumers_key(events: str) -> None:
    reply = make_response(body=events.encode(), kind="text/event-stream")
    async with Server(reply) as server, Aerostack("project-key", base_url=server.url, retry=NO_RETRY) as aerostack:
        with pytest.raises(KellyAPIError) as caught:
            async with aerostack.gateway.chat_stream("api", "hi", consumer=KEY) as stream:
                await anext(stream)
        assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
        assert "***" in str(caught.value)
        assert tell(f"{caught.value} {caught.value!r} {vars(caught.value)}") == []


async def ends(call: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(call, return_exceptions=True)


def test_what_was_not_repeated_is_left_as_it_is() -> None:
    async def fail() -> None:
        raise StatusError("no", status=400, body={"a": 1}, code="A")

    [error] = asyncio.run(ends(fail()))
    before, trace = dict(vars(error)), error.__traceback__
    assert trace is not None
    redact_error(error, {"X-Key": Secret(f"Key {KEY}")})
    assert (vars(error), error.__traceback__) == (before, trace)


# -- repr --------------------------------------------------------------------------------------------------------------


def objects() -> dict[str, Any]:
    """Make one of each public class that is given a key, or a proxy's password."""
    options: dict[str, Any] = {"proxy": with_password(FAR)}
    api = KellyAPI(KEY, khaya=KEY, skytells=lambda: KEY, aerostack=Aerostack(KEY, **options), **options)
    made: dict[str, Any] = {kind.__name__: kind(KEY, **options) for kind in ALL_PROVIDERS}
    made["KellyAPI"] = api
    made["WebhookReceiver"] = WebhookReceiver(KEY, skytells=Skytells(KEY))
    return made


def values() -> dict[str, Any]:
    """Make one of each value that carries a key to the wire."""
    call = Call(method="GET", url="/", repeatable=True, bearer=KEY, headers={"X-Key": Secret(KEY)})
    return {"Call": call, "PreparedRequest": PreparedRequest(call=call, url="/", headers={"X-Key": Secret(KEY)})}


def parts(thing: Any) -> Iterator[Any]:
    """Give an object, what it holds, and the groups of operations that it has."""
    yield thing
    if not hasattr(thing, "__dict__") or attrs.has(type(thing)):
        return
    yield vars(thing)
    for name in dir(type(thing)):
        if not name.startswith("_") and isinstance(getattr(type(thing), name), property):
            part = getattr(thing, name)
            yield part
            if type(part).__module__.startswith("kellyapi.") and hasattr(part, "__dict__"):
                yield vars(part)


def test_no_repr_of_what_holds_a_key_shows_it() -> None:
    made = objects() | values()
    for name, thing in list(made.items()):
        if hasattr(thing, "with_options"):
            made[f"{name}, a sibling"] = thing.with_options(timeout=5, proxy=with_password(FAR))
    texts = [repr(part) for thing in made.values() for part in parts(thing)]
    assert len(texts) > 10 * len(ALL_PROVIDERS)
    assert [text for text in texts if tell(text)] == []


def test_each_public_class_that_takes_a_key_is_looked_at() -> None:
    takes = {"api_key", "bearer", "secrets", "keys"}
    found = set()
    for name in kellyapi.__all__:
        public = getattr(kellyapi, name)
        if isinstance(public, type):
            code = getattr(public.__init__, "__code__", None)
            if code and takes & set(code.co_varnames):
                found.add(name)
    assert found == {*objects(), "Sandbox"}


def test_a_sandbox_does_not_show_the_keys_it_accepts() -> None:
    assert tell(repr(Sandbox(keys=[KEY]))) == []


# -- logs --------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def everything(url: str, **options: Any) -> AsyncIterator[list[Callable[[], Awaitable[Any]]]]:
    """Give calls of all providers, and of each way of sending a key."""
    async with (
        Kelly(KEY, base_url=url, **options) as kelly,
        Khaya(KEY, base_url=url, **options) as khaya,
        Skytells(KEY, base_url=url, **options) as skytells,
        Aerostack(KEY, base_url=url, **options) as aerostack,
    ):
        yield [
            lambda: kelly.chat("hi"),
            lambda: khaya.translate("hi", "en-tw"),
            lambda: anext(khaya.synthesize_stream("hi", "twi")),
            lambda: skytells.predictions.get("a1"),
            lambda: skytells.predictions.wait("a1", timeout=1),
            lambda: anext(skytells.chat.stream("m", "hi")),
            lambda: aerostack.cache.get("a"),
            lambda: aerostack.gateway.chat("api", "hi", consumer=KEY),
            lambda: aerostack.storage.upload("a", b"RIFF"),
        ]


@pytest.mark.parametrize(
    "script",
    [OK, make_response(503, ECHO, X_Request_Id=KEY), cut(b"")],
)
@pytest.mark.parametrize("by_proxy", [False, True])
async def test_no_log_at_any_level_shows_a_key_or_a_password(
    script: Script, by_proxy: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("kellyapi", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    asyncio.get_running_loop().set_debug(True)
    async with Server(script) as server:
        options = {"proxy": with_password(server.url)} if by_proxy else {}
        async with everything(server.url, retry=AT_ONCE, **options) as calls:
            for call in calls:
                await asyncio.gather(call(), return_exceptions=True)
    assert [record for record in caplog.records if record.name.startswith("kellyapi.")]
    for record in caplog.records:
        assert tell(f"{record.getMessage()} {record.args!r} {vars(record)!r}") == []


async def test_a_receiver_logs_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    status, said = await WebhookReceiver(KEY).handle({"X-Skytells-Signature": KEY}, b"{}")
    assert (status, tell(repr(said))) == (401, [])
    assert caplog.records
    assert tell(caplog.text + repr([vars(record) for record in caplog.records])) == []


# -- other origins -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_consumers_key_does_not_follow_a_redirect_elsewhere(status: int) -> None:
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
        job = Prediction(id="a1", status="processing", urls=urls)
        one = skytells.predictions
        for call in (one.get(job), one.cancel(job), one.delete(job), one.stream_info(job), anext(one.follow(job))):
            await call
        assert (len(server.requests), other.connections) == (5, 0)


async def test_outputs_are_fetched_without_a_key(tmp_path: Path) -> None:
    async with Server(make_response(body=b"\x89PNG", kind="image/png")) as server:
        done = Prediction(id="a1", status="succeeded", output=[f"{server.url}/a.png"])
        async with KellyAPI(skytells=KEY, headers={"X-Mine": KEY}) as api:
            await api.skytells.predictions.download(done, tmp_path)
            await api.download(f"{server.url}/b.png", tmp_path / "b.png")
        assert len(server.requests) == 2
        assert tell(repr(server.requests)) == []


@pytest.mark.parametrize("address", [FAR, "http://10.0.0.1", "http://127.0.0.1.example", "http://localhost.example"])
@pytest.mark.parametrize("provider", ALL_PROVIDERS)
async def test_plain_http_is_refused_outside_of_this_machine_before_anything_is_sent(
    provider: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(OK) as proxy:  # which would be sent whatever is sent
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


# -- the command -------------------------------------------------------------------------------------------------------


COMMAND = "from kellyapi.cli.main import main; sys.exit(main())"
COMMANDS = (
    ("predictions", "list", "--json"), ("predictions", "cancel", "a1"), ("run", "m", "-i", "prompt=x"), ("unheard",)
)  # fmt: skip
SAYINGS: dict[str, Script] = {
    "the key in an error": make_response(401, ECHO, X_Request_Id=KEY),
    "the key in a page": make_response(200, f"<html>{KEY}".encode(), "text/html"),
    "nothing": cut(b""),
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkingPython]:
    with ForkingPython("import kellyapi.cli.main; kellyapi.KellyAPI('key')", tmp_path_factory.mktemp("python")) as one:
        yield one


@pytest.mark.parametrize("script", SAYINGS.values(), ids=SAYINGS)
async def test_the_command_shows_no_key_whatever_the_server_says(
    script: Script, python: ForkingPython, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(script) as server:
        for name in ("SKYTELLS", "KHAYA", "KELLYAI", "AEROSTACK"):
            monkeypatch.setenv(f"{name}_API_KEY", KEY)
        monkeypatch.setenv("SKYTELLS_BASE_URL", server.url)
        for words in COMMANDS:
            _, out, err = await asyncio.to_thread(python.execute, COMMAND, *words)
            said = out + err
            assert said
            assert tell(said) == []
        assert server.requests
