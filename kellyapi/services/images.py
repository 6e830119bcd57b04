"""Images: the result, who can draw, edit, describe, enlarge and cut out, the routed calls."""

from __future__ import annotations

import os
from pathlib import Path

from attrs import field, frozen

from .._data.files import save
from .._data.media import MediaSource, image_size
from .result import ServiceResult, provider_fields_last
from .routing import Fallback, ProviderName, Route, RoutedService, accepts

GENERATE_IMAGE = (
    Route(
        provider="kelly",
        method="generate_image",
        arguments=accepts("prompt", "negative_prompt", "model", "width", "height"),
        model="PhotoPerfect",
    ),
    Route(provider="skytells", method="generate_image", arguments=accepts("prompt", "model"), model="truefusion-pro"),
)
EDIT_IMAGE = (
    Route(
        provider="kelly",
        method="edit_image",
        arguments=accepts("image", "prompt", "negative_prompt", "width", "height"),
    ),
)
DESCRIBE_IMAGE = (Route(provider="kelly", method="describe_image", arguments=accepts("image", "prompt")),)
UPSCALE_IMAGE = (Route(provider="kelly", method="upscale_image", arguments=accepts("image")),)
REMOVE_BACKGROUND = (Route(provider="kelly", method="remove_background", arguments=accepts("image")),)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Image(ServiceResult):
    """A picture."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    """The whole file."""
    mime: str
    """Such as "image/png"."""

    @property
    def width(self) -> int | None:
        """Pixels; `None` when the picture is not PNG, JPEG, GIF or WebP."""
        size = image_size(self.data)
        return size and size[0]

    @property
    def height(self) -> int | None:
        """Pixels; `None` when the picture is not PNG, JPEG, GIF or WebP."""
        size = image_size(self.data)
        return size and size[1]

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to a file, atomically and off the loop; gives its path."""
        return await save(path, self.data)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Description(ServiceResult):
    """What can be seen in a picture."""

    text: str

    def __str__(self) -> str:
        return self.text


class Images(RoutedService):
    """The services as `KellyAPI` offers them.

    An `image` is a path, bytes, a binary file, an async iterator of bytes, a `data:` URL or `Base64(text)`.

    Source: https://github.com/NotReallyPrince/Kelly-API
    """

    async def generate_image(
        self,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        model: str | None = None,
        width: int | None = None,
        height: int | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Image:
        """Draw a picture; sizes in pixels.

        Without `model` the provider's default draws: Kelly AI's PhotoPerfect, else Skytells' truefusion-pro. A blank
        prompt raises `ValueError`.
        """
        return await self._route(
            GENERATE_IMAGE,
            Image,
            provider,
            fallback,
            prompt=prompt,
            negative_prompt=negative_prompt,
            model=model,
            width=width,
            height=height,
        )

    async def edit_image(
        self,
        image: MediaSource,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        width: int | None = None,
        height: int | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Image:
        """Draw a picture anew after another one and a prompt; sizes in pixels."""
        return await self._route(
            EDIT_IMAGE,
            Image,
            provider,
            fallback,
            image=image,
            prompt=prompt,
            negative_prompt=negative_prompt,
            width=width,
            height=height,
        )

    async def describe_image(
        self, image: MediaSource, prompt: str, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Description:
        """Answer a question about a picture."""
        return await self._route(DESCRIBE_IMAGE, Description, provider, fallback, image=image, prompt=prompt)

    async def upscale_image(
        self, image: MediaSource, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Image:
        """Enlarge a picture, up to four times."""
        return await self._route(UPSCALE_IMAGE, Image, provider, fallback, image=image)

    async def remove_background(
        self, image: MediaSource, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Image:
        """Cut the subject out of a picture; the rest becomes transparent."""
        return await self._route(REMOVE_BACKGROUND, Image, provider, fallback, image=image)
