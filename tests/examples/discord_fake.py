"""A fake of Discord's REST API and gateway on loopback, with the parts that a bot with slash commands needs.

The objects that it sends are in discord_payloads.py. Both follow version 10 of https://discord.com/developers/docs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Self

from aiohttp import WSCloseCode, WSMsgType, web
from attrs import field, frozen

from . import discord_payloads as payloads

TOKEN = "a-token-of-the-fake"
MAX_CONTENT = 2000
EPHEMERAL = 1 << 6
_HEARTBEAT_SECONDS = 41.25
_DISPATCH, _HEARTBEAT, _IDENTIFY, _HELLO, _HEARTBEAT_ACK = 0, 1, 2, 10, 11  # operations of the gateway
_MESSAGE, _DEFERRED = 4, 5  # types of an interaction's callback
_AUTHENTICATION_FAILED = 4004


@frozen
class Reply:
    """A reply that the user of a command sees."""

    content: str | None = None
    deferred: bool = False
    """Whether Discord only shows that the bot is thinking."""
    ephemeral: bool = False
    files: Mapping[str, bytes] = field(factory=dict, repr=lambda files: str(list(files)))
    attachments: tuple[Mapping[str, Any], ...] = ()
    mentions: tuple[str, ...] | None = None
    """The kinds of mentions that may ping: "users", "roles", "everyone"; with `None` all of them do."""


@frozen
class Interaction:
    """A command that a user has sent."""

    number: str
    replies: asyncio.Queue[Reply] = field(factory=asyncio.Queue, repr=False)
    acknowledged: asyncio.Event = field(factory=asyncio.Event, repr=False)

    async def next(self) -> Reply:
        """Wait for the next reply."""
        async with asyncio.timeout(60):
            return await self.replies.get()


class ApiError(Exception):
    """An error response of Discord: status, code and message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class DiscordFake:
    """`async with DiscordFake() as discord`: `command` sends a command of a user."""

    def __init__(self) -> None:
        self.url = ""
        self.commands: dict[str, dict[str, Any]] = {}
        """Commands that the bot has registered, by name."""
        self.identified: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        """The "identify" data of each gateway session."""
        self.compression: str | None = None
        """The compression that the last gateway connection asked for."""
        self.heartbeats = 0
        self.close_codes: asyncio.Queue[int | None] = asyncio.Queue()
        """The codes with which the bot closed its gateway connections."""
        self._ids = count(10_000)
        self._interactions: dict[str, Interaction] = {}
        self._send: Callable[[dict[str, Any]], Any] | None = None
        self._sequence = count(1)
        app = web.Application(client_max_size=payloads.MAX_UPLOAD)
        app.router.add_get("/gateway/", self._gateway)
        for method, path, handler in (
            ("GET", "/users/@me", self._me),
            ("GET", "/oauth2/applications/@me", self._application),
            ("PUT", "/applications/{application}/commands", self._register),
        ):
            app.router.add_route(method, f"/api/v10{path}", _in_discords_words(_for_the_bot(handler)))
        for method, path, handler in (
            ("POST", "/interactions/{id}/{token}/callback", self._acknowledge),
            ("PATCH", "/webhooks/{application}/{token}/messages/@original", self._edit),
        ):
            app.router.add_route(method, f"/api/v10{path}", _in_discords_words(handler))
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/v10"

    @property
    def gateway_url(self) -> str:
        return f"{self.url.replace('http', 'ws', 1)}/gateway/"

    async def online(self) -> dict[str, Any]:
        """Wait until the bot is online; return its "identify" data."""
        async with asyncio.timeout(60):
            return await self.identified.get()

    async def left(self) -> int | None:
        """Wait until the bot has closed its gateway connection; return the close code."""
        async with asyncio.timeout(60):
            return await self.close_codes.get()

    @property
    def connections(self) -> int:
        server = self._runner.server
        return len(server.connections) if server else 0

    # -- for tests: what users do --------------------------------------------------------------------------------------

    async def command(self, name: str, user: int = 1, **options: str) -> Interaction:
        """Send a command of a user. Like Discord's clients, check the options first."""
        command = self.commands[name]
        for option in command["options"]:
            _check(option, options.get(option["name"]))
        number = str(next(self._ids))
        token = f"token-{number}"
        interaction = self._interactions[token] = Interaction(number)
        event = payloads.interaction(number, token, user, command, options)
        assert self._send is not None
        await self._send({"op": _DISPATCH, "t": "INTERACTION_CREATE", "s": next(self._sequence), "d": event})
        return interaction

    # -- gateway -------------------------------------------------------------------------------------------------------

    async def _gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.compression = request.query.get("compress")
        compress = payloads.COMPRESSIONS[self.compression]()

        async def send(payload: dict[str, Any]) -> None:
            text = json.dumps(payload)
            await (socket.send_bytes(compress(text.encode())) if compress else socket.send_str(text))

        await send({"op": _HELLO, "d": {"heartbeat_interval": round(_HEARTBEAT_SECONDS * 1000)}})
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            payload_received = json.loads(message.data)
            if payload_received["op"] == _HEARTBEAT:
                self.heartbeats += 1
                await send({"op": _HEARTBEAT_ACK})
            elif payload_received["op"] == _IDENTIFY:
                if payload_received["d"]["token"] != TOKEN:
                    await socket.close(code=_AUTHENTICATION_FAILED, message=b"Authentication failed.")
                    break
                self._send = send
                await send(
                    {"op": _DISPATCH, "t": "READY", "s": next(self._sequence), "d": payloads.ready(self.gateway_url)}
                )
                self.identified.put_nowait(payload_received["d"])
            else:
                await socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
        self._send = None
        self.close_codes.put_nowait(socket.close_code)
        return socket

    # -- REST ----------------------------------------------------------------------------------------------------------

    async def _me(self, _: web.Request) -> dict[str, Any]:
        return payloads.BOT

    async def _application(self, _: web.Request) -> dict[str, Any]:
        return payloads.application()

    async def _register(self, request: web.Request) -> list[dict[str, Any]]:
        registered = [payloads.registered(each, str(next(self._ids))) for each in await request.json()]
        self.commands = {each["name"]: each for each in registered}
        return registered

    async def _acknowledge(self, request: web.Request) -> dict[str, Any] | None:
        interaction = self._interactions.get(request.match_info["token"])
        if interaction is None or request.match_info["id"] != interaction.number:
            raise ApiError(404, 10062, "Unknown interaction")
        if interaction.acknowledged.is_set():
            raise ApiError(400, 40060, "Interaction has already been acknowledged.")
        callback = await request.json()
        data = callback.get("data") or {}
        ephemeral = bool(data.get("flags", 0) & EPHEMERAL)
        if callback["type"] not in (_MESSAGE, _DEFERRED):
            raise ApiError(400, 50035, "Invalid Form Body")
        if callback["type"] == _MESSAGE:
            _check_content(data)
        interaction.acknowledged.set()
        deferred = callback["type"] == _DEFERRED
        interaction.replies.put_nowait(Reply(data.get("content"), deferred, ephemeral, mentions=_mentions(data)))
        if request.query.get("with_response") not in ("1", "true"):
            return None
        about = {"id": interaction.number, "type": payloads.SLASH_COMMAND, "response_message_id": str(next(self._ids))}
        return {"interaction": {**about, "response_message_loading": deferred, "response_message_ephemeral": ephemeral}}

    async def _edit(self, request: web.Request) -> dict[str, Any]:
        interaction = self._interactions.get(request.match_info["token"])
        if interaction is None or not interaction.acknowledged.is_set():
            raise ApiError(404, 10015, "Unknown Webhook")
        files: dict[str, bytes] = {}
        if request.content_type == "multipart/form-data":
            form = await request.post()
            data = json.loads(str(form["payload_json"]))
            for attachment in data.get("attachments", []):
                upload = form[f"files[{attachment['id']}]"]
                assert isinstance(upload, web.FileField)
                with upload.file as file:
                    files[upload.filename] = file.read()
        else:
            data = await request.json()
        _check_content(data, empty=bool(files))
        attachments = tuple(data.get("attachments", []))
        mentions = _mentions(data)
        interaction.replies.put_nowait(
            Reply(data.get("content"), files=files, attachments=attachments, mentions=mentions)
        )
        return payloads.message(data, files, str(next(self._ids)), self.url)


