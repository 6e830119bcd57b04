"""Hours in minutes: one client, a sandbox in a process of its own, and faults at random.

    python -m benchmarks.soak --minutes 10 --concurrency 50 --faults 0.05 --seed 1

Every call must end as a result or as a `KellyAPIError`, the client's process must not grow, and nothing may be left of
it: exit code 1 otherwise. The order of calls and faults follows from the seed; which call meets which fault also
depends on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any

from aiohttp import web

from kellyapi import (  # fmt: skip
    Aerostack,
    Fault,
    KellyAPI,
    KellyAPIError,
    Khaya,
    Prediction,
    Rate,
    RetryPolicy,
    Sandbox,
    Skytells,
    Timeout,
    WebhookReceiver,
)

from .arguments import number
from .processes import start

FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500}, {"status": 502, "html": "<html><title>Bad gateway</title>"}, {"status": 503}, {"status": 401},
    {"status": 402}, {"status": 400, "body": "what?"}, {"status": 500, "carried_out": True},
    {"status": 429, "headers": {"Retry-After": "0"}}, {"html": "<html>Welcome</html>"}, {"body": "null"}, {"body": b""},
    {"reset": True}, {"reset": True, "carried_out": True}, {"hang": True}, {"delay": 0.5}, {"drip": (5, 0.01)},
    {"cut_after": 0}, {"cut_after": 3}, {"reset_after": 0}, {"reset_after": 3}, {"length_off_by": 5},
    {"length_off_by": -1}, {"gzip_bomb": 2**24}, {"redirect_to": "http://127.0.0.1:9/elsewhere"},
    {"redirect_to": "/", "status": 302},
)  # fmt: skip
"""Every kind of fault; each has an equal part of the share."""
OPTIONS: dict[str, Any] = {
    "timeout": Timeout(total=4.0, connect=1.0, idle=1.0),
    "retry": RetryPolicy(base=0.01, throttle_base=0.01),
    "max_response_bytes": 2**22,
    "max_concurrency": 40,
    "rate": Rate(1_000),
}
GROWTH = 5.0
"""Most MB that the client's process may grow by after the first tenth of the time."""
BRIEF = 100.0
"""Seconds. In a shorter run the first tenth is spent on warming up."""
PICTURE: dict[str, Any] = {"width": 64, "height": 64}
JOB: dict[str, Any] = {"model": "truefusion-pro", "input": {"prompt": "a wolf", **PICTURE}}
Call = Callable[[KellyAPI], Awaitable[Any]]


async def read(stream: Any, most: int | None = None) -> None:
    """Read a stream to its end, or leave it after this many items."""
    async with stream:
        async for _ in stream:
            most = None if most is None else most - 1
            if most == 0:
                return


async def follow(api: KellyAPI) -> None:
    job = await api.skytells.predictions.create(**JOB)
    async for _ in api.skytells.predictions.follow(job, interval=0.1, timeout=3.0):
        pass


async def cancel(api: KellyAPI) -> None:
    await api.skytells.predictions.cancel(await api.skytells.predictions.create(**JOB))


