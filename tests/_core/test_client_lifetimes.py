"""Programs that use a client, each in its own process where every warning is an error."""

from __future__ import annotations

import pytest
from processes import run_script
from servers import Server, make_response

from .lifetime_programs import HEAD

PROGRAMS = {
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
    except Exception:  # what is raised is not the question here
        pass
    gc.collect()
asyncio.run(main())
"""),
    "each of the four alone": (4, """
async def main():
    for kind in Kelly, Khaya, Skytells, Aerostack:
        client = kind("a-key", base_url=url)
        await client._fetch("/anything", into=str)
        gc.collect()
        await client.close()
        await client.close()
asyncio.run(main())
"""),
    "each of the four dropped": (4, """
async def main():
    for kind in Kelly, Khaya, Skytells, Aerostack:
        await kind("a-key", base_url=url)._fetch("/anything", into=str)
        gc.collect()
asyncio.run(main())
gc.collect()
"""),
    "KellyAPI: two loops, never closed": (2, """
api = KellyAPI("a-key", url, khaya=khaya())
asyncio.run(api.translate("Good morning", "en-tw"))
gc.collect()
asyncio.run(api.translate("Good morning", "en-tw"))
"""),
    "KellyAPI dropped": (1, """
async def main():
    api = KellyAPI("a-key", url, khaya=khaya())
    await api.translate("Good morning", "en-tw")
    await api.kelly.models("chat")
    del api
    gc.collect()
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > 1:
            await asyncio.sleep(0.001)
asyncio.run(main())
"""),
    "a sibling outlives the client that is closed": (2, """
async def main():
    client = khaya()
    sibling = client.with_options(timeout=5).with_access(api_key="another")
    await client.translate("Good morning", "en-tw")
    await client.close()
    del client
    gc.collect()
    await sibling.translate("Good morning", "en-tw")
asyncio.run(main())
"""),
    "a group outlives its client": (1, """
async def main():
    cache = Aerostack("a-key", base_url=url).cache
    gc.collect()
    await cache._fetch("/anything", into=str)
    await cache._fetch("/anything", into=str)
asyncio.run(main())
"""),
    "a session of another loop": (0, """
async def make():
    return aiohttp.ClientSession()
async def main(session):
    try:
        await khaya(session=session).translate("Good morning", "en-tw")
    except ConfigurationError as error:
        assert "another event loop" in str(error)
with asyncio.Runner() as runner:
    session = runner.run(make())
    thread = threading.Thread(target=lambda: asyncio.run(main(session)))
    thread.start()
    thread.join()
    runner.run(session.close())
"""),
    "a function of the user's that makes sessions": (2, """
made = []
def make():
    made.append(aiohttp.ClientSession())
    return made[-1]
client = khaya(session=make)
async def main():
    await client.translate("Good morning", "en-tw")
    await client.translate("Good morning", "en-tw")
    await client.close()
    assert not made[-1].closed
    await made[-1].close()
asyncio.run(main())
asyncio.run(main())
assert len(made) == 2
"""),
    "one client in loops, threads and without a loop": (4, """
client = khaya()
def work():
    assert asyncio.run(client.translate("Good morning", "en-tw")).text == "Maakye"
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads:
    thread.start()
work()
assert run_sync(client.translate("Good morning", "en-tw")).text == "Maakye"
for thread in threads:
    thread.join()
gc.collect()
"""),
    "a stream that outlives its loop": (1, """
kept = []
async def main():
    stream = khaya().synthesize_stream("Good morning", "eng")
    kept.append(stream)
    await stream.__aenter__()
asyncio.run(main())
gc.collect()
asyncio.run(kept[0].aclose())
kept.clear()
gc.collect()
"""),
    "a stream that is never entered": (0, """
async def main():
    khaya().synthesize_stream("Good morning", "eng")
    gc.collect()
asyncio.run(main())
khaya().synthesize_stream("Good morning", "eng")
"""),
    "a call that goes on when its loop ends": (None, """
calls = []
async def main():
    client = khaya()
    calls.append(asyncio.create_task(client.translate("Good morning", "en-tw")))
    for _ in range(3):
        await asyncio.sleep(0)
asyncio.run(main())
gc.collect()
assert calls[0].cancelled()
"""),
    "a group of calls of which one fails": (None, """
async def main():
    client = khaya()
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(client.translate("Good morning", "en-tw"))
        group.create_task(client.translate("", "en-tw"))
try:
    asyncio.run(main())
except* ValueError:
    pass
gc.collect()
"""),
    "a call that is never awaited to its end": (None, """
async def main():
    call = khaya().translate("Good morning", "en-tw")
    try:
        async with asyncio.timeout(0):
            await call
    except TimeoutError:
        pass
    gc.collect()
asyncio.run(main())
"""),
}  # fmt: skip


@pytest.mark.parametrize(("connections", "program"), PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_ends_without_a_warning_and_closes_its_connections(
    connections: int | None, program: str
) -> None:
    async with Server(
        make_response(body=b'"Maakye"', kind="audio/wav" if "stream(" in program else "application/json")
    ) as server:
        assert await run_script(HEAD + program, server.url) == ""
        await server.until(lambda: server.open == 0)
        assert connections in (None, server.connections)
