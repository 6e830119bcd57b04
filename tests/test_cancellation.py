"""Calls that are cancelled at any moment, and streams that are left early: nothing of them stays behind.

Moments are counted in turns of the event loop and drawn from a seed, so every run cancels at the same ones as far as
the machine allows, and none depends on its speed.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import resource
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing
from itertools import count, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import field, frozen
from fake_clock import run as patiently
from servers import KEY, Exchange, Seen, Server, Shop, asked, make_response

from kellyapi import NO_RETRY, ChatStream, Rate, ResponseStream, Skytells, WebhookReceiver
from kellyapi._core.limits import Limits
from kellyapi._core.messages import FormField
from kellyapi._data.media import open_media
from kellyapi.providers.skytells.webhooks.verification import SIGNATURE_HEADER

LINES = 10
CALLS = 1000
WAITS_CANCELLED = 200
QUEUED = 100
TURNS = 60
"""More than a call takes against the server below when nothing else runs."""


Reply = Callable[[Seen], bytes]


def slow(random: Random, reply: Reply = lambda _: make_response(body=b"null")) -> Callable[[Exchange], Awaitable[None]]:
    """Answer in pieces, cut anywhere, with turns of the loop before each."""

    async def script(exchange: Exchange) -> None:
        await exchange.read()
        whole = reply(exchange.seen)
        cuts = [0, *sorted(random.sample(range(1, len(whole)), 3)), len(whole)]
        for start, end in pairwise(cuts):
            for _ in range(random.randrange(5)):
                await asyncio.sleep(0)
            await exchange.write(whole[start:end])

    return script


async def listen(shop: Shop, _: Path) -> bool:
    async with shop.listen() as stream:
        return b"".join([piece async for piece in stream]) == b"null"


async def download(shop: Shop, file: Path) -> bool:
    return await shop._save_link(f"{shop.base_url}/file", file.with_name("copy")) == file.with_name("copy")


async def fill(shop: Shop, file: Path) -> bool:
    media = await open_media(file, "file")
    return await shop.fill(FormField("file", media.body, filename="sound"), into=object) is None


async def look(shop: Shop, _: Path) -> bool:
    return await shop.look() is None


async def buy(shop: Shop, _: Path) -> bool:
    return await shop.buy() is None


async def send(shop: Shop, file: Path) -> bool:
    return await shop.send(file) is None


KINDS = (look, buy, listen, download, fill, send)
LIMITS: dict[str, dict[str, Any]] = {
    "connections": {},
    "concurrency": {"max_concurrency": LINES // 2},
    "rate": {"rate": Rate(1_000_000, per=1.0)},
}


def open_files() -> list[str]:
    """Give what every open file of this process is."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(entry.readlink()))
        except FileNotFoundError:  # the directory itself
            continue
    return sorted(found)


async def closed_but(files: list[str]) -> None:
    """See that no other files are open than these; a close takes a few turns."""
    for _ in range(1000):
        if len(open_files()) <= len(files):
            break
        await asyncio.sleep(0)
    assert len(open_files()) <= len(files)


def tasks_but_the_servers() -> int:
    return len([task for task in asyncio.all_tasks() if "_serve" not in repr(task.get_coro())])


async def cancel_each(calls: list[Coroutine[Any, Any, Any]], random: Random) -> list[Any]:
    """Start calls, cancel each at a moment of its own, and give what became of them."""
    due: dict[int, list[asyncio.Task[Any]]] = {}
    tasks = [asyncio.create_task(call) for call in calls]
    for task in tasks:
        due.setdefault(random.randrange(TURNS), []).append(task)
    for turn in range(TURNS):
        for task in due.get(turn, ()):
            task.cancel()
        await asyncio.sleep(0)
    return await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF----WAVE" + bytes(2**16))
    return path


