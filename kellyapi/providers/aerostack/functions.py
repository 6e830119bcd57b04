"""Aerostack's services: functions that a project has deployed."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from ..._core.resource import Resource
from ..._data.text import not_blank


@frozen
class Invocation:
    """What a service answered."""

    success: bool = True
    result: object = None
    """Any JSON."""


class FunctionsResource(Resource):
    """`aerostack.services`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/services_api.py)
    """

    async def invoke(self, name: str, data: Any) -> Invocation:
        """Call a service with any JSON."""
        body = {"serviceName": not_blank(name, "name"), "data": data}
        return await self._post_json("/services/invoke", body, into=Invocation)
