"""Skytells' headers with the number of calls that are left."""

from __future__ import annotations

from math import inf

import pytest

from kellyapi.providers.skytells.ratelimit_headers import read_rate_limit


def headers(**values: str) -> dict[str, str]:
    return {f"x-skytells-ratelimit-{name.replace('_', '-')}": value for name, value in values.items()}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ({"remaining_requests": "7", "limit_requests": "60", "window": "60"}, (7, 60, 60)),
        ({"remaining_requests": "0", "limit_requests": "60", "window": "1"}, (0, 60, 1)),
        ({"remaining_requests": "7", "limit_requests": "-", "window": "60"}, (7, inf, 60)),
        ({"remaining_requests": "7", "window": "60", "remaining_tokens_in": "0"}, (0, inf, 60)),
        ({"remaining_requests": "7", "window": "60", "remaining_tokens_out": "0"}, (0, inf, 60)),
        ({"remaining_requests": "7", "window": "60", "remaining_tokens_in": "-"}, (7, inf, 60)),
        ({}, None),
        ({"remaining_requests": "-", "limit_requests": "60", "window": "60"}, None),
        ({"remaining_requests": "7", "limit_requests": "60", "window": "-"}, None),
        ({"remaining_requests": "7", "limit_requests": "60"}, None),
        ({"remaining_requests": "7", "limit_requests": "60", "window": "0"}, None),
        ({"remaining_requests": "7", "limit_requests": "60", "window": "3600"}, None),
        ({"remaining_requests": "-7", "window": "60"}, None),
        ({"remaining_requests": "٧", "window": "60"}, None),
        ({"remaining_requests": "many", "window": "60"}, None),
    ],
)
def test_the_remaining_calls_are_read_from_either_form_of_the_headers(
    said: dict[str, str], read: tuple[float, float, float] | None
) -> None:
    assert read_rate_limit(headers(**said)) == read
