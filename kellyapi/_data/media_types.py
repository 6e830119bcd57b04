"""What the bytes of an audio file or an image tell: its MIME type, rate and duration, width and height."""

from __future__ import annotations

import io
import re

UNKNOWN_TYPE = "application/octet-stream"
"""The MIME type of any bytes."""
_SNIFF_BYTES = 2**16
_LONGEST_PREFIX = 12
_LARGEST_TAG = 2**20
"""Bytes of an ID3 tag that are read to see what follows. Tags hold the pictures of covers."""
_MOST_TAGS = 8
_MOST_CHUNKS = 1000
_LARGEST_HEADER = 2**20
"""Bytes before the size of an image. A server may send millions of empty parts, each of which takes some 2 us."""


def sniff(data: bytes) -> str | None:
    """Return the MIME type by the first bytes; `None` if it is not known here.

    Source: https://mimesniff.spec.whatwg.org/
    """
    at = _length_of_tags(data)
    head = bytes(data[at : at + _SNIFF_BYTES])
    if head[4:8] == b"ftyp":
        return _iso_media_type(head)
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska_type(head)
    return next((mime for pattern, mime in _PATTERNS if pattern.match(head)), "audio/mpeg" if at else None)


def is_enough_to_sniff(head: bytes) -> bool:
    """Return whether more bytes would not tell `sniff` more: a slow source is not waited for longer than that."""
    if len(head) >= min(_length_of_tags(head), _LARGEST_TAG) + _LONGEST_PREFIX:
        return True
    return head[:3] != b"ID3" and sniff(head) is not None


def wav_shape(data: bytes) -> tuple[int, float] | None:
    """Return (samples per second, seconds) of a WAV file; `None` for other data.

    A length that was not known when the header was written is taken from the data that is there.
    Source: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE/WAVE.html, https://tech.ebu.ch/docs/tech/tech3306v1_0.pdf
    """
    if sniff(data[:12]) != "audio/wav":
        return None

    def number(at: int, length: int = 4) -> int:
        return int.from_bytes(data[at : at + length], "big" if data[:4] == b"RIFX" else "little")

    rate = bytes_per_second = long_size = 0
    at = 12
    for _ in range(_MOST_CHUNKS):
        name, size = data[at : at + 4], number(at + 4)
        there = len(data) - at - 8
        if there < 0:
            break
        if name == b"ds64":
            long_size = number(at + 16, 8)
        elif name == b"fmt ":
            rate, bytes_per_second = number(at + 12), number(at + 16)
        elif name == b"data" and bytes_per_second:
            known = size if size not in (0, 0xFFFFFFFF) else long_size or there
            return rate, min(known, there) / bytes_per_second
        at += 8 + size
        if size % 2 and data[at : at + 1] == b"\0":  # some writers leave this byte out; no name begins with a zero
            at += 1
    return None


def image_size(data: bytes) -> tuple[int, int] | None:
    """Return (width, height) in pixels as stored in an image; `None` for other data, and if the image does not say."""
    import imagesize  # takes 10 ms

    mime = sniff(data) or ""
    if not mime.startswith("image/"):
        return None
    head = data if mime == "image/tiff" else data[:_LARGEST_HEADER]  # TIFF has its header anywhere
    width, height = imagesize.get(io.BytesIO(head), exif_rotation=False)
    return (round(width), round(height)) if min(width, height) > 0 else None


_AUDIO_BRANDS = (b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B ")
_BRANDS = {
    **dict.fromkeys(_AUDIO_BRANDS, "audio/mp4"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis"), "image/heic"),
    **dict.fromkeys((b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic-sequence"),
    b"mif1": "image/heif",
    b"msf1": "image/heif-sequence",
    b"qt  ": "video/quicktime",
    b"3gp": "video/3gpp",
    b"3g2": "video/3gpp2",
}
"""Source: https://mp4ra.org/registered-types/brands"""


def _iso_media_type(head: bytes) -> str:
    """Return the type of an ISO base media file by its brands, and by its tracks if these come before the data."""
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, end, 4))]
    kinds = [_BRANDS.get(brand) or _BRANDS.get(brand[:3], "video/mp4") for brand in brands]
    images = [kind for kind in kinds if kind.startswith("image/")]
    kind = min(
        images, key=lambda each: "heif" in each, default=kinds[0]
    )  # HEIF is a container: others name its content
    handlers = set(re.findall(rb"(?s)hdlr.{8}(soun|vide)", head))
    return kind.replace("video/", "audio/") if handlers == {b"soun"} else kind


def _matroska_type(head: bytes) -> str:
    """Return the type of a WebM or Matroska file, by the codecs of its tracks if these are near the beginning."""
    name = "webm" if re.search(rb"(?s)\x42\x82.{1,8}?webm", head[:256]) else "x-matroska"
    codecs = set(re.findall(rb"(?s)\x86.{1,8}?([AV])_[A-Z]", head))
    return f"{'audio' if codecs == {b'A'} else 'video'}/{name}"


def _length_of_tags(data: bytes) -> int:
    """Return the length of the ID3 tags that a file begins with.

    Source: https://id3.org/id3v2.4.0-structure
    """
    length = 0
    for _ in range(_MOST_TAGS):
        head = data[length : length + 10]
        if head[:3] != b"ID3" or len(head) < 10 or max(head[6:]) > 0x7F:
            break
        length += (head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]) + (20 if head[5] & 0x10 else 10)
    return length


# Each quantifier keeps what it has matched; otherwise many comments would take very long.
_XML_PROLOG = rb"(\xef\xbb\xbf)?+(?>\s+|<!--.*?-->|<[?!](?!--)[^>\[]*+(\[[^\]]*+\]\s*+)?>)*+"
_PATTERNS = tuple(
    (re.compile(pattern, re.DOTALL), mime)
    for pattern, mime in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),  # the most frequent first: each takes 1 us
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"(RIFF|RIFX|RF64|BW64).{4}WAVE", "audio/wav"),
        (rb"RIFF.{4}WEBP", "image/webp"),
        (rb"FORM.{4}AIF[FC]", "audio/aiff"),
        (rb"fLaC", "audio/flac"),
        (rb"OggS.{23,280}?\x80theora", "video/ogg"),
        (rb"OggS", "audio/ogg"),
        (rb"#!AMR-WB", "audio/amr-wb"),
        (rb"#!AMR", "audio/amr"),
        (rb"\xff[\xf0\xf1\xf8\xf9]", "audio/aac"),  # ADTS
        (rb"\xff[\xe2-\xe5\xf2-\xf5\xfa-\xfd]", "audio/mpeg"),  # layers II and III; I is a byte order mark
        (rb"ID3", "audio/mpeg"),
        (rb"caff\x00\x01", "audio/x-caf"),
        (rb"\.snd", "audio/basic"),
        (rb"MThd\x00\x00\x00\x06", "audio/midi"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-asf"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM.{4}\x00{4}", "image/bmp"),
        (rb"II[*+]\x00|MM\x00[*+]", "image/tiff"),
        (rb"\x00\x00[\x01\x02]\x00[^\x00]", "image/x-icon"),
        (rb"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2"),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n", "image/jxl"),
        (_XML_PROLOG + rb"<(\w+:)?svg[\s/>]", "image/svg+xml"),
    )
)
