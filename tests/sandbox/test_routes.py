"""The tables of routes: each row names its operations, and every error is in the form of the path's provider."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from http_client import Send

from kellyapi.sandbox.app import ROUTES

LAST_NUMBERS = {"K": 14, "H": 8, "S": 19, "A": 18}
NOT_SERVED = {"S17", "S19", "A18"}
"""The webhooks that the sandbox sends itself, the orchestrator, and the realtime service."""
LETTERS = {"kelly": "K", "khaya": "H", "skytells": "S", "aerostack": "A"}
ERROR_FIELDS = {
    "kelly": {"detail"},
    "khaya": {"statusCode", "message"},
    "skytells": {"status", "response", "error"},
    "skytells inference": {"error"},
    "aerostack": {"code", "message"},
}


def test_every_operation_has_a_route_and_every_route_an_operation() -> None:
    served = {name for route in ROUTES for name in route.operations.split()}
    operations = {f"{letter}{number}" for letter, most in LAST_NUMBERS.items() for number in range(1, most + 1)}
    assert served == operations - NOT_SERVED
    assert all(route.operations for route in ROUTES)


def test_the_operations_of_a_route_are_those_of_its_provider() -> None:
    for route in ROUTES:
        assert {name[0] for name in route.operations.split()} == {LETTERS[route.frontend.provider]}, route


def test_no_method_and_path_stand_twice() -> None:
    counts = Counter((route.definition.method, re.sub("{.*?}", "{}", route.definition.path)) for route in ROUTES)
    assert set(counts.values()) == {1}


@pytest.mark.parametrize(
    ("method", "path", "status", "form"),
    [
        ("GET", "/wp-login.php", 404, "kelly"),
        ("POST", "/", 404, "kelly"),
        ("GET", "/image/generate", 405, "kelly"),
        ("GET", "/v1/translate", 405, "khaya"),
        ("PROPFIND", "/v1/predict", 405, "skytells"),
        ("GET", "/v1/chat/completions", 405, "skytells inference"),
        ("GET", "/delivery/nothing", 404, "skytells"),
        ("POST", "/delivery/nothing", 405, "skytells"),
        ("OPTIONS", "/v1/cache/get", 405, "aerostack"),
        ("GET", "/storage/nothing/file", 404, "aerostack"),
        ("PUT", "/api/gateway/shop/v1/chat/completions", 405, "aerostack"),
    ],
)
async def test_a_refusal_without_a_key_is_in_the_form_of_the_paths_provider(
    send: Send, method: str, path: str, status: int, form: str
) -> None:
    response: Any = await send(method, path)
    assert (response.status, set(response.json)) == (status, ERROR_FIELDS[form])


@pytest.mark.parametrize(
    ("path", "headers", "form"),
    [
        ("/nothing", ["Authorization"], "kelly"),
        ("/v1/images/generations", ["Authorization"], "skytells inference"),
        ("/v1/nothing", ["Authorization", "Ocp-Apim-Subscription-Key"], "khaya"),
        ("/v1/nothing", ["Authorization", "x-api-key"], "skytells"),
        ("/v1/nothing", ["Authorization", "X-Aerostack-Key"], "aerostack"),
    ],
)
async def test_an_unknown_path_is_a_404_in_the_form_of_the_keys_provider(
    send: Send, path: str, headers: list[str], form: str
) -> None:
    response: Any = await send("GET", path, headers=dict.fromkeys(headers, "Bearer key"))
    assert (response.status, set(response.json)) == (404, ERROR_FIELDS[form])


@pytest.mark.parametrize("expected", ["100-continue", "100-Continue", "a free lunch"])
async def test_a_request_is_answered_whatever_it_expects(send: Send, expected: str) -> None:
    headers = {"X-Aerostack-Key": "key", "Expect": expected}
    response: Any = await send("POST", "/v1/cache/get", headers=headers, json={"key": "a"})
    assert (response.status, response.json) == (200, {"value": None, "exists": False})


async def test_a_request_that_aiohttp_itself_refuses_gets_an_error_as_for_an_unknown_path(send: Send) -> None:
    for method, path in (("GET", "/nowhere"), ("GET", "/v1/cache/get")):
        response: Any = await send(method, path, headers={"Expect": "a free lunch"})
        assert (response.status, response.json) == (417, {"detail": "Expectation Failed"})
