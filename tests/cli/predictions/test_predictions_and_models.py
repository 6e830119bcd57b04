"""`kellyapi predictions` and `kellyapi models` in a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.command import Run

from .terminal import FOX, PNG, ask


@pytest.mark.usefixtures("_slow")
def test_a_prediction_is_listed_shown_cancelled_and_deleted(run: Run) -> None:
    prediction = ask("create", "truefusion", {"prompt": "a fox"})
    assert run("predictions", "get", prediction.id)[1] == "pending\n"
    assert json.loads(run("predictions", "get", prediction.id, "--json")[1])["status"] == "pending"
    listed = run("predictions", "list", "--model", "truefusion", "--status", "pending")[1]
    assert (
        f"{prediction.id}\tpending\ttruefusion\t{prediction.created_at[:10]} {prediction.created_at[11:19]}\t0\n"
        in listed
    )
    page = json.loads(run("predictions", "list", "--per-page", "1", "--json")[1])
    assert (page["items"][0]["id"], page["pagination"]["per_page"]) == (prediction.id, 1)
    assert run("predictions", "cancel", prediction.id) == (0, f"{prediction.id} cancelled\n", "")
    assert ask("get", prediction.id).status == "cancelled"
    assert json.loads(run("predictions", "delete", prediction.id, "--json")[1]) == {
        "id": prediction.id,
        "done": "deleted",
    }
    assert run("predictions", "get", prediction.id)[0] == 1


@pytest.mark.usefixtures("_quick")
def test_a_prediction_is_followed_and_downloaded_by_its_id(run: Run) -> None:
    prediction = ask("create", "truefusion", {"prompt": "a fox", "width": 64, "height": 64})
    code, out, err = run("predictions", "follow", prediction.id, "--interval", "0.01", "-o", "made")
    (path,) = Path("made").iterdir()
    assert (code, out) == (0, f"{path}\n")
    assert err.startswith(f"prediction {prediction.id}\n")
    path.unlink()
    assert run("predictions", "download", prediction.id, "-o", "made")[:2] == (0, f"{path}\n")
    assert path.read_bytes().startswith(PNG)
    assert run("predictions", "download", prediction.id)[1] == f"{path.name}\n"


@pytest.mark.usefixtures("_quick")
def test_models_are_listed_and_shown(run: Run) -> None:
    assert "truefusion-pro\timage\tSkytells\t0.05 USD per image\n" in run("models", "list")[1]
    assert "gpt-5-nano\ttext\tOpenAI\t0.0000004 USD per token\n" in run("models", "list")[1]
    shown = run("models", "show", "truefusion")[1]
    assert shown.splitlines()[:2] == ["truefusion", "TrueFusion · image · Skytells · 0.03 USD per image"]
    assert "width\tinteger\t1024\tPixels. With an aspect ratio, it sets the default.\n" in shown
    assert "prompt\tstring\tneeded\t" in shown
    assert {model["namespace"] for model in json.loads(run("models", "list", "--json")[1])} >= {"truefusion", "gpt-5"}
    assert json.loads(run("models", "show", "truefusion", "--json")[1])["input_schema"]["required"] == ["prompt"]


def test_a_sandbox_can_be_started_for_one_prediction(run: Run) -> None:
    code, out, _ = run(*FOX, "-o", "made", "--sandbox")
    assert code == 0
    assert Path(out.strip()).read_bytes().startswith(PNG)
