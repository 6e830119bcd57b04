"""Translate with Apertium, or else with Khaya: python examples/apertium.py "Buenos días" es-tw

The key of Khaya comes from KHAYA_API_KEY, the address of the server from APERTIUM_URL; KELLYAPI_SANDBOX=1 needs no key.
"""

import asyncio
import os
import sys

from aiohttp import ClientSession

from kellyapi import KellyAPI


class Apertium:
    name = "apertium"

    def __init__(self, session: ClientSession, pairs: list[tuple[str, str]]) -> None:
        self.session, self.pairs = session, pairs  # it is called for these pairs only, with these codes

    async def translate(self, text: str, source: str, target: str) -> str:
        query = {"q": text, "langpair": f"{source}|{target}", "markUnknown": "no"}
        async with self.session.get("translate", params=query, raise_for_status=True) as response:
            return (await response.json())["responseData"]["translatedText"]


async def main(text: str, pair: str) -> None:
    async with ClientSession(os.environ.get("APERTIUM_URL", "https://apertium.org/apy/")) as session:
        async with session.get("listPairs", raise_for_status=True) as response:
            listed = (await response.json())["responseData"]
        pairs = [(each["sourceLanguage"], each["targetLanguage"]) for each in listed]
        make = KellyAPI.sandbox if os.environ.get("KELLYAPI_SANDBOX") else KellyAPI
        async with make(providers=[Apertium(session, pairs)]) as api:
            found = await api.translate(text, pair, via="en")
            print(found.text, f"({' → '.join(found.tried)})")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
