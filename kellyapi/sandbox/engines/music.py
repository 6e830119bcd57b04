"""Music of the sandbox's models: a melody over chords, which the words and the seed choose. It needs no package."""

from __future__ import annotations

import hashlib
import io
import math
import re
import wave
from array import array
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from itertools import cycle
from operator import add
from random import Random

_A4 = 440.0, 57
"""Frequency of a note in hertz, and its number of semitones above the lowest C. All others follow from it."""
_NOTES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"#": 1, "b": -1}
_SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
_CHORDS = {"major": (0, 4, 5, 3), "minor": (0, 5, 2, 6)}
"""Steps of the scale on which the chords of four bars stand: I V vi IV, and i VI III VII."""
_SAD = re.compile(r"\b(sad|dark|minor|melanchol\w*|slow|rain\w*|night|lonely|blues?)\b", re.IGNORECASE)
_TEMPO = re.compile(r"\b([1-9][0-9]{1,2}) ?bpm\b", re.IGNORECASE)
TEMPOS = range(40, 241)
"""Beats in a minute."""
_RHYTHMS = ((2, 2, 2, 2), (2, 1, 1, 4), (3, 1, 2, 2), (1, 1, 2, 4), (4, 2, 2))
"""Lengths of the melody's notes in a bar, in half beats."""
_OVERTONES = ((1, 1.0), (2, 0.35), (3, 0.12))
"""Frequency and loudness of each partial tone, as multiples of the first."""
_MELODY, _CHORD = 9_000, 2_600
"""Loudness of one tone; those of the loudest chord and the melody fit into 16 bits together."""
_ATTACK, _RELEASE, _DECAY = 0.01, 0.06, 1.8
"""Seconds in which a tone gets loud and silent, and how fast it fades between, per second."""


def compose(
    prompt: str,
    lyrics: str = "",
    variant: str = "",
    seconds: float = 10,
    bpm: int | None = None,
    key: str | None = None,
    rate: int = 44_100,
    format: str = "wav",
) -> bytes:
    """Compose music of one channel and 16 bits. The same arguments give the same music.

    Args:
        prompt: Its words choose major or minor, and its "120 bpm" the tempo, if the arguments do not.
        lyrics: They are not sung. Other lyrics give another melody.
        variant: Each variant is another melody.
        seconds: The length.
        bpm: Beats in a minute, one of `TEMPOS`.
        key: Such as "C", "F#" or "Bb minor".
        rate: Samples in a second.
        format: "wav", "pcm" (the samples alone), or "mp3", which needs soundfile.
    """
    random = Random(hashlib.sha256("\0".join((prompt, lyrics, variant)).encode("utf-8", "replace")).digest())
    scale, chords = _choose_key(prompt, key, random)
    half_beat = round(rate * 30 / _choose_tempo(prompt, bpm, random))
    count = round(seconds * rate)
    tone = cache(partial(_make_tone, rate))
    melody = _play(tone, _write_melody(scale, chords, random), half_beat, count, _MELODY)
    triads = ((8, (scale(step), scale(step + 2), scale(step + 4))) for step in cycle(chords))
    accompaniment = _play(tone, triads, half_beat, count, _CHORD)
    samples = array("h", map(add, melody, accompaniment))
    _fade_out(samples, rate)
    return _encode(samples, rate, format)


def _choose_key(prompt: str, key: str | None, random: Random) -> tuple[Callable[[int], int], tuple[int, ...]]:
    """Return a function from a step of the scale to a note, and the steps of the chords."""
    name, _, mode = (key or "").partition(" ")
    tonic = _NOTES[name[0]] + _SIGNS.get(name[1:], 0) if name else int(random.random() * 12)
    if mode not in _SCALES:
        mode = "minor" if not key and _SAD.search(prompt) else "major"
    steps = _SCALES[mode]
    return lambda step: 36 + tonic + 12 * (step // 7) + steps[step % 7], _CHORDS[mode]


def _choose_tempo(prompt: str, bpm: int | None, random: Random) -> int:
    named = _TEMPO.search(prompt)
    chosen = bpm or (int(named[1]) if named else 84 + int(random.random() * 48))
    return min(max(chosen, TEMPOS[0]), TEMPOS[-1])


def _write_melody(
    scale: Callable[[int], int], chords: tuple[int, ...], random: Random
) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the length in half beats and the note of each tone: eight bars that repeat. A bar begins with its chord."""
    bars = []
    step = 0
    for bar in range(8):
        for place, length in enumerate(_RHYTHMS[int(random.random() * len(_RHYTHMS))]):
            if place:
                step += int(random.random() * 5) - 2
            else:
                step = chords[bar % len(chords)] + 2 * int(random.random() * 3)
            step = min(max(step, -2), 10)
            bars.append((length, (scale(step + 14),)))
    return cycle(bars)


def _play(
    tone: Callable[[int, int, int], array[int]],
    notes: Iterator[tuple[int, tuple[int, ...]]],
    half_beat: int,
    count: int,
    loudness: int,
) -> array[int]:
    """Return `count` samples of notes one after another, each a chord of one tone or more."""
    samples = array("h")
    for length, chord in notes:
        size = length * half_beat
        together = tone(chord[0], size, loudness)
        for note in chord[1:]:
            together = array("h", map(add, together, tone(note, size, loudness)))
        samples.extend(together)
        if len(samples) >= count:
            break
    return samples[:count]


def _make_tone(rate: int, note: int, count: int, loudness: int) -> array[int]:
    waves = _make_waves(rate, note, loudness)
    levels = zip(waves * -(-count // len(waves)), _make_envelope(rate, count), strict=False)
    return array("h", [sample * level >> 15 for sample, level in levels])


@lru_cache(64)
def _make_waves(rate: int, note: int, loudness: int) -> array[int]:
    """Return some periods of a tone, as many as fill a whole number of samples best: it stays in tune when repeated."""
    frequency, number = _A4
    period = rate / (frequency * 2 ** ((note - number) / 12))
    periods = min(range(1, 65), key=lambda periods: abs(round(periods * period) / (periods * period) - 1))
    count = round(periods * period)
    step = 2 * math.pi * periods / count
    partials = [(multiple * step, loudness * share) for multiple, share in _OVERTONES]
    return array("h", [int(sum(part * math.sin(angle * place) for angle, part in partials)) for place in range(count)])


@lru_cache(16)  # up to 0.5 MB each
def _make_envelope(rate: int, count: int) -> array[int]:
    """Return how loud a tone is at each sample, of 32,767."""
    attack, release, fade = _ATTACK * rate, _RELEASE * rate, math.exp(-_DECAY / rate)
    edges = (min(1, place / attack, (count - place) / release) for place in range(count))
    return array("h", [int(32_767 * fade**place * edge) for place, edge in enumerate(edges)])


def _fade_out(samples: array[int], rate: int) -> None:
    """Let the last half second become silent, so that music that is cut does not click."""
    count = min(len(samples), rate // 2)
    for place in range(count):
        samples[-1 - place] = samples[-1 - place] * place // count


def _encode(samples: array[int], rate: int, format: str) -> bytes:
    if format == "pcm":
        return samples.tobytes()
    if format == "mp3":
        import numpy as np  # the other formats need no package

        from .voice.audio_files import encode

        return encode(np.asarray(samples, np.int16), rate, format)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, rate, len(samples), "NONE", ""))
        out.writeframes(samples.tobytes())
    return file.getvalue()
