"""The pytest plugin, in runs of pytest without this project's settings."""

from __future__ import annotations

import configparser
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from processes import IMPORTS, ForkingPython

from kellyapi import KellyAPI, Sandbox

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
BOT = '''
import os
from kellyapi import KellyAPI, KellyAPIError, run_sync

async def reply(text):
    """As a bot under a loop does it: a client from the environment."""
    async with KellyAPI() as api:
        return (await api.translate(text, "en-tw")).text

def page(text):
    """As a page of Flask does it."""
    api = KellyAPI()
    try:
        return run_sync(api.translate(text, "en-tw")).text
    except KellyAPIError as error:
        return f"Sorry: {type(error).__name__}"
    finally:
        run_sync(api.close())
'''
PLAIN = """
import bot

def test_a_page(kelly_sandbox):
    assert bot.page("Good morning") == "Maakye"
    kelly_sandbox.fail_next("/v1/translate", status=402)
    assert bot.page("Good morning") == "Sorry: PaymentRequiredError"
    assert [request.status for request in kelly_sandbox.requests] == [200, 402]

def test_the_client(kelly_api):
    from kellyapi import run_sync
    assert run_sync(kelly_api.translate("Thank you", "en-tw")).text == "Medaase"
"""
ASYNC = """
import bot, pytest
MARKS

async def test_a_bot(kelly_sandbox):
    kelly_sandbox.fail_next("/v1/translate", status=503, times=2)
    assert await bot.reply("Good morning") == "Maakye"
    assert len(kelly_sandbox.requests) == 3

async def test_the_client(kelly_api):
    assert (await kelly_api.translate("Thank you", "en-tw")).text == "Medaase"

async def test_it_again_without_the_past(kelly_api, kelly_sandbox):
    assert kelly_sandbox.requests == []
    assert (await kelly_api.chat("What is 2 + 3?")).text == "[sandbox] 2 + 3 = 5"

async def test_a_page_that_holds_the_loop(kelly_sandbox):
    assert bot.page("Good morning") == "Maakye"
"""
ASYNCIO = ["-p", "asyncio", "-o", "asyncio_default_fixture_loop_scope=function", "-o"]
# pytest warns that it cannot rewrite the library, and asyncio, which `-p` names: both are imported already.
WARNINGS = ("-W", "error", "-W", "ignore:Module already imported")
Run = Callable[..., pytest.RunResult]
PYTEST = "import sys, pytest; sys.exit(pytest.main())"


@pytest.fixture(scope="module")
def python() -> Iterator[ForkingPython]:
    """A Python that has imported the library, pytest and its plugins, but not ours."""
    plugins = "anyio.pytest_plugin, pytest_asyncio.plugin, _pytest.config\n_pytest.config.get_config()"
    python = ForkingPython(f"{IMPORTS}\nimport {plugins}", "-X", "dev", "-W", "error")
    yield python
    python.close()


