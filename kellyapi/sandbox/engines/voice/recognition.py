"""Speech recognition by pocketsphinx, whose wheel includes a model of English. `audio_files` decodes the audio."""

from __future__ import annotations

import re
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pocketsphinx import Decoder

from ....languages import find
from ..errors import BadInput
from .audio_files import decode, resample

_RATE = 16_000
_FRAMES_PER_SECOND = 100
# Seconds of silence before and after the audio, and added noise at -60 dB. Recognised of 142 words from `synthesis` and
# of 16 in ALSA's recordings: 105 and 11. With 0.3 s: 103 and 9. With 0 s: 101 and 9. Without noise: 89 and 11, and
# "dog" is heard in silence.
_PADDING = 0.1
_NOISE = 1e-3
_LONGEST_PAUSE = 0.6  # seconds between words of one segment
_LEAST_LEVEL, _LEAST_SHARE = 0.005, 0.05  # of the loudest possible sample and of the loudest one: less is silence
_SHORTEST_GAP = 0.1  # seconds between two sounds
_FILLER = re.compile(r"[<\[+]")  # <s>, </s>, <sil>, [NOISE], ++BREATH++
_idle: list[Decoder] = []
"""Decoders for the next call. A new one takes 0.2 to 0.5 s, and each 44 MB."""
_LONGEST_KEPT = 60 * _RATE * 2  # bytes of 16-bit samples


class Span(TypedDict):
    """Start and end in seconds from the start of the audio."""

    start: float
    end: float


class Word(Span):
    """A word with its times."""

    word: str


class Segment(Span):
    """Words without a long pause between them, with their times."""

    text: str


class Transcript(TypedDict):
    """Result of `transcribe`."""

    text: str
    words: list[Word]
    segments: list[Segment]
    duration: float


def transcribe(audio: bytes, language: str = "eng") -> Transcript:
    """Transcribe English speech, in lower case without punctuation. The text is empty if there is no speech.

    Raises:
        BadInput: If the language is not English or the audio cannot be used.
    """
    entry = find(language)
    if not entry or entry.code != "eng":
        raise BadInput("language", f"no model for {language!r}: only English (eng) is understood here")
    samples, rate = decode(audio)
    duration = len(samples) / rate
    recognised = _recognise(_prepare(samples, rate))
    words = [_make_word(segment, duration) for segment in recognised if not _FILLER.match(segment.word)]
    segments = [_make_segment(group) for group in _split_at_pauses(words)]
    return {"text": _join(words), "words": words, "segments": segments, "duration": round(duration, 2)}


def _prepare(samples: NDArray[np.float32], rate: int) -> bytes:
    """Convert samples to 16-bit PCM at 16 kHz, with silence at both ends and noise."""
    prepared = resample(np.pad(samples, round(_PADDING * rate)), rate, _RATE)
    prepared += np.random.RandomState(0).normal(0, _NOISE, len(prepared)).astype(np.float32)
    return (prepared.clip(-1, 1) * 32767).astype(np.int16).tobytes()


def _recognise(samples: bytes) -> list[Any]:
    try:
        decoder = _idle.pop()
    except IndexError:
        decoder = Decoder(loglevel="FATAL")
    decoder.reinit_feat()  # or it mishears this voice, because it has adapted to the last one
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    recognised = list(decoder.seg() or ())
    if len(samples) <= _LONGEST_KEPT:  # its tables have grown with the recording; after an error it is not kept either
        _idle.append(decoder)
    return recognised


def _make_word(segment: Any, duration: float) -> Word:
    frames = segment.start_frame, segment.end_frame + 1
    start, end = (round(min(max(frame / _FRAMES_PER_SECOND - _PADDING, 0.0), duration), 2) for frame in frames)
    word = re.sub(r"\(\d+\)$", "", segment.word)  # the number in "the(2)" is a pronunciation
    return {"word": word, "start": start, "end": end}


def _split_at_pauses(words: list[Word]) -> list[list[Word]]:
    groups: list[list[Word]] = []
    for word in words:
        if groups and word["start"] - groups[-1][-1]["end"] <= _LONGEST_PAUSE:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _make_segment(words: list[Word]) -> Segment:
    return {"text": _join(words), "start": words[0]["start"], "end": words[-1]["end"]}


def _join(words: list[Word]) -> str:
    return " ".join(word["word"] for word in words)


def mark(audio: bytes, language: str) -> Transcript:
    """Mark the sounds of a recording in a language that has no model, each as a word such as `⟦twi-1⟧`.

    The times are those of the sounds. A pause of more than 0.1 s separates two of them.

    Raises:
        BadInput: If the audio cannot be used.
    """
    samples, rate = decode(audio)
    duration = len(samples) / rate
    words: list[Word] = [
        {"word": f"⟦{language}-{number}⟧", "start": round(start, 2), "end": round(min(end, duration), 2)}
        for number, (start, end) in enumerate(_find_sounds(samples, rate), 1)
    ]
    segments = [_make_segment(group) for group in _split_at_pauses(words)]
    return {"text": _join(words), "words": words, "segments": segments, "duration": round(duration, 2)}


def _find_sounds(samples: NDArray[np.float32], rate: int) -> list[tuple[float, float]]:
    """Return start and end of each sound in seconds."""
    length = max(1, rate // _FRAMES_PER_SECOND)
    frames = np.pad(samples, (0, -len(samples) % length)).reshape(-1, length)
    levels = np.abs(frames).max(axis=1)
    loud = np.flatnonzero(levels > max(_LEAST_LEVEL, _LEAST_SHARE * float(levels.max())))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) * length > _SHORTEST_GAP * rate)
    starts, ends = loud[np.r_[0, breaks + 1]], loud[np.r_[breaks, len(loud) - 1]] + 1
    return [(int(start) * length / rate, int(end) * length / rate) for start, end in zip(starts, ends, strict=True)]
