"""Files inside JSON: what is sent is the JSON with `data:` URLs in their places."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kellyapi._core.messages import Call
from kellyapi._core.request_bodies import embed_files
from kellyapi._data.embedded_files import EmbeddedFiles, has_files

PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text()
VALUES = st.recursive(
    PLAIN | st.binary(min_size=1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


def with_urls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: with_urls(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(with_urls, value))
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def without_types(value: Any) -> Any:
    """Return a JSON value with each `data:` URL as its base64 alone: the type is another test's."""
    if isinstance(value, dict):
        return {key: without_types(each) for key, each in value.items()}
    if isinstance(value, list):
        return list(map(without_types, value))
    found = isinstance(value, str) and value.startswith("data:") and value.partition(";base64,")[2]
    return found or value


@given(value=st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_json_is_sent_with_its_files_in_their_places(value: dict[str, Any]) -> None:
    async def send() -> tuple[bytes, str]:
        replaced, files = await EmbeddedFiles().replace(value, "input")
        call = embed_files(Call(method="POST", url="/", json=replaced, repeatable=False), files)
        assert callable(call.body)
        return b"".join([piece async for piece in call.body()]), call.headers["Content-Length"]

    if not has_files(value):
        return
    body, length = asyncio.run(send())
    assert without_types(json.loads(body)) == with_urls(value)
    assert int(length) == len(body)


@given(value=VALUES)
def test_only_a_value_with_bytes_has_files(value: Any) -> None:
    assert has_files(value) == (with_urls(value) != value)
