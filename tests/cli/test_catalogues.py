"""What the providers know: languages, voices, and vectors of texts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from kellyapi import Sandbox, languages

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
def test_each_text_becomes_an_array_of_numbers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run("embed", "a fox", "a wolf")
    assert (code, err) == (0, "")
    fox, wolf = map(json.loads, out.splitlines())
    assert len(fox) == len(wolf) == 1536
    type_in(monkeypatch, b"a fox\n\na wolf\n")
    assert run("embed", "--lines", "-", "-o", "vectors.jsonl") == (0, "vectors.jsonl\n", "")
    assert [json.loads(line) for line in Path("vectors.jsonl").read_text().splitlines()] == [fox, wolf]
    code, out, err = run("embed", "a fox", "a wolf", "--dimensions", "8", "-o", "vectors.npy", "--json")
    assert (code, json.loads(out)["vectors"], numpy.load("vectors.npy").shape) == (0, 2, (2, 8))
    (found,) = map(json.loads, run("embed", "a fox", "--json", "--model", "text-embedding-3-large")[1].splitlines())
    assert (found["input"], found["model"], len(found["vector"])) == ("a fox", "text-embedding-3-large", 3072)


def test_many_texts_are_sent_in_batches_and_a_batch_that_fails_is_reported_by_its_texts(
    running_sandbox: Sandbox, sandbox: None, run: Run
) -> None:
    Path("texts.txt").write_text("".join(f"text {number}\n" for number in range(100)))
    before = len(running_sandbox.requests)
    running_sandbox.fail_next("POST /v1/embeddings", status=400)
    code, out, err = run("embed", "--lines", "texts.txt", "--dimensions", "8", "--json")
    vectors = [json.loads(line)["input"] for line in out.splitlines()]
    failed = [json.loads(line)["error"]["input"] for line in err.splitlines()]
    assert (code, len(running_sandbox.requests) - before) == (1, 2)
    assert sorted(vectors + failed) == sorted(f"text {number}" for number in range(100))
    assert len(failed) in (36, 64)


@pytest.mark.usefixtures("sandbox")
def test_a_single_text_that_fails_is_the_error_of_the_command(run: Run) -> None:
    code, out, err = run("embed", "a fox", "--model", "none")
    assert (code, out) == (1, "")
    assert err.startswith("error: skytells: Model 'none' was not found.")


@pytest.mark.usefixtures("sandbox")
def test_a_blank_text_is_refused_before_anything_is_sent(run: Run) -> None:
    assert run("embed", "a fox", " ")[:2] == (2, "")


@pytest.mark.usefixtures("sandbox")
def test_a_terminal_shows_the_beginnings_of_vectors(run_on_terminal: Callable[..., tuple[int, str]]) -> None:
    code, shown = run_on_terminal("embed", "a fox")
    assert code == 0
    assert "1536" in shown
    assert len(shown) < 1000
