"""The same operations on each client, as its users would write them.

A client is an async context manager that gives its operations by name. Each one lives in a process of its own, where
its package is imported here and not before.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

KEY = "a-key-of-this-machine"
TEXT = "Good morning, how are you?"
PROMPT = "a red fox in snow"
QUESTION = "What do foxes eat?"
MODEL = "truefusion"

Operation = Callable[..., Awaitable[Any]]
Opening = Callable[[str], AbstractAsyncContextManager[Mapping[str, Operation]]]


@asynccontextmanager
async def by_hand(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """aiohttp, without retries, checks or types."""
    import aiohttp

    khaya = {"Ocp-Apim-Subscription-Key": KEY}
    kelly = {"Authorization": f"Bearer {KEY}"}
    skytells = {"x-api-key": KEY}
    aerostack = {"X-Aerostack-Key": KEY}

    async with aiohttp.ClientSession() as session:

        async def translate() -> Any:
            data = {"in": TEXT, "lang": "en-tw"}
            async with session.post(f"{url}/v1/translate", json=data, headers=khaya) as response:
                return await response.json()

        async def image(prefix: str = "") -> bytes:
            data = {"prompt": PROMPT, "model": "PhotoPerfect", "width": 1024, "height": 1024}
            data |= {"negative_prompt": "blurry", "responseType": "base64data"}
            async with session.post(f"{url}{prefix}/image/generate", json=data, headers=kelly) as response:
                return base64.b64decode((await response.json())["image"])

        async def run() -> Any:
            data = {"model": MODEL, "input": {"prompt": PROMPT}, "await": False}
            async with session.post(f"{url}/predict", json=data, headers=skytells) as response:
                id = (await response.json())["id"]
            async with session.get(f"{url}/predictions/{id}", headers=skytells) as response:
                return await response.json()

        async def chat() -> Any:
            data = {"messages": [{"role": "user", "content": QUESTION}]}
            async with session.post(f"{url}/ai/chat", json=data, headers=aerostack) as response:
                return (await response.json())["response"]

        async def upload(path: str) -> Any:
            with Path(path).open("rb") as file:  # noqa: ASYNC230  as most people write it
                form = aiohttp.FormData({"key": "upload.bin", "contentType": "application/octet-stream"})
                form.add_field("file", file, filename="upload.bin", content_type="application/octet-stream")
                async with session.post(f"{url}/storage/upload", data=form, headers=aerostack) as response:
                    return (await response.json())["url"]

        async def download(path: str, size: int) -> None:
            source = f"{url}/bytes/{size}/storage/get"
            async with session.post(source, json={"key": "a"}, headers=aerostack) as response:
                with Path(path).open("wb") as file:  # noqa: ASYNC230  as above
                    async for chunk in response.content.iter_chunked(2**16):
                        file.write(chunk)

        async def large_image() -> bytes:
            return await image("/large")

        yield _by_name(translate, image, run, chat, large_image, upload, download)


@asynccontextmanager
async def ours(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """This library."""
    from kellyapi import Aerostack, Kelly, Khaya, Skytells

    async with (
        Khaya(KEY, base_url=url) as khaya,
        Kelly(KEY, base_url=url) as kelly,
        Kelly(KEY, base_url=f"{url}/large") as large,
        Skytells(KEY, base_url=url) as skytells,
        Aerostack(KEY, base_url=url) as aerostack,
    ):

        async def download(path: str, size: int) -> None:
            await aerostack.with_access(base_url=f"{url}/bytes/{size}").storage.download("a", path)

        yield {
            "translate": lambda: khaya.translate(TEXT, "en-tw"),
            "image": lambda: kelly.generate_image(PROMPT),
            "run": lambda: skytells.run(MODEL, {"prompt": PROMPT}),
            "chat": lambda: aerostack.ai.chat(QUESTION),
            "large_image": lambda: large.generate_image(PROMPT),
            "upload": lambda path: aerostack.storage.upload("upload.bin", path),
            "download": download,
        }


@asynccontextmanager
async def old_kellyapi(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """kellyapi 0.0.2.5, which has this library's import name."""
    from kellyapi import KellyAPI

    api, large = KellyAPI(KEY, f"{url}/"), KellyAPI(KEY, f"{url}/large/")
    yield {"image": lambda: api.generate(PROMPT), "large_image": lambda: large.generate(PROMPT)}


@asynccontextmanager
async def khaya(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """khaya 0.3.0, by its async methods."""
    from khaya import KhayaClient
    from khaya.config import Settings

    settings = Settings(api_key=KEY)
    settings.base_url = url  # its validator, which asks for https, looks at construction alone
    async with KhayaClient(KEY, settings) as client:
        yield {"translate": lambda: client.atranslate(TEXT, "en-tw")}


@asynccontextmanager
async def skytells(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """skytells 1.0.0, by its async client. Two requests, like the others: its own `run` sends one that waits."""
    from skytells import AsyncSkytellsClient

    client = AsyncSkytellsClient(KEY, base_url=url)

    async def run() -> Any:
        job = await client.predictions.create({"model": MODEL, "input": {"prompt": PROMPT}, "await": False})
        return await client.predictions.get(job["id"])

    yield {"run": run}


@asynccontextmanager
async def aerostack(url: str) -> AsyncIterator[Mapping[str, Operation]]:
    """aerostack 0.1.2, by its async methods."""
    from aerostack import SDK

    async with SDK(KEY, server_url=url) as sdk:
        messages = [{"role": "user", "content": QUESTION}]
        yield {"chat": lambda: sdk.ai.ai_chat_async(request={"messages": messages})}


CLIENTS: Mapping[str, Opening] = {
    "aiohttp": by_hand,
    "aiohttp again": by_hand,
    "kellyapi": ours,
    "kellyapi without speed": ours,
    "kellyapi 0.0.2.5": old_kellyapi,
    "khaya 0.3.0": khaya,
    "skytells 1.0.0": skytells,
    "aerostack 0.1.2": aerostack,
}
OURS = ("kellyapi", "kellyapi without speed")
RIVALS = {
    "translate": ("aiohttp again", *OURS, "khaya 0.3.0"),
    "image": ("aiohttp again", *OURS, "kellyapi 0.0.2.5"),
    "run": ("aiohttp again", *OURS, "skytells 1.0.0"),
    "chat": ("aiohttp again", *OURS, "aerostack 0.1.2"),
}
"""Clients that are compared with hand-written aiohttp, by operation."""
SPEED = ("orjson", "pybase64")
"""Packages of the extra `speed` that the library imports. A client "without speed" cannot import them."""


def _by_name(*operations: Operation) -> dict[str, Operation]:
    return {operation.__name__: operation for operation in operations}
