"""The parts that generated images, videos and music share: a file with a price, and the arguments for waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from attrs import field, frozen

from .._core.resource import drop_none
from .._core.run_many import describe_partial
from .._data.arguments import FilePath, checked
from .._data.files import save
from ..errors import KellyAPIError
from .service_result import ServiceResult, provider_fields_last

R = TypeVar("R")

OnState = Callable[[Any], Awaitable[None] | None]
"""Called with each new state of a prediction, a `Prediction`; plain or async."""


@frozen(kw_only=True, field_transformer=provider_fields_last)
class MediaFile(ServiceResult):
    """A generated file."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    """The complete file."""
    mime: str
    """The MIME type, such as "image/png"."""
    prediction_id: str | None = None
    """The id of the prediction that made it; `None` if the provider makes no predictions."""
    credits: float | None = None
    """The price in credits; `None` if the provider does not send it.

    If a prediction has several outputs, each has an equal share of its price.
    """

    @checked
    async def save(self, path: FilePath) -> Path:
        """Write it to a file, atomically and without blocking the event loop, and return the path."""
        return await save(path, self.data)


@frozen(kw_only=True)
class WaitArguments:
    """The arguments of a service that waits for a prediction. They do not choose the provider."""

    timeout: float | None = None
    on_progress: OnState | None = None
    cancel_on_exit: bool = True

    @property
    def wait_options(self) -> dict[str, Any]:
        """The arguments for a provider that makes predictions."""
        return drop_none(timeout=self.timeout, on_progress=self.on_progress) | {"cancel_on_exit": self.cancel_on_exit}


async def gather_paid(calls: Iterable[Awaitable[tuple[R, ...]]]) -> tuple[R, ...]:
    """Make several calls at once, and return all their results in order.

    If some fail, the others are finished before the first error is raised. Its `partial` is a tuple of the results that
    arrived, which are paid for, and its notes name the predictions of the other errors.
    A cancellation ends all calls, and has the results that arrived before it.
    """
    ends: dict[int, Any] = {}
    failures: list[Any] = []

    async def finish(place: int, call: Awaitable[tuple[R, ...]]) -> None:
        try:
            ends[place] = await call
        except (Exception, asyncio.CancelledError) as error:  # raised below, when the others have ended
            ends[place] = error

    try:
        await asyncio.gather(*(finish(place, call) for place, call in enumerate(calls)))
    except asyncio.CancelledError as error:
        failures.append(error)
    done = [ends[place] for place in sorted(ends)]
    failures += [each for each in done if isinstance(each, BaseException)]
    came = tuple(result for each in done for result in _results(each))
    if not failures:
        return came
    failure = failures[0]
    failure.partial = came or getattr(failure, "partial", None)
    if isinstance(failure, KellyAPIError):
        failure.outcome_unknown = any(getattr(each, "outcome_unknown", False) for each in failures)
    elif note := describe_partial(came):
        failure.add_note(note)
    for other in failures[1:]:
        if (prediction := getattr(other, "prediction", None)) is not None:
            failure.add_note(f"prediction {prediction.id} failed too: {other}")
        elif isinstance(other, asyncio.CancelledError):
            for note in getattr(other, "__notes__", ()):
                failure.add_note(note)
    raise failure


def _results(end: Any) -> tuple[Any, ...]:
    came = getattr(end, "partial", None) if isinstance(end, BaseException) else end
    return came if isinstance(came, tuple) else ()
