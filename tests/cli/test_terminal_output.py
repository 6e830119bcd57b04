"""Results and errors on a terminal."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from .command import type_in
from .fake_khaya import WAV, Server


def test_a_terminal_shows_details_beside_the_result(
    khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("translate", "Good morning", "en-tw")
    assert code == 0
    assert "\x1b[1mMaakye\x1b[0m" in shown
    assert "en → tw · khaya" in shown


def test_a_terminal_shows_the_language_between(khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("translate", "Maakye", "tw-ee", "--via", "en")
    assert code == 0
    assert "tw → en → ee · khaya" in shown


def test_on_a_terminal_an_image_has_its_price(
    sandbox: None, monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    words = ["image", "a fox", "--width", "64", "--height", "64", "--model", "truefusion", "--provider", "skytells"]
    code, shown = run_on_terminal(*words)
    assert code == 0
    assert "64 × 64 pixels · image/png · 0.03 credits · skytells" in shown


def test_on_a_terminal_speech_is_saved_under_a_default_name(
    khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("synthesize", "Hello")
    assert code == 0
    assert "speech.wav" in shown
    assert "1.0 s · 8,000 Hz · audio/wav · khaya" in shown
    assert Path("speech.wav").read_bytes() == WAV


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["image", "a fox", "--width", "64", "--height", "96"], "64 × 96 pixels · image/png · kelly"),
        (["chat", "Hello", "--character", "Ama"], "chatgpt · kelly"),
        (["chat", "Hello", "--json"], '\n  "model": "chatgpt",\n'),
    ],
)
def test_a_terminal_shows_each_kind_of_result(
    words: list[str], fact: str, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = run_on_terminal("--sandbox", *words)
    assert code == 0
    assert fact in shown


def test_a_terminal_shows_times_as_a_table(khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    Path("hello.wav").write_bytes(WAV)
    code, shown = run_on_terminal("transcribe", "hello.wav", "--timestamps", "word")
    assert code == 0
    assert re.search(r"0\.25 +1\.00 +morning", shown)
    code, shown = run_on_terminal("transcribe", "hello.wav", "--timestamps", "word", "-o", "heard.txt")
    assert "0.25" not in shown
    assert "heard.txt" in shown


def test_a_result_cannot_control_the_terminal(khaya: Server, run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    khaya.put("/v1/translate", "\x1b]0;title [red]and[/red]\x9b2J")
    assert "�]0;title [red]and[/red]�2J" in run_on_terminal("translate", "Hello", "en-tw")[1]
    khaya.put("/v1/translate", {"statusCode": 400, "message": "\x1b[2J no"}, status=400)
    assert "khaya: �[2J no" in run_on_terminal("translate", "Hello", "en-tw")[1]


def test_an_error_is_red_unless_colours_are_disabled(
    monkeypatch: pytest.MonkeyPatch, run_on_terminal: Callable[..., tuple[int, str]]
) -> None:
    line = "error: standard input is not UTF-8 text"
    type_in(monkeypatch, b"\xff")
    assert run_on_terminal("chat", "-") == (2, f"\x1b[31m{line}\x1b[0m\n")
    monkeypatch.setenv("NO_COLOR", "1")
    type_in(monkeypatch, b"\xff")
    assert run_on_terminal("chat", "-") == (2, f"{line}\n")
