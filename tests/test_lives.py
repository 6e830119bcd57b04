"""The lives of a client, each in a process of its own where every warning is an error."""

from __future__ import annotations

import pytest
from servers import Server, answer, run_script

HEAD = """
import asyncio, gc, os, sys, threading
import aiohttp
from kellyapi import KellyAPI, Khaya, RetryPolicy
url = sys.argv[1]
def khaya(**options):
    return Khaya("a-key", base_url=url, **options)
"""
LIVES = {
    "a block": (1, """
async def main():
    async with khaya() as client:
        await client.translate("Good morning", "en-tw")
        await client.translate("Good morning", "en-tw")
asyncio.run(main())
"""),
    "a block that an error ends": (1, """
async def main():
    async with khaya() as client:
        await client.translate("Good morning", "en-tw")
        raise LookupError
try:
    asyncio.run(main())
except LookupError:
    pass
"""),
    "closed by hand": (1, """
async def main():
    client = khaya()
    await client.translate("Good morning", "en-tw")
    await client.close()
asyncio.run(main())
"""),
    "two loops, never closed": (2, """
client = khaya()
asyncio.run(client.translate("Good morning", "en-tw"))
asyncio.run(client.translate("Good morning", "en-tw"))
"""),
    "two loops, each with a block": (2, """
client = khaya()
async def main():
    async with client:
        await client.translate("Good morning", "en-tw")
asyncio.run(main())
asyncio.run(main())
"""),
    "dropped while its loop runs": (1, """
async def main():
    client = khaya()
    await client.translate("Good morning", "en-tw")
    del client
    gc.collect()
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
asyncio.run(main())
"""),
    "dropped in a ring": (1, """
class Bot:
    def __init__(self):
        self.khaya, self.itself = khaya(), self
async def main():
    await Bot().khaya.translate("Good morning", "en-tw")
    gc.collect()
    await asyncio.sleep(0.01)
asyncio.run(main())
"""),
    "dropped at the end of its loop": (1, """
async def main():
    client = khaya()
    await client.translate("Good morning", "en-tw")
asyncio.run(main())
gc.collect()
"""),
    "one for each call": (3, """
async def main():
    for _ in range(3):
        await khaya().translate("Good morning", "en-tw")
asyncio.run(main())
"""),
    "never used": (0, """
khaya()
async def main():
    async with khaya():
        pass
    await khaya().close()
asyncio.run(main())
"""),
    "several threads": (4, """
client = khaya()
def work():
    for _ in range(2):
        asyncio.run(client.translate("Good morning", "en-tw"))
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""),
    "a session of the user's": (1, """
async def main():
    async with aiohttp.ClientSession() as session:
        async with khaya(session=session) as client:
            await client.translate("Good morning", "en-tw")
        await khaya(session=lambda: session).translate("Good morning", "en-tw")
        await khaya(session=session).close()
        assert not session.closed
asyncio.run(main())
"""),
    "the session class itself": (2, """
client = khaya(session=aiohttp.ClientSession)
asyncio.run(client.translate("Good morning", "en-tw"))
asyncio.run(client.translate("Good morning", "en-tw"))
"""),
    "siblings and KellyAPI on one session": (1, """
async def main():
    async with KellyAPI("a-key", url, khaya=khaya()) as api:
        await api.translate("Good morning", "en-tw")
        await api.with_options(timeout=5).khaya.translate("Good morning", "en-tw")
asyncio.run(main())
"""),
    "a call that is cancelled": (None, """
async def main():
    client = khaya()
    call = asyncio.create_task(client.translate("Good morning", "en-tw"))
    while not call.done() and not client._connection.transport._sessions:
        await asyncio.sleep(0)
    for _ in range(3):
        await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await client.translate("Good morning", "en-tw")
asyncio.run(main())
"""),
    "a stream that is left early": (1, """
async def main():
    client = khaya()
    async with client.synthesize_stream("Good morning", "eng") as stream:
        async for piece in stream:
            break
    gc.collect()
asyncio.run(main())
"""),
    "a stream that is dropped": (1, """
async def main():
    async for piece in khaya().synthesize_stream("Good morning", "eng"):
        break
    gc.collect()
asyncio.run(main())
"""),
    "an upload that fails": (1, """
async def sound():
    yield b"fLaC"
    raise LookupError
async def main():
    try:
        await khaya().transcribe(sound(), "twi")
    except Exception:
        pass
    gc.collect()
asyncio.run(main())
"""),
}  # fmt: skip


@pytest.mark.parametrize(("connections", "life"), LIVES.values(), ids=LIVES)
async def test_a_life_ends_without_a_warning_and_with_its_connections_closed(
    connections: int | None, life: str
) -> None:
    async with Server(
        answer(body=b'"Maakye"', kind="audio/wav" if "stream(" in life else "application/json")
    ) as server:
        assert await run_script(HEAD + life, server.url) == ""
        await server.until(lambda: server.open == 0)
        assert connections in (None, server.connections)


async def test_importing_the_package_imports_neither_aiohttp_nor_asyncio_and_a_name_brings_what_it_needs() -> None:
    script = """
import sys, kellyapi
assert not {"aiohttp", "asyncio", "attrs", "cattrs"} & set(sys.modules)
kellyapi.RetryPolicy
assert "aiohttp" not in sys.modules
kellyapi.Khaya("a-key")
assert "aiohttp" in sys.modules
"""
    assert await run_script(script) == ""
