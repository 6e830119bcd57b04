"""Download the outputs of a prediction, before their links expire."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
import unicodedata
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, evolve, field

from ...._core.connection import Connection
from ...._core.messages import Call, OnBytes
from ...._core.run_many import ManyResults
from ...._core.streams import ByteStream, StreamRequest
from ...._core.urls import is_link
from ...._data.base64_text import is_inline_file, read_data_url
from ...._data.files import find_destination, safe_file_name
from ...._data.files import save as save_bytes
from ...._data.text import clip
from ...._data.threads import run_off_loop, to_thread
from ....errors import DecodingError, KellyAPIError, StatusError
from .types import Prediction, require_success

T = TypeVar("T")

MAX_CONCURRENT_DOWNLOADS = 4
"""How many files of one prediction are downloaded at the same time."""
_EXPIRED_STATUSES = frozenset({403, 404, 410})

SaveLink = Callable[[str, Path, OnBytes | None], Awaitable[Path]]
GetPrediction = Callable[[Prediction], Awaitable[Prediction]]


async def save_outputs(
    links: OutputLinks,
    urls: Sequence[str],
    folder: Path,
    on_progress: OnBytes | None,
    *,
    save: SaveLink,
    taken: Collection[str] = (),
) -> tuple[Path, ...]:
    """Save outputs that are files in a folder.

    If some downloads fail, the others are finished before the first error is raised.

    Args:
        links: Renews links that have expired.
        urls: The outputs.
        folder: An existing folder.
        on_progress: Called with the bytes of all files: how many were received, and how many there are, or `None`.
        save: Downloads one link to a path.
        taken: Names in the folder that are left alone.
    """
    sizes = {file.url: file.size for file in links.state.metadata.storage.files}
    received, totals = [0] * len(urls), [sizes.get(url) for url in urls]

    def count(number: int) -> OnBytes | None:
        def counted(got: int, size: int | None) -> Awaitable[None] | None:
            received[number], totals[number] = got, size
            assert on_progress is not None
            known = [total for total in totals if total is not None]
            return on_progress(sum(received), sum(known) if len(known) == len(totals) else None)

        return None if on_progress is None else counted

    async def save_one(number: int) -> Path:
        if is_inline_file(urls[number]):
            place = await to_thread(find_destination, folder / names[number], follow_links=False)
            return await save_bytes(place, await read_inline(urls[number]))
        return await links.use(urls[number], lambda link: save(link, folder / names[number], count(number)))

    names = unique_file_names(urls, taken)
    done = await ManyResults(save_one, range(len(urls)), window=MAX_CONCURRENT_DOWNLOADS, is_fatal=lambda _: False)
    failure = next((each for each in done if isinstance(each, BaseException)), None)
    if failure is None:
        return tuple(each for each in done if isinstance(each, Path))
    raise failure


@define
class OutputLinks:
    """The links to the outputs of a prediction. When one has expired, new ones are requested once."""

    state: Prediction
    """A state that has the outputs."""
    get: GetPrediction
    """Returns the current state, whose links have not expired."""
    _renewing: asyncio.Lock = field(factory=asyncio.Lock)
    _renewed: Mapping[str, str] | None = None
    """The new link of each old one."""

    async def use(self, url: str, work: Callable[[str], Awaitable[T]]) -> T:
        """Return the result of a function that is called with a link, and with the new one if it has expired.

        An error gets the prediction.
        """
        try:
            try:
                return await work(url)
            except StatusError as error:
                fresh = await self._renewed_link(url) if error.status in _EXPIRED_STATUSES else None
                if fresh is None or error.partial:  # what was written cannot be taken back
                    raise
            return await work(fresh)
        except KellyAPIError as error:
            error.prediction = self.state
            if isinstance(error, StatusError) and error.status in _EXPIRED_STATUSES:
                error.message += "; the links to outputs expire about five minutes after a prediction is complete"
            raise

    async def _renewed_link(self, url: str) -> str | None:
        async with self._renewing:
            if self._renewed is None:
                new: tuple[str, ...] = ()
                old = output_files(self.state)
                with suppress(KellyAPIError):
                    new = output_files(await self.get(self.state))
                self._renewed = dict(zip(old, new, strict=True)) if len(old) == len(new) else {}
        fresh = self._renewed.get(url)
        return fresh if fresh != url else None


def pick_output(state: Prediction, index: int | None) -> str:
    """Return one output of a prediction; `None` stands for the only one.

    Raises:
        ValueError: There is no output with this index, or there are several.
        PredictionFailedError: The prediction failed or was cancelled.
        KellyAPIError: It has not ended, or has no outputs.
    """
    outputs = state.outputs
    if not outputs and state.ended:
        require_success(state)
        raise DecodingError(f"prediction {state.id} succeeded without an output", provider="skytells", prediction=state)
    if not outputs:
        problem = f"prediction {state.id} has no outputs yet: it is {state.status}"
        raise KellyAPIError(problem, provider="skytells", prediction=state, remedy="wait for it with predictions.wait")
    if index is None and len(outputs) > 1:
        raise ValueError(f"prediction {state.id} has {len(outputs)} outputs: pass index=…, or the path of a folder")
    if index is not None and index >= len(outputs):
        raise ValueError(f"index must be from 0 to {len(outputs) - 1} for prediction {state.id}, not {index}")
    return outputs[index or 0]


def is_file_path(path: str | os.PathLike[str]) -> bool:
    """Return whether a path stands for one file: one that exists, or one whose name ends as those of outputs do."""
    text = os.path.expanduser(path)  # noqa: PTH111  Path's leaves out a last slash
    if os.path.isdir(text) or text.endswith(tuple(filter(None, (os.sep, os.altsep)))):  # noqa: PTH112  as above
        return False
    place = Path(text)
    return place.exists() or place.suffix.lower() in _FILE_ENDINGS


_FILE_ENDINGS = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".jxl", ".svg"}
    | {".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".mp3", ".wav", ".flac", ".ogg", ".oga", ".opus", ".aac"}
    | {".m4a", ".pcm", ".mid", ".txt", ".md", ".json", ".csv", ".html", ".glb", ".zip"}
)


class OutputStream(ByteStream):
    """One output of a prediction as a stream of bytes."""

    def __init__(
        self,
        connection: Connection,
        find: Callable[[], Awaitable[tuple[OutputLinks, str]]],
        link_call: Callable[[str], Call],
    ) -> None:
        unknown = Call(method="GET", url="", repeatable=True, keyless=True)  # until the link is known
        super().__init__(StreamRequest(connection, unknown))
        self._find = find
        self._link_call = link_call
        self._prediction: Prediction | None = None

    async def _open(self) -> AsyncIterator[bytes]:
        if self._pieces is None:
            links, output = await self._find()
            self._prediction = links.state
            if not is_link(output):
                self._pieces = _one_piece(await read_inline(output))
                return self._pieces

            async def open_link(url: str) -> AsyncIterator[bytes]:
                self._source = evolve(self._source, call=self._link_call(url))
                return await super(OutputStream, self)._open()

            return await links.use(output, open_link)
        return self._pieces

    async def _end_with(self, error: KellyAPIError, partial: Any) -> None:
        error.prediction = self._prediction
        await super()._end_with(error, partial)


async def _one_piece(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def read_inline(output: str) -> bytes:
    """Return an output that is not a link: the file in a `data:` URL, or a text as UTF-8."""
    return (await read_inline_file(output))[1] if is_inline_file(output) else output.encode(errors="replace")


async def read_inline_file(url: str) -> tuple[str, bytes]:
    """Return the MIME type of a `data:` URL and its file.

    Raises:
        DecodingError: The URL cannot be read.
    """
    try:
        mime, data = await run_off_loop(read_data_url, url, size=len(url))
    except ValueError as error:
        raise DecodingError(f"an output is {error}: {clip(url, 40)!r}", provider="skytells") from None
    return mime or "", data


def output_files(state: Prediction) -> tuple[str, ...]:
    """Return the outputs that are files: links and `data:` URLs."""
    return tuple(filter(is_file, state.outputs))


def is_file(output: str) -> bool:
    """Return whether an output is a file, not a text."""
    return is_link(output) or is_inline_file(output)


def unique_file_names(urls: Sequence[str], reserved: Collection[str] = ()) -> list[str]:
    """Return a file name for each link, none of them reserved.

    They are unique even on file systems that ignore case or how a letter is composed.
    """
    found: list[str] = []
    taken = set(map(_folded, reserved))
    for number, url in enumerate(urls):
        inline = is_inline_file(url)
        name = f"output-{number}{_inline_ending(url)}" if inline else safe_file_name(url, f"output-{number}")
        while _folded(name) in taken:
            name = f"{number}-{name}"
        taken.add(_folded(name))
        found.append(name)
    return found


def _inline_ending(url: str) -> str:
    """Return the ending of a name for the file in a `data:` URL, such as ".png"."""
    return mimetypes.guess_extension(re.split("[;,]", url[:100])[0].strip()[5:].lower()) or ""


def _folded(name: str) -> str:
    """Return what names have in common that a file system may take for one.

    Source: https://www.unicode.org/versions/Unicode16.0.0/core-spec/chapter-3/#G34145
    """
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).upper().casefold())
