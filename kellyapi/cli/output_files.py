"""Where results go: the checks before a call is paid for, and the name and the format of the file."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import tempfile
from argparse import Namespace
from collections.abc import Awaitable, Callable
from itertools import chain, count
from pathlib import Path

from attrs import evolve, frozen

from kellyapi import Image, Speech, check_path

STANDARD_STREAM = "-"
"""In place of a text or a file, this means standard input or standard output."""
_ENDINGS = {
    "audio/wav": (".wav", ".wave"),
    "audio/mpeg": (".mp3",),
    "audio/ogg": (".ogg", ".oga", ".opus"),
    "audio/flac": (".flac",),
    "audio/aac": (".aac",),
    "audio/mp4": (".m4a",),
    "image/png": (".png",),
    "image/jpeg": (".jpg", ".jpeg"),
    "image/webp": (".webp",),
    "image/gif": (".gif",),
    "image/bmp": (".bmp",),
    "image/tiff": (".tif", ".tiff"),
    "image/avif": (".avif",),
    "text/plain": (".txt",),
}
"""The endings that say what a file holds, by media type. The first one is ours."""
_MEANINGS = {ending: mime for mime, endings in _ENDINGS.items() for ending in endings}


@frozen
class SavedFile:
    """A file with a result."""

    result: Speech | Image
    """The result as it is in the file."""
    path: Path
    warning: str | None = None
    """Why its name is not the one that was given."""


def check_output(arguments: Namespace, *, media: bool = False, several: bool) -> None:
    """Raise an error if the output file, or for several inputs the output folder, cannot be used."""
    if not several:
        check_output_file(arguments, media=media)
    elif arguments.output == STANDARD_STREAM and media:
        raise ValueError("several files cannot share standard output: give a folder with -o")
    elif arguments.output != STANDARD_STREAM:
        check_output_folder(arguments)
        if media and arguments.output is None:
            check_path(".", folder=True)


def check_output_file(arguments: Namespace, *, media: bool = False) -> None:
    """Raise an error if the output file cannot or must not be written, before the result is paid for."""
    if arguments.output is None:
        if media:
            check_path(".", folder=True)  # the file gets a name of ours
        return
    if _is_stream(arguments.output, 1):  # /dev/stdout: nothing else may be printed there
        arguments.output = STANDARD_STREAM
    if arguments.output == STANDARD_STREAM:
        if arguments.json and media:
            raise ValueError("--json and -o - cannot share standard output")
        return
    path = check_path(arguments.output)
    if path.is_file() and not arguments.force and not _is_stream(path, 2):
        raise FileExistsError(errno.EEXIST, "exists already; --force overwrites it", arguments.output)
    arguments.output = str(path)  # with ~ expanded


def _is_stream(path: str | Path, descriptor: int) -> bool:
    """Return whether a path such as /dev/stdout names a file that the shell has opened for this command."""
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(descriptor))
    except OSError:  # there is no such file, or the stream is closed
        return False


def check_output_folder(arguments: Namespace) -> None:
    """Raise an error if the output folder cannot be used, before the prediction is paid for."""
    if arguments.output is not None:
        arguments.output = str(check_path(arguments.output, folder=True))


class ResultFolder:
    """The folder of the results of several inputs: no result takes the name of another one of the same command."""

    def __init__(self, arguments: Namespace) -> None:
        self.keeps_text = arguments.output not in (None, STANDARD_STREAM)
        """Whether texts go to files too."""
        self._folder = Path(arguments.output) if self.keeps_text else Path()
        self._force: bool = arguments.force
        self._taken: set[Path] = set()

    def find_path(self, name: str, mime: str) -> Path:
        """Return the path for a result, with a number if the name is taken; `--force` overwrites older files."""
        self._folder.mkdir(parents=True, exist_ok=True)

        def is_taken(path: Path) -> bool:
            return path in self._taken or (not self._force and os.path.lexists(path))

        path = numbered_path(self._folder / f"{name}{ending_of(mime)}", is_taken)
        self._taken.add(path)
        return path


async def save_media(result: Speech | Image, arguments: Namespace, default_name: str) -> SavedFile:
    """Save audio or an image under a name whose ending is true.

    An image is converted to the format of the name if Pillow is installed. Otherwise the ending changes. A name that
    the user did not choose gets a number if it is taken.
    """
    own = ending_of(result.mime)
    if arguments.output is None:
        path = Path(default_name + own)
        return SavedFile(result, await save_paid(result.save, path if arguments.force else free_path(path)))
    path = Path(arguments.output)
    wanted = _MEANINGS.get(path.suffix.lower(), result.mime)
    if wanted == result.mime or (path.exists() and not path.is_file()):
        return SavedFile(result, await save_paid(result.save, path))
    if isinstance(result, Image) and (data := await asyncio.to_thread(_convert, result.data, wanted)) is not None:
        converted = evolve(result, data=data, mime=wanted)
        return SavedFile(converted, await save_paid(converted.save, path))
    renamed = await save_paid(result.save, free_path(path.with_suffix(own)))
    return SavedFile(result, renamed, f"{arguments.output} has the wrong ending for {result.mime}: saved as {renamed}")


async def save_paid(save: Callable[[Path], Awaitable[Path]], path: Path) -> Path:
    """Save a result, which is paid for. If that fails, save it in a folder for temporary files, and raise an error."""
    try:
        return await save(path)
    except OSError as error:
        try:
            kept = await save(Path(tempfile.mkdtemp(prefix="kellyapi-"), path.name))
        except OSError:
            raise error from None
        raise OSError(error.errno, f"{error.strerror}; the result is saved as {kept}", os.fspath(path)) from None


def ending_of(mime: str) -> str:
    """Return the ending of a file of a media type, such as ".png"."""
    return _ENDINGS.get(mime, (f".{mime.rpartition('/')[2]}",))[0]


def free_path(path: Path) -> Path:
    """Return a path that no file has, with a number if needed."""
    return numbered_path(path, os.path.lexists)


def numbered_path(path: Path, is_taken: Callable[[Path], bool]) -> Path:
    """Return a path that is not taken, with a number if needed."""
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(each for each in chain((path,), numbered) if not is_taken(each))


def _convert(data: bytes, mime: str) -> bytes | None:
    """Convert an image with Pillow; `None` if Pillow is not installed, or cannot do it."""
    try:
        from PIL import Image as Pillow
    except ImportError:
        return None
    converted = io.BytesIO()
    try:
        with Pillow.open(io.BytesIO(data)) as image:
            shown: Pillow.Image = image
            if mime in ("image/jpeg", "image/bmp"):  # which have no transparency
                layers = image.convert("RGBA")
                shown = Pillow.alpha_composite(Pillow.new("RGBA", layers.size, "white"), layers).convert("RGB")
            shown.save(converted, mime.partition("/")[2].upper(), **({"quality": 95} if mime == "image/jpeg" else {}))
    except (OSError, ValueError, KeyError, Pillow.DecompressionBombError):
        return None
    return converted.getvalue()
