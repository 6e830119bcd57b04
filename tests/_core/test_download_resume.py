"""Downloads that break off: which are resumed and which start again."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import pytest
from file_server import DATA, DAY, HALF, TAG, Delivery, delivered, head, names
from servers import AT_ONCE, Exchange

from kellyapi import NO_RETRY, DecodingError, RequestTimeoutError, Timeout, TransportError


async def test_a_download_that_breaks_off_halfway_is_resumed(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert delivery.asked == [{}, {"range": f"bytes={HALF}-", "if-range": TAG}]
    assert names(tmp_path) == ["fox.png"]


async def test_attempts_are_counted_from_one_again_after_each_that_brings_data(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[10_000] * 20)
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert len(delivery.asked) == 21


async def test_there_are_as_many_attempts_without_data_as_a_call_has(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 9])
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1 + AT_ONCE.attempts


async def test_attempts_without_data_use_the_retry_quota_and_are_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = Delivery(cuts=[HALF, *[0] * 99])
    async with delivered(delivery) as (skytells, url, _):
        skytells._connection.limits.quota.left = 1
        with caplog.at_level(logging.INFO, "kellyapi"), pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 2
    assert f"it resumes at byte {HALF} in 0.00 s" in caplog.text


async def test_without_retries_an_interrupted_download_fails(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    async with delivered(delivery, retry=NO_RETRY) as (skytells, url, _):
        with pytest.raises(TransportError) as caught:
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1
    assert (caught.value.provider, caught.value.outcome_unknown) == ("skytells", False)


@pytest.mark.parametrize(
    ("changes", "condition"),
    [
        ({"headers": {"Last-Modified": "Sat, 07 Mar 2026 12:00:00 GMT"}}, None),
        ({"headers": {"Last-Modified": DAY, "Date": "Sat, 07 Mar 2026 12:00:01 GMT"}}, DAY),
        ({"headers": {"Last-Modified": DAY, "Date": DAY}}, None),
        ({"headers": {"ETag": 'W/"weak"'}}, None),
        ({}, None),
    ],
)
async def test_without_a_strong_etag_a_download_is_resumed_only_if_its_date_is_older_than_the_response(
    changes: Any, condition: str | None, tmp_path: Path
) -> None:
    delivery = Delivery(tag=None, cuts=[HALF], **changes)
    asks: list[str | None] = []

    async def lenient(exchange: Exchange) -> None:
        asks.append(exchange.seen.headers.get("if-range"))
        exchange.seen.headers.pop("if-range", None)  # type: ignore[attr-defined]  # it is a dict
        await delivery(exchange)

    async with delivered(lenient) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    assert asks == [None, condition]


async def test_without_ranges_the_whole_file_is_requested_again(tmp_path: Path) -> None:
    for delivery in (Delivery(ranges=False, cuts=[HALF]), Delivery(ranges=False, tag=None, cuts=[HALF])):
        async with delivered(delivery) as (skytells, url, _):
            await skytells.download(url, tmp_path / "fox.png")
        assert (tmp_path / "fox.png").read_bytes() == DATA
        assert len(delivery.asked) == 2
    assert names(tmp_path) == ["fox.png"]


async def test_a_server_without_ranges_gets_a_limited_number_of_requests(tmp_path: Path) -> None:
    delivery = Delivery(ranges=False, cuts=[HALF] * 99)
    async with delivered(delivery) as (skytells, url, _):
        with pytest.raises(TransportError):
            await skytells.download(url, tmp_path / "fox.png")
    assert len(delivery.asked) == 1 + AT_ONCE.attempts


async def test_a_file_that_changed_in_between_is_downloaded_from_the_start(tmp_path: Path) -> None:
    new = os.urandom(len(DATA))

    def change(it: Delivery) -> None:
        if it.asked:
            it.data, it.tag = new, '"fox-2"'

    delivery = Delivery(cuts=[HALF], before=change)
    async with delivered(delivery) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (new, ["fox.png"])


@pytest.mark.parametrize(
    "content_range",
    [
        f"bytes 0-{len(DATA) - 1}/{len(DATA)}",
        f"bytes {HALF - 1}-{len(DATA) - 1}/{len(DATA)}",
        f"bytes {HALF}-{len(DATA)}/{len(DATA) + 1}",
        f"bytes */{len(DATA)}",
        "nonsense",
        "",
    ],
)
async def test_a_range_other_than_the_requested_one_is_not_used(content_range: str, tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF])
    responses = 0

    async def wrong(exchange: Exchange) -> None:
        nonlocal responses
        responses += 1
        if responses == 2:
            await exchange.read()
            rest = {"Content-Range": content_range, "Content-Length": "5", "ETag": TAG}
            await exchange.write(head(206, rest) + b"wrong")
        else:
            await delivery(exchange)

    async with delivered(wrong) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), responses) == (DATA, 3)


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (206, {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/{len(DATA)}", "ETag": TAG}, "a part of the file"),
        (206, {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/*"}, "a part of the file"),
        (206, {}, "a part of the file"),
        (204, {}, "the response has no file"),
        (200, {"Content-Type": "text/html; charset=utf-8"}, "an HTML page in place of the file"),
    ],
)
async def test_a_response_that_is_not_a_file_is_not_saved(
    status: int, headers: dict[str, str], reason: str, tmp_path: Path
) -> None:
    body = b"" if status == 204 else DATA[HALF:]
    length = {} if status == 204 else {"Content-Length": str(len(body))}

    async def other(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.write(head(status, {**headers, **length}) + body)

    async with delivered(other) as (skytells, url, server):
        with pytest.raises(DecodingError, match=reason):
            await skytells.download(url, tmp_path / "fox.png")
        assert (names(tmp_path), len(server.requests)) == ([], 1)


async def test_a_file_that_became_shorter_is_downloaded_from_the_start(tmp_path: Path) -> None:
    """The server ignores `If-Range`, so that the range starts after its end: 416."""

    def shrink(it: Delivery) -> None:
        if it.asked:
            it.data = DATA[:1000]

    delivery = Delivery(tag=None, headers={"Last-Modified": "now"}, cuts=[HALF], before=shrink)

    async def lenient(exchange: Exchange) -> None:
        exchange.seen.headers.pop("if-range", None)  # type: ignore[attr-defined]  # it is a dict
        await delivery(exchange)

    async with delivered(lenient) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert ((tmp_path / "fox.png").read_bytes(), names(tmp_path)) == (DATA[:1000], ["fox.png"])


async def test_silence_interrupts_a_download_and_a_total_timeout_ends_it(tmp_path: Path) -> None:
    delivery = Delivery(cuts=[HALF], hang=True)
    async with delivered(delivery, timeout=Timeout(total=None, idle=0.05)) as (skytells, url, _):
        await skytells.download(url, tmp_path / "fox.png")
    assert (tmp_path / "fox.png").read_bytes() == DATA
    delivery = Delivery(cuts=[1000] * 99, hang=True)
    async with delivered(delivery, timeout=Timeout(total=0.1)) as (skytells, url, _):
        with pytest.raises(RequestTimeoutError):
            await skytells.download(url, tmp_path / "hare.png")
