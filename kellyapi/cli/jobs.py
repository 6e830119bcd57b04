"""What `run`, `predictions` and `models` do: the jobs of Skytells from a shell."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from kellyapi import KellyAPI, KellyAPIError, Prediction, Skytells

from .show import Screen, Watch, id_of

_Watched = list[Prediction | str]
"""The job that is watched, as far as it is known: nothing, its id, or its last state."""
_Work = Callable[[Namespace, Screen, _Watched], Coroutine[Any, Any, None]]
_YES = ("y", "yes")


def do(asked: Namespace, screen: Screen) -> None:
    """Do what was asked. Ctrl-C leaves a job that is watched to its user: it goes on unless they want it cancelled."""
    if asked.output is not None:
        _check_folder(Path(asked.output))
    watched: _Watched = []
    try:
        asyncio.run(_DO[asked.command, asked.action](asked, screen, watched))
    except KeyboardInterrupt:
        if asked.command == "run" or asked.action == "follow":
            _interrupted(asked, screen, watched)
        raise


def _check_folder(folder: Path) -> None:
    """Refuse what could only fail after the job was paid for; a folder that is missing is made when it is needed."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "is a folder that you may not write to", str(there))


def _interrupted(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    job = watched[-1] if watched else None
    # A second Ctrl-C ends the program itself: Python would not notice one that comes just before it reads.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        cancel = screen.interrupted(job, sandbox=asked.sandbox, ask=_cancel_it)
    finally:
        signal.signal(signal.SIGINT, before)
    if cancel and job is not None:
        id = id_of(job)
        try:
            asyncio.run(_cancel(id))
        except KellyAPIError as error:
            screen.note(f"prediction {id} was not cancelled: {error}")
        else:
            screen.note(f"prediction {id} is cancelled")


def _cancel_it() -> bool:
    """Read a yes from the terminal."""
    return sys.stdin.readline().strip().lower() in _YES


async def _cancel(id: str) -> None:
    async with Skytells() as skytells:
        await skytells.predictions.cancel(id)


def _client(asked: Namespace) -> AbstractAsyncContextManager[Skytells]:
    @asynccontextmanager
    async def sandboxed() -> AsyncIterator[Skytells]:
        async with KellyAPI.sandbox() as api:
            yield api.skytells

    return sandboxed() if asked.sandbox else Skytells()


async def _run(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    input = dict(asked.input)
    if len(input) < len(asked.input):
        twice = [name for name, times in Counter(name for name, _ in asked.input).items() if times > 1]
        raise ValueError(f"input {', '.join(twice)} is given more than once")

    def wait(skytells: Skytells, **pace: Any) -> Awaitable[Prediction]:
        return skytells.run(asked.model, input, **pace)

    await _watch(asked, screen, watched, asked.model, wait)


async def _follow(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    def wait(skytells: Skytells, **pace: Any) -> Awaitable[Prediction]:
        return skytells.predictions.wait(asked.id, **pace)

    watched.append(asked.id)
    await _watch(asked, screen, watched, asked.id, wait)


async def _watch(
    asked: Namespace, screen: Screen, watched: _Watched, what: str, wait: Callable[..., Awaitable[Prediction]]
) -> None:
    async with _client(asked) as skytells:
        with screen.watching(what) as watch:

            def show(state: Prediction) -> None:
                watched[:] = [state]
                watch.state(state)

            done = await wait(skytells, timeout=asked.timeout, interval=asked.interval, on_progress=show)
            paths = await _save(skytells, done, asked.output, watch)
        screen.prediction(done, paths)


async def _download(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    async with _client(asked) as skytells:
        with screen.watching(asked.id) as watch:
            state = await skytells.predictions.get(asked.id)
            watch.state(state)
            paths = await _save(skytells, state, asked.output or ".", watch)
        screen.prediction(state, paths)


async def _save(skytells: Skytells, state: Prediction, folder: str | None, watch: Watch) -> tuple[Path, ...]:
    if folder is None:
        return ()
    try:
        return await skytells.predictions.download(state, folder, on_progress=watch.received)
    except OSError as error:
        error.prediction = state  # type: ignore[attr-defined]  # as our own errors have it: the job was paid for
        raise


async def _list(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    names = ("page", "per_page", "since", "until", "model", "status")
    async with _client(asked) as skytells:
        with screen.waiting("predictions"):
            page = await skytells.predictions.list(**{name: getattr(asked, name) for name in names})
    screen.predictions(page)


async def _get(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    async with _client(asked) as skytells:
        with screen.waiting(asked.id):
            state = await skytells.predictions.get(asked.id)
    screen.prediction(state, ())


def _change(verb: str, done: str) -> _Work:
    async def change(asked: Namespace, screen: Screen, watched: _Watched) -> None:
        async with _client(asked) as skytells:
            with screen.waiting(asked.id):
                await getattr(skytells.predictions, verb)(asked.id)
        screen.changed(asked.id, done)

    return change


async def _models(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    async with _client(asked) as skytells:
        with screen.waiting("models"):
            models = await skytells.models.list()
    screen.models(models)


async def _model(asked: Namespace, screen: Screen, watched: _Watched) -> None:
    async with _client(asked) as skytells:
        with screen.waiting(asked.model):
            model = await skytells.models.get(asked.model, fields=["input_schema"])
    screen.model(model)


_DO: dict[tuple[str, str | None], _Work] = {
    ("run", None): _run,
    ("predictions", "list"): _list,
    ("predictions", "get"): _get,
    ("predictions", "follow"): _follow,
    ("predictions", "cancel"): _change("cancel", "cancelled"),
    ("predictions", "delete"): _change("delete", "deleted"),
    ("predictions", "download"): _download,
    ("models", "list"): _models,
    ("models", "show"): _model,
}
