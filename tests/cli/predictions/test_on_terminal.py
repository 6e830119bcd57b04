"""`kellyapi run` and `predictions` on a terminal, and interrupted."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.command import start
from kellyapi.cli.main import main

from .terminal import FOX, ID, PNG, Terminal, ask, sandboxed


@pytest.mark.usefixtures("_quick")
def test_a_terminal_shows_a_progress_bar_and_then_the_outputs(on_terminal: Callable[..., Terminal]) -> None:
    terminal = on_terminal(*FOX, "-o", "made")
    assert terminal.end() == 0
    (path,) = Path("made").iterdir()
    assert re.search(rf"prediction {ID}", terminal.shown)
    assert "━" in terminal.shown
    assert "0:00:0" in terminal.shown
    assert re.search(r"fetching \d+\.\d of \d+\.\d MiB", terminal.shown)
    assert "100%" in terminal.shown
    assert "succeeded · truefusion" in terminal.shown
    assert "0.03 credits" in terminal.shown
    assert str(path) in terminal.shown


@pytest.mark.usefixtures("_quick")
def test_a_terminal_shows_tables(on_terminal: Callable[..., Terminal]) -> None:
    prediction = ask("create", "truefusion", {"prompt": "a fox"})
    for words, patterns in {
        ("predictions", "list"): ["Id", "Status", "Credits", prediction.id, "page 1 of"],
        ("models", "list"): ["Model", "Price", "truefusion-ultra", "per image"],
        ("models", "show", "truefusion"): ["Input", "Default", "negative_prompt", "1024"],
    }.items():
        terminal = on_terminal(*words)
        assert terminal.end() == 0
        assert [pattern for pattern in patterns if pattern not in terminal.shown] == []


@pytest.mark.parametrize(("typed", "status"), [("y\n", "cancelled"), ("n\n", "pending"), ("\n", "pending")])
@pytest.mark.usefixtures("_slow")
def test_ctrl_c_on_a_terminal_offers_to_cancel_the_prediction(
    typed: str, status: str, on_terminal: Callable[..., Terminal]
) -> None:
    terminal = on_terminal(*FOX)
    id = terminal.until(rf"prediction ({ID})")[1]
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.type(typed)
    assert terminal.end() == 130
    assert f"kellyapi predictions follow {id}" in terminal.shown
    assert (f"prediction {id} is cancelled" in terminal.shown) == (status == "cancelled")
    assert ask("get", id).status == status


@pytest.mark.usefixtures("_slow")
def test_a_second_ctrl_c_is_a_no_even_just_before_the_reply_is_read(on_terminal: Callable[..., Terminal]) -> None:
    terminal = on_terminal(*FOX)
    id = terminal.until(rf"prediction ({ID})")[1]
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.interrupt()
    assert terminal.end() == -signal.SIGINT  # a shell reports this as 130
    assert ask("get", id).status == "pending"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("words", [FOX, [*FOX, "--json"]], ids=["people", "machines"])
@pytest.mark.usefixtures("_slow")
def test_a_signal_without_a_terminal_says_how_to_continue(words: list[str], number: signal.Signals) -> None:
    known = {prediction.id for prediction in ask("list").items}
    with start(*words) as process:
        while not (new := {prediction.id for prediction in ask("list").items} - known):
            pass
        (id,) = new
        if "--json" not in words:
            assert process.stderr.readline().decode() == f"prediction {id}\n"
        else:  # the sandbox knows the prediction; the command knows it after its first poll
            while ask("get", id).status != "pending":
                pass
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, out) == (128 + number, b"")
    if "--json" in words:
        error = json.loads(err)["error"]
        assert error["type"] == "KeyboardInterrupt"
        assert error.get("prediction", id) == id
    else:
        assert err.decode().splitlines()[-1].endswith(f"kellyapi predictions follow {id} or cancel {id}")
    assert not ask("get", id).ended


@pytest.mark.usefixtures("_slow")
def test_sigterm_on_a_terminal_names_the_prediction_and_asks_nothing(on_terminal: Callable[..., Terminal]) -> None:
    prediction = ask("create", "truefusion", {"prompt": "a fox"})
    terminal = on_terminal("predictions", "follow", prediction.id)
    terminal.until(f"prediction {prediction.id}")
    terminal.interrupt(signal.SIGTERM)
    assert terminal.end() == 143
    assert (f"predictions follow {prediction.id}" in terminal.shown, "Cancel it" in terminal.shown) == (True, False)


@pytest.mark.usefixtures("_slow")
def test_ctrl_c_while_following_names_the_prediction_too(on_terminal: Callable[..., Terminal]) -> None:
    prediction = ask("create", "truefusion", {"prompt": "a fox"})
    terminal = on_terminal("predictions", "follow", prediction.id)
    terminal.until(f"prediction {prediction.id}")
    terminal.interrupt()
    terminal.until(r"Cancel it\? \[y/N\] ")
    terminal.type("y\n")
    assert terminal.end() == 130
    assert ask("get", prediction.id).status == "cancelled"


def test_ctrl_c_during_a_download_does_not_offer_to_cancel_a_prediction_that_has_ended(
    on_terminal: Callable[..., Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    with sandboxed(0) as sandbox:
        sandbox.fail_next("GET /delivery/*", drip=(1, 3600.0))
        monkeypatch.setenv("SKYTELLS_BASE_URL", sandbox.urls["skytells"])
        terminal = on_terminal(*FOX, "-o", "made")
        id = terminal.until(rf"prediction ({ID})")[1]
        terminal.until("fetching")
        terminal.interrupt()
        assert terminal.end() == 130
        assert f"prediction {id} has ended; kellyapi predictions download {id}" in terminal.shown
        assert "Cancel it?" not in terminal.shown
        (part,) = Path("made").iterdir()
        assert part.name.endswith(".part")
        code = main(["predictions", "download", id, "-o", "made"])
    assert (code, Path("made", f"{id}-output.png").read_bytes()[:8]) == (0, PNG)
    assert not part.exists()
