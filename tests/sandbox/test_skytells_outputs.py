"""Downloads of prediction outputs from the sandbox: complete, by ranges, and after their links have expired."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from http_client import Clock, Response, Send

from kellyapi import KellyAPI, Sandbox, StatusError
from kellyapi.sandbox.skytells.outputs import read_byte_range
from kellyapi.sandbox.skytells.prediction_state import LINK_LIFETIME, output_files

FOX = {"prompt": "a fox", "width": 64, "height": 64}
CUT = 100


@pytest.fixture
def clock() -> Clock:
    return Clock(1_772_625_600.0)


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[Sandbox]:
    async with Sandbox(keep_engines=True, clock=clock, prediction_time=0) as sandbox:
        yield sandbox


@pytest.fixture
async def url(api: KellyAPI) -> str:
    return (await api.skytells.run("truefusion", FOX, interval=0.01)).outputs[0]


@pytest.fixture
async def complete(send: Send, url: str) -> Response:
    return await send("GET", "", url=url)


async def test_an_output_accepts_ranges_and_has_an_etag(complete: Response) -> None:
    assert complete.status == 200
    assert complete.headers["Content-Type"] == "image/png"
    assert complete.headers["Accept-Ranges"] == "bytes"
    assert complete.headers["ETag"].startswith('"')
    assert int(complete.headers["Content-Length"]) == len(complete.body) > CUT


@pytest.mark.parametrize(("requested", "start", "stop"), [(f"{CUT}-", CUT, None), ("0-9", 0, 10), ("-9", -9, None)])
async def test_a_range_request_gets_only_that_range(
    send: Send, url: str, complete: Response, requested: str, start: int, stop: int | None
) -> None:
    partial = await send(
        "GET", "", url=url, headers={"Range": f"bytes={requested}", "If-Range": complete.headers["ETag"]}
    )
    size = len(complete.body)
    first = start % size
    assert (partial.status, partial.body) == (206, complete.body[start:stop])
    assert partial.headers["Content-Range"] == f"bytes {first}-{first + len(partial.body) - 1}/{size}"
    assert partial.headers["ETag"] == complete.headers["ETag"]


@pytest.mark.parametrize(
    "headers", [{"Range": "bytes=9-", "If-Range": '"other"'}, {"Range": "items=9-"}, {"Range": "bytes=9-1"}]
)
async def test_a_range_that_does_not_apply_gets_the_complete_output(
    send: Send, url: str, complete: Response, headers: dict[str, str]
) -> None:
    response = await send("GET", "", url=url, headers=headers)
    assert (response.status, response.body) == (200, complete.body)


async def test_a_range_behind_the_end_is_refused(send: Send, url: str, complete: Response) -> None:
    size = len(complete.body)
    response = await send("GET", "", url=url, headers={"Range": f"bytes={size}-"})
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{size}")


@pytest.mark.parametrize(
    ("text", "expected"),
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
def test_a_range_header_is_read_as_in_rfc_9110(text: str, expected: Any) -> None:
    assert read_byte_range(text, 10) == expected


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (None, []),
        ({"files": []}, []),
        ({"files": [{"name": "a"}, {"name": "b"}]}, ["a", "b"]),
        ({"file": {"name": "a"}}, ["a"]),  # as earlier versions stored it
        ({"file": None, "text": "a text"}, []),
    ],
)
def test_the_files_of_a_stored_result(result: dict[str, Any] | None, names: list[str]) -> None:
    assert [file["name"] for file in output_files(result)] == names


async def test_the_client_resumes_a_download_of_an_output(
    api: KellyAPI, url: str, complete: Response, tmp_path: Path
) -> None:
    def stop(received: int, total: int | None) -> None:
        if received:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await api.download(url, tmp_path / "fox.png", on_progress=stop)
    progress: list[int] = []
    await api.download(url, tmp_path / "fox.png", on_progress=lambda received, _: progress.append(received))
    assert (tmp_path / "fox.png").read_bytes() == complete.body
    assert min(progress) > 0


async def test_an_expired_output_is_an_error_that_says_so(
    api: KellyAPI, url: str, clock: Clock, tmp_path: Path
) -> None:
    (prediction,) = (await api.skytells.predictions.list()).items
    clock.now += LINK_LIFETIME
    with pytest.raises(StatusError, match="expire about five minutes after") as caught:
        await api.skytells.predictions.download(prediction, tmp_path)
    assert (caught.value.status, caught.value.prediction) == (410, prediction)
