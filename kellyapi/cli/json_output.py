"""Print results as one JSON value on standard output, and errors as one JSON value on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from attrs import asdict

from kellyapi import ChatReply, Embeddings, Prediction, PredictionPage, SkytellsModel, __version__

from .demo_steps import FinishedStep
from .doctor.findings import Finding, count_problems
from .formatting import ServiceResult, error_message, interruption_message, plain_fields, prediction_id
from .output import NoProgress, ProgressDisplay, UploadDisplay

_COMPUTED = ("sample_rate", "duration", "width", "height")
_ERROR_FIELDS = ("code", "provider", "status", "request_id", "retry_after")


class JsonOutput:
    """Print one JSON value on standard output."""

    def spinner(self, what: str) -> AbstractContextManager[UploadDisplay]:
        """Show nothing."""
        return nullcontext(NoProgress())

    def service_result(self, result: ServiceResult, path: Path | None, warning: str | None = None) -> None:
        """Print the fields of the result, without its bytes, the path and the warning."""
        self._print(_result_fields(result, path, warning))

    def input_result(self, name: str, result: ServiceResult, path: Path | None) -> None:
        """Print one line: the input, and the fields of its result."""
        _print_value({"input": name, **_result_fields(result, path)}, sys.stdout)

    def input_failed(self, name: str, error: Exception) -> None:
        """Print the error, with the input, on standard error."""
        _print_error_object({"input": name, **_error_fields(error)})

    def reply_piece(self, text: str) -> None:
        """Show nothing: the reply is printed when it is complete."""

    def reply_stopped(self) -> None:
        """Show nothing."""

    def reply_ended(self, reply: ChatReply) -> None:
        """Print the fields of the reply."""
        self.service_result(reply, None)

    def message_failed(self, error: Exception) -> None:
        """Print the error on standard error."""
        print_json_error(error)

    def vectors(self, texts: Sequence[str], found: Embeddings) -> None:
        """Print one line for each text: the text and its vector."""
        for text, vector in zip(texts, found.vectors, strict=True):
            _print_value(
                {"input": text, "vector": vector, "model": found.model, "provider": found.provider}, sys.stdout
            )

    def vectors_saved(self, found: Embeddings, path: Path) -> None:
        """Print the path, and how many vectors the file has."""
        shown = {"path": str(path), "vectors": len(found.vectors), "model": found.model, "provider": found.provider}
        self._print(shown)

    def listing(self, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Print an array with an object for each row."""
        self._print([dict(zip(head, row, strict=True)) for row in rows])

    def sandbox_started(self, url: str, urls: Mapping[str, str]) -> None:
        """Print the addresses."""
        self._print({"url": url, "urls": dict(urls)})

    def demo_finished(self, folder: Path, steps: Sequence[FinishedStep], seconds: float) -> None:
        """Print the steps."""
        self._print({"folder": str(folder), "seconds": seconds, "steps": [asdict(step) for step in steps]})

    def prediction_progress(self, what: str) -> AbstractContextManager[ProgressDisplay]:
        """Show nothing."""
        return nullcontext(NoProgress())

    def interrupted(
        self, prediction: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool] | None
    ) -> bool:
        """Print an error that names the prediction."""
        named = {} if prediction is None else {"prediction": prediction_id(prediction)}
        message = interruption_message(prediction, sandbox=sandbox)
        _print_error_object({"type": "KeyboardInterrupt", "message": message, **named})
        return False

    def note(self, text: str) -> None:
        """Show nothing."""

    def report(self, findings: Sequence[Finding]) -> None:
        """Print the findings, and how many are problems."""
        shown = [asdict(each) for each in findings]
        self._print({"kellyapi": __version__, "problems": count_problems(findings), "findings": shown})

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Print the fields of the prediction, and the paths."""
        computed = {"outputs": state.outputs, "progress": state.progress, "credits_used": state.credits_used}
        self._print({**plain_fields(state), **computed, "paths": [str(path) for path in paths]})

    def prediction_created(self, state: Prediction) -> None:
        """Print the fields of the prediction."""
        self.prediction(state, ())

    def prediction_changed(self, id: str, change: str) -> None:
        """Print the id and the change."""
        self._print({"id": id, "done": change})

    def prediction_list(self, page: PredictionPage) -> None:
        """Print the fields of each prediction, and of the page."""
        self._print(plain_fields(page))

    def model_list(self, models: Sequence[SkytellsModel]) -> None:
        """Print the fields of each model."""
        self._print([plain_fields(model) for model in models])

    def model_details(self, model: SkytellsModel) -> None:
        """Print the fields of the model."""
        self._print(plain_fields(model))

    def _print(self, value: object) -> None:
        indent = 2 if sys.stdout.isatty() else None
        _print_value(value, sys.stdout, indent)


def _result_fields(result: ServiceResult, path: Path | None, warning: str | None = None) -> dict[str, object]:
    computed = {name: getattr(result, name) for name in _COMPUTED if hasattr(result, name)}
    saved = {name: str(value) for name, value in {"path": path, "warning": warning}.items() if value}
    return {**plain_fields(result), **computed, **saved}


def print_json_error(error: Exception) -> None:
    """Print an error as one JSON value on standard error."""
    _print_error_object(_error_fields(error))


def _error_fields(error: Exception) -> dict[str, object]:
    found = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    found["prediction"] = getattr(getattr(error, "prediction", None), "id", None)
    fields = {name: value for name, value in found.items() if value is not None}
    return {"type": type(error).__name__, "message": error_message(error), **fields}


def _print_error_object(error: dict[str, object]) -> None:
    _print_value({"error": error}, sys.stderr)


def _print_value(value: object, stream: TextIO, indent: int | None = None) -> None:
    """Print a value with its letters, or with escapes if the stream cannot show one of them."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=indent)
    print(text, file=stream, flush=True)
