"""`aerostack.db`: the SQL database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from ..._core.resource import Resource
from ..._data.arguments import NotBlank, build, checked
from ..._data.decoding import json_name
from ..._data.result import Result, stamp_raw
from .pagination import batches

MAX_QUERIES = 25


@frozen
class QueryResult(Result):
    """The result of one statement."""

    rows: tuple[dict[str, object], ...] = json_name("results")
    """The rows, each as a dict from column to value."""
    count: int = 0
    """How many rows there are, as the platform counts them."""


@frozen
class BatchedResult(Result):
    """The result of one statement of a batch."""

    success: bool
    """Whether the statement was carried out."""
    rows: tuple[dict[str, object], ...] = json_name("results", default=())
    """The rows, each as a dict from column to value."""
    error: str | None = None
    """Why the statement failed. The other statements are run all the same."""


@frozen
class BatchResult(Result):
    """The results of a batch of statements."""

    success: bool
    """Whether every statement succeeded."""
    results: tuple[BatchedResult, ...]
    """One result per statement, in the same order."""


@checked
@frozen
class _StatementFields:
    sql: NotBlank
    params: Iterable[Any] = ()


_Statement = tuple[NotBlank, Iterable[Any]] | tuple[NotBlank] | Mapping[str, Any]


class Database(Resource):
    """The SQL database. The platform refuses statements that change the schema.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/database_api.py)
    """

    async def query(self, sql: NotBlank, params: Iterable[Any] = ()) -> QueryResult:
        """Run one SQL statement.

        A call is not sent again if the first attempt may have been carried out, whatever the statement is.

        Args:
            sql: The statement, with `?` in place of each parameter.
            params: The values of the parameters.

        Raises:
            BadRequestError: The SQL is wrong.

        Example::

            found = await aerostack.db.query("SELECT name FROM users WHERE id = ?", [1])
            print(found.rows)
        """
        return await self._post_json("/db/query", _query(sql, params), into=QueryResult)

    async def batch(self, queries: Iterable[_Statement]) -> BatchResult:
        """Run several SQL statements. A statement that fails does not stop the others.

        Args:
            queries: Pairs of a statement and its parameters, or dicts such as `{"sql": "SELECT ?", "params": [1]}`.
                More than 25 are sent in several requests.
        """
        parts = []
        statements = [_read_statement(each, f"queries[{place}]") for place, each in enumerate(queries)]
        for batch in batches(statements, MAX_QUERIES):
            parts.append(await self._post_json("/db/batch", {"queries": batch}, into=BatchResult))
        if len(parts) == 1:
            return parts[0]
        whole = BatchResult(
            success=all(part.success for part in parts), results=tuple(one for part in parts for one in part.results)
        )
        stamp_raw(whole, [part.raw for part in parts])
        return whole


def _read_statement(given: Any, name: str) -> dict[str, Any]:
    statement = build(_StatementFields, given, name) if isinstance(given, Mapping) else _StatementFields(*given)
    return _query(statement.sql, statement.params)


def _query(sql: str, params: Iterable[Any] = ()) -> dict[str, Any]:
    values = list(params)
    return {"sql": sql, **({"params": values} if values else {})}
