"""Limits of the engines: time, memory, number of processes, and work that nobody waits for."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import IO

import pytest

from kellyapi.sandbox.engines import supervisor
from kellyapi.sandbox.engines.supervisor import EngineSupervisor, count_cores
from kellyapi.sandbox.engines.worker_main import MEMORY_LIMIT

Record = Callable[[EngineSupervisor], Awaitable[tuple["asyncio.Task[str]", IO[str]]]]


@pytest.fixture
async def engines(folder: Path) -> AsyncIterator[EngineSupervisor]:
    """Engines that may use one core: one process for recordings, and another one for everything else."""
    engines = EngineSupervisor("engines_of_a_test", keep=True, cores=1)
    yield engines
    await engines.close()


@pytest.fixture
async def record(folder: Path) -> AsyncIterator[Record]:
    """Start a recording, and wait until it works. It ends when its pipe is closed."""
    pipes: list[IO[str]] = []

    async def record(engines: EngineSupervisor) -> tuple[asyncio.Task[str], IO[str]]:
        path = folder / f"pipe {len(pipes)}"
        os.mkfifo(path)
        work = asyncio.create_task(engines.run("voice.wait_for", pipe=path))
        pipes.append(await asyncio.to_thread(open, path, "w"))  # opens when the child has opened its end
        return work, pipes[-1]

    yield record
    for pipe in pipes:
        pipe.close()


async def test_work_that_takes_longer_than_its_limit_is_ended_and_its_process_replaced(
    engines: EngineSupervisor, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe")  # nobody writes to it
    before = await engines.run("plain.process")
    with monkeypatch.context() as patch:
        patch.setitem(supervisor.TIME_LIMITS, "plain", 0.05)
        with pytest.raises(RuntimeError, match=r"plain\.wait_for took longer than 0.05 s"):
            await engines.run("plain.wait_for", pipe=folder / "pipe")
    assert await engines.run("plain.process") != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


async def test_the_kernel_limits_the_memory_and_the_processor_time_of_each_call(engines: EngineSupervisor) -> None:
    pytest.importorskip("resource", reason="Windows has no such limits")
    processor_time, memory = await engines.run("plain.limits")
    assert processor_time < supervisor.DEFAULT_TIME_LIMIT + 10
    assert memory == MEMORY_LIMIT
    assert (await engines.run("voice.limits"))[0] > supervisor.TIME_LIMITS["voice"]


async def test_work_that_needs_too_much_memory_fails_and_the_process_keeps_running(engines: EngineSupervisor) -> None:
    child = await engines.run("plain.process")
    with pytest.raises(RuntimeError, match="more memory than 1024 MiB"):
        await engines.run("plain.fill", size=2**31)
    assert await engines.run("plain.process") == child


async def test_a_picture_does_not_wait_behind_recordings(
    engines: EngineSupervisor, folder: Path, record: Record
) -> None:
    first, pipe = await record(engines)
    waiting = [asyncio.create_task(engines.run("voice.touch", path=folder / f"{n}")) for n in range(5)]
    assert await engines.run("plain.echo", value="picture") == "picture"
    assert not first.done()
    assert not (folder / "0").exists()
    pipe.close()
    await asyncio.gather(first, *waiting)
    assert (folder / "4").exists()


async def test_as_many_recordings_are_recognised_at_once_as_there_are_cores(folder: Path, record: Record) -> None:
    engines = EngineSupervisor("engines_of_a_test", cores=2)
    works = [await record(engines) for _ in range(2)]
    for work, pipe in works:
        assert not work.done()
        pipe.close()
    assert await asyncio.gather(*(work for work, _ in works)) == ["", ""]
    await engines.close()


async def test_work_that_has_not_begun_is_dropped_when_its_caller_is_cancelled(
    engines: EngineSupervisor, folder: Path, record: Record
) -> None:
    first, pipe = await record(engines)
    dropped = asyncio.create_task(engines.run("voice.touch", path=folder / "dropped"))
    await engines.run("plain.echo", value=1)
    dropped.cancel()
    pipe.close()
    await asyncio.wait([first, dropped])
    await engines.run("voice.touch", path=folder / "done")
    assert (dropped.cancelled(), (folder / "done").exists(), (folder / "dropped").exists()) == (True, True, False)


async def test_a_recording_whose_caller_is_cancelled_is_ended(engines: EngineSupervisor, record: Record) -> None:
    child = await engines.run("voice.process")
    work, _ = await record(engines)
    work.cancel()
    assert await engines.run("voice.process") != child
    assert work.cancelled()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_a_process_that_cannot_be_started_fails_its_call(
    new_engines: EngineSupervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/no/such/python")
        with pytest.raises(RuntimeError, match="cannot be started"):
            await new_engines.run("plain.process")
    assert await new_engines.run("plain.echo", value=1) == 1


async def test_closing_fails_the_calls_that_have_not_begun(engines: EngineSupervisor, record: Record) -> None:
    await record(engines)
    waiting = [asyncio.create_task(engines.run("voice.process")) for _ in range(20)]
    await asyncio.sleep(0)
    await engines.close()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {str(result) for result in results} == {"engines_of_a_test.voice.process was ended with the sandbox"}


async def test_all_idle_children_are_kept_for_the_next_engines(folder: Path) -> None:
    processes = []
    for _ in range(2):
        engines = EngineSupervisor("engines_of_a_test", keep=True, cores=1)
        os.mkfifo(pipe := folder / f"pipe {len(processes)}")
        work = asyncio.create_task(engines.run("plain.wait_for", pipe=pipe))
        with await asyncio.to_thread(open, pipe, "w"):
            processes.append(await engines.run("voice.process"))
        await work
        processes.append(await engines.run("plain.process"))
        await engines.close()
    assert len(set(processes)) == 2


def test_only_cores_that_the_process_may_use_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: 3, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 7}, raising=False)
    assert count_cores() == 3
