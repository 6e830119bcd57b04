"""`ServiceProvider`: what a provider of the user's own is."""

from __future__ import annotations

from typing import Protocol


class ServiceProvider(Protocol):
    """A provider of your own, for `KellyAPI(providers=[…])`: an object with a name and methods of services.

    A method has the name of a service, such as `translate` or `chat`, and parameters with the names of its arguments.
    It is an async function, or returns an awaitable. The parameters decide when it is called: a call with an argument
    that it does not take goes to other providers. A parameter that the service does not know needs a default.
    `translate` takes `source` and `target`, or `pair`; `chat` takes `prompt`, a string, or `messages`, a list of JSON
    objects. Audio and images come as bytes. `chat_stream` may be an async generator of texts.

    The methods return a result of the library, whose `provider` may be left out, or the plain value: a `str` for texts,
    `bytes` for audio, images, videos and music, and rows of numbers for embeddings.

    These attributes are optional, and read once:

    - `languages`: the codes that the methods with a `language` support, such as `{"en", "tw"}`.
    - `pairs`: the pairs that `translate` supports, such as `["en-tw", "tw-en"]` or `[("pt-BR", "en")]`.

    The methods get languages in these codes: "eng" becomes "en" if `languages` has "en".

    Example::

        class Shouting:
            name = "shouting"

            async def translate(self, text: str, source: str, target: str) -> str:
                return text.upper()

        async with KellyAPI(providers=[Shouting()]) as api:
            print(await api.translate("Good morning", "en-tw"))  # GOOD MORNING
    """

    @property
    def name(self) -> str:
        """The name, for `provider=`, `fallback=` and results. The four providers of the library have other names."""
