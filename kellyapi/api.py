"""The old path of the client: `from kellyapi.api import KellyAPI`."""

from __future__ import annotations

from .client import KellyAPI

__all__ = ["KellyAPI"]