def operations(folder: Path, receiver: WebhookReceiver, hook: str) -> list[Call]:
    """Return the operations: JSON, uploads, downloads, streams and predictions of every provider."""
    sound, picture = folder / "sound.wav", folder / "picture.png"

    async def paint(api: KellyAPI) -> None:
        job: Prediction = await api.skytells.run(JOB["model"], JOB["input"], interval=0.1, timeout=3.0)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            await api.skytells.predictions.download(job, place)

    async def be_called(api: KellyAPI) -> None:
        job = await api.skytells.predictions.create(**JOB, webhook=hook)
        await receiver.wait_for(job, timeout=3.0, poll_after=1.0)

    often: list[Call] = [
        lambda api: api.kelly.models("voice"),
        lambda api: api.kelly.chat("hi"),
        lambda api: api.kelly.synthesize("hi"),
        lambda api: api.khaya.languages("translation"),
        lambda api: api.khaya.voices(),
        lambda api: api.khaya.translate("Good morning", "en-tw"),
        lambda api: api.khaya.synthesize("Good morning", "twi"),
        lambda api: read(api.khaya.synthesize_stream("Good morning", "twi")),
        lambda api: read(api.khaya.synthesize_stream("Good morning", "twi"), 1),
        lambda api: api.translate("Good morning", "en-tw", fallback=True),
        lambda api: api.skytells.models.list(),
        lambda api: api.skytells.models.get("truefusion-pro"),
        lambda api: api.skytells.predictions.list(per_page=5),
        lambda api: api.skytells.chat.create("gpt-5", "hi"),
        lambda api: read(api.skytells.chat.stream("gpt-5", "hi")),
        lambda api: read(api.skytells.chat.stream("gpt-5", "hi"), 1),
        lambda api: api.skytells.responses.create("gpt-5", "hi"),
        lambda api: read(api.skytells.responses.stream("gpt-5", "hi")),
        lambda api: api.skytells.embeddings.create("text-embedding-3-small", "hi"),
        lambda api: api.skytells.safety.check_text("hi"),
        lambda api: api.aerostack.ai.chat("hi"),
        lambda api: read(api.aerostack.ai.chat_stream("hi")),
        lambda api: api.aerostack.cache.set("greeting", {"twi": "Maakye"}),
        lambda api: api.aerostack.cache.get("greeting"),
        lambda api: api.aerostack.db.query("SELECT 1 AS one"),
        lambda api: api.aerostack.queue.enqueue("mail", {"to": "Ama"}),
        lambda api: api.aerostack.search.query("hello"),
        lambda api: api.aerostack.storage.upload("sound", sound),
        lambda api: api.aerostack.storage.exists("sound"),
        lambda api: api.aerostack.storage.download("sound"),
        lambda api: api.aerostack.storage.download("sound", folder / "copy"),
    ]
    drawn: list[Call] = [
        lambda api: api.kelly.generate_image("a fox", **PICTURE),
        lambda api: api.kelly.describe_image(picture, "what is it?"),
        follow,
        cancel,
        paint,
        be_called,
    ]
    return [*often * 5, *drawn]  # what draws a picture takes 30 times as long, of the sandbox's time


