"""The released kellyapi 0.0.2.5 in a process of its own against the sandbox, and the same program with ours: the same
results, and the same `except` clauses catch."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_engines.voice import recognition
from PIL import Image
from servers import Server, answer

import kellyapi
from kellyapi import Sandbox
from official.clients import closed_port, run_old_names

OURS = Path(kellyapi.__file__).parents[1]


def picture() -> str:
    """Give a PNG of 32 × 16 pixels in base64."""
    file = io.BytesIO()
    Image.new("RGB", (32, 16), "navy").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


PICTURE = picture()
CALLS: dict[str, Callable[[Any], Any]] = {
    "sd_models": lambda c: c.sd_models(),
    "sdxl_models": lambda c: c.sdxl_models(),
    "llm_models": lambda c: c.llm_models(),
    "voice_models": lambda c: c.voice_models(),
    "generate": lambda c: c.generate("a red fox", "blurry", "PhotoPerfect", 128, 64),
    "img2img": lambda c: c.img2img("a red fox", PICTURE, "blurry", 64, 64),
    "img2text": lambda c: c.img2text("what is it?", PICTURE),
    "llm": lambda c: c.llm("hello", "gemini", "Fox"),
    "upscale": lambda c: c.upscale(PICTURE),
    "removebg": lambda c: c.removebg(PICTURE),
    "text2voice": lambda c: c.text2voice("hello"),
    "voice2text": lambda c: c.voice2text(base64.b64encode(b"RIFF").decode()),
    "text2write": lambda c: c.text2write("hello"),
    "code2image": lambda c: c.code2image("x = 1"),
}


async def both(released: Path, *calls: Callable[[Any], Any], url: str, key: str = "right") -> list[tuple[Any, Any]]:
    """Give what the program printed with the release and with ours, call by call."""
    old = await run_old_names(released, calls, f"{url}/", key)
    ours = await run_old_names(OURS, calls, f"{url}/", key)
    assert {each.pop("version") for each in old} == {"0.0.2.3"}  # what the release says of itself
    assert {each.pop("version") for each in ours} == {kellyapi.__version__}
    return list(zip(old, ours, strict=True))


async def test_all_14_methods_print_the_same(sandbox: Sandbox, released: Path) -> None:
    results = dict(zip(CALLS, await both(released, *CALLS.values(), url=sandbox.urls["kelly"]), strict=True))
    assert len(results) == 14
    spoken = [base64.b64decode(each["value"]["base64"]) for each in results.pop("text2voice")]
    assert all(audio.startswith(b"RIFF") for audio in spoken)
    assert {name for name, (old, ours) in results.items() if old != ours} == set()
    values = {name: old["value"] for name, (old, _) in results.items()}
    assert values["voice2text"] == recognition.TEXT
    drawn = {name for name, value in values.items() if isinstance(value, dict)}
    assert drawn == {"generate", "img2img", "upscale", "removebg", "text2write", "code2image"}
    assert all(base64.b64decode(values[name]["base64"]).startswith(b"\x89PNG") for name in drawn)
    assert Image.open(io.BytesIO(base64.b64decode(values["generate"]["base64"]))).size == (128, 64)


async def test_a_wrong_key_is_caught_by_the_same_names(sandbox: Sandbox, released: Path) -> None:
    for old, ours in await both(released, CALLS["llm"], CALLS["sd_models"], url=sandbox.urls["kelly"], key="wrong"):
        assert (old["caught"], ours["caught"]) == (["InvalidApiKey"], ["InvalidApiKey"])
        assert (old["error"], ours["error"]) == ("InvalidApiKey", "AuthenticationError")


@pytest.mark.parametrize(
    ("reply", "caught"),
    [
        (answer(401), ["InvalidApiKey"]),
        (answer(403), ["InvalidApiKey"]),
        (answer(502), ["BaseError", "ConnectionError"]),
        (answer(200, b"<html>", "text/html"), ["BaseError", "InvalidContent"]),
    ],
)
async def test_an_answer_that_was_an_error_is_caught_by_the_same_names(
    released: Path, reply: bytes, caught: list[str]
) -> None:
    async with Server(reply) as server:
        for old, ours in await both(released, CALLS["llm"], CALLS["sd_models"], url=server.url):
            assert (old["caught"], ours["caught"]) == (caught, caught)


async def test_nobody_listening_is_caught_by_the_same_names(released: Path) -> None:
    for old, ours in await both(released, CALLS["llm"], CALLS["sd_models"], url=closed_port()):
        assert old["caught"] == ours["caught"] == ["BaseError", "ConnectionError"]


async def test_a_refusal_that_the_release_took_for_a_success_is_an_error_of_ours(
    sandbox: Sandbox, released: Path
) -> None:
    ((old, ours),) = await both(released, lambda c: c.upscale("AAAA"), url=sandbox.urls["kelly"])
    assert (old["caught"], old["error"]) == ([], "TypeError")
    assert (ours["caught"], ours["error"]) == ([], "BadRequestError")
