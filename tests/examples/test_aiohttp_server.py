"""The web server example, with a plain HTTP client as the browser and the sandbox or a scripted Skytells behind it."""

from __future__ import annotations

import asyncio
import io
import json
import re
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from attrs import frozen
from PIL import Image
from processes import script
from servers import Exchange, Server, make_response

from kellyapi import ConfigurationError, Sandbox, Skytells

from .conftest import command, complaints, settle, until

CREATE = "POST /v1/predict"


def form_data(prompt: str, image: bytes) -> aiohttp.FormData:
    """Return the form as a browser sends it: without a picture there is an empty file without a name."""
    form = aiohttp.FormData({"prompt": prompt})
    form.add_field(
        "image", io.BytesIO(image), filename="start.png" if image else "", content_type="application/octet-stream"
    )
    return form


@frozen
class Site:
    """The server as a browser uses it."""

    url: str
    app: web.Application | None = None

    async def create(self, prompt: str, image: bytes = b"") -> str:
        """Submit the form; return the path of the page that it redirects to."""
        form = {"data": form_data(prompt, image), "allow_redirects": False}
        async with aiohttp.ClientSession(self.url) as browser, browser.post("/pictures", **form) as response:
            assert response.status == 303, await response.text()
            return response.headers["Location"]

    async def submit_invalid(self, prompt: str, image: bytes = b"") -> tuple[int, str]:
        form = {"data": form_data(prompt, image)}
        async with aiohttp.ClientSession(self.url) as browser, browser.post("/pictures", **form) as response:
            return response.status, await response.text()

    async def read(self, path: str) -> bytes:
        async with aiohttp.ClientSession(self.url, raise_for_status=True) as browser, browser.get(path) as response:
            return await response.read()

    async def updates(self, page: str) -> AsyncIterator[dict[str, Any]]:
        """Yield the events of a page until the server ends them."""
        async with aiohttp.ClientSession(self.url) as browser, browser.get(f"{page}/events") as response:
            assert (response.status, response.content_type) == (200, "text/event-stream")
            async for line in response.content:
                if line != b"\n":
                    assert line.startswith(b"data: ")
                    yield json.loads(line.removeprefix(b"data: "))

    async def last_update(self, page: str) -> dict[str, Any]:
        return [update async for update in self.updates(page)][-1]


@asynccontextmanager
async def serving(server: ModuleType) -> AsyncIterator[Site]:
    """Run the application and stop it as Ctrl-C does. It must leave no task."""
    before = asyncio.all_tasks()
    runner = web.AppRunner(server.make_app())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield Site(f"http://127.0.0.1:{runner.addresses[0][1]}", runner.app)
    finally:
        await runner.cleanup()
    await settle(before)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "pictures"


