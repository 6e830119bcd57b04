"""Faults that a test orders, as they are on the wire, and what the sandbox remembers of the requests."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from attrs import frozen
from http_client import Ask

from kellyapi import (
    NO_RETRY,
    Aerostack,
    DecodingError,
    Fault,
    KellyAPIError,
    NotFoundError,
    RequestTimeoutError,
    Sandbox,
    ServerError,
    StatusError,
    TransportError,
)

KHAYA = {"Ocp-Apim-Subscription-Key": "key"}
ASKED = {"in": "Good morning", "lang": "en-tw"}
ANSWER = b'"Maakye"'
EVERY_PROVIDER = {
    "kelly": ("GET", "/models", {"Authorization": "Bearer key"}),
    "khaya": ("POST", "/v1/translate", KHAYA),
    "skytells": ("POST", "/v1/predictions", {"x-api-key": "key"}),
    "inference": ("POST", "/v1/chat/completions", {"x-api-key": "key"}),
    "aerostack": ("POST", "/v1/cache/get", {"X-Aerostack-Key": "key"}),
}


@frozen
class Heard:
    """All that came over one connection."""

    head: str
    body: bytes
    was_reset: bool

    @property
    def length(self) -> int:
        (line,) = [line for line in self.head.splitlines() if line.lower().startswith("content-length:")]
        return int(line.partition(":")[2])


@pytest.fixture
def listen(sandbox: Sandbox) -> Callable[[], Any]:
    """Have "Good morning" translated over a bare connection that the client does not keep."""

    async def listen() -> Heard:
        reader, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
        body = json.dumps(ASKED).encode()
        head = ["POST /v1/translate HTTP/1.1", "Host: sandbox", "Ocp-Apim-Subscription-Key: key", "Connection: close"]
        writer.write("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        heard, was_reset = bytearray(), False
        try:
            while piece := await reader.read(2**16):
                heard += piece
        except ConnectionResetError:
            was_reset = True
        finally:
            writer.close()
        head, _, body = bytes(heard).partition(b"\r\n\r\n")
        return Heard(head.decode(), body, was_reset)

    return listen


# Answers in place of the service's


@pytest.mark.parametrize(
    ("fault", "status", "header", "body"),
    [
        ({"body": {"a": [1]}}, 200, ("Content-Type", "application/json; charset=utf-8"), b'{"a": [1]}'),
        ({"body": {}}, 200, ("Content-Length", "2"), b"{}"),
        ({"body": "hello"}, 200, ("Content-Type", "text/plain; charset=utf-8"), b"hello"),
        ({"body": b"\x00\x01"}, 200, ("Content-Type", "application/octet-stream"), b"\x00\x01"),
        ({"body": b"", "status": 500}, 500, ("Content-Length", "0"), b""),
        ({"body": [], "status": 418}, 418, ("Content-Length", "2"), b"[]"),
        ({"status": 204}, 204, ("Server", "me"), b""),
        ({"html": "<h1>é</h1>"}, 200, ("Content-Type", "text/html; charset=utf-8"), "<h1>é</h1>".encode()),
        ({"html": "down", "status": 502}, 502, ("Content-Type", "text/html; charset=utf-8"), b"down"),
        ({"redirect_to": "http://127.0.0.1:9/x"}, 307, ("Location", "http://127.0.0.1:9/x"), b""),
        ({"redirect_to": "/x", "status": 302}, 302, ("Location", "/x"), b""),
        ({"body": "{}", "headers": {"Content-Type": "a/b"}}, 200, ("Content-Type", "a/b"), b"{}"),
    ],
)
async def test_a_fault_answers_in_place_of_the_service(
    sandbox: Sandbox, ask: Ask, fault: dict[str, Any], status: int, header: tuple[str, str], body: bytes
) -> None:
    sandbox.fail_next(**{"headers": {"Server": "me"}, **fault})
    got = await ask("POST", "/v1/translate", headers=KHAYA, json=ASKED, allow_redirects=False)
    assert (got.status, got.headers[header[0]], got.body) == (status, header[1], body)
    assert sandbox.requests[-1].status == status
    assert (await ask("POST", "/v1/translate", headers=KHAYA, json=ASKED)).body == ANSWER


@pytest.mark.parametrize(
    ("provider", "status", "said"),
    [
        ("kelly", 500, {"detail": "Internal Server Error"}),
        ("kelly", 401, {"detail": "Invalid API key"}),
        ("khaya", 429, {"statusCode": 429, "message": "Too Many Requests"}),
        ("khaya", 599, {"statusCode": 599, "message": "Status 599"}),
        ("skytells", 402, {"status": False, "response": "Payment Required"}),
        ("aerostack", 503, {"code": "SERVICE_UNAVAILABLE", "message": "Service Unavailable"}),
        ("aerostack", 401, {"code": "AUTH_INVALID_KEY", "message": "Invalid API key"}),
    ],
)
async def test_an_error_is_in_the_words_of_the_system_that_was_asked_even_without_its_key(
    sandbox: Sandbox, ask: Ask, provider: str, status: int, said: dict[str, Any]
) -> None:
    method, path, _ = EVERY_PROVIDER[provider]
    sandbox.fail_next(status=status)
    got = await ask(method, path)
    assert got.status == status
    assert said.items() <= got.json.items()


async def test_the_two_shapes_of_skytells_stay_apart(sandbox: Sandbox, ask: Ask) -> None:
    sandbox.fail_next(status=402, times=2)
    job, chat = [await ask(*EVERY_PROVIDER[name][:2]) for name in ("skytells", "inference")]
    assert job.json["error"]["error_id"] == chat.json["error"]["error_id"] == "INSUFFICIENT_CREDITS"
    assert set(job.json) != set(chat.json)


@pytest.mark.parametrize("provider", EVERY_PROVIDER)
async def test_an_address_that_is_not_there_fails_in_the_words_of_the_key(
    sandbox: Sandbox, ask: Ask, provider: str
) -> None:
    method, path, key = EVERY_PROVIDER[provider]
    sandbox.fail_next(status=500, times=2)
    there, nowhere = await ask(method, path, headers=key), await ask("GET", "/not/there", headers=key)
    assert nowhere.status == 500
    if provider != "inference":  # it shares its key with the other Skytells
        assert set(nowhere.json) == set(there.json) or provider == "khaya"


async def test_a_bomb_is_a_whole_gzip_file_of_its_size(sandbox: Sandbox, listen: Callable[[], Any]) -> None:
    size = 3 * 2**20 + 5
    sandbox.fail_next(gzip_bomb=size)
    heard = await listen()
    assert "content-encoding: gzip" in heard.head.lower()
    assert len(heard.body) == heard.length < size / 500
    assert gzip.decompress(heard.body) == b" " * size


async def test_a_bomb_of_a_tebibyte_begins_at_once(sandbox: Sandbox) -> None:
    size = 2**40
    sandbox.fail_next(gzip_bomb=size)
    async with sandbox.api(retry=NO_RETRY) as api:
        with pytest.raises(DecodingError, match="max_response_bytes"):
            await api.khaya.translate("Good morning", "en-tw")


# The service's own answer, spoiled


@pytest.mark.parametrize("count", [0, 3, len(ANSWER) - 1])
@pytest.mark.parametrize("field", ["cut_after", "reset_after"])
async def test_the_answer_ends_after_its_first_bytes(
    sandbox: Sandbox, listen: Callable[[], Any], field: str, count: int
) -> None:
    sandbox.fail_next(**{field: count})
    heard = await listen()
    assert heard.head.startswith("HTTP/1.1 200 OK")
    assert heard.length == len(ANSWER)
    assert heard.body == ANSWER[:count]
    assert heard.was_reset == (field == "reset_after")
    assert sandbox.requests[-1].status == 200


@pytest.mark.parametrize("off", [7, -3, -len(ANSWER), -1000])
async def test_the_length_is_wrong_by_so_much_but_never_below_nothing(
    sandbox: Sandbox, listen: Callable[[], Any], off: int
) -> None:
    sandbox.fail_next(length_off_by=off)
    heard = await listen()
    assert (heard.length, heard.body) == (max(len(ANSWER) + off, 0), ANSWER)
    assert not heard.was_reset


async def test_a_drip_and_a_delay_take_their_time_and_spoil_nothing(
    sandbox: Sandbox, listen: Callable[[], Any]
) -> None:
    sandbox.fail_next(drip=(3, 0.02), delay=0.05)
    started = time.monotonic()
    heard = await listen()
    assert time.monotonic() - started >= 0.05 + 0.02 * (len(ANSWER) // 3)
    assert (heard.length, heard.body, heard.was_reset) == (len(ANSWER), ANSWER, False)


async def test_a_fault_of_its_own_answer_can_drip_and_be_cut_too(sandbox: Sandbox, listen: Callable[[], Any]) -> None:
    sandbox.fail_next(status=500, body="sorry, no", drip=(2, 0.0), cut_after=5)
    heard = await listen()
    assert heard.head.startswith("HTTP/1.1 500 ")
    assert (heard.length, heard.body) == (len("sorry, no"), b"sorry")


async def test_headers_alone_are_put_on_the_services_answer(sandbox: Sandbox, ask: Ask) -> None:
    many = {f"X-Number-{number}": str(number) for number in range(100)}
    sandbox.fail_next(headers={**many, "content-type": "a/b"})
    got = await ask("POST", "/v1/translate", headers=KHAYA, json=ASKED)
    assert (got.body, got.headers["Content-Type"]) == (ANSWER, "a/b")
    assert many.items() <= dict(got.headers).items()
    assert len(got.headers.getall("Content-Type")) == 1


async def test_a_stream_and_a_file_are_spoiled_like_any_answer(
    fake_engines: None, sandbox: Sandbox, ask: Ask, aerostack: Aerostack
) -> None:
    async def stream() -> bytes:
        asked = {"text": "hello", "language": "eng", "stream": True}
        return (await ask("POST", "/tts/v2/synthesize", headers=KHAYA, json=asked)).body

    data = bytes(range(256)) * 1000
    await aerostack.storage.upload("a.bin", data)

    async def file() -> bytes:
        return (await ask("POST", "/v1/storage/get", headers={"X-Aerostack-Key": "k"}, json={"key": "a.bin"})).body

    for read in (stream, file):
        whole = await read()
        sandbox.fail_next(drip=(2**14, 0.0))
        assert await read() == whole
        sandbox.fail_next(cut_after=len(whole) - 1)
        with pytest.raises(aiohttp.ClientPayloadError):
            await read()
    assert whole == data


async def test_an_answer_of_a_fault_leaves_the_connection_usable(sandbox: Sandbox) -> None:
    reader, writer = await asyncio.open_connection(sandbox.host, sandbox.port)
    for fault in ({"status": 500}, {"drip": (1, 0.0)}, {"delay": 0.001}):
        sandbox.fail_next(**fault)
        writer.write(b"GET /v1/languages HTTP/1.1\r\nHost: sandbox\r\nOcp-Apim-Subscription-Key: key\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        await reader.readexactly(Heard(head, b"", False).length)
    writer.close()


# No answer


async def test_a_reset_and_a_hang_answer_nothing(sandbox: Sandbox, listen: Callable[[], Any]) -> None:
    sandbox.fail_next(reset=True, delay=0.01)
    assert await listen() == Heard("", b"", True)
    assert sandbox.requests[-1].status is None
    sandbox.fail_next(hang=True)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(listen(), 0.1)
    assert sandbox.requests[-1].status is None


async def test_a_sandbox_that_is_closed_lets_go_of_who_hangs(listen: Callable[[], Any], sandbox: Sandbox) -> None:
    sandbox.fail_next(hang=True)
    asking = asyncio.create_task(listen())
    while not sandbox.requests:  # noqa: ASYNC110  the sandbox tells nobody what arrives
        await asyncio.sleep(0)
    await sandbox.close()
    assert (await asking).head == ""


@pytest.mark.parametrize(
    ("fault", "error", "jobs"),
    [
        ({"status": 502}, ServerError, 0),
        ({"reset": True}, TransportError, 0),
        ({"hang": True}, RequestTimeoutError, 0),
        ({"html": "<p>Hello"}, DecodingError, 0),
        ({"status": 502, "carried_out": True}, ServerError, 1),
        ({"reset": True, "carried_out": True}, TransportError, 1),
        ({"hang": True, "carried_out": True}, RequestTimeoutError, 1),
        ({"html": "<p>Hello", "carried_out": True}, DecodingError, 1),
        ({"reset_after": 0}, TransportError, 1),
        ({"cut_after": 10}, TransportError, 1),
    ],
)
async def test_the_work_is_done_only_where_the_fault_says_so_and_the_client_cannot_know(
    sandbox: Sandbox, fault: dict[str, Any], error: type[KellyAPIError], jobs: int
) -> None:
    sandbox.fail_next("POST /v1/predict", **fault)
    async with sandbox.api() as api:
        impatient = api.skytells.with_options(timeout=0.2 if "hang" in fault else None)
        with pytest.raises(error) as caught:
            await impatient.predictions.create("truefusion", {"prompt": "a fox"})
        assert caught.value.outcome_unknown
        assert [request.path for request in sandbox.requests] == ["/v1/predict"]
        assert len((await api.skytells.predictions.list()).items) == jobs


# Which requests, and how often


@pytest.mark.parametrize(
    ("route", "method", "path", "struck"),
    [
        ("*", "GET", "/", True),
        ("/v1/translate", "POST", "/v1/translate", True),
        ("/v1/translate", "POST", "/v1/translate/", False),
        ("/v1/translate", "POST", "/v2/v1/translate", False),
        ("/v1/predictions/*", "GET", "/v1/predictions/a/cancel", True),
        ("/v1/predictions/*", "GET", "/v1/predictions", False),
        ("/v1/predictions/*/cancel", "POST", "/v1/predictions/a/cancel", True),
        ("/v1/predictions/*/cancel", "POST", "/v1/predictions/a", False),
        ("GET /v1/predictions", "GET", "/v1/predictions", True),
        ("GET /v1/predictions", "POST", "/v1/predictions", False),
        ("DELETE *", "DELETE", "/a", True),
        ("DELETE *", "GET", "/a", False),
        ("/a.b[c]", "GET", "/a.b[c]", True),
        ("/a.b", "GET", "/axb", False),
        ("/a*", "GET", "/a\nb", True),
    ],
)
def test_a_route_is_a_path_with_or_without_a_method(route: str, method: str, path: str, struck: bool) -> None:
    assert Fault(route, status=500).matches(method, path) == struck


async def statuses(ask: Ask, count: int, path: str = "/v1/languages") -> list[int]:
    return [(await ask("GET", path, headers=KHAYA)).status for _ in range(count)]


async def test_what_was_ordered_happens_in_order_and_before_what_stands(ask: Ask, sandbox: Sandbox) -> None:
    sandbox.fail_next("/v1/languages", status=501)
    sandbox.fail_next("/elsewhere", status=599)
    sandbox.fail_next(status=502, times=2)
    assert [(fault.status, fault.times) for fault in sandbox.faults] == [(501, 1), (599, 1), (502, 2)]
    assert await statuses(ask, 2) == [501, 502]
    assert [(fault.status, fault.times) for fault in sandbox.faults] == [(599, 1), (502, 1)]
    assert await statuses(ask, 2) == [502, 200]
    sandbox.clear_faults()
    assert sandbox.faults == ()
    assert await statuses(ask, 1, "/elsewhere") == [404]


async def test_standing_faults_go_on_until_their_times_are_over(ask: Ask) -> None:
    sandbox = Sandbox(faults=[Fault(status=501, times=2), Fault("/v1/languages", status=502)])
    sandbox.fail_next(status=503)
    async with sandbox:
        got = [(await ask("GET", "/v1/languages", url=sandbox.url)).status for _ in range(6)]
    assert got == [503, 501, 501, 502, 502, 502]
    assert sandbox.faults == (Fault("/v1/languages", status=502),)


async def test_the_dice_fall_as_the_seed_says(ask: Ask) -> None:
    async def play(seed: int) -> list[int]:
        async with Sandbox(faults=[Fault(status=503, probability=0.3)], seed=seed) as sandbox:
            return [(await ask("GET", "/v1/languages", url=sandbox.url, headers=KHAYA)).status for _ in range(50)]

    first = await play(1)
    assert first == await play(1) != await play(2)
    assert set(first) == {200, 503}


async def test_a_probability_counts_only_the_times_it_struck(ask: Ask, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=503, probability=0.5, times=3)
    assert (await statuses(ask, 40)).count(503) == 3


async def test_a_fault_comes_before_the_key_is_looked_at(ask: Ask, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=503)
    assert [(await ask("GET", "/v1/languages")).status for _ in range(2)] == [503, 401]


# What arrived


async def test_requests_are_remembered_without_their_keys(ask: Ask, sandbox: Sandbox) -> None:
    answered = []
    for provider, (method, path, key) in EVERY_PROVIDER.items():
        secret = {name: value.replace("key", "s3cret") for name, value in key.items()}
        headers = {**secret, "Cookie": "a=s3cret", "X-Mine": "1"}
        answered.append((await ask(method, f"{path}?of={provider}%20a", headers=headers)).status)
    seen = sandbox.requests
    assert [(one.method, one.path) for one in seen] == [
        (method, f"{path}?of={provider}%20a") for provider, (method, path, _) in EVERY_PROVIDER.items()
    ]
    assert {one.headers["x-mine"] for one in seen} == {"1"}
    assert [one.status for one in seen] == answered
    assert "s3cret" not in repr(seen)


async def test_a_retry_is_seen_as_one_request_more(sandbox: Sandbox) -> None:
    sandbox.fail_next("/v1/translate", status=503, times=2)
    async with sandbox.api() as api:
        assert (await api.translate("Good morning", "en-tw")).text == "Maakye"
    assert [one.status for one in sandbox.requests] == [503, 503, 200]


async def test_the_newest_10_000_requests_are_remembered(ask: Ask, sandbox: Sandbox) -> None:
    await statuses(ask, 1)
    sandbox._received.extend(sandbox.requests * 10_000)
    assert len(sandbox.requests) == 10_000
    await statuses(ask, 1, "/newest")
    assert len(sandbox.requests) == 10_000
    assert sandbox.requests[-1].path == "/newest"


# What cannot be


@pytest.mark.parametrize(
    ("fault", "right"),
    [
        ({}, "say what happens"),
        ({"times": 2, "probability": 0.5}, "say what happens"),
        ({"carried_out": True}, "say what happens"),
        ({"route": "v1/translate", "status": 500}, '"POST /v1/predict"'),
        ({"route": "/v1/translate?a=b", "status": 500}, "without its query"),
        ({"route": "get /v1", "status": 500}, '"POST /v1/predict"'),
        ({"status": 99}, "status"),
        ({"status": 600}, "status"),
        ({"status": 500, "times": 0}, "times"),
        ({"status": 500, "probability": 0}, "probability"),
        ({"status": 500, "probability": 1.1}, "probability"),
        ({"delay": -1}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"drip": 1}, "bytes at a time"),
        ({"drip": (0, 1.0)}, "bytes at a time"),
        ({"drip": (1, -1.0)}, "bytes at a time"),
        ({"cut_after": -1}, "cut_after"),
        ({"gzip_bomb": 0}, "gzip_bomb"),
        ({"headers": {"A": "b\r\nC: d"}}, "printable"),
        ({"headers": {"": "b"}}, "printable"),
        ({"headers": {"content-length": "3"}}, "length_off_by"),
        ({"html": "a", "body": "b"}, "body and html are answers: choose one"),
        ({"redirect_to": "/a", "gzip_bomb": 3}, "redirect_to and gzip_bomb are answers: choose one"),
        ({"reset": True, "hang": True}, "choose one"),
        ({"reset": True, "status": 500}, "reset gives no answer: leave out status, or spoil it with reset_after"),
        ({"reset": True, "cut_after": 0}, "reset gives no answer: leave out cut_after"),
        ({"hang": True, "body": "a", "headers": {"a": "b"}}, "hang gives no answer: leave out body, headers"),
        ({"hang": True, "delay": 1}, "delay alone"),
        ({"cut_after": 1, "reset_after": 0}, "cut_after and reset_after each end the connection"),
        ({"cut_after": 0, "length_off_by": 2}, "cut_after and length_off_by each end the connection"),
        ({"length_off_by": 0}, "right length"),
        ({"redirect_to": "/a", "status": 200}, "from 300 to 399, not 200"),
        ({"status": 204, "body": "a"}, "204 has no body"),
        ({"status": 304, "cut_after": 1}, "304 has no body"),
        ({"carried_out": False, "cut_after": 1}, "add status, body, reset or hang"),
    ],
)
def test_a_combination_that_cannot_be_is_refused_with_what_would_be_right(fault: dict[str, Any], right: str) -> None:
    with pytest.raises(ValueError, match=right):
        Fault(**fault)
    if fault:
        with pytest.raises(ValueError, match=right):
            Sandbox().fail_next(**fault)


def test_a_word_that_is_no_field_and_a_fault_that_is_none_are_type_errors() -> None:
    with pytest.raises(TypeError, match="statsu"):
        Sandbox().fail_next(statsu=500)
    with pytest.raises(TypeError, match=r"Fault\(status=503\)"):
        Sandbox(faults=["/v1/translate"])  # type: ignore[list-item]  # what is tested
    with pytest.raises(TypeError, match="status"):
        Fault(status="503")  # type: ignore[arg-type]  # what is tested


def test_a_fault_is_a_value() -> None:
    assert Fault("/a", status=500, headers={"a": "b"}) == Fault("/a", headers={"a": "b"}, status=500)
    with pytest.raises(AttributeError):
        Fault(status=500).status = 501  # type: ignore[misc]  # what is tested


# What the client makes of it


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"cut_after": 3}, TransportError),
        ({"reset_after": 3}, TransportError),
        ({"length_off_by": 5}, TransportError),
        ({"length_off_by": -3}, (TransportError, DecodingError)),
        ({"html": "<h1>Hello"}, DecodingError),
        ({"gzip_bomb": 10}, DecodingError),
        ({"body": None, "status": 200}, DecodingError),
        ({"redirect_to": "https://example.invalid/"}, StatusError),
        ({"status": 404}, NotFoundError),
    ],
)
async def test_each_fault_is_a_typed_error_of_the_client(
    sandbox: Sandbox, fault: dict[str, Any], error: type[KellyAPIError]
) -> None:
    sandbox.fail_next("/v1/translate", **fault)
    async with sandbox.api(timeout=5) as api:
        with pytest.raises(error):
            await api.khaya.translate("Good morning", "en-tw")
        assert len(sandbox.requests) == 1
        with suppress(KellyAPIError):
            await api.khaya.translate("Good morning", "en-tw")
        assert len(sandbox.requests) == 2
