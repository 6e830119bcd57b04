"""Kelly AI: pictures, chat, voice, handwriting.

Owns its routes, its bodies and its errors. Pictures and sound travel as base64 inside JSON. The old names for the same
operations are `kellyapi.legacy`'s.
"""

from __future__ import annotations

from typing import Any, Literal

from .._core.messages import Headers
from .._core.provider import ErrorBody, Provider
from .._core.provider_client import ProviderClient
from .._core.urls import encode_path
from .._data.decoding import decode
from .._data.media import MediaSource, from_base64, sniff, to_base64
from .._data.text import not_blank
from ..errors import DecodingError
from ..services.chat import ChatReply
from ..services.images import Description, Image
from ..services.synthesize import Speech
from ..services.transcribe import Transcript

NEGATIVE_PROMPT = "blurry, low quality, deformed, extra limbs, bad anatomy, watermark, text, nsfw"
"""What pictures should not show unless the caller says otherwise."""

_AS_BASE64 = {"responseType": "base64data"}
_RESULT_FIELDS = frozenset({"image", "content", "message", "voice", "result"})


def read_error(status: int, headers: Headers, body: Any) -> ErrorBody | None:
    """Read `{"detail": …}`, a sentence or the list of what is wrong with each field.

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
    """Kelly AI.

    Every call but the lists of models is billed, and is not repeated once it may have been carried out. An `image` or
    `audio` is a path, bytes, a binary file, an async iterator of bytes, a `data:` URL or `Base64(text)`.

    Source: https://github.com/NotReallyPrince/Kelly-API (api.py, generate, img2img, img2text, upscale, removebg,
    text2write, code2image, text2voice, voice2text, sd_models, sdxl_models, llm_models, voice_models)
    """

    PROVIDER = PROVIDER

    async def generate_image(
        self,
        prompt: str,
        *,
        negative_prompt: str = NEGATIVE_PROMPT,
        model: str = "PhotoPerfect",
        width: int = 1024,
        height: int = 1024,
    ) -> Image:
        """Draw a picture, with sizes in pixels; `await kelly.models("sd")` and `models("sdxl")` list the models."""
        return await self._draw(
            "/image/generate",
            prompt=not_blank(prompt, "prompt"),
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
        negative_prompt: str = NEGATIVE_PROMPT,
        width: int = 1024,
        height: int = 1024,
    ) -> Image:
        """Draw a picture of `width` × `height` pixels after another one and a prompt."""
        return await self._draw(
            "/image/edit",
            prompt=not_blank(prompt, "prompt"),
            negative_prompt=negative_prompt,
            image_data=await to_base64(image, "image"),
            width=width,
            height=height,
        )

    async def describe_image(self, image: MediaSource, prompt: str) -> Description:
        """Answer a question about a picture."""
        data = {"prompt": not_blank(prompt, "prompt"), "image_data": await to_base64(image, "image")}
        text = await self._post_json("/image/description", data, into=lambda value: _read_text(value, "content"))
        return Description(text=text, provider="kelly")

    async def upscale_image(self, image: MediaSource) -> Image:
        """Enlarge a picture, up to four times."""
        return await self._draw("/image/upscale", image_data=await to_base64(image, "image"))

    async def remove_background(self, image: MediaSource) -> Image:
        """Cut the subject out of a picture; the rest becomes transparent."""
        return await self._draw("/image/removebg", image_data=await to_base64(image, "image"))

    async def write_notes(self, text: str) -> Image:
        """Draw a text as handwriting on paper, as PNG."""
        return await self._draw("/write/notes", code=not_blank(text, "text"))

    async def render_code(self, code: str) -> Image:
        """Draw source code with its colours."""
        return await self._draw("/write/code", code=not_blank(code, "code"))

    async def chat(self, prompt: str, *, model: str = "chatgpt", character: str = "KelyAI") -> ChatReply:
        """Send a prompt to a language model; `await kelly.models("chat")` lists the models."""
        data = {"prompt": not_blank(prompt, "prompt"), "character": character}
        path = encode_path("/chat/{}", model)
        text = await self._post_json(path, data, into=lambda value: _read_text(value, "message"))
        return ChatReply(text=text, model=model, provider="kelly")

    async def synthesize(self, text: str, *, voice: str = "en-US_LisaExpressive") -> Speech:
        """Speak an English text; the voices are `await kelly.models("voice")`."""
        data = {"text": not_blank(text, "text"), "model": voice, **_AS_BASE64}
        audio = await self._post_json("/voice/generation", data, into=lambda value: _read_base64(value, "voice"))
        return Speech(audio=audio, mime=sniff(audio) or "application/octet-stream", language="eng", provider="kelly")

    async def transcribe(self, audio: MediaSource) -> Transcript:
        """Write down English speech, without times."""
        data = {"audio": await to_base64(audio, "audio")}
        text = await self._post_json("/voice/transcribe", data, into=lambda value: _read_text(value, "result"))
        return Transcript(text=text, language="eng", provider="kelly")

    async def models(self, kind: Literal["sd", "sdxl", "chat", "voice"]) -> Any:
        """Give the models of one kind as the provider lists them: any JSON, in practice an array of names."""
        if kind not in ("sd", "sdxl", "chat", "voice"):
            raise ValueError(f"kind must be 'sd', 'sdxl', 'chat' or 'voice', not {kind!r}")
        return await self._fetch(f"/{kind}/models", into=_read_any)

    async def _draw(self, path: str, **data: Any) -> Image:
        picture = await self._post_json(path, {**data, **_AS_BASE64}, into=lambda value: _read_base64(value, "image"))
        return Image(data=picture, mime=sniff(picture) or "application/octet-stream", provider="kelly")


def _read_any(value: Any) -> Any:
    if value is None:
        raise DecodingError("null instead of a list")
    return value


def _read_text(value: Any, name: str) -> str:
    text = decode(value, dict[str, object]).get(name)
    if not isinstance(text, str):
        raise DecodingError(f"$.{name} is missing or no string")
    return text


def _read_base64(value: Any, name: str) -> bytes:
    try:
        data = from_base64(_read_text(value, name))
    except ValueError:
        data = b""
    if not data:
        raise DecodingError(f"$.{name} is empty or no base64")
    return data
