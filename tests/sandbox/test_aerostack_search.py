"""Aerostack's search, A13."""

from __future__ import annotations

from typing import Any

import pytest
from http_client import Send

from kellyapi import Aerostack, BadRequestError, NotFoundError

pytestmark = pytest.mark.usefixtures("own_sandbox")


@pytest.fixture
async def animals(aerostack: Aerostack) -> None:
    for id, type, content, metadata in (
        ("fox", "story", "A red fox jumps over foxes in the snow", {"lang": "en", "year": 2020}),
        ("whale", "story", "A blue whale in the sea", {"lang": "en", "year": 2021}),
        ("ananse", "tale", "Kwaku Ananse te ɔdan bi mu; a red spider", {"lang": "tw"}),
        ("empty", "note", "…", None),
    ):
        assert await aerostack.search.ingest(content, type, id=id, metadata=metadata)


@pytest.mark.usefixtures("animals")
@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("red fox", {}, ["fox", "ananse"]),
        ("Whales", {}, ["whale"]),
        ("ɔdan", {}, ["ananse"]),
        ("red", {"types": ["tale"]}, ["ananse"]),
        ("red", {"types": []}, ["ananse", "fox"]),
        ("red", {"filter": {"lang": "en"}}, ["fox"]),
        ("blue red", {"filter": {"lang": "en", "year": 2021}}, ["whale"]),
        ("red", {"filter": {"none": None, "lang": "en"}}, ["fox"]),
        ("a red", {"limit": 1}, 1),
        ("elephant", {}, []),
        ("?! …", {}, []),
        ('fox" OR "whale', {}, ["fox", "whale"]),
        ("NEAR(fox, 5) AND NOT content : whale*", {}, ["fox", "whale"]),
    ],
)
async def test_a_query_finds_the_documents_that_share_its_words(
    aerostack: Aerostack, text: str, options: Any, expected: Any
) -> None:
    results = await aerostack.search.query(text, **options)
    if isinstance(expected, int):
        assert len(results) == expected
    else:
        assert sorted(result.id for result in results) == sorted(expected)


@pytest.mark.usefixtures("animals")
async def test_results_are_sorted_by_positive_scores(aerostack: Aerostack) -> None:
    results = await aerostack.search.query("the red fox in the snow")
    assert [result.id for result in results] == ["fox", "whale", "ananse"]
    scores = [result.score for result in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score < 1 for score in scores)
    assert scores[0] > 0.8 > 0.5 > scores[2]


@pytest.mark.usefixtures("animals")
async def test_the_response_bodies_are_exact(post: Any, send: Send) -> None:
    whale = {
        "id": "whale",
        "content": "A blue whale in the sea",
        "type": "story",
        "metadata": {"lang": "en", "year": 2021},
    }
    (result,) = (await post("/v1/ai/search/query", json={"text": "whale"})).json["results"]
    assert result.pop("score") > 0
    assert result == whale
    types = [{"type": "note", "count": 1}, {"type": "story", "count": 2}, {"type": "tale", "count": 1}]
    cases: list[tuple[str, Any, Any]] = [
        ("get", {"id": "whale"}, {"result": whale, "exists": True}),
        ("get", {"id": "none"}, {"result": None, "exists": False}),
        ("count", {}, {"count": 4}),
        ("count", {"type": "story"}, {"count": 2}),
        ("count", {"type": "none"}, {"count": 0}),
        ("ingest", {"content": "x", "type": "note"}, {"success": True}),
        ("configure", {"embeddingModel": "multilingual"}, {"success": True}),
        ("update", {"id": "whale", "content": "y"}, {"success": True}),
        ("delete", {"id": "whale"}, {"success": True}),
        ("delete", {"id": "whale"}, {"success": True}),
        ("deleteByType", {"type": "note"}, {"success": True}),
        ("count", {}, {"count": 2}),
    ]
    listed = await send("GET", "/v1/ai/search/listTypes", headers={"X-Aerostack-Key": "key"})
    assert (listed.status, listed.json) == (200, {"types": types})
    for path, body, expected in cases:
        response = await post(f"/v1/ai/search/{path}", json=body)
        assert (response.status, response.json) == (200, expected), path


@pytest.mark.usefixtures("animals")
async def test_an_update_replaces_the_words_and_only_what_it_names(aerostack: Aerostack) -> None:
    await aerostack.search.update("whale", "A green parrot")
    assert await aerostack.search.query("whale") == ()
    parrot = await aerostack.search.get("whale")
    assert (parrot.content, parrot.type, parrot.metadata["year"]) == ("A green parrot", "story", 2021)
    await aerostack.search.update("whale", "A green parrot", type="tale", metadata={"lang": "tw"})
    (document,) = await aerostack.search.query("parrot")
    assert (document.type, document.metadata) == ("tale", {"lang": "tw"})


@pytest.mark.usefixtures("animals")
async def test_ingesting_an_id_again_replaces_the_document_and_deleting_removes_it(aerostack: Aerostack) -> None:
    await aerostack.search.ingest("A grey wolf", "story", id="fox")
    assert await aerostack.search.types() == {"note": 1, "story": 2, "tale": 1}
    assert await aerostack.search.query("fox") == ()
    assert await aerostack.search.delete("fox")
    assert await aerostack.search.query("wolf") == ()
    assert await aerostack.search.delete_type("story")
    assert await aerostack.search.count() == 2
    assert await aerostack.search.configure("english")


async def test_an_update_of_a_missing_document_is_a_404(aerostack: Aerostack) -> None:
    with pytest.raises(NotFoundError, match="There is no document 'none'") as caught:
        await aerostack.search.update("none", "text")
    assert (caught.value.code, caught.value.details) == ("NOT_FOUND", {"field": "id"})


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("ingest", {"type": "a"}, "content"),
        ("ingest", {"content": "a"}, "type"),
        ("ingest", {"content": "a", "type": "a", "id": 5}, "id"),
        ("ingest", {"content": "a", "type": "a", "metadata": []}, "metadata"),
        ("query", {}, "text"),
        ("query", {"text": "a", "topK": 0}, "topK"),
        ("query", {"text": "a", "topK": "5"}, "topK"),
        ("query", {"text": "a", "types": "a"}, "types"),
        ("query", {"text": "a", "types": [1]}, "types"),
        ("query", {"text": "a", "filter": []}, "filter"),
        ("get", {}, "id"),
        ("update", {"content": "a"}, "id"),
        ("update", {"id": "a"}, "content"),
        ("count", {"type": 5}, "type"),
        ("delete", {}, "id"),
        ("deleteByType", {}, "type"),
        ("configure", {}, "embeddingModel"),
        ("configure", {"embeddingModel": "klingon"}, "embeddingModel"),
    ],
)
async def test_wrong_input_is_a_400_that_names_the_field(post: Any, path: str, body: Any, field: str) -> None:
    response = await post(f"/v1/ai/search/{path}", json=body)
    assert (response.status, response.json["code"]) == (400, "VALIDATION_ERROR")
    assert response.json["details"] == {"field": field}


async def test_the_text_of_a_query_is_bounded(aerostack: Aerostack) -> None:
    assert await aerostack.search.query("a " * 5_000) == ()
    with pytest.raises(BadRequestError, match="at most 10000 characters"):
        await aerostack.search.query("a" * 10_001)
