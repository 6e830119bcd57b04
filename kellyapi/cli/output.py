"""The protocol of the output of a command. `json_output` and `terminal_output` implement it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from kellyapi import ChatReply, Embeddings, Prediction, PredictionPage, SkytellsModel

    from .demo_steps import FinishedStep
    from .doctor.findings import Finding
    from .formatting import ServiceResult


class UploadDisplay(Protocol):
    """Show the progress of an upload."""

    def show_upload(self, sent: int, size: int | None) -> None:
        """Show how many bytes of a file were sent."""


class ProgressDisplay(UploadDisplay, Protocol):
    """Show the progress of a prediction."""

    def show_state(self, state: Prediction) -> None:
        """Show a new state."""

    def show_bytes(self, received: int, total: int | None) -> None:
        """Show how many bytes of the outputs were downloaded."""


class NoProgress:
    """Shows no progress."""

    def show_upload(self, sent: int, size: int | None) -> None: ...
    def show_state(self, state: Prediction) -> None: ...
    def show_bytes(self, received: int, total: int | None) -> None: ...


class ReportOutput(Protocol):
    """Show the findings of `kellyapi doctor`."""

    def spinner(self, what: str) -> AbstractContextManager[object]:
        """Show that the command is at work."""

    def note(self, text: str) -> None:
        """Show a message that is not part of the result."""

    def report(self, findings: Sequence[Finding]) -> None:
        """Show the findings."""


class Output(ReportOutput, Protocol):
    """Show the results of a command."""

    def spinner(self, what: str) -> AbstractContextManager[UploadDisplay]:
        """Show that the command is at work, and the progress of its uploads."""

    def service_result(self, result: ServiceResult, path: Path | None, warning: str | None = None) -> None:
        """Show the result of a service, and the file that holds it."""

    def input_result(self, name: str, result: ServiceResult, path: Path | None) -> None:
        """Show the result of one of several inputs, and the file that holds it."""

    def input_failed(self, name: str, error: Exception) -> None:
        """Show why one of several inputs has no result."""

    def reply_piece(self, text: str) -> None:
        """Show a piece of a reply that arrives."""

    def reply_stopped(self) -> None:
        """End the reply that was being shown, which is not complete."""

    def reply_ended(self, reply: ChatReply) -> None:
        """End the reply that was shown."""

    def message_failed(self, error: Exception) -> None:
        """Show why a message of a conversation has no reply."""

    def vectors(self, texts: Sequence[str], found: Embeddings) -> None:
        """Show the vectors of texts."""

    def vectors_saved(self, found: Embeddings, path: Path) -> None:
        """Show the file that holds vectors."""

    def listing(self, head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
        """Show rows of texts."""

    def sandbox_started(self, url: str, urls: Mapping[str, str]) -> None:
        """Show where a sandbox listens."""

    def demo_finished(self, folder: Path, steps: Sequence[FinishedStep], seconds: float) -> None:
        """Show the steps of the demo that have run."""

    def prediction_progress(self, what: str) -> AbstractContextManager[ProgressDisplay]:
        """Return a context manager whose display shows the progress of a prediction."""

    def interrupted(
        self, prediction: Prediction | str | None, *, sandbox: bool, ask: Callable[[], bool] | None
    ) -> bool:
        """Say how to continue with a prediction after Ctrl-C, and return whether to cancel it; `ask` asks the user."""

    def prediction(self, state: Prediction, paths: Sequence[Path]) -> None:
        """Show a prediction, and the files with its outputs."""

    def prediction_created(self, state: Prediction) -> None:
        """Show a prediction that was created."""

    def prediction_changed(self, id: str, change: str) -> None:
        """Show that a prediction was cancelled or deleted."""

    def prediction_list(self, page: PredictionPage) -> None:
        """Show a list of predictions."""

    def model_list(self, models: Sequence[SkytellsModel]) -> None:
        """Show a list of models."""

    def model_details(self, model: SkytellsModel) -> None:
        """Show a model and its inputs."""