@pytest.mark.parametrize("limits", LIMITS)
async def test_after_a_thousand_cancelled_calls_a_thousand_go_well_and_nothing_is_left(limits: str, file: Path) -> None:
    random = Random(1)
    async with Server(slow(random)) as server:
        tasks, files = tasks_but_the_servers(), open_files()
        async with Shop(KEY, base_url=server.url, max_connections=LINES, **LIMITS[limits]) as shop:
            ends: list[Any] = []
            for number in range(CALLS // 50):
                kinds = [KINDS[(number + each) % len(KINDS)] for each in range(50)]
                ends += await cancel_each([kind(shop, file) for kind in kinds], random)
            cancelled = [end for end in ends if isinstance(end, asyncio.CancelledError)]
            assert len(cancelled) > CALLS / 4
            assert [end for end in ends if not (end is True or isinstance(end, asyncio.CancelledError))] == []
            await server.until(lambda: server.open <= LINES)

            async with asyncio.timeout(30):
                good = await asyncio.gather(*(KINDS[each % 3](shop, file) for each in range(CALLS)))
            assert good == [True] * CALLS
            assert server.open <= LINES
            assert tasks_but_the_servers() <= tasks
        await server.until(lambda: server.open == 0)
        await closed_but(files)
    assert {path.name for path in file.parent.iterdir()} <= {file.name, "copy"}


# -- what takes many requests, or many pieces --------------------------------------------------------------------------

LOOKS = 2
"""Looks at a job that find it at work."""
AT_WORK, DONE, CANCELED = "processing", "succeeded", "canceled"
EVENTS: dict[str, list[dict[str, Any]]] = {
    "/chat/completions": [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in ("Good", " morning")],
    "/responses": [
        {"type": "response.output_text.delta", "delta": "Good morning"},
        {"type": "response.completed", "response": {"id": "r", "model": "m", "status": "completed", "output": []}},
    ],
}


def platform() -> Reply:
    """Give the replies of a provider whose jobs are at work for a few looks, and then done."""
    looks: Counter[str] = Counter()
    numbers = count()

    def job(id: str, status: str) -> bytes:
        return make_response(body=json.dumps({"id": id, "status": status, "output": ["https://a.example/a"]}).encode())

    def reply(seen: Seen) -> bytes:
        if seen.target in EVENTS:
            said = [f"data: {json.dumps(event)}\n\n" for event in EVENTS[seen.target]]
            return make_response(body="".join([*said, "data: [DONE]\n\n"]).encode(), kind="text/event-stream")
        if seen.target == "/predict":
            return job(f"created-{next(numbers)}", AT_WORK)
        id, _, cancels = seen.target.removeprefix("/predictions/").partition("/")
        looks[id] += 1
        return job(id, CANCELED if cancels else AT_WORK if looks[id] <= LOOKS else DONE)

    return reply


@frozen
class Waiting:
    """Who waits for a job."""

    skytells: Skytells
    asking: WebhookReceiver
    """It asks when no call comes."""
    patient: WebhookReceiver
    """It does not."""
    numbers: Iterator[int] = field(factory=count)

    def job(self) -> str:
        return f"job-{next(self.numbers)}"


async def follow(one: Waiting) -> bool:
    async with aclosing(one.skytells.predictions.follow(one.job(), interval=0)) as states:
        return [state.status async for state in states] == [AT_WORK, DONE]


async def wait(one: Waiting) -> bool:
    return (await one.skytells.predictions.wait(one.job(), interval=0)).ended


async def wait_or_cancel(one: Waiting) -> bool:
    return (await one.skytells.predictions.wait(one.job(), interval=0, cancel_on_exit=True)).ended


async def run(one: Waiting) -> bool:
    return (await one.skytells.run("m", {}, interval=0, cancel_on_exit=True)).ended


async def be_called(one: Waiting) -> bool:
    """Wait for a call that comes after a few turns, unless it comes too late."""
    id = one.job()
    body = json.dumps({"id": id, "status": DONE}).encode()
    headers = {SIGNATURE_HEADER: hmac.digest(KEY.encode(), body, "sha256").hex()}

    async def call() -> None:
        for _ in range(TURNS // 3):
            await asyncio.sleep(0)
        await one.patient.handle(headers, body)

    async with asyncio.TaskGroup() as group:
        group.create_task(call())
        return (await one.patient.wait_for(id)).ended


async def ask_after_all(one: Waiting) -> bool:
    return (await one.asking.wait_for(one.job(), poll_after=0)).ended


async def talk(one: Waiting) -> bool:
    async with one.skytells.chat.stream("m", "hi") as stream:
        return "".join([piece async for piece in stream]) == "Good morning"


async def respond(one: Waiting) -> bool:
    async with one.skytells.responses.stream("m", "hi") as stream:
        return len([event async for event in stream]) == len(EVENTS["/responses"])


WAITS = (follow, wait, wait_or_cancel, run, be_called, ask_after_all, talk, respond)


@pytest.mark.parametrize("wait", WAITS)
async def test_waiting_of_every_kind_is_cancelled_at_any_moment_and_leaves_nothing(
    wait: Callable[[Waiting], Coroutine[Any, Any, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "kellyapi.providers.skytells.predictions.polling.FIRST_PAUSE", 0.0
    )  # `wait_for` has no interval
    random = Random(3)
    async with Server(slow(random, platform())) as server:
        tasks, files = tasks_but_the_servers(), open_files()
        async with Skytells(KEY, base_url=server.url, max_connections=LINES, retry=NO_RETRY) as skytells:
            one = Waiting(skytells, WebhookReceiver(skytells=skytells), WebhookReceiver(KEY))
            ends: list[Any] = []
            for _ in range(WAITS_CANCELLED // 25):
                ends += await cancel_each([wait(one) for _ in range(25)], random)
            cancelled = [end for end in ends if isinstance(end, asyncio.CancelledError)]
            assert len(cancelled) > WAITS_CANCELLED / 10
            assert [end for end in ends if not (end is True or isinstance(end, asyncio.CancelledError))] == []
            for _ in range(1000):  # those that cancel a job go on for a while
                if tasks_but_the_servers() <= tasks:
                    break
                await asyncio.sleep(0)
            assert tasks_but_the_servers() <= tasks
            assert not one.asking._waiters._waiting
            assert not one.patient._waiters._waiting
            await server.until(lambda: server.open <= LINES)
            assert await asyncio.gather(*(wait(one) for _ in range(10 * LINES))) == [True] * (10 * LINES)
        await server.until(lambda: server.open == 0)
        await closed_but(files)


def test_a_queue_that_half_of_it_leaves_is_whole() -> None:
    async def main() -> None:
        random, clock = Random(4), asyncio.get_running_loop().time
        limits = Limits(LINES, Rate(LINES, per=1.0))

        async def call() -> None:
            await limits.acquire(None)
            try:
                await asyncio.sleep(random.random())
            finally:
                limits.release()

        tasks = [asyncio.create_task(call()) for _ in range(QUEUED)]
        for task in random.sample(tasks, QUEUED):
            await asyncio.sleep(random.random() / LINES)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        done = [task for task in tasks if not task.cancelled()]
        assert QUEUED / 4 < len(done) < QUEUED
        await asyncio.sleep(1)  # the rate forgets
        began = clock()
        await asyncio.gather(*(call() for _ in range(QUEUED)))
        assert clock() - began < 2 * QUEUED / LINES
        assert (limits._waiting, limits.server._in_flight) == (0, 0)
        assert limits._waiting_lines[asyncio.get_running_loop()].slots._value == LINES

    patiently(main())


# -- streams that are left early ---------------------------------------------------------------------------------------


async def leave_by_break(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        break


async def leave_by_an_error(stream: AsyncIterator[bytes]) -> None:
    async for _ in stream:
        raise LookupError


async def leave_unread(stream: AsyncIterator[bytes]) -> None:
    pass


async def leave_by_aclose(stream: Any) -> None:
    await anext(stream)
    await stream.aclose()


async def leave_by_a_timeout(stream: AsyncIterator[bytes]) -> None:
    async with asyncio.timeout(0.01):
        async for _ in stream:
            pass


async def leave_by_cancellation(stream: AsyncIterator[bytes]) -> None:
    task = asyncio.current_task()
    assert task is not None
    async for _ in stream:
        task.cancel()


LEAVINGS = (
    leave_by_break, leave_by_an_error, leave_unread, leave_by_aclose, leave_by_a_timeout, leave_by_cancellation
)  # fmt: skip


OPENINGS: dict[str, Callable[[Shop], Any]] = {
    "bytes": lambda shop: shop.listen(),
    "chat": lambda shop: shop._stream_events("/chat/completions", {}, into=ChatStream),
    "a response": lambda shop: shop._stream_events("/responses", {}, into=ResponseStream),
}


async def endless(exchange: Exchange) -> None:
    await exchange.read()
    event = EVENTS.get(exchange.seen.target, ["abc"])[0]
    piece = f"data: {json.dumps(event)}\n\n".encode()
    head = make_response(kind="text/event-stream", Transfer_Encoding="chunked", body=b"")
    await exchange.write(head + b"%x\r\n%b\r\n" % (len(piece), piece))
    await exchange.left()


@pytest.mark.parametrize("leave", LEAVINGS)
@pytest.mark.parametrize("opening", OPENINGS)
async def test_leaving_a_stream_early_frees_its_only_connection_at_once(
    opening: str, leave: Callable[[Any], Awaitable[None]]
) -> None:
    async def use(shop: Shop) -> None:
        async with OPENINGS[opening](shop) as stream:
            await leave(stream)

    async with asked(endless, endless, make_response(), max_connections=1) as (shop, server):
        tasks = tasks_but_the_servers()
        for number in (1, 2):
            await asyncio.gather(asyncio.create_task(use(shop)), return_exceptions=True)
            await server.until(lambda: server.open == 0)
            assert (server.connections, tasks_but_the_servers()) == (number, tasks)
        async with asyncio.timeout(20):
            assert await shop.look() == {}


async def test_a_download_that_is_cancelled_leaves_no_file(file: Path) -> None:
    async with asked(endless, max_connections=1) as (shop, server):
        before = sorted(file.parent.iterdir())
        for turns in range(20):
            call = asyncio.create_task(download(shop, file))
            if turns > 10:
                await server.until(lambda: server.open == 1)
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert call.cancelled()
            await server.until(lambda: server.open == 0)
        # Nobody who is cancelled waits for the thread that opens a file, which is removed when that thread is done.
        await asyncio.get_running_loop().shutdown_default_executor()
        assert sorted(file.parent.iterdir()) == before


# -- many at once ------------------------------------------------------------------------------------------------------


async def test_ten_times_more_calls_of_every_kind_than_connections_all_finish(file: Path) -> None:
    async with asked(slow(Random(2)), max_connections=LINES) as (shop, server):
        calls = [KINDS[number % len(KINDS)](shop, file) for number in range(10 * LINES)]
        assert await asyncio.gather(*calls) == [True] * len(calls)
        assert len(server.requests) == len(calls)
        await server.until(lambda: server.open <= LINES)


async def test_a_thousand_calls_at_once_share_a_hundred_connections_in_their_order() -> None:
    async with asked(slow(Random(5)), max_connections=CALLS // 10) as (shop, server):
        assert await asyncio.gather(*(shop.look(f"/{number}") for number in range(CALLS))) == [None] * CALLS
        assert server.connections == CALLS // 10
        arrived = [int(seen.target.removeprefix("/")) for seen in server.requests]
        assert sorted(arrived) == list(range(CALLS))
        assert max(number - place for place, number in enumerate(arrived)) <= server.connections  # none overtook more


async def test_a_thousand_calls_are_in_flight_at_once() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # both sides are in this process
    ready = asyncio.Event()

    async def together(exchange: Exchange) -> None:
        await exchange.read()
        await ready.wait()
        await exchange.write(make_response())

    async with asked(together, max_connections=CALLS) as (shop, server):
        calls = [asyncio.create_task(shop.buy()) for _ in range(CALLS)]
        await server.until(lambda: len(server.requests) == CALLS)
        assert not [call for call in calls if call.done()]
        ready.set()
        assert await asyncio.gather(*calls) == [{}] * CALLS
        assert (len(server.requests), server.connections) == (CALLS, CALLS)


async def test_the_wait_for_a_connection_is_cancelled_as_cleanly() -> None:
    async with asked(endless, make_response(), max_connections=1) as (shop, server):
        async with shop.listen():
            waiting = [asyncio.create_task(shop.look()) for _ in range(50)]
            for _ in range(5):
                await asyncio.sleep(0)
            for call in waiting[:-1]:
                call.cancel()
            await asyncio.gather(*waiting[:-1], return_exceptions=True)
            assert not waiting[-1].done()
        assert await waiting[-1] == {}
        assert len(server.requests) == 2
