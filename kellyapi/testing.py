"""A pytest plugin for the tests of programs that use the library: the fixtures `kelly_sandbox` and `kelly_api`.

pytest loads it by itself wherever kellyapi is installed, so it imports nothing else of ours until a fixture is asked
for. Faults are the sandbox's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kellyapi import KellyAPI, Sandbox


_MARK = "kelly_sandbox(**arguments): how the sandbox of this test is made, such as prediction_time=0"


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def kelly_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A local server that answers like all four providers, and an environment that leads `KellyAPI()` to it.

    `@pytest.mark.kelly_sandbox(schema=…)` makes it with arguments of `kellyapi.Sandbox`.
    """
    from kellyapi import Sandbox, run_sync

    mark = request.node.get_closest_marker("kelly_sandbox")
    sandbox = Sandbox(**mark.kwargs) if mark else Sandbox()
    # On the background loop: it answers whatever the test does with its own, blocks it included.
    run_sync(sandbox.start())
    try:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
    finally:
        run_sync(sandbox.close())


@pytest.fixture
def kelly_api(kelly_sandbox: Sandbox) -> Iterator[KellyAPI]:
    """A client of the test's sandbox, for any event loop and for `run_sync`."""
    from kellyapi import run_sync

    api = kelly_sandbox.api()
    yield api
    run_sync(api.close())  # the session of run_sync; the loop of a test closes its own when it ends
