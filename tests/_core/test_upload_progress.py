"""`on_upload`: how much of a body was sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from servers import OK, asked, make_response

from kellyapi._core.messages import FormField

SIZE = 600_000
Seen = list[tuple[int, int | None]]


async def pieces(*items: bytes) -> AsyncIterator[bytes]:
    for item in items:
        yield item


@pytest.mark.parametrize("kind", ["path", "bytes", "json", "iterator"])
@pytest.mark.parametrize("plain", [True, False])
async def test_each_kind_of_body_reports_its_bytes_and_arrives_whole(kind: str, plain: bool, tmp_path: Path) -> None:
    data = b"RIFF" + b"a" * (SIZE - 4)
    (tmp_path / "a.wav").write_bytes(data)
    seen: Seen = []

    async def note(sent: int, size: int | None) -> None:
        seen.append((sent, size))

    hook: Any = (lambda sent, size: seen.append((sent, size))) if plain else note
    async with asked(OK, on_upload=hook) as (shop, server):
        if kind == "json":
            await shop.request("POST", "/things", json={"text": data.decode()})
        else:
            await shop.send({"path": tmp_path / "a.wav", "bytes": data, "iterator": pieces(data)}[kind])
    [request] = server.requests
    body = json.dumps({"text": data.decode()}, separators=(",", ":")).encode() if kind == "json" else data
    assert bytes(request.body) == body
    size = None if kind == "iterator" else len(body)
    assert (seen[0], seen[-1]) == ((0, size), (len(body), size))
    assert seen == sorted(seen, key=lambda each: each[0])
    assert kind == "iterator" or len(seen) > 3
    assert kind == "iterator" or request.headers["content-length"] == str(size)


async def test_a_small_body_in_memory_reports_nothing() -> None:
    seen: Seen = []
    async with asked(OK, OK, on_upload=lambda *counted: seen.append(counted)) as (shop, _):
        await shop.request("POST", "/things", json={"text": "a"})
        await shop.send(b"RIFF")
    assert seen == []


async def test_each_attempt_counts_from_0() -> None:
    seen: Seen = []
    async with asked(make_response(503), OK, on_upload=lambda *counted: seen.append(counted)) as (shop, _):
        await shop.send(b"RIFF" + bytes(SIZE), repeatable=True)
    assert [sent for sent, _ in seen].count(0) == 2
    assert seen[-1] == (SIZE + 4, SIZE + 4)


async def test_a_file_in_a_form_reports_its_bytes() -> None:
    seen: Seen = []
    async with asked(OK, on_upload=lambda *counted: seen.append(counted)) as (shop, _):
        await shop.fill(FormField("name", b"a"), FormField("audio", lambda: pieces(b"fLaC", b"12"), "a.flac"))
    assert seen == [(0, None), (4, None), (6, None)]


async def test_an_exception_ends_the_call_as_it_is() -> None:
    def refuse(sent: int, size: int | None) -> None:
        raise LookupError("enough")

    async with asked(OK, on_upload=refuse) as (shop, _):
        with pytest.raises(LookupError, match="enough"):
            await shop.send(b"RIFF" + bytes(SIZE))
