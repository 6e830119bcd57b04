"""The released `skytells` 1.0.0, unchanged, in both forms, and ours with the same input, against the sandbox."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import skytells
from servers import Server, make_response
from skytells import SkytellsError

from kellyapi import (
    AuthenticationError,
    BadRequestError,
    DecodingError,
    KellyAPIError,
    NotFoundError,
    PredictionFailedError,
    Sandbox,
    ServerError,
    Skytells,
    StatusError,
    TransportError,
    WaitTimeoutError,
)
from official.clients import FORMS, CallOfficial, closed_port, official, our_client
from official.comparing import normalize, normalize_prediction

FOX = {"prompt": "a fox", "width": 64, "height": 64}
HOOK = {"url": "https://bot.example/hook", "events": ["completed"]}
AGES = 86400.0
_TIMES = ("created_at", "started_at", "completed_at", "updated_at")
_ITS_OWN = ("id", "output", "urls", "metrics", "metadata", "success", *_TIMES)


@pytest.fixture(params=FORMS)
async def call_official(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[CallOfficial]:
    async with official("skytells", sandbox.urls["skytells"], request.param) as call_official:
        yield call_official


@pytest.fixture
async def ours(sandbox: Sandbox) -> AsyncIterator[Skytells]:
    async with our_client("skytells", sandbox.urls["skytells"]) as client:
        yield client


def common_fields(prediction: Any) -> Any:
    """Return the fields that two predictions with the same input have in common."""
    return {name: value for name, value in normalize_prediction(prediction).items() if name not in _ITS_OWN}


async def test_both_run_a_prediction_to_the_same_picture(call_official: CallOfficial, ours: Skytells) -> None:
    theirs = await call_official(lambda c: c.run("truefusion", FOX).raw())
    done = await ours.run("truefusion", FOX)
    assert common_fields(theirs) == common_fields(done)
    assert (done.status, done.model, done.input) == ("succeeded", "truefusion", FOX)
    (url,) = done.outputs
    pictures = await call_official(lambda c: [urllib.request.urlopen(each).read() for each in (*theirs["output"], url)])
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG")
    assert theirs["metadata"]["billing"]["credits_used"] == done.credits_used == 0.03


async def test_both_get_the_same_prediction(call_official: CallOfficial, ours: Skytells) -> None:
    created = await call_official(lambda c: c.run("truefusion", FOX, webhook=HOOK, stream=True))
    id = created.id
    fetched = await ours.predictions.get(id)
    for get in (
        lambda c: c.predictions.get(id),
        lambda c: c.stream_prediction(id),
        lambda c: c.get_prediction(id),
        lambda c: c.wait({"id": id, "status": "pending"}, {"interval": 1}),
    ):
        assert normalize_prediction(await call_official(get)) == normalize_prediction(fetched)
    for get in (ours.predictions.stream_info, ours.predictions.wait):
        assert await get(id) == fetched
    assert (fetched.stream, fetched.webhook, fetched.urls["get"]) == (True, HOOK, f"{ours.base_url}/predictions/{id}")
    assert (created.outputs(), created.output, created.status) == (
        fetched.outputs[0],
        list(fetched.outputs),
        fetched.status,
    )


async def test_both_follow_a_prediction_to_its_end(
    call_official: CallOfficial, ours: Skytells, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(skytells._client, "DEFAULT_POLL_INTERVAL", 1)  # ms; `run` has no argument for its 5 s
    states: list[dict[str, Any]] = []
    theirs = await call_official(lambda c: c.run("truefusion", FOX, states.append).raw())
    fetched = [state async for state in ours.predictions.follow(theirs["id"])]
    assert normalize_prediction(states[-1]) == normalize_prediction(theirs) == normalize_prediction(fetched[-1])


async def test_a_prediction_of_one_client_can_be_finished_by_the_other(
    call_official: CallOfficial, ours: Skytells
) -> None:
    theirs = await call_official(lambda c: c.predictions.create({"model": "truefusion", "input": FOX}))
    created = await ours.predictions.create("truefusion", FOX)
    waiting = await call_official(lambda c: c.predict({"model": "truefusion", "input": FOX}))
    assert common_fields(theirs) == common_fields(created) == common_fields(waiting)
    assert (await ours.predictions.wait(theirs["id"], interval=0.01)).status == "succeeded"
    done = await call_official(lambda c: c.wait({"id": created.id, "status": created.status}, {"interval": 1}))
    assert done["status"] == "succeeded"


async def test_both_create_many_predictions(call_official: CallOfficial, ours: Skytells) -> None:
    def dispatch(client: Any) -> Any:
        client.queue({"model": "truefusion", "input": FOX})
        client.queue({"model": "flux-pro", "input": FOX})
        return client.dispatch()

    theirs = await call_official(dispatch)
    created = await ours.predictions.create_many([("truefusion", FOX), ("flux-pro", FOX)])
    assert list(map(common_fields, theirs)) == list(map(common_fields, created))
    assert [each.model for each in created] == ["truefusion", "flux-pro"]


async def test_both_list_the_same_pages(call_official: CallOfficial, ours: Skytells) -> None:
    created = [await ours.run(model, FOX) for model in ("truefusion", "flux-pro", "truefusion")]
    day = created[0].created_at[:10]
    for filters, count in (
        ({}, 3),
        ({"model": "truefusion"}, 2),
        ({"page": 1, "since": day, "model": "flux-pro"}, 1),
        ({"until": "2000-01-01"}, 0),
    ):
        theirs = await call_official(lambda c, filters=filters: c.predictions.list(**filters))
        page = await ours.predictions.list(**filters)
        assert list(map(normalize_prediction, theirs.data)) == list(map(normalize_prediction, page.items))
        assert theirs.pagination.to_dict() == normalize(page.pagination)
        assert (len(page.items), page.pagination.total) == (count, count)
    both = [await call_official(get) for get in (lambda c: c.list_predictions(1), lambda c: c.predictions.list())]
    assert both[0].to_dict() == both[1].to_dict()


def same_error(theirs: SkytellsError, ours: Any) -> None:
    assert (theirs.error_id, theirs.http_status, str(theirs)) == (ours.code, ours.status, ours.message)
    assert theirs.details == (ours.details or ours.message)


async def both_errors(
    call_official: CallOfficial, theirs: Callable[[Any], Any], ours: Any
) -> tuple[SkytellsError, KellyAPIError]:
    """Return the errors of both clients."""
    with pytest.raises(SkytellsError) as their_error:
        await call_official(theirs)
    with pytest.raises(KellyAPIError) as our_error:
        await ours
    return their_error.value, our_error.value


@pytest.mark.parametrize("prediction_time", [AGES])
async def test_both_can_cancel_a_prediction_once(call_official: CallOfficial, ours: Skytells) -> None:
    prediction = await call_official(lambda c: c.predictions.create({"model": "truefusion", "input": FOX}))
    theirs = await call_official(lambda c: c.cancel_prediction(prediction["id"]))
    cancelled = await ours.predictions.cancel(await ours.predictions.create("truefusion", FOX))
    assert common_fields(theirs) == common_fields(cancelled)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    again = await both_errors(
        call_official, lambda c: c.cancel_prediction(prediction["id"]), ours.predictions.cancel(prediction["id"])
    )
    same_error(*again)
    assert isinstance(again[1], BadRequestError)


async def test_the_official_prediction_object_can_cancel_and_delete(
    call_official: CallOfficial, ours: Skytells
) -> None:
    def cancel_and_delete(client: Any) -> Any:
        created = client.run("truefusion", FOX)
        with pytest.raises(SkytellsError) as error:
            created.cancel()
        return created.id, error.value, created.delete()

    id, error, deleted = await call_official(cancel_and_delete)
    created = await ours.run("truefusion", FOX)
    with pytest.raises(BadRequestError) as our_error:
        await ours.predictions.cancel(created)
    assert (error.error_id, error.http_status) == (our_error.value.code, our_error.value.status)
    assert str(error).replace(id, created.id) == our_error.value.message
    assert common_fields(deleted) == common_fields(await ours.predictions.delete(created))


async def test_a_deleted_prediction_is_unknown_to_both(call_official: CallOfficial, ours: Skytells) -> None:
    first, second = [await ours.run("truefusion", FOX) for _ in range(2)]
    theirs = await call_official(lambda c: c.delete_prediction(first.id))
    assert common_fields(theirs) == common_fields(await ours.predictions.delete(second))
    for id in (first.id, second.id, "unknown"):
        errors = await both_errors(call_official, lambda c, id=id: c.predictions.get(id), ours.predictions.get(id))
        same_error(*errors)
        assert (type(errors[1]), errors[1].code) == (ServerError, "PREDICTION_FAILED")


@pytest.mark.parametrize("fields", [None, ["input_schema"], ["input_schema", "output_schema"]])
async def test_both_read_the_same_catalogue(
    call_official: CallOfficial, ours: Skytells, fields: list[str] | None
) -> None:
    models = await ours.models.list(fields=fields or ())
    for listing in (lambda c: c.models.list(fields), lambda c: c.list_models(fields)):
        assert normalize(await call_official(listing)) == normalize(models)
    model = await ours.models.get("truefusion-pro", fields=fields or ())
    for get in (lambda c: c.models.get("truefusion-pro", fields), lambda c: c.get_model("truefusion-pro", fields)):
        assert normalize(await call_official(get)) == normalize(model)
    assert model in models
    assert (model.namespace, model.pricing and model.pricing.amount) == ("truefusion-pro", 0.05)
    assert (model.input_schema is not None, model.output_schema is not None) == (
        "input_schema" in (fields or ()), "output_schema" in (fields or ()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("theirs", "call", "code", "error"),
    [
        (
            lambda c: c.run("no-such-model", FOX), lambda c: c.run("no-such-model", FOX),
            "MODEL_NOT_FOUND", NotFoundError,
        ),
        (
            lambda c: c.models.get("no-such-model"), lambda c: c.models.get("no-such-model"),
            "MODEL_NOT_FOUND", NotFoundError,
        ),
        (
            lambda c: c.predictions.create({"model": "truefusion", "input": {}}),
            lambda c: c.predictions.create("truefusion", {}),
            "VALIDATION_ERROR", BadRequestError,
        ),
        (
            lambda c: c.predictions.list(since="yesterday"), lambda c: c.predictions.list(since="yesterday"),
            "INVALID_DATE_FORMAT", BadRequestError,
        ),
        (
            lambda c: c.predictions.list(since="2026-02-01", until="2026-01-01"),
            lambda c: c.predictions.list(since="2026-02-01", until="2026-01-01"),
            "INVALID_DATE_RANGE", BadRequestError,
        ),
        (
            lambda c: c.predictions.list(page=99), lambda c: c.predictions.list(page=99),
            "INVALID_PARAMETER", BadRequestError,
        ),
    ],
)  # fmt: skip
async def test_a_refusal_has_the_same_code_status_and_text_for_both(
    call_official: CallOfficial,
    ours: Skytells,
    theirs: Callable[[Any], Any],
    call: Callable[[Any], Any],
    code: str,
    error: type,
) -> None:
    errors = await both_errors(call_official, theirs, call(ours))
    same_error(*errors)
    assert (errors[1].code, type(errors[1])) == (code, error)


@pytest.mark.parametrize("form", FORMS)
async def test_a_wrong_key_has_the_same_code_status_and_text_for_both(sandbox: Sandbox, form: str) -> None:
    url = sandbox.urls["skytells"]
    async with official("skytells", url, form, "wrong") as call_official, our_client("skytells", url, "wrong") as ours:
        errors = await both_errors(call_official, lambda c: c.models.list(), ours.models.list())
    same_error(*errors)
    assert (errors[1].code, type(errors[1])) == ("UNAUTHORIZED", AuthenticationError)


async def test_a_failed_prediction_is_an_error_with_the_same_reason_for_both(
    call_official: CallOfficial, ours: Skytells
) -> None:
    prompt = {"prompt": "fail please"}
    theirs, error = await both_errors(
        call_official, lambda c: c.run("truefusion", prompt), ours.run("truefusion", prompt)
    )
    assert isinstance(error, PredictionFailedError)
    assert theirs.error_id == error.code == "PREDICTION_FAILED"
    assert str(theirs) == error.prediction.error
    assert str(theirs) in error.message


@pytest.mark.parametrize("prediction_time", [AGES])
async def test_a_wait_that_times_out_has_the_same_code_for_both(call_official: CallOfficial, ours: Skytells) -> None:
    prediction = await ours.predictions.create("truefusion", FOX)
    theirs, error = await both_errors(
        call_official,
        lambda c: c.wait({"id": prediction.id, "status": "pending"}, {"interval": 1, "max_wait": 0}),
        ours.predictions.wait(prediction, timeout=0),
    )
    assert isinstance(error, WaitTimeoutError)
    assert theirs.error_id == error.code == "WAIT_TIMEOUT"
    assert error.prediction.id == prediction.id


@pytest.mark.parametrize("form", FORMS)
async def test_a_refused_connection_has_the_same_code_for_both(form: str) -> None:
    url = closed_port()
    async with official("skytells", url, form) as call_official, our_client("skytells", url) as ours:
        theirs, error = await both_errors(call_official, lambda c: c.models.list(), ours.models.list())
    assert (theirs.error_id, theirs.http_status, type(error)) == (error.code, 0, TransportError)
    assert error.code == "NETWORK_ERROR"


# Forms of errors that the sandbox does not send, and the code in each client.
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("reply", "their_code", "our_code", "error"),
    [
        (
            make_response(401, b'{"status": false, "response": "Unauthorized"}'),
            "API_ERROR",
            "API_ERROR",
            AuthenticationError,
        ),
        (make_response(200, b'{"status": false, "response": "No"}'), "API_ERROR", "API_ERROR", StatusError),
        (make_response(500, b"{}"), "HTTP_ERROR", "HTTP_ERROR", ServerError),
        (make_response(502, b"<html>", "text/html"), "SERVER_ERROR", "SERVER_ERROR", ServerError),
        (make_response(200, b"<html>", "text/html"), "SERVER_ERROR", "INVALID_JSON", DecodingError),
        (make_response(200, b"{"), "INVALID_JSON", "INVALID_JSON", DecodingError),
    ],
)
async def test_other_error_forms_are_errors_in_both(
    form: str, reply: bytes, their_code: str, our_code: str, error: type[KellyAPIError]
) -> None:
    async with (
        Server(reply) as server,
        official("skytells", server.url, form) as call_official,
        our_client("skytells", server.url) as ours,
    ):
        errors = await both_errors(call_official, lambda c: c.models.list(), ours.models.list())
    assert (errors[0].error_id, errors[1].code, type(errors[1])) == (their_code, our_code, error)


@pytest.mark.parametrize("form", FORMS)
async def test_a_queued_prediction_in_the_old_form_is_an_error_there_and_a_prediction_in_ours(form: str) -> None:
    async with (
        Server(make_response(200, b'{"status": false, "id": "p1"}')) as server,
        official("skytells", server.url, form) as call_official,
        our_client("skytells", server.url) as ours,
    ):
        with pytest.raises(SkytellsError, match="HTTP error 200"):
            await call_official(lambda c: c.predictions.get("p1"))
        assert (await ours.predictions.get("p1")).status == "pending"
