"""Bodies in each content coding: of results, of errors, of streams and of downloads."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from servers import AT_ONCE, Server, asked, cut, make_response

from kellyapi import AuthenticationError, DecodingError, Skytells, TransportError
from kellyapi._core.content_codings import ContentDecoder, make_decoder

FOX = b'{"problem": "a fox"}'
Coding = Callable[[bytes], bytes]


def deflated(data: bytes) -> bytes:
    """Compress without the header of zlib, as some servers do."""
    return zlib.compress(data)[2:-4]


def parted(data: bytes) -> bytes:
    return gzip.compress(data[:7]) + gzip.compress(data[7:]) + bytes(8)


def twice(data: bytes) -> bytes:
    return gzip.compress(gzip.compress(data))


def decode(*codings: str, body: bytes) -> list[bytes]:
    decoder = ContentDecoder(codings)
    pieces = list(decoder.feed(body))
    decoder.check_end()
    return pieces


def encoded(data: bytes, times: int) -> bytes:
    for _ in range(times):
        data = gzip.compress(data)
    return data


def test_a_body_has_at_most_four_codings() -> None:
    assert b"".join(decode(*["gzip"] * 4, body=encoded(FOX, 4))) == FOX
    with pytest.raises(TransportError, match="not understood"):
        decode(*["gzip"] * 5, body=encoded(FOX, 5))


def test_a_body_in_gzip_has_at_most_a_thousand_parts() -> None:
    part = gzip.compress(b"x")
    assert decode("gzip", body=part * 1000) == [b"x"] * 1000
    with pytest.raises(TransportError, match="more than 1000 parts"):
        decode("gzip", body=part * 1001)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_a_body_is_decoded_in_pieces_of_256_kib(more: int) -> None:
    pieces = decode("gzip", body=gzip.compress(bytes(2**19 + more)))
    assert [len(piece) for piece in pieces] == [2**18, 2**18 + min(more, 0), *[more] * (more > 0)]


def test_only_gzip_is_read_as_gzip() -> None:
    with pytest.raises(TransportError, match="the body is not gzip"):
        decode("gzip", body=zlib.compress(FOX))


def test_a_body_whose_end_is_missing_is_an_error_that_names_its_coding() -> None:
    with pytest.raises(TransportError, match="the end of its deflate is missing"):
        decode("deflate", body=zlib.compress(FOX)[:-1])


@pytest.mark.parametrize(
    ("names", "aiohttp_decodes", "left"),
    [
        ("gzip", True, None),
        ("gzip", False, None),
        ("GZIP ", False, None),
        ("identity", True, None),
        ("x-gzip", False, [FOX]),
        ("gzip, gzip", True, [FOX]),
        ("gzip, identity", False, [FOX]),
    ],
)
def test_a_decoder_does_what_aiohttp_leaves(names: str, aiohttp_decodes: bool, left: list[bytes] | None) -> None:
    decoder = make_decoder({"Content-Encoding": names}, aiohttp_decodes=aiohttp_decodes)
    assert (decoder and list(decoder.feed(gzip.compress(FOX)))) == left


CODINGS: list[tuple[str, Coding]] = [
    ("gzip", gzip.compress),
    ("x-gzip", gzip.compress),
    ("X-GZip", gzip.compress),
    (" x-gzip ", gzip.compress),
    ("gzip, identity", gzip.compress),
    ("identity,gzip", gzip.compress),
    ("identity, X-GZIP,, identity", gzip.compress),
    ("x-gzip", parted),
    ("x-deflate", zlib.compress),
    ("x-deflate", deflated),
    ("deflate, identity", zlib.compress),
    ("gzip, gzip", twice),
    ("deflate, x-gzip", lambda data: gzip.compress(zlib.compress(data))),
    ("identity", bytes),
    ("utf-8", bytes),
    ("aws-chunked", bytes),
    ("", bytes),
]
each = pytest.mark.parametrize(("name", "encode"), CODINGS, ids=[f"{name} {code.__name__}" for name, code in CODINGS])


@each
async def test_a_result_is_read_whatever_its_coding_is_called(name: str, encode: Coding) -> None:
    async with asked(make_response(body=encode(b'{"a": "fox"}'), Content_Encoding=name)) as (shop, _):
        assert await shop.look() == {"a": "fox"}


@each
async def test_an_error_is_read_too(name: str, encode: Coding) -> None:
    async with asked(make_response(401, encode(FOX), Content_Encoding=name)) as (shop, _):
        with pytest.raises(AuthenticationError, match="a fox"):
            await shop.look()


@each
async def test_a_stream_is_read_too(name: str, encode: Coding) -> None:
    chunks = [{"choices": [{"delta": {"content": text}}]} for text in ("Hel", "lo")]
    body = b"".join(b"data: %s\n\n" % json.dumps(chunk).encode() for chunk in chunks) + b"data: [DONE]\n\n"
    script = make_response(body=encode(body), kind="text/event-stream", Content_Encoding=name)
    async with Server(script) as server, Skytells("key", base_url=server.url) as skytells:
        assert (await skytells.chat.stream("gpt-5", "hi").finish()).text == "Hello"


@each
async def test_a_download_is_saved_decoded(name: str, encode: Coding, tmp_path: Path) -> None:
    data = b"a fox" * 100_000
    script = make_response(body=encode(data), kind="image/png", ETag='"fox"', Content_Encoding=name)
    async with Server(script) as server, Skytells("key") as skytells:
        await skytells.download(f"{server.url}/fox.png", tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == data


@pytest.mark.parametrize(
    ("names", "encode"),
    [
        (["identity", "gzip"], gzip.compress),
        (["gzip", "identity"], gzip.compress),
        (["x-gzip", "identity"], gzip.compress),
        (["gzip", "gzip"], twice),
    ],
)
async def test_codings_may_stand_in_several_headers(names: list[str], encode: Coding) -> None:
    body = encode(b'{"a": "fox"}')
    lines = [
        "HTTP/1.1 200 OK",
        *(f"Content-Encoding: {name}" for name in names),
        f"Content-Length: {len(body)}",
        "",
        "",
    ]
    async with asked("\r\n".join(lines).encode() + body) as (shop, _):
        assert await shop.look() == {"a": "fox"}


@pytest.mark.parametrize("name", ["gzip", "x-gzip", "gzip, identity"])
async def test_an_empty_body_has_any_coding(name: str) -> None:
    async with asked(make_response(204, b"", Content_Encoding=name)) as (shop, _):
        await shop.remove()


WRONG: list[tuple[str, bytes]] = [
    ("gzip", FOX),
    ("x-gzip", FOX),
    ("gzip, identity", FOX),
    ("x-gzip", b"x"),
    ("x-deflate", FOX),
    ("x-gzip", gzip.compress(FOX)[:-9]),
    ("gzip, gzip", gzip.compress(FOX)),
    ("x-gzip", gzip.compress(FOX) + b"tail"),
    ("x-gzip", gzip.compress(b"") * 2000),
    ("compress", FOX),
    ("br, identity", FOX),
    (", ".join(["x-gzip"] * 1000), FOX),
]


@pytest.mark.parametrize(("name", "body"), WRONG, ids=[f"{name[:20]} {place}" for place, (name, _) in enumerate(WRONG)])
async def test_a_body_with_a_false_coding_is_an_error_that_says_so(name: str, body: bytes) -> None:
    async with asked(make_response(body=body, Content_Encoding=name)) as (shop, server):
        with pytest.raises(TransportError, match=r"coding|broke off|parts in gzip") as caught:
            await shop.buy()
        assert (caught.value.outcome_unknown, len(server.requests)) == (True, 1)


@pytest.mark.parametrize(("name", "body"), WRONG, ids=[f"{name[:20]} {place}" for place, (name, _) in enumerate(WRONG)])
async def test_an_error_keeps_its_status_whatever_its_body(name: str, body: bytes) -> None:
    async with asked(make_response(401, body, Content_Encoding=name)) as (shop, _):
        with pytest.raises(AuthenticationError) as caught:
            await shop.look()
        assert caught.value.status == 401


async def test_an_error_whose_body_breaks_off_keeps_its_status_and_its_beginning() -> None:
    async with asked(cut(make_response(401, b"no such key" * 9)[:-50])) as (shop, _):
        with pytest.raises(AuthenticationError, match="no such key"):
            await shop.look()


@pytest.mark.parametrize("name", ["x-gzip", "gzip, gzip"])
async def test_a_bomb_is_refused_while_it_is_decoded(name: str) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    body = bomb if name == "x-gzip" else gzip.compress(bomb)
    async with asked(make_response(body=body, Content_Encoding=name), max_response_bytes=10_000) as (shop, _):
        with pytest.raises(DecodingError, match="max_response_bytes=10000"):
            await shop.look()


async def test_a_session_of_the_users_is_read_in_the_same_way() -> None:
    script = make_response(body=gzip.compress(b'{"a": 1}'), Content_Encoding="x-gzip")
    async with aiohttp.ClientSession(auto_decompress=False) as session, asked(script, session=session) as (shop, _):
        assert await shop.look() == {"a": 1}


async def test_a_download_with_a_false_coding_ends(tmp_path: Path) -> None:
    script = make_response(body=FOX, kind="image/png", ETag='"fox"', Content_Encoding="x-gzip")
    async with Server(script) as server, Skytells("key", retry=AT_ONCE) as skytells:
        with pytest.raises(TransportError, match="not gzip"):
            await skytells.download(f"{server.url}/fox.png", tmp_path / "fox.png")
        assert len(server.requests) == AT_ONCE.attempts
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240  nothing else runs
