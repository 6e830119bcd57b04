"""Download the outputs of a prediction, before their links expire."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path

from ...._core.messages import OnBytes
from ...._core.urls import origin
from ...._data.files import safe_file_name
from ....errors import KellyAPIError, StatusError
from .types import Prediction

MAX_CONCURRENT_DOWNLOADS = 4
"""How many files of one prediction are downloaded at the same time."""
_EXPIRED_STATUSES = frozenset({403, 404, 410})

SaveLink = Callable[[str, Path, OnBytes | None], Awaitable[Path]]
GetPrediction = Callable[[Prediction], Awaitable[Prediction]]


async def save_outputs(
    state: Prediction,
    folder: Path,
    on_progress: OnBytes | None,
    *,
    save: SaveLink,
    get: GetPrediction,
    taken: Collection[str] = (),
) -> tuple[Path, ...]:
    """Download each output that is a link into a folder.

    If some downloads fail, the others are finished before the first error is raised.

    Args:
        state: A state of the prediction that has its outputs.
        folder: An existing folder.
        on_progress: Called with the bytes of all files: how many were received, and how many there are, or `None`.
        save: Downloads one link to a path.
        get: Returns the current state of the prediction, whose links have not expired.
        taken: Names in the folder that are left alone.
    """
    urls = output_links(state)
    sizes = {file.url: file.size for file in state.metadata.storage.files}
    received, totals = [0] * len(urls), [sizes.get(url) for url in urls]
    slots, renewing = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS), asyncio.Lock()
    renewed: list[tuple[str, ...]] = []  # empty until a link has expired: new ones are requested once

    def count(number: int) -> OnBytes | None:
        def counted(got: int, size: int | None) -> Awaitable[None] | None:
            received[number], totals[number] = got, size
            assert on_progress is not None
            known = [total for total in totals if total is not None]
            return on_progress(sum(received), sum(known) if len(known) == len(totals) else None)

        return None if on_progress is None else counted

    async def renewed_link(number: int) -> str | None:
        async with renewing:
            if not renewed:
                try:
                    renewed.append(output_links(await get(state)))
                except KellyAPIError:
                    renewed.append(())
        fresh = renewed[0]
        return fresh[number] if len(fresh) == len(urls) and fresh[number] != urls[number] else None

    async def save_one(number: int, name: str) -> Path:
        async with slots:
            try:
                return await save(urls[number], folder / name, count(number))
            except StatusError as error:
                url = await renewed_link(number) if error.status in _EXPIRED_STATUSES else None
                if url is None:
                    raise
            return await save(url, folder / name, count(number))

    done = await asyncio.gather(
        *(save_one(number, name) for number, name in enumerate(unique_file_names(urls, taken))), return_exceptions=True
    )
    failure = next((each for each in done if isinstance(each, BaseException)), None)
    if failure is None:
        return tuple(each for each in done if isinstance(each, Path))
    if isinstance(failure, KellyAPIError):
        failure.prediction = state
    if isinstance(failure, StatusError) and failure.status in _EXPIRED_STATUSES:
        failure.message += "; the links to outputs expire about five minutes after a prediction is complete"
    raise failure


def output_links(state: Prediction) -> tuple[str, ...]:
    """Return the outputs that are links."""
    return tuple(filter(is_link, state.outputs))


def is_link(output: str) -> bool:
    """Return whether an output is a link. Other outputs are text."""
    return origin(output).startswith(("https://", "http://"))


def unique_file_names(urls: tuple[str, ...], reserved: Collection[str] = ()) -> list[str]:
    """Return a file name for each link, none of them reserved.

    They are unique even on file systems that ignore case or how a letter is composed.
    """
    found: list[str] = []
    taken = set(map(_folded, reserved))
    for number, url in enumerate(urls):
        name = safe_file_name(url, f"output-{number}")
        while _folded(name) in taken:
            name = f"{number}-{name}"
        taken.add(_folded(name))
        found.append(name)
    return found


def _folded(name: str) -> str:
    """Return what names have in common that a file system may take for one.

    Source: https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/#G34145
    """
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).upper().casefold())
