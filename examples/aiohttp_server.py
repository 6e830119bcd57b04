"""A web server with a form: it makes a picture with Skytells, shows the progress in the browser, and saves the picture.
The form may hold a picture to start from.

The key comes from the environment variable SKYTELLS_API_KEY. With KELLYAPI_SANDBOX=1 no key is needed. PUBLIC_URL is
the https address at which Skytells can reach this server; without it there are no webhooks. The default PORT is 8080.
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
MAX_PROMPT, MAX_PREDICTIONS = 500, 20  # characters, and predictions at once: they limit what strangers can cost you
MAX_UPLOAD = 8 * 2**20  # bytes of a form with its picture; Skytells takes up to 10 MiB
POLL_INTERVAL = 1  # seconds between two polls of a prediction
KEEP_ALIVE = 15  # seconds after which an event is sent again, which shows whether the browser is still connected
SHUTDOWN_SECONDS = 20  # for predictions that are running when the server is stopped

HEAD = '<!doctype html><meta charset="utf-8"><title>A picture</title>'
FORM = """<form method="post" action="/pictures" enctype="multipart/form-data">
<p>A picture to start from, if you like: <input type="file" name="image" accept="image/*"><p>What should it show?
<p><textarea name="prompt" required>{prompt}</textarea> <button>Draw</button><p>{error}</form>"""
PROGRESS = """<p><progress max="100"></progress> <output></output><p><img alt=""><p><a href="/">Another one</a>
<script>
const source = new EventSource(location.pathname + "/events")  // reconnects by itself
source.onmessage = ({data}) => {
  const update = JSON.parse(data)
  document.querySelector("output").textContent = update.text
  document.querySelector("progress").value = update.percent
  if (update.picture) document.querySelector("img").src = update.picture
  if (update.ended) source.close()
}
</script>"""
API = web.AppKey("API", KellyAPI)
FOLLOWED = web.AppKey("FOLLOWED", dict[str, "FollowedPrediction"])
routes = web.RouteTableDef()


@dataclass
class FollowedPrediction:
    """A prediction that the server follows, and its latest update for the browsers."""

    update: dict[str, Any] = field(default_factory=lambda: {"text": "waiting", "percent": 0})
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)

    def show_progress(self, state: Prediction) -> None:
        self.set_update(state.status, state.progress or 0)

    def set_update(self, text: str, percent: float, **fields: Any) -> None:
        self.update = {"text": text, "percent": percent, **fields}
        self.changed.set()
        self.changed = asyncio.Event()


def form_page(prompt: str = "", error: str = "", status: int = 200) -> web.Response:
    page = HEAD + FORM.format(prompt=escape(prompt), error=escape(error))
    return web.Response(text=page, content_type="text/html", status=status)


@routes.get("/")
async def show_form(request: web.Request) -> web.Response:
    return form_page()


@routes.post("/pictures")
async def create(request: web.Request) -> web.Response:
    """Create a prediction and redirect at once to the page that shows its progress."""
    try:
        form = await request.post()
    except web.HTTPRequestEntityTooLarge:
        return form_page("", f"The picture may have {MAX_UPLOAD >> 20} MiB.", 413)
    app, prompt, image = request.app, str(form.get("prompt", "")).strip(), form.get("image")
    if not 1 <= len(prompt) <= MAX_PROMPT:
        return form_page(prompt, f"Please describe the picture in 1 to {MAX_PROMPT} characters.", 400)
    if len(app[FOLLOWED]) >= MAX_PREDICTIONS:
        return form_page(prompt, "Too many pictures are being made. Please try again in a minute.", 503)
    webhook = PUBLIC_URL + WEBHOOK if PUBLIC_URL else None
    inputs = {"prompt": prompt, "image": image} if isinstance(image, web.FileField) else {"prompt": prompt}
    try:
        prediction = await app[API].skytells.predictions.create(MODEL, inputs, webhook=webhook)
    except KellyAPIError as error:
        logging.warning("no prediction was created: %s", error)
        return form_page(prompt, explain(error), 400 if isinstance(error, BadRequestError) else 503)
    follow(app, prediction.id)
    raise web.HTTPSeeOther(f"/pictures/{prediction.id}")


@routes.get(r"/pictures/{id:[\w-]+}")
async def show_progress(request: web.Request) -> web.Response:
    return web.Response(text=HEAD + PROGRESS, content_type="text/html")


@routes.get(r"/pictures/{id:[\w-]+}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Send the updates of a prediction to one browser, as server-sent events, until either of them ends."""
    followed = follow(request.app, request.match_info["id"])
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    with suppress(ConnectionError):
        await response.prepare(request)
        while True:
            changed = followed.changed
            await response.write(f"data: {json.dumps(followed.update)}\n\n".encode())
            if followed.task.done() or "ended" in followed.update:
                break
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), KEEP_ALIVE)
    return response


def follow(app: web.Application, id: str) -> FollowedPrediction:
    """Follow a prediction, unless the server does so already. It may be from before a restart of the server."""
    if id not in app[FOLLOWED]:
        followed = app[FOLLOWED][id] = FollowedPrediction()
        followed.task = asyncio.create_task(save_picture(app[API], id, followed))
        followed.task.add_done_callback(lambda _: (app[FOLLOWED].pop(id), followed.changed.set()))
    return app[FOLLOWED][id]


async def save_picture(api: KellyAPI, id: str, followed: FollowedPrediction) -> None:
    """Wait for a picture and save it before its link expires, even if no browser is connected."""
    path = FOLDER / f"{id}.png"
    try:
        if not path.exists():
            done = await api.skytells.predictions.wait(id, interval=POLL_INTERVAL, on_progress=followed.show_progress)
            await api.download(done.outputs[0], path)
        followed.set_update("done", 100, picture=f"/files/{path.name}", ended=True)
    except Exception as error:  # broad: the browser gets a message for every error
        logging.warning("prediction %s: %s", id, error, exc_info=None if isinstance(error, KellyAPIError) else error)
        followed.set_update(explain(error), 0, ended=True)


async def client_context(app: web.Application) -> AsyncIterator[None]:
    """Open one client for the life of the server, and the webhook, whose deliveries are verified with its key."""
    async with KellyAPI.sandbox() if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI() as app[API]:
        receiver = WebhookReceiver(skytells=app[API].skytells)
        receiver.on("succeeded")(lambda event: follow(app, event.prediction.id))
        app.add_routes(receiver.routes(WEBHOOK))
        yield
        await receiver.close()


async def finish(app: web.Application) -> None:
    """Wait for the running predictions, since they are paid for. The rest are resumed after the next start."""
    if tasks := [followed.task for followed in app[FOLLOWED].values()]:
        _, late = await asyncio.wait(tasks, timeout=SHUTDOWN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


def make_app() -> web.Application:
    app = web.Application(client_max_size=MAX_UPLOAD)
    app[FOLLOWED] = {}
    FOLDER.mkdir(exist_ok=True)
    app.add_routes([*routes, web.static("/files", FOLDER)])
    app.cleanup_ctx.append(client_context)
    app.on_shutdown.append(finish)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    web.run_app(make_app(), host="127.0.0.1", port=int(os.environ.get("PORT", "8080")))  # until Ctrl-C or SIGTERM
