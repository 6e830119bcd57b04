"""`generate_image` and `generate_images` with one key, with both, and with providers that fail."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from providers.skytells.studio import NUMBER, PNG, Studio, opened
from servers import Exchange, Script, Server, hang, make_response, reset

from kellyapi import (
    NO_RETRY,
    Embeddings,
    KellyAPI,
    Music,
    PaymentRequiredError,
    RequestTimeoutError,
    TransportError,
)

KELLY_DRAWS = make_response(body=json.dumps({"image": base64.b64encode(PNG).decode()}).encode())
SIZES = {"width": NUMBER, "height": NUMBER}


@asynccontextmanager
async def both(kelly: Script, studio: Studio, **options: Any) -> AsyncIterator[tuple[KellyAPI, Server]]:
    """Yield a client of Kelly AI and of a studio of Skytells, and the server of Kelly AI."""
    async with Server(kelly) as server, opened(studio, **options) as skytells:
        api = KellyAPI("k1", server.url, skytells=skytells, **{"retry": NO_RETRY, **options})
        async with api:
            yield api, server


async def test_a_key_of_skytells_alone_is_enough_for_sizes() -> None:
    studio = Studio(SIZES)
    async with opened(studio) as skytells, KellyAPI(skytells=skytells) as api:
        image = await api.generate_image("a fox", width=768, height=512, on_progress=print)
        images = await api.generate_images("a fox", 2, width=64)
    assert (image.provider, image.prediction_id, image.credits) == ("skytells", "p1", 0.06)
    assert [each.tried for each in images] == [("skytells",)] * 2
    assert [each["input"] for each in studio.created] == [
        {"prompt": "a fox", "width": 768, "height": 512},
        {"prompt": "a fox", "width": 64},
        {"prompt": "a fox", "width": 64},
    ]
    assert studio.created[0]["model"] == "truefusion-pro"


class Whole:
    """A whole number of another library, such as NumPy."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __index__(self) -> int:
        return self._number


async def test_whole_numbers_of_other_libraries_are_sizes_and_counts() -> None:
    width: Any = Whole(768)
    n: Any = Whole(2)
    studio = Studio({**SIZES, "num_outputs": {"type": "integer"}}, outputs=[2])
    async with both(KELLY_DRAWS, studio) as (api, kelly):
        for provider in ("kelly", "skytells"):
            assert len(await api.generate_images("a fox", n, width=width, height=512, provider=provider)) == 2
        assert [json.loads(each.body)["width"] for each in kelly.requests] == [768, 768]
    assert [each["input"] for each in studio.created] == [
        {"prompt": "a fox", "num_outputs": 2, "width": 768, "height": 512}
    ]


@pytest.mark.parametrize("provider", ["kelly", "skytells"])
async def test_more_than_a_thousand_images_are_refused_at_once(provider: Any) -> None:
    async with both(KELLY_DRAWS, Studio({})) as (api, kelly):
        with pytest.raises(ValueError, match="n must be from 1 to 1000, not 1001"):
            await api.generate_images("a fox", 1001, provider=provider)
        with pytest.raises(ValueError, match="n must be from 1 to 1000"):
            await getattr(api, provider).generate_images("a fox", 10**30)
        assert not kelly.requests


async def test_a_key_of_kelly_alone_is_enough_for_several_images() -> None:
    async with Server(KELLY_DRAWS) as server, KellyAPI("k1", server.url) as api:
        images = await api.generate_images("a fox", 3, width=512, on_progress=print, cancel_on_exit=False)
        bodies = [json.loads(seen.body) for seen in server.requests]
    assert [(each.data, each.provider, each.prediction_id, each.credits) for each in images] == [
        (PNG, "kelly", None, None)
    ] * 3
    assert [(each["prompt"], each["width"], each["height"]) for each in bodies] == [("a fox", 512, 1024)] * 3


async def test_how_a_call_waits_does_not_choose_the_provider() -> None:
    studio = Studio()
    async with both(KELLY_DRAWS, studio) as (api, _):
        image = await api.generate_image("a fox", timeout=5, on_progress=print, cancel_on_exit=False)
    assert (image.provider, studio.targets) == ("kelly", [])


async def test_the_time_of_a_call_holds_for_kelly() -> None:
    async with Server(hang) as server, KellyAPI("k1", server.url) as api:
        with pytest.raises(RequestTimeoutError, match=r"total=0\.05 s"):
            await api.generate_image("a fox", timeout=0.05)
        with pytest.raises(RequestTimeoutError, match=r"total=0\.05 s"):
            await api.generate_images("a fox", 2, timeout=0.05)


