"""How a response's headers decide whether a download is resumed."""

from __future__ import annotations

import pytest
from file_server import DAY, TAG

from kellyapi._core.downloads import RemoteFile, Step, describe_file, plan, read_range

# Heads


@pytest.mark.parametrize(
    ("status", "headers", "entity"),
    [
        (200, {}, RemoteFile(ranges=True)),
        (200, {"Content-Length": "5"}, RemoteFile(5, ranges=True)),
        (200, {"Content-Length": "5", "Accept-Ranges": "bytes"}, RemoteFile(5, ranges=True)),
        (200, {"Content-Length": "5", "ETag": '"a"'}, RemoteFile(5, '"a"', is_etag=True, ranges=True)),
        (200, {"ETag": '"a"', "Last-Modified": DAY}, RemoteFile(None, '"a"', is_etag=True, ranges=True)),
        (200, {"ETag": 'W/"a"', "Last-Modified": DAY}, RemoteFile(ranges=True)),
        (200, {"Last-Modified": DAY, "Date": "Sat, 07 Mar 2026 12:00:01 GMT"}, RemoteFile(None, DAY, ranges=True)),
        (200, {"Last-Modified": DAY, "Date": DAY}, RemoteFile(ranges=True)),
        (200, {"Last-Modified": "day", "Date": DAY}, RemoteFile(ranges=True)),
        (200, {"ETag": '"a"', "Accept-Ranges": "none"}, RemoteFile(None, '"a"', is_etag=True)),
        (200, {"Content-Length": "5", "ETag": '"a"', "Content-Encoding": "gzip"}, RemoteFile()),
        (206, {"Content-Range": "bytes 3-4/5", "ETag": '"a"'}, RemoteFile(5, '"a"', is_etag=True, ranges=True)),
        (206, {"Content-Length": "2", "Content-Range": "bytes 3-4/*"}, RemoteFile(ranges=True)),
    ],
)
def test_headers_say_whether_a_download_can_be_resumed(
    status: int, headers: dict[str, str], entity: RemoteFile
) -> None:
    assert describe_file(status, headers) == entity


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("bytes 0-4/5", (0, 5)),
        (" bytes 2-4/* ", (2, None)),
        ("bytes */5", (None, 5)),
        ("bytes 2-4", (None, None)),
        ("items 2-4/5", (None, None)),
        ("bytes -4/5", (None, None)),
        ("bytes ٢-4/5", (None, 5)),
        (f"bytes 2-4/{'9' * 5000}", (2, None)),  # more digits than Python reads
    ],
)
def test_a_content_range_is_read(text: str, read: tuple[int | None, int | None]) -> None:
    assert read_range({"Content-Range": text}) == read


DIGITS = "9" * 5_000
"""More digits than `int` reads."""


@pytest.mark.parametrize(
    ("status", "headers"), [(200, {"Content-Length": DIGITS}), (206, {"Content-Range": f"bytes 0-1/{DIGITS}"})]
)
def test_an_impossible_size_is_read_as_none(status: int, headers: dict[str, str]) -> None:
    assert describe_file(status, headers).size is None


# The plan


FILE = RemoteFile(10, TAG, is_etag=True, ranges=True)
REST = {"Content-Range": "bytes 4-9/10", "ETag": TAG}


@pytest.mark.parametrize(
    ("status", "headers", "requested_from", "kept", "file", "step"),
    [
        (200, {}, 0, 0, FILE, Step.START),
        (200, {}, 0, 4, FILE, Step.RESUME),
        (200, {}, 0, 10, FILE, Step.DONE),
        (200, {}, 0, 11, FILE, Step.START),
        (200, {}, 0, 4, RemoteFile(), Step.START),
        (200, {}, 4, 4, FILE, Step.START),
        (206, REST, 4, 4, FILE, Step.RESUME),
        (206, REST, 0, 0, FILE, Step.RESTART),
        (206, REST, 3, 3, FILE, Step.RESTART),
        (206, {**REST, "ETag": '"other"'}, 4, 4, FILE, Step.RESTART),
        (206, {"Content-Range": "bytes 4-9/10"}, 4, 4, FILE, Step.RESTART),
        (206, {**REST, "Content-Range": "bytes 4-9/11"}, 4, 4, FILE, Step.RESTART),
        (206, {**REST, "Content-Range": "bytes 4-9/*"}, 4, 4, FILE, Step.RESUME),
        (206, {"Content-Range": "bytes 4-9/10"}, 4, 4, RemoteFile(10, DAY, ranges=True), Step.RESUME),
        (206, {**REST, "Last-Modified": "other"}, 4, 4, RemoteFile(10, DAY, ranges=True), Step.RESTART),
    ],
)
def test_the_plan_never_joins_parts_of_two_files(
    status: int, headers: dict[str, str], requested_from: int, kept: int, file: RemoteFile, step: Step
) -> None:
    assert plan(status, headers, requested_from=requested_from, kept=kept, file=file) is step
