"""Speech recognition by pocketsphinx, of synthesized speech and of artificial signals."""

import io
import struct

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from pocketsphinx import Decoder

from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.voice import recognition
from kellyapi.sandbox.engines.voice.audio_files import decode, resample
from kellyapi.sandbox.engines.voice.recognition import Transcript, transcribe
from kellyapi.sandbox.engines.voice.synthesis import synthesize

SAID = "one two three"
WORD = "three"  # is recognised in a third of the time


def wav(samples: NDArray[np.float64] | NDArray[np.float32], rate: int, **options: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, **({"format": "WAV"} | options))
    return file.getvalue()


@pytest.fixture(scope="module")
def spoken() -> bytes:
    return synthesize(SAID, "eng")["audio"]


@pytest.fixture(scope="module")
def word() -> bytes:
    return synthesize(WORD, "eng")["audio"]


@pytest.fixture(scope="module")
def transcript(spoken: bytes) -> Transcript:
    return transcribe(spoken)


@pytest.mark.parametrize("format", ["mp3", "ogg"])
def test_compressed_speech_is_recognised(format: str) -> None:
    assert transcribe(synthesize(WORD, "eng", format=format)["audio"])["text"] == WORD


def test_words_have_times_in_order_within_the_audio(transcript: Transcript) -> None:
    assert transcript["text"] == SAID
    times = [time for word in transcript["words"] for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0 <= times[0] < 0.2
    assert transcript["duration"] - 0.4 < times[-1] <= transcript["duration"]
    assert " ".join(word["word"] for word in transcript["words"]) == transcript["text"]


def test_a_decoder_is_used_again_and_forgets_the_last_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    means = []
    idle: list[Decoder] = []

    class Observed(Decoder):
        def start_utt(self) -> None:
            means.append(self.get_cmn(False))  # what it has learnt of the voice
            super().start_utt()

    monkeypatch.setattr(recognition, "_idle", idle)
    monkeypatch.setattr(recognition, "Decoder", Observed)
    noise = wav(np.random.RandomState(1).normal(0, 0.3, 800).clip(-1, 1), 16_000)
    transcribe(noise)
    (decoder,) = idle
    assert decoder.get_cmn(False) != means[0]
    transcribe(noise)
    assert idle == [decoder]
    assert means[1] == means[0]
    monkeypatch.setattr(recognition, "_LONGEST_KEPT", 1_000)
    transcribe(noise)  # is a long recording now
    assert idle == []


def test_a_long_pause_separates_segments_and_shifts_the_times_after_it() -> None:
    said = "read it"
    speech, rate = decode(synthesize(said, "eng")["audio"])  # the decoder calls the first word "read(2)"
    transcript = transcribe(wav(np.concatenate([speech, np.zeros(rate, np.float32), speech]), rate))
    first, second = transcript["segments"]
    assert first["end"] <= len(speech) / rate + 0.1
    assert len(speech) / rate + 0.8 < second["start"] < len(speech) / rate + 1.3
    assert (first["text"], second["text"], transcript["text"]) == (said, said, f"{said} {said}")


@pytest.mark.parametrize(
    ("rate", "options"),
    [
        (48_000, {}),
        (44_100, {"subtype": "FLOAT"}),
        (16_000, {"format": "FLAC"}),
        (48_000, {"format": "OGG", "subtype": "OPUS"}),
        (8_000, {"subtype": "ULAW"}),  # telephone audio has half of the frequencies that the model uses
    ],
)
def test_any_rate_channels_and_codec_are_recognised(word: bytes, rate: int, options: dict[str, str]) -> None:
    speech, original = decode(word)
    stereo = np.stack([resample(speech, original, rate)] * 2, axis=1)
    transcript = transcribe(wav(stereo, rate, **options))
    assert transcript["text"] == WORD
    assert transcript["duration"] == pytest.approx(len(speech) / original, abs=0.05)


@pytest.mark.parametrize(
    "samples",
    [np.zeros(8_000), np.zeros(1), np.random.RandomState(1).normal(0, 0.01, 4_000), np.full(8_000, np.nan)],
    ids=["silence", "one sample", "noise", "not numbers"],
)
def test_audio_without_speech_has_an_empty_transcript(samples: NDArray[np.float64]) -> None:
    transcript = transcribe(wav(samples, 16_000, subtype="FLOAT"))
    assert transcript == {"text": "", "words": [], "segments": [], "duration": round(len(samples) / 16_000, 2)}


@pytest.mark.parametrize(
    "audio",
    [
        b"",
        b"This is a text file. " * 500,
        b"\x89PNG\r\n\x1a\n" + bytes(1_000),
        wav(np.zeros(0), 16_000),
        wav(np.zeros(800), 16_000)[:20],
        wav(np.zeros(800), 1),
        wav(np.zeros(800), 16_000).replace(struct.pack("<I", 16_000), struct.pack("<I", 2_000_000_000)),
    ],
    ids=["nothing", "text", "a picture", "no samples", "half a header", "1 Hz", "2 GHz"],
)
def test_unusable_audio_is_bad_input(audio: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        transcribe(audio)
    assert raised.value.kind == "audio"
    assert "0x" not in raised.value.message


@pytest.mark.parametrize("language", ["twi", "fra", "zzz", ""])
def test_other_languages_than_english_are_bad_input(language: str) -> None:
    with pytest.raises(BadInput) as raised:
        transcribe(wav(np.zeros(800), 16_000), language)
    assert raised.value.kind == "language"


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_resampling_keeps_a_tone_and_drops_frequencies_above_the_new_rate(rate: int) -> None:
    time = np.arange(rate) / rate
    tone = np.sin(2 * np.pi * 1_000 * time) + (np.sin(2 * np.pi * 11_000 * time) if rate > 22_050 else 0)
    expected = np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)
    assert np.abs(resample(tone.astype(np.float32), rate, 16_000) - expected).max() < 1e-3
