"""Aerostack's cache: JSON values by key, with expiry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from attrs import frozen

from ..._core.resource import Resource, drop_none
from ..._data.decoding import decode
from ..._data.text import not_blank
from ...errors import DecodingError
from .pagination import CursorPage, batches, iterate_pages
from .response_types import Success, whole_number

MAX_KEYS = 100
MAX_DELETIONS = 500


@frozen
class CacheEntry:
    """A key's value, or that it has none."""

    value: object = None
    """Any JSON."""
    exists: bool = True
    key: str = ""
    """Filled by `get_many`."""


@frozen
class CacheItem:
    """A value to be set."""

    key: str
    value: Any
    """Any JSON."""
    ttl: float | None = None
    """Seconds; `None` keeps it."""


@frozen
class CacheKey:
    """A key in a list."""

    key: str
    expiration: float | None = None
    """Seconds since 1970; `None` when it does not expire."""


@frozen
class _Keys:
    keys: tuple[str, ...]
    truncated: bool = False


@frozen
class _Listed:
    keys: tuple[CacheKey, ...]
    list_complete: bool = True
    cursor: str | None = None


@frozen
class _Entries:
    results: tuple[CacheEntry, ...]


@frozen
class _Count:
    count: int = 0
    deleted: int = 0


@frozen
class _Value:
    value: float


class Cache(Resource):
    """`aerostack.cache`. More keys than the platform takes at once are sent in several requests.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/cache_api.py)
    """

    async def get(self, key: str) -> CacheEntry:
        """Give a key's value; a missing key is an entry whose `exists` is False."""
        return await self._post_json("/cache/get", {"key": _key(key)}, into=_read_entry, repeatable=True)

    async def set(self, key: str, value: Any, *, ttl: float | None = None) -> bool:
        """Set a key to any JSON value, for `ttl` seconds or for good."""
        data = {"key": _key(key), "value": value, **drop_none(ttl=ttl)}
        return (await self._post_json("/cache/set", data, into=Success, repeatable=True)).success

    async def delete(self, key: str) -> bool:
        """Forget a key."""
        return (await self._post_json("/cache/delete", {"key": _key(key)}, into=Success, repeatable=True)).success

    async def get_many(self, keys: Iterable[str]) -> tuple[CacheEntry, ...]:
        """Give the values of several keys, in their order."""
        found: list[CacheEntry] = []
        for some in batches(_keys(keys), MAX_KEYS):
            found += (await self._post_json("/cache/getMany", {"keys": some}, into=_Entries, repeatable=True)).results
        return tuple(found)

    async def set_many(self, entries: Mapping[str, Any] | Iterable[CacheItem]) -> int:
        """Set several keys, `{key: value}` or `CacheItem`s, and give their number."""
        items = [CacheItem(*pair) for pair in entries.items()] if isinstance(entries, Mapping) else entries
        done = 0
        for some in batches(
            ({**drop_none(key=_key(item.key), ttl=item.ttl), "value": item.value} for item in items), MAX_KEYS
        ):
            done += (await self._post_json("/cache/setMany", {"entries": some}, into=_Count, repeatable=True)).count
        return done

    async def delete_many(self, keys: Iterable[str]) -> int:
        """Forget several keys, and give the number of those that were there."""
        done = 0
        for some in batches(_keys(keys), MAX_DELETIONS):
            done += (await self._post_json("/cache/deleteMany", {"keys": some}, into=_Count, repeatable=True)).deleted
        return done

    async def keys(self, *, prefix: str | None = None) -> tuple[str, ...]:
        """Give the keys that start with a prefix, at most 10,000; `iterate` gives all."""
        found = await self._post_json("/cache/keys", drop_none(prefix=prefix), into=_Keys, repeatable=True)
        if found.truncated:
            self._connection.logger.warning(
                "cache.keys gave the first %d keys only; cache.iterate gives all", len(found.keys)
            )
        return found.keys

    async def list(
        self, *, prefix: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> CursorPage[CacheKey]:
        """Give one page of keys: up to `limit`, 100 by default and 1,000 at most."""
        data = drop_none(prefix=prefix, limit=limit, cursor=cursor)
        page = await self._post_json("/cache/list", data, into=_Listed, repeatable=True)
        return CursorPage(page.keys, None if page.list_complete else page.cursor)

    def iterate(self, *, prefix: str | None = None) -> AsyncIterator[CacheKey]:
        """Give every key that starts with a prefix, page after page."""
        return iterate_pages(lambda cursor: self.list(prefix=prefix, limit=1000, cursor=cursor))

    async def flush(self, *, prefix: str | None = None) -> int:
        """Delete the keys that start with a prefix, or all, and return their number: up to 10,000, 5 times a minute."""
        return (await self._post_json("/cache/flush", drop_none(prefix=prefix), into=_Count)).deleted

    async def expire(self, key: str, ttl: float) -> bool:
        """Let a key expire in `ttl` seconds."""
        data = {"key": _key(key), "ttl": ttl}
        return (await self._post_json("/cache/expire", data, into=Success, repeatable=True)).success

    async def increment(self, key: str, amount: float = 1, *, initial: float = 0, ttl: float | None = None) -> float:
        """Add to a number, `initial` when there is none, and give the sum. The platform does not do it atomically."""
        data = {"key": _key(key), "amount": amount, "initialValue": initial, **drop_none(ttl=ttl)}
        return whole_number((await self._post_json("/cache/increment", data, into=_Value)).value)


def _read_entry(value: Any) -> CacheEntry:
    if not {"value", "exists"} & decode(value, dict[str, object]).keys():
        raise DecodingError("the answer has neither $.value nor $.exists")
    return decode(value, CacheEntry)


def _key(key: str) -> str:
    return not_blank(key, "key")


def _keys(keys: Iterable[str]) -> list[str]:
    if isinstance(keys, str):  # which would be read as one key for each letter
        raise TypeError("keys must be several strings, not one")
    return [_key(key) for key in keys]
