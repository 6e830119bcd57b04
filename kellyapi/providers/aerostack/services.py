"""Aerostack's services: functions that a project has deployed."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from ...core import Service
from ...wire import not_blank


@frozen
class Invocation:
    """What a service answered."""

    success: bool = True
    result: object = None
    """Any JSON."""


class Services(Service):
    """`aerostack.services`."""

    async def invoke(self, name: str, data: Any) -> Invocation:
        """Call a service with any JSON.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/services_api.py)
        """
        body = {"serviceName": not_blank(name, "name"), "data": data}
        return await self._post_json("/services/invoke", body, into=Invocation)
