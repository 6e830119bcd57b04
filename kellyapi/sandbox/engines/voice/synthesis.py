"""Speech synthesis by espeak-ng, called through ctypes. `audio_files` encodes the audio."""

from __future__ import annotations

import ctypes
import re
import unicodedata
from functools import cache
from typing import TypedDict

import espeakng_loader
import numpy as np
from numpy.typing import NDArray

from ....languages import SYNTHESIS, find
from ..errors import BadInput
from .audio_files import FORMATS, encode

# espeak-ng's names where they differ from our codes. The recogniser understands its American English best.
_ESPEAK_NAMES = {
    "eng": "en-us",
    "fra": "fr",
    "swa": "sw",
    "afr": "af",
    "amh": "am",
    "orm": "om",
    "tir": "ti",
    "tsn": "tn",
}
_NAME_BY_CODE = {language.code: language.name for language in SYNTHESIS}
# Creoles of English sound most like English. The others are read by Swahili, which is pronounced as it is written.
_NEAREST_VOICES = {"kri": ("en-us", "English"), "pcm": ("en-us", "English")}
_DEFAULT_NEAREST_VOICE = ("sw", "Swahili")

_VARIANTS = {None: "f5", "female": "f5", "male_high": "m3", "male_low": "m8"}  # medians of 199, 101 and 82 Hz
_KELLY_VOICE = re.compile(r"en-US_\w+")  # such as "en-US_LisaExpressive", the default of Kelly AI

MAX_LENGTH = 10_000
"""Characters of a text: ten minutes of speech."""
# From speak_lib.h of espeak-ng 1.52.
_SYNCHRONOUS, _DONT_EXIT, _RATE, _UTF8 = 2, 0x8000, 1, 1
_WORDS_PER_MINUTE = 175
_SYNTH_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Speech(TypedDict):
    """Result of `synthesize`."""

    audio: bytes
    mime: str
    note: str | None
    """The language whose voice was used, if espeak-ng has no voice for the requested one."""


def synthesize(text: str, language: str, voice: str | None = None, format: str = "wav") -> Speech:
    """Synthesize speech: one channel at 22,050 Hz.

    Args:
        text: Text to speak.
        language: ISO 639-3 or 639-1 code, or an espeak-ng name such as "pt-br". A language of Khaya's that espeak-ng
            does not have is spoken by the nearest voice.
        voice: "female", "male_high", "male_low" or a voice of Kelly AI.
        format: "wav", "mp3" or "ogg".

    Raises:
        BadInput: If one of the arguments cannot be used.
    """
    if format not in FORMATS:
        raise BadInput("audio", f"no format {format!r}: {', '.join(FORMATS)}")
    if not text.strip():
        raise BadInput("text", "there is nothing to say")
    if len(text) > MAX_LENGTH:
        raise BadInput("text", f"the sandbox speaks at most {MAX_LENGTH:,} characters, not {len(text):,}")
    note = _choose_voice(language, _find_variant(voice))
    if note:  # the voice of another language spells accented letters out: "letter e with acute"
        text = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return {"audio": encode(_speak(text), _load_espeak()[1], format), "mime": FORMATS[format][2], "note": note}


def _find_variant(voice: str | None) -> str:
    variant = _VARIANTS.get(voice) or (_KELLY_VOICE.fullmatch(voice or "") and "f5")
    if not variant:
        raise BadInput("voice", f"no voice {voice!r}: {', '.join(name for name in _VARIANTS if name)}")
    return variant


def _choose_voice(language: str, variant: str) -> str | None:
    """Set the voice for a language; return a note if it is the voice of another language."""
    entry = find(language)
    code = entry.code if entry else language.strip().lower()
    # espeak-ng also accepts paths as names, so only codes may reach it.
    if re.fullmatch(r"[a-z]{2,3}(-[a-z\d]+)*", code) and _set_voice(f"{_ESPEAK_NAMES.get(code, code)}+{variant}"):
        return None
    if code not in _NAME_BY_CODE:
        raise BadInput("language", f"no language {language!r}")
    nearest, name = _NEAREST_VOICES.get(code, _DEFAULT_NEAREST_VOICE)
    if not _set_voice(f"{nearest}+{variant}"):
        raise RuntimeError(f"espeak-ng has lost its {name} voice")
    return f"no {_NAME_BY_CODE[code]} voice in espeak-ng: spoken by the {name} voice"


def _set_voice(name: str) -> bool:
    """Set the voice; return whether espeak-ng has it. If not, the voice of the last call stays set."""
    status: int = _load_espeak()[0].espeak_SetVoiceByName(name.encode())
    return status == 0


def _speak(text: str) -> NDArray[np.int16]:
    espeak, pieces = _load_espeak()[0], list[bytes]()

    def receive(samples: int | None, count: int, _events: int) -> int:
        if samples:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _SYNTH_CALLBACK(receive)  # a variable, since espeak-ng does not keep it alive
    data = text.replace("\0", " ").encode(errors="replace")
    # Without a seed, the same text sounds different each time, and is recognised differently.
    espeak.espeak_ng_SetRandSeed(ctypes.c_long(0))
    espeak.espeak_SetParameter(_RATE, _WORDS_PER_MINUTE, 0)
    espeak.espeak_SetSynthCallback(callback)
    status = espeak.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, _UTF8, None, None)
    if status:
        raise RuntimeError(f"espeak-ng answered {status}")
    return np.frombuffer(b"".join(pieces), np.int16)


@cache
def _load_espeak() -> tuple[ctypes.CDLL, int]:
    """Load espeak-ng, once per process; return the library and its sample rate in hertz."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), _DONT_EXIT)
    if rate < 0:
        raise RuntimeError("espeak-ng can't read its data")
    return library, rate
