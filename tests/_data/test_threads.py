"""A file that a thread opened is closed if its caller was cancelled."""

from __future__ import annotations

import asyncio
import io
import threading

import pytest

from kellyapi._data.threads import open_in_thread


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
