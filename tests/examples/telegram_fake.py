"""A fake of Telegram's Bot API on loopback, with the methods that a bot for texts and voice messages needs.

Its responses and errors are those of https://core.telegram.org/bots/api.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Self

from aiohttp import web
from attrs import field, frozen

TOKEN = "42:a-token-of-the-fake"
MAX_TEXT = 4096
MAX_UPLOAD = 50 * 10**6
ACTIONS = {"typing", "upload_photo", "record_voice", "upload_voice", "upload_document"}


@frozen
class SentMessage:
    """A message that the bot sent."""

    method: str
    fields: Mapping[str, str]
    file: bytes | None = field(default=None, repr=False)
    file_name: str | None = None

    @property
    def text(self) -> str:
        return self.fields["text"]


class ApiError(Exception):
    """An error response of the Bot API."""

    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status


class TelegramFake:
    """`async with TelegramFake() as telegram`: `write` and `speak` send messages to the bot, `hear` waits for one."""

    def __init__(self) -> None:
        self.url = ""
        self.actions: list[tuple[int, str]] = []
        """Chats and the actions that were shown in them, such as "record_voice"."""
        self.ids = count(1)
        self._said = asyncio.Queue[SentMessage]()
        self._updates: dict[int, dict[str, Any]] = {}
        self._news = asyncio.Event()
        self._files: dict[str, bytes] = {}
        self._messages: set[tuple[int, int]] = set()
        app = web.Application(client_max_size=MAX_UPLOAD)
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._download)
        # A long poll must end with its connection, or the bot's last poll would delay the end of the server.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    # -- for tests: what users do --------------------------------------------------------------------------------------

    def write(self, text: str, user: int = 1) -> int:
        """Send a text of a user to the bot; return the id of the message."""
        entities = [{"type": "bot_command", "offset": 0, "length": len(text.split()[0])}] if text[0] == "/" else []
        return self._arrive(user, text=text, entities=entities)

    def speak(self, audio: bytes, user: int = 1, seconds: int = 3) -> int:
        """Send a voice message of a user to the bot. On Telegram it is Opus in Ogg."""
        name = f"voice/file_{len(self._files)}.oga"
        self._files[name] = audio
        size = len(audio)
        voice = {"file_id": name, "file_unique_id": name, "duration": seconds, "mime_type": "audio/ogg"}
        return self._arrive(user, voice={**voice, "file_size": size})

    async def hear(self) -> SentMessage:
        """Wait for the next message of the bot."""
        async with asyncio.timeout(60):
            return await self._said.get()

    @property
    def connections(self) -> int:
        server = self._runner.server
        return len(server.connections) if server else 0

    # -- methods of the Bot API ----------------------------------------------------------------------------------------

    async def _call(self, request: web.Request) -> web.Response:
        try:
            if request.match_info["token"] != TOKEN:
                raise ApiError(401, "Unauthorized")
            method = request.match_info["method"]
            if method not in METHODS:
                raise ApiError(404, "Not Found")
            return web.json_response({"ok": True, "result": await METHODS[method](self, await request.post())})
        except ApiError as error:
            body = {"ok": False, "error_code": error.status, "description": str(error)}
            return web.json_response(body, status=error.status)

    async def _download(self, request: web.Request) -> web.Response:
        if request.match_info["token"] != TOKEN or request.match_info["path"] not in self._files:
            raise web.HTTPNotFound
        return web.Response(body=self._files[request.match_info["path"]])

    async def _get_me(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"id": 42, "is_bot": True, "first_name": "Interpreter", "username": "interpreter_bot"}

    async def _get_updates(self, form: Mapping[str, Any]) -> list[dict[str, Any]]:
        offset = int(form.get("offset", 0))
        for number in [number for number in self._updates if number < offset]:
            del self._updates[number]
        if not self._updates:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(int(form.get("timeout", 0))):
                    await self._news.wait()
        return list(self._updates.values())

    async def _get_file(self, form: Mapping[str, Any]) -> dict[str, Any]:
        name = form["file_id"]
        if name not in self._files:
            raise ApiError(400, "Bad Request: invalid file_id")
        return {"file_id": name, "file_unique_id": name, "file_size": len(self._files[name]), "file_path": name}

    async def _show_action(self, form: Mapping[str, Any]) -> bool:
        if form.get("action") not in ACTIONS:
            raise ApiError(400, "Bad Request: wrong parameter action in request")
        self.actions.append((self._chat(form), form["action"]))
        return True

    async def _send_text(self, form: Mapping[str, Any]) -> dict[str, Any]:
        text = form.get("text", "").strip()
        if not text:
            raise ApiError(400, "Bad Request: message text is empty")
        if len(text) > MAX_TEXT:
            raise ApiError(400, "Bad Request: message is too long")
        return self._send(SentMessage("sendMessage", dict(form)), text=text)

    async def _send_voice(self, form: Mapping[str, Any]) -> dict[str, Any]:
        reference = str(form.get("voice", ""))
        upload = form.get(reference.removeprefix("attach://"))
        if not reference.startswith("attach://") or not isinstance(upload, web.FileField):
            raise ApiError(400, "Bad Request: there is no voice in the request")
        fields = {name: value for name, value in form.items() if isinstance(value, str)}
        with upload.file as file:
            sent = SentMessage("sendVoice", fields, file.read(), upload.filename)
        voice = {"file_id": "sent", "file_unique_id": "sent", "duration": 1}
        return self._send(sent, voice=voice)

    def _arrive(self, user: int, **content: Any) -> int:
        message = self._message(user, **content)
        message["from"] = {"id": user, "is_bot": False, "first_name": f"User {user}"}
        number = next(self.ids)
        self._updates[number] = {"update_id": number, "message": message}
        self._news.set()
        return int(message["message_id"])

    def _send(self, sent: SentMessage, **content: Any) -> dict[str, Any]:
        message = self._message(self._chat(sent.fields), **content)
        self._said.put_nowait(sent)
        return message

    def _message(self, chat: int, **content: Any) -> dict[str, Any]:
        number = next(self.ids)
        self._messages.add((chat, number))
        about = {"id": chat, "type": "private", "first_name": f"User {chat}"}
        return {"message_id": number, "date": int(time.time()), "chat": about, **content}

    def _chat(self, form: Mapping[str, Any]) -> int:
        """Return the chat of a request. It must have a message already."""
        known_chats: Iterator[int] = (chat for chat, _ in self._messages)
        if int(form.get("chat_id", 0)) not in known_chats:
            raise ApiError(400, "Bad Request: chat not found")
        return int(form["chat_id"])


METHODS: Mapping[str, Callable[[TelegramFake, Mapping[str, Any]], Awaitable[Any]]] = {
    "getMe": TelegramFake._get_me,
    "getUpdates": TelegramFake._get_updates,
    "getFile": TelegramFake._get_file,
    "sendChatAction": TelegramFake._show_action,
    "sendMessage": TelegramFake._send_text,
    "sendVoice": TelegramFake._send_voice,
}
