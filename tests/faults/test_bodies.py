"""Each kind of operation of each provider with a success whose body breaks the protocol."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_clock import run
from processes import run_script
from servers import make_response

from kellyapi import DecodingError

from .calls import OPERATIONS, ask

FIELDS = ("text", "message", "url", "id", "status", "languages", "value", "exists", "types", "choices", "models")
"""The names of the fields that the operations read."""


def each_is(value: object) -> bytes:
    return json.dumps(dict.fromkeys(FIELDS, value)).encode()


BODIES = {
    "HTML": (b"<html><title>Welcome</title></html>", "text/html"),
    "HTML that claims to be JSON": (b"<html><title>Welcome</title></html>", "application/json"),
    "text": (b"Service temporarily unavailable", "text/plain"),
    "nothing": (b"", "application/json"),
    "spaces": (b" \r\n", "application/json"),
    "half an object": (b'{"text": "a', "application/json"),
    "two values": (b"{}{}", "application/json"),
    "NaN": (b"NaN", "application/json"),
    "bytes that are no text": (b'"\xff"', "application/json"),
    "a picture": (b"\x89PNG\r\n\x1a\n", "image/png"),
    "arrays in arrays": (b"[" * 100_000, "application/json"),
    "a number without end": (b"9" * 5000, "application/json"),
    "null": (b"null", "application/json"),
    "true": (b"true", "application/json"),
    "a number": (b"5", "application/json"),
    "a string": (b'"a"', "application/json"),
    "an array": (b"[1]", "application/json"),
    "an empty object": (b"{}", "application/json"),
    "fields of null": (each_is(None), "application/json"),
    "fields of numbers": (each_is(5), "application/json"),
    "fields of arrays": (each_is([[]]), "application/json"),
}
A_VALUE = {"null", "true", "a number", "a string", "an array", "an empty object"}
THE_FIELDS = {"fields of null", "fields of numbers", "fields of arrays"}
RIGHT = {
    "kelly GET": (A_VALUE | THE_FIELDS) - {"null"},  # any other JSON, by its description
    "khaya POST": {"a string"},
    "khaya POST of bytes": {"a string"},
    "khaya POST of a path": {"a string"},
    "khaya POST of an iterator": {"a string"},
    "skytells POST that is free": {"an empty object"},  # the response may be empty
    "skytells DELETE": {"an empty object"},
    "aerostack POST that is free": THE_FIELDS,
}
"""The bodies that an operation accepts."""
DECODED = {name: one for name, one in OPERATIONS.items() if one.reads != "file"}
"""A file may contain anything."""


@pytest.mark.parametrize("name", DECODED)
def test_a_success_with_another_body_is_a_decoding_error(name: str) -> None:
    operation = DECODED[name]
    for wrong, (body, kind) in BODIES.items():
        outcome = run(ask(operation, make_response(body=body, kind=kind)))
        if wrong in RIGHT.get(name, ()):
            assert outcome.error is None, wrong
            continue
        assert type(outcome.error) is DecodingError, (wrong, outcome.result)
        assert (len(outcome.requests), outcome.seconds) == (1, 0.0)
        assert outcome.error.outcome_unknown == (operation.repeat == "paid")
        beginning = " ".join(body[:200].decode(errors="replace").replace("\x1a", "\ufffd").split())
        assert (beginning or "nothing") in str(outcome.error), wrong


@pytest.mark.parametrize("name", DECODED)
@pytest.mark.parametrize("status", [201, 204])
def test_a_success_without_a_body_is_a_decoding_error(name: str, status: int) -> None:
    bare = b"HTTP/1.1 %d Done\r\nContent-Length: 0\r\n\r\n" % status
    outcome = run(ask(DECODED[name], bare.replace(b"Content-Length: 0\r\n", b"") if status == 204 else bare))
    assert type(outcome.error) is DecodingError
    assert outcome.error.outcome_unknown == (DECODED[name].repeat == "paid")


_BOMB = """
import asyncio, resource, sys, zlib
sys.path[:0] = sys.argv[1:2]
import kellyapi
from servers import Server, make_response

def piece():
    return packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)

packer = zlib.compressobj(9, wbits=31)
packed = piece() + piece() * (int(sys.argv[2]) // 2**20 - 1)

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

async def main(status, limit, client, call):
    async with Server(make_response(status, packed, Content_Encoding="gzip")) as server:
        async with client("key", base_url=server.url, max_response_bytes=limit) as api:
            before = peak()
            try:
                await call(api)
            except kellyapi.KellyAPIError as error:
                print(type(error).__name__, peak() - before)

for status in (200, 404):
    asyncio.run(main(status, 2**20, kellyapi.Kelly, lambda api: api.chat("x")))
    asyncio.run(main(status, 2**20, kellyapi.Khaya, lambda api: api.transcribe(b"RIFF", "tw")))
    asyncio.run(main(status, 2**20, kellyapi.Skytells, lambda api: api.predictions.delete("a1")))
    asyncio.run(main(status, 2**20, kellyapi.Aerostack, lambda api: api.storage.download("a")))
"""


async def test_a_gibibyte_in_a_mebibyte_of_gzip_is_refused_with_little_memory() -> None:
    printed = await run_script(_BOMB, str(Path(__file__).parents[1]), str(2**30))
    kinds, kibibytes = zip(*(line.split() for line in printed.splitlines()), strict=True)
    assert kinds == ("DecodingError",) * 4 + ("NotFoundError",) * 4
    assert sum(map(int, kibibytes)) < 64 * 2**10  # of 2**20
