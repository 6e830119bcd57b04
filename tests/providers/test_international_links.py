"""Hosts, links and redirects with letters that are not ASCII, spaces, and half of their escapes."""

from __future__ import annotations

import json
import socket
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from servers import AT_ONCE, KEY, OK, Script, Server, Shop, make_response

from kellyapi import ConfigurationError, KellyAPIError, Prediction, Skytells, StatusError, TransportError, Webhook
from kellyapi.providers.skytells.predictions.outputs import unique_file_names

PNG = b"\x89PNG\r\n\x1a\n" + bytes(50)
FILE = make_response(body=PNG, kind="image/png")
BOOKS = "bücher.example"
BOOKS_ASCII = "xn--bcher-kva.example"


class ToThisMachine(AbstractResolver):
    """Finds every host on this machine, and keeps the names that it was given."""

    def __init__(self) -> None:
        self.hosts: list[str] = []

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        self.hosts.append(host)
        found = {"hostname": host, "host": "127.0.0.1", "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
        return [found]  # type: ignore[list-item]  # mypy does not read the dict as a TypedDict

    async def close(self) -> None:
        pass


@asynccontextmanager
async def everywhere(*scripts: Script) -> AsyncIterator[tuple[Server, aiohttp.ClientSession, ToThisMachine]]:
    """Yield a server, a session that resolves every host to it, and the resolver."""
    resolver = ToThisMachine()
    connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False)
    async with Server(*scripts) as server, aiohttp.ClientSession(connector=connector) as session:
        yield server, session, resolver


def at(server: Server, host: str) -> str:
    return f"http://{host}:{server.url.rpartition(':')[2]}"


@pytest.mark.parametrize("host", [BOOKS, "BÜCHER.example", "bu\u0308cher.example", "b%C3%BCcher.example", BOOKS_ASCII])
async def test_a_base_url_may_have_any_letters(host: str) -> None:
    async with everywhere(OK) as (server, session, resolver):
        shop = Shop(KEY, base_url=f"{at(server, host)}/ɛ", session=session, allow_http=True)
        assert await shop.look() == {}
        (seen,) = server.requests
    assert resolver.hosts == [BOOKS_ASCII]
    assert seen.headers["host"].startswith(BOOKS_ASCII)
    assert (seen.target, seen.headers["x-key"]) == ("/%C9%9B/look", f"Key {KEY}")


@pytest.mark.parametrize("host", ["a..b", "é" * 80, "-é.b\u200b..c", "d d", "\udce9", "%ff", "x" * 64])
async def test_a_base_url_whose_host_no_name_can_be_is_a_configuration_error(host: str) -> None:
    with pytest.raises(ConfigurationError, match="base URL"):
        await Shop(KEY, base_url=f"https://{host}/v1").look()


async def test_plain_http_to_this_machine_is_known_by_any_digits() -> None:
    async with Server(OK) as server, Shop(KEY, base_url=server.url.replace("127.0", "１２７.0")) as shop:
        assert await shop.look() == {}


LINKS = {
    "/ɛkutɔ a.png?n=ŋ b": "/%C9%9Bkut%C9%94%20a.png?n=%C5%8B%20b",
    "/a%20b ç.png?x=%2F ü": "/a%20b%20%C3%A7.png?x=%2F%20%C3%BC",
    "/100%.png?x=50%&y=%zz": "/100%25.png?x=50%25&y=%25zz",
    "/a%2Fb+c.png?sig=a%2Bb+c%3D": "/a%2Fb+c.png?sig=a%2Bb+c%3D",
    "/a.png#ü": "/a.png",
}


@pytest.mark.parametrize(("link", "target"), LINKS.items())
async def test_a_link_may_have_any_letters_and_spaces(link: str, target: str, tmp_path: Path) -> None:
    async with everywhere(FILE) as (server, session, resolver):
        skytells = Skytells("key", session=session)
        await skytells.download(f" {at(server, BOOKS)}{link}\n", tmp_path / "a.png")
        assert (server.requests[0].target, resolver.hosts) == (target, [BOOKS_ASCII])
    assert (tmp_path / "a.png").read_bytes() == PNG


