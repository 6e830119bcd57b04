"""The content filter: texts and images that Skytells checks."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import respond

from kellyapi import Base64, FilterResult, SafetyCheck, Skytells

from .messages import BASE, HELLO, JSON

PNG = b"\x89PNG\r\n\x1a\n" + b"\x00" * 9
PNG64 = base64.b64encode(PNG).decode()


CHECKED = {"model": "deepbrain-router", "max_tokens": 16}


def seen(prompt: Any, reply: Any) -> dict[str, Any]:
    """Make a completion with the findings of the filter in prompt and reply."""
    return {
        "choices": [{"message": {"content": ""}, "finish_reason": "length", "content_filter_results": reply}],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": prompt}],
    }


SAFE, BAD = {"filtered": False, "severity": "safe"}, {"filtered": True, "severity": "high"}


@pytest.mark.parametrize(
    ("reply", "failed"),
    [
        (seen({"hate": SAFE}, {"hate": SAFE}), ()),
        (seen({"hate": BAD}, {"hate": SAFE}), ("hate",)),
        (seen({"hate": SAFE}, {"hate": BAD, "violence": SAFE}), ("hate",)),
        (seen({"jailbreak": {"filtered": True, "detected": True}}, {"sexual": BAD}), ("jailbreak", "sexual")),
        ({"choices": []}, ()),
    ],
)
async def test_a_text_is_checked_with_a_short_chat_and_the_worse_finding_counts(
    wire: Responses, skytells: Skytells, reply: Any, failed: tuple[str, ...]
) -> None:
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=reply)
    check = await skytells.safety.check_text("hi")
    assert (check.passed, check.failed) == (not failed, failed)
    assert [(one.headers, one.json) for one in sent] == [(JSON, {**CHECKED, "messages": [HELLO]})]


async def test_a_check_shows_each_category(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/chat/completions", json=seen({"hate": BAD}, {"violence": SAFE}))
    results = {"hate": FilterResult(filtered=True, severity="high"), "violence": FilterResult(False, severity="safe")}
    assert await skytells.safety.check_text("hi") == SafetyCheck(results)


@pytest.mark.parametrize(
    ("make", "url"),
    [
        (lambda folder: "https://i.example/a.png", "https://i.example/a.png"),
        (lambda folder: f"data:image/png;base64,{PNG64}", f"data:image/png;base64,{PNG64}"),
        (lambda folder: PNG, f"data:image/png;base64,{PNG64}"),
        (lambda folder: io.BytesIO(PNG), f"data:image/png;base64,{PNG64}"),
        (lambda folder: Base64(PNG64), f"data:image/png;base64,{PNG64}"),
        (lambda folder: folder / "a.png", f"data:image/png;base64,{PNG64}"),
        (lambda folder: str(folder / "a.png"), f"data:image/png;base64,{PNG64}"),
    ],
)
async def test_an_image_from_any_source_is_checked(
    wire: Responses, skytells: Skytells, tmp_path: Path, make: Any, url: str
) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    sent = respond(wire, "POST", f"{BASE}/chat/completions", json=seen({"violence": BAD}, {}))
    assert (await skytells.safety.check_image(make(tmp_path))).failed == ("violence",)
    content = sent[0].json["messages"][0]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"] == {"url": url}
    assert {name: sent[0].json[name] for name in CHECKED} == CHECKED
