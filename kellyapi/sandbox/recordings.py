"""Record calls to a real provider in a folder, and replay them.

A recording is a JSON file with the request and the response. Of the headers of the request it has only `Content-Type`.
Keys, passwords and tokens are replaced by "***".
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web
from attrs import evolve, frozen

from kellyapi import (
    NO_RETRY,
    PROVIDERS,
    Aerostack,
    ConfigurationError,
    KellyAPIError,
    PreparedRequest,
    ProviderName,
    Response,
    Timeout,
)

from .._data.arguments import FilePath
from .._data.files import find_folder, save_file
from .._data.secret_names import SHORTEST_KEY, is_secret_field, is_secret_header, without_secret_parameters
from .frontend import ApiError, bearer_key

_JSON_FIELD = re.compile(rb'("([^"\\]{1,100})"\s*:\s*)("[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?\d[\d.eE+-]*)', re.DOTALL)
"""A field whose value is a string, or a number."""
_NEXT_NAME = re.compile(rb'\s{0,9},\s{0,99}"([^"\\]{1,100})"')
_TIMEOUT = Timeout(total=600)

RequestKey = tuple[str, str, str]
"""What tells a request from others: method, path with query, and body."""


class Tape(Protocol):
    """Responds to the requests of a sandbox that records or replays."""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Respond to a request."""

    async def start(self) -> None:
        """Prepare for requests."""

    def check_address(self, url: str) -> None:
        """Raise `ValueError` if requests would come back to the sandbox, which listens at this address."""

    async def close(self) -> None:
        """End the work."""


@frozen(kw_only=True)
class Recording:
    """One call: a request without its key, and the response."""

    method: str
    path: str
    """Path and query, as sent."""
    content_type: str
    body: bytes
    status: int
    headers: Mapping[str, str]
    response: bytes

    @property
    def key(self) -> RequestKey:
        """The `request_key` of the requests that get this response."""
        return request_key(self.method, self.path, self.content_type, self.body)


class _GatewayConsumer(Aerostack):
    """A client with the key of a consumer of the gateway, which is sent in another header than that of a project."""

    PROVIDER = evolve(PROVIDERS["aerostack"].PROVIDER, key_header="Authorization", key_prefix="Bearer ")


class Recorder:
    """Passes requests on to a provider, and records them with their responses.

    Args:
        folder: The folder of the recordings. It is created if it does not exist.
        upstream: The provider. Its key and address are those of the environment.
        base_path: The path of the provider's base URL in the sandbox.
    """

    def __init__(self, folder: Path, upstream: ProviderName, base_path: str) -> None:
        self._folder, self._base_path = folder, base_path
        self._client = PROVIDERS[upstream](retry=NO_RETRY, timeout=_TIMEOUT)
        self._consumers = _GatewayConsumer(retry=NO_RETRY, timeout=_TIMEOUT)
        self._upstream = upstream
        self._numbers: Iterator[int] = count(1)

    async def start(self) -> None:
        """Make the folder, and find the number of the next recording.

        Raises:
            ValueError: If the provider has no key.
        """
        if not self._client.configured:
            variables = self._client.PROVIDER.variables
            raise ValueError(f"recording {self._upstream} needs its key: set {variables}_API_KEY")
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        names = await asyncio.to_thread(lambda: [path.name for path in self._folder.glob("*.json")])
        numbers = [int(found[0]) for name in names if (found := re.match("[0-9]+(?=-)", name))]
        self._numbers = count(1 + max(numbers, default=0))

    def check_address(self, url: str) -> None:
        """Raise `ValueError` if the address of the provider is that of the sandbox."""
        if self._client.base_url.startswith(url):
            variables = self._client.PROVIDER.variables
            raise ValueError(f"{variables}_BASE_URL is the sandbox itself: unset it where the sandbox is started")

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Pass a request on, and record it."""
        number, body = next(self._numbers), await request.read()
        found = await self._pass_on(request, body)
        kept = {name: value for name, value in found.headers.items() if _is_kept(name)}
        kind = request.headers.get("Content-Type", "")
        keys = [*_secret_headers(request), self._client.api_key]
        recording = Recording(
            method=request.method,
            path=_shown_path(request, keys),
            content_type=kind,
            body=without_secrets(body, keys),
            status=found.status,
            headers={name: without_secrets(value.encode(), keys).decode() for name, value in kept.items()},
            response=without_secrets(found.body, keys),
        )
        name = re.sub(r"[^\w.-]+", "-", recording.path.partition("?")[0], flags=re.ASCII).strip("-.")[:80]
        file = self._folder / f"{number:04}-{request.method}-{name}.json"
        await save_file(str(file), json.dumps(_to_json(recording), ensure_ascii=False, indent=2) + "\n")
        return web.Response(status=found.status, headers=kept, body=found.body)

    async def _pass_on(self, request: web.Request, body: bytes) -> Response:
        """Send a request to the provider with its own key, and return the response, also that of an error."""
        responses: list[Response] = []

        def keep(request: PreparedRequest, response: Response) -> None:
            responses.append(response)

        names = ("Content-Type", "Accept")
        headers = {name: request.headers[name] for name in names if name in request.headers}
        client, path = self._client_for(request)
        client = client.with_options(on_response=keep)
        try:
            found: Response = await client.request(
                request.method, path, data=body or None, headers=headers, into=Response
            )
        except ConfigurationError as error:
            raise ApiError(500, "INTERNAL_ERROR", f"The request cannot be passed on: {error.message}") from None
        except KellyAPIError as error:
            if not responses or not responses[-1].status:
                message = f"{self._upstream} did not respond: {error.code}"
                raise ApiError(502, "SERVICE_UNAVAILABLE", message) from None
            found = responses[-1]
        except ValueError as error:
            raise ApiError(400, "VALIDATION_ERROR", str(error)) from None
        return found

    def _client_for(self, request: web.Request) -> tuple[Any, str]:
        """Return the client that sends a request, and the path of the request below its address.

        The consumers of Aerostack's gateway have keys of their own, and some of its paths are not below `/v1`.
        """
        client: Any = self._client
        base_path = self._base_path
        if self._upstream == "aerostack":
            if Aerostack.PROVIDER.key_header not in request.headers and (consumer := bearer_key(request)):
                client = self._consumers.with_access(api_key=consumer)
            if not request.raw_path.startswith(f"{base_path}/"):
                base_path = base_path.removesuffix("/v1")
                client = client.with_access(base_url=client.base_url.removesuffix("/v1"))
        return client, request.raw_path.removeprefix(base_path)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._client.close()
        await self._consumers.close()


class Player:
    """Replays recordings. Equal requests get their responses in the order of recording, and then the last one again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: dict[RequestKey, list[Recording]] = {}

    async def start(self) -> None:
        """Read the recordings.

        Raises:
            ValueError: If there are none, or one cannot be read.
        """
        self._waiting = await asyncio.to_thread(_read_folder, self._folder)

    def check_address(self, url: str) -> None:
        """Do nothing: no request is passed on."""

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """Respond as the provider did to an equal request."""
        keys = _secret_headers(request)
        path = _shown_path(request, keys)
        body = without_secrets(await request.read(), keys)
        waiting = self._waiting.get(request_key(request.method, path, request.headers.get("Content-Type", ""), body))
        if not waiting:
            raise ApiError(404, "NOT_RECORDED", f"Nothing was recorded for this {request.method} {request.path}.")
        recording = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return web.Response(status=recording.status, headers=recording.headers, body=recording.response)

    async def close(self) -> None:
        """Do nothing."""


