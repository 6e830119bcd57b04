"""What each command does: ask a service, or run the sandbox or the demo, and hand the answer to a screen."""

from __future__ import annotations

import asyncio
import errno
import signal
import sys
import time
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from kellyapi import Image, KellyAPI, Sandbox, Speech

from . import demo, jobs
from .show import Answer, Screen, open_screen, plain

_MEDIA = {"synthesize": "speech", "image": "image"}
_FORMATS: dict[str, Literal["mp3", "ogg"]] = {".mp3": "mp3", ".ogg": "ogg"}
_ENDINGS = {"mpeg": "mp3", "jpeg": "jpg"}
_STANDARD = "-"


def run(asked: Namespace) -> None:
    """Do what was asked. What goes wrong is raised."""
    screen = open_screen(as_json=asked.json)
    match asked.command:
        case "demo":
            asyncio.run(_demo(Path(asked.output or "kellyapi-demo"), screen))
        case "sandbox":
            asyncio.run(_serve(asked.host, asked.port, screen))
        case "run" | "predictions" | "models":
            jobs.do(asked, screen)
        case _:
            _check(asked)
            # Before the loop starts: Ctrl-C could not end a read inside it.
            _read_standard_input(asked)
            asyncio.run(_call(asked, screen))


_CALLS: dict[str, Callable[[KellyAPI, Namespace], Awaitable[Answer]]] = {
    "translate": lambda api, asked: api.translate(
        asked.text, asked.pair, source=asked.source, target=asked.target, provider=asked.provider
    ),
    "transcribe": lambda api, asked: api.transcribe(
        asked.file, asked.language, timestamps=asked.timestamps, provider=asked.provider
    ),
    "synthesize": lambda api, asked: api.synthesize(
        asked.text,
        asked.language,
        voice=asked.voice,
        format=asked.format or _FORMATS.get(Path(asked.output or "").suffix.lower()),
        provider=asked.provider,
    ),
    "image": lambda api, asked: api.generate_image(
        asked.text,
        negative_prompt=asked.negative_prompt,
        model=asked.model,
        width=asked.width,
        height=asked.height,
        provider=asked.provider,
    ),
    "chat": lambda api, asked: api.chat(
        asked.text, model=asked.model, character=asked.character, provider=asked.provider
    ),
}


async def _call(asked: Namespace, screen: Screen) -> None:
    async with KellyAPI.sandbox() if asked.sandbox else KellyAPI() as api:
        with screen.waiting(asked.command):
            answer = await _CALLS[asked.command](api, asked)
    if isinstance(answer, (Speech, Image)):
        if asked.output == _STANDARD or not (asked.output or asked.json or sys.stdout.isatty()):
            sys.stdout.buffer.write(answer.audio if isinstance(answer, Speech) else answer.data)
            return
        kind = answer.mime.rpartition("/")[2]
        path = await answer.save(asked.output or f"{_MEDIA[asked.command]}.{_ENDINGS.get(kind, kind)}")
        screen.answer(answer, path)
    elif asked.output in (None, _STANDARD):
        screen.answer(answer, None)
    else:
        screen.answer(answer, demo.write(Path(asked.output), plain(answer)))


def _check(asked: Namespace) -> None:
    """Refuse what could only fail after the answer was paid for."""
    if asked.command == "translate" and not (asked.pair or asked.source or asked.target):
        raise ValueError("translate needs the languages too: a PAIR such as en-tw, or --source and --target")
    if asked.output is None:
        return
    if asked.output == _STANDARD:
        if asked.json and asked.command in _MEDIA:
            raise ValueError("--json and -o - cannot share standard output")
        return
    path = Path(asked.output)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", asked.output)
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder", str(path.parent))


def _read_standard_input(asked: Namespace) -> None:
    if asked.command == "transcribe":
        asked.file = sys.stdin.buffer.read() if asked.file == _STANDARD else Path(asked.file)
    elif asked.text == _STANDARD:
        try:
            asked.text = sys.stdin.buffer.read().decode("utf-8-sig").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError("standard input is not UTF-8 text") from None


async def _serve(host: str, port: int, screen: Screen) -> None:
    stopped = asyncio.Event()
    with _on_signals(stopped.set):
        async with Sandbox(port, host=host) as sandbox:
            screen.sandbox(sandbox.url, sandbox.urls)
            await stopped.wait()


@contextmanager
def _on_signals(react: Callable[[], object]) -> Iterator[None]:
    """Have the loop react to SIGINT and SIGTERM; `loop.add_signal_handler` would do, but not on Windows."""
    loop = asyncio.get_running_loop()
    before = {
        number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(react))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


async def _demo(folder: Path, screen: Screen) -> None:
    demo.make(folder)
    done: list[demo.Done] = []
    began = time.perf_counter()
    try:
        async with KellyAPI.sandbox() as api:
            for step in demo.STEPS:
                with screen.waiting(step.name):
                    done.append(await step.do(api, folder))
    finally:  # a step that fails keeps what was made before it
        if done:
            screen.demo(folder, done, time.perf_counter() - began)
