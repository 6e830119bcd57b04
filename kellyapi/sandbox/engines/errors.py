"""Errors that the engines raise. The frontends turn them into the error bodies of their providers."""

from __future__ import annotations


class EngineMissing(Exception):
    """A package that the engine needs is not installed. The message says what to install."""


class TimeLimitExceeded(RuntimeError):
    """The work took longer than it may, and was ended."""


class BadInput(Exception):
    """The input cannot be used, for example bytes that are not audio or a language that the engine does not have."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)  # pickle calls the class with both `args`
        self.kind = kind
        "The part of the input that is wrong: audio, image, language, text or voice."
        self.message = message
        "The reason, written for users."

    def __str__(self) -> str:
        return self.message
