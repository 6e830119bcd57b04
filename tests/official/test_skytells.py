"""The released `skytells` 1.0.0, unchanged, in both of its forms, against the sandbox, and ours on the same input."""

from __future__ import annotations

import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import skytells
from servers import Server, answer
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
from official.clients import FORMS, Ask, closed_port, official, our_client
from official.comparing import told, told_prediction

FOX = {"prompt": "a fox", "width": 64, "height": 64}
HOOK = {"url": "https://bot.example/hook", "events": ["completed"]}
AGES = 86400.0
_TIMES = ("created_at", "started_at", "completed_at", "updated_at")
_ITS_OWN = ("id", "output", "urls", "metrics", "metadata", "success", *_TIMES)


@pytest.fixture(params=FORMS)
async def ask(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[Ask]:
    async with official("skytells", sandbox.urls["skytells"], request.param) as ask:
        yield ask


@pytest.fixture
async def ours(sandbox: Sandbox) -> AsyncIterator[Skytells]:
    async with our_client("skytells", sandbox.urls["skytells"]) as client:
        yield client


def kind_of(prediction: Any) -> Any:
    """Give what two jobs of the same input have in common."""
    return {name: value for name, value in told_prediction(prediction).items() if name not in _ITS_OWN}


async def test_both_run_a_job_to_the_same_picture(ask: Ask, ours: Skytells) -> None:
    theirs = await ask(lambda c: c.run("truefusion", FOX).raw())
    done = await ours.run("truefusion", FOX)
    assert kind_of(theirs) == kind_of(done)
    assert (done.status, done.model, done.input) == ("succeeded", "truefusion", FOX)
    (url,) = done.outputs
    pictures = await ask(lambda c: [urllib.request.urlopen(each).read() for each in (*theirs["output"], url)])
    assert pictures[0] == pictures[1]
    assert pictures[0].startswith(b"\x89PNG")
    assert theirs["metadata"]["billing"]["credits_used"] == done.credits_used == 0.03


async def test_both_see_the_same_job(ask: Ask, ours: Skytells) -> None:
    made = await ask(lambda c: c.run("truefusion", FOX, webhook=HOOK, stream=True))
    id = made.id
    seen = await ours.predictions.get(id)
    for look in (
        lambda c: c.predictions.get(id),
        lambda c: c.stream_prediction(id),
        lambda c: c.get_prediction(id),
        lambda c: c.wait({"id": id, "status": "pending"}, {"interval": 1}),
    ):
        assert told_prediction(await ask(look)) == told_prediction(seen)
    for look in (ours.predictions.stream_info, ours.predictions.wait):
        assert await look(id) == seen
    assert (seen.stream, seen.webhook, seen.urls["get"]) == (True, HOOK, f"{ours.base_url}/predictions/{id}")
    assert (made.outputs(), made.output, made.status) == (seen.outputs[0], list(seen.outputs), seen.status)


async def test_both_follow_a_job_and_see_it_end(ask: Ask, ours: Skytells, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skytells._client, "DEFAULT_POLL_INTERVAL", 1)  # ms; `run` cannot be told, and waits 5 s
    states: list[dict[str, Any]] = []
    theirs = await ask(lambda c: c.run("truefusion", FOX, states.append).raw())
    seen = [state async for state in ours.predictions.follow(theirs["id"])]
    assert told_prediction(states[-1]) == told_prediction(theirs) == told_prediction(seen[-1])


async def test_a_job_that_one_creates_is_finished_by_the_other(ask: Ask, ours: Skytells) -> None:
    theirs = await ask(lambda c: c.predictions.create({"model": "truefusion", "input": FOX}))
    made = await ours.predictions.create("truefusion", FOX)
    waiting = await ask(lambda c: c.predict({"model": "truefusion", "input": FOX}))
    assert kind_of(theirs) == kind_of(made) == kind_of(waiting)
    assert (await ours.predictions.wait(theirs["id"], interval=0.01)).status == "succeeded"
    done = await ask(lambda c: c.wait({"id": made.id, "status": made.status}, {"interval": 1}))
    assert done["status"] == "succeeded"


async def test_both_dispatch_what_is_queued(ask: Ask, ours: Skytells) -> None:
    def dispatch(client: Any) -> Any:
        client.queue({"model": "truefusion", "input": FOX})
        client.queue({"model": "flux-pro", "input": FOX})
        return client.dispatch()

    theirs = await ask(dispatch)
    made = await ours.predictions.create_many([("truefusion", FOX), ("flux-pro", FOX)])
    assert list(map(kind_of, theirs)) == list(map(kind_of, made))
    assert [each.model for each in made] == ["truefusion", "flux-pro"]


async def test_both_list_the_same_pages(ask: Ask, ours: Skytells) -> None:
    made = [await ours.run(model, FOX) for model in ("truefusion", "flux-pro", "truefusion")]
    day = made[0].created_at[:10]
    for filters, count in (
        ({}, 3),
        ({"model": "truefusion"}, 2),
        ({"page": 1, "since": day, "model": "flux-pro"}, 1),
        ({"until": "2000-01-01"}, 0),
    ):
        theirs = await ask(lambda c, filters=filters: c.predictions.list(**filters))
        page = await ours.predictions.list(**filters)
        assert list(map(told_prediction, theirs.data)) == list(map(told_prediction, page.items))
        assert theirs.pagination.to_dict() == told(page.pagination)
        assert (len(page.items), page.pagination.total) == (count, count)
    both = [await ask(look) for look in (lambda c: c.list_predictions(1), lambda c: c.predictions.list())]
    assert both[0].to_dict() == both[1].to_dict()


def same_error(theirs: SkytellsError, ours: Any) -> None:
    assert (theirs.error_id, theirs.http_status, str(theirs)) == (ours.code, ours.status, ours.message)
    assert theirs.details == (ours.details or ours.message)


async def both_errors(ask: Ask, theirs: Callable[[Any], Any], ours: Any) -> tuple[SkytellsError, KellyAPIError]:
    """Give the error of each."""
    with pytest.raises(SkytellsError) as their_error:
        await ask(theirs)
    with pytest.raises(KellyAPIError) as our_error:
        await ours
    return their_error.value, our_error.value


@pytest.mark.parametrize("prediction_time", [AGES])
async def test_both_cancel_a_job_once(ask: Ask, ours: Skytells) -> None:
    job = await ask(lambda c: c.predictions.create({"model": "truefusion", "input": FOX}))
    theirs = await ask(lambda c: c.cancel_prediction(job["id"]))
    cancelled = await ours.predictions.cancel(await ours.predictions.create("truefusion", FOX))
    assert kind_of(theirs) == kind_of(cancelled)
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    again = await both_errors(ask, lambda c: c.cancel_prediction(job["id"]), ours.predictions.cancel(job["id"]))
    same_error(*again)
    assert isinstance(again[1], BadRequestError)


async def test_a_prediction_of_theirs_cancels_and_deletes_itself(ask: Ask, ours: Skytells) -> None:
    def cancel_and_delete(client: Any) -> Any:
        made = client.run("truefusion", FOX)
        with pytest.raises(SkytellsError) as error:
            made.cancel()
        return made.id, error.value, made.delete()

    id, error, deleted = await ask(cancel_and_delete)
    made = await ours.run("truefusion", FOX)
    with pytest.raises(BadRequestError) as our_error:
        await ours.predictions.cancel(made)
    assert (error.error_id, error.http_status) == (our_error.value.code, our_error.value.status)
    assert str(error).replace(id, made.id) == our_error.value.message
    assert kind_of(deleted) == kind_of(await ours.predictions.delete(made))


async def test_what_one_deletes_is_gone_for_both(ask: Ask, ours: Skytells) -> None:
    first, second = [await ours.run("truefusion", FOX) for _ in range(2)]
    theirs = await ask(lambda c: c.delete_prediction(first.id))
    assert kind_of(theirs) == kind_of(await ours.predictions.delete(second))
    for id in (first.id, second.id, "unknown"):
        errors = await both_errors(ask, lambda c, id=id: c.predictions.get(id), ours.predictions.get(id))
        same_error(*errors)
        assert (type(errors[1]), errors[1].code) == (ServerError, "PREDICTION_FAILED")


@pytest.mark.parametrize("fields", [None, ["input_schema"], ["input_schema", "output_schema"]])
async def test_both_read_the_same_catalogue(ask: Ask, ours: Skytells, fields: list[str] | None) -> None:
    models = await ours.models.list(fields=fields or ())
    for listing in (lambda c: c.models.list(fields), lambda c: c.list_models(fields)):
        assert told(await ask(listing)) == told(models)
    model = await ours.models.get("truefusion-pro", fields=fields or ())
    for look in (lambda c: c.models.get("truefusion-pro", fields), lambda c: c.get_model("truefusion-pro", fields)):
        assert told(await ask(look)) == told(model)
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
    ask: Ask, ours: Skytells, theirs: Callable[[Any], Any], call: Callable[[Any], Any], code: str, error: type
) -> None:
    errors = await both_errors(ask, theirs, call(ours))
    same_error(*errors)
    assert (errors[1].code, type(errors[1])) == (code, error)


