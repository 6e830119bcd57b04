"""Names of uploaded files: none of them ends its header, or adds a field to the form."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kellyapi import Aerostack, run_sync
from tests.servers import Exchange, Server, make_response

HOSTILE = (
    'a"; filename="b.txt',
    "a\r\nX-Injected: 1",
    'a"\r\n\r\nbody\r\n--boundary\r\nContent-Disposition: form-data; name="key"\r\n\r\nother',
    "a\x00b\x1b\x7f",
    "a\udcff\ud800.png",
    "a\u2028b",
)
names = st.text(st.sampled_from('"\\\r\n;\x00=') | st.characters(), min_size=1) | st.sampled_from(HOSTILE)


async def upload(file: Any, **names: str) -> list[tuple[str, bytes]]:
    """Upload a file, and return the headers and the content of each field that arrived."""
    seen: list[tuple[str, bytes]] = []

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        seen.append((exchange.seen.headers["content-type"], bytes(exchange.seen.body)))
        await exchange.write(make_response(body=b'{"url": "https://files.example/a"}'))

    async with Server(script) as server, Aerostack("key", base_url=server.url) as aerostack:
        await aerostack.storage.upload("k", file, **names)
    kind, body = seen[0]
    _, *fields, end = body.split(b"--" + kind.partition("boundary=")[2].encode())
    assert end.strip() == b"--"
    halves = [field.partition(b"\r\n\r\n") for field in fields]
    return [(head.decode(), content.removesuffix(b"\r\n")) for head, _, content in halves]


def file_name(fields: list[tuple[str, bytes]]) -> str:
    """Check that the form has its three fields, and return the file name as it was sent."""
    assert [content for _, content in fields] == [b"data", b"k", b"application/octet-stream"]
    lines = [line for line in fields[0][0].split("\r\n") if line.startswith("Content-Disposition")]
    found = re.fullmatch(r'Content-Disposition: form-data; name="file"; filename="([^"\x00-\x1f\x7f]*)"', *lines)
    assert found
    return found[1]


@given(names)
def test_no_name_ends_its_header_or_adds_a_field(name: str) -> None:
    sent = file_name(run_sync(upload(b"data", filename=name)))
    assert len(sent) >= 1


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("ẹ̀kọ́ 👩🏾‍⚕️.png", "ẹ̀kọ́ 👩🏾‍⚕️.png"),
        ('a"b\r\nc', "a%22b%0D%0Ac"),
        ("a\udcffb", "a\ufffdb"),
        ("a\ud83e\udd8ab", "a\U0001f98ab"),  # two halves of a fox
    ],
)
async def test_a_name_is_sent_as_browsers_send_it(name: str, sent: str) -> None:
    assert file_name(await upload(b"data", filename=name)) == sent


async def test_the_name_of_a_file_on_disk_may_be_any_bytes(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b'a\xff"\r\nb')
    path.write_bytes(b"data")
    assert file_name(await upload(path)) == "a\ufffd%22%0D%0Ab"


@pytest.mark.parametrize("kind", ["a/b\r\nX-Injected: 1", "a/b\x00", "ä/b"])
async def test_a_type_that_is_none_is_refused_before_anything_is_sent(kind: str) -> None:
    aerostack = Aerostack("key", base_url="http://127.0.0.1:9")
    with pytest.raises(ValueError, match="content_type must be a MIME type"):
        await aerostack.storage.upload("k", b"data", content_type=kind)
