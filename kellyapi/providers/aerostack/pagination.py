"""Lists that come in pages, and arguments that are sent in batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

from attrs import frozen

from ..._data.result import Page

T = TypeVar("T")


@frozen
class CursorPage(Page[T]):
    """One page of a list: `for item in page`, `len(page)`."""

    items: tuple[T, ...]
    cursor: str | None
    """Pass it as `cursor=` to get the next page; `None` on the last page."""


async def iterate_pages(page: Callable[[str | None], Awaitable[CursorPage[T]]]) -> AsyncIterator[T]:
    """Yield the items of every page. A page that repeats its own cursor is the last one."""
    cursor: str | None = None
    while True:
        current = await page(cursor)
        for item in current:
            yield item
        if current.cursor is None or current.cursor == cursor:
            return
        cursor = current.cursor


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`. All items are read, and so checked, before the first list comes."""
    whole = list(items)
    for start in range(0, len(whole), size):
        yield whole[start : start + size]
