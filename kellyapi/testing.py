"""A pytest plugin with the fixtures `kelly_sandbox` and `kelly_api`, for tests of programs that use the library.

pytest loads the plugin wherever kellyapi is installed. So the plugin imports the library only when a test uses a
fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from kellyapi import KellyAPI, Sandbox


_MARK = "kelly_sandbox(**arguments): arguments of the Sandbox of this test, such as prediction_time=0"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker `kelly_sandbox`."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def kelly_sandbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """Run a local server that responds like all four providers, and set the environment so that `KellyAPI()` uses it.

    `@pytest.mark.kelly_sandbox(schema=…)` passes arguments to `kellyapi.Sandbox`.
    """
    from kellyapi import Sandbox, run_sync

    mark = request.node.get_closest_marker("kelly_sandbox")
    sandbox = Sandbox(**{"keep_engines": True} | (mark.kwargs if mark else {}))
    # On the background loop, so that the server responds even while the test blocks its own loop.
    run_sync(sandbox.start())
    try:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
    finally:
        run_sync(sandbox.close())


@pytest.fixture
def kelly_api(kelly_sandbox: Sandbox) -> Iterator[KellyAPI]:
    """Return a client of the sandbox of the test. It works in any event loop, and with `run_sync`."""
    from kellyapi import run_sync

    api = kelly_sandbox.api()
    yield api
    run_sync(api.close())  # the session of run_sync; that of the loop of a test is closed when the loop ends
