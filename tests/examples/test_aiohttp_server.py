"""The web server with browsers of plain HTTP, and the sandbox or a scripted Skytells behind it."""

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
from servers import Exchange, Server, answer, script

from kellyapi import ConfigurationError, Sandbox, Skytells

from .conftest import command, complaints, settle, until

CREATE = "POST /v1/predict"


@frozen
class Site:
    """The server as a browser knows it."""

    url: str
    app: web.Application | None = None

    async def order(self, prompt: str) -> str:
        """Send the form and give the address of the page that it leads to."""
        form = {"data": {"prompt": prompt}, "allow_redirects": False}
        async with aiohttp.ClientSession(self.url) as browser, browser.post("/pictures", **form) as response:
            assert response.status == 303, await response.text()
            return response.headers["Location"]

    async def refused(self, prompt: str) -> tuple[int, str]:
        form = {"data": {"prompt": prompt}}
        async with aiohttp.ClientSession(self.url) as browser, browser.post("/pictures", **form) as response:
            return response.status, await response.text()

    async def read(self, path: str) -> bytes:
        async with aiohttp.ClientSession(self.url, raise_for_status=True) as browser, browser.get(path) as response:
            return await response.read()

    async def news(self, page: str) -> AsyncIterator[dict[str, Any]]:
        """Give the events of a page, until the server ends them."""
        async with aiohttp.ClientSession(self.url) as browser, browser.get(f"{page}/events") as response:
            assert (response.status, response.content_type) == (200, "text/event-stream")
            async for line in response.content:
                if line != b"\n":
                    assert line.startswith(b"data: ")
                    yield json.loads(line.removeprefix(b"data: "))

    async def last_news(self, page: str) -> dict[str, Any]:
        return [news async for news in self.news(page)][-1]


@asynccontextmanager
async def serving(server: ModuleType) -> AsyncIterator[Site]:
    """Run the application, and stop it as Ctrl-C does; it must leave no task."""
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
    monkeypatch.setattr(server, "LOOK_EVERY", 0.02)
    return server


@pytest.fixture
async def site(sandbox: Sandbox, server: ModuleType) -> AsyncIterator[Site]:
    async with serving(server) as site:
        yield site


def state(status: str) -> bytes:
    """What Skytells says of a job."""
    return answer(body=json.dumps({"id": "job-1", "status": status, "metrics": {"progress": 40}}).encode())


