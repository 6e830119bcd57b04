"""What Aerostack's groups share: lists in pages, batches, the answer that is only a success."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

from attrs import frozen

T = TypeVar("T")


@frozen
class CursorPage(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    cursor: str | None
    """Asks for the next page; `None` on the last one, whichever of the platform's two flags says so."""


async def iterate_pages(page: Callable[[str | None], Awaitable[CursorPage[T]]]) -> AsyncIterator[T]:
    """Give the items of every page; a cursor that does not move ends it."""
    cursor: str | None = None
    while True:
        current = await page(cursor)
        for item in current.items:
            yield item
        if current.cursor is None or current.cursor == cursor:
            return
        cursor = current.cursor


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut items into lists of at most `size`; all of them are there before the first list is."""
    whole = list(items)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
