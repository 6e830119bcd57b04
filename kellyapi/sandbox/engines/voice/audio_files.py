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


def decode(audio: bytes) -> tuple[NDArray[np.float32], int]:
    """Read WAV, MP3, FLAC, OGG or another format of libsndfile.

    Returns:
        The samples of one channel, from -1 to 1, and their rate in hertz.

    Raises:
        BadInput: If the bytes are not audio, or have no samples.
    """
    try:
        samples, rate = soundfile.read(io.BytesIO(audio), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadInput("audio", f"not audio: {error.error_string}") from None
    if not len(samples):
        raise BadInput("audio", "the audio is empty")
    return np.nan_to_num(samples.mean(axis=1)), rate


def encode(samples: NDArray[np.int16], rate: int, format: str) -> bytes:
    """Return a file in one of `FORMATS` from samples of one channel."""
    container, codec, _ = FORMATS[format]
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, 1, codec, format=container) as out:
        for start in range(0, len(samples), rate):  # one write of 600 s of Vorbis crashes libsndfile 1.2.2
            out.write(samples[start : start + rate])
    return file.getvalue()


def resample(samples: NDArray[np.float32], rate: int, new_rate: int) -> NDArray[np.float32]:
    """Change the rate by cutting or extending the spectrum. Both ends should be silent, since the spectrum wraps."""
    count = len(samples) * new_rate // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return (np.fft.irfft(spectrum, count) * (count / len(samples))).astype(np.float32)
