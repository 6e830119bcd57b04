"""The released `aerostack` 0.1.2, unchanged, in both forms, and ours with the same input, against the sandbox."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aerostack import errors
from servers import Server, make_response

from kellyapi import (
    Aerostack,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    KellyAPIError,
    RateLimitError,
    Sandbox,
    StatusError,
    TransportError,
)
from official.clients import FORMS, CallOfficial, closed_port, official, our_client
from official.comparing import normalize
from official.operations import PICTURE

INSERT = "INSERT INTO foxes (name) VALUES (?)"
USER = {"email": "ama@example.com", "password": "correct horse"}
FILE = {"content": PICTURE, "file_name": "fox.png", "content_type": "image/png"}


@pytest.fixture(params=FORMS)
async def call_official(request: pytest.FixtureRequest, sandbox: Sandbox) -> AsyncIterator[CallOfficial]:
    async with official("aerostack", sandbox.urls["aerostack"], request.param) as call_official:
        yield call_official


@pytest.fixture
async def ours(sandbox: Sandbox) -> AsyncIterator[Aerostack]:
    async with our_client("aerostack", sandbox.urls["aerostack"]) as client:
        yield client


async def test_both_chat_the_same(call_official: CallOfficial, ours: Aerostack) -> None:
    messages = [{"role": "system", "content": "You are a fox."}, {"role": "user", "content": "What is 6 times 7?"}]
    theirs = await call_official(lambda c: c.ai.ai_chat(request={"messages": messages, "model": "llama"}))
    reply = await ours.ai.chat(messages, model="llama")
    assert theirs.response == reply.text
    assert (bool(reply.text), reply.model) == (True, "llama")


async def test_an_account_of_one_client_works_in_the_other(call_official: CallOfficial, ours: Aerostack) -> None:
    other = USER | {"email": "kofi@example.com"}
    more = {"name": "Ama", "metadata": {"city": "Accra"}}
    theirs = await call_official(lambda c: c.authentication.auth_signup(request=USER | more))
    made = await ours.auth.sign_up(**other, **more)
    for user, first in ((USER, theirs), (other, made)):
        signed = await ours.auth.sign_in(**user)
        their_signed = await call_official(lambda c, user=user: c.authentication.auth_signin(request=user))
        assert normalize(signed)["user"] == normalize(their_signed)["user"] == normalize(first)["user"]
        assert signed.token
        assert their_signed.token
    assert (theirs.user.name, theirs.user.metadata, theirs.user.email) == ("Ama", {"city": "Accra"}, USER["email"])
    assert (made.user.name, made.user.metadata, made.user.email) == ("Ama", {"city": "Accra"}, other["email"])
    assert normalize(made).keys() == normalize(theirs).keys() == {"token", "user", "expiresAt"}


@pytest.mark.parametrize("value", ["text", 7, 1.5, True, None, [1, None, "a"], {"a": {"b": []}}])
async def test_both_read_the_cache_entries_of_the_other(
    call_official: CallOfficial, ours: Aerostack, value: Any
) -> None:
    key = "a b#c?/ɛ"
    assert (await call_official(lambda c: c.cache.cache_get(request={"key": key}))).exists is False
    assert (await ours.cache.get(key)).exists is False
    assert (await call_official(lambda c: c.cache.cache_set(request={"key": key, "value": value, "ttl": 600}))).success
    assert await ours.cache.set("ours", value, ttl=600)
    for name in (key, "ours"):
        theirs = await call_official(lambda c, name=name: c.cache.cache_get(request={"key": name}))
        entry = await ours.cache.get(name)
        assert (theirs.value, theirs.exists) == (entry.value, entry.exists) == (value, True)


async def test_both_query_the_same_rows(call_official: CallOfficial, ours: Aerostack) -> None:
    await call_official(lambda c: c.database.db_query(request={"sql": INSERT, "params": ["Reynard"]}))
    await ours.db.query(INSERT, ["Kwaku"])
    select = "SELECT id, name, ? AS more FROM foxes ORDER BY id"
    theirs = await call_official(lambda c: c.database.db_query(request={"sql": select, "params": [1.5]}))
    result = await ours.db.query(select, [1.5])
    assert normalize(theirs) == normalize(result)
    assert result.rows == ({"id": 1, "name": "Reynard", "more": 1.5}, {"id": 2, "name": "Kwaku", "more": 1.5})


async def test_both_read_the_queue_jobs_of_the_other(call_official: CallOfficial, ours: Aerostack) -> None:
    theirs = await call_official(
        lambda c: c.queue.queue_enqueue(request={"type": "mail", "data": {"to": "ama"}, "delay": 600})
    )
    id = await ours.queue.enqueue("mail", {"to": "ama"}, delay=600)
    assert theirs.success
    jobs = [await ours.queue.job(each) for each in (theirs.job_id, id)]
    assert [(job.type, job.data, job.status) for job in jobs if job] == [("mail", {"to": "ama"}, "queued")] * 2


async def test_both_invoke_the_same_service(call_official: CallOfficial, ours: Aerostack) -> None:
    theirs = await call_official(
        lambda c: c.services.services_invoke(request={"service_name": "echo", "data": {"a": [1, None]}})
    )
    invoked = await ours.services.invoke("echo", {"a": [1, None]})
    assert (theirs.success, theirs.result) == (invoked.success, invoked.result)
    assert (invoked.success, invoked.result) == (True, {"a": [1, None]})


async def test_both_read_the_files_of_the_other(call_official: CallOfficial, ours: Aerostack) -> None:
    request = {"file": FILE, "key": "pictures/a b.png", "content_type": "image/png"}
    theirs = await call_official(lambda c: c.storage.storage_upload(request=request))
    url = await ours.storage.upload("pictures/c.png", PICTURE)
    fetched = await call_official(lambda c: [urllib.request.urlopen(each).read() for each in (theirs.url, url)])
    assert fetched == [PICTURE, PICTURE]
    assert await ours.storage.url("pictures/a b.png") == theirs.url
    for key in ("pictures/a b.png", "pictures/c.png"):
        assert await ours.storage.download(key) == PICTURE
        metadata = await ours.storage.metadata(key)
        assert (metadata.size, metadata.content_type) == (len(PICTURE), "image/png")


# Requests that the provider refuses: both calls, the code and the classes of the errors.
REFUSALS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], str, type, type]] = {
    "a user who exists": (
        lambda c: c.authentication.auth_signup(request=USER), lambda c: c.auth.sign_up(**USER),
        "VALIDATION_ERROR", errors.ErrorResponse, ConflictError,
    ),
    "a short password": (
        lambda c: c.authentication.auth_signup(request={"email": "a@example.com", "password": "short"}),
        lambda c: c.auth.sign_up("a@example.com", "short"),
        "VALIDATION_ERROR", errors.ErrorResponse, BadRequestError,
    ),
    "a wrong password": (
        lambda c: c.authentication.auth_signin(request=USER | {"password": "wrong horse"}),
        lambda c: c.auth.sign_in(USER["email"], "wrong horse"),
        "AUTH_INVALID_CREDENTIALS", errors.ErrorResponse, AuthenticationError,
    ),
    "wrong SQL": (
        lambda c: c.database.db_query(request={"sql": "SELEKT 1"}), lambda c: c.db.query("SELEKT 1"),
        "DB_QUERY_FAILED", errors.ErrorResponse, BadRequestError,
    ),
    "a change of the schema": (
        lambda c: c.database.db_query(request={"sql": "DROP TABLE foxes"}), lambda c: c.db.query("DROP TABLE foxes"),
        "DB_QUERY_FAILED", errors.ErrorResponse, BadRequestError,
    ),
    "no media type": (
        lambda c: c.storage.storage_upload(request={"file": FILE, "key": "k", "content_type": "fox"}),
        lambda c: c.storage.upload("k", PICTURE, content_type="fox"),
        "VALIDATION_ERROR", errors.SDKError, BadRequestError,
    ),
}  # fmt: skip


def same_error(theirs: errors.SDKBaseError, ours: Any) -> None:
    assert theirs.status_code == ours.status
    assert theirs.raw_response.json() == ours.body
    if isinstance(theirs, errors.ErrorResponse):
        assert (theirs.data.code, theirs.data.message, theirs.data.details) == (ours.code, ours.message, ours.details)


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_refusal_has_the_same_code_status_and_text_for_both(
    call_official: CallOfficial, ours: Aerostack, refusal: str
) -> None:
    await ours.auth.sign_up(**USER)
    call, our_call, code, their_class, our_class = REFUSALS[refusal]
    with pytest.raises(errors.SDKBaseError) as theirs:
        await call_official(call)
    with pytest.raises(StatusError) as error:
        await our_call(ours)
    same_error(theirs.value, error.value)
    assert (type(theirs.value), type(error.value), error.value.code) == (their_class, our_class, code)


async def test_a_chat_without_messages_is_refused_by_the_provider_and_earlier_by_ours(
    call_official: CallOfficial, ours: Aerostack
) -> None:
    with pytest.raises(errors.SDKError) as theirs:
        await call_official(lambda c: c.ai.ai_chat(request={"messages": []}))
    assert (theirs.value.status_code, theirs.value.raw_response.json()["code"]) == (400, "VALIDATION_ERROR")
    with pytest.raises(ValueError, match="messages"):
        await ours.ai.chat([])


@pytest.mark.parametrize("form", FORMS)
async def test_a_wrong_key_has_the_same_code_status_and_text_for_both(sandbox: Sandbox, form: str) -> None:
    url = sandbox.urls["aerostack"]
    async with (
        official("aerostack", url, form, "wrong") as call_official,
        our_client("aerostack", url, "wrong") as ours,
    ):
        with pytest.raises(errors.ErrorResponse) as theirs:
            await call_official(lambda c: c.database.db_query(request={"sql": "SELECT 1"}))
        with pytest.raises(AuthenticationError) as error:
            await ours.db.query("SELECT 1")
    same_error(theirs.value, error.value)
    assert error.value.code == "AUTH_INVALID_KEY"


def error_response(status: int, code: str) -> bytes:
    return make_response(status, json.dumps({"code": code, "message": "no"}).encode())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("reply", "their_class", "our_class", "code"),
    [
        (error_response(429, "RATE_LIMIT_EXCEEDED"), errors.SDKError, RateLimitError, "RATE_LIMIT_EXCEEDED"),
        (error_response(400, "NEW_CODE"), errors.ResponseValidationError, BadRequestError, "NEW_CODE"),
        (make_response(409, b'{"error": "no"}'), errors.SDKError, ConflictError, "HTTP_ERROR"),
    ],
)
async def test_other_error_responses_are_errors_in_both(
    form: str, reply: bytes, their_class: type, our_class: type, code: str
) -> None:
    async with (
        Server(reply) as server,
        official("aerostack", server.url, form) as call_official,
        our_client("aerostack", server.url) as ours,
    ):
        with pytest.raises(errors.SDKBaseError) as theirs:
            await call_official(lambda c: c.database.db_query(request={"sql": "SELECT 1"}))
        with pytest.raises(StatusError) as error:
            await ours.db.query("SELECT 1")
    assert theirs.value.status_code == error.value.status
    assert (type(theirs.value), type(error.value), error.value.code) == (their_class, our_class, code)


@pytest.mark.parametrize("form", FORMS)
async def test_a_refused_connection_is_an_error_in_both(form: str) -> None:
    url = closed_port()
    async with official("aerostack", url, form) as call_official, our_client("aerostack", url) as ours:
        with pytest.raises(Exception, match="onnect") as theirs:
            await call_official(lambda c: c.cache.cache_get(request={"key": "k"}))
        with pytest.raises(KellyAPIError) as error:
            await ours.cache.get("k")
    assert (type(theirs.value).__name__, type(error.value)) == ("ConnectError", TransportError)