def measure() -> tuple[float, int, int]:
    """Return (MB in memory, open files, tasks) of this process, without the free memory that malloc keeps."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, files, len(asyncio.all_tasks())


async def listen(receiver: WebhookReceiver) -> tuple[web.AppRunner, str]:
    """Serve the receiver and return its address."""
    app = web.Application()
    app.add_routes(receiver.routes("/webhook"))
    app.cleanup_ctx.append(receiver.cleanup_context)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/webhook"


async def soak(sandbox: str, asked: argparse.Namespace, folder: Path) -> list[str]:
    """Run the operations for this many minutes, print the progress, and return what is wrong."""
    ends: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    lasted: list[float] = []
    seconds, dice = asked.minutes * 60, Random(asked.seed)
    memory: dict[int, float] = {}
    begun = perf_counter()
    _, *before = measure()

    async def work(api: KellyAPI, calls: list[Call]) -> None:
        while perf_counter() - begun < seconds:
            started = perf_counter()
            try:
                await dice.choice(calls)(api)
                ends["result"] += 1
            except KellyAPIError as error:
                ends[type(error).__name__] += 1
            except Exception as error:
                wrong[f"{type(error).__name__}: {error}"[:200]] += 1
            lasted.append(perf_counter() - started)

    async def tell() -> None:
        for percent in range(10, 100, 10):
            await asyncio.sleep(begun + seconds * percent / 100 - perf_counter())
            p99 = sorted(lasted)[len(lasted) * 99 // 100] if lasted else 0.0
            lasted.clear()
            memory[percent], files, tasks = measure()
            print(f"{percent:3} %  {perf_counter() - begun:4.0f} s  {ends.total():,} calls  p99 {p99 * 1000:.0f} ms  "
                  f"{memory[percent]:.1f} MB  {files} files  {tasks} tasks", flush=True)  # fmt: skip

    skytells = Skytells("sandbox", base_url=f"{sandbox}/v1", **OPTIONS)
    aerostack = Aerostack("sandbox", base_url=f"{sandbox}/v1", **OPTIONS)
    khaya = Khaya("sandbox", base_url=sandbox, **OPTIONS)
    async with KellyAPI("sandbox", sandbox, khaya=khaya, skytells=skytells, aerostack=aerostack, **OPTIONS) as api:
        receiver = WebhookReceiver(skytells=api.skytells)
        runner, hook = await listen(receiver)
        telling = asyncio.create_task(tell())
        await asyncio.gather(*(work(api, operations(folder, receiver, hook)) for _ in range(asked.concurrency)))
        memory[100] = measure()[0]
        await telling
        await runner.cleanup()
    await asyncio.sleep(0.5)
    _, *after = measure()
    growth = memory[100] - memory[10]
    print(f"{ends.total() + wrong.total():,} calls")
    print(*(f"{count:9,}  {name}" for name, count in [*ends.most_common(), *wrong.most_common()]), sep="\n")
    print(", ".join(f"{memory[percent]:.1f} MB at {percent} %" for percent in (10, 50, 100)), f"({growth:+.1f} MB)")
    found = [f"{count} × {name}" for name, count in wrong.items()]
    for what, one, other in zip(("open files", "tasks"), before, after, strict=True):
        print(f"{what}: {one} before, {other} after")
        found += [f"{other - one} {what} are left"] * (other > one)
    found += [f"the process grew by {growth:.1f} MB"] * (growth > GROWTH and seconds > BRIEF)
    return found + ["no call went well"] * (not ends["result"])


async def serve(share: float, seed: int) -> None:
    """Run the sandbox until standard input ends."""
    faults = [Fault(probability=share / len(FAULTS), **fault) for fault in FAULTS if share]
    async with Sandbox(faults=faults, seed=seed, prediction_time=0.2, webhook_retries=(0.1, 0.1)) as sandbox:
        print(sandbox.url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def prepare(sandbox: str, folder: Path) -> None:
    """Make the files to upload."""
    (folder / "sound.wav").write_bytes(b"RIFF----WAVE" + bytes(2**16))
    async with KellyAPI("sandbox", sandbox, retry=RetryPolicy(attempts=9, repeat_metered=True)) as api:
        while True:
            try:
                await (await api.kelly.generate_image("a fox", **PICTURE)).save(folder / "picture.png")
                return
            except KellyAPIError:  # faults are dealt from the start
                continue


def run(asked: argparse.Namespace) -> int:
    """Start the sandbox, run the soak test and print the outcome."""
    words = ("benchmarks.soak", "--serve", "--faults", str(asked.faults), "--seed", str(asked.seed))
    with tempfile.TemporaryDirectory() as name, start(*words) as server:
        assert server.stdout is not None
        url, folder = server.stdout.readline().strip(), Path(name)
        asyncio.run(prepare(url, folder))
        wrong = asyncio.run(soak(url, asked, folder))
        wrong += [f"{part.name} was left" for part in folder.glob("*.part")]
    print("\n".join(["FAILED", *wrong] if wrong else ["ok: each call ended as it should, and nothing is left"]))
    return int(bool(wrong))


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=number(float, 0.1), default=10)
    parser.add_argument("--concurrency", type=number(int, 1), default=50)
    parser.add_argument(
        "--faults", type=number(float, 0, 1), default=0.05, help="the share of requests that go wrong (0.05)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.exit(asyncio.run(serve(given.faults, given.seed)) if given.serve else run(given))
