"""Aerostack's SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from ..._core.resource import Resource
from ..._data.decoding import json_name
from ..._data.text import not_blank
from .pagination import batches

MAX_QUERIES = 25


@frozen
class QueryResult:
    """What one query gave."""

    rows: tuple[dict[str, object], ...] = json_name("results", default=())
    count: int = 0


@frozen
class BatchedResult:
    """What one query of a batch gave."""

    success: bool
    rows: tuple[dict[str, object], ...] = json_name("results", default=())
    error: str | None = None
    """Why it failed; the others are done all the same."""


@frozen
class BatchResult:
    """What a batch gave, in its order."""

    success: bool
    """Whether every query succeeded."""
    results: tuple[BatchedResult, ...] = ()


class Database(Resource):
    """`aerostack.db`. Statements that change the schema are refused by the platform.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/database_api.py)
    """

    async def query(self, sql: str, params: Sequence[Any] = ()) -> QueryResult:
        """Run one statement; `?` in it stands for the parameters. Wrong SQL raises `BadRequestError`.

        It is not repeated once it may have been carried out, whatever the statement is.
        """
        return await self._post_json("/db/query", _query(sql, params), into=QueryResult)

    async def batch(self, queries: Iterable[tuple[str, Sequence[Any]]]) -> BatchResult:
        """Run several `(sql, params)`; more than 25 are sent in several requests. One that fails does not stop the
        others.
        """
        parts = []
        for some in batches((_query(*query) for query in queries), MAX_QUERIES):
            parts.append(await self._post_json("/db/batch", {"queries": some}, into=BatchResult))
        return BatchResult(
            success=all(part.success for part in parts), results=tuple(one for part in parts for one in part.results)
        )


def _query(sql: str, params: Sequence[Any] = ()) -> dict[str, Any]:
    if isinstance(params, (str, bytes)):
        raise TypeError("params must be a sequence of values, such as (1, 'a')")
    return {"sql": not_blank(sql, "sql"), **({"params": list(params)} if params else {})}
