"""`KellyAPI`: one client of four providers, and the services that any of them may answer."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, cast, overload

from ._core.messages import OnBytes
from ._core.options import Options, read_options
from ._core.provider_client import ProviderClient, open_transport
from ._core.secrets import Key, as_secret
from ._core.unpicklable import Unpicklable
from ._data.arguments import FilePath, NotBlank
from ._data.writables import Writable
from .legacy import Legacy
from .providers.aerostack.client import Aerostack
from .providers.kelly import Kelly
from .providers.khaya import Khaya
from .providers.skytells.client import Skytells
from .services.chat import CHAT, CHAT_STREAM, Chat
from .services.circuit import Circuit
from .services.embed import EMBED, Embed
from .services.images import (
    DESCRIBE_IMAGE,
    EDIT_IMAGE,
    GENERATE_IMAGE,
    GENERATE_IMAGES,
    REMOVE_BACKGROUND,
    UPSCALE_IMAGE,
    Images,
)
from .services.music import GENERATE_MUSIC, MusicService
from .services.own_providers import OwnProvider, read_providers, routes_with
from .services.routing import A, C, ProviderChoice, ProviderName, Route, Service
from .services.service_provider import ServiceProvider
from .services.synthesize import SYNTHESIZE, Synthesize
from .services.transcribe import TRANSCRIBE, Transcribe
from .services.translate import TRANSLATE, Translate
from .services.video import GENERATE_VIDEO, Videos

if TYPE_CHECKING:
    from ._core.transport import SessionSource


PROVIDERS: Mapping[str, type[ProviderClient]] = MappingProxyType(
    {"kelly": Kelly, "khaya": Khaya, "skytells": Skytells, "aerostack": Aerostack}
)
"""The client of each provider, by name.

