"""Call the providers, and compare their responses with what the library reads and the sandbox sends."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from attrs import frozen

from kellyapi import (
    NO_RETRY,
    PROVIDERS,
    AuthenticationError,
    ConfigurationError,
    DecodingError,
    KellyAPI,
    KellyAPIError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    PredictionPage,
    PreparedRequest,
    RateLimitError,
    RequestTimeoutError,
    Response,
    SkytellsModel,
    TransportError,
)

from .findings import Finding, State
from .machine import silence
from .shapes import (
    Difference,
    JSONShape,
    compare,
    merge,
    places,
    shape_of_json,
    shape_of_type,
    with_anything,
    with_keyed,
)

_REPORT = "attach the output of this command with --json to an issue of kellyapi; .raw of a result has the whole value"
_NOT_JSON = "check the address, and whether a proxy or a login page of the network responds in place of the provider"
_LEFT_OUT = re.compile(r"see its \.raw: (\$\S*): (expected [a-z]+(?: [a-z]+)*)")
_NEEDED = re.compile(r"\$[^\s:]*(?=: (?:missing|expected))")
_STATES: dict[str, State] = {"type": "problem", "missing": "warning", "unknown": "note"}
_ORDER: tuple[State, ...] = ("problem", "warning", "note")


@frozen(kw_only=True)
class LiveCall:
    """A call of `--live` or `--spend`."""

    provider: str
    name: str
    send: Callable[[Any], Awaitable[object]]
    """Calls the operation of a client."""
    reads: Any = None
    """The type that the response is read into, if it is public."""
    keyed: Sequence[str] = ()
    """Paths of objects whose fields are data, such as the codes of languages."""
    anything: Sequence[str] = ()
    """Paths of values that users choose."""
    untouched: bool = False
    """Whether the library returns the response as it is."""
    units: str | None = None
    """What is billed: "1 image"; `None` for a free call."""


async def _first_model(client: Any) -> object:
    models = await client.models.list()
    return await client.models.get(models[0].namespace) if models else None


FREE_CALLS = (
    *(
        LiveCall(
            provider="kelly",
            name=f'models("{kind}")',
            send=lambda client, kind=kind: client.models(kind),  # type: ignore[misc]  # a default binds the variable
            untouched=True,
        )
        for kind in ("sd", "sdxl", "chat", "voice")
    ),
    *(
        LiveCall(
            provider="khaya",
            name=f'languages("{service}")',
            send=lambda client, service=service: client.languages(service),  # type: ignore[misc]
            keyed=keyed,
        )
        for service, keyed in (("translation", ["$.languages"]), ("transcription", []), ("synthesis", ["$.languages"]))
    ),
    LiveCall(provider="khaya", name="voices", send=lambda client: client.voices(), keyed=["$.speakers"]),
    LiveCall(
        provider="skytells",
        name="models.list",
        send=lambda client: client.models.list(),
        reads=tuple[SkytellsModel, ...],
    ),
    LiveCall(provider="skytells", name="models.get", send=_first_model, reads=SkytellsModel),
    LiveCall(
        provider="skytells",
        name="predictions.list",
        send=lambda client: client.predictions.list(per_page=5),
        reads=PredictionPage,
    ),
    LiveCall(provider="aerostack", name="search.types", send=lambda client: client.search.types()),
    LiveCall(provider="aerostack", name="search.count", send=lambda client: client.search.count()),
    LiveCall(
        provider="aerostack",
        name="cache.get",
        send=lambda client: client.cache.get("kellyapi-doctor"),
        anything=["$.value"],
    ),
    LiveCall(provider="aerostack", name="cache.list", send=lambda client: client.cache.list(limit=1)),
    LiveCall(
        provider="aerostack",
        name="queue.jobs",
        send=lambda client: client.queue.jobs(limit=5),
        anything=["$.jobs[].data"],
    ),
    LiveCall(provider="aerostack", name="storage.list", send=lambda client: client.storage.list(limit=1)),
    LiveCall(provider="aerostack", name="storage.exists", send=lambda client: client.storage.exists("kellyapi-doctor")),
)
BILLED_CALLS = (
    LiveCall(provider="kelly", name="chat", send=lambda client: client.chat("Hi"), units="1 message"),
    LiveCall(
        provider="kelly",
        name="generate_image",
        send=lambda client: client.generate_image("a fox", width=64, height=64),
        units="1 image of 64 × 64 pixels",
    ),
    LiveCall(provider="kelly", name="synthesize", send=lambda client: client.synthesize("Hi"), units="2 characters"),
    LiveCall(
        provider="kelly", name="transcribe", send=lambda client: client.transcribe(silence()), units="0.5 s of audio"
    ),
    LiveCall(
        provider="khaya", name="translate", send=lambda client: client.translate("Hi", "en-tw"), units="2 characters"
    ),
    LiveCall(
        provider="khaya", name="synthesize", send=lambda client: client.synthesize("Hi", "eng"), units="2 characters"
    ),
    LiveCall(
        provider="khaya",
        name="transcribe",
        send=lambda client: client.transcribe(silence(), "eng"),
        units="0.5 s of audio",
    ),
    LiveCall(
        provider="skytells",
        name="chat.create",
        send=lambda client: client.chat.create("deepbrain-router", "Hi", max_tokens=16),
        units="about 20 tokens",
    ),
    LiveCall(
        provider="skytells",
        name="generate_image",
        send=lambda client: client.generate_image("a fox", input={"width": 256, "height": 256}),
        units="1 image of 256 × 256 pixels",
    ),
    LiveCall(
        provider="aerostack",
        name="ai.chat",
        send=lambda client: client.ai.chat("Hi", max_tokens=16),
        units="about 20 tokens",
    ),
)


def billed_calls(clients: Mapping[str, Any]) -> list[LiveCall]:
    """Return the billed calls of the providers that have a key."""
    return [call for call in BILLED_CALLS if call.provider in clients and clients[call.provider].configured]


@frozen
class _Outcome:
    """The outcome of one call."""

    shape: JSONShape | None = None
    """Of the last response that was JSON."""
    error: KellyAPIError | None = None
    left_out: tuple[str, ...] = ()
    """Fields that the library left out of the result."""


async def check_live(
    clients: Mapping[str, Any], seconds: float, *, spend: bool, sandboxed: bool = False
) -> list[Finding]:
    """Send the free calls, and with `spend` the billed ones, to each provider that has a key.

    Args:
        clients: The clients, by the names of their providers.
        seconds: How long a free call may take. A billed one may take ten times as long.
        spend: Whether to send the billed calls too.
        sandboxed: Whether the clients are those of a sandbox, whose data may be changed.
    """
    calls = [call for call in FREE_CALLS if call.provider in clients and clients[call.provider].configured]
    calls += billed_calls(clients) if spend else []
    if not calls:
        remedy = "set a key, or use --sandbox"
        return [Finding(check="live", state="note", message="no provider has a key: nothing was sent", remedy=remedy)]
    async with KellyAPI.sandbox() as sandbox:
        await _fill({name: getattr(sandbox, name) for name in PROVIDERS})
        if sandboxed:
            await _fill(clients)
        expected = await asyncio.gather(*(_send(getattr(sandbox, call.provider), call, 60) for call in calls))
        found = await asyncio.gather(
            *(_send(clients[call.provider], call, seconds * (10 if call.units else 1)) for call in calls)
        )
    return [live_finding(*each) for each in zip(calls, found, expected, strict=True)]


async def _fill(clients: Mapping[str, Any]) -> None:
    """Give each list of a sandbox an item, so that its shape is known."""
    if "skytells" in clients:
        await clients["skytells"].predictions.create("truefusion-edge", {"prompt": "a fox", "width": 64, "height": 64})
    if "aerostack" in clients:
        aerostack = clients["aerostack"]
        await aerostack.cache.set("kellyapi-doctor", "here")
        await aerostack.queue.enqueue("kellyapi-doctor", {})
        await aerostack.storage.upload("kellyapi-doctor", b"here", content_type="text/plain")
        await aerostack.search.ingest("here", "kellyapi-doctor")


async def _send(client: Any, call: LiveCall, seconds: float) -> _Outcome:
    bodies: list[bytes] = []
    listener = _Listener()
    logger = logging.Logger("kellyapi.doctor")  # without a parent: it shows nothing
    logger.addHandler(listener)

    def keep(request: PreparedRequest, response: Response) -> None:
        if response.status < 300:
            bodies.append(response.body)

    error = None
    try:
        await call.send(client.with_options(timeout=seconds, retry=NO_RETRY, on_response=keep, logger=logger))
    except KellyAPIError as raised:
        error = raised
    shape = await asyncio.to_thread(_read_last_shape, bodies)
    return _Outcome(shape, error, tuple(dict.fromkeys(listener.left_out)))


def _read_last_shape(bodies: Sequence[bytes]) -> JSONShape | None:
    for body in reversed(bodies):
        try:
            return shape_of_json(json.loads(body.decode("utf-8-sig")))
        except (ValueError, RecursionError):
            continue
    return None


class _Listener(logging.Handler):
    """Keeps the paths of the fields that the library left out of results."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if found := _LEFT_OUT.search(record.getMessage()):
            self.left_out.append(f"{_safe_path(found[1])}: {found[2]}")


