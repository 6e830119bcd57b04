"""A web server with a form: it makes a picture with Skytells, shows the progress in the browser, and keeps the picture.

The key comes from the environment: SKYTELLS_API_KEY. With KELLYAPI_SANDBOX=1 none is needed. PUBLIC_URL is the https
address at which Skytells reaches this server; without it there are no webhooks. PORT is 8080 unless you set it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from aiohttp import web
from explain import explain

from kellyapi import BadRequestError, KellyAPI, KellyAPIError, Prediction, WebhookReceiver

MODEL = "truefusion-pro"  # its pictures are PNG
FOLDER = Path("pictures")
PUBLIC_URL = os.environ.get("PUBLIC_URL", "").rstrip("/")
WEBHOOK = "/webhooks/skytells"
LONGEST_PROMPT, MOST_JOBS = 500, 20  # characters, and jobs at once: what strangers may cost you
LOOK_EVERY = 1  # seconds: the steps in which the progress is seen
KEEP_ALIVE = 15  # seconds after which a browser is told the same again, which shows whether it is still there
LAST_SECONDS = 20  # for jobs that are under way when the server is stopped

HEAD = '<!doctype html><meta charset="utf-8"><title>A picture</title>'
FORM = """<form method="post" action="/pictures"><p>What can be seen in it?
<p><textarea name="prompt" required>{prompt}</textarea> <button>Draw</button><p>{error}</form>"""
PROGRESS = """<p><progress max="100"></progress> <output></output><p><img alt=""><p><a href="/">Another one</a>
<script>
const source = new EventSource(location.pathname + "/events")  // after a break it asks again by itself
source.onmessage = ({data}) => {
  const news = JSON.parse(data)
  document.querySelector("output").textContent = news.text
  document.querySelector("progress").value = news.percent
  if (news.picture) document.querySelector("img").src = news.picture
  if (news.ended) source.close()
}
</script>"""
API = web.AppKey("API", KellyAPI)
JOBS = web.AppKey("JOBS", dict[str, "Job"])
routes = web.RouteTableDef()


@dataclass
class Job:
    """A picture in the making, and what its browsers are told of it."""

    news: dict[str, Any] = field(default_factory=lambda: {"text": "waiting", "percent": 0})
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)

    def show(self, state: Prediction) -> None:
        self.tell(state.status, state.progress or 0)

    def tell(self, text: str, percent: float, **more: Any) -> None:
        self.news = {"text": text, "percent": percent, **more}
        self.changed.set()
        self.changed = asyncio.Event()


def form(prompt: str = "", error: str = "", status: int = 200) -> web.Response:
    page = HEAD + FORM.format(prompt=escape(prompt), error=escape(error))
    return web.Response(text=page, content_type="text/html", status=status)


@routes.get("/")
async def ask(request: web.Request) -> web.Response:
    return form()


@routes.post("/pictures")
async def create(request: web.Request) -> web.Response:
    """Create a job and answer at once; the page that is asked for next shows how it goes on."""
    app, prompt = request.app, str((await request.post()).get("prompt", "")).strip()
    if not 1 <= len(prompt) <= LONGEST_PROMPT:
        return form(prompt, f"Please describe the picture in 1 to {LONGEST_PROMPT} characters.", 400)
    if len(app[JOBS]) >= MOST_JOBS:
        return form(prompt, "Too many pictures are being made. Please try again in a minute.", 503)
    webhook = PUBLIC_URL + WEBHOOK if PUBLIC_URL else None
    try:
        job = await app[API].skytells.predictions.create(MODEL, {"prompt": prompt}, webhook=webhook)
    except KellyAPIError as error:
        logging.warning("no job was created: %s", error)
        return form(prompt, explain(error), 400 if isinstance(error, BadRequestError) else 503)
    take_up(app, job.id)
    raise web.HTTPSeeOther(f"/pictures/{job.id}")


@routes.get(r"/pictures/{id:[\w-]+}")
async def watch(request: web.Request) -> web.Response:
    return web.Response(text=HEAD + PROGRESS, content_type="text/html")


@routes.get(r"/pictures/{id:[\w-]+}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Tell one browser of a job, as server-sent events, until the job has ended or the browser has gone."""
    job = take_up(request.app, request.match_info["id"])
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    with suppress(ConnectionError):
        await response.prepare(request)
        while True:
            changed = job.changed
            await response.write(f"data: {json.dumps(job.news)}\n\n".encode())
            if job.task.done() or "ended" in job.news:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
    return response


def take_up(app: web.Application, id: str) -> Job:
    """Follow a job unless somebody does: a new one, or one that this server followed before it was started again."""
    if id not in app[JOBS]:
        job = app[JOBS][id] = Job()
        job.task = asyncio.create_task(make(app[API], id, job))
        job.task.add_done_callback(lambda _: (app[JOBS].pop(id), job.changed.set()))
    return app[JOBS][id]


async def make(api: KellyAPI, id: str, job: Job) -> None:
    """Wait for a picture and save it, for its link soon expires, whether or not a browser is there to see it."""
    path = FOLDER / f"{id}.png"
    try:
        if not path.exists():
            done = await api.skytells.predictions.wait(id, interval=LOOK_EVERY, on_progress=job.show)
            await api.download(done.outputs[0], path)
        job.tell("done", 100, picture=f"/files/{path.name}", ended=True)
    except Exception as error:
        logging.warning("job %s: %s", id, error, exc_info=None if isinstance(error, KellyAPIError) else error)
        job.tell(explain(error), 0, ended=True)


async def client_context(app: web.Application) -> AsyncIterator[None]:
    """One client for the life of the server, and the webhook, whose calls are signed with the key of that client."""
    async with KellyAPI.sandbox() if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI() as app[API]:
        receiver = WebhookReceiver(skytells=app[API].skytells)
        receiver.on("succeeded")(lambda event: take_up(app, event.prediction.id))
        app.add_routes(receiver.routes(WEBHOOK))
        yield
        await receiver.close()


async def finish(app: web.Application) -> None:
    """Let the jobs that are under way end, since they are paid for; later ones are taken up after the next start."""
    if tasks := [job.task for job in app[JOBS].values()]:
        _, late = await asyncio.wait(tasks, timeout=LAST_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def make_app() -> web.Application:
    app = web.Application()
    app[JOBS] = {}
    FOLDER.mkdir(exist_ok=True)
    app.add_routes([*routes, web.static("/files", FOLDER)])
    app.cleanup_ctx.append(client_context)
    app.on_shutdown.append(finish)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))  # until Ctrl-C or SIGTERM
