"""`client.request`: a request to any path of a provider, sent like every call."""

from __future__ import annotations

import json
import re
import traceback
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from servers import KEY, OK, Server, Shop, asked, make_response, reset

from kellyapi import DecodingError, Kelly, NotFoundError, Prediction, Response, ServerError, TransportError
from kellyapi._core.raw_requests import METHODS
from kellyapi.errors import ConfigurationError


async def test_the_key_and_the_headers_of_the_client_are_sent() -> None:
    async with asked(OK, headers={"X-Trace": "a", "X-Other": "b"}) as (shop, server):
        await shop.request("get", "stock", headers={"x-trace": "c"})
        (seen,) = server.requests
        assert (seen.method, seen.target) == ("GET", "/stock")
        sent = {name: seen.headers.get(name) for name in ("x-key", "x-trace", "x-other")}
        assert sent == {"x-key": f"Key {KEY}", "x-trace": "c", "x-other": "b"}


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/a/b", None, "/a/b"),
        ("a", None, "/a"),
        ("/", None, "/"),
        ("/kofi@home:8/a,b;c", None, "/kofi@home:8/a,b;c"),
        ("/with space/ɛ/a%2Fb/100%", None, "/with%20space/%C9%9B/a%2Fb/100%25"),
        ("/a?x=1&y=", {"z": "&"}, "/a?x=1&y=&z=%26"),
        (
            "/a",
            {"n": 5, "f": 0.5, "on": True, "none": None, "many": ["a", 2, False]},
            "/a?n=5&f=0.5&on=true&many=a&many=2&many=false",
        ),
        ("/a", {"none": None}, "/a"),
    ],
)
async def test_paths_and_queries_are_encoded(path: str, query: Any, target: str) -> None:
    async with asked(OK) as (shop, server):
        await shop.request("GET", path, query=query)
        assert server.requests[0].target == target


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/a",
        "HTTP:/a",
        "javascript:alert(1)",
        "//evil.example/a",
        "/\\evil.example",
        "\\\\evil.example",
        "%2f%2fevil.example",
        "..",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/%252e%252e/b",
        "/a/..;/b",
        "/a\\..\\b",
        "/./a",
        "/a#b",
        " /a",
        "/a\n",
        "/a\x00",
        "/\ud800",
        "",
        " ",
    ],
)
@pytest.mark.parametrize("method", ["request", "stream"])
async def test_a_path_to_anywhere_else_is_refused_before_anything_is_sent(path: str, method: str) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ValueError, match=r"\bpath\b"):
            await send(shop, method, "GET", path)
        assert server.connections == 0


@pytest.mark.parametrize("name", ["X-Key", "x-KEY", "Authorization", "authorization"])
@pytest.mark.parametrize("method", ["request", "stream"])
async def test_headers_that_carry_the_key_are_refused(name: str, method: str) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ValueError, match=rf"headers must not have '{name}', which carries the key") as caught:
            await send(shop, method, "GET", "/a", headers={name: "my-secret-value"})
        shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
        ours = [line for line in shown.format() if "kellyapi" in line]
        assert ours
        assert "my-secret-value" not in "".join(ours)
        assert server.connections == 0


@pytest.mark.parametrize("headers", [{"Host": "a"}, {"content-length": "1"}, {"A": "\n"}, {"A b": "c"}])
async def test_headers_that_would_break_the_request_are_refused(headers: dict[str, str]) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ValueError, match="headers must"):
            await shop.request("GET", "/a", headers=headers)
        assert server.connections == 0


@pytest.mark.parametrize("method", ["request", "stream"])
@pytest.mark.parametrize("bodies", [{"json": 0, "form": {}}, {"form": {}, "data": b"a"}, {"json": [], "data": b"a"}])
async def test_a_request_has_one_body(method: str, bodies: dict[str, Any]) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ValueError, match=f"one body: pass {' or '.join(bodies)}"):
            await send(shop, method, "POST", "/a", **bodies)
        assert server.connections == 0


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "", "GET ", "BREW"])
async def test_an_unknown_method_is_refused(method: str) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ValueError, match="method must be one of GET, HEAD"):
            await shop.request(method, "/a")
        assert server.connections == 0


