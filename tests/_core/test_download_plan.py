"""How a response's headers decide whether a download is resumed."""

from __future__ import annotations

import pytest
from file_server import DAY, TAG

from kellyapi._core.downloads import RemoteFile, Step, describe_file, enough_arrived, plan, read_range

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


@pytest.mark.parametrize(("digits", "read"), [(19, True), (20, False), (5_000, False)])
def test_a_size_of_more_than_19_digits_is_none(digits: int, read: bool) -> None:
    size = "9" * digits
    for status, headers in [(200, {"Content-Length": size}), (206, {"Content-Range": f"bytes 0-1/{size}"})]:
        assert describe_file(status, headers).size == (int(size) if read else None)


@pytest.mark.parametrize(
    ("file", "resumable"),
    [
        (RemoteFile(10, TAG, is_etag=True, ranges=True), True),
        (RemoteFile(0, DAY, ranges=True), True),
        (RemoteFile(10, TAG, is_etag=True), False),
        (RemoteFile(None, TAG, is_etag=True, ranges=True), False),
        (RemoteFile(10, None, ranges=True), False),
    ],
)
def test_a_file_is_resumable_if_its_server_sends_parts_and_says_which_content_they_are_of(
    file: RemoteFile, resumable: bool
) -> None:
    assert file.resumable is resumable
    assert (file.content_key("https://cdn.example/a") is not None) is resumable


def test_a_content_has_one_key_whatever_the_fragment_of_its_link() -> None:
    file = RemoteFile(10, TAG, is_etag=True, ranges=True)
    keys = [file.content_key(f"https://cdn.example/{end}") for end in ("a", "a#b", "a?b", "b")]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert RemoteFile(11, TAG, is_etag=True, ranges=True).content_key("https://cdn.example/a") not in keys


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


@pytest.mark.parametrize(
    ("size", "of", "enough"),
    [
        (1, 50, True),
        (0, 50, False),
        (0, 0, False),
        (9, 1000, False),
        (10, 1000, True),
        (2**14 - 1, 10**12, False),
        (2**14, 10**12, True),
        (-1, 1000, False),
        (100, None, False),
    ],
)
def test_a_hundredth_of_the_file_or_16_kib_are_worth_another_attempt(size: int, of: int | None, enough: bool) -> None:
    assert enough_arrived(size, RemoteFile(of)) is enough


@pytest.mark.parametrize(
    ("headers", "step"),
    [
        ({"ETag": TAG, "Content-Length": "6"}, Step.RESTART),
        ({"ETag": TAG, "Content-Length": "10"}, Step.START),
        ({"ETag": TAG}, Step.START),
        ({"ETag": '"other"', "Content-Length": "6"}, Step.START),
        ({"Content-Length": "6"}, Step.START),
    ],
)
def test_a_whole_file_of_another_size_under_the_same_tag_is_not_taken(headers: dict[str, str], step: Step) -> None:
    file = RemoteFile(10, TAG, is_etag=True, ranges=True)
    assert plan(200, headers, requested_from=4, kept=4, file=file) is step
