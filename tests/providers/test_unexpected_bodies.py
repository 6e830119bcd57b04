"""Bodies that none of the four protocols has: pages, redirects, and no JSON."""

from __future__ import annotations

import pytest
from aioresponses import aioresponses as Responses

from kellyapi import DecodingError, ServerError, StatusError

from .failing_calls import CALLS, fail


@pytest.mark.parametrize("provider", list(CALLS))
@pytest.mark.parametrize("body", ["<html><title>Welcome</title></html>", "", "<!doctype html>", "hello", "null", "NaN"])
async def test_a_success_outside_the_protocol_is_a_decoding_error(wire: Responses, provider: str, body: str) -> None:
    error = await fail(wire, provider, 200, {}, body)
    assert (type(error), error.code, error.outcome_unknown) == (DecodingError, "INVALID_JSON", True)
    assert body[:200] in str(error) or body == "null"


@pytest.mark.parametrize("provider", list(CALLS))
@pytest.mark.parametrize(
    ("location", "named"),
    [("https://sk-user@evil.example/steal?token=1", "https://evil.example"), ("http://[", "http"), ("", "")],
)
async def test_a_redirect_to_another_origin_is_an_error_that_names_only_the_origin(
    wire: Responses, provider: str, location: str, named: str
) -> None:
    error = await fail(wire, provider, 302, {"Location": location} if location else {}, "")
    assert isinstance(error, StatusError)
    assert (type(error), error.status) == (StatusError, 302)
    assert "redirected" in error.message
    assert named in error.message
    assert "sk-user" not in str(error)
    assert "token" not in str(error)


@pytest.mark.parametrize("provider", list(CALLS))
@pytest.mark.parametrize("page", ["<title>" * 14_000, "<title" * 16_000, "<title>Down" + " " * 90_000])
async def test_a_page_with_an_unclosed_title_is_read_in_linear_time(wire: Responses, provider: str, page: str) -> None:
    error = await fail(wire, provider, 502, {}, page)
    assert (type(error), len(error.message) <= 200) == (ServerError, True)
