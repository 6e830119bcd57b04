"""The names of kellyapi 0.0.2.5, which go on working: its attributes, its 14 methods, their arguments and return
values.

They take pictures and sound as bare base64 text and never open a file. New code uses the names of `client`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._core.provider_client import open_transport
from ._data.media import Base64
from .providers.kelly import NEGATIVE_PROMPT, Kelly

if TYPE_CHECKING:
    from ._core.secrets import Key
    from ._core.transport import SessionSource


class Legacy:
    """Kelly AI's old surface over today's client.

    Source: https://pypi.org/project/kellyapi/0.0.2.5/
    """

    kelly: Kelly

    @property
    def api(self) -> str:
        """Kelly AI's address, with the trailing slash it used to have."""
        return f"{self.kelly.base_url}/"

    @api.setter
    def api(self, address: str) -> None:
        self.kelly = self.kelly.with_access(base_url=address)

    @property
    def api_key(self) -> Key | None:
        """Kelly AI's key."""
        return self.kelly.api_key

    @api_key.setter
    def api_key(self, key: Key) -> None:
        self.kelly = self.kelly.with_access(api_key=key)

    @property
    def session(self) -> SessionSource:
        """What sessions are made with: what was given, else `aiohttp.ClientSession`."""
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
        prompt: str,
        negative_prompt: str = NEGATIVE_PROMPT,
        model: str = "PhotoPerfect",
        width: int = 1024,
        height: int = 1024,
    ) -> bytes:
        """Old name of `generate_image`; gives the bytes."""
        image = await self.kelly.generate_image(
            prompt, negative_prompt=negative_prompt, model=model, width=width, height=height
        )
        return image.data

    async def img2img(
        self,
        prompt: str,
        image_data: str,
        negative_prompt: str = NEGATIVE_PROMPT,
        width: int = 1024,
        height: int = 1024,
    ) -> bytes:
        """Old name of `edit_image`; takes base64, gives the bytes."""
        image = await self.kelly.edit_image(
            Base64(image_data), prompt, negative_prompt=negative_prompt, width=width, height=height
        )
        return image.data

    async def img2text(self, prompt: str, image_data: str) -> str:
        """Old name of `describe_image`; takes base64, gives the text."""
        return (await self.kelly.describe_image(Base64(image_data), prompt)).text

    async def upscale(self, image_data: str) -> bytes:
        """Old name of `upscale_image`; takes base64, gives the bytes."""
        return (await self.kelly.upscale_image(Base64(image_data))).data

    async def removebg(self, image_data: str) -> bytes:
        """Old name of `remove_background`; takes base64, gives the bytes."""
        return (await self.kelly.remove_background(Base64(image_data))).data

    async def llm(self, prompt: str, model: str = "chatgpt", character: str = "KelyAI") -> str:
        """Old name of `chat`; gives the text."""
        return (await self.kelly.chat(prompt, model=model, character=character)).text

    async def text2voice(self, text: str, model: str = "en-US_LisaExpressive") -> bytes:
        """Old name of `kelly.synthesize`; gives the bytes."""
        return (await self.kelly.synthesize(text, voice=model)).audio

    async def voice2text(self, audio: str) -> str:
        """Old name of `kelly.transcribe`; takes base64, gives the text."""
        return (await self.kelly.transcribe(Base64(audio))).text

    async def text2write(self, text: str) -> bytes:
        """Old name of `kelly.write_notes`; gives the bytes."""
        return (await self.kelly.write_notes(text)).data

    async def code2image(self, text: str) -> bytes:
        """Old name of `kelly.render_code`; gives the bytes."""
        return (await self.kelly.render_code(text)).data
