"""The checks of the machine: Python, terminal and encoding, folders, keys, and the engines of the sandbox."""

from __future__ import annotations

import asyncio
import io
import locale
import os
import platform
import re
import sys
import tempfile
import wave
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from kellyapi import NO_RETRY, PROVIDERS, KellyAPI, KellyAPIError, StatusError, __version__

from .findings import Finding

_OLDEST, _NEWEST = (3, 11), (3, 13)
_LETTERS = "Ɛte sɛn?"
_KEY_NAME = re.compile(r"(KELLY|KHAYA|GHANANLP|SKYTELLS|AEROSTACK)\w*(KEY|TOKEN)", re.IGNORECASE)


def check_python() -> Iterator[Finding]:
    """Name the versions of the library, of Python and of the system."""
    running = sys.version_info[:2]
    message = f"kellyapi {__version__}, {platform.python_implementation()} {platform.python_version()}"
    message += f", {platform.system()} {platform.machine()}"
    if _OLDEST <= running <= _NEWEST:
        yield Finding(check="python", state="ok", message=message)
    else:
        remedy = "if something fails, try Python 3.11, 3.12 or 3.13, on which the library is tested"
        yield Finding(check="python", state="note", message=message, remedy=remedy)


def check_terminal() -> Iterator[Finding]:
    """Check whether standard output can show all letters, and name the encodings."""
    stream = sys.stdout
    place = "terminal" if stream.isatty() else "pipe or file"
    term, columns = os.environ.get("TERM", "not set"), os.environ.get("COLUMNS", "not set")
    message = f"{place}, {stream.encoding}; locale {locale.getlocale()[1] or 'C'}; files {sys.getfilesystemencoding()}"
    message += f"; TERM {term}, COLUMNS {columns}"
    remedy = "set LC_ALL=C.UTF-8, or PYTHONUTF8=1; on Windows use Windows Terminal"
    try:
        _LETTERS.encode(stream.encoding or "ascii")
        shows = sys.getfilesystemencoding().lower() == "utf-8"
    except (UnicodeEncodeError, LookupError):
        shows = False
    if shows:
        yield Finding(check="terminal", state="ok", message=message)
    else:
        yield Finding(check="terminal", state="warning", message=f"{message}: cannot show {_LETTERS}", remedy=remedy)


def check_folders() -> Iterator[Finding]:
    """Try to write a file into the current folder, the home folder, and the one for temporary files."""
    places: tuple[tuple[str, Callable[[], str | Path], str], ...] = (
        ("current folder", lambda: ".", "change to a folder that you can write, or name a file elsewhere with -o"),
        ("home folder", Path.home, "set HOME to a folder that you can write"),
        ("folder for temporary files", tempfile.gettempdir, "set TMPDIR to a folder that you can write"),
    )
    fine = []
    for name, find, remedy in places:
        try:
            with tempfile.TemporaryFile(dir=find()):
                fine.append(name)
        except (OSError, RuntimeError) as error:  # RuntimeError: there is no home
            reason = getattr(error, "strerror", None) or "there is none"
            yield Finding(
                check="folders", state="warning", message=f"the {name} cannot be written: {reason}", remedy=remedy
            )
    if fine:
        yield Finding(check="folders", state="ok", message=f"can be written: {', '.join(fine)}")


def check_keys(clients: dict[str, Any]) -> Iterator[Finding]:
    """Check which providers have a key, and whether its form is right. No key is shown."""
    for name, client in clients.items():
        variable = f"{PROVIDERS[name].PROVIDER.variables}_API_KEY"
        if not client.configured:
            yield Finding(
                check="key", provider=name, state="note", message="no key", remedy=f"set {variable}, or use --sandbox"
            )
        elif problem := key_problem(client.api_key):
            remedy = f"set {variable} to the key alone, as the provider shows it"
            yield Finding(check="key", provider=name, state="problem", message=f"the key {problem}", remedy=remedy)
        else:
            yield Finding(check="key", provider=name, state="ok", message="present")
    if not any(client.configured for client in clients.values()):
        yield Finding(
            check="keys", state="warning", message="no provider has a key", remedy="set a key, or use --sandbox"
        )
    known = {f"{kind.PROVIDER.variables}_API_KEY" for kind in PROVIDERS.values()}
    for variable in sorted(os.environ.keys() - known):
        if _KEY_NAME.fullmatch(variable):
            remedy = f"use one of {', '.join(sorted(known))}"
            yield Finding(check="keys", state="note", message=f"{variable} is not read", remedy=remedy)


def key_problem(key: Any) -> str | None:
    """Return what is wrong with a key, without showing anything of it; `None` if nothing is."""
    if callable(key):
        return None
    text = str(key).strip()
    if not text:
        return "is blank"
    if not (text.isascii() and text.isprintable()):
        return "has characters that no header can carry"
    if text[0] in "'\"" or " " in text:
        return "has quotes or spaces"
    return None


async def check_engines(seconds: float) -> list[Finding]:
    """Let each engine of the sandbox do a small piece of work."""
    async with KellyAPI.sandbox(timeout=seconds, retry=NO_RETRY) as api:
        return await asyncio.gather(*(_try_engine(api, *each) for each in _ENGINES))


async def _try_engine(api: KellyAPI, name: str, work: Callable[[KellyAPI], Awaitable[object]]) -> Finding:
    try:
        await work(api)
    except StatusError as error:  # the message is the sandbox's own
        remedy = 'pip install "kellyapi[sandbox]"'
        return Finding(check=name, state="warning", message=error.message, remedy=remedy)
    except KellyAPIError as error:
        return Finding(check=name, state="warning", message=f"the sandbox's engine does not respond: {error.code}")
    return Finding(check=name, state="ok", message="works")


def silence() -> bytes:
    """Return a WAV file with half a second of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(16000)
        audio.writeframes(bytes(16000))
    return file.getvalue()


_ENGINES: tuple[tuple[str, Callable[[KellyAPI], Awaitable[object]]], ...] = (
    ("engine of pictures", lambda api: api.kelly.generate_image("a fox", width=64, height=64)),
    ("engine of code images", lambda api: api.kelly.render_code("print()")),
    ("engine of translation", lambda api: api.khaya.translate("Hello", "en-tw")),
    ("engine of speech", lambda api: api.khaya.synthesize("Hi", "eng")),
    ("engine of recognition", lambda api: api.khaya.transcribe(silence(), "eng")),
)
