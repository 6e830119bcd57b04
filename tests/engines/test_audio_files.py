"""Audio files: judged by their headers, decoded in blocks, and resampled in pieces."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from kellyapi._data.media_types import sniff
from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.music import compose
from kellyapi.sandbox.engines.voice import audio_files
from kellyapi.sandbox.engines.voice.audio_files import MAX_SAMPLES, MAX_SECONDS, decode, resample
from kellyapi.sandbox.engines.voice.synthesis import MAX_LENGTH, synthesize


def flac(frames: int, rate: int = 8_000, channels: int = 1, claimed: int | None = None) -> bytes:
    """Return FLAC of a ramp. Its header claims another number of frames, if you pass one."""
    file = io.BytesIO()
    ramp = np.linspace(-0.5, 0.5, frames)
    soundfile.write(file, np.stack([ramp] * channels, axis=1), rate, format="FLAC")
    data = bytearray(file.getvalue())
    if (
        claimed is not None
    ):  # the last 36 bits of the 8 bytes at 18: https://www.rfc-editor.org/rfc/rfc9639#name-streaminfo
        [packed] = struct.unpack_from(">Q", data, 18)
        struct.pack_into(">Q", data, 18, packed >> 36 << 36 | claimed)
    return bytes(data)


@pytest.mark.parametrize(
    "audio",
    [
        flac(100, claimed=MAX_SECONDS * 8_000 + 1),
        flac(100, 192_000, 8, claimed=MAX_SAMPLES // 8 + 1),
        flac(100, claimed=2**36 - 1),
        flac(100, 3_000),
        flac(100, 500_000),
    ],
    ids=["seconds", "samples", "most that a header can say", "low rate", "high rate"],
)
def test_audio_outside_the_limits_is_refused_before_it_is_decoded(
    audio: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *_, **__: pytest.fail("it was decoded"))
    with pytest.raises(BadInput) as raised:
        decode(audio)
    assert raised.value.kind == "audio"


def test_a_header_that_names_fewer_samples_than_the_file_has_bounds_what_is_decoded() -> None:
    assert len(decode(flac(8_000, claimed=100))[0]) == 100


def test_blocks_make_the_same_samples_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = flac(12_345, channels=3)
    whole, _ = decode(audio)
    monkeypatch.setattr(audio_files, "_BLOCK", 1_000)
    assert np.array_equal(decode(audio)[0], whole)
    assert len(whole) == 12_345


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100])
@pytest.mark.parametrize("seconds", [10, 10.5, 20.9, 31])
def test_a_tone_continues_over_the_pieces_that_are_resampled(rate: int, seconds: float) -> None:
    count = round(seconds * rate)
    silent_ends = np.hanning(count)
    tone = (silent_ends * np.sin(2 * np.pi * 440 * np.arange(count) / rate)).astype(np.float32)
    resampled = resample(tone, rate, 16_000)
    new_count = count * 16_000 // rate
    expected = np.hanning(new_count) * np.sin(2 * np.pi * 440 * np.arange(new_count) / 16_000)
    assert len(resampled) == new_count
    assert np.abs(resampled - expected).max() < 0.003


def test_a_text_of_too_many_characters_is_not_spoken() -> None:
    with pytest.raises(BadInput) as raised:
        synthesize("a" * (MAX_LENGTH + 1), "eng")
    assert raised.value.kind == "text"


@pytest.mark.parametrize("rate", [16_000, 24_000, 32_000, 44_100])
def test_music_is_encoded_as_mp3(rate: int) -> None:
    mp3 = compose("a song", seconds=2, rate=rate, format="mp3")
    samples, found = decode(mp3)
    assert (found, sniff(mp3)) == (rate, "audio/mpeg")
    assert abs(len(samples) / rate - 2) < 0.2
    assert samples.max() > 0.1
