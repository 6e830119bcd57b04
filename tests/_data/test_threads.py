"""Work in threads: it is done without one if need be, and closes its file if its caller was cancelled."""

from __future__ import annotations

import asyncio
import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from kellyapi._data import threads
from kellyapi._data.threads import open_in_thread, run_off_loop


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
