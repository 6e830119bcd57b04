"""Aerostack: a client with one resource, in a module of its own, for each part of the platform."""

from __future__ import annotations

from typing import ClassVar

from ..._core.provider import Provider
from ..._core.provider_client import ProviderClient
from .ai import AI
from .api_gateway import Gateway
from .auth import Auth
from .cache import Cache
from .db import Database
from .error_bodies import read_error
from .functions import FunctionsResource
from .queue import Queue
from .search import Search
from .storage import Storage


class Aerostack(ProviderClient):
    """Client of Aerostack.

    An operation that may be billed, or that would do something twice, is not sent again if the first attempt may have
    been carried out.

    Source: https://github.com/aerostackdev/sdk-python
    """

    PROVIDER = Provider(
        name="aerostack",
        title="Aerostack",
        base_url="https://api.aerostack.ai/v1",
        variables="AEROSTACK",
        key_header="X-Aerostack-Key",
        read_error=read_error,
    )

    PRODUCTION: ClassVar = PROVIDER.base_url
    DEV: ClassVar = "https://api.aerostack.dev/v1"
    """The address that the platform's newer clients use."""
    LOCAL: ClassVar = "http://localhost:8787/v1"

    @property
    def ai(self) -> AI:
        """Language models: `chat` and `chat_stream`."""
        return AI(self._connection)

    @property
    def auth(self) -> Auth:
        """Users of a project: sign-up and sign-in."""
        return Auth(self._connection)

    @property
    def cache(self) -> Cache:
        """JSON values by key, which may expire."""
        return Cache(self._connection)

    @property
    def db(self) -> Database:
        """The SQL database."""
        return Database(self._connection)

    @property
    def queue(self) -> Queue:
        """The queue of jobs."""
        return Queue(self._connection)

    @property
    def services(self) -> FunctionsResource:
        """Functions that the project has deployed."""
        return FunctionsResource(self._connection)

    @property
    def storage(self) -> Storage:
        """Stored files."""
        return Storage(self._connection)

    @property
    def search(self) -> Search:
        """Search in documents by meaning."""
        return Search(self._connection)

    @property
    def gateway(self) -> Gateway:
        """APIs sold to consumers."""
        return Gateway(self._connection)
