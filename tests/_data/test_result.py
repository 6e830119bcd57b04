"""`.raw` and `.request_id`: the response that a result was read from."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from attrs import evolve
from servers import Server, make_response

from kellyapi import Aerostack, CursorPage, Kelly, Khaya, PredictionPage, Result, Skytells, Translation
from kellyapi._data.result import Origin, shortened, stamp

PAGES: tuple[Any, ...] = (CursorPage((1, 2), None), PredictionPage((1, 2)))  # type: ignore[arg-type]  # the items play no part
PREDICTION = {"id": "p1", "status": "succeeded", "something_new": {"a": 1}}
PNG = "iVBORw0KGgo="


@pytest.mark.parametrize(
    ("client", "call", "body"),
    [
        (Khaya, lambda it: it.translate("Good morning", "en-tw"), "Maakye"),
        (Khaya, lambda it: it.transcribe(b"RIFF", "twi"), {"text": "Maakye", "new": [1]}),
        (Kelly, lambda it: it.chat("hi"), {"message": "hello", "new": 1}),
        (Kelly, lambda it: it.generate_image("a fox"), {"image": PNG, "new": 1}),
        (Skytells, lambda it: it.predictions.get("p1"), PREDICTION),
        (Aerostack, lambda it: it.ai.chat("hi"), {"response": "hello", "new": 1}),
        (Aerostack, lambda it: it.search.get("d"), {"result": {"id": "d"}, "exists": True}),
    ],
)
async def test_a_result_has_its_json_and_the_id_of_its_request(client: Any, call: Any, body: Any) -> None:
    script = make_response(body=json.dumps(body).encode(), X_Request_Id="r1")
    async with Server(script) as server, client("key", base_url=server.url) as one:
        result = await call(one)
    assert isinstance(result, Result)
    assert (result.raw, result.request_id) == (body, "r1")


async def test_audio_has_the_id_of_its_request_and_no_json() -> None:
    script = Server(make_response(body=b"RIFF", kind="audio/wav", X_Request_Id="r1"))
    async with script as server, Khaya("key", base_url=server.url) as khaya:
        speech = await khaya.synthesize("hi", "twi")
    assert (speech.raw, speech.request_id) == (None, "r1")


async def test_each_item_of_a_list_has_its_own_part_of_the_json() -> None:
    script = Server(make_response(body=json.dumps([{"name": "M", "namespace": "m", "new": 1}]).encode()))
    async with script as server, Skytells("key", base_url=server.url) as skytells:
        (model,) = await skytells.models.list()
    assert model.raw == {"name": "M", "namespace": "m", "new": 1}


async def test_a_long_text_is_not_kept_twice_in_memory() -> None:
    image = PNG.replace("=", "A") + "AAAA" * 65_536
    script = Server(make_response(body=json.dumps({"image": image}).encode()))
    async with script as server, Kelly("key", base_url=server.url) as kelly:
        result = await kelly.generate_image("a fox")
    assert result.raw == {"image": f"<{len(image)} characters>"}


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("x" * 65_536, "x" * 65_536),
        ("x" * 65_537, "<65537 characters>"),
        ({"a": ["x" * 65_537, 1, None]}, {"a": ["<65537 characters>", 1, None]}),
    ],
)
def test_only_long_texts_are_left_out(value: Any, kept: Any) -> None:
    assert shortened(value) == kept


def test_the_origin_is_not_in_comparisons_or_repr() -> None:
    fields: dict[str, Any] = {"text": "t", "source_language": "en", "target_language": "tw", "provider": "khaya"}
    one, other = Translation(**fields), stamp(Translation(**fields), Origin({"a": 1}, "r1"))
    assert one == other
    assert repr(one) == repr(other)
    assert (one.raw, one.request_id) == (None, None)
    for again in (pickle.loads(pickle.dumps(other)), copy.copy(other), copy.deepcopy(other)):
        assert (again.raw, again.request_id) == ({"a": 1}, "r1")
    assert evolve(other, text="u").raw is None  # the file has another text than the one that was sent


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_a_collection_of_its_items(page: Any) -> None:
    assert (list(page), len(page), 2 in page, list(reversed(page.items))) == ([1, 2], 2, True, [2, 1])
    assert list(copy.copy(page)) == list(pickle.loads(pickle.dumps(page))) == [1, 2]
    assert (len(evolve(page, items=())), page == evolve(page, items=())) == (0, False)
