"""`on_response`, and what is logged."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from servers import KEY, OK, Server, Shop, asked, make_response

from kellyapi import Skytells
from kellyapi._core.messages import PreparedRequest, Response
from kellyapi.errors import StatusError


@pytest.mark.parametrize("plain", [True, False])
async def test_on_response_sees_each_request_and_raw_response(plain: bool) -> None:
    seen: list[tuple[PreparedRequest, Response]] = []

    async def watch(request: PreparedRequest, response: Response) -> None:
        await asyncio.sleep(0)
        seen.append((request, response))

    hook: Any = (lambda request, response: seen.append((request, response))) if plain else watch
    async with asked(make_response(503, b"busy"), OK, on_response=hook) as (shop, server):
        await shop.buy()
        assert [(request.method, request.url, request.body) for request, _ in seen] == [
            ("POST", f"{server.url}/buy", b'{"what":"a fox"}')
        ] * 2
        assert [(response.status, response.body) for _, response in seen] == [(503, b"busy"), (200, b"{}")]


async def test_an_error_of_on_response_is_raised_with_the_response_and_not_retried() -> None:
    def fail(request: PreparedRequest, response: Response) -> None:
        raise LookupError("mine")

    async with asked(make_response(body=b'{"id": "p1", "key": "%s"}' % KEY.encode()), on_response=fail) as (
        shop,
        server,
    ):
        with pytest.raises(LookupError, match="mine") as caught:
            await shop.buy()
        note = f'POST {server.url}/buy got a response with status 200: {{"id": "p1", "key": "***"}}'
        assert caught.value.__notes__ == [note]
        assert len(server.requests) == 1


async def test_each_request_is_logged_at_debug_without_key_or_body(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with asked(make_response(404, b'{"problem": "a body"}', X_Request_Id="r-1"), make_response(body=b"abc")) as (
        shop,
        server,
    ):
        with pytest.raises(StatusError):
            await shop.buy()
        async with shop.listen() as stream:
            assert [piece async for piece in stream] == [b"abc"]
        records = [record for record in caplog.records if record.name.startswith("kellyapi")]
        assert {(record.name, record.levelname) for record in records} == {("kellyapi.shop", "DEBUG")}
        first, second = (record.getMessage() for record in records)
        for part in ("POST", f"{server.url}/buy", "404", " ms", "21 bytes", "r-1"):
            assert part in first
        for part in ("POST", f"{server.url}/listen", "200", " ms"):
            assert part in second
    assert not [record for record in caplog.records if KEY in record.getMessage() or "a body" in record.getMessage()]


async def test_the_secrets_of_a_query_are_in_no_log_and_no_note(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: PreparedRequest, response: Response) -> None:
        assert "hidden-1" in request.url
        assert "hidden-1" not in repr(request)
        raise LookupError("mine")

    caplog.set_level(logging.DEBUG)
    async with asked(make_response(), on_response=fail, log_bodies=True) as (shop, _):
        with pytest.raises(LookupError) as caught:
            await shop.request("GET", "/a?token=hidden-1", query={"subscription-key": "hidden-1"})
    assert ["?token=***&subscription-key=***" in text for text in (caplog.text, *caught.value.__notes__)] == [True] * 2
    assert "hidden-1" not in caplog.text + str(caught.value.__notes__)


async def test_the_logger_can_be_replaced(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mine")
    async with asked(OK, logger=logging.getLogger("mine")) as (shop, _):
        await shop.look()
    assert [record.name for record in caplog.records if record.name in ("mine", "kellyapi.shop")] == ["mine"]


class RaisingHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise LookupError("in the handler")


@pytest.mark.parametrize("broken", ["handler", "filter"])
@pytest.mark.parametrize("level", [logging.WARNING, logging.DEBUG])
async def test_a_broken_log_handler_loses_no_result(
    broken: str, level: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.Logger("mine", level)
    logger.addHandler(RaisingHandler() if broken == "handler" else logging.NullHandler())
    if broken == "filter":
        logger.addFilter(lambda record: 1 / 0 > 1)
    busy, created = make_response(503), make_response(body=b'{"id": "p1", "status": "pending", "metrics": 7}')
    async with Server(busy, created) as server, Skytells("key", base_url=server.url, logger=logger) as skytells:
        assert (await skytells.predictions.create("m", {})).id == "p1"
    assert {"handler": "LookupError", "filter": "ZeroDivisionError"}[broken] in capsys.readouterr().err


async def test_a_record_names_the_place_that_logged_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with asked(OK) as (shop, _):
        await shop.look()
    assert {record.filename for record in caplog.records if record.name == "kellyapi.shop"} == {"connection.py"}


def test_without_a_log_handler_of_the_user_nothing_is_printed() -> None:
    Shop(KEY)
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("kellyapi").handlers)
