"""Providers that are asked, and what the doctor says of their responses. A server changes those of a sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from kellyapi import PROVIDERS, Aerostack, Fault, Khaya, Sandbox, Skytells
from kellyapi.cli.doctor.findings import Finding, merge_equal
from kellyapi.cli.doctor.live import BILLED_CALLS, FREE_CALLS, check_live

SECRET = "correct-horse-battery-staple"
Change = Callable[[Any], Any]


@asynccontextmanager
async def changed_sandbox(path: str, change: Change) -> AsyncIterator[str]:
    """Open a server that passes requests on to a sandbox, and changes the JSON of one path."""
    async with Sandbox(keep_engines=True) as sandbox, aiohttp.ClientSession() as session:

        async def pass_on(request: web.Request) -> web.Response:
            body, headers = await request.read(), {**request.headers, "Host": sandbox.url.removeprefix("http://")}
            url = f"{sandbox.url}{request.raw_path}"
            async with session.request(request.method, url, data=body, headers=headers) as response:
                value = await response.json()
            return web.json_response(change(value) if request.path == path else value)

        app = web.Application()
        app.router.add_route("*", "/{any:.*}", pass_on)
        async with TestServer(app) as server:
            yield str(server.make_url("")).rstrip("/")


async def ask(client: Any, name: str) -> Finding:
    """Ask one provider, and return the finding of one call."""
    async with client:
        found = await check_live({client.PROVIDER.name: client}, 20, spend=False)
    assert SECRET not in str(found)
    (one,) = [each for each in found if each.check == name]
    return one


async def ask_models(change: Change) -> Finding:
    async with changed_sandbox("/v1/models", change) as url:
        return await ask(Skytells("key", base_url=f"{url}/v1"), "models.list")


async def test_the_sandbox_responds_as_the_library_reads_it() -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        clients = {name: getattr(api, name) for name in PROVIDERS}
        found = await check_live(clients, 60, spend=False, sandboxed=True)
    assert {each.provider for each in found} == set(PROVIDERS)
    assert [each for each in found if each.state != "ok"] == []


async def test_a_field_of_another_type_is_a_problem_that_names_it() -> None:
    found = await ask_models(lambda models: [{**each, "pricing": SECRET} for each in models])
    assert found.state == "problem"
    assert found.details == (
        "$[].pricing: expected an object; the library leaves it out of the result",
        "$[].pricing: string in place of object",
    )
    assert found.remedy
    assert "issue" in found.remedy


async def test_a_needed_field_that_is_missing_is_a_problem_that_names_it() -> None:
    found = await ask_models(lambda models: [{**each, "namespace": None} for each in models])
    assert (found.state, found.message) == ("problem", "the library cannot read the response: $[].namespace")


async def test_another_field_that_is_missing_is_a_warning() -> None:
    def without_capabilities(models: Any) -> Any:
        return [{name: value for name, value in each.items() if name != "capabilities"} for each in models]

    found = await ask_models(without_capabilities)
    assert (found.state, found.details) == ("warning", ("$[].capabilities: missing",))


async def test_an_unknown_field_is_a_note_without_its_value() -> None:
    found = await ask_models(lambda models: [{**each, "owner": SECRET, f"{SECRET}!": 1} for each in models])
    assert (found.state, found.remedy) == ("note", None)
    assert sorted(found.details) == ["$[].owner: unknown, string", "$[].…: unknown, number"]


async def test_names_that_are_data_are_no_differences() -> None:
    async with changed_sandbox("/v1/languages", lambda _: {"languages": {"xyz": "Xyz"}}) as url:
        found = await ask(Khaya("key", base_url=url), 'languages("translation")')
    assert found.state == "ok"


async def test_inputs_that_users_choose_are_no_differences_and_not_shown() -> None:
    def other_inputs(page: Any) -> Any:
        return {**page, "data": [{**each, "input": {"owner": SECRET, "images": [1]}} for each in page["data"]]}

    async with changed_sandbox("/v1/predictions", other_inputs) as url:
        client = Skytells("key", base_url=f"{url}/v1")
        await client.predictions.create("truefusion-edge", {"prompt": "a fox", "width": 64, "height": 64})
        found = await ask(client, "predictions.list")
    assert (found.state, found.details) == ("ok", ())


async def test_the_data_of_a_job_is_not_compared() -> None:
    def other_data(page: Any) -> Any:
        return {**page, "jobs": [{**each, "data": {"customer": SECRET}} for each in page["jobs"]]}

    async with changed_sandbox("/v1/queue/jobs", other_data) as url:
        client = Aerostack("key", base_url=f"{url}/v1")
        await client.queue.enqueue("mail", {})
        found = await ask(client, "queue.jobs")
    assert (found.state, found.details) == ("ok", ())


async def test_an_empty_list_is_no_difference() -> None:
    empty = {"data": [], "pagination": {"current_page": 1, "per_page": 5, "total": 0, "last_page": 1}}
    async with changed_sandbox("/v1/predictions", lambda _: empty) as url:
        found = await ask(Skytells("key", base_url=f"{url}/v1"), "predictions.list")
    assert (found.state, found.details) == ("ok", ())


async def test_a_refused_key_is_said_once_for_a_provider() -> None:
    async with (
        Sandbox(keys=["right"], keep_engines=True) as sandbox,
        Khaya(SECRET, base_url=sandbox.urls["khaya"]) as khaya,
    ):
        found = merge_equal(await check_live({"khaya": khaya}, 20, spend=False))
    (only,) = found
    assert (only.state, only.message) == ("problem", "the key is refused (401)")
    assert only.check.count("languages") == 3
    assert only.remedy
    assert "KHAYA_API_KEY" in only.remedy
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("status", "state", "message"),
    [
        (402, "problem", "no credits are left (402)"),
        (429, "warning", "too many requests (429)"),
        (404, "problem", "the provider does not know this address (404, ENDPOINT_NOT_FOUND)"),
        (500, "problem", "failed with status 500, INTERNAL_ERROR"),
    ],
)
async def test_an_error_of_the_provider_is_named(status: int, state: str, message: str) -> None:
    async with Sandbox(faults=[Fault("/v1/predictions", status=status)], keep_engines=True) as sandbox:
        found = await ask(Skytells("key", base_url=sandbox.urls["skytells"]), "predictions.list")
    assert (found.state, found.message) == (state, message)


async def test_a_server_that_is_down_is_a_problem() -> None:
    found = await ask(Skytells("key", base_url="http://127.0.0.1:1"), "models.get")
    assert (found.state, found.message) == ("problem", "no complete response")


async def test_a_page_in_place_of_json_is_named_with_its_remedy() -> None:
    async def respond(_: web.Request) -> web.Response:
        return web.Response(text=f"<title>{SECRET}</title>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", respond)
    async with TestServer(app) as server:
        found = await ask(Skytells("key", base_url=str(server.make_url("/v1"))), "models.list")
    assert (found.state, found.message) == ("problem", "the response is not JSON")
    assert "login page" in str(found.remedy)


async def test_a_text_in_place_of_a_list_is_a_problem() -> None:
    async with changed_sandbox("/v1/models", lambda _: SECRET) as url:
        found = await ask(Skytells("key", base_url=f"{url}/v1"), "models.list")
    assert found.state == "problem"
    assert found.details == ("$: string in place of array",)


async def test_without_a_key_nothing_is_asked() -> None:
    async with Sandbox(keep_engines=True) as sandbox, Khaya(base_url=sandbox.urls["khaya"]) as khaya:
        (only,) = await check_live({"khaya": khaya}, 20, spend=True)
        assert sandbox.requests == []
    assert (only.state, only.message) == ("note", "no provider has a key: nothing was sent")


def test_each_billed_call_says_its_units_and_no_free_one_does() -> None:
    assert all(call.units for call in BILLED_CALLS)
    assert not any(call.units for call in FREE_CALLS)
    assert {call.provider for call in BILLED_CALLS} == {call.provider for call in FREE_CALLS} == set(PROVIDERS)


async def test_free_calls_change_nothing_at_a_provider() -> None:
    async with Sandbox(keep_engines=True) as sandbox, sandbox.api() as api:
        await check_live({name: getattr(api, name) for name in PROVIDERS}, 60, spend=False)
        asked = {request.path.partition("?")[0] for request in sandbox.requests if request.method != "GET"}
    reading = ("/ai/search/count", "/cache/get", "/cache/list", "/queue/jobs", "/storage/list", "/storage/exists")
    assert {path.removeprefix("/v1") for path in asked} == set(reading)
