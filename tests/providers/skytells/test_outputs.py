"""Saving the outputs of a prediction in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import AS_IT_IS, respond

from kellyapi import PermissionDeniedError, Prediction, ServerError, Skytells

from .messages import BASE, DONE


def below(folder: Path) -> list[Path]:
    """List all paths in a folder and its subfolders."""
    return list(folder.rglob("*"))


def finished(*outputs: Any) -> Prediction:
    return Prediction(id="a1", status="succeeded", output=list(outputs))


async def test_outputs_are_saved_in_a_folder_without_the_key(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    respond(
        wire, "GET", f"{BASE}/predictions/a1", json={**DONE, "output": ["https://d.example/us/a.png?sig=1", "a text"]}
    )
    fetched = respond(wire, "GET", "https://d.example/us/a.png?sig=1", body=b"png", content_type="image/png")
    saved = await skytells.predictions.download("a1", tmp_path / "new" / "folder")
    assert saved == (tmp_path / "new" / "folder" / "a.png",)
    assert saved[0].read_bytes() == b"png"
    assert [one.headers for one in fetched] == [AS_IT_IS]


async def test_outputs_of_one_name_do_not_replace_each_other(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    links = [f"https://d.example/{number}/out.png" for number in range(3)]
    for link in links:
        respond(wire, "GET", link, body=link.encode(), content_type="image/png")
    saved = await skytells.predictions.download(finished(*links), tmp_path)
    assert [path.read_bytes().decode() for path in saved] == links
    assert {path.parent for path in saved} == {tmp_path}


@pytest.mark.parametrize(
    "link",
    [
        "https://d.example/..%2F..%2Fescaped",
        "https://d.example/%2e%2e",
        "https://d.example/..%5C..%5Cescaped",
        "https://d.example/%2Fescaped",
        "https://d.example/a/",
        "https://d.example",
    ],
)
async def test_no_output_leaves_the_folder(wire: Responses, skytells: Skytells, tmp_path: Path, link: str) -> None:
    respond(wire, "GET", link, body=b"x", content_type="image/png")
    folder = tmp_path / "folder"
    (saved,) = await skytells.predictions.download(finished(link), folder)
    assert below(tmp_path) == [folder, saved]
    assert saved.parent == folder


async def test_if_several_outputs_fail_the_error_of_the_first_output_is_raised(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    statuses = {"a": 200, "b": 500, "c": 400}
    links = {f"https://d.example/{name}.png": status for name, status in statuses.items()}
    for link, status in links.items():
        respond(wire, "GET", link, status=status, body=b"png", content_type="image/png")
    with pytest.raises(ServerError) as raised:
        await skytells.predictions.download(finished(*links), tmp_path)
    assert raised.value.prediction == finished(*links)
    assert [path.name for path in below(tmp_path)] == ["a.png"]


async def test_an_expired_link_leaves_no_file(wire: Responses, skytells: Skytells, tmp_path: Path) -> None:
    link = "https://d.example/a.png"
    respond(wire, "GET", link, status=403, body="<title>Expired</title>", content_type="text/html")
    with pytest.raises(PermissionDeniedError, match="Expired"):
        await skytells.predictions.download(finished(link), tmp_path)
    assert below(tmp_path) == []
