"""Several inputs of one command: a line or a file for each, in order; one that fails stops no other."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from kellyapi import KellyAPI, Translation

from .command import Run, type_in
from .fake_khaya import HEARD, SEGMENTS, WAV, Server
from .test_image_commands import png

TEXTS = ["Good morning", "Thank you", "Hello"]


def test_each_text_has_a_line_in_order(sandbox: object, run: Run) -> None:
    code, out, err = run("translate", *TEXTS, "en-tw")
    assert (code, len(out.splitlines()), err) == (0, 3, "")
    assert out.splitlines() == [run("translate", text, "en-tw")[1].strip() for text in TEXTS]


@pytest.mark.parametrize(
    "words",
    [
        ["translate", "--lines", "texts.txt", "en-tw"],
        ["translate", "texts.txt", "en-tw", "--lines"],
        ["translate", "--lines", "texts.txt", "--json", "en-tw"],
        ["translate", "--lines", "-", "en-tw", "--json"],
        ["translate", "-", "--lines", "--source", "en", "--target", "tw"],
    ],
)
def test_with_lines_each_line_of_a_file_is_a_text(
    words: list[str], khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    data = "\ufeffGood morning\r\n\n  \nThank you\n".encode()
    Path("texts.txt").write_bytes(data)
    type_in(monkeypatch, data)
    code, out, err = run(*words)
    assert (code, len(out.splitlines()), err) == (0, 2, "")
    assert {json.loads(body)["in"] for _, body in khaya.requests} == {"Good morning", "Thank you"}
    if "--json" in words:
        assert [json.loads(line)["input"] for line in out.splitlines()] == ["Good morning", "Thank you"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_ends_where_editors_end_it_in_utf_16_too(encoding: str, khaya: Server, run: Run) -> None:
    Path("texts.txt").write_bytes("Good\u2028morning\x0c\nThank\x85you\rBye".encode(encoding))
    code, _, err = run("translate", "--lines", "texts.txt", "en-tw")
    assert (code, err) == (0, "")
    texts = ["Good\u2028morning\x0c", "Thank\x85you", "Bye"]
    assert sorted(json.loads(body)["in"] for _, body in khaya.requests) == sorted(texts)


@pytest.mark.parametrize(
    "words",
    [
        ["--json", "--", "-5 degrees", "-9 degrees", "en-tw"],
        ["-5 degrees", "--json", "--", "-9 degrees", "en-tw"],
    ],
)
def test_texts_may_begin_with_a_dash_and_options_stand_between_them(words: list[str], khaya: Server, run: Run) -> None:
    code, out, _ = run("translate", *words)
    assert (code, [json.loads(line)["input"] for line in out.splitlines()]) == (0, ["-5 degrees", "-9 degrees"])


@pytest.mark.parametrize(("data", "code"), [(b"", 2), (b" \n\n", 2), (b"\xff\n", 2), (None, 1)])
def test_lines_that_cannot_be_read_are_refused(data: bytes | None, code: int, khaya: Server, run: Run) -> None:
    if data is not None:
        Path("texts.txt").write_bytes(data)
    assert run("translate", "--lines", "texts.txt", "en-tw")[:2] == (code, "")
    assert khaya.requests == []


def test_one_that_fails_is_reported_with_its_name_and_the_others_continue(khaya: Server, run: Run) -> None:
    khaya.put("/asr/v3/transcribe", {"text": "good morning"})
    Path("a.wav").write_bytes(WAV)
    Path("c.wav").write_bytes(WAV)
    Path("empty.wav").write_bytes(b"")
    code, out, err = run("transcribe", "a.wav", "none.wav", "empty.wav", "c.wav")
    assert (code, out) == (1, "good morning\ngood morning\n")
    missing, empty = err.splitlines()
    assert missing.startswith("error: none.wav: ")
    assert "No such file" in missing
    assert empty == "error: empty.wav: the audio is empty"
    code, out, err = run("transcribe", "a.wav", "none.wav", "--json")
    assert (code, json.loads(out)["input"], json.loads(err)["error"]["input"]) == (1, "a.wav", "none.wav")


def test_a_transcript_with_times_has_its_file_on_each_line(khaya: Server, run: Run) -> None:
    khaya.put("/asr/v3/transcribe", SEGMENTS)
    for name in ("a.wav", "b.wav"):
        Path(name).write_bytes(WAV)
    code, out, _ = run("transcribe", "a.wav", "b.wav", "--timestamps", "segment")
    assert (code, out) == (0, "a.wav\t0.00\t1.00\tgood morning\nb.wav\t0.00\t1.00\tgood morning\n")


def test_a_folder_gets_a_file_for_each_and_names_that_meet_get_numbers(khaya: Server, run: Run) -> None:
    khaya.put("/asr/v3/transcribe", HEARD)
    Path("other").mkdir()
    for name in ("a.wav", "other/a.wav"):
        Path(name).write_bytes(WAV)
    words = ["transcribe", "a.wav", "other/a.wav", "-o", "texts"]
    assert run(*words) == (0, "texts/a.txt\ntexts/a-2.txt\n", "")
    assert run(*words) == (0, "texts/a-3.txt\ntexts/a-4.txt\n", "")
    assert run(*words, "--force") == (0, "texts/a.txt\ntexts/a-2.txt\n", "")
    assert Path("texts/a.txt").read_text() == "0.00\t0.25\tgood\n0.25\t1.00\tmorning\n"


@pytest.mark.parametrize(("folder", "complaint"), [("file", "not a folder"), ("file/a", "not a folder"), ("", "empty")])
def test_a_folder_that_cannot_be_used_is_said_before_anything_is_sent(
    folder: str, complaint: str, khaya: Server, run: Run
) -> None:
    Path("file").write_bytes(b"")
    code, out, err = run("synthesize", "Hello", "Good morning", "-o", folder)
    assert (code in (1, 2), out, khaya.requests) == (True, "", [])
    assert complaint in err


def test_several_texts_are_spoken_into_files(khaya: Server, run: Run) -> None:
    assert run("synthesize", "Hello", "Maakye", "-o", "a/b") == (0, "a/b/speech-1.wav\na/b/speech-2.wav\n", "")
    assert run("synthesize", "Hello", "Maakye") == (0, "speech-1.wav\nspeech-2.wav\n", "")
    assert {json.loads(body)["text"] for _, body in khaya.requests} == {"Hello", "Maakye"}


@pytest.mark.usefixtures("sandbox")
def test_an_original_is_never_overwritten_in_its_own_folder(run: Run) -> None:
    for name in ("fox.png", "wolf.png"):
        Path(name).write_bytes(png())
    code, out, err = run("upscale", "fox.png", "wolf.png", "--force", "-o", ".")
    assert (code, out, err) == (0, "fox-upscaled.png\nwolf-upscaled.png\n", "")
    assert Path("fox.png").read_bytes() == png()
    code, out, err = run("cutout", "fox.png", "none.png", "wolf.png")
    assert (code, out) == (1, "fox-cutout.png\nwolf-cutout.png\n")
    assert err.startswith("error: none.png: ")


@pytest.mark.usefixtures("sandbox")
def test_several_images_are_described_each_in_one_line(run: Run) -> None:
    for name in ("fox.png", "wolf.png"):
        Path(name).write_bytes(png())
    code, out, err = run("describe", "fox.png", "--json", "wolf.png", "What is in it?")
    assert (code, err) == (0, "")
    assert [json.loads(line)["input"] for line in out.splitlines()] == ["fox.png", "wolf.png"]


def test_a_key_that_is_refused_ends_the_command_at_once(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", {"statusCode": 401, "message": "Access denied"}, status=401)
    code, out, err = run("translate", *TEXTS * 20, "en-tw")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert len(khaya.requests) < 20


def test_a_blank_text_is_named(khaya: Server, run: Run) -> None:
    assert run("translate", "Hello", " ", "en-tw") == (1, "Maakye\n", "error: ' ': the text is empty\n")


def test_a_line_break_in_a_result_stays_out_of_its_line(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", "Maa\nkye")
    assert run("translate", "Good morning", "Hello", "en-tw")[1] == "Maa kye\nMaa kye\n"


def test_a_single_input_is_as_before(khaya: Server, run: Run) -> None:
    khaya.put("/v1/translate", "Maa\nkye")
    assert run("translate", "Good morning", "en-tw")[1] == "Maa\nkye\n"
    Path("texts.txt").write_text("Good morning\n")
    assert run("translate", "--lines", "texts.txt", "en-tw", "-o", "made") == (0, "made/translation-1.txt\n", "")


def test_ctrl_c_keeps_the_results_that_have_arrived(khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    translate, arrived = KellyAPI.translate, []

    async def interrupted(api: KellyAPI, text: str, *arguments: Any, **options: Any) -> Translation:
        if text == "Good morning":
            await asyncio.Event().wait()
        arrived.append(await translate(api, text, *arguments, **options))
        if len(arrived) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return arrived[-1]

    monkeypatch.setattr(KellyAPI, "translate", interrupted)
    khaya.put("/v1/translate", "Maakye")
    assert run("translate", *TEXTS, "en-tw") == (130, "Maakye\nMaakye\n", "")


def test_a_key_that_is_refused_later_leaves_the_results_before_it(khaya: Server, run: Run) -> None:
    def refuse() -> None:
        if len(khaya.requests) == 11:
            khaya.put("/v1/translate", {"statusCode": 401, "message": "Access denied"}, status=401)

    khaya.before_response = refuse
    code, out, err = run("translate", *TEXTS * 20, "en-tw", "-o", "made")
    assert (code, err.count("\n")) == (1, 1)
    assert "Access denied" in err
    assert len(list(Path("made").iterdir())) == len(out.splitlines()) >= 3