@pytest.fixture
def run(pytester: pytest.Pytester, python: ForkingPython, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run pytest in a process where every warning is an error, with the plugin and a bot.

    Other plugins that are installed, which take longer than most tests, are loaded on demand.
    """
    pytester.makepyfile(bot=BOT)

    def run(*arguments: str, plugin: bool = True, installed: bool = False) -> pytest.RunResult:
        given = [*(["-p", "kellyapi.testing"] if plugin else []), *arguments]
        if installed:
            given += ["-pno:asyncio", "-pno:anyio"]
        else:
            monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        code, out, err = python.execute(PYTEST, *WARNINGS, "--strict-markers", *given)
        return pytest.RunResult(code, out.splitlines(), err.splitlines(), 0)

    return run


@pytest.mark.parametrize(
    ("marks", "arguments"),
    [
        ("", [*ASYNCIO, "asyncio_mode=auto"]),
        ("pytestmark = pytest.mark.asyncio", [*ASYNCIO, "asyncio_mode=strict"]),
        ("pytestmark = pytest.mark.asyncio(loop_scope='module')", [*ASYNCIO, "asyncio_mode=strict"]),
        (
            "pytestmark = pytest.mark.anyio\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'",
            ["-p", "anyio"],
        ),
    ],
    ids=["auto", "strict", "one loop for a module", "anyio"],
)
def test_coroutines_are_tested_under_each_plugin_and_leave_nothing_open(
    pytester: pytest.Pytester, run: Run, marks: str, arguments: list[str]
) -> None:
    pytester.makepyfile(ASYNC.replace("MARKS", marks))
    run(*arguments).assert_outcomes(passed=4)


def test_plain_functions_are_tested_without_an_async_plugin(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile(PLAIN)
    run().assert_outcomes(passed=2)


def test_the_fixtures_need_no_code_where_the_library_is_installed(pytester: pytest.Pytester, run: Run) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    installed = pytester.mkdir("installed-1.dist-info")
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: installed\nVersion: 1\n")
    (installed / "entry_points.txt").write_text("[pytest11]\n" + setup["options.entry_points"]["pytest11"].strip())
    pytester.makepyfile(PLAIN)
    run(plugin=False, installed=True).assert_outcomes(
        passed=2
    )  # `python -m pytest` finds what is installed in its own folder too
    pytester.makeconftest("pytest_plugins = ['kellyapi.testing']")
    run(installed=True).assert_outcomes(passed=2)  # requested three times, loaded once


async def test_both_fixtures_exist_in_this_run_too(kelly_sandbox: Sandbox, kelly_api: KellyAPI) -> None:
    kelly_sandbox.fail_next("/v1/translate", status=503)
    assert (await kelly_api.translate("Good morning", "en-tw")).text == "Maakye"
    assert [request.status for request in kelly_sandbox.requests] == [503, 200]


def test_a_mark_makes_the_sandbox(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest
        from kellyapi import Fault, run_sync

        @pytest.mark.kelly_sandbox(keys=["mine"], faults=[Fault("/v1/languages", status=500)])
        def test_it(kelly_sandbox, kelly_api, monkeypatch):
            import os
            assert {os.environ[f"{name}_API_KEY"] for name in ("KELLYAI", "KHAYA", "SKYTELLS", "AEROSTACK")} == {"mine"}
            assert run_sync(kelly_api.translate("Good morning", "en-tw")).text == "Maakye"
            assert len(kelly_sandbox.faults) == 1
    """)
    run().assert_outcomes(passed=1)


def test_the_environment_is_restored_after_the_test(
    pytester: pytest.Pytester, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", "of the machine")
    pytester.makepyfile("""
        import os

        def test_with(kelly_sandbox):
            assert kelly_sandbox.environment.items() <= os.environ.items()
            assert os.environ["KHAYA_BASE_URL"] == kelly_sandbox.urls["khaya"]

        def test_without():
            assert os.environ["KHAYA_API_KEY"] == "of the machine"
            assert "KHAYA_BASE_URL" not in os.environ
    """)
    run().assert_outcomes(passed=2)


def test_a_test_that_fails_shows_no_key(pytester: pytest.Pytester, run: Run) -> None:
    pytester.makepyfile("""
        import pytest
        from kellyapi import run_sync

        @pytest.mark.kelly_sandbox(keys=["s3" + "cret"])
        def test_it(kelly_sandbox, kelly_api):
            kelly_sandbox.fail_next(reset=True)
            requests = kelly_sandbox.requests
            run_sync(kelly_api.translate("Good morning", "en-tw"))
    """)
    result = run("--showlocals", "-vv", "--log-level=DEBUG")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*TransportError*"])
    assert "s3cret" not in result.stdout.str() + result.stderr.str()


def test_the_plugin_imports_nothing_else_in_a_run_that_does_not_use_it() -> None:
    code = "import sys, json, pytest, kellyapi.testing; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(printed))
    assert {name for name in loaded if name.split(".")[0] == "kellyapi"} == {"kellyapi", "kellyapi.testing"}
    assert not {name.split(".")[0] for name in loaded} & {"aiohttp", "attrs", "cattrs", "asyncio"}
