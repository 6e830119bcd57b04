"""Text to speech by espeak-ng, driven through ctypes. How audio is written to a file is audio.py's matter."""

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

# espeak-ng's names for what the catalogue calls otherwise. Its American English is what the recogniser hears best.
_OWN = {"eng": "en-us", "fra": "fr", "swa": "sw", "afr": "af", "amh": "am", "orm": "om", "tir": "ti", "tsn": "tn"}
_OFFERED = {language.code: language.name for language in SYNTHESIS}
# Creoles of English sound nearest to English; for the others there is Swahili, which reads letters as they are written.
_NEAREST = {"kri": ("en-us", "English"), "pcm": ("en-us", "English")}
_ELSE = ("sw", "Swahili")

_VARIANTS = {None: "f5", "female": "f5", "male_high": "m3", "male_low": "m8"}  # medians of 199, 101 and 82 Hz
_KELLY_VOICE = re.compile(r"en-US_\w+")  # "en-US_LisaExpressive", the default of Kelly AI

# From speak_lib.h of espeak-ng 1.52.
_SYNCHRONOUS, _DONT_EXIT, _RATE, _UTF8 = 2, 0x8000, 1, 1
_WORDS_A_MINUTE = 175
_RECEIVER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Spoken(TypedDict):
    """What `synthesize` answers."""

    audio: bytes
    mime: str
    note: str | None
    """Which other language lent its voice, or None."""


def synthesize(text: str, language: str, voice: str | None = None, format: str = "wav") -> Spoken:
    """Speak `text`: one channel at 22,050 Hz as wav, mp3 or ogg.

    `language` is ISO 639-3, 639-1 or a name of espeak-ng's own (`pt-br`). Those of Khaya's that espeak-ng lacks are
    spoken by the nearest voice.
    """
    if format not in FORMATS:
        raise BadInput("audio", f"no format {format!r}: {', '.join(FORMATS)}")
    if not text.strip():
        raise BadInput("text", "there is nothing to say")
    note = _choose_voice(language, _variant(voice))
    if note:  # a foreign voice spells each accented letter out: "letter e with acute"
        text = "".join(letter for letter in unicodedata.normalize("NFD", text) if not unicodedata.combining(letter))
    return {"audio": encode(_speak(text), _engine()[1], format), "mime": FORMATS[format][2], "note": note}


def _variant(voice: str | None) -> str:
    variant = _VARIANTS.get(voice) or (_KELLY_VOICE.fullmatch(voice or "") and "f5")
    if not variant:
        raise BadInput("voice", f"no voice {voice!r}: {', '.join(name for name in _VARIANTS if name)}")
    return variant


def _choose_voice(language: str, variant: str) -> str | None:
    known = find(language)
    code = known.code if known else language.strip().lower()
    # espeak-ng takes a name for a path as well, so that only what looks like a code may reach it.
    if re.fullmatch(r"[a-z]{2,3}(-[a-z\d]+)*", code) and _take_voice(f"{_OWN.get(code, code)}+{variant}"):
        return None
    if code not in _OFFERED:
        raise BadInput("language", f"no language {language!r}")
    nearest, name = _NEAREST.get(code, _ELSE)
    if not _take_voice(f"{nearest}+{variant}"):
        raise RuntimeError(f"espeak-ng has lost its {name} voice")
    return f"no {_OFFERED[code]} voice in espeak-ng: spoken by the {name} voice"


def _take_voice(name: str) -> bool:
    # A name that fails leaves the voice of the last call in place, so the return code has to be read.
    status: int = _engine()[0].espeak_SetVoiceByName(name.encode())
    return status == 0


def _speak(text: str) -> NDArray[np.int16]:
    engine, pieces = _engine()[0], list[bytes]()

    def receive(samples: int | None, count: int, _events: int) -> int:
        if samples:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    receiver = _RECEIVER(receive)  # in a name, for espeak-ng does not keep it alive
    data = text.replace("\0", " ").encode(errors="replace")
    engine.espeak_ng_SetRandSeed(
        ctypes.c_long(0)
    )  # without it the same text sounds, and is heard, differently each time
    engine.espeak_SetParameter(_RATE, _WORDS_A_MINUTE, 0)
    engine.espeak_SetSynthCallback(receiver)
    status = engine.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 0, 0, _UTF8, None, None)
    if status:
        raise RuntimeError(f"espeak-ng answered {status}")
    return np.frombuffer(b"".join(pieces), np.int16)


@cache
def _engine() -> tuple[ctypes.CDLL, int]:
    """Load espeak-ng, once for the process: the library and its sample rate in hertz."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), _DONT_EXIT)
    if rate < 0:
        raise RuntimeError("espeak-ng can't read its data")
    return library, rate
