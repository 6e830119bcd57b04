"""Requests that the sandbox refuses: for unknown hosts, and changes by pages of other origins."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from http_client import PROVIDER_REQUESTS, Send

from kellyapi import KellyAPI, PermissionDeniedError, Sandbox

KEY = {"x-api-key": "key", "Content-Type": "application/json"}
LOOPBACK = ["localhost", "LOCALHOST", "localhost.", "app.localhost", "127.0.0.1", "127.9.9.9", "[::1]"]
STRANGERS = [
    "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:80", "10.0.0.1", "0.0.0.0",
    "[::2]", "evil@localhost", "localhost:evil", "localhost/evil", "localhost:1:2", "", "sandbox", "[localhost]",
    "localhost:65536",
]  # fmt: skip


async def exchange(port: int, head: str, body: bytes = b"") -> tuple[int, dict[str, str], Any]:
    """Send a request byte by byte as it is given, and return status, headers and JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode("latin-1") + body)
    first, _, data = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    line, *rest = first.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    return int(line.split()[1]), headers, json.loads(data) if data else None


def head_of(method: str, path: str, host: str, **headers: str) -> str:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines)


@pytest.mark.parametrize("host", LOOPBACK)
@pytest.mark.parametrize("port", ["", ":80", ":65535"])
async def test_names_and_addresses_of_this_machine_are_answered_at_any_port(
    sandbox: Sandbox, host: str, port: str
) -> None:
    status, _, models = await exchange(sandbox.port, head_of("GET", "/v1/models", host + port, **KEY))
    assert (status, models[0]["namespace"]) == (200, "truefusion")


@pytest.mark.parametrize("host", STRANGERS)
@pytest.mark.parametrize("provider", PROVIDER_REQUESTS)
async def test_another_host_is_refused_in_the_form_of_the_provider(sandbox: Sandbox, provider: str, host: str) -> None:
    method, path, key = PROVIDER_REQUESTS[provider]
    status, headers, body = await exchange(sandbox.port, head_of(method, path, host, **key))
    assert status == 403
    assert "Access-Control-Allow-Origin" not in headers
    read = {
        "kelly": lambda: body["detail"],
        "khaya": lambda: body["message"],
        "skytells": lambda: body["error"]["message"],
        "inference": lambda: body["error"]["message"],
        "aerostack": lambda: body["message"],
    }
    assert "--allow-host" in read[provider]()


async def test_an_output_is_not_given_to_another_host(sandbox: Sandbox) -> None:
    assert (await exchange(sandbox.port, head_of("GET", "/delivery/x.png", "evil.example")))[0] == 403


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("hosts", ["", "\r\nHost: evil.example\r\nHost: localhost"])
async def test_a_request_without_a_host_or_with_two_is_refused(sandbox: Sandbox, hosts: str, version: str) -> None:
    head = f"GET /v1/models HTTP/{version}\r\nx-api-key: key{hosts}"
    reader, writer = await asyncio.open_connection("127.0.0.1", sandbox.port)
    writer.write(f"{head}\r\n\r\n".encode())
    assert (await reader.readline()).split()[1] in (b"400", b"403")  # aiohttp itself refuses most of them
    writer.close()


async def test_the_host_of_an_absolute_target_counts_too(sandbox: Sandbox) -> None:
    head = head_of("GET", "http://evil.example/v1/models", "localhost", **KEY)
    assert (await exchange(sandbox.port, head))[0] == 403
    assert (await exchange(sandbox.port, head.replace("evil.example", "localhost")))[0] == 200


@pytest.mark.parametrize("origin", ["http://localhost:8787", "http://LOCALHOST:8787"])
async def test_a_page_of_the_same_origin_changes_things(sandbox: Sandbox, origin: str) -> None:
    head = head_of("POST", "/v1/predict", "localhost:8787", Origin=origin, **KEY)
    assert (await exchange(sandbox.port, head, b"{}"))[0] == 422


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost:3000", "http://localhost", "null", "", "file://", "x://localhost:8787",
     "http://localhost:8787.evil.example", "http://evil@localhost:8787", "http://127.0.0.1:8787"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/predict"), ("DELETE", "/v1/predictions/a"), ("POST", "/v1/predictions/a/cancel")]
)
async def test_a_page_of_another_origin_changes_nothing(sandbox: Sandbox, method: str, path: str, origin: str) -> None:
    head = head_of(method, path, "localhost:8787", Origin=origin, **KEY)
    status, headers, body = await exchange(sandbox.port, head, b"{}")
    assert (status, body["error"]["error_id"]) == (403, "FORBIDDEN")
    assert not any(name.startswith("access-control") for name in headers)


