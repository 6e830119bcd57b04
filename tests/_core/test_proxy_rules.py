"""Which proxy a request goes through, as in Go's `httpproxy`, and which proxies are refused: pure rules."""

from __future__ import annotations

import base64
import os
import traceback

import pytest
from servers import KEY, OK, Server, Shop, asked
from yarl import URL

from kellyapi import ConfigurationError, KellyAPI, Khaya
from kellyapi._core.proxies import EnvironmentProxies, proxy_problem, split_proxy

PROXY = "http://proxy.example:3128"
PASSWORD = "pass-word-of-the-proxy"


def find(address: str, **variables: str) -> str | None:
    url = URL(address)
    return EnvironmentProxies.read(variables).find(url.scheme, url.host or "", url.explicit_port)


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "a:1"}, "a:1", None),
        ({"HTTPS_PROXY": "a:1"}, None, "a:1"),
        ({"http_proxy": "a:1", "https_proxy": "b:1"}, "a:1", "b:1"),
        ({"HTTP_PROXY": "a:1", "http_proxy": "b:1"}, "a:1", None),
        ({"HTTP_PROXY": "", "http_proxy": "b:1"}, "b:1", None),
        ({"HTTP_PROXY": "  ", "ALL_PROXY": "b:1"}, "b:1", "b:1"),
        ({"HTTPS_PROXY": "a:1", "ALL_PROXY": "b:1", "all_proxy": "c:1"}, "b:1", "a:1"),
        ({"all_proxy": " c:1 "}, "c:1", "c:1"),
        ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"HTTP_PROXY": "a:1", "http_proxy": "b:1", "REQUEST_METHOD": "GET"}, "b:1", None),
        ({"HTTPS_PROXY": "a:1", "REQUEST_METHOD": "GET"}, None, "a:1"),
        ({"HTTP_PROXY": "a:1", "REQUEST_METHOD": ""}, "a:1", None),
    ],
)
def test_each_scheme_has_its_variable_in_both_cases(
    variables: dict[str, str], http: str | None, https: str | None
) -> None:
    assert find("http://far.example", **variables) == http
    assert find("https://far.example", **variables) == https


