"""Keep keys out of sight: in memory, in logs, and in errors that quote what a server repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from multidict import CIMultiDict

from .._data.json_text import map_strings
from .._data.secret_names import SHORTEST_KEY, is_secret_header
from ..errors import KellyAPIError

Key = str | Callable[[], str | Awaitable[str]]
"""A key, or a function (plain or async) that is asked for it at every request."""


class HiddenString(str):
    """A string that works as itself on the wire and shows nothing of itself in logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Secret(HiddenString):
    """A hidden string that is also removed from errors and logs when a server repeats it."""

    __slots__ = ()


class WrongSecret:
    """Stands for a secret of a wrong type, such as bytes. It shows the name of the type and nothing else."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __repr__(self) -> str:
        return self._kind


def as_secret(value: Any) -> Any:
    """Return a string as a `Secret`, `None` and a function as they are, and anything else as a `WrongSecret`.

    A function that takes a secret calls this first: a traceback with locals shows the variables of each frame.
    """
    return _hide_as(Secret, value)


def hide_headers(headers: Any) -> Any:
    """Return headers whose values show nothing of themselves; a value that looks like a secret by its name is one."""
    if not isinstance(headers, Mapping):
        return as_secret(headers)
    return {
        name: _hide_as(Secret if is_secret_header(str(name)) else HiddenString, value)
        for name, value in headers.items()
    }


def _hide_as(kind: type[HiddenString], value: Any) -> Any:
    if isinstance(value, str):
        return kind(value)
    unchanged = value is None or callable(value) or isinstance(value, WrongSecret)
    return value if unchanged else WrongSecret(type(value).__name__)


def redact_error(error: KellyAPIError, sent: Mapping[str, str]) -> None:
    """Remove the key that was sent from all that an error shows: a server may repeat it."""
    error.__traceback__ = error.__cause__ = error.__context__ = None  # they hold the response
    for key in _sent_keys(sent):
        shown = {name: _redact(each, key) for name, each in vars(error).items()}
        if shown != vars(error):
            vars(error).update(shown)
            error.args = (error.message,)


def redact_text(text: str, sent: Mapping[str, str]) -> str:
    """Remove the key that was sent from a text of the server."""
    for key in _sent_keys(sent):
        text = _hide(text, key)
    return text


def _hide(text: str, key: str) -> str:
    """Remove a key from a text, and the beginning of one that was cut off at the end of the text."""
    text = text.replace(key, "***")
    lengths = range(len(key) - 1, SHORTEST_KEY - 1, -1)
    cut = next((length for length in lengths if text.endswith(key[:length])), 0)
    return f"{text[:-cut]}***" if cut else text


def _sent_keys(sent: Mapping[str, str]) -> list[str]:
    keys = [value.rpartition(" ")[2] for value in sent.values() if isinstance(value, Secret)]
    return [key for key in keys if len(key) >= SHORTEST_KEY]


def _redact(value: Any, key: str) -> Any:
    if isinstance(value, CIMultiDict):
        return CIMultiDict((name, _hide(text, key)) for name, text in value.items())
    return map_strings(value, lambda text: _hide(text, key))
