"""Kelly AI: images, chat, speech and handwriting.

Images and audio are sent as base64 inside JSON. `kellyapi.legacy` has the old names of the same operations.
"""

from __future__ import annotations

from typing import Any, Literal, Unpack

from .._core.extra_fields import ExtraFields, hide_extra
from .._core.messages import TRANSCRIPTION_TIMEOUT, Headers
from .._core.provider import ErrorBody, Provider
from .._core.provider_client import ProviderClient
from .._core.urls import Id, encode_path
from .._data.arguments import Count, NotBlank
from .._data.base64_text import read_base64
from .._data.decoding import Shape
from .._data.media import MediaSource, to_base64
from .._data.media_types import UNKNOWN_TYPE, sniff
from ..errors import DecodingError
from ..services.chat import CHAT
from ..services.chat_replies import ChatReply, make_reply
from ..services.generated import gather_paid
from ..services.images import GENERATE_IMAGE, Description, Image, ImageCount
from ..services.routing import default_of
from ..services.synthesize import SYNTHESIZE, Speech
from ..services.transcribe import Transcript

NEGATIVE_PROMPT = "blurry, low quality, deformed, extra limbs, bad anatomy, watermark, text, nsfw"
"""The default negative prompt: what images should not show."""
SIZE = 1024
"""The default width and height, in pixels."""
CHARACTER = "KelyAI"
"""The default character of a chat, as the provider spells it."""
MODEL = default_of(GENERATE_IMAGE, "kelly", "model")
CHAT_MODEL = default_of(CHAT, "kelly", "model")
VOICE = default_of(SYNTHESIZE, "kelly", "voice")

