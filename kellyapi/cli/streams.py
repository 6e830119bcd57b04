"""The standard streams: closed ones, their encoding, and readers that have ended."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""In the order of their numbers: opening a file takes the lowest number that is free."""
_BYTES_OR_MARK = "kellyapi-bytes-or-question-mark"


@contextmanager
def prepared_streams() -> Iterator[frozenset[str]]:
    """Make the standard streams usable, and yield the names of those that the shell has closed.

    A closed one reads nothing and writes nowhere. Its number is taken: a socket that got the number of standard error
    would receive what other code prints there.
    """
    closed = frozenset(name for name in _MODES if getattr(sys, name) is None)
    opened = []
    for name in filter(closed.__contains__, _MODES):
        file = Path(os.devnull).open(_MODES[name], encoding="utf-8")  # noqa: SIM115  it is closed below
        os.set_inheritable(file.fileno(), True)
        setattr(sys, name, file)
        opened.append(file)
    _set_encoding()
    try:
        yield closed
    finally:
        _flush()
        for name in closed:
            setattr(sys, name, None)
        for file in opened:
            file.close()


def _set_encoding() -> None:
    """Write UTF-8 into files and pipes on every system, and never fail for a character that a stream cannot show."""
    codecs.register_error(_BYTES_OR_MARK, _bytes_or_mark)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            terminal = stream.isatty()
            stream.reconfigure(encoding=None if terminal else "utf-8", errors="replace" if terminal else _BYTES_OR_MARK)


def _bytes_or_mark(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write the bytes that a file name has, so that other programs find the file, and `?` for anything else."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return b"".join(bytes([ord(one) - 0xDC00]) if "\udc80" <= one <= "\udcff" else b"?" for one in wrong), error.end


def _flush() -> None:
    """Write what is left. If nobody can take it, the interpreter must not try again when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
