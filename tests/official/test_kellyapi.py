"""The released kellyapi 0.0.2.5 and ours in processes of their own, against the sandbox: equal results and errors."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_engines.voice import recognition
from PIL import Image
from servers import Server, make_response

import kellyapi
from kellyapi import Sandbox
from official.clients import closed_port, run_old_names

OURS = Path(kellyapi.__file__).parents[1]


def picture() -> str:
    """Return a PNG of 32 × 16 pixels in base64."""
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


async def run_both(released: Path, *calls: Callable[[Any], Any], url: str, key: str = "right") -> list[tuple[Any, Any]]:
    """Return the output of each call with the release and with ours."""
    old = await run_old_names(released, calls, f"{url}/", key)
    ours = await run_old_names(OURS, calls, f"{url}/", key)
    assert {each.pop("version") for each in old} == {"0.0.2.3"}  # the `__version__` of the release 0.0.2.5
    assert {each.pop("version") for each in ours} == {kellyapi.__version__}
    return list(zip(old, ours, strict=True))


async def test_all_14_methods_print_the_same(sandbox: Sandbox, released: Path) -> None:
    results = dict(zip(CALLS, await run_both(released, *CALLS.values(), url=sandbox.urls["kelly"]), strict=True))
    assert len(results) == 14
    speech = [base64.b64decode(each["value"]["base64"]) for each in results.pop("text2voice")]
    assert all(audio.startswith(b"RIFF") for audio in speech)
    assert {name for name, (old, ours) in results.items() if old != ours} == set()
    values = {name: old["value"] for name, (old, _) in results.items()}
    assert values["voice2text"] == recognition.TEXT
    pictures = {name for name, value in values.items() if isinstance(value, dict)}
    assert pictures == {"generate", "img2img", "upscale", "removebg", "text2write", "code2image"}
    assert all(base64.b64decode(values[name]["base64"]).startswith(b"\x89PNG") for name in pictures)
    assert Image.open(io.BytesIO(base64.b64decode(values["generate"]["base64"]))).size == (128, 64)


async def test_a_wrong_key_is_caught_by_the_same_names(sandbox: Sandbox, released: Path) -> None:
    for old, ours in await run_both(released, CALLS["llm"], CALLS["sd_models"], url=sandbox.urls["kelly"], key="wrong"):
        assert (old["caught"], ours["caught"]) == (["InvalidApiKey"], ["InvalidApiKey"])
        assert (old["error"], ours["error"]) == ("InvalidApiKey", "AuthenticationError")


@pytest.mark.parametrize(
    ("reply", "caught"),
    [
        (make_response(401), ["InvalidApiKey"]),
        (make_response(403), ["InvalidApiKey"]),
        (make_response(502), ["BaseError", "ConnectionError"]),
        (make_response(200, b"<html>", "text/html"), ["BaseError", "InvalidContent"]),
    ],
)
async def test_an_error_response_is_caught_by_the_same_names(released: Path, reply: bytes, caught: list[str]) -> None:
    async with Server(reply) as server:
        for old, ours in await run_both(released, CALLS["llm"], CALLS["sd_models"], url=server.url):
            assert (old["caught"], ours["caught"]) == (caught, caught)


async def test_a_refused_connection_is_caught_by_the_same_names(released: Path) -> None:
    for old, ours in await run_both(released, CALLS["llm"], CALLS["sd_models"], url=closed_port()):
        assert old["caught"] == ours["caught"] == ["BaseError", "ConnectionError"]


async def test_an_error_that_the_release_takes_for_a_success_is_an_error_in_ours(
    sandbox: Sandbox, released: Path
) -> None:
    ((old, ours),) = await run_both(released, lambda c: c.upscale("AAAA"), url=sandbox.urls["kelly"])
    assert (old["caught"], old["error"]) == ([], "TypeError")
    assert (ours["caught"], ours["error"]) == ([], "BadRequestError")