Type checkers need the names again in `ProviderName`, and the clients in the attributes of `KellyAPI`. A test compares
the three.
"""
SERVICES: tuple[Service[Any, Any], ...] = (
    TRANSLATE,
    TRANSCRIBE,
    SYNTHESIZE,
    GENERATE_IMAGE,
    GENERATE_IMAGES,
    EDIT_IMAGE,
    DESCRIBE_IMAGE,
    UPSCALE_IMAGE,
    REMOVE_BACKGROUND,
    GENERATE_VIDEO,
    GENERATE_MUSIC,
    CHAT,
    CHAT_STREAM,
    EMBED,
)
"""The services that any provider may answer."""


class KellyAPI(Unpicklable, Translate, Transcribe, Synthesize, Images, Videos, MusicService, Chat, Embed, Legacy):
    """One client of Kelly AI, Khaya, Skytells and Aerostack, with one session.

    The services (`translate`, `transcribe`, `synthesize`, `generate_image`, `generate_images`, `edit_image`,
    `describe_image`, `upscale_image`, `remove_background`, `generate_video`, `generate_music`, `chat`, `chat_stream`,
    `embed`) call the first provider that has a key and supports the arguments. Pass `provider=` to choose one. The
    operations of a single provider are methods of `kelly`, `khaya`, `skytells` and `aerostack`. `providers=` adds
    providers of your own.

    Example::

        async with KellyAPI() as api:
            hello = await api.translate("Good morning", "en-tw")
            speech = await api.synthesize(hello.text, "twi")
            await speech.save("hello.wav")
    """

    kelly: Kelly
    khaya: Khaya
    skytells: Skytells
    aerostack: Aerostack
    _own: Mapping[str, OwnProvider] = MappingProxyType({})
    """The providers of the user's own, by name."""
    _order: Sequence[str] = ()
    """The names of `providers=`."""

    def __init__(
        self,
        api_key: Key | None = None,
        api: str | None = None,
        session: SessionSource | None = None,
        *,
        khaya: Key | Khaya | None = None,
        skytells: Key | Skytells | None = None,
        aerostack: Key | Aerostack | None = None,
        providers: Iterable[ProviderName | ServiceProvider] = (),
        **options: Unpack[Options],
    ) -> None:
        """Create the clients. Nothing is opened or sent.

        Args:
            api_key: The key of Kelly AI, or a function that returns it; by default `KELLYAI_API_KEY` from the
                environment.
            api: The address of Kelly AI; by default `KELLYAI_BASE_URL`, otherwise the provider's own.
            session: An `aiohttp.ClientSession`, which is never closed here, or a function that creates one.
            khaya: A key, or a client. A copy of the client is used: it keeps its address and its options, and shares
                the session of `KellyAPI` unless it has one of its own. By default `KHAYA_API_KEY`.
            skytells: A key or a client, as for `khaya`; by default `SKYTELLS_API_KEY`.
            aerostack: A key or a client, as for `khaya`; by default `AEROSTACK_API_KEY`.
            providers: Providers of your own, and names of the four: the order in which they are tried. Providers that
                are not named follow in their own order. So `[mine]` calls yours first, and
                `["kelly", "khaya", "skytells", "aerostack", mine]` calls it last. See `ServiceProvider`.
            **options: See `kellyapi.Options`.
        """
        api_key = as_secret(api_key)
        khaya, skytells, aerostack = _key_or_client(khaya), _key_or_client(skytells), _key_or_client(aerostack)
        options = cast(Options, read_options(options))  # here and not in each client, so that it warns once
        self._transport = open_transport(session, options.pop("max_connections", None))

        self._own, self._order = read_providers(providers, SERVICES, PROVIDERS, options)
        self._routes = {service.name: routes_with(service, self._own, self._order) for service in SERVICES}
        self._circuits = {name: Circuit() for name in (*PROVIDERS, *self._own)}
        given: dict[str, Any] = {"khaya": khaya, "skytells": skytells, "aerostack": aerostack}
        given["kelly"] = Kelly(api_key, base_url=api or None, **options)
        for name, kind in PROVIDERS.items():
            client = given.get(name)
            client = client if isinstance(client, kind) else kind(client, **options)
            setattr(self, name, client.share(self._transport))

    @classmethod
    def sandbox(
        cls, *, providers: Iterable[ProviderName | ServiceProvider] = (), **options: Unpack[Options]
    ) -> AbstractAsyncContextManager[KellyAPI]:
        """Return a client of a local server that responds like all four providers.

        It needs no key and no network, only the extra `kellyapi[sandbox]`. `providers` is that of `KellyAPI`.

        Example::

            async with KellyAPI.sandbox() as api:
                hello = await api.translate("Hello", "en-tw")
        """
        from .sandbox.app import sandbox_client

        return sandbox_client(cls, providers=providers, **options)

    @overload
    async def download(self, url: NotBlank, path: FilePath, *, on_progress: OnBytes | None = None) -> Path: ...
    @overload
    async def download(self, url: NotBlank, path: Writable, *, on_progress: OnBytes | None = None) -> int: ...
    async def download(
        self, url: NotBlank, path: FilePath | Writable, *, on_progress: OnBytes | None = None
    ) -> Path | int:
        """Stream a link, such as one of `prediction.outputs`, to a file or an object of yours. No key is sent.

        A file appears when it is complete, and replaces a file of the same name. If a download fails, its `.part`
        file is kept, and the next download to the same path resumes from it if the server allows.

        Args:
            url: An http or https URL.
            path: Where to save the file; or an object with `write`, plain or async, such as an open binary file or a
                response of a server. The object is never closed or emptied. If a download to it breaks off, the
                download is resumed if the server allows; otherwise `error.partial` is the number of bytes written.
            on_progress: A function, plain or async, that is called with the bytes received and the size of the file in
                bytes, or `None` if the server does not send the size.

        Returns:
            The path, or the number of bytes that an object got.
        """
        return await self.skytells.download(url, path, on_progress=on_progress)

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Return a copy of the client with other options, on the same session.

        Example::

            quick = api.with_options(timeout=5, retry=NO_RETRY)
        """
        options = cast(Options, read_options(options))
        sibling = copy.copy(self)
        for name in PROVIDERS:
            setattr(sibling, name, self._client(name).with_options(**options))
        sibling._own = {name: own.with_options(options) for name, own in self._own.items()}
        return sibling

    async def close(self) -> None:
        """Close the session of the running loop, unless you passed it. A later call opens a new one."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        made = [name for name in dict.fromkeys((*self._order, *PROVIDERS)) if name in self._own or hasattr(self, name)]
        return f"KellyAPI({', '.join(name for name in made if self._client(name).configured) or 'no key'})"

    def _client(self, provider: str) -> Any:
        return self._own.get(provider) or getattr(self, provider)

    def _routes_of(self, service: Service[A, C]) -> Sequence[Route[A, C]]:
        return self._routes[service.name]

    def _name_of(self, provider: ProviderChoice, argument: str) -> str:
        names = (*PROVIDERS, *self._own)
        if isinstance(provider, str):
            if provider not in names:
                raise ValueError(f"{argument} must be one of {', '.join(names)}, not {provider!r}")
            return provider
        for own in self._own.values():
            if own.given is provider:
                return own.name
        raise ValueError(f"{argument} has a provider {provider.name!r} that this client was not given in providers=")


def _key_or_client(value: Any) -> Any:
    return value if isinstance(value, ProviderClient) else as_secret(value)
