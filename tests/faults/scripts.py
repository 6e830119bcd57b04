"""Failures of a server, as scripts for `servers.Server`."""

from __future__ import annotations

import asyncio

from servers import Exchange, Script, cut, hang, make_response, pausing, reset
from servers import _abort as abort

LINES = 10_000
_MANY = b"".join(b"\r\nX-%d: 1" % number for number in range(LINES))


def torn(data: bytes) -> Script:
    """Read the request, send these bytes, and reset the connection."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(data)
        abort(exchange.writer)

    return script


def drip(data: bytes, seconds: float = 1.0) -> Script:
    """Send these bytes one at a time."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        for number in range(len(data)):
            await exchange.write(data[number : number + 1])
            await asyncio.sleep(seconds)

    return script


async def torn_within_the_request(exchange: Exchange) -> None:
    """Read only the headers, and reset the connection."""
    abort(exchange.writer)


def broken(good: bytes) -> dict[str, Script]:
    """Break off a response within its headers, or send malformed headers."""
    head, _, _ = good.partition(b"\r\n\r\n")
    return {
        "reset within the request": torn_within_the_request,
        "reset before the head": reset,
        "closed before the head": cut(b""),
        "reset within the head": torn(good[:20]),
        "closed within the head": cut(head),
        "no HTTP": cut(b"SSH-2.0-server\r\n\r\n"),
        "10,000 headers": cut(head + _MANY + good[len(head) :]),
        "a header of 1 MiB": cut(head + b"\r\nX-Long: " + bytes(b"x" * 2**20) + good[len(head) :]),
        "10,000 trailers": cut(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n0" + _MANY + b"\r\n\r\n"),
        "a header with a zero byte": cut(head + b"\r\nX-Zero: \0" + good[len(head) :]),
        "a status of four digits": cut(good.replace(b" 200 ", b" 2000 ", 1)),
        "a length below zero": cut(head + b"\r\nContent-Length: -1\r\n\r\n"),
        "a length and chunks": cut(head + b"\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "a chunk of 2**72 bytes": cut(head + b"\r\nTransfer-Encoding: chunked\r\n\r\n1" + b"0" * 18 + b"\r\n"),
        "two lengths": cut(head + b"\r\nContent-Length: 1" + good[len(head) :]),
        "a chunk without a size": cut(head + b"\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n"),
    }


def cut_short(good: bytes) -> dict[str, Script]:
    """Break off a response within its body."""
    head, _, body = good.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    chunked = b"\r\n".join([*lines, b"Transfer-Encoding: chunked", b"", b"%x" % len(body), body[:1]])
    zipped = b"\r\n".join([*lines, b"Content-Encoding: gzip", b"Content-Length: %d" % len(body), b"", body])
    return {
        "reset after the head": torn(head + b"\r\n\r\n"),
        "reset within the body": torn(good[:-1]),
        "closed within the body": cut(good[:-1]),
        "closed within a chunk": cut(chunked),
        "closed before the last chunk": cut(chunked + body[1:] + b"\r\n"),
        "gzip that is none": cut(zipped),
    }


def silent(good: bytes) -> dict[str, Script]:
    """Stop in the middle and keep the connection open."""
    return {
        "no response": hang,
        "half a head": pausing(good[:20]),
        "no body": pausing(good.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"),
        "half a body": pausing(good[:-1]),
    }


def html(status: int = 200) -> bytes:
    return make_response(status, b"<html><title>Welcome</title></html>", "text/html")
