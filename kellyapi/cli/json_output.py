"""Print results as one JSON value on standard output, and errors as one JSON value on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TextIO

from attrs import asdict

from kellyapi import Prediction, PredictionPage, SkytellsModel, __version__

from .demo_steps import FinishedStep
from .doctor.findings import Finding, count_problems
from .formatting import ServiceResult, error_message, interruption_message, plain_fields, prediction_id
from .output import ProgressDisplay

_COMPUTED = ("sample_rate", "duration", "width", "height")
_ERROR_FIELDS = ("code", "provider", "status", "request_id", "retry_after")


class JsonOutput:
    """Print one JSON value on standard output."""

    def spinner(self, what: str) -> AbstractContextManager[object]:
        """Show nothing."""
        return nullcontext()

    def service_result(self, result: ServiceResult, path: Path | None, warning: str | None = None) -> None:
        """Print the fields of the result, without its bytes, the path and the warning."""
        fields = plain_fields(result)
        computed = {name: getattr(result, name) for name in _COMPUTED if hasattr(result, name)}
        saved = {name: str(value) for name, value in {"path": path, "warning": warning}.items() if value}
        self._print({**fields, **computed, **saved})

    def sandbox_started(self, url: str, urls: Mapping[str, str]) -> None:
        """Print the addresses."""
        self._print({"url": url, "urls": dict(urls)})

    def demo_finished(self, folder: Path, steps: Sequence[FinishedStep], seconds: float) -> None:
        """Print the steps."""
        self._print({"folder": str(folder), "seconds": seconds, "steps": [asdict(step) for step in steps]})

    def prediction_progress(self, what: str) -> AbstractContextManager[ProgressDisplay]:
        """Show nothing."""
        return nullcontext(_NoProgress())

    def interrupted(self, prediction: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool]) -> bool:
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


class _NoProgress:
    """Show no progress."""

    def show_state(self, state: Prediction) -> None: ...
    def show_bytes(self, received: int, total: int | None) -> None: ...


def print_json_error(error: Exception) -> None:
    """Print an error as one JSON value on standard error."""
    found = {name: getattr(error, name, None) for name in _ERROR_FIELDS}
    found["prediction"] = getattr(getattr(error, "prediction", None), "id", None)
    fields = {name: value for name, value in found.items() if value is not None}
    _print_error_object({"type": type(error).__name__, "message": error_message(error), **fields})


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