def check_picture(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert picture.format == "PNG"


async def test_the_form_leads_to_a_page_that_shows_the_progress_and_then_the_picture(site: Site) -> None:
    assert b'<form method="post" action="/pictures">' in await site.read("/")
    page = await site.order("A red fox in snow")
    assert b"new EventSource" in await site.read(page)
    told = [news async for news in site.news(page)]
    percents = [news["percent"] for news in told]
    assert percents == sorted(percents)
    assert {news["text"] for news in told} >= {"succeeded", "done"}
    assert [news.get("ended", False) for news in told] == [*[False] * (len(told) - 1), True]
    check_picture(await site.read(told[-1]["picture"]))


async def test_a_job_is_followed_once_however_many_browsers_look_at_it(
    sandbox: Sandbox, server: ModuleType, site: Site
) -> None:
    assert site.app is not None
    page = await site.order("A wolf")
    jobs = site.app[server.JOBS]
    (job,) = jobs.values()
    first, second = await asyncio.gather(site.last_news(page), site.last_news(page))
    assert first == second == job.news
    assert first["ended"]
    await until(lambda: not jobs)
    assert await site.last_news(page) == first


async def test_a_picture_is_kept_when_nobody_looks(site: Site, folder: Path) -> None:
    page = await site.order("A wolf")
    path = folder / f"{page.rpartition('/')[2]}.png"
    await until(path.exists)
    check_picture(path.read_bytes())


@pytest.mark.parametrize("prompt", ["", "  ", "</textarea><script>alert('1')</script>" * 20])
async def test_a_wrong_prompt_is_refused_and_given_back_harmless(sandbox: Sandbox, site: Site, prompt: str) -> None:
    status, page = await site.refused(prompt)
    assert status == 400
    assert "Please describe the picture in 1 to 500 characters." in page
    assert "<script>" not in page
    assert page.count("</textarea>") == 1
    assert page.count("&lt;script&gt;") == prompt.count("<script>")
    assert sandbox.requests == []


@pytest.mark.parametrize(
    ("fault", "status", "told"),
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
async def test_a_job_that_is_not_created_is_told_in_words_for_users(
    sandbox: Sandbox, site: Site, fault: dict[str, Any], status: int, told: str
) -> None:
    sandbox.fail_next(CREATE, **fault)
    refused, page = await site.refused("A <wolf>")
    assert refused == status
    assert f"A &lt;wolf&gt;</textarea> <button>Draw</button><p>{told}</form>" in page
    assert [(request.method, request.path) for request in sandbox.requests] == [tuple(CREATE.split())]


async def test_a_job_that_fails_is_told_with_its_reason(site: Site) -> None:
    told = await site.last_news(await site.order("fail please"))
    assert told["ended"]
    assert told["text"].startswith("The service could not do this: The prompt says")


async def test_a_look_that_fails_is_no_job_that_fails(sandbox: Sandbox, site: Site) -> None:
    sandbox.fail_next("GET /v1/predictions/*", status=502)
    told = await site.last_news(await site.order("A wolf"))
    assert told["text"] == "done"


async def test_a_picture_that_cannot_be_saved_is_told_and_logged(
    server: ModuleType, site: Site, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.FOLDER = folder / "missing"
    page = await site.order("A wolf")
    assert "look into the log" in (await site.last_news(page))["text"]
    (logged,) = [record for record in caplog.records if page.rpartition("/")[2] in record.message and record.exc_info]
    assert isinstance(logged.exc_info and logged.exc_info[1], OSError)


async def test_no_more_jobs_are_created_than_the_server_allows(
    sandbox: Sandbox, server: ModuleType, site: Site
) -> None:
    server.MOST_JOBS = 1
    page = await site.order("A wolf")
    status, said = await site.refused("A fox")
    assert (status, "Too many pictures are being made." in said) == (503, True)
    await site.last_news(page)
    assert site.app is not None
    jobs = site.app[server.JOBS]
    await until(lambda: not jobs)
    assert await site.order("A fox") != page


@pytest.mark.parametrize("id", ["..%2F..%2Fetc", "%2e%2e", "a.b"])
async def test_an_address_that_is_no_id_is_not_found(sandbox: Sandbox, site: Site, id: str) -> None:
    async with aiohttp.ClientSession() as browser:
        for page in (f"/pictures/{id}", f"/pictures/{id}/events"):
            async with browser.get(aiohttp.client.URL(site.url + page, encoded=True)) as response:
                assert response.status == 404
    assert sandbox.requests == []


async def test_an_id_that_is_not_known_is_told(site: Site) -> None:
    assert (await site.last_news("/pictures/nobody"))["ended"]


async def test_a_browser_that_goes_away_leaves_nothing(
    server: ModuleType, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE", 0.001)
    monkeypatch.setattr(server, "LAST_SECONDS", 0)
    async with Server(state("processing")) as skytells:
        monkeypatch.setenv("SKYTELLS_BASE_URL", skytells.url)
        async with serving(server) as site:
            page = await site.order("A wolf")
            await skytells.until(lambda: len(skytells.requests) == 2)
            before = asyncio.all_tasks()
            async with aclosing(site.news(page)) as news:
                await anext(news)
                assert not asyncio.all_tasks() <= before
            await settle(before)


async def test_a_silent_job_keeps_its_browsers_connection_alive(
    server: ModuleType, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(exchange: Exchange) -> None:
        await exchange.read()
        await exchange.left()

    monkeypatch.setattr(server, "KEEP_ALIVE", 0.001)
    monkeypatch.setattr(server, "LAST_SECONDS", 0)
    async with Server(state("pending"), silent) as skytells:
        monkeypatch.setenv("SKYTELLS_BASE_URL", skytells.url)
        async with serving(server) as site, aclosing(site.news(await site.order("A wolf"))) as news:
            assert [await anext(news) for _ in range(3)] == [{"text": "waiting", "percent": 0}] * 3


async def test_a_job_that_is_under_way_is_finished_before_the_server_stops(
    sandbox: Sandbox, server: ModuleType, folder: Path
) -> None:
    async with serving(server) as site:
        page = await site.order("A wolf")
        news = site.news(page)
        await anext(news)
        watching = asyncio.create_task(collect(news))
    assert (await watching)[-1]["ended"]
    check_picture((folder / f"{page.rpartition('/')[2]}.png").read_bytes())


async def collect(news: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each async for each in news]


async def test_a_job_that_takes_too_long_is_taken_up_after_the_next_start(
    sandbox: Sandbox, server: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(server, "LAST_SECONDS", 0)
        async with serving(server) as site:
            page = await site.order("A wolf")
            news = site.news(page)
            await anext(news)
            watching = asyncio.create_task(collect(news))
        assert not any(each.get("ended") for each in await watching)
    async with serving(server) as site:
        assert (await site.last_news(page))["text"] == "done"
    assert len([request for request in sandbox.requests if request.method == "POST"]) == 1


async def test_a_webhook_brings_the_picture_of_a_job_that_nobody_follows(
    sandbox: Sandbox, server: ModuleType, site: Site, folder: Path
) -> None:
    async with Skytells() as skytells:
        job = await skytells.predictions.create(server.MODEL, {"prompt": "A wolf"}, webhook=site.url + server.WEBHOOK)
    path = folder / f"{job.id}.png"
    await until(path.exists)
    check_picture(path.read_bytes())


async def test_jobs_name_the_webhook_of_the_public_address(
    sandbox: Sandbox, server: ModuleType, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "PUBLIC_URL", site.url)
    page = await site.order("A wolf")
    id = page.rpartition("/")[2]
    async with Skytells() as skytells:
        job = await skytells.predictions.get(id)
    assert job.webhook["url"] == site.url + server.WEBHOOK
    await until(lambda: f"webhook of {id}" not in {task.get_name() for task in asyncio.all_tasks()})


async def test_a_call_that_is_not_signed_is_refused(sandbox: Sandbox, server: ModuleType, site: Site) -> None:
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
        told = await site.last_news(await site.order("A red fox in snow"))
        check_picture(await site.read(told["picture"]))
        process.send_signal(stop)
        _, log = await process.communicate()
    assert process.returncode == 0
    assert complaints(log.decode()) == []
