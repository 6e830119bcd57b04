"""What the command says: results as JSON and as plain text, errors, and which screen shows them.

For people at a terminal it is `terminal` that draws; it needs rich, which JSON does not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from attrs import asdict

from kellyapi import (
    ChatReply,
    Image,
    KellyAPIError,
    Model,
    Prediction,
    PredictionPage,
    Speech,
    Transcript,
    Translation,
)

from .demo import Done

Answer = Translation | Transcript | Speech | Image | ChatReply

_COMPUTED = ("sample_rate", "duration", "width", "height")
_ERROR_FIELDS = ("code", "provider", "status", "request_id", "retry_after")
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Watch(Protocol):
    """Where a job is seen to go on."""

    def state(self, state: Prediction) -> None:
        """Show a new state."""

    def received(self, received: int, total: int | None) -> None:
        """Show how much of what it made has been fetched, in bytes."""


class Screen(Protocol):
    """Where a command shows what came out."""

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Show that something is being done."""

    def answer(self, answer: Answer, path: Path | None) -> None:
        """Show what a service answered, and the file that holds it."""

    def sandbox(self, url: str, urls: Mapping[str, str]) -> None:
        """Show where a sandbox listens, before it goes on to serve."""

    def demo(self, folder: Path, done: Sequence[Done], seconds: float) -> None:
        """Show the steps of the demo that were done."""

    def watching(self, what: str) -> AbstractContextManager[Watch]:
        """Show how a job goes on."""

    def interrupted(self, job: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool]) -> bool:
        """Say how to go on with a job after Ctrl-C, and tell whether it is to be cancelled."""

    def note(self, text: str) -> None:
        """Say something beside the answer."""

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Show a job, and the files with what it made."""

    def changed(self, id: str, done: str) -> None:
        """Show what was done with a job."""

    def predictions(self, page: PredictionPage) -> None:
        """Show a list of jobs."""

    def models(self, models: Sequence[Model]) -> None:
        """Show a list of models."""

    def model(self, model: Model) -> None:
        """Show a model and its inputs."""


def open_screen(*, as_json: bool) -> Screen:
    """Choose a screen: for machines, or for people."""
    if as_json:
        return Json()
    if find_spec("rich") is None:
        raise ModuleNotFoundError('rich is not installed: pip install "kellyapi[cli]", or use --json')
    from .terminal import Terminal

    return Terminal()


class Json:
    """One JSON value on standard output."""

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Show nothing."""
        return nullcontext()

    def answer(self, answer: Answer, path: Path | None) -> None:
        """Print the fields of the answer but its bytes, and the path."""
        fields = asdict(answer, filter=lambda _, value: not isinstance(value, bytes))
        computed = {name: getattr(answer, name) for name in _COMPUTED if hasattr(answer, name)}
        self._print({**fields, **computed, **({"path": str(path)} if path else {})})

    def sandbox(self, url: str, urls: Mapping[str, str]) -> None:
        """Print the addresses."""
        self._print({"url": url, "urls": dict(urls)})

    def demo(self, folder: Path, done: Sequence[Done], seconds: float) -> None:
        """Print the rows."""
        self._print({"folder": str(folder), "seconds": seconds, "steps": [asdict(row) for row in done]})

    def watching(self, what: str) -> AbstractContextManager[Watch]:
        """Show nothing."""
        return nullcontext(_Unseen())

    def interrupted(self, job: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool]) -> bool:
        """Print an error that names the job."""
        named = {} if job is None else {"prediction": id_of(job)}
        error = {"type": "KeyboardInterrupt", "message": interruption(job, sandbox=sandbox), **named}
        print(json.dumps({"error": error}, ensure_ascii=False), file=sys.stderr)
        return False

    def note(self, text: str) -> None:
        """Show nothing."""

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Print the fields, and the paths."""
        computed = {"outputs": state.outputs, "progress": state.progress, "credits_used": state.credits_used}
        self._print({**asdict(state), **computed, "paths": [str(path) for path in paths]})

    def changed(self, id: str, done: str) -> None:
        """Print the id and what was done."""
        self._print({"id": id, "done": done})

    def predictions(self, page: PredictionPage) -> None:
        """Print the fields of each, and of the page."""
        self._print(asdict(page))

    def models(self, models: Sequence[Model]) -> None:
        """Print the fields of each."""
        self._print([asdict(model) for model in models])

    def model(self, model: Model) -> None:
        """Print the fields."""
        self._print(asdict(model))

    def _print(self, value: object) -> None:
        indent = 2 if sys.stdout.isatty() else None
        print(json.dumps(value, ensure_ascii=False, indent=indent), flush=True)


class _Unseen:
    """Shows nothing of a job."""

    def state(self, state: Prediction) -> None: ...
    def received(self, received: int, total: int | None) -> None: ...


def interruption(job: Prediction | str | None, *, sandbox: bool) -> str:
    """Say after Ctrl-C what became of a job."""
    if sandbox:
        return "interrupted: the sandbox has ended, and its jobs with it"
    if job is None:
        return (
            "interrupted before the job was known: it may have been created and billed, see kellyapi predictions list"
        )
    id = id_of(job)
    if has_ended(job):
        return f"interrupted: prediction {id} has ended; kellyapi predictions download {id} fetches what it made"
    return f"interrupted: prediction {id} goes on; kellyapi predictions follow {id} or cancel {id}"


def id_of(job: Prediction | str) -> str:
    """Give the id of a job of which its last state is known, or only the id."""
    return job if isinstance(job, str) else job.id


def has_ended(job: Prediction | str | None) -> bool:
    """Tell whether it is known that a job has ended."""
    return isinstance(job, Prediction) and job.ended


def amount(number: float) -> str:
    """Write a number of credits or money without an exponent: 0.00007, not 7e-05."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def job_facts(state: Prediction) -> str:
    """Give what is worth knowing of a job, in one line."""
    seconds, credits = state.metrics.predict_time, state.credits_used
    known = (
        str(state.status),
        None if state.ended or state.progress is None else f"{state.progress:g} %",
        state.model,
        None if seconds is None else f"{seconds:.1f} s",
        None if not credits and not state.ended else f"{amount(credits or 0)} credits",
        state.error,
    )
    return " · ".join(fact for fact in known if fact)


