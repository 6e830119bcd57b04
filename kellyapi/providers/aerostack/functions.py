"""`aerostack.services`: functions that a project has deployed."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from ..._core.resource import Resource
from ..._data.arguments import NotBlank
from ..._data.result import Result


@frozen
class Invocation(Result):
    """The response of a function."""

    success: bool = True
    result: object = None
    """What the function returned: any JSON value."""


class FunctionsResource(Resource):
    """Functions that a project has deployed.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/services_api.py)
    """

    async def invoke(self, name: NotBlank, data: Any) -> Invocation:
        """Call a function.

        Args:
            name: The name of the function.
            data: Its input: any JSON value.
        """
        body = {"serviceName": name, "data": data}
        return await self._post_json("/services/invoke", body, into=Invocation)
