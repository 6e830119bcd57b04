"""Music of the sandbox: its length, its notes, and what the words and the seed change."""

from __future__ import annotations

import io
import math
import wave
from typing import Any

import numpy as np
import pytest

from kellyapi.sandbox.engines.music import TEMPOS, compose


def read(audio: bytes) -> tuple[int, np.ndarray[Any, np.dtype[np.int16]]]:
    """Return the rate and the samples of a WAV file."""
    with wave.open(io.BytesIO(audio)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)


def loudest_frequency(samples: np.ndarray[Any, Any], rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 2**18))
    return float(spectrum.argmax()) * rate / 2**18


@pytest.mark.parametrize(
    ("seconds", "rate"), [(2, 16_000), (3, 24_000), (2.5, 32_000), (1, 44_100), (0.25, 16_000), (60, 16_000)]
)
def test_music_has_exactly_its_length_and_ends_silently(seconds: float, rate: int) -> None:
    found, samples = read(compose("a song", seconds=seconds, rate=rate))
    assert (found, len(samples)) == (rate, seconds * rate)
    assert np.abs(samples).max() > 5_000
    assert np.abs(samples[-10:]).max() < 50


@pytest.mark.parametrize(("rate", "key"), [(16_000, "C"), (16_000, "F# minor"), (44_100, "Bb major")])
def test_notes_are_in_tune(rate: int, key: str) -> None:
    _, samples = read(compose("a song", bpm=60, key=key, rate=rate, seconds=8))
    for beat in range(8):
        frequency = loudest_frequency(samples[beat * rate : beat * rate + rate // 2], rate)
        semitones = 12 * math.log2(frequency / 440)
        assert abs(semitones - round(semitones)) < 0.05, (beat, frequency)


@pytest.mark.parametrize(
    ("key", "scale"),
    [("C major", {0, 2, 4, 5, 7, 9, 11}), ("C minor", {0, 2, 3, 5, 7, 8, 10}), ("D", {2, 4, 6, 7, 9, 11, 1})],
)
def test_notes_are_of_the_key(key: str, scale: set[int]) -> None:
    rate, samples = read(compose("a song", bpm=60, key=key, rate=16_000, seconds=16))
    pieces = (samples[beat * rate : beat * rate + rate // 2] for beat in range(15))
    notes = {round(12 * math.log2(loudest_frequency(piece, rate) / 440) + 9) % 12 for piece in pieces}
    assert len(notes) > 2
    assert notes <= scale


def test_the_same_arguments_give_the_same_music() -> None:
    arguments = {"prompt": "Romantic, love", "lyrics": "la la", "variant": "5", "seconds": 1, "rate": 16_000}
    changes: tuple[dict[str, Any], ...] = (
        {}, {}, {"prompt": "rap"}, {"lyrics": "lo lo"}, {"variant": "6"}, {"bpm": 90}, {"key": "E"}, {"key": "E minor"}
    )  # fmt: skip
    assert len({compose(**(arguments | change)) for change in changes}) == len(changes) - 1


@pytest.mark.parametrize(
    ("prompt", "same"),
    [
        ("jazz, 90 BPM", {"bpm": 90}),
        ("jazz, 90bpm, piano", {"bpm": 90}),
        ("jazz, 999 bpm", {"bpm": TEMPOS[-1]}),
        ("jazz, 10 bpm", {"bpm": TEMPOS[0]}),
    ],
)
def test_a_prompt_may_name_the_tempo(prompt: str, same: dict[str, Any]) -> None:
    plain = compose(prompt, seconds=2, rate=16_000, key="C")
    assert plain == compose(prompt, seconds=2, rate=16_000, key="C", **same)
    assert plain != compose(prompt, seconds=2, rate=16_000, key="C", bpm=77)


def test_sad_words_give_a_minor_key() -> None:
    notes = {}
    for word in ("sad", "glad"):
        rate, samples = read(compose(f"a {word} song, 60 bpm", rate=16_000, seconds=4))
        triad = samples[: rate // 2]
        spectrum = np.abs(np.fft.rfft(triad * np.hanning(len(triad)), 2**18))[: 2**18 * 400 // rate]
        peaks = [
            at for at in range(1, len(spectrum) - 1) if spectrum[at - 1] < spectrum[at] > spectrum[at + 1]
            and spectrum[at] > 0.2 * spectrum.max()
        ]  # fmt: skip
        numbers = [round(12 * math.log2(at * rate / 2**18 / 440)) for at in peaks]
        notes[word] = {number - numbers[0] for number in numbers}
    assert 3 in notes["sad"]
    assert 4 in notes["glad"]


def test_pcm_is_the_samples_of_the_wav() -> None:
    wav, pcm = (compose("a song", seconds=1, rate=16_000, format=format) for format in ("wav", "pcm"))
    assert read(wav)[1].tobytes() == pcm


@pytest.mark.parametrize("prompt", ["", "\ud800", "🦊" * 2000, "1 bpm", "0 bpm"])
def test_any_text_is_a_prompt(prompt: str) -> None:
    assert len(read(compose(prompt, lyrics=prompt, seconds=1, rate=16_000))[1]) == 16_000