async def test_a_page_of_another_origin_may_read_nothing_that_it_gets(sandbox: Sandbox) -> None:
    head = head_of("GET", "/v1/models", "localhost:8787", Origin="http://evil.example", **KEY)
    status, headers, _ = await exchange(sandbox.port, head)
    assert status == 200
    assert not any(name.startswith("access-control") for name in headers)


async def test_a_preflight_is_not_answered(sandbox: Sandbox) -> None:
    head = head_of("OPTIONS", "/v1/predict", "localhost", Origin="http://evil.example", **KEY)
    status, headers, _ = await exchange(sandbox.port, head)
    assert status == 405
    assert not any(name.startswith("access-control") for name in headers)


async def test_a_stranger_does_not_use_up_a_fault_and_is_recorded(sandbox: Sandbox) -> None:
    sandbox.fail_next("/v1/models", status=500)
    assert (await exchange(sandbox.port, head_of("GET", "/v1/models", "evil.example", **KEY)))[0] == 403
    assert len(sandbox.faults) == 1
    assert sandbox.requests[-1].status == 403


@pytest.mark.parametrize("host", ["sandbox", "Sandbox:8787", "sandbox.", "10.1.2.3:1", "[2001:db8:0::7]:2"])
async def test_allowed_hosts_are_answered(host: str) -> None:
    async with Sandbox(allow_hosts=["sandbox", "10.1.2.3", "2001:db8::7"]) as sandbox:
        assert (await exchange(sandbox.port, head_of("GET", "/v1/models", host, **KEY)))[0] == 200
        assert (await exchange(sandbox.port, head_of("GET", "/v1/models", f"x{host}", **KEY)))[0] == 403


@pytest.mark.parametrize("argument", ["allow_hosts", "webhook_hosts"])
@pytest.mark.parametrize(
    ("hosts", "error"),
    [("sandbox", TypeError), ([1], TypeError), (["sandbox:80"], ValueError), (["http://sandbox"], ValueError),
     (["*"], ValueError), ([""], ValueError), (["a b"], ValueError), (["[::1]:80"], ValueError)],
)  # fmt: skip
def test_what_is_no_host_is_refused(argument: str, hosts: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match=argument):
        Sandbox(**{argument: hosts})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "sandbox"])
def test_an_address_for_other_machines_needs_an_allowed_host(host: str) -> None:
    with pytest.raises(ValueError, match=r"allow_hosts=\['sandbox'\] or --allow-host"):
        Sandbox(host=host)
    assert Sandbox(host=host, allow_hosts=["sandbox"])


@pytest.mark.parametrize(("host", "own"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
async def test_the_clients_of_a_sandbox_on_all_addresses_use_this_machine(
    host: str, own: str, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Sandbox(host=host, allow_hosts=["sandbox"], prediction_time=0, keep_engines=True) as sandbox:
        assert sandbox.url == f"http://{own}:{sandbox.port}"
        async with sandbox.api() as api:
            assert str(await api.translate("Good morning", "en-tw")) == "Maakye"
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        async with KellyAPI() as api:
            assert str(await api.translate("Good morning", "en-tw")) == "Maakye"
        headers = {**KEY, "Host": f"sandbox:{sandbox.port}"}
        assert (await send("GET", "/v1/models", url=sandbox.url, headers=headers)).status == 200


def test_an_address_of_its_own_is_allowed_and_its_environment_permits_http() -> None:
    sandbox = Sandbox(8787, host="10.1.2.3", allow_hosts=["sandbox"])
    assert sandbox.url == "http://10.1.2.3:8787"
    assert sandbox.environment["KHAYA_ALLOW_HTTP"] == "1"
    assert sandbox.api().khaya._connection.problem is None
    assert "KHAYA_ALLOW_HTTP" not in Sandbox(8787).environment


async def test_the_client_shows_why_it_is_refused() -> None:
    async with Sandbox() as sandbox, sandbox.api(headers={"Host": "evil.example"}) as api:
        with pytest.raises(PermissionDeniedError, match=r"evil\.example.*--allow-host"):
            await api.skytells.models.list()
