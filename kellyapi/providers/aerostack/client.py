"""Aerostack: chat, auth, cache, SQL, queue, storage, search, services and the gateway, one module each."""

from __future__ import annotations

from typing import ClassVar

from ...core import Client
from ...wire import System
from .ai import AI
from .auth import Auth
from .cache import Cache
from .db import Database
from .errors import read_error
from .gateway import Gateway
from .queue import Queue
from .search import Search
from .services import Services
from .storage import Storage


class Aerostack(Client):
    """Aerostack. What may be billed or done twice is not repeated once it may have been carried out."""

    SYSTEM = System(
        name="aerostack",
        title="Aerostack",
        base_url="https://api.aerostack.ai/v1",
        variables="AEROSTACK",
        key_header="X-Aerostack-Key",
        read_error=read_error,
    )

    PRODUCTION: ClassVar = SYSTEM.base_url
    DEV: ClassVar = "https://api.aerostack.dev/v1"
    """Where the platform's newer clients go."""
    LOCAL: ClassVar = "http://localhost:8787/v1"

    @property
    def ai(self) -> AI:
        """Language models."""
        return AI(self._connection)

    @property
    def auth(self) -> Auth:
        """Users of a project: signing up and in."""
        return Auth(self._connection)

    @property
    def cache(self) -> Cache:
        """JSON values by key."""
        return Cache(self._connection)

    @property
    def db(self) -> Database:
        """SQL."""
        return Database(self._connection)

    @property
    def queue(self) -> Queue:
        """Jobs to be done later."""
        return Queue(self._connection)

    @property
    def services(self) -> Services:
        """Functions that a project has deployed."""
        return Services(self._connection)

    @property
    def storage(self) -> Storage:
        """Files."""
        return Storage(self._connection)

    @property
    def search(self) -> Search:
        """Search by meaning."""
        return Search(self._connection)

    @property
    def gateway(self) -> Gateway:
        """APIs sold to consumers."""
        return Gateway(self._connection)
