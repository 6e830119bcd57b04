"""Requests that create predictions: `PredictionRequest`, `Webhook`, and the body that is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, cast

from attrs import field, frozen

from ...._core.extra_fields import ExtraFields, QueryValue
from ...._core.secrets import hide_headers
from ...._data.arguments import NotBlank, NotNegative, build, checked
from ...._data.embedded_files import EmbeddedFiles, has_files
from ...._data.links import encode_url
from ...._data.media import Media
from .types import Prediction


class WebhookEvent(StrEnum):
    """The events that a webhook can be called for, as they are sent to the provider."""

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


@checked
@frozen
class Webhook:
    """The URL that Skytells calls when a prediction changes.

    Args:
        url: An https URL; the host may have any letters.
        events: The events to call it for, such as "completed" or "prediction.succeeded"; by default all. An unknown
            event is sent as it is.

    Source: https://github.com/Skytells/ts-sdk (src/types/predict.types.ts)
    """

    url: NotBlank
    events: tuple[str, ...] = field(default=tuple(WebhookEvent), converter=_as_tuple)

    def to_wire(self) -> dict[str, Any]:
        """Return the JSON object that the provider expects, with the URL in ASCII and the short names of the events."""
        names = [_EVENT_NAMES.get(event.removeprefix("prediction."), event) for event in self.events]
        return {"url": encode_url(self.url, "webhook"), "events": list(dict.fromkeys(map(str, names)))}


class RunOptions(ExtraFields, total=False):
    """The optional arguments of `predictions.run`."""

    webhook: NotBlank | Webhook | Mapping[str, Any] | None
    stream: bool
    interval: NotNegative | None
    timeout: float | None
    on_progress: Callable[[Prediction], Awaitable[None] | None] | None
    cancel_on_exit: bool


def _hidden(headers: Mapping[str, str] | None) -> Any:
    return hide_headers(headers)


@checked
@frozen
class PredictionRequest:
    """A prediction to create with `predictions.create_many`; for the fields see `predictions.create`."""

    model: NotBlank
    input: Mapping[str, Any]
    webhook: NotBlank | Webhook | Mapping[str, Any] | None = None
    stream: bool = False
    extra_body: Mapping[str, Any] | None = None
    extra_query: Mapping[str, QueryValue] | None = None
    extra_headers: Mapping[str, str] | None = field(default=None, repr=False, converter=_hidden)

    @property
    def extra(self) -> ExtraFields:
        """The extra fields that were passed."""
        given = {name: getattr(self, name) for name in ExtraFields.__annotations__}
        return cast(ExtraFields, {name: value for name, value in given.items() if value is not None})


def read_webhook(webhook: NotBlank | Webhook | Mapping[str, Any]) -> Webhook:
    """Return a webhook that was given as a URL, a `Webhook`, or a dict as the official package has it."""
    if isinstance(webhook, Mapping):
        return build(Webhook, webhook, "webhook")
    return webhook if isinstance(webhook, Webhook) else Webhook(webhook)


def creation_body(
    model: str,
    input: Mapping[str, Any],
    *,
    wait: bool = False,
    webhook: NotBlank | Webhook | Mapping[str, Any] | None = None,
    stream: bool = False,
) -> dict[str, Any]:
    """Return the JSON body that creates a prediction."""
    data = {"model": model, "input": dict(input), "await": wait}
    if webhook is not None:
        data["webhook"] = read_webhook(webhook).to_wire()
    if stream:
        data["stream"] = True
    return data


async def open_files(body: dict[str, Any], files: EmbeddedFiles | None = None, name: str = "") -> Mapping[str, Media]:
    """Open the files in the input of a body, which gets tokens in their places, and return them by token.

    Args:
        body: A body of `creation_body`.
        files: The files of other requests: what is there is not opened again.
        name: What stands before `input` in errors.
    """
    if not has_files(body["input"]):
        return {}
    files = EmbeddedFiles() if files is None else files
    body["input"], found = await files.replace(body["input"], f"{name}input")
    return found