async def test_outputs_may_have_any_letters_and_spaces(tmp_path: Path) -> None:
    async with everywhere(FILE) as (server, session, _):
        outputs = [at(server, BOOKS) + link for link in LINKS]
        state = Prediction(id="p1", status="succeeded", output=outputs)
        saved = await Skytells("key", session=session).predictions.download(state, tmp_path)
        assert sorted(seen.target for seen in server.requests) == sorted(LINKS.values())
    assert [path.read_bytes() for path in saved] == [PNG] * len(LINKS)


async def test_an_image_is_fetched_from_such_a_link() -> None:
    async with everywhere(b"", b"") as (server, session, _):
        body = {"id": "p1", "status": "succeeded", "output": [f"{at(server, BOOKS)}/ö 1.png"]}
        server._scripts = (make_response(body=json.dumps(body).encode()), FILE)
        image = await Skytells("key", base_url=server.url, session=session).generate_image("a fox")
        assert (image.data, server.requests[-1].target) == (PNG, "/%C3%B6%201.png")


BAD_HOSTS = ["a..b", "é" * 80, "d d.example", "\u200b.example", "a%00b"]


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_an_output_whose_host_no_name_can_be_is_an_error_that_names_it(host: str, tmp_path: Path) -> None:
    async with Server(FILE) as server:
        state = Prediction(id="p1", status="succeeded", output=[f"https://{host}/a.png", f"{server.url}/b.png"])
        with pytest.raises(TransportError, match="host") as caught:
            await Skytells("key").predictions.download(state, tmp_path)
    assert caught.value.prediction is state
    assert (caught.value.provider, caught.value.sent, caught.value.outcome_unknown) == ("skytells", False, False)
    assert (tmp_path / "b.png").read_bytes() == PNG


@pytest.mark.parametrize("host", BAD_HOSTS)
async def test_a_link_of_the_users_whose_host_no_name_can_be_is_a_value_error(host: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the url has the host"):
        await Skytells("key").download(f"https://{host}/a.png", tmp_path / "a.png")


async def test_a_host_that_no_resolver_takes_is_a_transport_error(tmp_path: Path) -> None:
    async with Skytells("key", retry=AT_ONCE) as skytells:
        with pytest.raises(KellyAPIError):
            await skytells.download("https://xn--0.invalid/a.png", tmp_path / "a.png")


# Redirects


def moved(location: str | bytes) -> bytes:
    raw = location if isinstance(location, bytes) else location.encode()
    return b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + raw + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/ɛ b.png?n=ŋ", "/%C9%9B%20b.png?n=%C5%8B"),
        ("a%20b c.png", "/a%20b%20c.png"),
        ("/100%", "/100%25"),
        (b"/caf\xe9", "/caf%E9"),
        (f"//{BOOKS}:PORT/ü", "/%C3%BC"),
        (f"http://{BOOKS}:PORT/ü", "/%C3%BC"),
    ],
)
async def test_a_redirect_may_have_any_letters(location: str | bytes, target: str, tmp_path: Path) -> None:
    async with everywhere(b"", FILE) as (server, session, _):
        port = server.url.rpartition(":")[2]
        place = location.replace("PORT", port) if isinstance(location, str) else location
        server._scripts = (moved(place), FILE)
        await Skytells("key", session=session).download(f"{server.url}/a.png", tmp_path / "a.png")
        assert server.requests[-1].target == target