@pytest.fixture
def server(load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    server = load("aiohttp_server")
    monkeypatch.setattr(server, "POLL_INTERVAL", 0.02)
    return server


@pytest.fixture
async def site(sandbox: Sandbox, server: ModuleType) -> AsyncIterator[Site]:
    async with serving(server) as site:
        yield site


def poll_response(status: str) -> bytes:
    """Return the response of Skytells to a poll."""
    return make_response(body=json.dumps({"id": "job-1", "status": status, "metrics": {"progress": 40}}).encode())


def check_picture(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format == "PNG"


async def test_the_form_leads_to_a_page_that_shows_the_progress_and_then_the_picture(site: Site) -> None:
    assert b'<form method="post" action="/pictures" enctype="multipart/form-data">' in await site.read("/")
    page = await site.create("A red fox in snow")
    assert b"new EventSource" in await site.read(page)
    updates = [update async for update in site.updates(page)]
    percents = [update["percent"] for update in updates]
    assert percents == sorted(percents)
    assert {update["text"] for update in updates} >= {"succeeded", "done"}
    assert [update.get("ended", False) for update in updates] == [*[False] * (len(updates) - 1), True]
    check_picture(await site.read(updates[-1]["picture"]))


async def test_a_picture_of_the_form_is_an_input_of_the_prediction(sandbox: Sandbox, site: Site) -> None:
    start = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(start, "PNG")
    page = await site.create("The same in snow", start.getvalue())
    assert (await site.last_update(page))["text"] == "done"
    async with Skytells() as skytells:
        state = await skytells.predictions.get(page.rpartition("/")[2])
    assert state.input["image"].startswith("data:image/png;base64,")


async def test_a_picture_that_is_too_large_is_refused(sandbox: Sandbox, site: Site) -> None:
    status, page = await site.submit_invalid("The same in snow", bytes(8 * 2**20))
    assert (status, "The picture may have 8 MiB." in page, sandbox.requests) == (413, True, [])


async def test_a_prediction_is_followed_once_for_all_browsers(sandbox: Sandbox, server: ModuleType, site: Site) -> None:
    assert site.app is not None
    page = await site.create("A wolf")
    followed_predictions = site.app[server.FOLLOWED]
    (followed,) = followed_predictions.values()
    first, second = await asyncio.gather(site.last_update(page), site.last_update(page))
    assert first == second == followed.update
    assert first["ended"]
    await until(lambda: not followed_predictions)
    assert await site.last_update(page) == first


async def test_a_picture_is_saved_even_without_a_browser(site: Site, folder: Path) -> None:
    page = await site.create("A wolf")
    path = folder / f"{page.rpartition('/')[2]}.png"
    await until(path.exists)
    check_picture(path.read_bytes())


@pytest.mark.parametrize("prompt", ["", "  ", "</textarea><script>alert('1')</script>" * 20])
async def test_a_wrong_prompt_is_refused_and_escaped(sandbox: Sandbox, site: Site, prompt: str) -> None:
    status, page = await site.submit_invalid(prompt)
    assert status == 400
    assert "Please describe the picture in 1 to 500 characters." in page
    assert "<script>" not in page
    assert page.count("</textarea>") == 1
    assert page.count("&lt;script&gt;") == prompt.count("<script>")
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        ({"status": 402}, 503, "The credits are used up. Please tell the owner."),
        ({"status": 500}, 503, "The service is busy or out of reach. Please try again in a few minutes."),
        ({"reset": True}, 503, "The service is busy or out of reach. Please try again in a few minutes."),
        ({"status": 401}, 503, "This cannot be done now. Please tell the owner to look into the log."),
        (
            {"status": 429, "headers": {"Retry-After": "3599"}},
            503,
            "Too many people are asking. Please try again in 3599 seconds.",
        ),
        (
            {"status": 422, "body": {"error": {"message": "<b>too odd"}}},
            400,
            "The service cannot use this: &lt;b&gt;too odd",
        ),
    ],
)
async def test_a_failed_creation_is_explained_to_the_user(
    sandbox: Sandbox, site: Site, fault: dict[str, Any], status: int, message: str
) -> None:
    sandbox.fail_next(CREATE, **fault)
    refused_status, page = await site.submit_invalid("A <wolf>")
    assert refused_status == status
    assert f"A &lt;wolf&gt;</textarea> <button>Draw</button><p>{message}</form>" in page
    assert [(request.method, request.path) for request in sandbox.requests] == [tuple(CREATE.split())]


async def test_a_failed_prediction_is_reported_with_its_reason(site: Site) -> None:
    update = await site.last_update(await site.create("fail please"))
    assert update["ended"]
    assert update["text"].startswith("The service could not do this: The prompt says")


async def test_a_failed_poll_is_not_a_failed_prediction(sandbox: Sandbox, site: Site) -> None:
    sandbox.fail_next("GET /v1/predictions/*", status=502)
    update = await site.last_update(await site.create("A wolf"))
    assert update["text"] == "done"