_AS_BASE64 = {"responseType": "base64data"}
_RESULT_FIELDS = frozenset({"image", "content", "message", "voice", "result"})


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read `{"detail": …}`, whose value is a sentence or a list with one item per wrong field.

    Source: https://github.com/NotReallyPrince/Kelly-API (api.py),
    https://fastapi.tiangolo.com/tutorial/handling-errors/
    """
    detail = body.get("detail") if isinstance(body, dict) else None
    if not detail or (status < 300 and _RESULT_FIELDS & body.keys()):
        return None
    if isinstance(detail, str):
        return ErrorBody(message=detail, status=400 if status < 300 else None)
    reasons = [_reason(item) for item in detail] if isinstance(detail, list) else [str(detail)]
    return ErrorBody(message="; ".join(reasons), status=422 if status < 300 else None, details=detail)


def _reason(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    where = ".".join(map(str, item["loc"])) if isinstance(item.get("loc"), list) else ""
    return f"{where}: {item.get('msg')}" if where else str(item.get("msg"))


PROVIDER = Provider(
    name="kelly",
    title="Kelly AI",
    base_url="https://api.kellyai.pro",
    variables="KELLYAI",
    key_header="Authorization",
    key_prefix="Bearer ",
    read_error=read_error,
)


class Kelly(ProviderClient):
    """Client of Kelly AI.

    Every call is billed, except `models`. A call is not sent again if the first attempt may have been carried out. An
    `image` or `audio` is a path, bytes, a binary file, an upload of a web framework, an iterator of bytes, a result, a
    `data:` URL or `Base64(text)`.

    Source: https://github.com/NotReallyPrince/Kelly-API (api.py, generate, img2img, img2text, upscale, removebg,
    text2write, code2image, text2voice, voice2text, sd_models, sdxl_models, llm_models, voice_models)
    """

    PROVIDER = PROVIDER

    async def generate_image(
        self,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        model: NotBlank | None = None,
        width: Count | None = None,
        height: Count | None = None,
        **extra: Unpack[ExtraFields],
    ) -> Image:
        """Generate an image from a prompt.

        Args:
            prompt: What the image should show.
            negative_prompt: What the image should not show; by default "blurry, low quality, deformed" and the like.
            model: One of `await kelly.models("sd")` or `await kelly.models("sdxl")`; by default "PhotoPerfect".
            width: Width in pixels; by default 1024.
            height: Height in pixels; by default 1024.
            **extra: See `ExtraFields`.

        Raises:
            ValueError: The prompt is blank.

        Example::

            fox = await kelly.generate_image("A red fox in snow", width=768)
            await fox.save("fox.png")
        """
        return await self._draw(
            "/image/generate",
            extra,
            prompt=prompt,
            negative_prompt=NEGATIVE_PROMPT if negative_prompt is None else negative_prompt,
            model=MODEL if model is None else model,
            width=SIZE if width is None else width,
            height=SIZE if height is None else height,
        )

    async def generate_images(
        self,
        prompt: NotBlank,
        n: ImageCount,
        *,
        negative_prompt: str | None = None,
        model: NotBlank | None = None,
        width: Count | None = None,
        height: Count | None = None,
        **extra: Unpack[ExtraFields],
    ) -> tuple[Image, ...]:
        """Generate several images from a prompt, with one call for each, all at the same time.

        Args:
            prompt: What the images should show.
            n: How many images, up to 1,000.
            negative_prompt: See `generate_image`.
            model: See `generate_image`.
            width: See `generate_image`.
            height: See `generate_image`.
            **extra: See `ExtraFields`.

        Raises:
            KellyAPIError: The first error, when all calls have ended. `partial` is a tuple of the images that arrived.
        """
        hide_extra(extra)
        options: dict[str, Any] = {"negative_prompt": negative_prompt, "model": model, "width": width, "height": height}

        async def one() -> tuple[Image, ...]:
            return (await self.generate_image(prompt, **options, **extra),)

        return await gather_paid(one() for _ in range(n))

    async def edit_image(
        self,
        image: MediaSource,
        prompt: NotBlank,
        *,
        negative_prompt: str | None = None,
        width: Count | None = None,
        height: Count | None = None,
        **extra: Unpack[ExtraFields],
    ) -> Image:
        """Generate an image from another image and a prompt.

        Args:
            image: The image to start from.
            prompt: What the new image should show.
            negative_prompt: What the new image should not show; the default is that of `generate_image`.
            width: Width in pixels; by default 1024.
            height: Height in pixels; by default 1024.
            **extra: See `ExtraFields`.
        """
        return await self._edit(
            image,
            prompt,
            NEGATIVE_PROMPT if negative_prompt is None else negative_prompt,
            SIZE if width is None else width,
            SIZE if height is None else height,
            extra,
        )

    async def describe_image(self, image: MediaSource, prompt: NotBlank, **extra: Unpack[ExtraFields]) -> Description:
        """Describe an image, or answer a question about it.

        Args:
            image: The image to look at.
            prompt: The question, such as "What is in this picture?".
            **extra: See `ExtraFields`.
        """
        data = {"prompt": prompt, "image_data": await to_base64(image, "image")}
        return await self._post_json("/image/description", data, into=_DESCRIPTION, extra=extra)

    async def upscale_image(self, image: MediaSource, **extra: Unpack[ExtraFields]) -> Image:
        """Enlarge an image, up to four times. For `extra`, see `ExtraFields`."""
        return await self._draw("/image/upscale", extra, image_data=await to_base64(image, "image"))

    async def remove_background(self, image: MediaSource, **extra: Unpack[ExtraFields]) -> Image:
        """Return the image with its background made transparent. For `extra`, see `ExtraFields`."""
        return await self._draw("/image/removebg", extra, image_data=await to_base64(image, "image"))

    async def write_notes(self, text: NotBlank, **extra: Unpack[ExtraFields]) -> Image:
        """Return a PNG image of a text as handwriting on paper. For `extra`, see `ExtraFields`."""
        return await self._draw("/write/notes", extra, code=text)

    async def render_code(self, code: NotBlank, **extra: Unpack[ExtraFields]) -> Image:
        """Return an image of source code with syntax highlighting. For `extra`, see `ExtraFields`."""
        return await self._draw("/write/code", extra, code=code)

    async def chat(
        self,
        prompt: NotBlank,
        *,
        model: Id | None = None,
        character: NotBlank | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ChatReply:
        """Send a prompt to a language model.

        Args:
            prompt: The message to the model.
            model: One of `await kelly.models("chat")`; by default "chatgpt".
            character: The character that the model plays; by default "KelyAI", as the provider spells it.
            **extra: See `ExtraFields`.

        Raises:
            ValueError: The prompt is blank.

        Example::

            reply = await kelly.chat("Name three rivers of Ghana.")
            print(reply.text)
        """
        model = CHAT_MODEL if model is None else model
        data = {"prompt": prompt, "character": CHARACTER if character is None else character}

        def finish(body: dict[str, Any]) -> ChatReply:
            return make_reply(text=_text(body, "message"), model=model, provider="kelly")

        return await self._post_json(encode_path("/chat/{}", model), data, into=Shape(_OBJECT, finish), extra=extra)

    async def synthesize(self, text: NotBlank, *, voice: NotBlank | None = None) -> Speech:
        """Turn an English text into speech.

        Args:
            text: The text to speak.
            voice: One of `await kelly.models("voice")`; by default "en-US_LisaExpressive".

        Returns:
            One complete audio file.

        Example::

            speech = await kelly.synthesize("Good morning")
            await speech.save("morning.wav")
        """
        data = {"text": text, "model": VOICE if voice is None else voice, **_AS_BASE64}
        return await self._post_json("/voice/generation", data, into=_SPEECH)

    async def transcribe(self, audio: MediaSource) -> Transcript:
        """Recognise English speech. The transcript has no timestamps.

        Example::

            transcript = await kelly.transcribe("meeting.wav")
            print(transcript.text)
        """
        data = {"audio": await to_base64(audio, "audio")}
        return await self._post_json("/voice/transcribe", data, into=_TRANSCRIPT, timeout=TRANSCRIPTION_TIMEOUT)

    async def models(self, kind: Literal["sd", "sdxl", "chat", "voice"]) -> Any:
        """Return the models of one kind, as the provider lists them.

        Args:
            kind: "sd" and "sdxl" for images, "chat", or "voice".

        Returns:
            Any JSON value; in practice a list of names.
        """
        return await self._fetch(f"/{kind}/models", into=Shape(object, _not_null))

    async def _edit(
        self,
        image: MediaSource,
        prompt: str,
        negative_prompt: str,
        width: int | str,
        height: int | str,
        extra: ExtraFields | None = None,
    ) -> Image:
        data = {"prompt": prompt, "negative_prompt": negative_prompt, "image_data": await to_base64(image, "image")}
        return await self._draw("/image/edit", extra, **data, width=width, height=height)

    async def _draw(self, path: str, extra: ExtraFields | None, **data: Any) -> Image:
        return await self._post_json(path, {**data, **_AS_BASE64}, into=_IMAGE, extra=extra)


def _not_null(value: Any) -> Any:
    if value is None:
        raise DecodingError("null instead of a list")
    return value


def _text(body: dict[str, Any], name: str) -> str:
    text = body.get(name)
    if not isinstance(text, str):
        raise DecodingError(f"$.{name} is missing or not a string")
    return text


def _bytes(body: dict[str, Any], name: str) -> bytes:
    try:
        data = read_base64(_text(body, name))
    except ValueError:
        data = b""
    if not data:
        raise DecodingError(f"$.{name} is empty or not base64")
    return data


def _finish_image(body: dict[str, Any]) -> Image:
    data = _bytes(body, "image")
    return Image(data=data, mime=sniff(data) or UNKNOWN_TYPE, provider="kelly")


def _finish_speech(body: dict[str, Any]) -> Speech:
    audio = _bytes(body, "voice")
    return Speech(audio=audio, mime=sniff(audio) or UNKNOWN_TYPE, language="eng", provider="kelly")


def _finish_description(body: dict[str, Any]) -> Description:
    return Description(text=_text(body, "content"), provider="kelly")


def _finish_transcript(body: dict[str, Any]) -> Transcript:
    return Transcript(text=_text(body, "result"), language="eng", provider="kelly")


_OBJECT = dict[str, object]
_IMAGE = Shape(_OBJECT, _finish_image)
_SPEECH = Shape(_OBJECT, _finish_speech)
_DESCRIPTION = Shape(_OBJECT, _finish_description)
_TRANSCRIPT = Shape(_OBJECT, _finish_transcript)