@pytest.mark.parametrize("value", [{"a": 1}, [], 0, False, ""])
async def test_json_is_sent_whatever_its_value_is(value: Any) -> None:
    async with asked(OK) as (shop, server):
        await shop.request("PUT", "/a", json=value)
        (seen,) = server.requests
        assert (json.loads(seen.body), seen.headers["content-type"]) == (value, "application/json")


async def test_a_body_has_the_content_type_that_was_passed() -> None:
    async with asked(OK) as (shop, server):
        await shop.request("PATCH", "/a", json={}, headers={"content-type": "application/merge-patch+json"})
        await shop.request("POST", "/a", data=b"a,b", headers={"content-type": "text/csv"})
        assert [seen.headers["content-type"] for seen in server.requests] == [
            "application/merge-patch+json",
            "text/csv",
        ]


async def test_data_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\nrest")
    async with asked(OK) as (shop, server):
        await shop.request("POST", "/a", data=file)
        await shop.request("POST", "/a", data=BytesIO(b"of a file"))
        await shop.request("POST", "/a", data=iter([b"pie", b"ces"]))
        assert [bytes(seen.body) for seen in server.requests] == [file.read_bytes(), b"of a file", b"pieces"]
        assert server.requests[0].headers["content-type"] == "image/png"


async def test_a_form_has_texts_numbers_and_files(tmp_path: Path) -> None:
    file = tmp_path / "fox.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\nrest")
    async with asked(OK) as (shop, server):
        await shop.request(
            "POST", "/a", form={"text": "ɛ", "n": 5, "on": True, "none": None, "raw": b"b", "file": file}
        )
        (seen,) = server.requests
        assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
        text = seen.body.decode(errors="replace")
        names = re.findall(r'name="(\w+)"(?:; filename="([\w.]+)")?', text)
        assert names == [("text", ""), ("n", ""), ("on", ""), ("raw", "raw"), ("file", "fox.png")]
        assert all(f"\r\n\r\n{value}\r\n" in text for value in ("ɛ", "5", "true", "b"))
        assert "Content-Type: image/png" in text


@frozen
class Thing:
    """What a user reads a response into."""

    name: str
    count: int = 0


@pytest.mark.parametrize(
    ("into", "body", "result"),
    [
        (object, b'{"name": "a"}', {"name": "a"}),
        (dict, b'{"name": "a"}', {"name": "a"}),
        (dict[str, str], b'{"name": "a"}', {"name": "a"}),
        (list, b"[1]", [1]),
        (list[Thing], b'[{"name": "a"}]', [Thing("a")]),
        (tuple[Thing, ...], b'[{"name": "a", "count": 2}]', (Thing("a", 2),)),
        (Thing, b'{"name": "a", "more": 1}', Thing("a")),
        (str, b'"a"', "a"),
        (bytes, b'{"name": "a"}', b'{"name": "a"}'),
        (None, b"<html>", None),
    ],
)
async def test_into_is_what_the_response_becomes(into: Any, body: bytes, result: Any) -> None:
    async with asked(make_response(body=body)) as (shop, _):
        assert await shop.request("GET", "/a", into=into) == result


async def test_a_result_class_has_raw_and_the_id_of_the_request() -> None:
    body = b'{"id": "p1", "status": "succeeded", "new": 1}'
    async with asked(make_response(body=body, X_Request_Id="r1")) as (shop, _):
        found = await shop.request("GET", "/predictions/p1", into=Prediction)
        assert (found.id, found.raw["new"], found.request_id) == ("p1", 1, "r1")


@pytest.mark.parametrize("into", [bytearray, set, tuple[int, str], dict[int, str], "Prediction", 5, Kelly, Path])
@pytest.mark.parametrize("method", ["request", "stream"])
async def test_a_type_that_no_json_can_be_read_into_is_refused(into: Any, method: str) -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(TypeError, match="into must be object for any JSON, bytes"):
            await send(shop, method, "GET", "/a", into=into)
        assert server.connections == 0


