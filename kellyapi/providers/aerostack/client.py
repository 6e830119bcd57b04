"""Aerostack: chat, and the platform's other services."""

from __future__ import annotations

from ...core import Client
from ...wire import System
from .ai import AI
from .errors import read_error


class Aerostack(Client):
    """Aerostack."""

    SYSTEM = System(
        name="aerostack",
        title="Aerostack",
        base_url="https://api.aerostack.ai/v1",
        variables="AEROSTACK",
        key_header="X-Aerostack-Key",
        read_error=read_error,
    )

    @property
    def ai(self) -> AI:
        """Language models."""
        return AI(self._connection)
