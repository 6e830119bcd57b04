"""What is paid for is not lost when one of several calls fails or is cancelled."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kellyapi.services.generated import gather_paid


async def give(*results: str) -> tuple[str, ...]:
    return results


async def wait_for_a_cancellation(note: str) -> tuple[str, ...]:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError as error:
        error.add_note(note)
        raise
    return ()


async def test_a_cancellation_has_the_results_that_arrived_and_the_notes_of_all_calls() -> None:
    nested = gather_paid([give("c"), wait_for_a_cancellation("the prediction is p2")])
    calls = [give("a", "b"), nested, wait_for_a_cancellation("the prediction is p3")]
    task = asyncio.ensure_future(gather_paid(calls))
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    error: Any = caught.value
    assert error.partial == ("a", "b", "c")
    assert {"the prediction is p2", "the prediction is p3"} <= {*error.__notes__}
