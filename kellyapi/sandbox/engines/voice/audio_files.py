"""Audio files: decoding to samples, encoding from samples, and resampling."""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import BadInput

# soundfile 0.14 bundles libsndfile 1.2.2 with LAME, Vorbis and Opus: a wheel of 1.3 MB on Linux.
# Its Opus does not support 22,050 Hz, the rate of the voices, so OGG means Vorbis here.
FORMATS = {
    "wav": ("WAV", "PCM_16", "audio/wav"),
    "mp3": ("MP3", "MPEG_LAYER_III", "audio/mpeg"),
    "ogg": ("OGG", "VORBIS", "audio/ogg"),
}
"""Container, codec and media type of each format that a request can name."""


MAX_SECONDS, MAX_SAMPLES, RATES = 600, 2**26, range(4_000, 384_001)
"""Limits of audio that is decoded: its duration, its samples in all channels together, and its rates in hertz."""
_BLOCK = 2**20
"""Samples in all channels that are decoded at once."""
_PIECE = 10
"""Seconds that are resampled at once."""


def decode(audio: bytes) -> tuple[NDArray[np.float32], int]:
    """Read WAV, MP3, FLAC, OGG or another format of libsndfile.

    Returns:
        The samples of one channel, from -1 to 1, and their rate in hertz.

    Raises:
        BadInput: If the bytes are not audio, have no samples, or are longer than the limits, by their header if it says
            so.
    """
    blocks: list[NDArray[np.float32]] = []
    try:
        with soundfile.SoundFile(io.BytesIO(audio)) as file:
            rate = file.samplerate
            if rate not in RATES:
                raise BadInput("audio", f"audio at {rate} Hz can't be understood")
            if file.frames > MAX_SECONDS * rate or file.frames * file.channels > MAX_SAMPLES:
                raise BadInput("audio", f"the audio is longer than {MAX_SECONDS} seconds or {MAX_SAMPLES:,} samples")
            # `read` returns no more frames than the header names.
            while len(block := file.read(max(1, _BLOCK // file.channels), "float32", always_2d=True)):
                blocks.append(block.mean(axis=1))
    except soundfile.LibsndfileError as error:
        raise BadInput("audio", f"not audio: {error.error_string}") from None
    if not blocks:
        raise BadInput("audio", "the audio is empty")
    return np.nan_to_num(np.concatenate(blocks), copy=False), rate


def encode(samples: NDArray[np.int16], rate: int, format: str) -> bytes:
    """Return a file in one of `FORMATS` from samples of one channel."""
    container, codec, _ = FORMATS[format]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, codec, format=container) as out:
        for start in range(0, len(samples), rate):  # one write of 600 s of Vorbis crashes libsndfile 1.2.2
            out.write(samples[start : start + rate])
    return file.getvalue()


def resample(samples: NDArray[np.float32], rate: int, new_rate: int) -> NDArray[np.float32]:
    """Change the rate by cutting or extending the spectrum. Both ends should be silent, since the spectrum wraps.

    The spectrum of ten minutes would take 1 GB, so it is made of pieces, each with a fading second of its neighbours.
    """
    pieces = []
    for start in range(0, len(samples), _PIECE * rate):
        before = min(start, rate)
        piece = samples[start - before : start + (_PIECE + 1) * rate].copy()
        piece[:before] *= np.linspace(0, 1, before, dtype=np.float32)
        after = piece[before + _PIECE * rate :]
        after *= np.linspace(1, 0, len(after), dtype=np.float32)
        count = len(piece) * new_rate // rate
        spectrum = np.fft.rfft(piece)[: count // 2 + 1]
        resampled = np.fft.irfft(spectrum, count) * (count / len(piece))
        pieces.append(resampled[before // rate * new_rate :][: _PIECE * new_rate].astype(np.float32))
    return np.concatenate(pieces)
