"""Proxies on real sockets: which requests use one, what it receives, and what happens if it fails.

Which proxy a host has is a pure rule, see test_proxy_rules.py.
"""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from servers import AT_ONCE, KEY, OK, Exchange, Script, Server, Shop, asked, cut, hang, make_response, reset

from kellyapi import NO_RETRY, KellyAPIError, RequestTimeoutError, Timeout, TransportError

from .relay import Relay

FAR = "http://far.example"
FAR_TLS = "https://far.example"
LOGIN, PASSWORD = "somebody", "correct horse/battery@staple"
BASIC = "Basic " + base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()

CALLS = 300
BRIEF = Timeout(connect=0.1)
"""Only this timeout shows asyncio that a tunnel closed during its handshake."""


def with_password(url: str) -> str:
    return url.replace("http://", f"http://{LOGIN}:correct%20horse%2Fbattery%40staple@")


def set_environment(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


class Tunnel:
    """Opens a tunnel, keeps the first bytes from it, and closes it."""

    def __init__(self) -> None:
        self.first = b""

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self.first = await exchange.reader.read(2**16)


async def test_hundreds_of_calls_at_once_go_through_a_proxy_on_a_tenth_of_the_connections() -> None:
    async with Relay() as proxy, Server(OK) as server:
        async with Shop(KEY, base_url=server.url, proxy=proxy.url, max_connections=CALLS // 10) as shop:
            calls = (shop.buy() if number % 2 else shop.look(f"/{number}") for number in range(CALLS))
            assert await asyncio.gather(*calls) == [{}] * CALLS
        assert (len(server.requests), server.connections, proxy.connections) == (CALLS, CALLS // 10, CALLS // 10)
        assert set(proxy.opened) == {urlsplit(server.url).netloc}
        assert {seen.target.rpartition("/")[0] for seen in server.requests} == {server.url}  # no request bypassed it
        await server.until(lambda: server.open == 0)


@pytest.mark.parametrize("given", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "option"])
async def test_https_goes_through_a_tunnel_that_learns_neither_key_nor_path(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tunnel = Tunnel()
    async with Server(tunnel) as proxy:
        if given != "option":
            set_environment(monkeypatch, **{given: proxy.url})
        option = {"proxy": proxy.url} if given == "option" else {}
        async with Shop(KEY, base_url=FAR_TLS, retry=NO_RETRY, timeout=BRIEF, **option) as shop:
            with pytest.raises(TransportError) as caught:
                await shop.look("/private")
        assert [(seen.method, seen.target) for seen in proxy.requests] == [("CONNECT", "far.example:443")]
        assert tunnel.first[:1] == b"\x16"  # a TLS handshake: https://www.rfc-editor.org/rfc/rfc8446#section-5.1
        received = repr([seen.headers for seen in proxy.requests])
        assert KEY not in received
        assert "private" not in received
        assert KEY.encode() not in tunnel.first
        assert not caught.value.outcome_unknown


@pytest.mark.parametrize("http", ["http_proxy", "all_proxy"])
@pytest.mark.parametrize("exempt", ["far.example", ".example", "*", "a.example,far.example"])
async def test_a_host_in_no_proxy_is_requested_directly(
    http: str, exempt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(OK) as proxy:
        set_environment(monkeypatch, **{http: proxy.url, "no_proxy": exempt})
        async with Shop(KEY, base_url=FAR, allow_http=True, retry=AT_ONCE) as shop:
            with pytest.raises(TransportError):  # .example has no addresses: RFC 2606
                await shop.look()
        assert (proxy.requests, proxy.connections) == ([], 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_requested_directly_unless_the_option_says_otherwise(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(OK) as proxy, Server(OK) as server:
        set_environment(monkeypatch, http_proxy=proxy.url, all_proxy=proxy.url)
        url = server.url.replace("127.0.0.1", host)
        async with Shop(KEY, base_url=url) as shop:
            await shop.look()
            await shop.download(f"{url}/file")
            async with shop.listen() as stream:
                assert [piece async for piece in stream]
            assert proxy.connections == 0
            await shop.with_options(proxy=proxy.url).look()
            assert [seen.target for seen in proxy.requests] == [f"{url}/look"]


@pytest.mark.parametrize("given", ["environment", "option"])
async def test_the_password_of_a_proxy_goes_only_to_the_proxy(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as proxy, Server(OK) as server:
        url = with_password(proxy.url)
        if given == "environment":
            set_environment(monkeypatch, http_proxy=url, https_proxy=url)
        option = {"proxy": url} if given == "option" else {}
        async with Shop(KEY, base_url=FAR, allow_http=True, **option) as shop:
            await shop.look()
        assert proxy.requests[0].headers["proxy-authorization"] == BASIC
        assert "authorization" not in proxy.requests[0].headers
        async with Shop(KEY, base_url=server.url) as shop:
            await shop.look()
        assert "proxy-authorization" not in server.requests[0].headers


async def test_the_password_opens_a_tunnel_and_does_not_go_through_it() -> None:
    tunnel = Tunnel()
    async with Server(tunnel) as proxy:
        async with Shop(KEY, base_url=FAR_TLS, retry=NO_RETRY, timeout=BRIEF, proxy=with_password(proxy.url)) as shop:
            with pytest.raises(TransportError):
                await shop.look()
        assert proxy.requests[0].headers["proxy-authorization"] == BASIC
        assert tunnel.first


FAILURES: dict[str, tuple[Script, type[KellyAPIError]]] = {
    "refuses": (cut(make_response(407, b"no", Proxy_Authenticate="Basic")), TransportError),
    "forbids": (cut(make_response(403, b"no")), TransportError),
    "cannot reach it": (cut(make_response(502, b"no")), TransportError),
    "resets": (reset, TransportError),
    "closes": (cut(b""), TransportError),
    "is no proxy": (cut(b"SSH-2.0\r\n\r\n"), TransportError),
    "hangs": (hang, RequestTimeoutError),
}


@pytest.mark.parametrize("failure", FAILURES)
async def test_a_tunnel_that_is_not_opened_is_a_transport_error_and_leaves_nothing_open(failure: str) -> None:
    script, kind = FAILURES[failure]
    async with Server(script) as proxy:
        async with Shop(KEY, base_url=FAR_TLS, retry=AT_ONCE, proxy=proxy.url, timeout=0.2) as shop:
            with pytest.raises(kind) as caught:
                await shop.buy()
            assert isinstance(caught.value, TransportError)
            assert not caught.value.sent
            assert not caught.value.outcome_unknown
            assert f"the proxy {proxy.url}: " in str(caught.value)
            await proxy.until(lambda: proxy.open == 0)
        assert 1 <= len(proxy.requests) <= AT_ONCE.attempts
        assert KEY not in repr([seen.headers for seen in proxy.requests])


@pytest.mark.parametrize("status", [407, 502])
async def test_an_error_response_of_the_proxy_to_plain_http_is_a_status_error(status: int) -> None:
    async with Server(make_response(status, b"<title>from the proxy</title>", "text/html")) as proxy:
        async with Shop(KEY, base_url=FAR, allow_http=True, retry=AT_ONCE, proxy=proxy.url) as shop:
            with pytest.raises(KellyAPIError, match="from the proxy") as caught:
                await shop.buy()
        assert caught.value.status == status  # type: ignore[attr-defined]  # a StatusError
        assert len(proxy.requests) == 1


@pytest.mark.parametrize("url", [FAR, FAR_TLS])
async def test_an_unreachable_proxy_is_an_error_before_anything_was_sent(url: str, unused_tcp_port: int) -> None:
    proxy = f"http://127.0.0.1:{unused_tcp_port}"
    async with Shop(KEY, base_url=url, allow_http=True, retry=AT_ONCE, proxy=proxy) as shop:
        with pytest.raises(TransportError) as caught:
            await shop.buy()
        assert not caught.value.sent
        assert not caught.value.outcome_unknown


async def test_no_netrc_is_read_for_the_server_nor_for_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".netrc", "_netrc"):
        path = tmp_path / name
        path.write_text("".join(f"machine {host} login somebody password secret\n"
                                for host in ("127.0.0.1", "localhost", "far.example")))  # fmt: skip
        path.chmod(0o600)
    async with Server(OK) as proxy, Server(OK) as server:
        set_environment(monkeypatch, HOME=str(tmp_path), USERPROFILE=str(tmp_path), http_proxy=proxy.url)
        monkeypatch.delenv("NETRC", raising=False)
        for url in (server.url, FAR):
            async with Shop(KEY, base_url=url, allow_http=True) as shop:
                await shop.look()
        for seen in (*server.requests, *proxy.requests):
            assert not {"authorization", "proxy-authorization"} & set(seen.headers)
        assert (len(server.requests), len(proxy.requests)) == (1, 1)


async def test_the_proxy_of_the_environment_is_used_except_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as proxy, Server(OK) as server:
        for name, value in {"http_proxy": proxy.url, "no_proxy": "direct.example"}.items():
            monkeypatch.setenv(name, value)
        async with Shop(KEY, base_url="http://far.example/base", allow_http=True) as shop:
            await shop.look()
        async with Shop(KEY, base_url=server.url) as shop:
            await shop.look()
        assert [seen.target for seen in proxy.requests] == ["http://far.example/base/look"]
        assert [seen.target for seen in server.requests] == ["/look"]


async def test_the_option_replaces_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as proxy:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        async with Shop(KEY, base_url="http://far.example", allow_http=True, proxy=proxy.url) as shop:
            await shop.look()
        assert [seen.target for seen in proxy.requests] == ["http://far.example/look"]


async def test_netrc_is_never_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with asked(OK) as (shop, server):
        await shop.look()
        assert "authorization" not in server.requests[0].headers
