"""What the sandbox's models make of an input: pictures and texts."""

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


@frozen(kw_only=True)
class Generated:
    """What a model made."""

    files: tuple[tuple[str, str, bytes], ...] = ()
    """The ending, the type and the content of each file."""
    text: str | None = None
    units: float
    """How much it is, in the unit of the model's price: pictures, tokens."""


async def generate(context: SandboxContext, model: dict[str, Any], input: Input) -> Generated:
    """Make what a model makes of an input that `check_input` has accepted.

    Raises:
        BadInput: If the input cannot be used.
        EngineMissing: If a package is not installed.
        RuntimeError: If the work fails or exceeds its limits.
    """
    kind = model_kind(model)
    if kind == "image":
        return await _make_pictures(context, input)
    if kind in ("text", "code"):
        return await _write_text(context, model, input)
    raise RuntimeError(f"The sandbox makes no {kind}.")


def picture_size(input: Input, area: int) -> dict[str, int]:
    """Return the width and the height that an input asks for.

    An aspect ratio alone gives at most `area` pixels in exactly this ratio, and sides that 16 divides.
    """
    width, height = map(int, str(input.get("aspect_ratio") or "1:1").split(":"))
    step = isqrt(area // (width * height)) // 16 * 16
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


async def _write_text(context: SandboxContext, model: dict[str, Any], input: Input) -> Generated:
    messages = [
        {"role": "system", "content": input.get("system_prompt") or ""},
        {"role": "user", "content": input["prompt"]},
    ]
    text = await context.engines.run("language.chat_rules.reply", messages=messages, model=model["namespace"])
    return Generated(text=text, units=len(f"{input['prompt']} {text}".split()))
