"""`ProviderClient`: the base of the four clients, with their key, address, options and closing."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Collection
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack
from urllib.parse import SplitResult

from attrs import evolve

from .connection import Connection
from .environment import address_problem, find_address, find_key, read_switch, read_variable
from .limits import Limits
from .messages import DEFAULT_TIMEOUT
from .options import Options, read_options
from .provider import Problem, Provider
from .raw_requests import RawRequests
from .secrets import Key, as_secret

if TYPE_CHECKING:
    from .connection_check import ConnectionCheck
    from .transport import SessionSource, Transport

Variable = tuple[str, str, Callable[[str], Any], str]
"""An option, the variable that sets it, without the provider's prefix, how it is read, and what is right."""


class ProviderClient(RawRequests):
    """The client of one provider."""

    PROVIDER: ClassVar[Provider]
    _VARIABLES: ClassVar[tuple[Variable, ...]] = (
        ("allow_http", "ALLOW_HTTP", read_switch, "1, true, yes, 0, false or no"),
    )
    """The options that the environment can set."""
    _wrong_settings: tuple[Problem, ...] = ()

    def __init__(
        self,
        api_key: Key | None = None,
        *,
        base_url: str | None = None,
        session: SessionSource | None = None,
        **options: Unpack[Options],
    ) -> None:
        """Make a client; nothing is opened or sent.

        `api_key`, `base_url` and the option `allow_http` default to the environment (`KHAYA_API_KEY`,
        `KHAYA_BASE_URL`, `KHAYA_ALLOW_HTTP`, …). `session` is an `aiohttp.ClientSession`, which is never closed here,
        or a function that makes one. For `options` see `kellyapi.Options`.
        """
        provider = self.PROVIDER
        api_key = as_secret(api_key)
        api_key = find_key(provider, api_key)
        fields = read_options(options)
        fields = {**self._read_environment(fields), **fields}
        self._shares = session is None
        address = find_address(provider, base_url)
        super().__init__(
            Connection(
                provider=provider,
                base_url=address,
                key=api_key,
                transport=open_transport(session, fields.pop("max_connections", None)),
                limits=Limits(fields.pop("max_concurrency", None), fields.pop("rate", None)),
                **{"logger": logging.getLogger(f"kellyapi.{provider.name}"), **fields},
            )
        )
        self._connection = evolve(self._connection, problem=self._problem())

    @classmethod
    def _variable(cls, name: str) -> str | None:
        """Read a setting of this provider from the environment."""
        return read_variable(cls.PROVIDER, name)

    def _problem(self) -> Problem | None:
        """Return why the client cannot work as it is set up, if so; the first call raises it."""
        return next(iter(self._wrong_settings), None) or address_problem(
            self.PROVIDER, self.base_url, allow_http=self._connection.allow_http
        )

    def _read_environment(self, given: Collection[str]) -> dict[str, Any]:
        """Return the options that were not given and are set in the environment."""
        found: dict[str, Any] = {}
        for option, name, read, right in self._VARIABLES:
            text = self._variable(name)
            if option not in given and text is not None:
                try:
                    found[option] = read(text)
                except ValueError:
                    self._refuse_variable(name, text, right)
        return found

    def _refuse_variable(self, name: str, text: str, right: str) -> None:
        """Note a variable of the environment that cannot be used, for the first call to raise."""
        problem = Problem(f"{self.PROVIDER.variables}_{name} must be {right}, not {text!r}")
        self._wrong_settings = (*self._wrong_settings, problem)

    @property
    def base_url(self) -> str:
        """The address, without the trailing slash."""
        return self._connection.base_url

    @property
    def api_key(self) -> Key | None:
        """The key as it was given. Its `repr` does not show it."""
        return self._connection.key

    @property
    def session(self) -> SessionSource:
        """The session that was given, or the function that makes sessions."""
        return self._connection.transport.source

    @property
    def configured(self) -> bool:
        """Whether there is a key, right or wrong."""
        return self._connection.key is not None

    async def check_connection(self) -> ConnectionCheck:
        """Check whether the provider can be reached: DNS, the proxy, TLS and the clock.

        No key is sent, and nothing is billed. The steps may take as long as `Timeout.connect` allows, 10 s by default.
        It opens a connection of its own, also if the client has a session of yours.

        Returns:
            The findings. A failure is not raised: `failed` is the step, and `problem` says what is wrong.

        Example::

            check = await khaya.check_connection()
            print(check.problem or "reachable", check.clock_offset)
        """
        from .connection_check import check_connection  # it imports ssl and email, which few programs need here

        connection = self._connection
        timeout = connection.timeout or DEFAULT_TIMEOUT
        limits = [each for each in (timeout.connect, timeout.total) if each is not None]

        def find_proxy(url: SplitResult) -> str | None:
            return connection.proxy or connection.transport.find_proxy(url.scheme, url.hostname or "", url.port)

        return await check_connection(self.base_url, connection.problem, find_proxy, min(limits, default=None))

    def with_options(self, **options: Unpack[Options]) -> Self:
        """Return a client on the same session that differs in these options."""
        fields = read_options(options)
        if "max_connections" in fields:
            raise ValueError("max_connections belongs to the session: give it when the client is made")
        gate = {name: fields.pop(name) for name in ("max_concurrency", "rate") if name in fields}
        if gate:
            fields["limits"] = self._connection.limits.vary(**gate)
        return self._variant(**fields)

    def share(self, transport: Transport) -> Self:
        """Return a client on another client's session, or this one if it was given a session of its own."""
        return self._variant(transport=transport) if self._shares else self

    async def close(self) -> None:
        """Close the session of the running loop if it is ours. A later call opens a new one."""
        await self._connection.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        made = hasattr(self, "_connection")  # not yet, in the traceback of an option that is refused
        return f"{type(self).__name__}({f'base_url={self.base_url!r}' if made else ''})"

    def with_access(self, *, api_key: Key | None = None, base_url: str | None = None) -> Self:
        """Return a client on the same session with another key or address."""
        api_key = as_secret(api_key)
        changes: dict[str, Any] = {}
        if api_key is not None:
            changes["key"] = api_key = find_key(self.PROVIDER, api_key)
        if base_url is not None:
            changes["base_url"] = find_address(self.PROVIDER, base_url)
        return self._variant(**changes)

    def _variant(self, **changes: Any) -> Self:
        sibling = copy.copy(self)
        sibling._connection = evolve(self._connection, **changes)
        sibling._connection = evolve(sibling._connection, problem=sibling._problem())
        return sibling


def open_transport(session: SessionSource | None, max_connections: int | None) -> Transport:
    """Make a transport; aiohttp is imported here, at the first client, and not with the package."""
    from .transport import Transport

    return Transport(session, max_connections=max_connections)
