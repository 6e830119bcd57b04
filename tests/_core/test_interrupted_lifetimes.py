"""Ctrl+C in the middle of a call, and the end of a sandbox."""

from __future__ import annotations

import signal

import pytest
from processes import run_script, script
from servers import Server, hang

from .lifetime_programs import HEAD

INTERRUPTED = {
    "a call": """
async def main():
    await khaya().translate("Good morning", "en-tw")
""",
    "a block": """
async def main():
    async with khaya() as client:
        await client.translate("Good morning", "en-tw")
""",
    "a stream": """
async def main():
    async for piece in khaya().synthesize_stream("Good morning", "eng"):
        pass
""",
    "several": """
client = khaya()
async def main():
    await asyncio.gather(*(client.translate("Good morning", "en-tw") for _ in range(5)))
""",
}


@pytest.mark.parametrize("program", INTERRUPTED.values(), ids=INTERRUPTED)
async def test_ctrl_c_ends_a_program_without_a_warning(program: str) -> None:
    end = """
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
gc.collect()
"""
    async with Server(hang) as server, script(HEAD + program + end, server.url) as process:
        await server.until(lambda: bool(server.requests))
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert (out.decode().strip(), err.decode(), process.returncode) == ("interrupted", "", 0)
        await server.until(lambda: server.open == 0)


async def test_a_sandbox_and_its_client_end_without_a_warning() -> None:
    program = """
import asyncio, gc
from kellyapi import KellyAPI
async def main():
    async with KellyAPI.sandbox() as api:
        await api.aerostack.cache.set("greeting", "Maakye")
        gc.collect()
    gc.collect()
asyncio.run(main())
gc.collect()
"""
    assert await run_script(program) == ""
