"""What Skytells says of a job, in the values that its predictions are made of.

Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from attrs import field, frozen

from ...._core.urls import check_id
from ...._data.decoding import decode, json_name
from ....errors import DecodingError, PredictionFailedError
from ..enums import ModelPrivacy, PredictionSource, PredictionType


class PredictionStatus(StrEnum):
    """The known states of a job; others may come, and stay strings."""

    PENDING = "pending"
    QUEUED = "queued"
    STARTING = "starting"
    STARTED = "started"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CANCELED = "canceled"


ENDED_STATUSES = frozenset({"succeeded", "failed", "cancelled", "canceled"})


# What follows is read at each look. A job takes 3.9 us, with slots 4.6, with `kw_only` 5.0.
@frozen(slots=False)
class Metrics:
    """What the work took."""

    progress: float | None = None
    """Percent."""
    predict_time: float | None = None
    """Seconds of computing."""
    total_time: float | None = None
    """Seconds, waiting included."""
    image_count: int | None = None
    asset_count: int | None = None


@frozen(slots=False)
class Billing:
    """What a prediction cost."""

    credits_used: float | None = None


@frozen(slots=False)
class StoredFile:
    """An output as it is stored."""

    url: str | None = None
    name: str | None = None
    type: str | None = None
    size: int | None = None
    """Bytes."""


@frozen(slots=False)
class Storage:
    """Where the outputs are."""

    files: tuple[StoredFile, ...] = ()


@frozen(slots=False)
class Metadata:
    """What the provider keeps about a prediction."""

    billing: Billing = Billing()
    storage: Storage = Storage()
    data_available: bool | None = None


@frozen(slots=False)
class Prediction:
    """The state of a job at one moment."""

    id: str
    status: PredictionStatus | str
    """One of `PredictionStatus`, or a string that is not known here."""
    model: str | None = None
    type: PredictionType | str | None = None
    stream: bool | None = None
    input: dict[str, object] = field(factory=dict)
    output: object = None
    """As it came: `None`, a URL or text, or an array of them. See `outputs`."""
    error: str | None = None
    """Why it failed."""
    response: str | None = None
    """What the provider says about it."""
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    updated_at: str | None = None
    privacy: ModelPrivacy | str | None = None
    source: PredictionSource | str | None = None
    webhook: dict[str, object] = field(factory=dict)
    metrics: Metrics = Metrics()
    metadata: Metadata = Metadata()
    urls: dict[str, str] = field(factory=dict)
    """Where the provider says it can be asked: "get", "cancel", "stream", "delete"."""

    @property
    def ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.status in ENDED_STATUSES

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs one by one: mostly URLs, which expire about five minutes after completion."""
        items = self.output if isinstance(self.output, list) else [self.output]
        return tuple(item for item in items if isinstance(item, str))

    @property
    def progress(self) -> float | None:
        """Percent; `None` when the provider does not tell."""
        return self.metrics.progress

    @property
    def credits_used(self) -> float | None:
        """What it cost; `None` when the provider does not tell."""
        return self.metadata.billing.credits_used


@frozen
class Pagination:
    """Where a page stands in its list."""

    current_page: int = 1
    per_page: int | None = None
    total: int | None = None
    last_page: int = 1


@frozen
class PredictionPage:
    """One page of a list of predictions."""

    items: tuple[Prediction, ...] = json_name("data")
    pagination: Pagination = Pagination()


def read_prediction(value: Any) -> Prediction:
    """Read a prediction in each form in which the provider sends it."""
    prediction = decode(_normalize(value), Prediction)
    try:
        check_id(prediction.id)
    except ValueError as error:
        raise DecodingError(f"the prediction cannot be asked for: {error}") from None
    return prediction


def _normalize(fields: Any) -> Any:
    if not isinstance(fields, dict):
        return fields
    fields = dict(fields)
    model, status, urls = fields.get("model"), fields.get("status"), fields.get("urls")
    if isinstance(model, dict):
        fields["model"] = model.get("name")
    if status is False:  # queued, in the words of the older generation
        fields["status"] = "pending"
    elif status == "failed" and not fields.get("error"):
        fields["error"] = fields.get("response")
    if isinstance(urls, dict) and None in urls.values():
        fields["urls"] = {name: url for name, url in urls.items() if url is not None}
    return fields


def read_prediction_if_sent(value: Any) -> Prediction | None:
    """Read what cancelling and deleting answer: a prediction, or only `{"success": true}`."""
    return read_prediction(value) if "id" in decode(value, dict[str, object]) else None


def read_page(value: Any) -> PredictionPage:
    """Read a list of predictions: `{"data", "pagination"}`, or a bare array."""
    if isinstance(value, list):
        return PredictionPage(decode([_normalize(item) for item in value], tuple[Prediction, ...]))
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = {**value, "data": [_normalize(item) for item in value["data"]]}
    return decode(value, PredictionPage)


def require_success(state: Prediction) -> Prediction:
    """Give the last state of a job back if it succeeded; else raise `PredictionFailedError`."""
    if state.status != "succeeded":
        reason = state.error or state.response or "no reason given"
        message = f"prediction {state.id} {state.status}: {reason}"
        raise PredictionFailedError(message, provider="skytells", prediction=state)
    return state


def prediction_id(prediction: str | Prediction) -> str:
    """Give the id of a prediction that is named by it or by an earlier state."""
    return prediction.id if isinstance(prediction, Prediction) else prediction
