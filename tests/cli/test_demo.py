"""`kellyapi demo` without the speech engines; engines/test_demo.py has the rest."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from kellyapi import KellyAPI, Khaya
from kellyapi.cli import demo_steps

from .command import Run
from .fake_khaya import KEY, WAV, Server


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a package that cannot be imported."""
    folder = tmp_path_factory.mktemp("packages")
    (folder / "espeakng_loader.py").write_text("""raise ModuleNotFoundError("No module named 'espeakng_loader'")""")
    return folder


@pytest.fixture
def no_speech(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make speech fail as on a machine without its engine, also in the engines' process, which has our `sys.path`."""
    monkeypatch.syspath_prepend(packages)


@pytest.mark.usefixtures("no_speech")
def test_without_the_speech_engine_the_demo_says_what_to_install_and_keeps_its_other_files(run: Run) -> None:
    code, out, err = run("demo")
    assert code == 1
    assert 'pip install "kellyapi[sandbox]"' in err
    assert err.count("\n") == 1
    assert "translation.txt" in out
    made = {path.name for path in Path("kellyapi-demo").iterdir()}
    assert made == {"translation.txt", "picture.png", "code.png", "notes.png"}
    assert Path("kellyapi-demo/translation.txt").read_text(encoding="utf-8").splitlines() == [
        demo_steps.SENTENCE,
        "Ɛte sɛn. Wo din de sɛn?",
    ]


@pytest.mark.usefixtures("no_speech")
def test_the_demo_takes_another_folder_and_reports_json(run: Run) -> None:
    Path("elsewhere").mkdir()
    code, out, err = run("demo", "--json", "-o", "elsewhere")
    assert code == 1
    assert json.loads(err)["error"]["status"] == 503
    report = json.loads(out)
    assert report["folder"] == "elsewhere"
    assert [step["file"] for step in report["steps"]] == [
        "translation.txt",
        "picture.png",
        "code.png",
        "notes.png",
    ]
    assert all((Path("elsewhere") / step["file"]).stat().st_size for step in report["steps"])


@pytest.mark.parametrize(("folder", "complaint"), [("file", "is a file, not a folder"), ("no/where", "No such file")])
def test_a_folder_that_cannot_be_made_is_an_error(folder: str, complaint: str, run: Run) -> None:
    Path("file").write_bytes(b"")
    code, out, err = run("demo", "-o", folder)
    assert (code, out) == (1, "")
    assert complaint in err


def test_a_demo_without_results_shows_no_table(run: Run) -> None:
    Path("kellyapi-demo/translation.txt").mkdir(parents=True)
    assert run("demo") == (1, "", "error: kellyapi-demo/translation.txt: Is a directory\n")


async def test_the_demo_speaks_and_listens(khaya: Server, tmp_path: Path) -> None:
    async with KellyAPI("k", khaya=Khaya(KEY, base_url=khaya.url)) as api:
        done = [await step.run(api, tmp_path) for step in demo_steps.STEPS if step.name in ("speak", "listen")]
    assert [row.result for row in done] == [
        f"“{demo_steps.SENTENCE}” in 1.0 s",
        "“good morning”, 2 words with their times",
    ]
    assert (await asyncio.to_thread((tmp_path / "speech.wav").read_bytes)) == WAV
    heard = json.loads(await asyncio.to_thread((tmp_path / "transcript.json").read_text))
    assert heard["words"][1] == {"word": "morning", "start": 0.25, "end": 1.0}
