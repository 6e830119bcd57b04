"""Predictions as Skytells sends them: `Prediction`, its parts, and pages of them.

Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Self, TypeVar

from attrs import field, frozen

from ...._core.urls import check_id, is_link
from ...._data.base64_text import is_inline_file
from ...._data.decoding import Shape, decode, json_name
from ...._data.result import Page, Result, with_origin_of
from ....errors import DecodingError, PredictionFailedError
from ..enums import ModelPrivacy, ModelType, PredictionSource, PredictionType


class PredictionStatus(StrEnum):
    """The known states of a prediction. An unknown state stays a string."""

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
_QUEUED = "pending"
"""The older API sends `false` for it."""
_KNOWN_STATUSES = frozenset(status.value for status in PredictionStatus)
_SUCCESSES = frozenset({"complete", "completed", "done", "finished", "success", "successful"})
_FAILURES = frozenset({"aborted", "error", "errored", "expired", "rejected", "terminated", "timeout", "timed_out"})
"""Words of other APIs for the end of a prediction. Without them, a call would wait until its deadline."""


def _known_status(status: Any) -> Any:
    """Return a status in the spelling of `PredictionStatus`; an unknown one, or a value that is not text, as it is."""
    if not isinstance(status, str) or status in _KNOWN_STATUSES:
        return _QUEUED if status is False else status
    lower = status.strip().lower()
    return PredictionStatus.SUCCEEDED.value if lower in _SUCCESSES else lower if lower in _KNOWN_STATUSES else status


@frozen
class Metrics:
    """Progress and duration of a prediction."""

    progress: float | None = None
    """The progress in percent."""
    predict_time: float | None = None
    """Seconds of computation."""
    total_time: float | None = None
    """Seconds from creation to completion, including the time in the queue."""
    image_count: int | None = None
    asset_count: int | None = None


@frozen
class Billing:
    """The price of a prediction."""

    credits_used: float | None = None


@frozen
class StoredFile:
    """A stored output."""

    url: str | None = None
    name: str | None = None
    type: str | None = None
    size: int | None = None
    """The size in bytes."""


@frozen
class Storage:
    """The stored outputs of a prediction."""

    files: tuple[StoredFile, ...] = ()


@frozen
class Metadata:
    """Price and stored outputs of a prediction."""

    billing: Billing = Billing()
    storage: Storage = Storage()
    data_available: bool | None = None


class PredictionModel(str):
    """The model of a prediction: its slug as a string, with a `type`."""

    __slots__ = ("type",)

    type: ModelType | str | None
    """The kind of its output; `None` if the provider does not send it."""

    def __new__(cls, name: str, type: ModelType | str | None = None) -> Self:
        """Make the string from a slug and a type."""
        self = super().__new__(cls, name)
        self.type = _MODEL_TYPES.get(type, type)
        return self

    @property
    def name(self) -> str:
        """The slug, which `run` accepts as `model`."""
        return str(self)

    @staticmethod
    def from_json(value: Any) -> Any:
        """Read the name alone, or an object with name and type; leave anything else as it is."""
        name, type = (value.get("name"), value.get("type")) if isinstance(value, dict) else (value, None)
        return PredictionModel(name, type if isinstance(type, str) else None) if isinstance(name, str) else name


_MODEL_TYPES: Mapping[str | None, ModelType] = {member.value: member for member in ModelType}


@frozen
class Prediction(Result):
    """The state of a prediction at one moment."""

    id: str
    status: PredictionStatus | str
    """One of `PredictionStatus`, or another string."""
    model: PredictionModel | None = None
    """The slug of the model, a string. Its `type` is the kind of its output."""
    type: PredictionType | str | None = None
    stream: bool | None = None
    input: dict[str, object] = field(factory=dict)
    output: object = None
    """As the provider sent it: `None`, a URL or text, or a list of them. See `outputs`."""
    error: str | None = None
    """Why the prediction failed."""
    response: str | None = None
    """A message of the provider about the prediction."""
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
    """Addresses of the prediction, by "get", "cancel", "stream" and "delete"."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Turn the forms of the older and the newer API into one."""
        if not isinstance(value, dict):
            return value
        changes: dict[str, Any] = {}
        model, status, error, urls = value.get("model"), value.get("status"), value.get("error"), value.get("urls")
        if model is not None:
            changes["model"] = PredictionModel.from_json(model)
        if (known := _known_status(status)) is not status:
            changes["status"] = known
        if isinstance(error, list):
            changes["error"] = error = next(iter(error), None)
        if known == "failed" and not error:
            changes["error"] = value.get("response")
        if isinstance(error, dict):
            changes["error"] = error.get("message") or error.get("error_id") or error.get("code")
        if isinstance(urls, dict) and None in urls.values():
            changes["urls"] = {name: url for name, url in urls.items() if url is not None}
        return {**value, **changes} if changes else value

    @property
    def ended(self) -> bool:
        """Whether the prediction has ended: it succeeded, failed or was cancelled."""
        return self.status in ENDED_STATUSES or self.status.strip().lower() in _FAILURES

    @property
    def outputs(self) -> tuple[str, ...]:
        """The outputs: URLs, which expire about five minutes after the prediction has ended, or texts.

        A `data:` URL has the file in it. The texts of an object, such as `{"image": …}`, are outputs only if they are
        URLs.
        """
        return tuple(_find_outputs(self.output))

    @property
    def progress(self) -> float | None:
        """The progress in percent; `None` if the provider does not send it."""
        return self.metrics.progress

    @property
    def credits_used(self) -> float | None:
        """The price in credits; `None` if the provider does not send it."""
        return self.metadata.billing.credits_used


