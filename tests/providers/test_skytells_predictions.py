"""Skytells' jobs beyond creating and following one: lists, cancelling, deleting, many at once, webhooks, downloads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from aioresponses import aioresponses as Responses
from exchanges import AS_IT_IS, respond
from servers import Server, hang

from kellyapi import (
    NO_RETRY,
    BadRequestError,
    KellyAPIError,
    NotFoundError,
    PermissionDeniedError,
    Prediction,
    PredictionPage,
    PredictionRequest,
    PredictionStatus,
    ServerError,
    Skytells,
    StatusError,
    Webhook,
    WebhookEvent,
)
from kellyapi.providers.skytells.predictions.types import Pagination

BASE = "https://api.skytells.ai/v1"
KEY = {"x-api-key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
DONE = {"id": "a1", "status": "succeeded"}
GONE = {"id": "a1", "status": "cancelled"}
JOB = Prediction(id="a1", status="processing")


@pytest.fixture
async def skytells() -> AsyncIterator[Skytells]:
    async with Skytells("key", retry=NO_RETRY) as client:
        yield client


# One job


Call = Callable[[Skytells, Any], Awaitable[Any]]
ONE_JOB: list[tuple[Call, str, str, Any, Any]] = [
    (lambda it, id: it.predictions.get(id), "GET", "", DONE, Prediction(id="a1", status="succeeded")),
    (lambda it, id: it.predictions.wait(id), "GET", "", DONE, Prediction(id="a1", status="succeeded")),
    (
        lambda it, id: it.predictions.stream_info(id),
        "GET",
        "/stream",
        {**DONE, "urls": {"stream": "https://s.example", "cancel": None}},
        Prediction(id="a1", status="succeeded", urls={"stream": "https://s.example"}),
    ),
    (lambda it, id: it.predictions.cancel(id), "POST", "/cancel", GONE, Prediction(id="a1", status="cancelled")),
    (lambda it, id: it.predictions.cancel(id), "POST", "/cancel", {"success": True}, None),
    (lambda it, id: it.predictions.delete(id), "DELETE", "/delete", GONE, Prediction(id="a1", status="cancelled")),
    (lambda it, id: it.predictions.delete(id), "DELETE", "/delete", {"success": True}, None),
]


@pytest.mark.parametrize("id", ["a1", JOB], ids=["id", "prediction"])
@pytest.mark.parametrize(("call", "method", "path", "reply", "result"), ONE_JOB)
async def test_a_job_is_named_by_its_id_or_an_earlier_state(
    wire: Responses, skytells: Skytells, id: Any, call: Call, method: str, path: str, reply: Any, result: Any
) -> None:
    sent = respond(wire, method, f"{BASE}/predictions/a1{path}", json=reply)
    assert await call(skytells, id) == result
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


async def test_following_and_downloading_take_a_prediction_too(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    respond(wire, "GET", f"{BASE}/predictions/a1", json=DONE, repeat=True)
    assert [state.status async for state in skytells.predictions.follow(JOB)] == ["succeeded"]
    assert await skytells.predictions.download(JOB, tmp_path) == ()


@pytest.mark.parametrize("id", [None, 1, {"id": "a1"}, b"a1"])
async def test_what_names_no_job_is_a_type_error(wire: Responses, skytells: Skytells, id: Any) -> None:
    with pytest.raises(TypeError, match="an id must be a string"):
        await skytells.predictions.get(id)
    assert not wire.requests


# The two generations of addresses


MISSING_ROUTES = [
    (404, {"status": False, "error": {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}}, "application/json"),
    (405, {"status": False, "error": {"error_id": "ENDPOINT_NOT_FOUND", "message": "no route"}}, "application/json"),
    (405, {"status": False, "response": "Method not allowed"}, "application/json"),
    (404, {}, "application/json"),
    (405, "<html>", "text/html"),
]


@pytest.mark.parametrize(("status", "body", "kind"), MISSING_ROUTES)
async def test_an_unknown_address_for_deleting_is_tried_by_its_other_name(
    wire: Responses, skytells: Skytells, status: int, body: Any, kind: str
) -> None:
    first = respond(wire, "DELETE", f"{BASE}/predictions/a1/delete", status=status, json=body, content_type=kind)
    second = respond(wire, "DELETE", f"{BASE}/predictions/a1", json={"success": True})
    assert await skytells.predictions.delete("a1") is None
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize(("status", "body", "kind"), MISSING_ROUTES)
async def test_an_unknown_address_for_a_model_is_tried_by_its_other_name(
    wire: Responses, skytells: Skytells, status: int, body: Any, kind: str
) -> None:
    first = respond(wire, "GET", f"{BASE}/model/lumo?fields=input_schema", status=status, json=body, content_type=kind)
    model = {"name": "Lumo", "namespace": "lumo"}
    second = respond(wire, "GET", f"{BASE}/models/lumo?fields=input_schema", json=model)
    assert (await skytells.models.get("lumo", fields=["input_schema"])).namespace == "lumo"
    assert (len(first), len(second)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "MODEL_NOT_FOUND", NotFoundError),
        (404, "PREDICTION_NOT_FOUND", NotFoundError),
        (502, "PREDICTION_FAILED", ServerError),
        (403, "FORBIDDEN", PermissionDeniedError),
        (500, "ENDPOINT_FAILED", ServerError),
    ],
)
async def test_a_thing_that_is_not_there_is_not_looked_for_elsewhere(
    wire: Responses, skytells: Skytells, status: int, code: str, error: type[StatusError]
) -> None:
    body = {"status": False, "error": {"error_id": code, "message": "no"}}
    respond(wire, "GET", f"{BASE}/model/lumo", status=status, json=body)
    respond(wire, "DELETE", f"{BASE}/predictions/a1/delete", status=status, json=body)
    with pytest.raises(error) as caught:
        await skytells.models.get("lumo")
    assert caught.value.code == code
    with pytest.raises(error):
        await skytells.predictions.delete("a1")
    assert len(wire.requests) == 2


async def test_when_neither_address_is_known_the_second_answer_is_the_error(
    wire: Responses, skytells: Skytells
) -> None:
    respond(wire, "GET", f"{BASE}/model/lumo", status=404, json={})
    respond(
        wire, "GET", f"{BASE}/models/lumo", status=404, json={"error": {"error_id": "MODEL_NOT_FOUND", "message": "m"}}
    )
    with pytest.raises(NotFoundError) as caught:
        await skytells.models.get("lumo")
    assert caught.value.code == "MODEL_NOT_FOUND"


# Lists


@pytest.mark.parametrize(
    ("filters", "query"),
    [
        ({}, "page=1"),
        ({"page": 2, "per_page": 50}, "page=2&per_page=50"),
        ({"since": "2026-01-01", "until": "2026-01-31"}, "page=1&from=2026-01-01&to=2026-01-31"),
        (
            {"since": date(2026, 1, 1), "until": datetime(2026, 1, 31, 9, tzinfo=UTC)},
            "page=1&from=2026-01-01&to=2026-01-31",
        ),
        ({"model": "a/b c&d+e=f#g", "status": "failed"}, "page=1&model=a%2Fb+c%26d%2Be%3Df%23g&status=failed"),
        ({"status": PredictionStatus.SUCCEEDED}, "page=1&status=succeeded"),
    ],
)
async def test_a_page_is_asked_for_in_the_words_of_the_wire(
    wire: Responses, skytells: Skytells, filters: Any, query: str
) -> None:
    where = {"current_page": 2, "per_page": 1, "total": "9", "last_page": 9}
    sent = respond(wire, "GET", f"{BASE}/predictions?{query}", json={"data": [DONE], "pagination": where})
    page = await skytells.predictions.list(**filters)
    assert page == PredictionPage((Prediction(id="a1", status="succeeded"),), Pagination(2, 1, 9, 9))
    assert [(one.headers, one.body) for one in sent] == [(KEY, b"")]


def pages(wire: Responses, *ids: list[str], last: int, query: str = "") -> None:
    """Answer for each page of jobs."""
    for number, some in enumerate(ids, 1):
        body = {
            "data": [{"id": id, "status": "succeeded"} for id in some],
            "pagination": {"current_page": number, "last_page": last},
        }
        respond(wire, "GET", f"{BASE}/predictions?page={number}{query}", json=body)


async def test_every_page_and_every_job_can_be_gone_through(wire: Responses, skytells: Skytells) -> None:
    for _ in range(2):
        pages(wire, ["a", "b"], ["c"], last=2, query="&model=lumo&per_page=2")
    filters = {"model": "lumo", "per_page": 2}
    seen = [[job.id for job in page.items] async for page in skytells.predictions.pages(**filters)]
    assert seen == [["a", "b"], ["c"]]
    assert [job.id async for job in skytells.predictions.iterate(**filters)] == ["a", "b", "c"]


async def test_pages_can_begin_in_the_middle(wire: Responses, skytells: Skytells) -> None:
    pages(wire, ["a"], ["b"], ["c"], last=3)
    assert [job.id async for job in skytells.predictions.iterate(page=2)] == ["b", "c"]
    assert len(wire.requests) == 2


async def test_an_empty_page_is_the_last_whatever_the_count_says(wire: Responses, skytells: Skytells) -> None:
    pages(wire, ["a"], [], last=9)
    assert [job.id async for job in skytells.predictions.iterate()] == ["a"]


async def test_a_bare_array_is_one_page(wire: Responses, skytells: Skytells) -> None:
    respond(
        wire, "GET", f"{BASE}/predictions?page=1", json=[DONE, {"id": "b", "status": "queued", "model": {"name": "m"}}]
    )
    assert [(job.id, job.model) async for job in skytells.predictions.iterate()] == [("a1", None), ("b", "m")]


# Many at once


async def test_one_failure_does_not_lose_the_ids_of_the_others(wire: Responses, skytells: Skytells) -> None:
    bad = {"status": False, "error": {"error_id": "INVALID_INPUT", "message": "no"}}
    first = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    second = respond(wire, "POST", f"{BASE}/predict", status=400, json=bad)
    wire.post(f"{BASE}/predict", exception=ConnectionResetError("reset"))
    last = respond(wire, "POST", f"{BASE}/predict", json={"id": "a4", "status": "pending"})
    jobs = [
        ("m1", {"prompt": "a"}),
        PredictionRequest("m2", {}),
        ("m3", {}),
        PredictionRequest("m4", {}, webhook=Webhook("https://h.example/x", ["completed"]), stream=True),
    ]
    made = await skytells.predictions.create_many(jobs)
    assert [one.id if isinstance(one, Prediction) else type(one).__name__ for one in made] == [
        "a1",
        "BadRequestError",
        "TransportError",
        "a4",
    ]
    assert isinstance(made[1], BadRequestError)
    assert [one.json for one in [*first, *second, *last]] == [
        {"model": "m1", "input": {"prompt": "a"}, "await": False},
        {"model": "m2", "input": {}, "await": False},
        {
            "model": "m4",
            "input": {},
            "await": False,
            "webhook": {"url": "https://h.example/x", "events": ["completed"]},
            "stream": True,
        },
    ]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (("", {}), ValueError),
        (("m", {"seed": float("nan")}), ValueError),
        (("m", {"image": b"bytes"}), TypeError),
        (("m", None), TypeError),
        (("m",), TypeError),
        (PredictionRequest("m", {}, webhook={"uri": "https://h.example"}), TypeError),
    ],
)
async def test_a_wrong_job_is_refused_before_any_is_sent_and_paid_for(
    wire: Responses, skytells: Skytells, wrong: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await skytells.predictions.create_many([("m", {}), wrong])
    assert not wire.requests


async def test_what_is_no_error_of_ours_is_raised_with_the_ids_of_all_that_were_created(wire: Responses) -> None:
    keys = iter(["key", OSError("no key store"), "key", "key"])

    def key() -> str:
        given = next(keys)
        if isinstance(given, OSError):
            raise given
        return given

    respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    respond(wire, "POST", f"{BASE}/predict", status=400, json={"status": False, "response": "no"})
    respond(wire, "POST", f"{BASE}/predict", json={"id": "a4", "status": "pending"})
    async with Skytells(key, retry=NO_RETRY) as skytells:
        with pytest.raises(OSError, match="no key store") as raised:
            await skytells.predictions.create_many([("m", {})] * 4)
    assert raised.value.__notes__ == ["predictions that were created: a1, a4"]


async def test_without_any_created_job_a_foreign_error_has_no_note(wire: Responses) -> None:
    def key() -> str:
        raise OSError("no key store")

    async with Skytells(key, retry=NO_RETRY) as skytells:
        with pytest.raises(OSError, match="no key store") as raised:
            await skytells.predictions.create_many([("m", {})])
    assert not hasattr(raised.value, "__notes__")


async def test_creating_many_that_is_cancelled_ends_at_once() -> None:
    async with Server(hang) as server, Skytells("key", base_url=server.url) as skytells:
        creating = asyncio.create_task(skytells.predictions.create_many([("m", {})] * 2))
        while len(server.requests) < 2:  # noqa: ASYNC110  the server tells nobody
            await asyncio.sleep(0)
        creating.cancel()
        await asyncio.wait([creating], timeout=5)
        assert creating.cancelled()


async def test_no_jobs_are_no_requests(wire: Responses, skytells: Skytells) -> None:
    assert await skytells.predictions.create_many([]) == ()
    assert not wire.requests


# Webhooks


async def test_a_webhook_in_the_official_packages_form_is_taken(wire: Responses, skytells: Skytells) -> None:
    sent = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    await skytells.predictions.create("m", {}, webhook={"url": "https://h.example", "events": ["failed"]})
    assert json.loads(sent[0].body)["webhook"] == {"url": "https://h.example", "events": ["failed"]}


ALL = ["started", "completed", "failed", "canceled"]


@pytest.mark.parametrize(
    ("events", "sent"),
    [
        (ALL, ALL),
        (list(WebhookEvent), ALL),
        (["prediction.started", "prediction.succeeded", "prediction.failed", "prediction.cancelled"], ALL),
        (["prediction.canceled", "cancelled", "canceled"], ["canceled"]),
        (["succeeded", "completed", "prediction.completed"], ["completed"]),
        (("failed",), ["failed"]),
        (iter(["failed"]), ["failed"]),
        ("failed", ["failed"]),
        (["prediction.paused", "*"], ["prediction.paused", "*"]),
        ([], []),
    ],
)
def test_events_of_either_family_go_out_in_the_short_one(events: Any, sent: list[str]) -> None:
    assert Webhook("https://h.example/x", events).to_wire() == {"url": "https://h.example/x", "events": sent}


def test_a_webhook_without_events_is_for_all_of_them() -> None:
    assert Webhook("https://h.example/x").to_wire()["events"] == ALL
    with pytest.raises(TypeError):
        Webhook({"url": "https://h.example/x"})  # type: ignore[arg-type]  # the wrong type is the point


# Downloads


def below(folder: Path) -> list[Path]:
    """List what is in a folder, and in those in it."""
    return list(folder.rglob("*"))


def finished(*outputs: Any) -> Prediction:
    return Prediction(id="a1", status="succeeded", output=list(outputs))


async def test_outputs_are_saved_in_a_folder_without_the_key(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    respond(
        wire, "GET", f"{BASE}/predictions/a1", json={**DONE, "output": ["https://d.example/us/a.png?sig=1", "a text"]}
    )
    fetched = respond(wire, "GET", "https://d.example/us/a.png?sig=1", body=b"png", content_type="image/png")
    saved = await skytells.predictions.download("a1", tmp_path / "new" / "folder")
    assert saved == (tmp_path / "new" / "folder" / "a.png",)
    assert saved[0].read_bytes() == b"png"
    assert [one.headers for one in fetched] == [AS_IT_IS]


async def test_outputs_of_one_name_do_not_replace_each_other(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    links = [f"https://d.example/{number}/out.png" for number in range(3)]
    for link in links:
        respond(wire, "GET", link, body=link.encode(), content_type="image/png")
    saved = await skytells.predictions.download(finished(*links), tmp_path)
    assert [path.read_bytes().decode() for path in saved] == links
    assert {path.parent for path in saved} == {tmp_path}


@pytest.mark.parametrize(
    "link",
    [
        "https://d.example/..%2F..%2Fescaped",
        "https://d.example/%2e%2e",
        "https://d.example/..%5C..%5Cescaped",
        "https://d.example/%2Fescaped",
        "https://d.example/a/",
        "https://d.example",
    ],
)
async def test_no_output_leaves_the_folder(wire: Responses, skytells: Skytells, tmp_path: Path, link: str) -> None:
    respond(wire, "GET", link, body=b"x", content_type="image/png")
    folder = tmp_path / "folder"
    (saved,) = await skytells.predictions.download(finished(link), folder)
    assert below(tmp_path) == [folder, saved]
    assert saved.parent == folder


async def test_of_several_failures_that_of_the_first_output_is_raised(
    wire: Responses, skytells: Skytells, tmp_path: Path
) -> None:
    statuses = {"a": 200, "b": 500, "c": 400}
    links = {f"https://d.example/{name}.png": status for name, status in statuses.items()}
    for link, status in links.items():
        respond(wire, "GET", link, status=status, body=b"png", content_type="image/png")
    with pytest.raises(ServerError) as raised:
        await skytells.predictions.download(finished(*links), tmp_path)
    assert raised.value.prediction == finished(*links)
    assert [path.name for path in below(tmp_path)] == ["a.png"]


async def test_a_link_that_has_expired_leaves_no_file(wire: Responses, skytells: Skytells, tmp_path: Path) -> None:
    link = "https://d.example/a.png"
    respond(wire, "GET", link, status=403, body="<title>Expired</title>", content_type="text/html")
    with pytest.raises(PermissionDeniedError, match="Expired"):
        await skytells.predictions.download(finished(link), tmp_path)
    assert below(tmp_path) == []


# Addresses


@pytest.mark.parametrize(
    ("name", "url"), [("PRODUCTION", "https://api.skytells.ai/v1"), ("EDGE", "https://edge.skytells.ai/v1")]
)
async def test_each_named_address_works(wire: Responses, name: str, url: str) -> None:
    sent = respond(wire, "GET", f"{url}/predictions/a1", json=DONE)
    async with Skytells("key", base_url=getattr(Skytells, name)) as skytells:
        await skytells.predictions.get("a1")
    assert [one.headers for one in sent] == [KEY]


async def test_run_passes_webhook_and_stream_on(wire: Responses, skytells: Skytells) -> None:
    created = respond(wire, "POST", f"{BASE}/predict", json={"id": "a1", "status": "pending"})
    respond(wire, "GET", f"{BASE}/predictions/a1", json=DONE)
    await skytells.run("m", {}, webhook="https://h.example/x", stream=True)
    hook = {"url": "https://h.example/x", "events": ALL}
    assert created[0].json == {"model": "m", "input": {}, "await": False, "webhook": hook, "stream": True}


async def test_a_job_that_cannot_be_created_has_no_prediction(wire: Responses, skytells: Skytells) -> None:
    respond(wire, "POST", f"{BASE}/predict", status=402, json={"error_id": "INSUFFICIENT_CREDITS", "message": "no"})
    with pytest.raises(KellyAPIError) as caught:
        await skytells.run("m", {})
    assert caught.value.prediction is None
