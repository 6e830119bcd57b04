"""What an engine may say went wrong. How the service names it on the wire is the server's."""

from __future__ import annotations


class EngineMissing(Exception):
    """A package that the engine needs is not installed; the message says what to install."""


class BadInput(Exception):
    """The input can't be used: no sound in the bytes, a language that the engine lacks."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)  # both, since pickle calls the class again with `args`
        self.kind = kind
        "What is wrong: audio, image, language, text or voice."
        self.message = message
        "Why, in words for the user."

    def __str__(self) -> str:
        return self.message
