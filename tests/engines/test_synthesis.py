"""Speech synthesis by espeak-ng: the audio files and their samples."""

import io
import statistics
import wave

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from kellyapi.languages import SYNTHESIS
from kellyapi.sandbox.engines.errors import BadInput
from kellyapi.sandbox.engines.voice.audio_files import encode
from kellyapi.sandbox.engines.voice.synthesis import synthesize

FOX = "The quick brown fox jumps over the lazy dog"


def samples(audio: bytes) -> NDArray[np.float64]:
    return np.asarray(soundfile.read(io.BytesIO(audio))[0])


def pitch(audio: bytes) -> float:
    """Return the median pitch in hertz of voiced pieces of 46 ms, by autocorrelation."""
    found, speech = [], samples(audio)
    for start in range(0, len(speech) - 1024, 512):
        piece = speech[start : start + 1024] - speech[start : start + 1024].mean()
        likeness = np.correlate(piece, piece, "full")[1023:]
        lag = 60 + int(np.argmax(likeness[60:400]))
        if likeness[0] > 0.1 and likeness[lag] > likeness[0] / 2:
            found.append(22_050 / lag)
    return statistics.median(found)


def test_a_wav_is_16_bit_mono_at_22050_hz_and_as_long_as_speech() -> None:
    speech = synthesize(FOX, "eng")
    assert (speech["mime"], speech["note"]) == ("audio/wav", None)
    with wave.open(io.BytesIO(speech["audio"])) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        assert 2 < file.getnframes() / 22_050 < 4
    assert np.abs(samples(speech["audio"])).max() > 0.1


@pytest.mark.parametrize(
    ("format", "mime", "container", "coding"),
    [
        ("wav", "audio/wav", "WAV", "PCM_16"),
        ("mp3", "audio/mpeg", "MP3", "MPEG_LAYER_III"),
        ("ogg", "audio/ogg", "OGG", "VORBIS"),
    ],
)
def test_each_format_is_a_real_file_of_its_kind(format: str, mime: str, container: str, coding: str) -> None:
    speech = synthesize(FOX, "eng", format=format)
    with soundfile.SoundFile(io.BytesIO(speech["audio"])) as file:
        assert (speech["mime"], file.format, file.subtype, file.samplerate) == (mime, container, coding, 22_050)
        assert 2 < file.frames / file.samplerate < 4


def test_three_minutes_of_ogg_do_not_crash_the_process() -> None:
    silence = np.zeros(180 * 22_050, np.int16)  # in one piece, two minutes crash it
    assert soundfile.info(io.BytesIO(encode(silence, 22_050, "ogg"))).frames == len(silence)


@pytest.mark.parametrize("language", [language.code for language in SYNTHESIS])
def test_every_language_that_khaya_speaks_is_spoken(language: str) -> None:
    speech = synthesize("Ɛte sɛn?", language)
    assert len(samples(speech["audio"])) > 22_050 / 5
    assert (speech["note"] is None) == (language in {"eng", "fra", "swa"})


@pytest.mark.parametrize(
    ("language", "note"),
    [
        ("twi", "no Asante Twi voice in espeak-ng: spoken by the Swahili voice"),
        ("tw", "no Asante Twi voice in espeak-ng: spoken by the Swahili voice"),
        ("pcm", "no Pidgin voice in espeak-ng: spoken by the English voice"),
        *((code, None) for code in ("en", "EN", "sw", "fr", "af", "am", "amh", "om", "ti", "tn", "tsn", "pt-br")),
    ],
)
def test_the_note_names_the_language_whose_voice_was_used(language: str, note: str | None) -> None:
    assert synthesize("hello", language)["note"] == note


def test_languages_sound_different_and_codes_of_one_language_do_not() -> None:
    lengths = {code: len(synthesize(FOX, code)["audio"]) for code in ("eng", "en", "fra", "fr", "swa", "sw")}
    assert lengths["eng"] == lengths["en"] != lengths["fra"] == lengths["fr"] != lengths["swa"] == lengths["sw"]


def test_the_voice_of_another_language_does_not_spell_accents_out() -> None:
    accented, plain = (len(samples(synthesize(text, "yor")["audio"])) for text in ("ẹ káàárọ̀", "e kaaaro"))
    assert accented == pytest.approx(plain, rel=0.05)


@pytest.mark.parametrize("language", ["eng", "twi", "fra"])
def test_the_male_voices_are_lower_than_the_female_one_in_every_language(language: str) -> None:
    low, high, female = (
        pitch(synthesize("Good morning, how are you today my friend", language, voice)["audio"])
        for voice in ("male_low", "male_high", "female")
    )
    assert low * 1.1 < high < female / 1.5


@pytest.mark.parametrize("voice", [None, "female", "en-US_LisaExpressive", "en-US_AllisonV3Voice"])
def test_the_female_voice_is_the_default_and_is_used_for_kelly_ais_voices(voice: str | None) -> None:
    assert pitch(synthesize(FOX, "eng", voice)["audio"]) > 150


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"language": "zzz"}, "language"),
        ({"language": ""}, "language"),
        ({"language": "bwu"}, "language"),  # Khaya transcribes it and does not synthesize it
        ({"language": "../lang/roa/fr"}, "language"),
        ({"language": "roa/fr"}, "language"),
        ({"voice": "twi_speaker_4"}, "voice"),
        ({"voice": ""}, "voice"),
        ({"voice": "en-US_"}, "voice"),
        ({"format": "aac"}, "audio"),
        ({"text": " \n"}, "text"),
    ],
)
def test_unusable_arguments_are_bad_input(arguments: dict[str, str], kind: str) -> None:
    with pytest.raises(BadInput) as raised:
        synthesize(**{"text": "hello", "language": "eng"} | arguments)
    assert raised.value.kind == kind


def test_a_failed_language_does_not_change_the_next_call() -> None:
    before = len(synthesize(FOX, "eng")["audio"])
    synthesize(FOX, "fra", "male_low")
    with pytest.raises(BadInput):
        synthesize(FOX, "zzz")
    assert len(synthesize(FOX, "eng")["audio"]) == before
