"""Many texts, audio files and speeches at once, over real connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from fake_clock import run
from servers import Exchange, Script, Server, hang, make_response

from kellyapi import (
    NO_RETRY,
    AuthenticationError,
    BadRequestError,
    DecodingError,
    KellyAPI,
    Khaya,
    RateLimitError,
    ServerError,
    Speech,
    Transcript,
    Translation,
    TransportError,
)

PAIR = "en-tw"
TEXTS = 1000
REFUSED = make_response(400, b'{"error": {"code": "VALIDATION_FAILED", "message": "No"}}')


@asynccontextmanager
async def khaya(*scripts: Script, **options: Any) -> AsyncIterator[tuple[KellyAPI, Server]]:
    """Yield a client whose texts and recordings go to one server."""
    options = {"retry": NO_RETRY, **options}
    async with Server(*scripts) as server, KellyAPI(khaya=Khaya("key", base_url=server.url, **options)) as api:
        yield api, server


def text_of(exchange: Exchange) -> str:
    text: str = json.loads(exchange.seen.body)["in"]
    return text


async def shout(exchange: Exchange) -> None:
    await exchange.read()
    await exchange.write(make_response(body=json.dumps(text_of(exchange).upper()).encode()))


class Refusing:
    """Responds to some texts with these bytes, once or always, and to all others in upper case."""

    def __init__(self, *refused: str, response: bytes = REFUSED, once: bool = False) -> None:
        self.refused = list(refused)
        self.response = response
        self.once = once

    async def __call__(self, exchange: Exchange) -> None:
        await exchange.read()
        text = text_of(exchange)
        if text not in self.refused:
            await exchange.write(make_response(body=json.dumps(text.upper()).encode()))
            return
        if self.once:
            self.refused.remove(text)
        await exchange.write(self.response)


def sent_texts(server: Server) -> list[str]:
    return [json.loads(seen.body)["in"] for seen in server.requests]


async def test_each_text_has_its_translation_or_its_error_in_order_and_is_sent_as_often_as_it_occurs() -> None:
    async with khaya(Refusing("b")) as (api, server):
        done = await api.translate_many(["a", "b", "a", "c"], PAIR, window=3)
    assert [each.text if isinstance(each, Translation) else type(each) for each in done] == [
        "A",
        BadRequestError,
        "A",
        "C",
    ]
    assert sorted(sent_texts(server)) == ["a", "a", "b", "c"]


async def test_the_options_of_one_translation_hold_for_all() -> None:
    long = "One. " * 300
    async with khaya(shout) as (api, server):
        (done,) = await api.translate_many([long], source="en", target="tw", split=True, provider="khaya")
    assert isinstance(done, Translation)
    assert (done.text, done.target_language, done.tried) == (long.upper(), "tw", ("khaya",))
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("method", "arguments", "problem"),
    [
        ("translate_many", (["a", "b", "c", " "], PAIR), r"texts\[3\] is empty"),
        ("translate_many", (["a", 5], PAIR), r"texts\[1\] must be a string, not int"),
        ("translate_many", (iter(["a", ""]), PAIR), r"texts\[1\] is empty"),
        ("translate_many", ("text", PAIR), "texts must be a list of strings, not str"),
        ("translate_many", (["a", "b"], "en"), "give the languages as a pair"),
        ("synthesize_many", (["a", ""], "twi"), r"texts\[1\] is empty"),
        ("transcribe_many", ([b"RIFF", b""], "twi"), r"audios\[1\] is empty"),
        ("transcribe_many", ([b"RIFF", 5], "twi"), r"audios\[1\] must be a path, bytes"),
        ("transcribe_many", ([b"RIFF", "no.wav"], "twi"), "No such file.*no.wav"),
        ("transcribe_many", (b"RIFF", "twi"), "audios must be a list"),
    ],
)
async def test_everything_is_checked_before_the_first_is_sent(method: str, arguments: Any, problem: str) -> None:
    async with khaya(shout) as (api, server):
        with pytest.raises((ValueError, TypeError, FileNotFoundError), match=problem):
            await getattr(api, method)(*arguments)
        assert server.requests == []


@pytest.mark.parametrize("window", [1, 3])
async def test_no_more_than_the_window_are_sent_at_once(window: int) -> None:
    async with khaya(hang) as (api, server):
        task = asyncio.create_task(api.translate_many(list("abcdef"), PAIR, window=window))
        await server.until(lambda: len(server.requests) == window)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == window


async def test_a_refused_key_ends_the_run_and_loses_no_translation() -> None:
    async with khaya(Refusing("b", response=make_response(401))) as (api, server):
        with pytest.raises(AuthenticationError) as raised:
            await api.translate_many(list("abcdef"), PAIR, window=1)
    translated, refused = raised.value.partial
    assert (translated.text, refused) == ("A", raised.value)
    assert sent_texts(server) == ["a", "b"]


def test_a_text_that_was_limited_is_sent_again() -> None:
    async def main() -> None:
        response = make_response(429, Retry_After="2")
        async with khaya(Refusing("b", response=response, once=True)) as (api, server):
            started = asyncio.get_running_loop().time()
            done = await api.translate_many(["a", "b", "c"], PAIR, window=2)
            assert asyncio.get_running_loop().time() - started >= 2
        assert [str(each) for each in done] == ["A", "B", "C"]
        assert sorted(sent_texts(server)) == ["a", "b", "b", "c"]

    run(main())


def test_a_long_text_whose_parts_were_limited_is_not_paid_for_again() -> None:
    parts = [letter * 600 + "." for letter in "ab"]

    async def main() -> None:
        response = make_response(429, Retry_After="3599")
        async with khaya(Refusing(parts[1], response=response)) as (api, server):
            (limited,) = await api.translate_many([" ".join(parts)], PAIR, split=True)
        assert isinstance(limited, RateLimitError)
        assert sorted(sent_texts(server)) == parts
        assert [str(each) for each in limited.partial] in ([parts[0].upper(), str(limited)], ["None", str(limited)])

    run(main())


async def test_speeches_come_in_the_order_of_their_texts() -> None:
    async def speak(exchange: Exchange) -> None:
        await exchange.read()
        text = json.loads(exchange.seen.body)["text"]
        await exchange.write(make_response(body=b"RIFF" + text.encode(), kind="audio/wav"))

    counts: list[Any] = []
    async with khaya(speak) as (api, _):
        done = await api.synthesize_many(["a", "b", "a"], "twi", on_progress=lambda *count: counts.append(count))
    assert [each.audio if isinstance(each, Speech) else each for each in done] == [b"RIFFa", b"RIFFb", b"RIFFa"]
    assert counts == [(1, 3), (2, 3), (3, 3)]


def open_files(folder: Path) -> int:
    """Count the handles of this process on files in a folder."""
    found = 0
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found += handle.readlink().parent == folder
        except OSError:  # it was closed meanwhile
            continue
    return found


async def test_files_are_opened_when_their_turn_comes(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.wav" for number in range(40)]
    for path in paths:
        path.write_bytes(b"RIFF" + path.name.encode() * 100_000)
    most = 0

    async def hear(exchange: Exchange) -> None:
        nonlocal most
        most = max(most, open_files(tmp_path))
        await exchange.read()
        await exchange.write(make_response(body=json.dumps(bytes(exchange.seen.body[4:10]).decode()).encode()))

    async with khaya(hear) as (api, server):
        done = await api.transcribe_many(paths, "twi", window=3)
    assert [
        each.text[: len(path.name)] for path, each in zip(paths, done, strict=True) if isinstance(each, Transcript)
    ] == [path.name for path in paths]
    assert len(server.requests) == 40
    assert 0 < most <= 3
    assert open_files(tmp_path) == 0


def test_a_recording_that_can_be_read_once_is_sent_whole_again_after_429() -> None:
    heard: list[bytes] = []

    async def limit_once(exchange: Exchange) -> None:
        await exchange.read()
        heard.append(bytes(exchange.seen.body))
        first = len(heard) == 1
        await exchange.write(make_response(429, Retry_After="1") if first else make_response(body=b'"Hello"'))

    def pieces() -> Iterator[bytes]:
        yield b"RIFF" + b"a" * 5000
        yield b"b" * 5000

    async def main() -> None:
        async with khaya(limit_once) as (api, _):
            (done,) = await api.transcribe_many([pieces()], "twi")
        assert str(done) == "Hello"

    run(main())
    assert heard == [b"RIFF" + b"a" * 5000 + b"b" * 5000] * 2


class Faults:
    """Responds to 5 % of the texts with a fault, always the same for a text."""

    LIMITED = make_response(429, Retry_After="0")
    KINDS: tuple[tuple[bytes, type], ...] = (
        (make_response(500), ServerError),
        (make_response(body=b"<p>", kind="text/html"), DecodingError),
        (b"", TransportError),  # the connection is closed
        (LIMITED, Translation),  # once
    )

    def __init__(self, seed: int) -> None:
        dice = Random(seed)
        self.texts = [f"text {number}" for number in range(TEXTS)]
        self.kinds = {text: dice.choice(self.KINDS) for text in self.texts if dice.random() < 0.05}
        self.limited = [text for text, (script, _) in self.kinds.items() if script is self.LIMITED]

    async def respond(self, exchange: Exchange) -> None:
        await exchange.read()
        text = text_of(exchange)
        response = self.kinds[text][0] if text in self.kinds else self.LIMITED
        if response is self.LIMITED and text not in self.limited:
            response = make_response(body=json.dumps(text.upper()).encode())
        elif response is self.LIMITED:
            self.limited.remove(text)
        await exchange.write(response)
        if not response:
            exchange.writer.close()

    def right(self, text: str, done: Any) -> bool:
        kind = self.kinds.get(text, (None, Translation))[1]
        return type(done) is kind and (kind is not Translation or done.text == text.upper())


async def test_a_thousand_texts_with_faults_come_in_order_with_no_request_more() -> None:
    faults = Faults(seed=1)
    requests = TEXTS + len(faults.limited)
    assert len(faults.kinds) > 30
    assert faults.limited
    async with khaya(faults.respond, max_connections=20) as (api, server):
        done = await api.translate_many(faults.texts, PAIR, window=16)
        assert len(done) == TEXTS
        assert [text for text, each in zip(faults.texts, done, strict=True) if not faults.right(text, each)] == []
        assert len(server.requests) == requests
        assert server.open <= 16


async def test_a_thousand_texts_that_are_cancelled_at_random_moments_leave_nothing_running() -> None:
    dice = Random(3)
    faults = Faults(seed=2)
    own = asyncio.current_task()
    async with khaya(faults.respond, max_connections=8) as (api, server):
        for _ in range(10):
            before, after = len(server.requests), dice.randrange(60)
            task = asyncio.create_task(api.translate_many(faults.texts, PAIR, window=8))
            await server.until(enough(server, before + after))
            for _ in range(dice.randrange(20)):
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            others = asyncio.all_tasks() - server._tasks - {own}
            assert [each for each in others if "ManyResults" in repr(each) or "translate" in repr(each)] == []
            sent = len(server.requests)
            assert (await api.translate("last", PAIR)).text == "LAST"  # the pool is whole
            assert len(server.requests) - sent <= 8 + 1  # those that were on their way, and the last


def enough(server: Server, number: int) -> Callable[[], bool]:
    return lambda: len(server.requests) >= number
