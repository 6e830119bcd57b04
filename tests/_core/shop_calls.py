"""Calls of the shop in `servers`, for several test files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from servers import Shop

from kellyapi._core.messages import Headers, PreparedRequest, Timeout


@frozen
class Fox:
    name: str
    age: int = 1


def refuse(headers: Headers) -> bool:
    return False


async def consume(shop: Shop) -> None:
    async for _ in shop.listen():
        pass


async def timeout_of(shop: Shop, call: Callable[[Shop], Any]) -> Timeout:
    seen: list[PreparedRequest] = []
    await call(shop.with_options(on_response=lambda request, response: seen.append(request)))
    return seen[0].timeout


LONG = b'"' + b"x" * 999 + b'"'