def tape_factory(
    record: FilePath | None, upstream: ProviderName | None, replay: FilePath | None, base_paths: Mapping[str, str]
) -> Callable[[], Tape] | None:
    """Return a function that makes the recorder or the player; `None` if the sandbox responds by itself.

    Raises:
        ValueError: The arguments do not fit together.
    """
    if (record is None) != (upstream is None):
        raise ValueError("record and upstream belong together: the folder, and the provider that is recorded")
    if record is not None and replay is not None:
        raise ValueError("record and replay cannot be used together")
    if replay is not None:
        return partial(Player, find_folder(replay))
    if record is None or upstream is None:
        return None
    return partial(Recorder, find_folder(record), upstream, base_paths[upstream])


def request_key(method: str, path: str, content_type: str, body: bytes) -> RequestKey:
    """Return what equal requests have in common: the order of JSON fields and the boundary of a form do not count."""
    try:
        return method, path, json.dumps(json.loads(body), sort_keys=True)
    except (ValueError, RecursionError):
        boundary = re.search(r'boundary="?([^";]+)', content_type)
        return method, path, (body.replace(boundary[1].encode(), b"boundary") if boundary else body).decode("latin-1")


def without_secrets(data: bytes, values: Iterable[object]) -> bytes:
    """Replace keys, and the values of JSON fields such as "password", by "***".

    Args:
        data: A body, a path or a header.
        values: The keys, alone or behind "Bearer ".
    """
    for value in values:
        key = value.rpartition(" ")[2] if isinstance(value, str) else ""
        if len(key) >= SHORTEST_KEY:
            data = data.replace(key.encode(errors="replace"), b"***")
    return _JSON_FIELD.sub(_hide_secret_value, data)


def _shown_path(request: web.Request, keys: Iterable[object]) -> str:
    return without_secret_parameters(without_secrets(request.raw_path.encode(), keys).decode())


def _hide_secret_value(field: re.Match[bytes]) -> bytes:
    following = _NEXT_NAME.match(field.string, field.end())
    others = [following[1].decode("latin-1")] if following else []
    return field[1] + b'"***"' if is_secret_field(field[2].decode("latin-1"), others) else field[0]


def _is_kept(name: str) -> bool:
    """Return whether a header of a response is recorded."""
    lower = name.lower()
    return lower in ("content-type", "retry-after") or (lower.startswith("x-") and not is_secret_header(name))


def _secret_headers(request: web.Request) -> list[str]:
    return [value for name, value in request.headers.items() if is_secret_header(name)]


def _read_folder(folder: Path) -> dict[RequestKey, list[Recording]]:
    found = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        try:
            recording = _from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError):
            raise ValueError(f"{path} is not a recording") from None
        found[recording.key].append(recording)
    if not found:
        raise ValueError(f"{folder} has no recordings")
    return found


def _to_json(recording: Recording) -> dict[str, Any]:
    request = {"method": recording.method, "path": recording.path, "content_type": recording.content_type}
    response = {"status": recording.status, "headers": dict(recording.headers)}
    return {
        "request": request | _body_to_json(recording.body),
        "response": response | _body_to_json(recording.response),
    }


def _from_json(value: Any) -> Recording:
    request, response = value["request"], value["response"]
    return Recording(
        method=request["method"],
        path=request["path"],
        content_type=request["content_type"],
        body=_body_from_json(request),
        status=int(response["status"]),
        headers={str(name): str(each) for name, each in response["headers"].items()},
        response=_body_from_json(response),
    )


def _body_to_json(body: bytes) -> dict[str, str]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _body_from_json(value: Mapping[str, Any]) -> bytes:
    text: str | None = value.get("text")
    return base64.b64decode(value["base64"], validate=True) if text is None else text.encode()
