"""`KellyAPI`: four systems behind one session, and the services that whoever is configured answers."""

from __future__ import annotations

import copy
import os
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast

from .core import Client, OnBytes, Options, open_transport, read_options
from .legacy import Legacy
from .providers.aerostack.client import Aerostack
from .providers.kelly import Kelly
from .providers.khaya import Khaya
from .providers.skytells.client import Skytells
from .services.chat import Chat
from .services.images import Images
from .services.synthesize import Synthesize
from .services.transcribe import Transcribe
from .services.translate import Translate
from .wire import Key, hidden

if TYPE_CHECKING:
    from .core import SessionSource

C = TypeVar("C", bound=Client)


class KellyAPI(Translate, Transcribe, Synthesize, Images, Chat, Legacy):
    """Kelly AI, Khaya, Skytells and Aerostack behind one session.

    The services (`translate`, `transcribe`, `synthesize`, `generate_image`, `edit_image`, `describe_image`,
    `upscale_image`, `remove_background`, `chat`) go to the first system that has a key and can answer; `provider=`
    names one. All that one system can do is in `kelly`, `khaya`, `skytells`, `aerostack`.
    """

    def __init__(
        self,
        api_key: Key | None = None,
        api: str | None = None,
        session: SessionSource | None = None,
        *,
        khaya: Key | Khaya | None = None,
        skytells: Key | Skytells | None = None,
        aerostack: Key | Aerostack | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Make the clients; nothing is opened or sent.

        `api_key` and `api` are Kelly AI's key and address. The others take a key, or a client: its sibling here keeps
        its address and options and uses the common session, unless it was given one of its own. Missing keys come from
        `KELLYAI_API_KEY`, `KHAYA_API_KEY`, `SKYTELLS_API_KEY`, `AEROSTACK_API_KEY`. `session` is an
        `aiohttp.ClientSession`, which is never closed here, or a function that makes one. For `options` see
        `kellyapi.Options`.
        """
        api_key, khaya, skytells, aerostack = hidden(api_key), hidden(khaya), hidden(skytells), hidden(aerostack)
        options = cast(Options, read_options(options))  # once: what it has to say is said once
        self._transport = open_transport(session, options.pop("max_connections", None))

        def join(kind: type[C], given: Key | C | None) -> C:
            client = given if isinstance(given, kind) else kind(given, **options)  # type: ignore[arg-type]  # a key is left
            return client.share(self._transport)

        self.kelly = Kelly(api_key, base_url=api or None, **options).share(self._transport)
        self.khaya = join(Khaya, khaya)
        self.skytells = join(Skytells, skytells)
        self.aerostack = join(Aerostack, aerostack)

    @classmethod
    def sandbox(cls, **options: Unpack[Options]) -> AbstractAsyncContextManager[KellyAPI]:
        """Give a client of a local server that answers like all four systems: `async with KellyAPI.sandbox() as api`.

        It needs neither keys nor network, but the extra `kellyapi[sandbox]`.
        """
        from .sandbox.app import sandboxed

        return sandboxed(cls, **options)

    async def download(self, url: str, path: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> Path:
        """Stream a link to a file and give its path; no key goes to it. See `Skytells.download`."""
        return await self.skytells.download(url, path, on_progress=on_progress)

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Give a sibling on the same session that differs in these options."""
        options = cast(Options, read_options(options))
        sibling = copy.copy(self)
        for name in _SYSTEMS:
            setattr(sibling, name, self._client(name).with_options(**options))
        return sibling

    async def close(self) -> None:
        """Close the session of the running loop if it is ours. A later call opens a new one."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        configured = [name for name in _SYSTEMS if hasattr(self, name) and self._client(name).configured]
        return f"KellyAPI({', '.join(configured) or 'no key'})"

    def _client(self, provider: str) -> Any:
        return getattr(self, provider)


_SYSTEMS = ("kelly", "khaya", "skytells", "aerostack")
