"""Routes that Skytells knows by one of two addresses."""

from __future__ import annotations

from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import NotFoundError, PermissionDeniedError, ServerError, Skytells, StatusError

from .messages import BASE

MISSING_ROUTES = [
    (404, {"status": False, "error": {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}}, "application/json"),
    (405, {"status": False, "error": {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}}, "application/json"),
    (405, {"status": False, "response": "Method not allowed"}, "application/json"),
    (404, {}, "application/json"),
    (405, "<html>", "text/html"),
]


@pytest.mark.parametrize(("status", "body", "kind"), MISSING_ROUTES)
async def test_an_unknown_address_for_deleting_is_replaced_by_the_other_one(
    wire: Responses, skytells: Skytells, status: int, body: Any, kind: str
) -> None:
    first = respond(wire, "DELETE", f"{BASE}/predictions/a1/delete", status=status, json=body, content_type=kind)
    second = respond(wire, "DELETE", f"{BASE}/predictions/a1", json={"success": True})
    assert await skytells.predictions.delete("a1") is None
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize(("status", "body", "kind"), MISSING_ROUTES)
async def test_an_unknown_address_for_a_model_is_replaced_by_the_other_one(
    wire: Responses, skytells: Skytells, status: int, body: Any, kind: str
) -> None:
    first = respond(wire, "GET", f"{BASE}/model/lumo?fields=input_schema", status=status, json=body, content_type=kind)
    model = {"name": "Lumo", "namespace": "lumo"}
    second = respond(wire, "GET", f"{BASE}/models/lumo?fields=input_schema", json=model)
    assert (await skytells.models.get("lumo", fields=["input_schema"])).namespace == "lumo"
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "MODEL_NOT_FOUND", NotFoundError),
        (404, "PREDICTION_NOT_FOUND", NotFoundError),
        (502, "PREDICTION_FAILED", ServerError),
        (403, "FORBIDDEN", PermissionDeniedError),
        (500, "ENDPOINT_FAILED", ServerError),
    ],
)
async def test_something_that_does_not_exist_is_not_requested_at_the_other_address(
    wire: Responses, skytells: Skytells, status: int, code: str, error: type[StatusError]
) -> None:
    body = {"status": False, "error": {"error_id": code, "message": "no"}}
    respond(wire, "GET", f"{BASE}/model/lumo", status=status, json=body)
    respond(wire, "DELETE", f"{BASE}/predictions/a1/delete", status=status, json=body)
    with pytest.raises(error) as caught:
        await skytells.models.get("lumo")
    assert caught.value.code == code
    with pytest.raises(error):
        await skytells.predictions.delete("a1")
    assert len(wire.requests) == 2


async def test_if_neither_address_is_known_the_second_response_is_the_error(
    wire: Responses, skytells: Skytells
) -> None:
    respond(wire, "GET", f"{BASE}/model/lumo", status=404, json={})
    respond(
        wire, "GET", f"{BASE}/models/lumo", status=404, json={"error": {"error_id": "MODEL_NOT_FOUND", "message": "m"}}
    )
    with pytest.raises(NotFoundError) as caught:
        await skytells.models.get("lumo")
    assert caught.value.code == "MODEL_NOT_FOUND"