async def test_a_picture_that_cannot_be_saved_is_reported_and_logged(
    server: ModuleType, site: Site, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.FOLDER = folder / "missing"
    page = await site.create("A wolf")
    assert "look into the log" in (await site.last_update(page))["text"]
    (logged,) = [record for record in caplog.records if page.rpartition("/")[2] in record.message and record.exc_info]
    assert isinstance(logged.exc_info and logged.exc_info[1], OSError)


async def test_the_number_of_running_predictions_is_limited(sandbox: Sandbox, server: ModuleType, site: Site) -> None:
    server.MAX_PREDICTIONS = 1
    page = await site.create("A wolf")
    status, error_page = await site.submit_invalid("A fox")
    assert (status, "Too many pictures are being made." in error_page) == (503, True)
    await site.last_update(page)
    assert site.app is not None
    followed_predictions = site.app[server.FOLLOWED]
    await until(lambda: not followed_predictions)
    assert await site.create("A fox") != page


@pytest.mark.parametrize("id", ["..%2F..%2Fetc", "%2e%2e", "a.b"])
async def test_a_path_that_is_not_an_id_is_not_found(sandbox: Sandbox, site: Site, id: str) -> None:
    async with aiohttp.ClientSession() as browser:
        for page in (f"/pictures/{id}", f"/pictures/{id}/events"):
            async with browser.get(aiohttp.client.URL(site.url + page, encoded=True)) as response:
                assert response.status == 404
    assert sandbox.requests == []


async def test_an_unknown_id_is_reported(site: Site) -> None:
    assert (await site.last_update("/pictures/nobody"))["ended"]


async def test_a_browser_that_disconnects_leaves_no_task(
    server: ModuleType, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.001)
    monkeypatch.setattr(server, "SHUTDOWN_SECONDS", 0)
    async with Server(poll_response("processing")) as skytells:
        monkeypatch.setenv("SKYTELLS_BASE_URL", skytells.url)
        async with serving(server) as site:
            page = await site.create("A wolf")
            await skytells.until(lambda: len(skytells.requests) == 2)
            before = asyncio.all_tasks()
            async with aclosing(site.updates(page)) as updates:
                await anext(updates)
                assert not asyncio.all_tasks() <= before
            await settle(before)


async def test_the_connection_stays_alive_while_a_prediction_does_not_change(
    server: ModuleType, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.left()

    monkeypatch.setattr(server, "KEEP_ALIVE", 0.001)
    monkeypatch.setattr(server, "SHUTDOWN_SECONDS", 0)
    async with Server(poll_response("pending"), silent) as skytells:
        monkeypatch.setenv("SKYTELLS_BASE_URL", skytells.url)
        async with serving(server) as site, aclosing(site.updates(await site.create("A wolf"))) as updates:
            assert [await anext(updates) for _ in range(3)] == [{"text": "waiting", "percent": 0}] * 3


async def test_a_running_prediction_is_finished_before_the_server_stops(
    sandbox: Sandbox, server: ModuleType, folder: Path
) -> None:
    async with serving(server) as site:
        page = await site.create("A wolf")
        updates = site.updates(page)
        await anext(updates)
        reading = asyncio.create_task(collect(updates))
    assert (await reading)[-1]["ended"]
    check_picture((folder / f"{page.rpartition('/')[2]}.png").read_bytes())


async def collect(updates: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each async for each in updates]


async def test_a_prediction_that_takes_too_long_is_resumed_after_a_restart(
    sandbox: Sandbox, server: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "SHUTDOWN_SECONDS", 0)
        async with serving(server) as site:
            page = await site.create("A wolf")
            updates = site.updates(page)
            await anext(updates)
            reading = asyncio.create_task(collect(updates))
        assert not any(each.get("ended") for each in await reading)
    async with serving(server) as site:
        assert (await site.last_update(page))["text"] == "done"
    assert len([request for request in sandbox.requests if request.method == "POST"]) == 1


async def test_a_webhook_delivery_downloads_the_picture(
    sandbox: Sandbox, server: ModuleType, site: Site, folder: Path
) -> None:
    async with Skytells() as skytells:
        prediction = await skytells.predictions.create(
            server.MODEL, {"prompt": "A wolf"}, webhook=site.url + server.WEBHOOK
        )
    path = folder / f"{prediction.id}.png"
    await until(path.exists)
    check_picture(path.read_bytes())


async def test_predictions_have_a_webhook_at_the_public_url(
    sandbox: Sandbox, server: ModuleType, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PUBLIC_URL", site.url)
    page = await site.create("A wolf")
    id = page.rpartition("/")[2]
    async with Skytells() as skytells:
        prediction = await skytells.predictions.get(id)
    assert prediction.webhook["url"] == site.url + server.WEBHOOK
    await until(lambda: f"webhook of {id}" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_an_unsigned_delivery_is_refused(sandbox: Sandbox, server: ModuleType, site: Site) -> None:
    call = {"json": {"id": "job-1", "status": "succeeded"}}
    async with aiohttp.ClientSession(site.url) as stranger, stranger.post(server.WEBHOOK, **call) as response:
        assert response.status == 401
    assert sandbox.requests == []


async def test_without_a_key_the_server_does_not_start(server: ModuleType) -> None:
    runner = web.AppRunner(server.make_app())
    with pytest.raises(ConfigurationError):
        await runner.setup()
    await runner.cleanup()


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
async def test_the_server_runs_from_the_shell_without_a_key(
    monkeypatch: pytest.MonkeyPatch, stop: signal.Signals
) -> None:
    for name, value in {"KELLYAPI_SANDBOX": "1", "PORT": "0", "PYTHONUNBUFFERED": "1"}.items():
        monkeypatch.setenv(name, value)
    async with script(command("aiohttp_server")) as process:
        assert process.stdout is not None
        found = re.search(rb"http://\S+", await process.stdout.readline())
        assert found, (await process.communicate())[1].decode()
        site = Site(found[0].decode())
        update = await site.last_update(await site.create("A red fox in snow"))
        check_picture(await site.read(update["picture"]))
        process.send_signal(stop)
        _, log = await process.communicate()
    assert process.returncode == 0
    assert complaints(log.decode()) == []
