"""`check_connection`: which step on the way to a provider fails, and how far the clock is off."""

from __future__ import annotations

import asyncio
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from servers import OK, Server, cut, hang, make_response
from tls_server import CERTIFICATE, EXPIRED, serve_tls

from kellyapi import ConnectionCheck, KellyAPI, Khaya, Timeout

from .relay import Relay

PASSWORD = "correct-horse-battery-staple"
KEY = "the-secret-key"


async def check(address: str, **options: Any) -> ConnectionCheck:
    async with Khaya(KEY, base_url=address, **options) as khaya:
        found = await khaya.check_connection()
    assert PASSWORD not in repr(found)
    assert KEY not in repr(found)
    return found


async def test_a_reachable_server_has_no_problem_and_receives_no_key() -> None:
    async with Server(make_response(Date=formatdate(time.time(), usegmt=True))) as server:
        found = await check(f"{server.url}/v1")
    assert (found.failed, found.problem, found.proxy, found.tls) == (None, None, None, None)
    assert found.address == server.url
    assert found.clock_offset is not None
    assert abs(found.clock_offset) < 30
    (seen,) = server.requests
    assert (seen.method, seen.target) == ("HEAD", "/")
    assert KEY not in str(seen)


async def test_the_sandbox_is_reachable() -> None:
    async with KellyAPI.sandbox() as api:
        found = await api.skytells.check_connection()
    assert (found.failed, found.clock_offset is None) == (None, False)


@pytest.mark.parametrize(("age", "offset"), [("", 3600), ("600", 3000)])
async def test_the_date_of_the_response_shows_a_wrong_clock(age: str, offset: int) -> None:
    headers = {"Date": formatdate(time.time() - 3600, usegmt=True), **({"Age": age} if age else {})}
    async with Server(make_response(404, **headers)) as server:
        found = await check(server.url)
    assert found.clock_offset is not None
    assert abs(found.clock_offset - offset) < 30
    assert found.failed is None


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": formatdate(), "Age": "old"}])
async def test_a_server_without_a_usable_date_says_nothing_of_the_clock(headers: dict[str, str]) -> None:
    async with Server(make_response(**headers)) as server:
        assert (await check(server.url)).clock_offset is None


async def test_a_name_that_does_not_exist_is_named() -> None:
    found = await check("https://nowhere.invalid/v1")
    assert (found.failed, found.problem) == ("name", "the name nowhere.invalid cannot be found")
    assert found.remedy
    assert "DNS" in found.remedy


async def test_a_refused_connection_is_named() -> None:
    found = await check("https://127.0.0.1:1")
    assert (found.failed, found.problem) == ("connection", "no connection to 127.0.0.1: Connection refused")


async def test_a_server_that_does_not_respond_ends_with_the_limit_of_connecting() -> None:
    async with Server(hang) as server:
        found = await check(server.url, timeout=Timeout(total=60, connect=0.2))
    assert (found.failed, found.problem) == ("response", "no response from 127.0.0.1 within 0.2 s")


@pytest.mark.parametrize("data", [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"x" * 2**17, b"HTTP/1.1"])
async def test_a_server_that_speaks_no_http_is_named(data: bytes) -> None:
    async with Server(cut(data)) as server:
        found = await check(server.url)
    assert (found.failed, found.problem) == ("response", "127.0.0.1 does not respond in HTTP")


async def test_an_address_that_cannot_be_used_is_named() -> None:
    found = await check("ftp://nowhere.invalid")
    assert (found.failed, found.address) == ("address", "")
    assert found.problem
    assert "ftp://nowhere.invalid" in found.problem


async def test_a_certificate_that_nobody_vouches_for_is_named(tmp_path: Path) -> None:
    async with serve_tls(tmp_path, CERTIFICATE, OK) as port:
        found = await check(f"https://localhost:{port}")
    assert (found.failed, found.problem) == ("TLS", "the certificate of localhost is refused: self-signed certificate")
    assert found.remedy
    assert "SSL_CERT_FILE" in found.remedy


async def test_a_certificate_of_another_time_points_to_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    async with serve_tls(tmp_path, EXPIRED, OK) as port:
        found = await check(f"https://localhost:{port}")
    assert found.problem
    assert found.problem.startswith("the certificate of localhost is refused: certificate has expired (2")
    assert found.problem.endswith("by the clock of this machine)")
    assert found.remedy
    assert found.remedy.startswith("set the clock")


async def test_a_certificate_of_another_host_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    async with serve_tls(tmp_path, CERTIFICATE, OK) as port:
        found = await check(f"https://127.0.0.1:{port}")
        trusted = await check(f"https://localhost:{port}")
    assert found.failed == "TLS"
    assert found.remedy
    assert "address" in found.remedy
    assert (trusted.failed, trusted.tls) == (None, "TLSv1.3")


async def test_a_server_without_tls_is_named() -> None:
    closed = asyncio.Event()

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await reader.read(1)
        writer.transport.abort()
        closed.set()

    async with await asyncio.start_server(respond, "127.0.0.1", 0) as server:
        found = await check(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await closed.wait()
    assert found.failed == "TLS"
    assert found.problem
    assert found.problem.startswith("TLS with 127.0.0.1 fails: ")


async def test_a_proxy_is_used_with_its_password_and_shown_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    async with Relay() as relay, serve_tls(tmp_path, CERTIFICATE, OK) as port:
        proxy = relay.url.replace("http://", f"http://me:{PASSWORD}@")
        found = await check(f"https://localhost:{port}", proxy=proxy)
    assert (found.failed, found.proxy, found.tls) == (None, relay.url, "TLSv1.3")
    assert relay.opened == [f"localhost:{port}"]


async def test_a_plain_request_goes_to_the_proxy_with_the_whole_address() -> None:
    async with Server(OK) as server:
        proxy = server.url.replace("http://", f"http://me:{PASSWORD}@")
        found = await check("http://far.example:81/v1", proxy=proxy, allow_http=True)
    assert found.failed is None
    (seen,) = server.requests
    assert seen.target == "http://far.example:81/"
    assert seen.headers["proxy-authorization"].startswith("Basic ")


@pytest.mark.parametrize("address", ["https://far.example", "http://far.example"])
async def test_a_proxy_that_wants_a_password_is_named(address: str) -> None:
    async with Server(make_response(407)) as server:
        found = await check(address, proxy=server.url, allow_http=True)
    assert found.failed == "proxy"
    assert found.problem == "no connection to the proxy 127.0.0.1: it refuses with status 407 and needs a password"


async def test_a_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:{PASSWORD}@127.0.0.1:1")
    found = await check("https://far.example")
    assert (found.failed, found.proxy) == ("proxy", "http://127.0.0.1:1")
    assert found.problem == "no connection to the proxy 127.0.0.1: Connection refused"
    assert found.remedy
    assert "HTTPS_PROXY" in found.remedy


async def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"socks5://me:{PASSWORD}@proxy.example")
    found = await check("https://far.example")
    assert found.failed == "proxy"
    assert found.problem
    assert found.problem.startswith("the proxy in HTTPS_PROXY is a SOCKS proxy")
