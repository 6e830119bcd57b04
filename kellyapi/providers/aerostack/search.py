"""`aerostack.search`: search in documents by meaning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from attrs import field, frozen

from ..._core.resource import Resource, drop_none
from ..._data.arguments import Count, NotBlank
from ..._data.decoding import Shape
from ..._data.result import Result
from .response_types import SUCCESS


@frozen
class SearchResult(Result):
    """A document, in the results of a search."""

    id: str
    content: str | None = None
    score: float | None = None
    """How close the document is to the query. A higher score is closer."""
    type: str | None = None
    metadata: dict[str, object] = field(factory=dict)


@frozen
class _Results:
    results: tuple[SearchResult, ...]


@frozen
class _Found:
    result: SearchResult | None


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
    """Search in documents by meaning.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/ai_api.py)
    """

    async def ingest(
        self,
        content: NotBlank,
        type: NotBlank,
        *,
        id: NotBlank | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Add a document, and return whether the platform did so.

        Args:
            content: The text of the document.
            type: A name for documents of this kind, such as "faq".
            id: The id. If you pass none, the platform chooses one.
            metadata: Any JSON object to keep with the document.

        Example::

            await aerostack.search.ingest("Offices open at eight.", "faq", id="opening-hours")
            nearest = await aerostack.search.query("When do you open?", limit=1)
        """
        data = {
            "content": content,
            "type": type,
            **drop_none(id=id, metadata=metadata),
        }
        return await self._post_json("/ai/search/ingest", data, into=SUCCESS)

    async def query(
        self,
        text: NotBlank,
        *,
        limit: Count = 5,
        types: Sequence[NotBlank] | None = None,
        filter: Mapping[str, Any] | None = None,
    ) -> tuple[SearchResult, ...]:
        """Return the documents that are closest in meaning to a text, the closest first.

        Args:
            text: The text to compare with.
            limit: The maximum number of documents.
            types: Search only documents of these types.
            filter: Search only documents whose metadata have these values.
        """
        data = {"text": text, "topK": limit, **drop_none(types=types, filter=filter)}
        return await self._post_json("/ai/search/query", data, into=_RESULTS)

    async def get(self, id: NotBlank) -> SearchResult | None:
        """Return a document, or `None` if there is no document with this id."""
        return await self._post_json("/ai/search/get", {"id": id}, into=_RESULT, repeatable=True)

    async def update(
        self,
        id: NotBlank,
        content: NotBlank,
        *,
        type: NotBlank | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> bool:
        """Replace a document, and return whether the platform did so."""
        data = {
            "id": id,
            "content": content,
            **drop_none(type=type, metadata=metadata),
        }
        return await self._post_json("/ai/search/update", data, into=SUCCESS)

    async def count(self, type: NotBlank | None = None) -> int:
        """Return the number of documents, of one type or of all types."""
        return await self._post_json("/ai/search/count", drop_none(type=type), into=_COUNT, repeatable=True)

    async def delete(self, id: NotBlank) -> bool:
        """Delete a document, and return whether the platform did so."""
        return await self._post_json("/ai/search/delete", {"id": id}, into=SUCCESS, repeatable=True)

    async def delete_type(self, type: NotBlank) -> bool:
        """Delete all documents of a type, and return whether the platform did so."""
        data = {"type": type}
        return await self._post_json("/ai/search/deleteByType", data, into=SUCCESS, repeatable=True)

    async def configure(self, embedding_model: Literal["english", "multilingual"]) -> bool:
        """Choose the embedding model, and return whether the platform did so."""
        data = {"embeddingModel": embedding_model}
        return await self._post_json("/ai/search/configure", data, into=SUCCESS, repeatable=True)

    async def types(self) -> dict[str, int]:
        """Return the number of documents of each type."""
        return await self._fetch("/ai/search/listTypes", into=_COUNTS)


_COUNTS = Shape(_Types, lambda found: {each.type: each.count for each in found.types})
_RESULTS = Shape(_Results, lambda found: found.results)
_RESULT = Shape(_Found, lambda found: found.result)
_COUNT = Shape(_Count, lambda found: found.count)
