"""What Jupyter shows of results: IPython calls these methods and takes `None` for nothing."""

from __future__ import annotations

import base64
from html.parser import HTMLParser
from typing import Any

import pytest

from kellyapi import Image, Music, Segment, Speech, Transcript, Video, Word
from kellyapi.services.notebook import MAX_MEDIA, MAX_ROWS

PNG = b"\x89PNG\r\n\x1a\n"
LARGE = bytes(MAX_MEDIA + 1)


class Elements(HTMLParser):
    """The elements and the texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.found]


def picture(mime: str, data: bytes = PNG) -> Image:
    return Image(data=data, mime=mime, provider="kelly")


def speech(audio: bytes = b"RIFF", mime: str = "audio/wav", language: str = "twi") -> Speech:
    return Speech(audio=audio, mime=mime, language=language, provider="khaya")


def transcript(text: str, **parts: Any) -> Transcript:
    return Transcript(text=text, language="twi", provider="khaya", **parts)


@pytest.mark.parametrize(
    ("mime", "png", "jpeg"),
    [("image/png", PNG, None), ("image/jpeg", None, PNG), ("image/webp", None, None), ("image/svg+xml", None, None)],
)
def test_an_image_is_shown_once(mime: str, png: bytes | None, jpeg: bytes | None) -> None:
    image = picture(mime)
    assert (image._repr_png_(), image._repr_jpeg_()) == (png, jpeg)
    html = image._repr_html_()
    if png or jpeg:
        assert html is None
    else:
        assert Elements(html or "").found == [
            ("img", {"src": f"data:{mime};base64,{base64.b64encode(PNG).decode()}", "alt": ""})
        ]


def test_speech_has_a_player_and_a_caption(wav: bytes) -> None:
    (audio, attributes), (caption, _) = Elements(speech(wav)._repr_html_()).found
    assert (audio, caption, attributes["controls"]) == ("audio", "p", None)
    assert attributes["src"] == f"data:audio/wav;base64,{base64.b64encode(wav).decode()}"
    assert Elements(speech(wav)._repr_html_()).texts == ["twi · 0.5 s"]
    assert Elements(speech(b"ID3", "audio/mpeg")._repr_html_()).texts == ["twi"]


def test_music_and_videos_have_a_player(wav: bytes) -> None:
    music = Elements(Music(data=wav, mime="audio/wav", provider="skytells")._repr_html_())
    assert (music.names, music.texts) == (["audio", "p"], ["0.5 s"])
    ((name, attributes),) = Elements(Video(data=b"mp4", mime="video/mp4", provider="skytells")._repr_html_()).found
    link = f"data:video/mp4;base64,{base64.b64encode(b'mp4').decode()}"
    assert (name, attributes) == ("video", {"controls": None, "src": link})


@pytest.mark.parametrize(
    ("parts", "rows"),
    [
        ({}, []),
        ({"words": (Word("Me", 0.0, 0.12), Word("ho", 0.12, 1.0))}, ["0.00", "0.12", "Me", "0.12", "1.00", "ho"]),
        ({"segments": (Segment("Me ho", 0.0, 1.0),)}, ["0.00", "1.00", "Me ho"]),
    ],
)
def test_a_transcript_is_a_text_and_a_table_of_times(parts: Any, rows: list[str]) -> None:
    shown = Elements(transcript("Me ho yɛ", **parts)._repr_html_())
    assert shown.texts == ["Me ho yɛ", *(["start", "end", "text"] if rows else []), *rows]


@pytest.mark.parametrize(
    "html",
    [
        picture('image/png"><script>')._repr_html_(),
        picture("text/html")._repr_html_(),
        speech(mime="text/html")._repr_html_(),
        speech(language="<script>")._repr_html_(),
        transcript("<script>alert(1)</script>", words=(Word("<img onerror=a>", 0, 1),))._repr_html_(),
    ],
)
def test_nothing_that_a_provider_sends_is_an_element(html: str) -> None:
    assert set(Elements(html).names) <= {"p", "code", "audio", "table", "tr", "th", "td"}


@pytest.mark.parametrize(
    "html",
    [
        picture("image/png", LARGE)._repr_html_(),
        picture("image/webp", LARGE)._repr_html_(),
        speech(LARGE)._repr_html_(),
        Video(data=LARGE, mime="video/mp4", provider="skytells")._repr_html_(),
        transcript("a" * 1_000_000, words=tuple(Word("b" * 10_000, 0, 1) for _ in range(100)))._repr_html_(),
        transcript("a", words=tuple(Word("b", 0, 1) for _ in range(MAX_ROWS + 1)))._repr_html_(),
    ],
)
def test_what_is_shown_is_bounded(html: str) -> None:
    assert 20 < len(html) < 300_000
    assert picture("image/png", LARGE)._repr_png_() is None


def test_a_cut_table_says_so() -> None:
    rows = Elements(transcript("a", words=tuple(Word("b", 0, 1) for _ in range(MAX_ROWS + 9)))._repr_html_())
    assert (rows.names.count("tr"), rows.texts[-1]) == (MAX_ROWS + 2, "…")


@pytest.fixture
def wav() -> bytes:
    """Half a second of silence."""
    rate = 8000
    body = bytes(rate)
    head = b"WAVEfmt " + (16).to_bytes(4, "little") + b"\1\0\1\0" + rate.to_bytes(4, "little")
    head += (2 * rate).to_bytes(4, "little") + b"\2\0\20\0data" + len(body).to_bytes(4, "little")
    return b"RIFF" + (len(head) + len(body)).to_bytes(4, "little") + head + body
