"""Lists of predictions, page by page."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Prediction, PredictionPage, PredictionStatus, Skytells
from kellyapi.providers.skytells.predictions.types import Pagination

from .messages import BASE, DONE, KEY


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({}, "page=1"),
        ({"page": 2, "per_page": 50}, "page=2&per_page=50"),
        ({"since": "2026-01-01", "until": "2026-01-31"}, "page=1&from=2026-01-01&to=2026-01-31"),
        (
            {"since": date(2026, 1, 1), "until": datetime(2026, 1, 31, 9, tzinfo=UTC)},
            "page=1&from=2026-01-01&to=2026-01-31",
        ),
        (
            {
                "since": datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))),
                "until": datetime(2026, 1, 31, 23, tzinfo=timezone(timedelta(hours=-2))),
            },
            "page=1&from=2025-12-31&to=2026-02-01",
        ),
        ({"since": datetime(2026, 1, 1, 23, 59)}, "page=1&from=2026-01-01"),
        ({"model": "a/b c&d+e=f#g", "status": "failed"}, "page=1&model=a%2Fb+c%26d%2Be%3Df%23g&status=failed"),
        ({"status": PredictionStatus.SUCCEEDED}, "page=1&status=succeeded"),
    ],
)
async def test_a_page_is_requested_with_the_parameters_of_the_protocol(
    wire: Responses, skytells: Skytells, filters: Any, query: str
) -> None:
    where = {"current_page": 2, "per_page": 1, "total": "9", "last_page": 9}
    sent = respond(wire, "GET", f"{BASE}/predictions?{query}", json={"data": [DONE], "pagination": where})
    page = await skytells.predictions.list(**filters)
    assert page == PredictionPage((Prediction(id="a1", status="succeeded"),), Pagination(2, 1, 9, 9))
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


def pages(wire: Responses, *ids: list[str], last: int, query: str = "") -> None:
    """Respond with pages of predictions."""
    for number, some in enumerate(ids, 1):
        body = {
            "data": [{"id": id, "status": "succeeded"} for id in some],
            "pagination": {"current_page": number, "last_page": last},
        }
        respond(wire, "GET", f"{BASE}/predictions?page={number}{query}", json=body)


async def test_all_pages_and_all_predictions_can_be_iterated(wire: Responses, skytells: Skytells) -> None:
    for _ in range(2):
        pages(wire, ["a", "b"], ["c"], last=2, query="&model=lumo&per_page=2")
    filters = {"model": "lumo", "per_page": 2}
    seen = [[prediction.id for prediction in page.items] async for page in skytells.predictions.pages(**filters)]
    assert seen == [["a", "b"], ["c"]]
    assert [prediction.id async for prediction in skytells.predictions.iterate(**filters)] == ["a", "b", "c"]


async def test_pages_can_begin_in_the_middle(wire: Responses, skytells: Skytells) -> None:
    pages(wire, ["a"], ["b"], ["c"], last=3)
    assert [prediction.id async for prediction in skytells.predictions.iterate(page=2)] == ["b", "c"]
    assert len(wire.requests) == 2


async def test_an_empty_page_is_the_last_whatever_the_count_is(wire: Responses, skytells: Skytells) -> None:
    pages(wire, ["a"], [], last=9)
    assert [prediction.id async for prediction in skytells.predictions.iterate()] == ["a"]


async def test_a_server_that_returns_the_same_page_for_each_number_is_left(wire: Responses, skytells: Skytells) -> None:
    for number in (1, 2):
        respond(wire, "GET", f"{BASE}/predictions?page={number}", json={"data": [DONE]})
    assert [prediction.id async for prediction in skytells.predictions.iterate()] == ["a1"]
    assert len(wire.requests) == 2


async def test_a_bare_array_is_one_page(wire: Responses, skytells: Skytells) -> None:
    respond(
        wire, "GET", f"{BASE}/predictions?page=1", json=[DONE, {"id": "b", "status": "queued", "model": {"name": "m"}}]
    )
    assert [(prediction.id, prediction.model) async for prediction in skytells.predictions.iterate()] == [
        ("a1", None),
        ("b", "m"),
    ]
