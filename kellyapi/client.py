"""`KellyAPI`: the four providers behind one session, and the services that any of them may answer."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast

from ._core.downloads import OnBytes
from ._core.options import Options, read_options
from ._core.provider_client import ProviderClient, open_transport
from ._core.secrets import Key, as_secret
from .legacy import Legacy
from .providers.aerostack.client import Aerostack
from .providers.kelly import Kelly
from .providers.khaya import Khaya
from .providers.skytells.client import Skytells
from .services.chat import Chat
from .services.circuit import Circuit
from .services.images import Images
from .services.synthesize import Synthesize
from .services.transcribe import Transcribe
from .services.translate import Translate

if TYPE_CHECKING:
    from ._core.transport import SessionSource


PROVIDERS: Mapping[str, type[ProviderClient]] = MappingProxyType(
    {"kelly": Kelly, "khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
)
"""The client of each provider, by name.

Type checkers need the names again in `ProviderName`, and the clients in the attributes of `KellyAPI`. A test compares
the three.
"""


class KellyAPI(Translate, Transcribe, Synthesize, Images, Chat, Legacy):
    """Kelly AI, Khaya, Skytells and Aerostack behind one session.

    The services (`translate`, `transcribe`, `synthesize`, `generate_image`, `edit_image`, `describe_image`,
    `upscale_image`, `remove_background`, `chat`) go to the first provider that has a key and can answer; `provider=`
    names one. All that one provider can do is in `kelly`, `khaya`, `skytells`, `aerostack`.
    """

    kelly: Kelly
    khaya: Khaya
    skytells: Skytells
    aerostack: Aerostack

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
        api_key, khaya, skytells, aerostack = (
            as_secret(api_key),
            as_secret(khaya),
            as_secret(skytells),
            as_secret(aerostack),
        )
        options = cast(Options, read_options(options))  # once: what it has to say is said once
        self._transport = open_transport(session, options.pop("max_connections", None))

        self._circuits = {name: Circuit() for name in PROVIDERS}
        given: dict[str, Any] = {"khaya": khaya, "skytells": skytells, "aerostack": aerostack}
        given["kelly"] = Kelly(api_key, base_url=api or None, **options)
        for name, kind in PROVIDERS.items():
            client = given.get(name)
            client = client if isinstance(client, kind) else kind(client, **options)
            setattr(self, name, client.share(self._transport))

    @classmethod
    def sandbox(cls, **options: Unpack[Options]) -> AbstractAsyncContextManager[KellyAPI]:
        """Give a client of a local server that answers like all four providers: `async with KellyAPI.sandbox() as api`.

        It needs neither keys nor network, but the extra `kellyapi[sandbox]`.
        """
        from .sandbox.app import sandbox_client

        return sandbox_client(cls, **options)

    async def download(self, url: str, path: str | os.PathLike[str], *, on_progress: OnBytes | None = None) -> Path:
        """Stream a link to a file and give its path; no key goes to it. See `Skytells.download`."""
        return await self.skytells.download(url, path, on_progress=on_progress)

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Give a sibling on the same session that differs in these options."""
        options = cast(Options, read_options(options))
        sibling = copy.copy(self)
        for name in PROVIDERS:
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
        configured = [name for name in PROVIDERS if hasattr(self, name) and self._client(name).configured]
        return f"KellyAPI({', '.join(configured) or 'no key'})"

    def _client(self, provider: str) -> Any:
        return getattr(self, provider)
