"""`run_sync` where it cannot work, and how programs that use it end: in processes of their own."""

from __future__ import annotations

import asyncio
import inspect
import json
import time

import pytest
from processes import run_script
from servers import Exchange, Server, make_response

from kellyapi import KellyAPI, iterate_sync, run_sync

IMPORTS = """
import asyncio, os, signal, sys, threading
from kellyapi import Khaya, Skytells, iterate_sync, run_sync
"""
HEAD = f"""
{IMPORTS}
signal.alarm(30)
khaya = Khaya("a-key", base_url=sys.argv[1])
predictions = Skytells("a-key", base_url=sys.argv[1]).predictions
def translate():
    return run_sync(khaya.translate("Good morning", "en-tw")).text
"""


async def respond(exchange: Exchange) -> None:
    await exchange.read()
    if exchange.seen.target.startswith("/predictions"):
        state = "canceled" if exchange.seen.target.endswith("/cancel") else "processing"
        await exchange.write(make_response(body=json.dumps({"id": "a1", "status": state}).encode()))
    else:
        await exchange.write(make_response(body=b'"Maakye"'))


PROGRAMS = {
    "a half-read iterator in a global": (
        'half = iterate_sync(predictions.follow("a1")); print(next(half).status)',
        "processing",
    ),
    "a half-read iterator in a ring": (
        'half = [iterate_sync(predictions.follow("a1"))]; half.append(half); print(next(half[0]).status)',
        "processing",
    ),
    "a half-read stream in a global": (
        'half = iterate_sync(khaya.synthesize_stream("Good morning", "eng")); print(next(half).decode())',
        '"Maakye"',
    ),
    "another policy after the first call": (
        """
print(translate())
class Policy(type(asyncio.get_event_loop_policy())):
    pass
asyncio.set_event_loop_policy(Policy())
print(translate())
""",
        "Maakye\nMaakye",
    ),
    "a policy that has no loop": (
        """
print(translate())
class Policy(type(asyncio.get_event_loop_policy())):
    def get_event_loop(self):
        raise RuntimeError("there is no current event loop")
asyncio.set_event_loop_policy(Policy())
print(translate())
""",
        "Maakye\nMaakye",
    ),
    "a forked child that ends as programs do": (
        """
print(translate(), flush=True)
half = iterate_sync(predictions.follow("a1")); print(next(half).status, flush=True)
if not (child := os.fork()):
    print("child", translate(), flush=True)
    sys.exit()
print(os.waitpid(child, 0)[1], translate())
half.close()
""",
        "Maakye\nprocessing\nchild Maakye\n0 Maakye",
    ),
    "a forked child that does not call": (
        """
print(translate(), flush=True)
if not (child := os.fork()):
    sys.exit()
print(os.waitpid(child, 0)[1], translate(), translate())
""",
        "Maakye\n0 Maakye Maakye",
    ),
    "a fork while a call runs": (
        """
print(translate(), flush=True)
other = threading.Thread(target=lambda: run_sync(asyncio.sleep(0.5)))
other.start()
if not (child := os.fork()):
    print("child", translate(), flush=True)
    sys.exit()
print(os.waitpid(child, 0)[1], translate())
other.join()
""",
        "Maakye\nchild Maakye\n0 Maakye",
    ),
}


@pytest.mark.parametrize(("program", "printed"), PROGRAMS.values(), ids=PROGRAMS)
async def test_a_program_ends_without_a_warning(program: str, printed: str) -> None:
    kind = "audio/wav" if "stream(" in program else "application/json"
    async with Server(make_response(body=b'"Maakye"', kind=kind) if "stream(" in program else respond) as server:
        quiet = "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\n"  # of forks beside threads
        assert await run_script(HEAD + quiet + program, server.url) == printed
        await server.until(lambda: server.open == 0)


async def test_a_half_read_iterator_cancels_its_prediction_when_the_program_ends() -> None:
    program = 'half = iterate_sync(predictions.follow("a1", cancel_on_exit=True)); next(half)'
    async with Server(respond) as server:
        await run_script(HEAD + program, server.url)
        assert [seen.target for seen in server.requests] == ["/predictions/a1", "/predictions/a1/cancel"]


async def test_a_call_while_python_is_ending_is_an_error_and_no_deadlock() -> None:
    program = """
class Late:
    def __del__(self, run_sync=run_sync, sleep=asyncio.sleep, write=os.write):  # the globals may be gone
        try:
            run_sync(sleep(0))
        except RuntimeError as error:
            write(1, str(error).encode())
late = Late()
translate()
"""
    async with Server(respond) as server:
        printed = await run_script(HEAD + program, server.url)
        assert printed.startswith("run_sync was called while Python is ending: ")


async def test_a_call_that_would_block_the_loop_of_the_sandbox_is_refused_at_once() -> None:
    async with KellyAPI.sandbox() as api:
        started = time.monotonic()
        call = api.translate("Thank you", "en-tw")
        with pytest.raises(RuntimeError, match="use await"):
            run_sync(call)
        assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED
        with pytest.raises(RuntimeError, match="use await"):
            list(iterate_sync(api.skytells.predictions.follow("a1")))
        assert time.monotonic() - started < 5  # a call to the sandbox would take the 60 s of its timeout
        thanks = await asyncio.to_thread(lambda: run_sync(api.translate("Thank you", "en-tw")))
        assert thanks.text == (await api.translate("Thank you", "en-tw")).text
    assert run_sync(asyncio.sleep(0, "closed")) == "closed"
