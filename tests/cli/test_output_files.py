"""The files that the command writes: which ones it leaves alone, their names, and the format that a name asks for."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Pillow

from kellyapi import Skytells
from kellyapi.cli.main import main

from .command import Run
from .fake_khaya import WAV, Server

FOX = ["--sandbox", "image", "a fox", "--width", "64", "--height", "64"]
OLD = b"older and longer"
PNG = b"\x89PNG"
TEXT = ["translate", "Hello", "en-tw"]
SPEECH = ["synthesize", "Hello"]


def old_file(name: str) -> Path:
    path = Path(name)
    path.write_bytes(OLD)
    return path


# Files that exist


@pytest.mark.parametrize("words", [TEXT, SPEECH, [*TEXT, "--json"], [*SPEECH, "--json"]])
def test_a_file_that_exists_is_left_alone_and_nothing_is_sent(words: list[str], khaya: Server, run: Run) -> None:
    path = old_file("out.wav")
    code, out, err = run(*words, "-o", "out.wav")
    assert (code, out, khaya.requests) == (1, "", [])
    assert "out.wav: exists already; --force overwrites it" in err
    assert path.read_bytes() == OLD


@pytest.mark.parametrize(("words", "content"), [(TEXT, b"Maakye\n"), (SPEECH, WAV)])
def test_with_force_it_is_overwritten(words: list[str], content: bytes, khaya: Server, run: Run) -> None:
    path = old_file("out.wav")
    assert run("--force", *words, "-o", "out.wav") == (0, "out.wav\n", "")
    assert path.read_bytes() == content


def test_a_link_to_a_file_counts_as_the_file(khaya: Server, run: Run) -> None:
    path = old_file("target.txt")
    Path("link.txt").symlink_to(path)
    assert run(*TEXT, "-o", "link.txt")[0] == 1
    assert (path.read_bytes(), khaya.requests) == (OLD, [])


def test_a_pipe_with_a_name_is_written_to(khaya: Server, run: Run) -> None:
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    assert run(*TEXT, "-o", "pipe")[0] == 0
    reader.join()
    assert read == [b"Maakye\n"]


def test_a_tilde_is_the_home(khaya: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run(*TEXT, "--output=~/out.txt") == (0, f"{tmp_path}/out.txt\n", "")
    assert Path("out.txt").read_text() == "Maakye\n"


@pytest.mark.parametrize("name", ["no/where.wav", "a" * 300, "."])
def test_a_place_that_cannot_be_written_is_said_before_anything_is_sent(name: str, khaya: Server, run: Run) -> None:
    assert run(*SPEECH, "-o", name)[0] == 1
    assert khaya.requests == []


def test_a_folder_that_is_read_only_is_said_before_anything_is_sent(
    khaya: Server, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)  # the superuser may write everywhere
    code, _, err = run(*SPEECH, "-o", "out.wav")
    assert (code, khaya.requests) == (1, [])
    assert "is a folder that you may not write to" in err


# Names of the command's own


def test_without_a_name_audio_and_images_go_to_a_file_also_in_a_pipe(khaya: Server, run: Run) -> None:
    assert run(*SPEECH) == (0, "speech.wav\n", "")
    assert Path("speech.wav").read_bytes() == WAV
    assert run(*FOX) == (0, "image.png\n", "")
    assert Path("image.png").read_bytes().startswith(PNG)


def test_a_name_of_the_commands_own_gets_a_number_if_it_is_taken(khaya: Server, run: Run) -> None:
    path = old_file("speech.wav")
    assert [run(*SPEECH)[1] for _ in range(2)] == ["speech-2.wav\n", "speech-3.wav\n"]
    assert path.read_bytes() == OLD
    assert run(*SPEECH, "--force")[1] == "speech.wav\n"
    assert path.read_bytes() == WAV


# Formats


@pytest.mark.parametrize(
    ("name", "format"),
    [("fox.jpg", "JPEG"), ("fox.JPEG", "JPEG"), ("fox.webp", "WEBP"), ("fox.gif", "GIF"), ("fox.bmp", "BMP")],
)
def test_an_image_is_converted_to_the_format_of_its_name(name: str, format: str, run: Run) -> None:
    code, out, err = run(*FOX, "-o", name, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["path"] == name
    assert json.loads(out)["width"] == 64 or format == "BMP"
    with Pillow.open(name) as image:
        assert (image.format, image.size) == (format, (64, 64))


def test_the_facts_about_a_converted_image_are_those_of_the_file(run: Run) -> None:
    assert json.loads(run(*FOX, "-o", "fox.jpg", "--json")[1])["mime"] == "image/jpeg"


def test_what_is_transparent_becomes_white_in_a_format_without_transparency(run: Run) -> None:
    from kellyapi.cli.output_files import _convert

    png = io.BytesIO()
    Pillow.new("RGBA", (8, 8), (0, 0, 0, 0)).save(png, "PNG")
    jpeg = _convert(png.getvalue(), "image/jpeg")
    assert jpeg is not None
    with Pillow.open(io.BytesIO(jpeg)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["fox.png", "fox", "fox.bin", "fox.PNG"])
def test_a_name_that_promises_nothing_else_gets_the_image_as_it_is(name: str, run: Run) -> None:
    assert run(*FOX, "-o", name) == (0, f"{name}\n", "")
    assert Path(name).read_bytes().startswith(PNG)


def test_without_pillow_an_image_is_saved_under_its_true_ending(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    path = old_file("fox.png")
    monkeypatch.setenv("KELLYAI_API_KEY", "key")
    monkeypatch.setattr("kellyapi.cli.output_files._convert", lambda *_: None)
    code, out, err = run(*FOX, "-o", "fox.jpg")
    assert (code, out) == (0, "fox-2.png\n")
    assert err == "warning: fox.jpg has the wrong ending for image/png: saved as fox-2.png\n"
    assert (path.read_bytes(), Path("fox-2.png").read_bytes()[:4]) == (OLD, PNG)
    assert not Path("fox.jpg").exists()


def test_pillow_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    from kellyapi.cli.output_files import _convert

    assert _convert(b"\x89PNG and no more", "image/jpeg") is None
    assert _convert(PNG, "audio/mpeg") is None
    monkeypatch.setitem(sys.modules, "PIL", None)
    assert _convert(PNG, "image/jpeg") is None


@pytest.mark.parametrize(("name", "format"), [("a.mp3", "mp3"), ("a.ogg", "ogg"), ("a.OPUS", "ogg")])
def test_the_provider_is_asked_for_the_format_of_the_name(name: str, format: str, khaya: Server, run: Run) -> None:
    run(*SPEECH, "-o", name)
    assert json.loads(khaya.requests[0][1])["format"] == format


def test_speech_of_another_format_than_its_name_is_saved_under_its_true_ending(khaya: Server, run: Run) -> None:
    khaya.put("/tts/v2/synthesize", WAV)
    code, out, err = run(*SPEECH, "-o", "hello.mp3", "--json")
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert (facts["path"], facts["mime"]) == ("hello.wav", "audio/wav")
    assert facts["warning"] == "hello.mp3 has the wrong ending for audio/wav: saved as hello.wav"
    assert not Path("hello.mp3").exists()


def test_a_provider_without_a_choice_of_formats_is_asked_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kellyapi import KellyAPI, Speech

    asked: list[str | None] = []

    async def synthesize(self: KellyAPI, text: str, language: str, *, format: str | None, **_: object) -> Speech:
        asked.append(format)
        if format is not None:
            raise ValueError("kelly has no format")
        return Speech(audio=WAV, mime="audio/wav", language="eng", provider="kelly")

    monkeypatch.setattr(KellyAPI, "synthesize", synthesize)
    assert main([*SPEECH, "-o", "hello.mp3"]) == 0
    assert (asked, capsys.readouterr().out) == (["mp3", None], "hello.wav\n")
    assert main([*SPEECH, "-o", "hello.mp3", "--format", "mp3"]) == 2


def test_a_warning_about_speech_is_printed_on_standard_error_whatever_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    from kellyapi import KellyAPI, Speech

    async def synthesize(*_: object, **__: object) -> Speech:
        warnings = ("spoken by the Swahili voice",)
        return Speech(audio=WAV, mime="audio/wav", language="twi", provider="khaya", warnings=warnings)

    monkeypatch.setattr(KellyAPI, "synthesize", synthesize)
    warning = b"warning: spoken by the Swahili voice"
    for out, printed in (("hello.wav", b"hello.wav\n"), ("-", WAV)):
        assert main([*SPEECH, "-o", out]) == 0
        captured = capfdbinary.readouterr()
        assert (captured.out.replace(b"\r\n", b"\n"), captured.err.splitlines()) == (printed, [warning])
    assert main([*SPEECH, "-o", "other.wav", "--json"]) == 0
    captured = capfdbinary.readouterr()
    assert (json.loads(captured.out)["warnings"], captured.err) == (["spoken by the Swahili voice"], b"")


# Outputs of predictions, and the demo


async def test_outputs_do_not_overwrite_unless_that_is_wanted(tmp_path: Path) -> None:
    from kellyapi import KellyAPI

    async with KellyAPI.sandbox() as api:
        predictions = api.skytells.predictions
        done = await api.skytells.run("truefusion", {"prompt": "a fox", "width": 64, "height": 64}, interval=0.01)
        (first,) = await predictions.download(done, tmp_path)
        first.write_bytes(OLD)
        (second,) = await predictions.download(done, tmp_path, overwrite=False)
        assert (first.read_bytes(), second.name) == (OLD, f"0-{first.name}")
        assert await predictions.download(done, tmp_path) == (first,)
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("words", "overwrite"), [([], False), (["--force"], True)])
def test_outputs_overwrite_with_force_alone(
    words: list[str], overwrite: bool, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    given: list[object] = []
    resource = type(Skytells("key").predictions)

    async def download(self: object, state: object, folder: object, **options: object) -> tuple[Path, ...]:
        given.append((Path(str(folder)), options["overwrite"]))
        return ()

    monkeypatch.setattr(resource, "download", download)
    run(
        "--sandbox",
        "run",
        "truefusion",
        "-i",
        "prompt=a fox",
        "-i",
        "width=64",
        "--interval",
        "0.01",
        "-o",
        "~",
        *words,
    )
    assert given == [(Path.home(), overwrite)]


def test_the_demo_overwrites_nothing_in_a_folder_that_is_named(run: Run) -> None:
    Path("mine").mkdir()
    path = old_file("mine/picture.png")
    assert run("demo", "-o", "mine") == (1, "", "error: mine/picture.png: exists already; --force overwrites it\n")
    assert path.read_bytes() == OLD


MakeTerminal = Callable[..., tuple[int, str]]


def test_a_terminal_shows_the_warning_too(khaya: Server, run_on_terminal: MakeTerminal) -> None:
    khaya.put("/tts/v2/synthesize", WAV)
    code, shown = run_on_terminal(*SPEECH, "-o", "hello.mp3")
    assert code == 0
    assert "warning: hello.mp3 has the wrong ending for audio/wav: saved as hello.wav\n" in shown


def test_a_pipe_with_a_name_gets_the_bytes_of_media(khaya: Server, run: Run) -> None:
    os.mkfifo("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(Path("pipe").read_bytes()))
    reader.start()
    assert run(*SPEECH, "-o", "pipe") == (0, "pipe\n", "")
    reader.join()
    assert read == [WAV]
    assert Path("pipe").is_fifo()


def test_media_goes_to_a_name_that_is_no_text(khaya: Server, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    name = os.fsdecode(b"a\xff.wav")
    assert main([*SPEECH, "-o", name]) == 0
    assert capsysbinary.readouterr() == (b"a\xff.wav\n", b"")
    assert Path(name).read_bytes() == WAV


@pytest.mark.parametrize("words", [FOX, ["--sandbox", "translate", "Hello", "en-tw"], ["--sandbox", "embed", "Hello"]])
def test_a_result_that_cannot_be_saved_is_kept_elsewhere_and_the_error_says_where(words: list[str], run: Run) -> None:
    code, out, err = run(*words, "-o", "/dev/full")
    assert (code, out, "/dev/full: No space left on device" in err) == (1, "", True)
    kept = Path(err.split("saved as ")[1].strip())
    assert kept.stat().st_size > 0
    kept.unlink()
    kept.parent.rmdir()
