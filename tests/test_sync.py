"""The library from code without an event loop."""

from __future__ import annotations

import asyncio
import inspect
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from processes import run_script, script
from servers import AT_ONCE, KEY, OK, Exchange, Script, Server, Shop, cut, hang, make_response, pausing

from kellyapi import KellyAPI, sync
from kellyapi.errors import ConfigurationError, StatusError, TransportError
from kellyapi.sync import iterate_sync, open_sync, run_sync

Serve = Callable[..., tuple[Shop, Server]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers on the background loop, which runs while the calling thread waits."""
    started: list[tuple[Shop, Server]] = []

    def start(*scripts: Script) -> tuple[Shop, Server]:
        server = Server(*scripts)
        run_sync(server.__aenter__())
        started.append((Shop(KEY, base_url=server.url, retry=AT_ONCE), server))
        return started[-1]

    yield start
    for shop, server in started:
        run_sync(shop.close())
        run_sync(server.__aexit__(None, None, None))


def test_many_calls_with_one_client_reuse_one_session(serve: Serve) -> None:
    shop, server = serve(OK)
    for _ in range(20):
        assert run_sync(shop.look()) == {}
    assert (len(server.requests), server.connections) == (20, 1)


def test_a_client_is_closed_and_used_again_without_a_loop(serve: Serve) -> None:
    shop, server = serve(OK)
    for _ in range(2):
        run_sync(shop.look())
        run_sync(shop.close())
        run_sync(server.until(lambda: server.open == 0))
    assert server.connections == 2


def test_errors_are_raised_unchanged(serve: Serve) -> None:
    shop, _ = serve(make_response(404, b'{"problem": "no fox"}'))
    with pytest.raises(StatusError, match="no fox"):
        run_sync(shop.look())
    with pytest.raises(ConfigurationError):
        run_sync(Shop(base_url=shop.base_url).look())


def test_several_threads_call_at_once(serve: Serve) -> None:
    together = threading.Barrier(8, timeout=20)
    meeting = asyncio.Event()

    async def meet(exchange: Exchange) -> None:
        if len(server.requests) >= 8:
            meeting.set()
        await meeting.wait()
        await exchange.write(OK)

    shop, server = serve(meet)
    results: list[object] = []

    def work() -> None:
        together.wait()
        for _ in range(3):
            results.append(run_sync(shop.look()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [{}] * 24
    assert server.connections == 8


async def test_run_sync_works_inside_a_running_loop(serve: Serve) -> None:
    shop, server = serve(OK, make_response(body=b"abc"))
    assert run_sync(shop.look()) == {}
    assert b"".join(iterate_sync(shop.listen())) == b"abc"
    assert len(server.requests) == 2


def test_any_awaitable_is_accepted() -> None:
    class Ready:
        def __await__(self) -> Iterator[None]:
            yield from asyncio.sleep(0).__await__()
            return 5

    assert run_sync(Ready()) == 5


@pytest.mark.parametrize("wrong", [None, 5, lambda: None, "text", object()])
def test_an_argument_that_is_not_awaitable_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match="run_sync takes a coroutine"):
        run_sync(wrong)  # type: ignore[arg-type]  # on purpose


async def numbers(closed: list[str]) -> AsyncIterator[int]:
    try:
        for number in range(3):
            yield number
    finally:
        closed.append(asyncio.current_task() is not None and threading.current_thread().name)


def test_an_argument_that_is_not_an_async_iterator_is_refused() -> None:
    with pytest.raises(TypeError):
        next(iterate_sync([1, 2]))  # type: ignore[arg-type]  # on purpose
    with pytest.raises(TypeError, match="run_sync takes a coroutine"):
        run_sync(numbers([]))  # type: ignore[arg-type]  # on purpose


def test_run_sync_with_another_awaitable_on_its_own_loop_is_the_same_error() -> None:
    async def misused() -> object:
        return run_sync(asyncio.get_running_loop().create_future())

    with pytest.raises(RuntimeError, match="use await"):
        run_sync(misused())


def test_run_sync_inside_its_own_coroutine_is_an_error_and_no_deadlock(serve: Serve) -> None:
    shop, server = serve(OK)
    call = shop.look()

    async def misused() -> object:
        return run_sync(call)

    with pytest.raises(RuntimeError, match="use await"):
        run_sync(misused())
    assert inspect.getcoroutinestate(call) == inspect.CORO_CLOSED
    assert server.requests == []


def test_an_async_generator_is_iterated_to_its_end_and_closed() -> None:
    closed: list[str] = []
    assert list(iterate_sync(numbers(closed))) == [0, 1, 2]
    assert closed == ["kellyapi-loop"]


def test_leaving_the_loop_early_closes_the_generator_at_once() -> None:
    closed: list[str] = []
    for number in iterate_sync(numbers(closed)):
        assert number == 0
        break
    assert closed == ["kellyapi-loop"]


def test_an_error_of_the_iterator_is_raised_and_ends_it() -> None:
    async def failing() -> AsyncIterator[int]:
        yield 1
        raise LookupError("mine")

    items = iterate_sync(failing())
    assert next(items) == 1
    with pytest.raises(LookupError, match="mine"):
        next(items)
    assert list(items) == []


def test_an_iterator_without_aclose_is_iterated_too() -> None:
    class Few:
        left = 2

        def __aiter__(self) -> Few:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return self.left

    assert list(iterate_sync(Few())) == [1, 0]


def test_a_stream_is_iterated_and_leaving_it_early_frees_its_connection(serve: Serve) -> None:
    shop, server = serve(
        make_response(body=b"abc"), pausing(make_response(body=b"x" * 100)[:-50]), cut(make_response(body=b"abc")[:-1])
    )
    assert b"".join(iterate_sync(shop.listen())) == b"abc"
    for piece in iterate_sync(shop.listen()):
        assert piece == b"x" * 50
        break
    run_sync(server.until(lambda: server.open == 0))
    with pytest.raises(TransportError):
        list(iterate_sync(shop.listen()))


def test_the_background_loop_is_started_once_by_threads_that_race() -> None:
    sync._stop()
    together = threading.Barrier(8, timeout=20)
    loops: list[object] = []

    async def loop() -> object:
        return asyncio.get_running_loop()

    def work() -> None:
        together.wait()
        loops.append(run_sync(loop()))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loops) == 8
    assert len(set(loops)) == 1


def test_a_stopped_loop_is_replaced_by_another(serve: Serve) -> None:
    sync._stop()
    sync._stop()
    shop, _ = serve(OK)
    assert run_sync(shop.look()) == {}


# -- processes ---------------------------------------------------------------------------------------------------------

IMPORTS = """
import asyncio, os, signal, sys, threading
from kellyapi import Khaya, iterate_sync, run_sync
"""
HEAD = f"""
{IMPORTS}
khaya = Khaya("a-key", base_url=sys.argv[1])
def translate():
    return run_sync(khaya.translate("Good morning", "en-tw")).text
"""
SCRIPTS = {
    "calls": "print(translate(), translate())",
    "threads": """
texts = []
threads = [threading.Thread(target=lambda: texts.append(translate())) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(*texts)
""",
    "inside a loop": """
async def main():
    print(translate(), translate())
asyncio.run(main())
""",
    "a stream": """
for piece in iterate_sync(khaya.synthesize_stream("Good morning", "eng")):
    print(piece.decode(), piece.decode())
    break
""",
    "closed": """
print(translate(), end=" ")
run_sync(khaya.close())
print(translate())
""",
    "closed at the program's end": """
import atexit
atexit.register(lambda: run_sync(khaya.close()))
print(translate(), translate())
""",
}


@pytest.mark.parametrize("source", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_plain_script_ends_without_a_warning_and_closes_its_connections(source: str) -> None:
    kind = "audio/wav" if "stream" in source else "application/json"
    async with Server(make_response(body=b'"Maakye"', kind=kind)) as server:
        assert (await run_script(HEAD + source, server.url)).replace('"', "") == "Maakye Maakye"
        await server.until(lambda: server.open == 0)


async def test_ctrl_c_cancels_the_call_and_the_next_one_works() -> None:
    twice = """
try:
    translate()
except KeyboardInterrupt:
    print("interrupted", translate())
"""
    async with Server(hang, make_response(body=b'"Maakye"')) as server, script(HEAD + twice, server.url) as process:
        await server.until(lambda: len(server.requests) == 1)
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert (out.decode().strip(), err.decode(), process.returncode) == ("interrupted Maakye", "", 0)
        await server.until(lambda: server.open == 0)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "call",
    ["translate()", "list(iterate_sync(khaya.synthesize_stream('Good morning', 'eng')))"],
    ids=["call", "iterator"],
)
async def test_ctrl_c_ends_the_program_with_one_traceback(call: str) -> None:
    async with Server(hang) as server, script(HEAD + call, server.url) as process:
        await server.until(lambda: len(server.requests) == 1)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        await server.until(lambda: server.open == 0)
        assert err.decode().count("Traceback") == 1
        assert err.decode().strip().endswith("KeyboardInterrupt")
        assert process.returncode == -signal.SIGINT


FORK = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads is what is tried here
print(len(translate()), end=" ", flush=True)
child = os.fork()
if not child:
    print(len(translate()), end=" ", flush=True)
    os._exit(0)
signal.alarm(20)
assert os.waitpid(child, 0)[1] == 0
print(len(translate()))
"""


@pytest.mark.parametrize("size", [6, 300 * 2**10], ids=["small", "large"])
async def test_a_forked_child_and_its_parent_keep_working_separately(size: int) -> None:
    async with Server(make_response(body=b'"' + b"x" * size + b'"')) as server:
        assert await run_script(HEAD + FORK, server.url) == f"{size} {size} {size}"
        assert len({seen.connection for seen in server.requests}) == 2


def test_a_client_is_opened_and_closed_without_a_loop(serve: Serve) -> None:
    shop, server = serve(OK, make_response(404, b"{}"))
    with open_sync(shop) as opened:
        assert opened is shop
        run_sync(opened.look())
        assert server.open == 1
    run_sync(server.until(lambda: server.open == 0))
    with pytest.raises(StatusError), open_sync(shop):
        run_sync(shop.look())
    run_sync(server.until(lambda: server.open == 0))
    assert server.connections == 2


def test_a_sandbox_runs_on_the_background_loop() -> None:
    with open_sync(KellyAPI.sandbox()) as api:
        assert run_sync(api.translate("Thank you", "en-tw")).text == "Medaase"


def test_what_a_context_handles_is_not_raised() -> None:
    class Quiet:
        async def __aenter__(self) -> int:
            return 5

        async def __aexit__(self, kind: object, error: object, frames: object) -> bool:
            self.error = error
            return True

    quiet = Quiet()
    with open_sync(quiet) as five:
        raise LookupError("mine")
    assert five == 5
    assert isinstance(quiet.error, LookupError)