def live_finding(call: LiveCall, found: _Outcome, expected: _Outcome) -> Finding:
    """Compare a response with what the library reads and the sandbox sends."""
    if found.error is not None and not isinstance(found.error, DecodingError):
        return _error_finding(call, found.error)
    if isinstance(found.error, DecodingError) and found.shape is None:
        return _finding(call, "problem", "the response is not JSON", _NOT_JSON)
    differences = _differences(call, found.shape, expected.shape)
    lost = [f"{each}; the library leaves it out of the result" for each in found.left_out]
    details = (*lost, *(str(each) for each in differences))
    if isinstance(found.error, DecodingError):
        place = _NEEDED.search(found.error.message)
        message = "the library cannot read the response" + (f": {_safe_path(place[0])}" if place else "")
        return _finding(call, "problem", message, _REPORT, details)
    if not details:
        return _finding(call, "ok", "responds as expected")
    states = {_STATES[each.kind] for each in differences} | ({"problem"} if lost else set())
    state: State = "note" if call.untouched else next(each for each in _ORDER if each in states)
    count = f"{len(details)} difference{'s' * (len(details) > 1)}"
    return _finding(call, state, f"{count} from the expected response", None if state == "note" else _REPORT, details)


def _differences(call: LiveCall, found: JSONShape | None, expected: JSONShape | None) -> list[Difference]:
    """Return the differences. A missing field counts if the sandbox sends it; an unknown one is new to both."""
    if found is None or expected is None:
        return []
    expected, found = (with_anything(with_keyed(each, call.keyed), call.anything) for each in (expected, found))
    known = merge(expected, shape_of_type(call.reads)) if call.reads is not None else expected
    seen = frozenset(places(expected))
    return [each for each in compare(known, found) if each.kind != "missing" or each.path in seen]


