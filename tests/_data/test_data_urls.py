"""`data:` URLs, as the Fetch standard reads them, and base64 text with a type."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kellyapi import Base64
from kellyapi._data.base64_text import from_base64, is_data_url, read_data_url
from kellyapi._data.media import open_media


@pytest.mark.parametrize(
    ("url", "mime", "data"),
    [
        ("data:audio/wav;base64,aGk=", "audio/wav", b"hi"),
        ("DATA:Audio/WAV;BASE64,aGk=", "audio/wav", b"hi"),
        ("  \n data:audio/wav;base64,aGk= \r\n", "audio/wav", b"hi"),
        ("data:audio/wav;base64,a G\nk\t=", "audio/wav", b"hi"),
        ("data:audio/wav;base64,aGk", "audio/wav", b"hi"),
        ("data:audio/wav;base64,aG%6B%3D", "audio/wav", b"hi"),
        ("data:audio/wav;base64,%20aGk=%0A", "audio/wav", b"hi"),
        ("data:audio/wav; base64,aGk=", "audio/wav", b"hi"),
        ("data:audio/wav;   base64,aGk=", "audio/wav", b"hi"),
        ("data:audio/wav;base64;x=y,aGk=", "audio/wav;x=y", b"aGk="),
        ("data:audio/l16;rate=16000;channels=1;base64,aGk=", "audio/l16;rate=16000;channels=1", b"hi"),
        ("data:audio/l16; Rate=16000;base64,aGk=", "audio/l16;rate=16000", b"hi"),
        ('data:audio/x;name="a b";base64,aGk=', 'audio/x;name="a b"', b"hi"),
        ("data:audio/x;a=1;a=2;=3;b;base64,aGk=", "audio/x;a=1", b"hi"),
        ("data:;base64,aGk=", None, b"hi"),
        ("data:,hi", None, b"hi"),
        ("data:;charset=utf-8,hi", "text/plain;charset=utf-8", b"hi"),
        ("data:nonsense;base64,aGk=", None, b"hi"),
        ("data:image/svg+xml,%3Csvg%3E a,b", "image/svg+xml", b"<svg> a,b"),
        ("data:image/svg+xml,<svg>#id", "image/svg+xml", b"<svg>"),
        ("data:text/plain,a%zzb%4", "text/plain", b"a%zzb%4"),
        ("data:text/plain,h\u00e9", "text/plain", "hé".encode()),
    ],
)
async def test_a_data_url_is_read_as_browsers_do(url: str, mime: str | None, data: bytes) -> None:
    assert read_data_url(url) == (mime, data)
    media = await open_media(url, "file")
    assert (media.body, media.mime) == (data, mime or "application/octet-stream")


@pytest.mark.parametrize("text", ["a", "aGk=aGk=", "a===", "aGk==", "aG-_", "!!!!", "aG%FF"])
async def test_base64_that_browsers_refuse_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"the image is not base64: 'data:;base64"):
        await open_media(f"data:;base64,{text}", "image")


async def test_a_data_url_without_a_comma_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="the image is a data: URL without a comma"):
        await open_media("data:image/png;base64", "image")


async def test_the_declared_type_wins_over_the_first_bytes() -> None:
    png = "iVBORw0KGgo="
    assert (await open_media(f"data:image/x-own;a=b;base64,{png}", "image")).mime == "image/x-own;a=b"
    assert (await open_media(f"data:;base64,{png}", "image")).mime == "image/png"
    assert (await open_media(Base64(png, "image/x-own; a=b"), "image")).mime == "image/x-own; a=b"
    assert (await open_media(Base64(png), "image")).mime == "image/png"


@pytest.mark.parametrize("mime", ["", "png", "image/", "image/png\r\nX: y", "image/\u00e9", "image/png;\u00e9"])
def test_a_type_that_is_none_is_a_value_error(mime: str) -> None:
    with pytest.raises(ValueError, match="mime must be a MIME type such as"):
        Base64("aGk=", mime)


def test_a_type_of_another_kind_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="mime must be a string or None, not int"):
        Base64("aGk=", 5)  # type: ignore[arg-type]  # the wrong type is the point


def test_an_error_shows_at_most_40_characters_of_a_type() -> None:
    for length in (40, 41):
        with pytest.raises(ValueError, match=f"not '{'a' * 40}'$"):
            Base64("aGk=", "a" * length)


@pytest.mark.parametrize("text", ["aGk=", "aG\r\nk= ", " a G k =\n"])
def test_base64_may_have_line_breaks_and_spaces(text: str) -> None:
    assert from_base64(text) == b"hi"


@pytest.mark.parametrize("text", ["aG-k=", "aG\n-k=", "a", "aGk", "aGk=aGk=", "!", "\u00e9"])
def test_text_that_is_no_base64_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  two libraries, two messages
        from_base64(text)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("data:", True),
        (" " * 1000 + "DATA:,", True),
        ("\x00data:", True),
        ("data", False),
        ("a data:", False),
        ("", False),
    ],
)
def test_a_data_url_begins_with_its_scheme(text: str, is_one: bool) -> None:
    assert is_data_url(text) is is_one


def test_copies_of_base64_text_keep_its_type() -> None:
    text = Base64("aGk=", "audio/wav")
    for made in (copy.copy(text), copy.deepcopy(text), pickle.loads(pickle.dumps(text))):
        assert (type(made), made, made.mime) == (Base64, "aGk=", "audio/wav")


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from(' \t\n\r\f;,=%#/"\\abcAGk0+-_'))))
def test_any_text_after_the_scheme_is_read_or_a_value_error(rest: str) -> None:
    url = f"data:{rest}"
    assert is_data_url(url)
    try:
        mime, data = read_data_url(url)
    except ValueError:
        return
    assert isinstance(data, bytes)
    assert mime is None or (mime.isascii() and mime.isprintable() and "/" in mime)