async def test_a_call_with_a_key_follows_to_its_own_host_in_any_letters_and_to_no_other() -> None:
    async with everywhere(b"", OK) as (server, session, _):
        shop = Shop(KEY, base_url=at(server, BOOKS), session=session, allow_http=True)
        server._scripts = (moved(f"{at(server, 'BÜCHER.example')}/ü"), OK)
        assert await shop.look() == {}
        server.requests.clear()
        server._scripts = (moved(f"{at(server, 'bücher2.example')}/ü"), OK)
        with pytest.raises(StatusError, match=r"redirected to 'http://bücher2\.example"):
            await shop.look()


@pytest.mark.parametrize("location", ["http://a..b/", "http://d d/", b"http://\xe9\xff/", "http://" + "é" * 80 + "/"])
async def test_a_redirect_to_a_host_that_no_name_can_be_is_a_status_error(
    location: str | bytes, tmp_path: Path
) -> None:
    async with Server(moved(location)) as server, Skytells("key", retry=AT_ONCE) as skytells:
        with pytest.raises(StatusError, match="redirected to 'http://"):
            await skytells.download(f"{server.url}/a.png", tmp_path / "a.png")


# Webhooks


async def test_the_url_of_a_webhook_is_sent_in_ascii() -> None:
    created = make_response(body=b'{"id": "p1", "status": "queued"}')
    async with Server(created) as server, Skytells("key", base_url=server.url) as skytells:
        for webhook in (f"https://{BOOKS}/ɛ b", Webhook(f"https://{BOOKS}/ɛ b"), {"url": f"https://{BOOKS}/ɛ b"}):
            await skytells.predictions.create("m", {}, webhook=webhook)
        sent: list[Any] = [json.loads(seen.body)["webhook"]["url"] for seen in server.requests]
    assert sent == [f"https://{BOOKS_ASCII}/%C9%9B%20b"] * 3


@pytest.mark.parametrize("url", ["https://a..b/", "https://" + "é" * 80, "hook", ""])
async def test_a_webhook_that_is_no_url_is_refused_before_anything_is_sent(url: str) -> None:
    async with Server(OK) as server, Skytells("key", base_url=server.url) as skytells:
        with pytest.raises(ValueError, match="webhook"):
            await skytells.predictions.create("m", {}, webhook=url)
        assert server.connections == 0


# Names of files

NAMES = {
    "NFC and NFD": ["/1/é.png", "/2/e\u0301.png"],
    "escaped NFC and NFD": ["/1/%C3%A9.png", "/2/e%CC%81.png"],
    "case": ["/1/a.png", "/2/A.PNG", "/3/a.PNG"],
    "case of other alphabets": ["/1/ω.png", "/2/Ω.png", "/3/\u2126.png"],
    "long and double s": ["/1/ſs.png", "/2/ß.png", "/3/SS.png", "/4/\u1e9e.png"],
    "ligatures and wide letters": ["/1/ﬁ.png", "/2/fi.png", "/3/ｆｉ.png"],
    "dotless i": ["/1/ı.png", "/2/I.png", "/3/i.png"],
    "names like those that are made": ["/1/a.png", "/2/A.png", "/3/1-a.png", "/4/1-A.png", "/5/2-1-a.png"],
    "the same link": ["/a.png", "/a.png", "/a.png"],
    "no names": ["/", "/?a", "/output-1", "/OUTPUT-0"],
}


@pytest.mark.parametrize("case", NAMES)
async def test_outputs_whose_names_a_file_system_takes_for_one_are_kept_apart(case: str, tmp_path: Path) -> None:
    paths = NAMES[case]
    files = [make_response(body=b"%d" % number, kind="image/png") for number in range(len(paths))]
    async with Server(*files) as server, Skytells("key", retry=AT_ONCE) as skytells:
        state = Prediction(id="p1", status="succeeded", output=[server.url + path for path in paths])
        saved = await skytells.predictions.download(state, tmp_path)
    assert len({path.read_bytes() for path in saved}) == len(paths)
    folded = {unicodedata.normalize("NFD", path.name).casefold() for path in saved}
    assert len(folded) == len(set(saved)) == len(paths)
    assert [path.name for path in saved] == unique_file_names(state.outputs)
