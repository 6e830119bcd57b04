"""The sandbox's outputs as downloads ask for them: whole, from the middle, and no more once they have expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_client import Answer, Ask, Clock

from kellyapi import KellyAPI, Sandbox, StatusError
from kellyapi.sandbox.skytells.outputs import read_byte_range
from kellyapi.sandbox.skytells.prediction_state import LINK_LIFETIME

FOX = {"prompt": "a fox", "width": 64, "height": 64}
CUT = 100


@pytest.fixture
def clock() -> Clock:
    return Clock(1_772_625_600.0)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(clock=clock, prediction_time=0) as sandbox:
        yield sandbox


@pytest.fixture
async def api(sandbox: Sandbox) -> AsyncIterator[KellyAPI]:
    async with sandbox.api() as api:
        yield api


@pytest.fixture
async def url(api: KellyAPI) -> str:
    return (await api.skytells.run("truefusion", FOX, interval=0)).outputs[0]


@pytest.fixture
async def whole(ask: Ask, url: str) -> Answer:
    return await ask("GET", "", url=url)


async def test_an_output_says_how_it_can_be_asked_for(whole: Answer) -> None:
    assert whole.status == 200
    assert whole.headers["Content-Type"] == "image/png"
    assert whole.headers["Accept-Ranges"] == "bytes"
    assert whole.headers["ETag"].startswith('"')
    assert int(whole.headers["Content-Length"]) == len(whole.body) > CUT


@pytest.mark.parametrize(("asked", "start", "stop"), [(f"{CUT}-", CUT, None), ("0-9", 0, 10), ("-9", -9, None)])
async def test_a_range_is_answered_alone(
    ask: Ask, url: str, whole: Answer, asked: str, start: int, stop: int | None
) -> None:
    part = await ask("GET", "", url=url, headers={"Range": f"bytes={asked}", "If-Range": whole.headers["ETag"]})
    size = len(whole.body)
    first = start % size
    assert (part.status, part.body) == (206, whole.body[start:stop])
    assert part.headers["Content-Range"] == f"bytes {first}-{first + len(part.body) - 1}/{size}"
    assert part.headers["ETag"] == whole.headers["ETag"]


@pytest.mark.parametrize(
    "headers", [{"Range": "bytes=9-", "If-Range": '"other"'}, {"Range": "items=9-"}, {"Range": "bytes=9-1"}]
)
async def test_what_is_no_range_of_this_output_gives_the_whole(
    ask: Ask, url: str, whole: Answer, headers: dict[str, str]
) -> None:
    answer = await ask("GET", "", url=url, headers=headers)
    assert (answer.status, answer.body) == (200, whole.body)


async def test_a_range_behind_the_end_is_refused(ask: Ask, url: str, whole: Answer) -> None:
    size = len(whole.body)
    answer = await ask("GET", "", url=url, headers={"Range": f"bytes={size}-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("bytes=0-", range(10)),
        ("bytes=3-", range(3, 10)),
        ("bytes=3-4", range(3, 5)),
        ("bytes=3-99", range(3, 10)),
        ("bytes=-3", range(7, 10)),
        ("bytes=-99", range(10)),
        ("bytes=10-", range(0)),
        ("bytes=-0", range(0)),
        ("", None),
        ("bytes=-", None),
        ("bytes=4-3", None),
        ("bytes=0-1,3-4", None),
        (f"bytes={'9' * 5000}-", None),
    ],
)
def test_a_range_is_read_as_the_standard_says(text: str, found: Any) -> None:
    assert read_byte_range(text, 10) == found


async def test_the_client_goes_on_with_a_part_of_an_output(
    api: KellyAPI, url: str, whole: Answer, tmp_path: Path
) -> None:
    def stop(received: int, total: int | None) -> None:
        if received:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await api.download(url, tmp_path / "fox.png", on_progress=stop)
    told: list[int] = []
    await api.download(url, tmp_path / "fox.png", on_progress=lambda received, _: told.append(received))
    assert (tmp_path / "fox.png").read_bytes() == whole.body
    assert min(told) > 0


async def test_an_expired_output_is_an_error_that_says_so(
    api: KellyAPI, url: str, clock: Clock, tmp_path: Path
) -> None:
    (job,) = (await api.skytells.predictions.list()).items
    clock.now += LINK_LIFETIME
    with pytest.raises(StatusError, match="expire about five minutes after") as caught:
        await api.skytells.predictions.download(job, tmp_path)
    assert (caught.value.status, caught.value.prediction) == (410, job)