@pytest.mark.parametrize("form", FORMS)
async def test_a_wrong_key_has_the_same_code_status_and_text_for_both(sandbox: Sandbox, form: str) -> None:
    url = sandbox.urls["skytells"]
    async with official("skytells", url, form, "wrong") as ask, our_client("skytells", url, "wrong") as ours:
        errors = await both_errors(ask, lambda c: c.models.list(), ours.models.list())
    same_error(*errors)
    assert (errors[1].code, type(errors[1])) == ("UNAUTHORIZED", AuthenticationError)


async def test_a_job_that_fails_is_an_error_with_the_same_reason_for_both(ask: Ask, ours: Skytells) -> None:
    prompt = {"prompt": "fail please"}
    theirs, error = await both_errors(ask, lambda c: c.run("truefusion", prompt), ours.run("truefusion", prompt))
    assert isinstance(error, PredictionFailedError)
    assert theirs.error_id == error.code == "PREDICTION_FAILED"
    assert str(theirs) == error.prediction.error
    assert str(theirs) in error.message


@pytest.mark.parametrize("prediction_time", [AGES])
async def test_a_job_that_does_not_end_in_time_is_an_error_of_the_same_code_for_both(ask: Ask, ours: Skytells) -> None:
    job = await ours.predictions.create("truefusion", FOX)
    theirs, error = await both_errors(
        ask,
        lambda c: c.wait({"id": job.id, "status": "pending"}, {"interval": 1, "max_wait": 0}),
        ours.predictions.wait(job, timeout=0),
    )
    assert isinstance(error, WaitTimeoutError)
    assert theirs.error_id == error.code == "WAIT_TIMEOUT"
    assert error.prediction.id == job.id


