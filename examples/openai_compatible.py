"""Chat with a server of your own that has OpenAI's API, such as Ollama, vLLM or llama.cpp:

python examples/openai_compatible.py http://127.0.0.1:11434/v1/ llama3.2 "Name three rivers of Ghana."
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from aiohttp import ClientSession

from kellyapi import KellyAPI


class OpenAICompatible:
    name = "own-server"

    def __init__(self, session: ClientSession, model: str) -> None:
        self.session, self.model = session, model  # for a key: ClientSession(headers={"Authorization": "Bearer …"})

    async def chat_stream(self, messages: list[dict], max_tokens: int = 500) -> AsyncIterator[str]:
        body = {"model": self.model, "messages": messages, "max_tokens": max_tokens, "stream": True}
        async with self.session.post("chat/completions", json=body, raise_for_status=True) as response:
            async for line in response.content:
                for choice in json.loads(line[6:])["choices"] if line.startswith(b"data: {") else []:
                    yield choice["delta"].get("content") or ""

    async def chat(self, messages: list[dict], max_tokens: int = 500) -> str:
        return "".join([piece async for piece in self.chat_stream(messages, max_tokens)])


async def main(url: str, model: str, prompt: str) -> None:
    async with ClientSession(url) as session, KellyAPI(providers=[OpenAICompatible(session, model)]) as api:
        print(await api.chat(prompt))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
