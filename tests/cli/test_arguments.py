"""What can be typed, and what is refused."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys

import pytest

import kellyapi
from kellyapi.cli import commands
from kellyapi.cli.main import main

from .command import Run
from .fake_khaya import KEY


def test_without_arguments_the_command_prints_its_help(run: Run) -> None:
    code, out, err = run()
    assert (code, err) == (0, "")
    assert all(name in out for name in ("demo", "sandbox", "translate", "transcribe", "synthesize", "image", "chat"))


def test_the_help_lists_each_command_once_in_a_group_and_fits_into_80_columns(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    page = run()[1]
    groups = [block.splitlines() for block in page.partition("\noptions:\n")[0].split("\n\n")[2:]]
    listed = [line.split()[0] for group in groups for line in group[1:] if line]
    assert sorted(listed) == sorted(each.name for each in pkgutil.iter_modules(commands.__path__))
    assert all(group[0].endswith(":") for group in groups)
    assert max(map(len, page.splitlines())) <= 80


@pytest.mark.parametrize(("words", "shown"), [(["--version"], kellyapi.__version__), (["image", "--help"], "PROMPT")])
def test_help_and_version_exit_with_0(words: list[str], shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(words)
    assert exit.value.code == 0
    assert shown in capsys.readouterr().out


def test_help_imports_neither_rich_nor_aiohttp_nor_asyncio() -> None:
    code = """
import sys
from kellyapi.cli.main import main
try:
    main(["--help"])
except SystemExit:
    print(sorted({"rich", "aiohttp", "asyncio", "attrs"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_via_translates_through_another_language(run: Run) -> None:
    code, out, err = run("translate", "Maakye", "tw-ee", "--via", "en", "--sandbox", "--json")
    assert (code, err) == (0, "")
    shown = json.loads(out)
    assert (shown["target_language"], shown["tried"]) == ("ee", ["khaya", "khaya"])
    assert (shown["intermediate"]["text"], shown["intermediate"]["target_language"]) == ("Good morning", "en")


@pytest.mark.parametrize(
    "words",
    [
        ["--sandbox", "--json", "--provider", "khaya", "translate", "Good morning", "en-tw"],
        ["translate", "Good morning", "en-tw", "--sandbox", "--json", "--provider", "khaya"],
        ["--json", "translate", "--sandbox", "Good morning", "--provider=khaya", "en-tw"],
        ["--provider", "kelly", "--json", "translate", "--sandbox", "Good morning", "en-tw", "--provider", "khaya"],
        ["--sandbox", "translate", "Good morning", "--source", "en", "--target", "tw", "--json"],
    ],
)
def test_options_may_come_before_or_after_the_command(words: list[str], run: Run) -> None:
    code, out, err = run(*words)
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "text": "Maakye",
        "source_language": "en",
        "target_language": "tw",
        "provider": "khaya",
        "tried": ["khaya"],
        "warnings": [],
    }


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["translate"], "required: TEXT (see kellyapi translate --help)"),
        (["translate", "Hello"], "a PAIR such as en-tw"),
        (["translate", "Hello", "en-tw", "more"], "the last word must be the languages, such as en-tw, not 'more'"),
        (["translate", "Hello", "en-tw", "--source", "en"], "either a PAIR, or --source and --target"),
        (["translate", "--lines", "texts.txt"], "a PAIR such as en-tw"),
        (["translate", "-", "-", "en-tw"], "- can be given once"),
        (["transcribe", "-", "-"], "- can be given once"),
        (["edit", "-", "-"], "- can be given once"),
        (["describe", "-", "-"], "- can be given once"),
        (["describe", "fox.png"], "required: PROMPT"),
        (["upscale"], "required: IMAGE"),
        (["notes", "a", "b"], "unrecognized arguments: b"),
        (["languages", "singing"], "invalid choice: 'singing'"),
        (["voices", "--provider", "skytells"], "--provider must be one of khaya, kelly, not 'skytells'"),
        (["image", "a fox", "--provider", "nobody"], "--provider must be one of kelly, khaya, skytells, aerostack"),
        (["voices"], "set KHAYA_API_KEY or KELLYAI_API_KEY"),
        (["languages", "translation"], "set KHAYA_API_KEY"),
        (["embed", "a fox"], "set SKYTELLS_API_KEY"),
        (["notes", "a fox"], "set KELLYAI_API_KEY"),
        (["upscale", "a.png", "b.png"], "set KELLYAI_API_KEY"),
        (["upscale", "a.png", "b.png", "-o", "-"], "several files cannot share standard output"),
        (["run", "truefusion", "-i", "image=a", "-f", "image=a.png"], "input image is given more than once"),
        (["run", "truefusion", "-f", "a=-", "-f", "b=-"], "- can be given once"),
        (["run", "truefusion", "-f", "a.png"], "'a.png' is not NAME=VALUE"),
        (["run", "truefusion", "-f", "image="], "'image=' has no file name"),
        (["run", "truefusion", "-i", "image=@"], "'image=@' has no file name; write a text that begins with @ as @@"),
        (["run", "truefusion", "-i", "a=@-", "-f", "b=-"], "- can be given once"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
        (["translate", "Hello", "--unknown"], "unrecognized arguments: --unknown"),
        (["--sandbox", "translate", "Hello", "english"], "pair ('en-tw')"),
        (["--sandbox", "translate", "", "en-tw"], "empty"),
        (["--sandbox", "translate", "Hello", "en-tw", "--provider", "kelly"], "khaya can"),
        (["--sandbox", "synthesize", "  "], "the text is empty"),
        (["--sandbox", "image", " "], "the prompt is empty"),
        (["dance"], "invalid choice: 'dance'"),
        (["transcribe", "a.wav", "--timestamps", "letter"], "invalid choice: 'letter'"),
        (["synthesize", "Hello", "--format", "aiff"], "invalid choice: 'aiff'"),
        (["sandbox", "--port", "65536"], "'65536' is not a number from 0 to 65535"),
        (["sandbox", "--port", "http"], "'http' is not a number from 0 to 65535"),
        (["-o", "file", "sandbox"], "sandbox takes no --output"),
        (["--provider", "khaya", "demo"], "demo takes no --provider"),
        (["image", "a fox"], "set KELLYAI_API_KEY or SKYTELLS_API_KEY"),
    ],
)
def test_wrong_arguments_are_reported_in_one_line_with_exit_code_2(words: list[str], complaint: str, run: Run) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert complaint in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("BASE_URL", "example.org", "'example.org' has no https://"),
        ("API_KEY", "   ", "the API key for Khaya is blank"),
    ],
)
def test_an_unusable_environment_exits_with_2(
    name: str, value: str, complaint: str, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    monkeypatch.setenv("KHAYA_API_KEY", KEY)
    monkeypatch.setenv(f"KHAYA_{name}", value)
    code, out, err = run("translate", "Hello", "en-tw")
    assert (code, out) == (2, "")
    assert complaint in err
