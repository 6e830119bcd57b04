"""Keep keys out of sight: in memory, in logs, and in errors that quote what a server repeated."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from multidict import CIMultiDict

from .._data.json_text import map_strings
from ..errors import KellyAPIError

T = TypeVar("T")

Key = str | Callable[[], str | Awaitable[str]]
"""A key, or a function (plain or async) that is asked for it at every request."""


class Secret(str):
    """A string that works as itself on the wire and shows nothing of itself in logs and tracebacks."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


def as_secret(value: T) -> T:
    """Return a string as a `Secret`, and anything else unchanged."""
    return Secret(value) if isinstance(value, str) else value  # type: ignore[return-value]  # a Secret is a string


_SHORTEST_KEY = 8
"""A shorter key is a word, such as `sandbox`, and is not hidden."""


def redact_error(error: KellyAPIError, sent: Mapping[str, str]) -> None:
    """Remove the key that was sent from all that an error shows: a server may repeat it."""
    for key in _sent_keys(sent):
        shown = {name: _redact(each, key) for name, each in vars(error).items()}
        if shown != vars(error):
            vars(error).update(shown)
            error.args = (error.message,)
            error.__traceback__ = None  # its frames hold the response


def redact_text(text: str, sent: Mapping[str, str]) -> str:
    """Remove the key that was sent from a text of the server."""
    for key in _sent_keys(sent):
        text = _hide(text, key)
    return text


def _hide(text: str, key: str) -> str:
    """Remove a key from a text, and the beginning of one that was cut off at the end of the text."""
    text = text.replace(key, "***")
    lengths = range(len(key) - 1, _SHORTEST_KEY - 1, -1)
    cut = next((length for length in lengths if text.endswith(key[:length])), 0)
    return f"{text[:-cut]}***" if cut else text


def _sent_keys(sent: Mapping[str, str]) -> list[str]:
    keys = [value.rpartition(" ")[2] for value in sent.values() if isinstance(value, Secret)]
    return [key for key in keys if len(key) >= _SHORTEST_KEY]


def _redact(value: Any, key: str) -> Any:
    if isinstance(value, CIMultiDict):
        return CIMultiDict((name, _hide(text, key)) for name, text in value.items())
    return map_strings(value, lambda text: _hide(text, key))
