"""The old path of the client: `from kellyapi.api import KellyAPI`."""

from .client import KellyAPI

__all__ = ["KellyAPI"]
