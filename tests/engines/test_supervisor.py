"""The engines' process, with functions that need only the standard library."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kellyapi.sandbox.engines import supervisor
from kellyapi.sandbox.engines.errors import BadInput, EngineMissing
from kellyapi.sandbox.engines.supervisor import EngineSupervisor

SCRIPT = """
import asyncio
from kellyapi.sandbox.engines.supervisor import EngineSupervisor

async def main():
    # In debug mode asyncio logs slow callbacks, which depend on the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    engines = EngineSupervisor("engines_of_a_test", keep=True)
    print(await engines.run("plain.process"), flush=True)
    {then}

asyncio.run(main())
"""


def run_script(folder: Path, then: str) -> "subprocess.CompletedProcess[str]":
    """Run a script without a `__main__` guard. If a child outlives it, stderr stays open and this times out."""
    (folder / "script.py").write_text(SCRIPT.format(then=then))
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(folder / "script.py")],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


async def test_arguments_and_return_value_cross_the_pipes(engines: EngineSupervisor) -> None:
    value = {"text": "Ɛte sɛn?", "audio": bytes(range(256)), "words": [("a", 0.5)], "note": None}
    assert await engines.run("plain.echo", value=value) == value


async def test_the_child_is_another_process_and_the_same_for_every_call(engines: EngineSupervisor) -> None:
    first, second = await engines.run("plain.process"), await engines.run("plain.process")
    assert first == second != os.getpid()


async def test_twenty_megabytes_cross_both_pipes(engines: EngineSupervisor) -> None:
    picture = os.urandom(20 << 20)
    assert await engines.run("plain.echo", value=picture) == picture


async def test_concurrent_calls_get_their_own_results(engines: EngineSupervisor) -> None:
    assert await asyncio.gather(*(engines.run("plain.echo", value=n) for n in range(50))) == list(range(50))


async def test_the_child_imports_no_third_party_package_by_itself(engines: EngineSupervisor) -> None:
    modules = await engines.run("plain.modules")
    assert not {"numpy", "soundfile", "pocketsphinx", "espeakng_loader", "PIL", "aiohttp"} & set(modules)


async def test_prints_and_reads_in_the_child_do_not_touch_the_pipes(
    new_engines: EngineSupervisor, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await new_engines.run("plain.shout") == b""
    assert await new_engines.run("plain.echo", value=1) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert "from C" in err
    assert "from Python" in err


async def test_bad_input_arrives_as_it_was_raised(engines: EngineSupervisor) -> None:
    with pytest.raises(BadInput) as raised:
        await engines.run("plain.refuse", kind="voice")
    assert (raised.value.kind, raised.value.message, str(raised.value)) == ("voice", "it is no use", "it is no use")


async def test_a_missing_package_says_what_to_install(engines: EngineSupervisor) -> None:
    with pytest.raises(EngineMissing, match=r"no_such_package.*pip install \"kellyapi\[sandbox\]\""):
        await engines.run("plain.lack")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fail", "LookupError: .*nothing under that name"),
        ("unsendable", "lambda"),
        ("no_such_function", "AttributeError"),
    ],
)
async def test_any_other_failure_is_a_runtime_error_and_the_child_keeps_running(
    engines: EngineSupervisor, function: str, message: str
) -> None:
    child = await engines.run("plain.process")
    with pytest.raises(RuntimeError, match=message):
        await engines.run(f"plain.{function}")
    assert await engines.run("plain.process") == child


async def test_a_failure_carries_the_traceback_of_the_child(engines: EngineSupervisor) -> None:
    with pytest.raises(RuntimeError) as raised:
        await engines.run("plain.fail")
    assert "in fail" in raised.value.__notes__[0]


async def test_a_child_that_exits_fails_its_call_and_the_next_call_starts_another(engines: EngineSupervisor) -> None:
    before = await engines.run("plain.process")
    with pytest.raises(RuntimeError, match=r"ended with code 7 in .*plain\.die"):
        await engines.run("plain.die", code=7)
    assert await engines.run("plain.process") != before


async def test_a_child_that_is_killed_during_a_call_fails_the_call(engines: EngineSupervisor, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    child = await engines.run("plain.process")
    waiting = asyncio.create_task(engines.run("plain.wait_for", pipe=folder / "pipe"))
    with await asyncio.to_thread(open, folder / "pipe", "w"):  # opens when the child has opened its end
        os.kill(child, signal.SIGKILL)
        with pytest.raises(RuntimeError, match="code -9"):
            await waiting
    assert await engines.run("plain.echo", value="alive") == "alive"


async def test_the_result_of_a_cancelled_call_reaches_no_other_call(engines: EngineSupervisor, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    cancelled = asyncio.create_task(engines.run("plain.wait_for", pipe=folder / "pipe"))
    with await asyncio.to_thread(open, folder / "pipe", "w") as pipe:
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        following = [asyncio.create_task(engines.run("plain.echo", value=n)) for n in range(10)]
        pipe.write("the reply to the cancelled call")
    assert await asyncio.gather(*following) == list(range(10))


async def test_calls_that_are_cancelled_early_do_not_affect_others(engines: EngineSupervisor) -> None:
    calls = [asyncio.create_task(engines.run("plain.echo", value=n)) for n in range(40)]
    for turn, call in enumerate(calls):
        if turn % 3 == 0:
            call.cancel()
        await asyncio.sleep(0)
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer for answer in answers if not isinstance(answer, asyncio.CancelledError)] == [
        n for n in range(40) if n % 3
    ]


async def test_an_interrupt_does_not_end_the_child(engines: EngineSupervisor) -> None:
    child = await engines.run("plain.process")
    os.kill(child, signal.SIGINT)
    assert await engines.run("plain.process") == child


async def test_closing_kills_a_working_child_and_fails_its_calls(engines: EngineSupervisor, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    child = await engines.run("plain.process")
    calls = [asyncio.create_task(engines.run("plain.wait_for", pipe=folder / "pipe")) for _ in range(3)]
    with await asyncio.to_thread(open, folder / "pipe", "w"):
        await engines.close()
    assert [type(answer) for answer in await asyncio.gather(*calls, return_exceptions=True)] == [RuntimeError] * 3
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    with pytest.raises(RuntimeError, match="closed"):
        await engines.run("plain.process")


def test_a_child_that_was_killed_before_its_request_arrived_is_ended() -> None:
    child = supervisor._Child(supervisor._get_origin())
    child.kill()
    child._process.wait()
    assert child.call(b"request") is None
    assert child.end() == -signal.SIGKILL


async def test_closing_while_the_child_starts_leaves_no_child(folder: Path) -> None:
    engines = EngineSupervisor("engines_of_a_test")
    call = asyncio.create_task(engines.run("plain.process"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await engines.close()
    with pytest.raises(RuntimeError):
        await call


async def test_the_child_ends_at_close(new_engines: EngineSupervisor) -> None:
    child = await new_engines.run("plain.process")
    await new_engines.close()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


@pytest.fixture
async def kept(folder: Path) -> int:
    """The process of a child that was kept by engines that are closed."""
    engines = EngineSupervisor("engines_of_a_test", keep=True)
    process: int = await engines.run("plain.process")
    await engines.close()
    return process


async def test_the_next_engines_use_a_kept_child(kept: int, engines: EngineSupervisor) -> None:
    assert await engines.run("plain.process") == kept


async def test_engines_at_the_same_time_have_a_child_each(kept: int, engines: EngineSupervisor) -> None:
    others = EngineSupervisor("engines_of_a_test")
    assert kept == await engines.run("plain.process") != await others.run("plain.process")
    await others.close()


async def test_a_kept_child_is_left_to_engines_that_find_the_same_modules(
    kept: int, engines: EngineSupervisor, tmp_path: Path
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path / "elsewhere")
        others = EngineSupervisor("engines_of_a_test")
        assert await others.run("plain.process") != kept
        await others.close()
    assert await engines.run("plain.process") == kept


async def test_an_idle_child_is_replaced_when_other_modules_are_found(
    engines: EngineSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await engines.run("plain.process")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    assert await engines.run("plain.process") != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


async def test_a_kept_child_that_was_killed_is_replaced(kept: int, engines: EngineSupervisor) -> None:
    os.kill(kept, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, kept, os.WEXITED | os.WNOWAIT)
    assert await engines.run("plain.process") != kept


async def test_closing_before_the_first_call_or_twice_does_nothing() -> None:
    engines = EngineSupervisor()
    await engines.close()
    await engines.close()


@pytest.mark.parametrize(
    "then",
    [
        "await engines.close()",
        "call = asyncio.create_task(engines.run('plain.echo', value=bytes(9 << 20))); await asyncio.sleep(0);"
        " await engines.close(); await asyncio.wait([call]); call.exception()",
        "call = asyncio.create_task(engines.run('plain.die', code=3)); await asyncio.wait([call]); call.exception();"
        " await engines.close()",
    ],
    ids=["at rest", "at work", "after a death"],
)
def test_a_plain_script_that_closes_ends_without_a_warning(folder: Path, then: str) -> None:
    done = run_script(folder, then)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("working", [False, True])
def test_the_child_ends_when_its_parent_is_killed(folder: Path, working: bool) -> None:
    kill = "import os; os.kill(os.getpid(), 9)"
    if working:  # nobody ever writes to this pipe
        os.mkfifo(folder / "pipe")
        kill = (
            f"work = asyncio.create_task(engines.run('plain.wait_for', pipe={str(folder / 'pipe')!r})); "
            f"await asyncio.to_thread(open, {str(folder / 'pipe')!r}, 'w'); " + kill
        )
    done = run_script(folder, kill)
    assert done.returncode == -signal.SIGKILL
