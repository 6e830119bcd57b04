"""The inputs of a command: texts, the lines of files, and files. `-` stands for standard input."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

from attrs import frozen

from .arguments import InputFile, utf8
from .output_files import STANDARD_STREAM

T = TypeVar("T", covariant=True)


@frozen
class Input(Generic[T]):
    """One input."""

    value: T
    name: str
    """The text or the name of the file, as it was given."""
    result_name: str
    """The name of the file with the result, without its ending, if the user gives none."""


@frozen
class Inputs(Generic[T]):
    """The inputs of one command."""

    items: tuple[Input[T], ...]
    several: bool
    """Whether the results are those of several inputs, even if there is one: each has a line or a file of its own."""


# Everything is read before the event loop starts: inside the loop Ctrl-C would not end a read.


def are_several(words: Sequence[str], *, lines: bool = False) -> bool:
    """Return whether these words are several inputs; with `lines` the words are files whose lines are the inputs."""
    return lines or len(words) > 1


def read_texts(words: Sequence[str], result_name: str, *, lines: bool = False) -> Inputs[str]:
    """Read the texts of the command line. With `lines` the words are files, and each line of theirs is a text."""
    check_one_standard_input(words)
    if not lines:
        texts = [read_text(word) for word in words]
    else:
        # A line is what editors show as one: `str.splitlines` cuts at U+2028 and form feeds too.
        texts = [line for word in words for line in re.split(r"\r\n?|\n", read_text_file(word)) if line.strip()]
        if not texts:
            raise ValueError(f"there is no text in {', '.join(map(_shown, words))}")
    several = are_several(words, lines=lines)
    items = (
        Input(text, text, f"{result_name}-{place}" if several else result_name) for place, text in enumerate(texts, 1)
    )
    return Inputs(tuple(items), several)


def read_files(words: Sequence[str], result_name: str = "") -> Inputs[bytes | Path]:
    """Read the names of files. `result_name` is added to the name of each for its result."""
    check_one_standard_input(words)
    ending = f"-{result_name}" if result_name else ""
    items = tuple(Input(read_file(word), _shown(word), _stem(word) + ending) for word in words)
    return Inputs(items, are_several(words))


def read_text(text: str) -> str:
    """Return a text of the command line, or the text of standard input if it is `-`."""
    return read_text_file(text) if text == STANDARD_STREAM else utf8(text)


def read_text_file(name: str) -> str:
    """Return the text of a file, or of standard input if its name is `-`, without its last end of line."""
    try:
        data = sys.stdin.buffer.read() if name == STANDARD_STREAM else Path(name).expanduser().read_bytes()
        is_utf_16 = data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE) and len(data) > len(BOM_UTF16_LE)  # PowerShell's `>`
        encoding = "utf-16" if is_utf_16 else "utf-8-sig"
        return data.decode(encoding).rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"{_shown(name)} is not UTF-8 text") from None


def read_file(name: str) -> bytes | Path:
    """Return the path of a file of the command line, or the bytes of standard input if it is `-`."""
    return sys.stdin.buffer.read() if name == STANDARD_STREAM else Path(name)


def read_model_inputs(arguments: Namespace) -> dict[str, object]:
    """Return the inputs of a model. A file that is missing is an error."""
    names = [name for name, _ in arguments.input]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ValueError(f"input {', '.join(dict.fromkeys(twice))} is given more than once")
    check_one_standard_input([value for _, value in arguments.input if isinstance(value, InputFile)])
    found: dict[str, object] = {}
    for name, value in arguments.input:
        source = read_file(value) if isinstance(value, InputFile) else value
        if isinstance(source, Path):
            source = source.expanduser()  # the shell leaves the ~ in image=@~/fox.png
            source.stat()
        found[name] = source
    return found


def check_one_standard_input(words: Sequence[str]) -> None:
    """Refuse `-` for more than one input: standard input can be read once."""
    if list(words).count(STANDARD_STREAM) > 1:
        raise ValueError("- can be given once: standard input is read once")


def _shown(name: str) -> str:
    return "standard input" if name == STANDARD_STREAM else name


def _stem(name: str) -> str:
    return "stdin" if name == STANDARD_STREAM else Path(name).stem
