"""Requests of the official clients and ours for the same operations: equal except for `DIFFERENCES`."""

from __future__ import annotations

import ast
import asyncio
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import aerostack
import khaya
import pytest
import skytells
from servers import Seen

from kellyapi import NO_RETRY, KellyAPI
from official.clients import FORMS, KEY, official, our_client, run_old_names
from official.differences import ABSENT, DIFFERENCES
from official.operations import OPERATIONS, Operation, of
from official.recorder import fields, in_order, method_and_path, recorder

_BASE = {"kelly": "", "khaya": "", "skytells": "/v1", "aerostack": "/v1"}


def differences(theirs: list[Seen], ours: list[Seen]) -> dict[str, tuple[Any, Any]]:
    """Return the differences by field, as (theirs, ours)."""
    found: dict[str, tuple[Any, Any]] = {}
    requests = [method_and_path(seen) for seen in theirs], [method_and_path(seen) for seen in ours]
    if requests[0] != requests[1]:
        found["requests"] = requests
    for their, our in zip(map(fields, theirs), map(fields, ours), strict=False):
        pairs = {name: (their.get(name, ABSENT), our.get(name, ABSENT)) for name in sorted(their.keys() | our.keys())}
        found.update({name: pair for name, pair in pairs.items() if pair[0] != pair[1]})
    return found


def check(operation: Operation, theirs: list[Seen], ours: list[Seen]) -> None:
    """Compare the requests for an operation: the differences must be exactly those of the table."""
    assert theirs
    found = differences(theirs, ours)
    rows = [row for row in DIFFERENCES if row.concerns(operation)]
    assert found.keys() == {row.field for row in rows}, found
    assert [row for row in rows if not row.holds(found[row.field])] == [], found


async def requests_of_ours(operation: Operation) -> list[Seen]:
    async with (
        recorder() as server,
        our_client(operation.provider, server.url + _BASE[operation.provider], **operation.options) as client,
    ):
        await operation.ours(client)
    return in_order(server.requests)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.provider != "kelly"], ids=str)
async def test_requests_differ_only_where_intended(operation: Operation, form: str) -> None:
    async with (
        recorder() as server,
        official(
            operation.provider, server.url + _BASE[operation.provider], form, **operation.options
        ) as call_official,
    ):
        await call_official(operation.official)
    check(operation, in_order(server.requests), await requests_of_ours(operation))


@pytest.fixture(scope="module")
def of_the_release(released: Path) -> dict[str, list[Seen]]:
    """Requests of kellyapi 0.0.2.5 by operation."""

    async def run() -> list[Seen]:
        async with recorder() as server:
            results = await run_old_names(released, [each.official for each in of("kelly")], f"{server.url}/")
        assert all("value" in result for result in results), results
        return server.requests

    return {str(each): [seen] for each, seen in zip(of("kelly"), asyncio.run(run()), strict=True)}


@pytest.mark.parametrize("operation", of("kelly"), ids=str)
async def test_kelly_ais_requests_differ_only_where_intended(
    operation: Operation, of_the_release: dict[str, list[Seen]]
) -> None:
    check(operation, of_the_release[str(operation)], await requests_of_ours(operation))


@pytest.mark.parametrize("operation", of("kelly"), ids=str)
async def test_the_old_names_send_the_same_requests_as_the_new_ones(operation: Operation) -> None:
    async with recorder() as server, KellyAPI(KEY, f"{server.url}/", retry=NO_RETRY) as api:
        await operation.official(api)
    assert differences(server.requests, await requests_of_ours(operation)) == {}


def test_every_intended_difference_belongs_to_an_operation() -> None:
    assert [each for each in DIFFERENCES if not any(map(each.concerns, OPERATIONS))] == []


# Classes of the official packages, by the path from a client, and their methods that send no request.
_AEROSTACK = {name: getattr(import_module(module), kind) for name, (module, kind) in aerostack.SDK._sub_sdk_map.items()}
GROUPS: dict[str, dict[str, type]] = {
    "khaya": {"": khaya.KhayaClient},
    "skytells": {
        "": skytells.SkytellsClient,
        "predictions.": skytells.PredictionsAPI,
        "models.": skytells.ModelsAPI,
        "prediction.": skytells.Prediction,
    },
    "aerostack": {f"{name}.": kind for name, kind in _AEROSTACK.items()},
}
_NOT_ASKING = {"do_request", "do_request_async", "outputs", "raw"}


@pytest.mark.parametrize("provider", GROUPS)
def test_every_method_of_the_official_packages_is_compared(provider: str) -> None:
    methods = {
        f"{path}{name}"
        for path, kind in GROUPS[provider].items()
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in _NOT_ASKING
    }
    twins = {name for name in methods if name.removesuffix("_async") in methods - {name} or name[1:] in methods}
    assert methods - twins == {name for each in of(provider) for name in each.methods} - {"mcp"}


def test_every_method_of_the_release_is_compared(released: Path) -> None:
    tree = ast.parse((released / "kellyapi" / "api.py").read_text())
    methods = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    assert methods - {"_fetch", "_post_json"} == {name for each in of("kelly") for name in each.methods}