def _error_finding(call: LiveCall, error: KellyAPIError) -> Finding:
    variables = PROVIDERS[call.provider].PROVIDER.variables
    code = f", {error.code}" if re.fullmatch(r"[A-Z_]{1,60}", error.code) else ""
    match error:
        case AuthenticationError() | PermissionDeniedError():
            remedy = f"check that {variables}_API_KEY is the key of this provider, and that it is still valid"
            return _finding(call, "problem", f"the key is refused ({error.status})", remedy)
        case ConfigurationError():
            return _finding(call, "problem", error.message, f"correct {variables}_API_KEY and {variables}_BASE_URL")
        case PaymentRequiredError():
            return _finding(call, "problem", "no credits are left (402)", "buy credits at the provider")
        case RateLimitError():
            return _finding(call, "warning", "too many requests (429)", "wait, and run this command again")
        case NotFoundError():
            return _finding(call, "problem", f"the provider does not know this address (404{code})", _REPORT)
        case RequestTimeoutError():
            return _finding(call, "problem", "no response in time", "allow more with --timeout SECONDS")
        case TransportError():
            return _finding(call, "problem", "no complete response", "see the findings about the connection")
    return _finding(call, "problem", f"failed with status {error.status}{code}", "try again, or contact the provider")


def _finding(
    call: LiveCall, state: State, message: str, remedy: str | None = None, details: Sequence[str] = ()
) -> Finding:
    return Finding(
        check=call.name, provider=call.provider, state=state, message=message, remedy=remedy, details=tuple(details)
    )


def _safe_path(path: str) -> str:
    """Replace the keys of mappings in a path of the library, which are data, and the numbers of items."""
    return re.sub(r"\[\d+\]", "[]", re.sub(r"\[(['\"]).*?\1\]", ".…", path))
