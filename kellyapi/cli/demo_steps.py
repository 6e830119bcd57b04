"""The steps of `kellyapi demo`, in their order, and the files that they write.

The steps that need the speech engines come last, so that the others still run if the engines are missing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from attrs import frozen

from kellyapi import Image, KellyAPI, ServerError

from .formatting import plain_fields

_RECOGNITION_VERSIONS = ((3, 11), (3, 12), (3, 13))  # the versions of CPython that pocketsphinx has wheels for
SENTENCE = "Hello. What is your name?"  # in the sandbox's phrasebook, and recognised in full in 40 runs of 40
PROMPT = "Snowy mountains under an aurora"
CODE = """\
import asyncio

from kellyapi import KellyAPI


async def main():
    async with KellyAPI.sandbox() as api:  # KellyAPI() with your keys
        hello = await api.translate("Hello", "en-tw")
        speech = await api.synthesize(hello.text, "twi")
        await speech.save("hello.wav")


asyncio.run(main())
"""


@frozen
class FinishedStep:
    """The result of a step."""

    step: str
    result: str
    file: str
    """The name of the file in the folder of the demo."""
    seconds: float


@frozen
class Step:
    """A step of the demo, and the file that it writes."""

    name: str
    file: str
    work: Callable[[KellyAPI, Path], Awaitable[str]]
    """Writes the file, and returns one line about it."""

    async def run(self, api: KellyAPI, folder: Path) -> FinishedStep:
        """Run the step, and measure its time."""
        started = time.perf_counter()
        result = await self.work(api, folder / self.file)
        return FinishedStep(self.name, result, self.file, time.perf_counter() - started)


async def _translate(api: KellyAPI, path: Path) -> str:
    translation = await api.translate(SENTENCE, "en-tw")
    _write(path, f"{SENTENCE}\n{translation.text}")
    return f"“{SENTENCE}” in Twi: “{translation.text}”"


async def _draw(api: KellyAPI, path: Path) -> str:
    return await _save(await api.generate_image(PROMPT), path, f"“{PROMPT}”")


async def _render_code(api: KellyAPI, path: Path) -> str:
    return await _save(await api.kelly.render_code(CODE), path, f"{len(CODE.splitlines())} lines of Python")


async def _write_notes(api: KellyAPI, path: Path) -> str:
    translation = path.with_name(_TRANSLATION).read_text(encoding="utf-8")
    return await _save(await api.kelly.write_notes(translation), path, "the translation by hand")


async def _speak(api: KellyAPI, path: Path) -> str:
    speech = await api.synthesize(SENTENCE)
    await speech.save(path)
    return f"“{SENTENCE}” in {speech.duration or 0:.1f} s"


async def _listen(api: KellyAPI, path: Path) -> str:
    try:
        heard = await api.transcribe(path.with_name(_SPEECH), timestamps="word")
    except ServerError as error:
        if error.status != 503 or sys.version_info[:2] in _RECOGNITION_VERSIONS:
            raise
        _write(path, json.dumps({"text": None, "reason": error.message}))
        return "nothing: pocketsphinx has no wheel for this Python"
    _write(path, json.dumps(plain_fields(heard), ensure_ascii=False, indent=2))
    return f"“{heard.text}”, {len(heard.words)} words with their times"


def _write(path: Path, text: str) -> None:
    path.write_bytes(f"{text}\n".encode())


async def _save(image: Image, path: Path, what: str) -> str:
    await image.save(path)
    return f"{what}, {image.width} × {image.height} pixels"


_TRANSLATION, _SPEECH = "translation.txt", "speech.wav"
STEPS = (
    Step("translate", _TRANSLATION, _translate),
    Step("draw", "picture.png", _draw),
    Step("render code", "code.png", _render_code),
    Step("write notes", "notes.png", _write_notes),
    Step("speak", _SPEECH, _speak),
    Step("listen", "transcript.json", _listen),
)
