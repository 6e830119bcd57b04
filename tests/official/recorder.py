"""A loopback server that records requests, and the form in which the requests of two clients are compared.

User-Agent, Accept, Host, lengths and similar headers are left out: no operation depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from email import message_from_string
from typing import Any
from urllib.parse import parse_qsl

from servers import Exchange, Seen, Server, make_response

from .operations import ID

KEY_HEADERS = ("authorization", "ocp-apim-subscription-key", "x-aerostack-key", "x-api-key")
PREDICTION = {"id": "p1", "status": "succeeded", "output": ["https://files.example/p1.png"], "model": {"name": "m"}}
PAGE = {"data": [PREDICTION], "pagination": {"current_page": 1, "per_page": 20, "total": 1, "last_page": 1}}
MODEL = {"name": "Fox", "namespace": "fox"}
_KELLY = {"image": "aW1hZ2U=", "voice": "dm9pY2U=", "content": "a fox", "message": "hi", "result": "a fox"}

# The response is that of the first entry with which the method and path begin.
_RESPONSES: tuple[tuple[str, bytes], ...] = (
    ("POST /v1/translate", make_response(body=b'"Maakye"')),
    ("POST /v2/translate", make_response(body=b'"Maakye"')),
    ("POST /asr/v1", make_response(body=b'"a fox"')),
    ("POST /asr/", make_response(body=b'{"text": "a fox"}')),
    ("GET /asr/", make_response(body=b'{"languages": [{"code": "twi", "name": "Asante Twi"}]}')),
    ("GET /tts/", make_response(body=b'{"languages": {"Asante Twi": "twi"}}')),
    ("POST /tts/", make_response(body=b"RIFF", kind="audio/wav")),
    (f"GET /v1/predictions/{ID}", make_response(body=json.dumps({**PREDICTION, "id": ID}).encode())),
    ("GET /v1/predictions/", make_response(body=json.dumps(PREDICTION).encode())),
    ("GET /v1/predictions", make_response(body=json.dumps(PAGE).encode())),
    ("GET /v1/models", make_response(body=json.dumps([MODEL]).encode())),
    ("GET /v1/model/", make_response(body=json.dumps(MODEL).encode())),
    ("POST /v1/predict", make_response(body=json.dumps(PREDICTION).encode())),
    ("DELETE /v1/predictions", make_response(body=json.dumps(PREDICTION).encode())),
    ("POST /v1/auth/signup", make_response(201, b'{"token": "t"}')),
    ("POST /v1/auth/signin", make_response(body=b'{"token": "t"}')),
    ("POST /v1/queue/enqueue", make_response(201, b'{"jobId": "j1", "success": true}')),
    ("POST /v1/cache/get", make_response(body=b'{"value": 1, "exists": true}')),
    ("POST /v1/storage/upload", make_response(body=b'{"url": "https://files.example/a"}')),
    ("POST /v1/db/query", make_response(body=b'{"results": [], "count": 0}')),
    ("POST /v1/ai/chat", make_response(body=b'{"response": "hi"}')),
    ("POST /v1/", make_response(body=b'{"success": true}')),
    ("GET /", make_response(body=b'["fox"]')),
    ("POST /", make_response(body=json.dumps(_KELLY).encode())),
)


def recorder() -> Server:
    """Return a server that responds to every operation with a success and records the `requests`."""

    async def reply(exchange: Exchange) -> None:
        await exchange.read()
        request_line = f"{exchange.seen.method} {exchange.seen.target}"
        await exchange.write(next(response for start, response in _RESPONSES if request_line.startswith(start)))

    return Server(reply)


def in_order(requests: list[Seen]) -> list[Seen]:
    """Sort requests that clients may send concurrently: GET requests last."""
    return sorted(requests, key=lambda seen: (seen.method == "GET", bytes(seen.body)))


def method_and_path(seen: Seen) -> str:
    """Return the method and the path, as sent."""
    return f"{seen.method} {seen.target.partition('?')[0]}"


def fields(seen: Seen) -> dict[str, Any]:
    """Return the query, the key, the content type and the body: JSON by its fields, forms by their parts."""
    kind = seen.headers.get("content-type")
    read = next((read for start, read in _READERS if (kind or "").startswith(start)), _raw)
    return {
        **{f"query {name}": value for name, value in parse_qsl(seen.target.partition("?")[2], True)},
        **{f"header {name}": seen.headers[name] for name in KEY_HEADERS if name in seen.headers},
        **({"content-type": kind.partition(";")[0]} if kind else {}),
        **read(kind or "", bytes(seen.body)),
    }


def _raw(kind: str, body: bytes) -> dict[str, Any]:
    return {"body": body} if body else {}


def _json(kind: str, body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:  # Khaya's own client sends audio with the type application/json
        return _raw(kind, body)
    return {f"body {name}": item for name, item in value.items()} if isinstance(value, dict) else {"body": value}


def _form(kind: str, body: bytes) -> dict[str, Any]:
    boundary = kind.partition("boundary=")[2].strip('"').encode()
    parts = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part[2:-2].partition(b"\r\n\r\n")
        headers = message_from_string(head.decode())
        name = headers.get_param("name", header="content-disposition")
        parts[f"part {name}"] = (headers.get_filename(), headers.get("content-type"), content)
    return parts


_READERS: tuple[tuple[str, Callable[[str, bytes], dict[str, Any]]], ...] = (
    ("application/json", _json),
    ("multipart/form-data", _form),
)