@pytest.mark.parametrize("form", FORMS)
async def test_nobody_listening_has_the_same_code_for_both(form: str) -> None:
    url = closed_port()
    async with official("skytells", url, form) as ask, our_client("skytells", url) as ours:
        theirs, error = await both_errors(ask, lambda c: c.models.list(), ours.models.list())
    assert (theirs.error_id, theirs.http_status, type(error)) == (error.code, 0, TransportError)
    assert error.code == "NETWORK_ERROR"


# The shapes of errors that the sandbox has no reason to send: status and body, and what each client makes of it.
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("reply", "their_code", "our_code", "error"),
    [
        (answer(401, b'{"status": false, "response": "Unauthorized"}'), "API_ERROR", "API_ERROR", AuthenticationError),
        (answer(200, b'{"status": false, "response": "No"}'), "API_ERROR", "API_ERROR", StatusError),
        (answer(500, b"{}"), "HTTP_ERROR", "HTTP_ERROR", ServerError),
        (answer(502, b"<html>", "text/html"), "SERVER_ERROR", "HTTP_ERROR", ServerError),
        (answer(200, b"<html>", "text/html"), "SERVER_ERROR", "INVALID_JSON", DecodingError),
        (answer(200, b"{"), "INVALID_JSON", "INVALID_JSON", DecodingError),
    ],
)
async def test_other_shapes_of_errors_are_errors_of_both(
    form: str, reply: bytes, their_code: str, our_code: str, error: type[KellyAPIError]
) -> None:
    async with (
        Server(reply) as server,
        official("skytells", server.url, form) as ask,
        our_client("skytells", server.url) as ours,
    ):
        errors = await both_errors(ask, lambda c: c.models.list(), ours.models.list())
    assert (errors[0].error_id, errors[1].code, type(errors[1])) == (their_code, our_code, error)


@pytest.mark.parametrize("form", FORMS)
async def test_a_queued_prediction_in_old_words_is_an_error_of_theirs_and_a_prediction_of_ours(form: str) -> None:
    async with (
        Server(answer(200, b'{"status": false, "id": "p1"}')) as server,
        official("skytells", server.url, form) as ask,
        our_client("skytells", server.url) as ours,
    ):
        with pytest.raises(SkytellsError, match="HTTP error 200"):
            await ask(lambda c: c.predictions.get("p1"))
        assert (await ours.predictions.get("p1")).status == "pending"
