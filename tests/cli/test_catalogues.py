"""What the providers know: languages, voices, and vectors of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kellyapi import languages

from .command import Run, type_in


@pytest.mark.parametrize("service", ["translation", "transcription", "synthesis"])
def test_the_languages_of_a_service_are_listed(service: str, sandbox: object, run: Run) -> None:
    code, out, err = run("languages", service)
    assert (code, err) == (0, "")
    assert len(dict(line.split("\t") for line in out.splitlines())) > 10
    assert run("languages", service, "--json")[1].startswith('[{"code": "')


def test_the_languages_that_the_library_knows_need_no_key(run: Run) -> None:
    code, out, err = run("languages", "synthesis", "--offline")
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{each.code}\t{each.name}" for each in languages.SYNTHESIS]


@pytest.mark.usefixtures("sandbox")
def test_the_voices_of_both_speakers_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    both = run("voices")[1].splitlines()
    khaya = run("voices", "--provider", "khaya")[1].splitlines()
    assert khaya == [f"khaya\t{voice}" for voice in languages.VOICES]
    assert both[: len(khaya)] == khaya
    assert all(line.startswith("kelly\t") for line in both[len(khaya) :])
    monkeypatch.delenv("KHAYA_API_KEY")
    found = json.loads(run("voices", "--json")[1])
    assert found == [dict(zip(("provider", "voice"), line.split("\t"), strict=True)) for line in both[len(khaya) :]]


@pytest.mark.usefixtures("sandbox")
def test_each_text_becomes_a_line_of_numbers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run("embed", "a fox", "a wolf")
    assert (code, err) == (0, "")
    fox, wolf = out.splitlines()
    assert len(fox.split("\t")) == 1536
    type_in(monkeypatch, b"a fox\n\na wolf\n")
    assert run("embed", "--lines", "-", "-o", "vectors.tsv") == (0, "vectors.tsv\n", "")
    assert Path("vectors.tsv").read_text() == f"{fox}\n{wolf}\n"
    (found,) = map(json.loads, run("embed", "a fox", "--json", "--model", "text-embedding-3-large")[1].splitlines())
    assert (found["input"], found["model"], len(found["vector"])) == ("a fox", "text-embedding-3-large", 3072)


@pytest.mark.usefixtures("sandbox")
def test_a_terminal_shows_the_beginnings_of_vectors(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("embed", "a fox")
    assert code == 0
    assert "1536" in shown
    assert len(shown) < 1000
