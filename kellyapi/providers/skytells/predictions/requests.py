"""What creates a prediction: `PredictionRequest`, its webhook, and the body that is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from attrs import field, frozen
from attrs.validators import instance_of

from ...._data.text import not_blank


class WebhookEvent(StrEnum):
    """What a webhook can be called for, in the words that go over the wire."""

    STARTED = "started"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


_EVENT_NAMES = {
    **{event.value: event for event in WebhookEvent},
    "succeeded": WebhookEvent.COMPLETED,
    "cancelled": WebhookEvent.CANCELED,
}


def _as_tuple(events: str | Iterable[str]) -> tuple[str, ...]:
    return (events,) if isinstance(events, str) else tuple(events)


@frozen
class Webhook:
    """Where to call when a job changes.

    `events` are of either family, "completed" or "prediction.succeeded"; unknown ones go out as they are.

    Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)
    """

    url: str = field(validator=instance_of(str))
    events: tuple[str, ...] = field(default=tuple(WebhookEvent), converter=_as_tuple)

    def to_wire(self) -> dict[str, Any]:
        """Give the object that the provider takes, in the short family of names."""
        names = [_EVENT_NAMES.get(event.removeprefix("prediction."), event) for event in self.events]
        return {"url": self.url, "events": list(dict.fromkeys(map(str, names)))}


@frozen
class PredictionRequest:
    """A prediction to be created."""

    model: str
    input: Mapping[str, Any]
    webhook: str | Webhook | Mapping[str, Any] | None = None
    stream: bool = False


def read_webhook(webhook: str | Webhook | Mapping[str, Any]) -> Webhook:
    """Read a webhook in each form in which it may be given: a URL, `Webhook`, or the dict of the official package."""
    if isinstance(webhook, Mapping):
        return Webhook(**webhook)
    return webhook if isinstance(webhook, Webhook) else Webhook(webhook)


def creation_body(
    model: str,
    input: Mapping[str, Any],
    *,
    wait: bool = False,
    webhook: str | Webhook | Mapping[str, Any] | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """Give what creates a job, in the words of the wire."""
    data = {"model": not_blank(model, "model"), "input": dict(input), "await": wait}
    if webhook is not None:
        data["webhook"] = read_webhook(webhook).to_wire()
    if stream:
        data["stream"] = True
    return data