def _find_outputs(output: object) -> Iterator[str]:
    """Yield the outputs in their order. JSON may be nested deeper than Python calls functions."""
    left = [(output, False)]
    while left:
        item, in_object = left.pop()
        if isinstance(item, str):
            if is_link(item) or is_inline_file(item):
                yield item.strip()
            elif not in_object:
                yield item
        elif isinstance(item, list):
            left += [(each, in_object) for each in reversed(item)]
        elif isinstance(item, dict):
            left += [(each, True) for each in reversed(item.values())]


@frozen
class Pagination:
    """The place of a page in its list."""

    current_page: int = 1
    per_page: int | None = None
    total: int | None = None
    last_page: int | None = None
    """`None` if the server does not say."""


@frozen
class PredictionPage(Page[Prediction]):
    """One page of a list of predictions: `for prediction in page`, `len(page)`."""

    items: tuple[Prediction, ...] = json_name("data")
    pagination: Pagination = Pagination()

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Accept a bare array, which the server sends for some lists."""
        return {"data": value} if isinstance(value, list) else value


@frozen
class CreatedPrediction(Result):
    """The state that a creation returns. Only what the waiting needs is read, which takes a fifth of the time.

    `raw` has the rest.
    """

    id: str
    status: PredictionStatus | str

    @staticmethod
    def choose_json_class(value: Any) -> type[Prediction | CreatedPrediction]:
        """Return `Prediction` for one that has ended: it is the result, and is read whole."""
        has_ended = isinstance(value, dict) and _known_status(value.get("status")) in tuple(ENDED_STATUSES)
        return Prediction if has_ended else CreatedPrediction

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Turn the status of the older API into that of the newer one."""
        status = value.get("status") if isinstance(value, dict) else None
        known = _known_status(status)
        return value if known is status else {**value, "status": known}

    def read(self) -> Prediction:
        """Return the whole state."""
        return with_origin_of(self, decode(self.raw, Prediction))


P = TypeVar("P", Prediction, CreatedPrediction)


def _with_usable_id(prediction: P) -> P:
    try:
        check_id(prediction.id)
    except ValueError as error:
        raise DecodingError(f"the prediction cannot be requested by its id: {error}") from None
    return prediction


@frozen
class _Change:
    prediction: Prediction | None

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Find the prediction in the response, which may also be only `{"success": true}`."""
        return {"prediction": value if "id" in value else None} if isinstance(value, dict) else value


PREDICTION = Shape(Prediction, _with_usable_id)
"""A prediction."""
CREATED_PREDICTION = Shape(CreatedPrediction, _with_usable_id)
"""A prediction that is read whole only if it has ended."""
CHANGED_PREDICTION = Shape(_Change, lambda found: found.prediction and _with_usable_id(found.prediction))
"""The response to cancelling or deleting: a prediction, or `None` if the response has none."""


def require_success(state: Prediction) -> Prediction:
    """Return the last state of a prediction if it succeeded, otherwise raise `PredictionFailedError`."""
    if state.status != "succeeded":
        reason = state.error or state.response or "no reason given"
        message = f"prediction {state.id} {state.status}: {reason}"
        raise PredictionFailedError(message, provider="skytells", prediction=state)
    return state


def prediction_id(prediction: str | Prediction | CreatedPrediction) -> str:
    """Return the id of a prediction, given as the id or as an earlier state."""
    return prediction if isinstance(prediction, str) else prediction.id
