"""The log of the sandbox: one line for each request, at level INFO of the logger `kellyapi.sandbox`."""

from __future__ import annotations

import logging

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from .._data.text import clip, printable

LOGGER = logging.getLogger("kellyapi.sandbox")
_LONGEST_PATH = 200


class RequestLogger(AbstractAccessLogger):
    """Writes method, path, status and duration of a request. The query is left out, since it may have a key."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Log a request that has ended."""
        path = clip(printable(request.raw_path.partition("?")[0]), _LONGEST_PATH)
        self.logger.info("%s %s %d %.0f ms", printable(request.method), path, response.status, time * 1000)

    @property
    def enabled(self) -> bool:
        """Whether anything is logged."""
        return self.logger.isEnabledFor(logging.INFO)
