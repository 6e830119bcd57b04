"""Aerostack's search over ingested documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

from ..._core.resource import Resource, drop_none
from ..._data.text import not_blank
from .response_types import Success


@frozen
class SearchResult:
    """A document that was found."""

    id: str
    content: str | None = None
    score: float | None = None
    """The higher, the nearer."""
    type: str | None = None
    metadata: dict[str, object] = field(factory=dict)


@frozen
class _Results:
    results: tuple[SearchResult, ...]


@frozen
class _Found:
    result: SearchResult | None = None


@frozen
class _Count:
    count: int


@frozen
class _Type:
    type: str
    count: int


@frozen
class _Types:
    types: tuple[_Type, ...]


class Search(Resource):
    """`aerostack.search`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/ai_api.py)
    """

    async def ingest(
        self, content: str, type: str, *, id: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> bool:
        """Add a document."""
        data = {
            "content": not_blank(content, "content"),
            "type": not_blank(type, "type"),
            **drop_none(id=id, metadata=metadata),
        }
        return (await self._post_json("/ai/search/ingest", data, into=Success)).success

    async def query(
        self,
        text: str,
        *,
        limit: int = 5,
        types: Sequence[str] | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> tuple[SearchResult, ...]:
        """Give up to `limit` documents that are near a text in meaning, the nearest first."""
        data = {"text": not_blank(text, "text"), "topK": limit, **drop_none(types=types, filter=filter)}
        return (await self._post_json("/ai/search/query", data, into=_Results)).results

    async def get(self, id: str) -> SearchResult | None:
        """Give a document; `None` when there is none of this id."""
        return (
            await self._post_json("/ai/search/get", {"id": not_blank(id, "id")}, into=_Found, repeatable=True)
        ).result

    async def update(
        self, id: str, content: str, *, type: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> bool:
        """Replace a document."""
        data = {
            "id": not_blank(id, "id"),
            "content": not_blank(content, "content"),
            **drop_none(type=type, metadata=metadata),
        }
        return (await self._post_json("/ai/search/update", data, into=Success)).success

    async def count(self, type: str | None = None) -> int:
        """Count the documents, of one type or all."""
        return (await self._post_json("/ai/search/count", drop_none(type=type), into=_Count, repeatable=True)).count

    async def delete(self, id: str) -> bool:
        """Delete a document."""
        return (
            await self._post_json("/ai/search/delete", {"id": not_blank(id, "id")}, into=Success, repeatable=True)
        ).success

    async def delete_type(self, type: str) -> bool:
        """Delete all documents of a type."""
        data = {"type": not_blank(type, "type")}
        return (await self._post_json("/ai/search/deleteByType", data, into=Success, repeatable=True)).success

    async def configure(self, embedding_model: Literal["english", "multilingual"]) -> bool:
        """Choose the model that measures meaning."""
        data = {"embeddingModel": embedding_model}
        return (await self._post_json("/ai/search/configure", data, into=Success, repeatable=True)).success

    async def types(self) -> dict[str, int]:
        """Give the types of documents and how many there are of each."""
        found = await self._fetch("/ai/search/listTypes", into=_Types)
        return {each.type: each.count for each in found.types}
