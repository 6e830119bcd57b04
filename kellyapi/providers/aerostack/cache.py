"""`aerostack.cache`: JSON values by key, which may expire."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from attrs import frozen

from ..._core.resource import Resource, drop_none
from ..._data.arguments import Count, NotBlank, Positive, build, checked
from ..._data.decoding import Shape
from ..._data.result import Result
from ...errors import DecodingError
from .pagination import CursorPage, batches, iterate_pages
from .response_types import SUCCESS, whole_number

MAX_KEYS = 100
MAX_DELETIONS = 500


@frozen
class CacheEntry(Result):
    """The value of a key, if the key exists."""

    value: object = None
    """Any JSON value; `None` if the key does not exist."""
    exists: bool = True
    """Whether the key exists."""
    key: str = ""
    """The key that you asked for."""

    @staticmethod
    def prepare_json(value: Any) -> Any:
        """Refuse an object that has neither `value` nor `exists`."""
        if isinstance(value, dict) and not {"value", "exists"} & value.keys():
            raise DecodingError("the response has neither $.value nor $.exists")
        return value


@checked
@frozen
class CacheItem:
    """A key and its value, for `set_many`."""

    key: NotBlank
    value: Any
    """Any JSON value."""
    ttl: Positive | None = None
    """Seconds until the key expires; `None` if it never does."""


@frozen
class CacheKey(Result):
    """A key in a list of keys."""

    key: str
    expiration: float | None = None
    """When the key expires, in seconds since 1970; `None` if it never does."""


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
    """JSON values by key.

    If you pass more keys than the platform accepts in one request, they are sent in several requests.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/cache_api.py)
    """

    async def get(self, key: NotBlank) -> CacheEntry:
        """Return the value of a key.

        Returns:
            An entry. If there is no such key, its `exists` is `False`.

        Example::

            await aerostack.cache.set("greeting", {"twi": "Maakye"}, ttl=3600)
            entry = await aerostack.cache.get("greeting")
            print(entry.value)
        """
        into = Shape(CacheEntry, lambda entry: CacheEntry(entry.value, entry.exists, key))
        return await self._post_json("/cache/get", {"key": key}, into=into, repeatable=True)

    async def exists(self, key: NotBlank) -> bool:
        """Return whether there is a key. The platform sends its value too."""
        return (await self.get(key)).exists

    async def set(self, key: NotBlank, value: Any, *, ttl: Positive | None = None) -> bool:
        """Set the value of a key, and return whether the platform stored it.

        Args:
            key: The key.
            value: Any JSON value.
            ttl: Seconds until the key expires; `None` if it never does.
        """
        data = {"key": key, "value": value, **drop_none(ttl=ttl)}
        return await self._post_json("/cache/set", data, into=SUCCESS, repeatable=True)

    async def delete(self, key: NotBlank) -> bool:
        """Delete a key, and return whether the platform did so."""
        return await self._post_json("/cache/delete", {"key": key}, into=SUCCESS, repeatable=True)

    async def get_many(self, keys: Iterable[NotBlank]) -> tuple[CacheEntry, ...]:
        """Return the values of several keys, in the same order."""
        found: list[CacheEntry] = []
        for batch in batches(keys, MAX_KEYS):
            found += await self._post_json("/cache/getMany", {"keys": batch}, into=_RESULTS, repeatable=True)
        return tuple(found)

    async def set_many(self, entries: Mapping[NotBlank, Any] | Iterable[CacheItem | Mapping[str, Any]]) -> int:
        """Set the values of several keys, and return how many were set.

        Args:
            entries: A dict from key to value, whose keys never expire, or `CacheItem` objects, or dicts such as
                `{"key": "greeting", "value": "Maakye", "ttl": 60}`.
        """
        if isinstance(entries, Mapping):
            items = [CacheItem(*pair) for pair in entries.items()]
        else:
            items = [build(CacheItem, entry, f"entries[{place}]") for place, entry in enumerate(entries)]
        done = 0
        for batch in batches(
            ({**drop_none(key=item.key, ttl=item.ttl), "value": item.value} for item in items), MAX_KEYS
        ):
            done += await self._post_json("/cache/setMany", {"entries": batch}, into=_COUNT, repeatable=True)
        return done

    async def delete_many(self, keys: Iterable[NotBlank]) -> int:
        """Delete several keys, and return how many of them existed."""
        done = 0
        for batch in batches(keys, MAX_DELETIONS):
            done += await self._post_json("/cache/deleteMany", {"keys": batch}, into=_DELETED, repeatable=True)
        return done

    async def keys(self, *, prefix: str | None = None) -> tuple[str, ...]:
        """Return the keys that start with a prefix, at most 10,000. `iterate` yields all of them."""
        found = await self._post_json("/cache/keys", drop_none(prefix=prefix), into=_Keys, repeatable=True)
        if found.truncated:
            self._connection.logger.warning(
                "cache.keys gave the first %d keys only; cache.iterate gives all", len(found.keys)
            )
        return found.keys

    async def list(
        self, *, prefix: str | None = None, limit: Count | None = None, cursor: NotBlank | None = None
    ) -> CursorPage[CacheKey]:
        """Return one page of keys.

        Args:
            prefix: Return only keys that start with it.
            limit: The size of the page: 100 by default, 1,000 at most.
            cursor: The `cursor` of the page before; `None` for the first page.
        """
        data = drop_none(prefix=prefix, limit=limit, cursor=cursor)
        return await self._post_json("/cache/list", data, into=_PAGE, repeatable=True)

    def iterate(self, *, prefix: str | None = None) -> AsyncIterator[CacheKey]:
        """Yield every key that starts with a prefix, page by page."""
        return iterate_pages(lambda cursor: self.list(prefix=prefix, limit=1000, cursor=cursor))

    async def flush(self, *, prefix: str | None = None) -> int:
        """Delete the keys that start with a prefix, or all keys, and return how many were deleted.

        The platform deletes up to 10,000 keys per call and accepts 5 calls per minute.
        """
        return await self._post_json("/cache/flush", drop_none(prefix=prefix), into=_DELETED)

    async def expire(self, key: NotBlank, ttl: Positive) -> bool:
        """Let a key expire in `ttl` seconds, and return whether the platform did so."""
        data = {"key": key, "ttl": ttl}
        return await self._post_json("/cache/expire", data, into=SUCCESS, repeatable=True)

    async def increment(
        self, key: NotBlank, amount: float = 1, *, initial: float = 0, ttl: Positive | None = None
    ) -> float:
        """Add to a number, and return the sum. The platform does not do this atomically.

        Args:
            key: The key of the number.
            amount: What to add; a negative number subtracts.
            initial: The number to start from if the key does not exist.
            ttl: Seconds until the key expires; `None` if it never does.
        """
        data = {"key": key, "amount": amount, "initialValue": initial, **drop_none(ttl=ttl)}
        return await self._post_json("/cache/increment", data, into=_NUMBER)


_RESULTS = Shape(_Entries, lambda found: found.results)
_COUNT = Shape(_Count, lambda found: found.count)
_DELETED = Shape(_Count, lambda found: found.deleted)
_NUMBER = Shape(_Value, lambda found: whole_number(found.value))
_PAGE = Shape(_Listed, lambda page: CursorPage(page.keys, None if page.list_complete else page.cursor))
