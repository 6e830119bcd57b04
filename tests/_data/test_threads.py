"""Work in threads: it is done without one if need be, and closes its file if its caller was cancelled."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kellyapi._data import threads
from kellyapi._data.media import open_media
from kellyapi._data.threads import call_patiently, open_in_thread, run_off_loop, to_thread


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_file_that_opens_after_everything_was_cancelled_is_closed(times: int) -> None:
    released, opened = threading.Event(), io.BytesIO()

    def open_slowly() -> io.BytesIO:
        released.wait()
        return opened

    async def program() -> None:
        task = asyncio.ensure_future(open_in_thread(open_slowly))
        for _ in range(times):
            await asyncio.sleep(0)
            task.cancel()
        asyncio.get_running_loop().call_soon(released.set)

    asyncio.run(program())
    assert opened.closed


@pytest.mark.parametrize("reason", ["Python ends", "there are too many"])
async def test_work_is_done_at_once_if_no_thread_can_be_started(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    ended = ThreadPoolExecutor(1)
    monkeypatch.setattr(threads, "_worker", ended)
    if reason == "Python ends":
        ended.shutdown()
    else:
        monkeypatch.setattr(threading.Thread, "start", fail)
    assert await run_off_loop(len, b"abc", size=2**20) == 3


@pytest.mark.parametrize("kind", ["a named pipe", "an open pipe", "an iterator"])
def test_the_end_of_the_loop_does_not_wait_for_a_source_without_data(kind: str, tmp_path: Path) -> None:
    named, (read, write) = tmp_path / "pipe", os.pipe()
    os.mkfifo(named)
    with os.fdopen(read, "rb") as pipe, os.fdopen(write, "wb") as other_end:
        sources: dict[str, Any] = {"a named pipe": named, "an open pipe": pipe, "an iterator": iter(pipe.readline, b"")}

        async def program() -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await open_media(sources[kind], "audio")

        asyncio.run(program())
        other_end.close()  # the thread ends
        if kind == "a named pipe":
            os.close(os.open(named, os.O_WRONLY))
        for thread in threading.enumerate():
            if thread.name == "kellyapi-wait":
                thread.join()


@pytest.mark.parametrize("call", [to_thread, call_patiently])
async def test_a_file_is_read_when_the_main_thread_has_ended(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(ThreadPoolExecutor, "submit", refuse)
        patch.setattr(threading.Thread, "start", refuse)
        assert await call(len, b"abc") == 3
        assert (await open_in_thread(lambda: io.BytesIO(b"abc"))).read() == b"abc"