Handler = Callable[[web.Request], Any]


def _in_discords_words(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = await handler(request)
        except ApiError as error:
            return _json({"code": error.code, "message": str(error)}, error.status)
        return web.Response(status=204) if body is None else _json(body)

    return handle


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")  # no charset


def _for_the_bot(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> Any:
        if request.headers.get("Authorization") != f"Bot {TOKEN}":
            raise ApiError(401, 0, "401: Unauthorized")
        return await handler(request)

    return handle


def _check(option: Mapping[str, Any], value: str | None) -> None:
    choices = [choice["value"] for choice in option.get("choices", [])]
    if value is None:
        assert not option.get("required"), f"{option['name']} is required"
        return
    assert not choices or value in choices, f"{option['name']} is one of {choices}"
    assert option.get("min_length", 0) <= len(value) <= option.get("max_length", 6000), f"length of {option['name']}"


def _check_content(data: Mapping[str, Any], *, empty: bool = False) -> None:
    content = data.get("content") or ""
    if not content and not empty:
        raise ApiError(400, 50006, "Cannot send an empty message")
    if len(content) > MAX_CONTENT:
        raise ApiError(400, 50035, "Invalid Form Body")


def _mentions(data: Mapping[str, Any]) -> tuple[str, ...] | None:
    return tuple(data["allowed_mentions"]["parse"]) if "allowed_mentions" in data else None