async def test_head_and_no_content_have_no_json() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\nX-Count: 7\r\n\r\n"
    nothing = (b"HTTP/1.1 204 No Content\r\n\r\n", make_response(body=b""))
    async with asked(head, head, *nothing, make_response(body=b"")) as (shop, server):
        assert await shop.request("HEAD", "/a") is None
        response = await shop.request("HEAD", "/a", into=Response)
        assert (response.status, response.headers["X-Count"], response.body) == (200, "7", b"")
        for _ in nothing:
            assert await shop.request("DELETE", "/a") is None
        assert [seen.method for seen in server.requests] == ["HEAD", "HEAD", "DELETE", "DELETE"]
        with pytest.raises(DecodingError, match="instead of JSON: nothing"):
            await shop.request("GET", "/a", into=dict[str, str])


async def test_a_part_that_was_asked_for_is_accepted() -> None:
    part = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\nab"
    async with asked(part) as (shop, _):
        assert await shop.request("GET", "/a", headers={"range": "bytes=0-1"}, into=bytes) == b"ab"
        with pytest.raises(DecodingError, match="a part of the response"):
            await shop.request("GET", "/a", into=bytes)


@pytest.mark.parametrize(
    ("method", "options", "attempts"),
    [
        ("GET", {}, 2),
        ("HEAD", {}, 2),
        ("POST", {}, 1),
        ("DELETE", {}, 1),
        ("OPTIONS", {}, 1),
        ("GET", {"repeatable": False}, 1),
        ("POST", {"repeatable": True}, 2),
        ("PUT", {"repeatable": True, "data": iter([b"once"])}, 1),
    ],
)
async def test_get_and_head_are_repeatable_unless_said_otherwise(
    method: str, options: dict[str, Any], attempts: int
) -> None:
    async with asked(reset, b"HTTP/1.1 204 No Content\r\n\r\n") as (shop, server):
        if attempts == 1:
            with pytest.raises(TransportError) as caught:
                await shop.request(method, "/a", **options)
            assert caught.value.outcome_unknown is not options.get("repeatable", False)
        else:
            await shop.request(method, "/a", **options)
        assert len(server.requests) == attempts


async def test_errors_are_those_of_every_call() -> None:
    async with asked(make_response(404, b'{"problem": "no such fox"}'), make_response(500)) as (shop, _):
        with pytest.raises(NotFoundError, match="no such fox") as caught:
            await shop.request("POST", "/a", into=bytes)
        assert (caught.value.provider, caught.value.outcome_unknown) == ("shop", False)
        with pytest.raises(ServerError) as failed:
            await shop.request("POST", "/a")
        assert failed.value.outcome_unknown


async def test_the_limit_of_a_response_holds() -> None:
    async with asked(make_response(body=b"x" * 2000), max_response_bytes=1000) as (shop, _):
        with pytest.raises(DecodingError, match="too large"):
            await shop.request("GET", "/a", into=bytes)


async def test_without_a_key_nothing_is_sent() -> None:
    async with asked(OK) as (shop, server):
        with pytest.raises(ConfigurationError, match="blank"):
            await shop.with_access(api_key=" ").request("GET", "/a")
        assert server.connections == 0


async def send(shop: Any, method: str, *arguments: Any, **options: Any) -> None:
    if method == "request":
        await shop.request(*arguments, **options)
    else:
        async with shop.stream(*arguments, **options) as pieces:
            async for _ in pieces:
                pass


@pytest.mark.parametrize("method", METHODS)
async def test_nothing_is_resent_silently_on_a_reused_connection_of_a_users_session(method: str) -> None:
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with aiohttp.ClientSession() as session, Server(nothing, reset, nothing) as server:
        shop = Shop(KEY, base_url=server.url, session=session)
        await shop.request(method, "/a", repeatable=False)
        with pytest.raises(TransportError):
            await shop.request(method, "/a", repeatable=False)
        assert len(server.requests) == 2