async def test_the_next_provider_draws_a_size_that_the_model_of_the_first_cannot() -> None:
    studio = Studio({"seed": NUMBER})
    async with both(KELLY_DRAWS, studio) as (api, _):
        image = await api.generate_image("a fox", width=512, provider="skytells", fallback=True)
        assert (image.provider, image.tried) == ("kelly", ("skytells", "kelly"))
        with pytest.raises(ValueError, match="truefusion-pro has no input for width"):
            await api.generate_image("a fox", width=512, provider="skytells")
    assert studio.created == []


async def test_an_error_of_a_provider_is_raised_rather_than_what_a_model_cannot_do() -> None:
    async with both(reset, Studio({"seed": NUMBER})) as (api, _):
        with pytest.raises(TransportError) as caught:
            await api.generate_image("a fox", width=512, fallback=True)
    assert caught.value.outcome_unknown
    assert caught.value.__notes__ == ["tried before: truefusion-pro has no input for width; its inputs are seed"]


@pytest.mark.parametrize("n", [None, 3])
@pytest.mark.parametrize("script", [make_response(402), make_response(500), reset], ids=["402", "500", "reset"])
async def test_if_kelly_fails_skytells_draws_the_same_size(script: Script, n: int | None) -> None:
    studio = Studio(SIZES)
    async with both(script, studio) as (api, _):
        if n is None:
            images = (await api.generate_image("a fox", width=512, model="Dream", fallback=True),)
        else:
            images = await api.generate_images("a fox", n, width=512, model="Dream", fallback=True)
    assert {each.tried for each in images} == {("kelly", "skytells")}
    assert {(each["model"], each["input"]["width"]) for each in studio.created} == {("truefusion-pro", 512)}


@pytest.mark.parametrize("n", [None, 3])
@pytest.mark.parametrize("path", ["/predict", "/model/truefusion-pro?fields=input_schema"])
async def test_if_skytells_fails_kelly_draws(path: str, n: int | None) -> None:
    studio = Studio(SIZES, instead={path: make_response(500)})
    async with both(KELLY_DRAWS, studio) as (api, kelly):
        if n is None:
            images = (await api.generate_image("a fox", width=512, provider="skytells", fallback=True),)
        else:
            images = await api.generate_images("a fox", n, width=512, provider="skytells", fallback=True)
        assert {each.tried for each in images} == {("skytells", "kelly")}
        assert len(kelly.requests) == (n or 1)


async def test_images_that_came_are_in_the_error_and_no_other_provider_is_paid() -> None:
    async def draw_all_but_the_second(exchange: Exchange) -> None:
        await exchange.read()
        second = len(kelly.requests) == 2
        await exchange.write(make_response(402, b'{"detail": "no credits"}') if second else KELLY_DRAWS)

    studio = Studio(SIZES)
    async with both(draw_all_but_the_second, studio) as (api, kelly):
        with pytest.raises(PaymentRequiredError, match="no credits") as caught:
            await api.generate_images("a fox", 3, fallback=True)
    assert [image.data for image in caught.value.partial] == [PNG, PNG]
    assert studio.targets == []


class Mine:
    """A provider of the user's own."""

    name = "mine"

    async def generate_images(self, prompt: str, n: int) -> list[bytes]:
        return [PNG] * n

    async def generate_video(self, prompt: str, duration: float = 5) -> bytes:
        return b"\x00\x00\x00\x18ftypisom"

    async def generate_music(self, prompt: str) -> Music:
        return Music(data=b"RIFF", mime="audio/wav")

    async def embed(self, texts: tuple[str, ...]) -> Embeddings:
        return Embeddings(tuple((float(len(text)),) for text in texts))


async def test_a_provider_of_the_users_own_generates_images_videos_and_music_and_embeds() -> None:
    async with KellyAPI(providers=[Mine()]) as api:
        images = await api.generate_images("a fox", 2, timeout=5)
        video = await api.generate_video("a fox", duration=3)
        results = (*images, video, await api.generate_music("highlife"), await api.embed(["a", "bc"]))
    assert [each.data for each in images] == [PNG, PNG]
    assert video.mime == "video/mp4"
    assert {(each.provider, each.tried) for each in results} == {("mine", ("mine",))}
