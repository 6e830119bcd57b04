"""Speech to text by pocketsphinx, whose wheel carries a model of English. Reading audio files is audio.py's matter."""

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
_FRAMES_A_SECOND = 100
# Seconds of silence before and after, and its noise at -60 dB. Heard of 142 words by speech.py and of 16 in ALSA's
# recordings: 105 and 11. With 0.3 s 103 and 9, with 0 s 101 and 9, without noise 89 and 11, and "dog" in silence.
_PADDING = 0.1
_NOISE = 1e-3
_PAUSE = 0.6  # seconds; a longer one ends a segment
_MADE_UP = re.compile(r"[<\[+]")  # <s>, </s>, <sil>, [NOISE], ++BREATH++


class Span(TypedDict):
    """When something was said, in seconds from the start of the audio."""

    start: float
    end: float


class Word(Span):
    """One word."""

    word: str


class Segment(Span):
    """Words without a long pause between them."""

    text: str


class Heard(TypedDict):
    """What `transcribe` answers."""

    text: str
    words: list[Word]
    segments: list[Segment]
    duration: float


def transcribe(audio: bytes, language: str = "eng") -> Heard:
    """Write down English speech, in lower case without punctuation; empty where nothing is said."""
    known = find(language)
    if not known or known.code != "eng":
        raise BadInput("language", f"no model for {language!r}: only English (eng) is understood here")
    samples, rate = decode(audio)
    if not 4_000 <= rate <= 384_000:  # the header's word alone: 4 GHz would ask for 16 GB
        raise BadInput("audio", f"audio at {rate} Hz can't be understood")
    duration = len(samples) / rate
    words = [_word(found, duration) for found in _listen(_prepare(samples, rate)) if not _MADE_UP.match(found.word)]
    segments = [_segment(run) for run in _runs(words)]
    return {"text": _joined(words), "words": words, "segments": segments, "duration": round(duration, 2)}


def _prepare(samples: NDArray[np.float32], rate: int) -> bytes:
    prepared = resample(np.pad(samples, round(_PADDING * rate)), rate, _RATE)
    prepared += np.random.RandomState(0).normal(0, _NOISE, len(prepared)).astype(np.float32)
    return (prepared.clip(-1, 1) * 32767).astype(np.int16).tobytes()


def _listen(samples: bytes) -> list[Any]:
    # Made anew each time (0.2 s): one that has listened before has adapted to that voice and mishears the next.
    decoder = Decoder(loglevel="FATAL")
    decoder.start_utt()
    decoder.process_raw(samples, full_utt=True)
    decoder.end_utt()
    return list(decoder.seg() or ())


def _word(found: Any, duration: float) -> Word:
    frames = found.start_frame, found.end_frame + 1
    start, end = (round(min(max(frame / _FRAMES_A_SECOND - _PADDING, 0.0), duration), 2) for frame in frames)
    return {"word": re.sub(r"\(\d+\)$", "", found.word), "start": start, "end": end}  # "the(2)" is a pronunciation


def _runs(words: list[Word]) -> list[list[Word]]:
    runs: list[list[Word]] = []
    for word in words:
        if runs and word["start"] - runs[-1][-1]["end"] <= _PAUSE:
            runs[-1].append(word)
        else:
            runs.append([word])
    return runs


def _segment(words: list[Word]) -> Segment:
    return {"text": _joined(words), "start": words[0]["start"], "end": words[-1]["end"]}


def _joined(words: list[Word]) -> str:
    return " ".join(word["word"] for word in words)
