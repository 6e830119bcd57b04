"""Images: results, services to generate, edit, describe and upscale them, and the routes to the providers."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any, Protocol

from attrs import frozen

from .._data.arguments import Count, NotBlank, Positive, Range
from .._data.media import MediaSource
from .._data.media_types import image_size
from .generated import MediaFile, OnState, WaitArguments
from .notebook import fits, media_html
from .routing import Fallback, ProviderChoice, Route, RoutedService, Service
from .service_result import ServiceResult, provider_fields_last

ImageCount = Annotated[int, Range(1, 1000)]
"""How many images one call makes: each may be a request of its own, and all are in memory."""


@frozen(kw_only=True, field_transformer=provider_fields_last)
class Image(MediaFile):
    """An image."""

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
class GenerateImageArguments(WaitArguments):
    """The arguments of `generate_image`; `None` means that it was not passed."""

    prompt: str
    negative_prompt: str | None = None
    model: str | None = None
    width: int | None = None
    height: int | None = None

    @property
    def picture(self) -> dict[str, Any]:
        """The arguments that say what to draw, besides the prompt."""
        return {
            "negative_prompt": self.negative_prompt,
            "model": self.model,
            "width": self.width,
            "height": self.height,
        }


@frozen(kw_only=True)
class GenerateImagesArguments(GenerateImageArguments):
    """The arguments of `generate_images`; `None` means that it was not passed."""

    n: int


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

    def with_options(self, *, timeout: float) -> KellyImages:
        """Return the same client with another time limit."""

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

    def generate_images(
        self,
        prompt: str,
        n: int,
        *,
        negative_prompt: str | None = None,
        model: str | None = None,
        width: int | None = None,
        height: int | None = None,
    ) -> Awaitable[tuple[Image, ...]]:
        """Generate several images from a prompt."""

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
    """A client that generates images with predictions."""

    def generate_image(
        self,
        prompt: str,
        *,
        negative_prompt: str | None = None,
        model: str | None = None,
        width: int | None = None,
        height: int | None = None,
        timeout: float | None = ...,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
    ) -> Awaitable[Image]:
        """Generate an image from a prompt."""

    def generate_images(
        self,
        prompt: str,
        n: int,
        *,
        negative_prompt: str | None = None,
        model: str | None = None,
        width: int | None = None,
        height: int | None = None,
        timeout: float | None = ...,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
    ) -> Awaitable[tuple[Image, ...]]:
        """Generate several images from a prompt."""


def _timed(client: KellyImages, given: WaitArguments) -> KellyImages:
    return client if given.timeout is None else client.with_options(timeout=given.timeout)


def _generate_with_kelly(client: KellyImages, given: GenerateImageArguments) -> Awaitable[Image]:
    return _timed(client, given).generate_image(given.prompt, **given.picture)


def _generate_several_with_kelly(client: KellyImages, given: GenerateImagesArguments) -> Awaitable[tuple[Image, ...]]:
    return _timed(client, given).generate_images(given.prompt, given.n, **given.picture)


def _generate_with_skytells(client: ImageGenerator, given: GenerateImageArguments) -> Awaitable[Image]:
    return client.generate_image(given.prompt, **given.picture, **given.wait_options)


def _generate_several_with_skytells(
    client: ImageGenerator, given: GenerateImagesArguments
) -> Awaitable[tuple[Image, ...]]:
    return client.generate_images(given.prompt, given.n, **given.picture, **given.wait_options)


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


_PICTURE = ("prompt", "negative_prompt", "model", "width", "height")
_KELLY_MODEL = {"model": "PhotoPerfect"}
_SKYTELLS_MODEL = {"model": "truefusion-pro"}

GENERATE_IMAGE = Service(
    name="generate_image",
    arguments=GenerateImageArguments,
    result=Image,
    routes=(
        Route(provider="kelly", call=_generate_with_kelly, accepts=_PICTURE, defaults=_KELLY_MODEL),
        Route(provider="skytells", call=_generate_with_skytells, accepts=_PICTURE, defaults=_SKYTELLS_MODEL),
    ),
)
GENERATE_IMAGES = Service(
    name="generate_images",
    arguments=GenerateImagesArguments,
    result=tuple[Image, ...],
    routes=(
        Route(provider="kelly", call=_generate_several_with_kelly, accepts=(*_PICTURE, "n"), defaults=_KELLY_MODEL),
        Route(
            provider="skytells",
            call=_generate_several_with_skytells,
            accepts=(*_PICTURE, "n"),
            defaults=_SKYTELLS_MODEL,
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
        width: Count | None = None,
        height: Count | None = None,
        model: NotBlank | None = None,
        timeout: Positive | None = None,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> Image:
        """Generate an image from a prompt.

        Args:
            prompt: What the image should show.
            negative_prompt: What the image should not show.
            width: Width in pixels; the default of Kelly AI is 1024. For Skytells, it and `negative_prompt` are sent
                under the names that the model's input schema has. The schema is requested once per model.
            height: Height in pixels, as for `width`. A model that knows only aspect ratios gets exactly the
                ratio of this size.
            model: A model of the provider; by default "PhotoPerfect" of Kelly AI and "truefusion-pro" of Skytells.
            timeout: Seconds for the whole call; by default the time limit of the client at Kelly AI, and 900 s at
                Skytells. With `fallback`, each provider has this time.
            on_progress: A function, plain or async, that is called with each new state of the `Prediction`. Kelly AI
                has no progress.
            cancel_on_exit: Cancel the prediction if the call ends before it does: by an error, the timeout, or a
                cancelled task, also while it is being created.
            provider: The provider to use. By default the first one that has a key and supports the arguments.
            fallback: `True` to try the other providers if this one fails, or if its model cannot draw in this size, or
                a list of providers to try.

        Raises:
            ValueError: The prompt is blank, no provider supports the arguments, or the model of Skytells has no input
                for an argument, or does not take its value. Nothing is paid for.
            KellyAPIError: If a prediction has succeeded and its image cannot be downloaded, `prediction` is set.

        Example::

            fox = await api.generate_image("A red fox in snow", width=768, height=512)
            await fox.save("fox.png")
        """
        arguments = GenerateImageArguments(
            prompt=prompt,
            negative_prompt=negative_prompt,
            model=model,
            width=width,
            height=height,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
        )
        return await self._route(GENERATE_IMAGE, arguments, provider, fallback)

    async def generate_images(
        self,
        prompt: NotBlank,
        n: ImageCount,
        *,
        negative_prompt: str | None = None,
        width: Count | None = None,
        height: Count | None = None,
        model: NotBlank | None = None,
        timeout: Positive | None = None,
        on_progress: OnState | None = None,
        cancel_on_exit: bool = True,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
    ) -> tuple[Image, ...]:
        """Generate several images from a prompt, at the same time.

        Skytells makes them in one prediction if the model has an input for the number of images, up to its maximum;
        otherwise in several. Kelly AI is called once per image.

        Args:
            prompt: What the images should show.
            n: How many images, up to 1,000.
            negative_prompt: See `generate_image`.
            width: See `generate_image`.
            height: See `generate_image`.
            model: See `generate_image`.
            timeout: See `generate_image`.
            on_progress: See `generate_image`. If there are several predictions, their ids tell them apart.
            cancel_on_exit: See `generate_image`.
            provider: See `generate_image`.
            fallback: See `generate_image`. No other provider is tried if some of the images arrived.

        Raises:
            ValueError: See `generate_image`.
            KellyAPIError: If some of the images arrived, `partial` is a tuple of them.

        Example::

            foxes = await api.generate_images("A red fox in snow", 4)
            for number, fox in enumerate(foxes):
                await fox.save(f"fox-{number}.png")
        """
        arguments = GenerateImagesArguments(
            prompt=prompt,
            n=n,
            negative_prompt=negative_prompt,
            model=model,
            width=width,
            height=height,
            timeout=timeout,
            on_progress=on_progress,
            cancel_on_exit=cancel_on_exit,
        )
        return await self._route(GENERATE_IMAGES, arguments, provider, fallback)

    async def edit_image(
        self,
        image: MediaSource,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        width: Count | None = None,
        height: Count | None = None,
        provider: ProviderChoice | None = None,
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
        self,
        image: MediaSource,
        prompt: NotBlank,
        *,
        provider: ProviderChoice | None = None,
        fallback: Fallback = False,
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
        self, image: MediaSource, *, provider: ProviderChoice | None = None, fallback: Fallback = False
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
        self, image: MediaSource, *, provider: ProviderChoice | None = None, fallback: Fallback = False
    ) -> Image:
        """Return the image with its background made transparent.

        Args:
            image: As for `edit_image`.
            provider: See `generate_image`.
            fallback: See `generate_image`.
        """
        arguments = ImageArguments(image=image)
        return await self._route(REMOVE_BACKGROUND, arguments, provider, fallback)
