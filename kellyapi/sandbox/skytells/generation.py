"""What the sandbox's models make of an input: pictures, videos, music and texts."""

from __future__ import annotations

import asyncio
from math import isqrt
from typing import Any

from attrs import frozen

from ..._data.base64_text import is_data_url, read_data_url
from ..engines.errors import BadInput
from ..frontend import SandboxContext
from . import outputs
from .models import model_kind

Input = dict[str, Any]
_PICTURE_FILES = {
    "png": ("png", "image/png"),
    "jpg": ("jpg", "image/jpeg"),
    "jpeg": ("jpg", "image/jpeg"),
    "webp": ("webp", "image/webp"),
}
"""Ending and type of a file, by the format that an input names."""
_AUDIO_FILES = {"mp3": ("mp3", "audio/mpeg"), "wav": ("wav", "audio/wav"), "pcm": ("pcm", "audio/pcm")}
_MAX_HEAD, _MAX_ESCAPES = 1000, 100_000
"""Of a `data:` URL: characters before the comma, and bytes written as "%41", each of which takes 200 to decode."""
_VIDEO_FILE = ("mp4", "video/mp4")


@frozen(kw_only=True)
class Generated:
    """What a model made."""

    files: tuple[tuple[str, str, bytes], ...] = ()
    """The ending, the type and the content of each file."""
    text: str | None = None
    units: float
    """How much it is, in the unit of the model's price: pictures, seconds, tokens."""


async def generate(context: SandboxContext, model: dict[str, Any], input: Input) -> Generated:
    """Make what a model makes of an input that `check_input` has accepted.

    Raises:
        BadInput: If the input cannot be used.
        EngineMissing: If a package is not installed.
        RuntimeError: If the work fails or exceeds its limits.
    """
    match model_kind(model):
        case "image":
            return await _make_pictures(context, input)
        case "video":
            return await _film(context, input)
        case "music":
            return await _compose(context, input)
    return await _write_text(context, model, input)


def picture_size(input: Input, area: int, ratio: str = "1:1") -> dict[str, int]:
    """Return the width and the height that an input asks for.

    An aspect ratio alone gives at most `area` pixels in exactly this ratio, and sides that 8 divides.
    """
    width, height = map(int, str(input.get("aspect_ratio") or ratio).split(":"))
    step = isqrt(area // (width * height)) // 8 * 8
    return {"width": input.get("width") or width * step, "height": input.get("height") or height * step}


async def _make_pictures(context: SandboxContext, input: Input) -> Generated:
    count = input.get("num_outputs") or input.get("number_of_images") or 1
    format = input.get("output_format") or "png"
    options = {"prompt": input["prompt"], "format": format, **picture_size(input, 1024 * 1024)}
    if input.get("image"):
        function = "pictures.image_operations.edit"
        options["image"] = await _read_image(context, input["image"])
    else:
        function = "pictures.image_operations.draw"
        options["negative_prompt"] = input.get("negative_prompt") or ""
    runs = (context.engines.run(function, **options, variant=_variant(input, place)) for place in range(count))
    pictures = await asyncio.gather(*runs)
    return Generated(files=tuple((*_PICTURE_FILES[format], picture) for picture in pictures), units=count)


def _variant(input: Input, place: int) -> str:
    """Return what tells one output from those of other seeds and places; it is empty for the first without a seed."""
    seed = input.get("seed")
    return " ".join(str(each) for each in (seed, place or None) if each is not None)


async def _read_image(context: SandboxContext, link: str) -> bytes:
    """Return the picture of a `data:` URL or of a link to one of this sandbox's own outputs."""
    if is_data_url(link):
        if len(link.partition(",")[0]) > _MAX_HEAD or link.count("%") > _MAX_ESCAPES:
            raise BadInput("image", "The image field has a data: URL that the sandbox does not read: use base64.")
        try:
            return (await asyncio.to_thread(read_data_url, link))[1]
        except ValueError as error:
            raise BadInput("image", f"The image field cannot be read: {error}.") from None
    name = link.partition("/delivery/")[2]
    if outputs.read_id(name):
        try:
            return await asyncio.to_thread(context.store.path("outputs", name).read_bytes)
        except FileNotFoundError:
            pass
    raise BadInput("image", "The sandbox fetches no images: pass a data: URL, or the link of one of its own outputs.")


async def _film(context: SandboxContext, input: Input) -> Generated:
    seconds = input.get("duration") or input.get("duration_seconds") or 5
    image = await _read_image(context, input["image"]) if input.get("image") else None
    video = await context.engines.run(
        "video.film",
        prompt=input["prompt"],
        negative_prompt=input.get("negative_prompt") or "",
        seconds=seconds,
        fps=input.get("fps") or 24,
        image=image,
        **picture_size(input, 640 * 360, "16:9"),
    )
    return Generated(files=((*_VIDEO_FILE, video),), units=seconds)


async def _compose(context: SandboxContext, input: Input) -> Generated:
    format = input.get("audio_format") or "wav"
    audio = await context.engines.run(
        "music.compose",
        prompt=input["prompt"],
        lyrics=input.get("lyrics") or "",
        variant=_variant(input, 0),
        seconds=input.get("duration_seconds") or 10,
        bpm=input.get("bpm"),
        key=input.get("key"),
        rate=input.get("sample_rate") or 44_100,
        format=format,
    )
    return Generated(files=((*_AUDIO_FILES[format], audio),), units=1)


async def _write_text(context: SandboxContext, model: dict[str, Any], input: Input) -> Generated:
    messages = [
        {"role": "system", "content": input.get("system_prompt") or ""},
        {"role": "user", "content": input["prompt"]},
    ]
    text = await context.engines.run("language.chat_rules.reply", messages=messages, model=model["namespace"])
    return Generated(text=text, units=len(f"{input['prompt']} {text}".split()))
