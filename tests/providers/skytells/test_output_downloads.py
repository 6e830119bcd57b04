"""Downloads of the outputs of a prediction over real sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from file_server import DATA, Delivery, delivered, head, names
from servers import Exchange, Server

from kellyapi import NO_RETRY, Prediction, Skytells, StatusError


def finished_prediction(*outputs: str, **fields: Any) -> Prediction:
    return Prediction(id="a1", status="succeeded", output=list(outputs), **fields)


async def test_at_most_four_outputs_are_downloaded_at_once(tmp_path: Path) -> None:
    busy = most = 0
    four, go_on = asyncio.Event(), asyncio.Event()

    async def counted(exchange: Exchange) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        if busy == 4:
            four.set()
        await go_on.wait()
        busy -= 1
        await Delivery(tag=None)(exchange)

    async with delivered(counted) as (skytells, _, server):
        links = [f"{server.url}/{number}.png" for number in range(10)]
        task = asyncio.create_task(skytells.predictions.download(finished_prediction(*links), tmp_path / "new"))
        await four.wait()
        go_on.set()
        saved = await task
    assert [path.name for path in saved] == [f"{number}.png" for number in range(10)]
    assert {path.read_bytes() for path in saved} == {DATA}
    assert most == 4


async def test_outputs_of_one_name_get_different_files_even_if_case_is_ignored(tmp_path: Path) -> None:
    async with delivered(Delivery()) as (skytells, _, server):
        links = [f"{server.url}/{path}" for path in ("1/a.png", "2/a.png", "3/A.PNG", "1-a.png")]
        saved = await skytells.predictions.download(finished_prediction(*links), tmp_path)
    assert len({path.name.casefold() for path in saved}) == len(links)
    assert names(tmp_path) == sorted(path.name for path in saved)


async def test_progress_counts_the_bytes_of_all_outputs(tmp_path: Path) -> None:
    reported: list[tuple[int, int | None]] = []
    async with delivered(Delivery()) as (skytells, _, server):
        links = [f"{server.url}/{number}.png" for number in range(3)]
        await skytells.predictions.download(
            finished_prediction(*links), tmp_path, on_progress=lambda *each: reported.append(each)
        )
    assert reported[0] == (0, None)
    assert reported[-1] == (3 * len(DATA), 3 * len(DATA))


async def test_one_output_that_fails_keeps_the_others(tmp_path: Path) -> None:
    async def second_fails(exchange: Exchange) -> None:
        if exchange.seen.target == "/1.png":
            await exchange.read()
            await exchange.write(head(500, {"Content-Length": "0"}))
        else:
            await Delivery()(exchange)

    async with delivered(second_fails) as (skytells, _, server):
        state = finished_prediction(*(f"{server.url}/{number}.png" for number in range(3)))
        with pytest.raises(StatusError) as caught:
            await skytells.predictions.download(state, tmp_path)
    assert (caught.value.status, caught.value.prediction) == (500, state)
    assert names(tmp_path) == ["0.png", "2.png"]


class Expiring:
    """A provider whose first links have expired; a request for the prediction gets new ones."""

    def __init__(self, status: int, *, fresh: bool) -> None:
        self.status, self.fresh = status, fresh
        self.polls = 0

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read()
        target = exchange.seen.target
        if target == "/predictions/a1":
            self.polls += 1
            assert exchange.seen.headers["x-api-key"] == "key"
            host = f"http://{exchange.seen.headers['host']}"
            links = [f"{host}/{'new' if self.fresh else 'old'}/{number}.png" for number in range(2)]
            body = json.dumps({"id": "a1", "status": "succeeded", "output": links}).encode()
            await exchange.write(head(200, {"Content-Length": str(len(body))}) + body)
        elif target.startswith("/old"):
            await exchange.write(head(self.status, {"Content-Length": "0"}))
        else:
            await Delivery()(exchange)


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_expired_links_are_requested_again_once(status: int, tmp_path: Path) -> None:
    provider = Expiring(status, fresh=True)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = finished_prediction(*(f"{server.url}/old/{number}.png" for number in range(2)))
        saved = await skytells.predictions.download(state, tmp_path)
    assert [path.read_bytes() for path in saved] == [DATA, DATA]
    assert provider.polls == 1


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_a_link_that_is_expired_twice_is_an_error_that_says_so(status: int, tmp_path: Path) -> None:
    provider = Expiring(status, fresh=False)
    async with Server(provider) as server, Skytells("key", base_url=server.url, retry=NO_RETRY) as skytells:
        state = finished_prediction(*(f"{server.url}/old/{number}.png" for number in range(2)))
        with pytest.raises(StatusError, match="expire about five minutes after") as caught:
            await skytells.predictions.download(state, tmp_path)
    assert (caught.value.status, caught.value.prediction.id, provider.polls) == (status, "a1", 1)
    assert names(tmp_path) == []
