"""Images: results, services to generate, edit, describe and upscale them, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from .._data.arguments import Count, FilePath, NotBlank, checked
from .._data.files import save
from .._data.media import MediaSource
from .._data.media_types import image_size
from .notebook import fits, media_html
from .routing import Fallback, ProviderName, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Image(ServiceResult):
    """An image."""

    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")
    """The complete image file."""
    mime: str
    """The MIME type, such as "image/png"."""

    @property
    def width(self) -> int | None:
        """The width in pixels; `None` if the file does not say it."""
        size = image_size(self.data)
        return size and size[0]

    @property
    def height(self) -> int | None:
        """The height in pixels; `None` if the file does not say it."""
        size = image_size(self.data)
        return size and size[1]

    @checked
    async def save(self, path: FilePath) -> Path:
        """Write the image to a file, atomically and without blocking the event loop, and return the path."""
        return await save(path, self.data)

    def _repr_png_(self) -> bytes | None:
        return self.data if self.mime == "image/png" and fits(self.data) else None

    def _repr_jpeg_(self) -> bytes | None:
        return self.data if self.mime == "image/jpeg" and fits(self.data) else None

    def _repr_html_(self) -> str | None:
        """Return what Jupyter shows if the image is neither PNG nor JPEG, or too large."""
        if self._repr_png_() or self._repr_jpeg_():
            return None
        return media_html(self.mime, self.data)


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Description(ServiceResult):
    """The description of an image."""

    text: str

    def __str__(self) -> str:
        return self.text


@frozen(kw_only=True)
class GenerateImageArguments:
    """The arguments of `generate_image`; `None` means that it was not passed."""

    prompt: str
    negative_prompt: str | None = None
    model: str | None = None
    width: int | None = None
    height: int | None = None


@frozen(kw_only=True)
class EditImageArguments:
    """The arguments of `edit_image`; `None` means that it was not passed."""

    image: MediaSource
    prompt: str
    negative_prompt: str | None = None
    width: int | None = None
    height: int | None = None


@frozen(kw_only=True)
class DescribeImageArguments:
    """The arguments of `describe_image`."""

    image: MediaSource
    prompt: str


@frozen(kw_only=True)
class ImageArguments:
    """The arguments of `upscale_image` and `remove_background`."""

    image: MediaSource


class KellyImages(Protocol):
    """A client that has all these services."""

    def generate_image(
        self,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        model: str | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> Awaitable[Image]:
        """Generate an image from a prompt."""

    def edit_image(
        self,
        image: MediaSource,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> Awaitable[Image]:
        """Generate an image from another image and a prompt."""

    def describe_image(self, image: MediaSource, prompt: str) -> Awaitable[Description]:
        """Describe an image, or answer a question about it."""

    def upscale_image(self, image: MediaSource) -> Awaitable[Image]:
        """Enlarge an image."""

    def remove_background(self, image: MediaSource) -> Awaitable[Image]:
        """Return the image with its background made transparent."""


class ImageGenerator(Protocol):
    """A client that generates images with models that choose the size."""

    def generate_image(self, prompt: str, *, model: str | None = None) -> Awaitable[Image]:
        """Generate an image from a prompt."""


def _generate_with_kelly(client: KellyImages, given: GenerateImageArguments) -> Awaitable[Image]:
    return client.generate_image(
        given.prompt,
        negative_prompt=given.negative_prompt,
        model=given.model,
        width=given.width,
        height=given.height,
    )


def _generate_with_skytells(client: ImageGenerator, given: GenerateImageArguments) -> Awaitable[Image]:
    return client.generate_image(given.prompt, model=given.model)


def _edit_with_kelly(client: KellyImages, given: EditImageArguments) -> Awaitable[Image]:
    return client.edit_image(
        given.image,
        given.prompt,
        negative_prompt=given.negative_prompt,
        width=given.width,
        height=given.height,
    )


def _describe_with_kelly(client: KellyImages, given: DescribeImageArguments) -> Awaitable[Description]:
    return client.describe_image(given.image, given.prompt)


def _upscale_with_kelly(client: KellyImages, given: ImageArguments) -> Awaitable[Image]:
    return client.upscale_image(given.image)


def _remove_background_with_kelly(client: KellyImages, given: ImageArguments) -> Awaitable[Image]:
    return client.remove_background(given.image)


GENERATE_IMAGE = Service(
    name="generate_image",
    arguments=GenerateImageArguments,
    result=Image,
    routes=(
        Route(
            provider="kelly",
            call=_generate_with_kelly,
            accepts=("prompt", "negative_prompt", "model", "width", "height"),
            defaults={"model": "PhotoPerfect"},
        ),
        Route(
            provider="skytells",
            call=_generate_with_skytells,
            accepts=("prompt", "model"),
            defaults={"model": "truefusion-pro"},
        ),
    ),
)
EDIT_IMAGE = Service(
    name="edit_image",
    arguments=EditImageArguments,
    result=Image,
    routes=(
        Route(
            provider="kelly",
            call=_edit_with_kelly,
            accepts=("image", "prompt", "negative_prompt", "width", "height"),
        ),
    ),
)
DESCRIBE_IMAGE = Service(
    name="describe_image",
    arguments=DescribeImageArguments,
    result=Description,
    routes=(Route(provider="kelly", call=_describe_with_kelly, accepts=("image", "prompt")),),
)
UPSCALE_IMAGE = Service(
    name="upscale_image",
    arguments=ImageArguments,
    result=Image,
    routes=(Route(provider="kelly", call=_upscale_with_kelly, accepts=("image",)),),
)
REMOVE_BACKGROUND = Service(
    name="remove_background",
    arguments=ImageArguments,
    result=Image,
    routes=(Route(provider="kelly", call=_remove_background_with_kelly, accepts=("image",)),),
)


class Images(RoutedService):
    """The image services of `KellyAPI`.

    An `image` is a path, bytes, a binary file, an upload of a web framework, an iterator of bytes, an image of Pillow,
    an `Image`, a `data:` URL or `Base64(text)`.

    Source: https://github.com/NotReallyPrince/Kelly-API
    """

    async def generate_image(
        self,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        model: NotBlank | None = None,
        width: Count | None = None,
        height: Count | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Image:
        """Generate an image from a prompt.

        Args:
            prompt: What the image should show.
            negative_prompt: What the image should not show. Only Kelly AI supports it.
            model: A model of the provider; by default "PhotoPerfect" of Kelly AI and "truefusion-pro" of Skytells.
            width: Width in pixels. Only Kelly AI supports it; its default is 1024.
            height: Height in pixels. Only Kelly AI supports it; its default is 1024.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.

        Raises:
            ValueError: The prompt is blank, or no provider supports the arguments.

        Example::

            fox = await api.generate_image("A red fox in snow")
            await fox.save("fox.png")
        """
        arguments = GenerateImageArguments(
            prompt=prompt, negative_prompt=negative_prompt, model=model, width=width, height=height
        )
        return await self._route(GENERATE_IMAGE, arguments, provider, fallback)

    async def edit_image(
        self,
        image: MediaSource,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        width: Count | None = None,
        height: Count | None = None,
        provider: ProviderName | None = None,
        fallback: Fallback = False,
    ) -> Image:
        """Generate an image from another image and a prompt.

        Args:
            image: The image to start from: a path, bytes, a binary file, an upload of a web framework, an iterator of
                bytes, an image of Pillow, an `Image`, a `data:` URL or `Base64(text)`.
            prompt: What the new image should show.
            negative_prompt: What the new image should not show.
            width: Width in pixels; by default 1024.
            height: Height in pixels; by default 1024.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or a list of providers to try.
        """
        arguments = EditImageArguments(
            image=image, prompt=prompt, negative_prompt=negative_prompt, width=width, height=height
        )
        return await self._route(EDIT_IMAGE, arguments, provider, fallback)

    async def describe_image(
        self, image: MediaSource, prompt: NotBlank, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Description:
        """Describe an image, or answer a question about it.

        Args:
            image: As for `edit_image`.
            prompt: The question, such as "What is in this picture?".
            provider: See `generate_image`.
            fallback: See `generate_image`.
        """
        arguments = DescribeImageArguments(image=image, prompt=prompt)
        return await self._route(DESCRIBE_IMAGE, arguments, provider, fallback)

    async def upscale_image(
        self, image: MediaSource, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Image:
        """Enlarge an image, up to four times.

        Args:
            image: As for `edit_image`.
            provider: See `generate_image`.
            fallback: See `generate_image`.
        """
        arguments = ImageArguments(image=image)
        return await self._route(UPSCALE_IMAGE, arguments, provider, fallback)

    async def remove_background(
        self, image: MediaSource, *, provider: ProviderName | None = None, fallback: Fallback = False
    ) -> Image:
        """Return the image with its background made transparent.

        Args:
            image: As for `edit_image`.
            provider: See `generate_image`.
            fallback: See `generate_image`.
        """
        arguments = ImageArguments(image=image)
        return await self._route(REMOVE_BACKGROUND, arguments, provider, fallback)