def plain(answer: Answer) -> str:
    """Give an answer as text for pipes and files; times stand before what was said then, between tabs."""
    if isinstance(answer, Transcript) and (answer.words or answer.segments):
        return "\n".join("\t".join(row) for row in timed(answer))
    return str(answer)


def timed(transcript: Transcript) -> Iterable[tuple[str, str, str]]:
    """Give (start, end, what was said) for each word or segment."""
    for word in transcript.words:
        yield f"{word.start:.2f}", f"{word.end:.2f}", word.word
    for segment in transcript.segments:
        yield f"{segment.start:.2f}", f"{segment.end:.2f}", segment.text


def facts(answer: Answer) -> str:
    """Give what is worth knowing beside the answer itself, in one line."""
    match answer:
        case Translation():
            known: tuple[object, ...] = (f"{answer.source_language} → {answer.target_language}",)
        case Transcript():
            known = (answer.language, *answer.warnings)
        case Speech():
            rate = answer.sample_rate and f"{answer.sample_rate:,} Hz"
            known = (answer.duration and f"{answer.duration:.1f} s", rate, answer.mime)
        case Image():
            known = (answer.width and f"{answer.width} × {answer.height} pixels", answer.mime)
        case _:
            known = (answer.model,)
    return " · ".join(str(fact) for fact in (*known, answer.provider) if fact)


def printable(text: str) -> str:
    """Give a text without the control characters that could steer the terminal."""
    return text.translate(_CONTROLS)


def tell_error(error: Exception, *, as_json: bool) -> None:
    """Say on standard error what went wrong: one red line, or one line of JSON."""
    if as_json:
        found = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
        found["prediction"] = getattr(getattr(error, "prediction", None), "id", None)
        fields = {name: value for name, value in found.items() if value is not None}
        print(
            json.dumps({"error": {"type": type(error).__name__, "message": _words(error), **fields}}), file=sys.stderr
        )
        return
    line = "error: " + printable(" ".join(_words(error).split()))
    if find_spec("rich") is None:
        print(line, file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True).print(Text(line, "red"), soft_wrap=True)


def _words(error: Exception) -> str:
    if isinstance(error, KellyAPIError):
        doubt = "; it may have been carried out and billed" if error.outcome_unknown else ""
        return f"{error}{doubt}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (ValueError, TypeError, ImportError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"