@pytest.mark.parametrize(
    ("exempt", "url", "direct"),
    [
        ("", "https://far.example", False),
        (",, ,", "https://far.example", False),
        ("*", "https://far.example", True),
        ("a.example, *", "https://[2001:db8::1]:99", True),
        ("far.example", "https://far.example", True),
        ("FAR.Example", "https://far.EXAMPLE", True),
        ("far.example", "https://far.example.", True),
        ("far.example.", "https://far.example", True),
        ("far.example", "https://api.far.example", True),
        ("far.example", "https://notfar.example", False),
        ("far.example", "https://far.example.org", False),
        (".far.example", "https://far.example", False),
        (".far.example", "https://api.far.example", True),
        ("*.far.example", "https://api.far.example", True),
        ("*.far.example", "https://far.example", False),
        ("a.example,b.example , far.example", "https://far.example", True),
        ("a.example far.example", "https://far.example", True),
        ("far.example:443", "https://far.example", True),
        ("far.example:443", "https://far.example:8443", False),
        ("far.example:8443", "https://far.example:8443", True),
        ("far.example:80", "http://far.example", True),
        (".far.example:8443", "https://api.far.example:8443", True),
        (":443", "https://far.example", False),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3", "https://10.1.2.33", False),
        ("10.1.2.3:443", "https://10.1.2.3", True),
        ("10.1.2.3:443", "https://10.1.2.3:8443", False),
        ("10.0.0.0/8", "https://10.200.0.1:8443", True),
        ("10.0.0.7/8", "https://10.200.0.1", True),
        ("10.0.0.0/8", "https://11.0.0.1", False),
        ("10.0.0.0/8", "https://10.example", False),
        ("10.0.0.0/99", "https://10.0.0.1", False),
        ("2001:db8::1", "https://[2001:db8::1]", True),
        ("2001:db8::1", "https://[2001:DB8:0::1]", True),
        ("[2001:db8::1]", "https://[2001:db8::1]:8443", True),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", True),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]", False),
        ("2001:db8::/32", "https://[2001:db8:1::1]", True),
        ("2001:db8::/32", "https://[2001:db9::1]", False),
        ("10.1.2.3", "https://[::ffff:10.1.2.3]", True),
        ("10.0.0.0/8", "https://[::ffff:10.1.2.3]", True),
    ],
)
def test_no_proxy_exempts_names_addresses_ranges_and_ports(exempt: str, url: str, direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        assert find(url, ALL_PROXY=PROXY, **{name: exempt}) == (None if direct else PROXY)


def test_the_upper_case_no_proxy_comes_first() -> None:
    both = {"ALL_PROXY": PROXY, "NO_PROXY": "far.example", "no_proxy": "near.example"}
    assert find("https://far.example", **both) is None
    assert find("https://near.example", **both) == PROXY


@pytest.mark.parametrize(
    "host", ["localhost", "api.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_never_reached_through_a_proxy(host: str) -> None:
    assert find(f"http://{host}:8787", ALL_PROXY=PROXY) is None
    assert find(f"https://{host}", ALL_PROXY="socks5://proxy.example") is None


@pytest.mark.parametrize(
    ("proxy", "address", "login"),
    [
        ("http://a.example:1", "http://a.example:1", None),
        ("a.example:1", "http://a.example:1", None),
        ("a.example", "http://a.example", None),
        ("10.1.2.3:3128", "http://10.1.2.3:3128", None),
        ("[::1]:1", "http://[::1]:1", None),
        ("user:word@a.example:1", "http://a.example:1", b"user:word"),
        ("HTTP://a.example:1/", "http://a.example:1", None),
        ("http://user:word@a.example:1", "http://a.example:1", b"user:word"),
        ("https://user@a.example", "https://a.example", b"user:"),
        ("http://us%40er:w%2Fo%3Ard@[::1]:1", "http://[::1]:1", b"us@er:w/o:rd"),
        ("http://user:a+b%20c%25@a.example", "http://a.example", b"user:a+b c%"),
        ("http://user:%E9@a.example", "http://a.example", b"user:\xe9"),
        ("http://:word@a.example", "http://a.example", b":word"),
        ("http://\u025b:w\u025b@a.example", "http://a.example", "\u025b:w\u025b".encode()),
    ],
)
def test_a_proxy_is_read_with_and_without_scheme_and_its_login_becomes_a_header(
    proxy: str, address: str, login: bytes | None
) -> None:
    assert proxy_problem(proxy) is None
    found, headers = split_proxy(proxy)
    assert found == address
    sent = [base64.b64decode(value.removeprefix("Basic ")) for value in headers.values()]
    assert sent == ([] if login is None else [login])
    assert not [value for value in headers.values() if value in repr(headers)]


UNUSABLE = {
    f"socks5://user:{PASSWORD}@a.example:1080": "SOCKS",
    f"socks5h://user:{PASSWORD}@a.example": "SOCKS",
    f"SOCKS://user:{PASSWORD}@a.example": "SOCKS",
    f"socks4a://user:{PASSWORD}@a.example": "SOCKS",
    f"ftp://user:{PASSWORD}@a.example": "ftp://",
    f"file:///{PASSWORD}": "file://",
    f"http://user:{PASSWORD}@[::1": "malformed",
    f"http://user:{PASSWORD}@a.example:port": "malformed",
    f"http://user:{PASSWORD}@a.example:99999": "malformed",
    f"http://user:{PASSWORD}@a.example:0": "malformed",
    f"http://user:{PASSWORD}@": "malformed",
    f"http://user:{PASSWORD}#@a.example": "malformed",
    f"http://user:{PASSWORD}@a. example": "malformed",
    f"http://user:{PASSWORD}@a\x00.example": "malformed",
    f"user:{PASSWORD}@a.example:-1": "malformed",
    "http://": "malformed",
    "://a.example": "://",
}


def shown(error: BaseException) -> str:
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    trace.stack[:] = [frame for frame in trace.stack if frame.filename != __file__]
    return "".join(trace.format())


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize(("proxy", "problem"), UNUSABLE.items())
async def test_an_unusable_proxy_of_the_environment_is_named_without_its_password(
    proxy: str, problem: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {**os.environ, name: proxy})  # which takes no null byte
    async with Shop(KEY, base_url="https://far.example") as shop:
        with pytest.raises(ConfigurationError, match=f"the proxy in {name} ") as caught:
            await shop.buy()
    assert problem in str(caught.value)
    assert not caught.value.outcome_unknown
    assert PASSWORD not in shown(caught.value)
    assert KEY not in shown(caught.value)


@pytest.mark.parametrize("make", [Khaya, KellyAPI])
@pytest.mark.parametrize(("proxy", "problem"), UNUSABLE.items())
def test_an_unusable_proxy_option_is_refused_without_its_password(make: type, proxy: str, problem: str) -> None:
    with pytest.raises(ValueError, match="the proxy ") as caught:
        make(KEY, proxy=proxy)
    assert problem in str(caught.value)
    assert PASSWORD not in shown(caught.value)


async def test_an_unusable_proxy_does_not_affect_requests_that_do_not_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://a.example")
    async with asked(OK) as (shop, server):
        await shop.look()
        assert len(server.requests) == 1


async def test_the_environment_is_read_for_each_client(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Server(OK) as first, Server(OK) as second:
        for proxy in (first, second):
            monkeypatch.setenv("http_proxy", proxy.url)
            async with Shop(KEY, base_url="http://far.example", allow_http=True) as shop:
                await shop.look()
                monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
                await shop.with_options(timeout=5).look()
        assert (len(first.requests), len(second.requests)) == (2, 2)


async def test_an_option_without_a_scheme_is_an_http_proxy() -> None:
    async with Server(OK) as proxy:
        option = proxy.url.removeprefix("http://")
        async with Shop(KEY, base_url="http://far.example", allow_http=True, proxy=option) as shop:
            await shop.look()
        assert [seen.target for seen in proxy.requests] == ["http://far.example/look"]
