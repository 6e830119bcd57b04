"""The names of kellyapi 0.0.2.5: its attributes and its 14 methods, with their arguments and return values.

These methods accept images and audio only as base64 text, and never open a file. New code should use the methods of
`KellyAPI`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core.provider_client import open_transport
from ._data.arguments import Count, NotBlank, checked
from ._data.base64_text import Base64
from .providers.kelly import CHARACTER, CHAT_MODEL, MODEL, NEGATIVE_PROMPT, SIZE, VOICE, Kelly

if TYPE_CHECKING:
    from ._core.secrets import Key
    from ._core.transport import SessionSource


@checked
class Legacy:
    """The old methods of Kelly AI.

    Source: https://pypi.org/project/kellyapi/0.0.2.5/
    """

    kelly: Kelly

    @property
    def api(self) -> str:
        """The address of Kelly AI, with a trailing slash as in version 0.0.2.5."""
        return f"{self.kelly.base_url}/"

    @api.setter
    def api(self, address: str) -> None:
        self.kelly = self.kelly.with_access(base_url=address)

    @property
    def api_key(self) -> Key | None:
        """The key of Kelly AI."""
        return self.kelly.api_key

    @api_key.setter
    def api_key(self, key: Key) -> None:
        self.kelly = self.kelly.with_access(api_key=key)

    @property
    def session(self) -> SessionSource:
        """What creates sessions: what you passed, otherwise `aiohttp.ClientSession`."""
        return self.kelly.session

    @session.setter
    def session(self, session: SessionSource) -> None:
        self.kelly = self.kelly.share(open_transport(session, None))

    async def sd_models(self) -> Any:
        """Old name of `kelly.models("sd")`."""
        return await self.kelly.models("sd")

    async def sdxl_models(self) -> Any:
        """Old name of `kelly.models("sdxl")`."""
        return await self.kelly.models("sdxl")

    async def llm_models(self) -> Any:
        """Old name of `kelly.models("chat")`."""
        return await self.kelly.models("chat")

    async def voice_models(self) -> Any:
        """Old name of `kelly.models("voice")`."""
        return await self.kelly.models("voice")

    async def generate(
        self,
        prompt: NotBlank,
        negative_prompt: str = NEGATIVE_PROMPT,
        model: NotBlank = MODEL,
        width: Count = SIZE,
        height: Count = SIZE,
    ) -> bytes:
        """Old name of `generate_image`. Returns the bytes of the image."""
        image = await self.kelly.generate_image(
            prompt, negative_prompt=negative_prompt, model=model, width=width, height=height
        )
        return image.data

    async def img2img(
        self,
        prompt: NotBlank,
        image_data: NotBlank,
        negative_prompt: str = NEGATIVE_PROMPT,
        width: Count | NotBlank = SIZE,
        height: Count | NotBlank = SIZE,
    ) -> bytes:
        """Old name of `edit_image`. Accepts base64 text and returns the bytes of the image."""
        return (await self.kelly._edit(Base64(image_data), prompt, negative_prompt, width, height)).data

    async def img2text(self, prompt: NotBlank, image_data: NotBlank) -> str:
        """Old name of `describe_image`. Accepts base64 text and returns the text."""
        return (await self.kelly.describe_image(Base64(image_data), prompt)).text

    async def upscale(self, image_data: NotBlank) -> bytes:
        """Old name of `upscale_image`. Accepts base64 text and returns the bytes of the image."""
        return (await self.kelly.upscale_image(Base64(image_data))).data

    async def removebg(self, image_data: NotBlank) -> bytes:
        """Old name of `remove_background`. Accepts base64 text and returns the bytes of the image."""
        return (await self.kelly.remove_background(Base64(image_data))).data

    async def llm(self, prompt: NotBlank, model: NotBlank = CHAT_MODEL, character: NotBlank = CHARACTER) -> str:
        """Old name of `chat`. Returns the text."""
        return (await self.kelly.chat(prompt, model=model, character=character)).text

    async def text2voice(self, text: NotBlank, model: NotBlank = VOICE) -> bytes:
        """Old name of `kelly.synthesize`. Returns the bytes of the audio."""
        return (await self.kelly.synthesize(text, voice=model)).audio

    async def voice2text(self, audio: NotBlank) -> str:
        """Old name of `kelly.transcribe`. Accepts base64 text and returns the text."""
        return (await self.kelly.transcribe(Base64(audio))).text

    async def text2write(self, text: NotBlank) -> bytes:
        """Old name of `kelly.write_notes`. Returns the bytes of the image."""
        return (await self.kelly.write_notes(text)).data

    async def code2image(self, text: NotBlank) -> bytes:
        """Old name of `kelly.render_code`. Returns the bytes of the image."""
        return (await self.kelly.render_code(text)).data
