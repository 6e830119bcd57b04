"""Aerostack's sign-up and sign-in in the sandbox, A3 and A4."""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from kellyapi import Aerostack, AuthenticationError, BadRequestError, ConflictError, Sandbox

pytestmark = pytest.mark.usefixtures("own_sandbox")

AMA = {"email": "ama@example.com", "password": "correct horse"}


async def test_signing_up_gives_201_a_token_and_the_user(post: Any) -> None:
    response = await post("/v1/auth/signup", json={**AMA, "name": "Ama", "metadata": {"plan": "free"}})
    assert response.status == 201
    assert set(response.json) == {"token", "user", "expiresAt"}
    user = response.json["user"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", user.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", user.pop("createdAt"))
    assert user == {"email": "ama@example.com", "name": "Ama", "metadata": {"plan": "free"}}


async def test_signing_in_gives_the_same_user_and_another_token(aerostack: Aerostack) -> None:
    new = await aerostack.auth.sign_up(**AMA, name="Ama", metadata={"plan": "free"})
    again = await aerostack.auth.sign_in("AMA@example.com", AMA["password"])
    assert again.user == new.user
    assert again.token != new.token
    claims = json.loads(urlsafe_b64decode(again.token.split(".")[1] + "=="))
    assert (claims["sub"], claims["email"]) == (new.user.id, "ama@example.com")


async def test_name_and_metadata_may_be_missing_or_null(aerostack: Aerostack, post: Any) -> None:
    assert (await aerostack.auth.sign_up(**AMA)).user.metadata == {}
    response = await post("/v1/auth/signup", json={**AMA, "email": "b@example.com", "name": None, "metadata": None})
    assert (response.json["user"]["name"], response.json["user"]["metadata"]) == (None, {})


async def test_an_email_that_is_taken_is_a_409_in_whatever_case(aerostack: Aerostack, post: Any) -> None:
    await aerostack.auth.sign_up(**AMA)
    response = await post("/v1/auth/signup", json={**AMA, "email": "Ama@Example.com"})
    message = "A user with this email exists already"
    expected = {"code": "VALIDATION_ERROR", "message": message, "details": {"field": "email"}}
    assert (response.status, response.json) == (409, expected)
    with pytest.raises(ConflictError) as caught:
        await aerostack.auth.sign_up("ama@example.com", "another password")
    assert (caught.value.status, caught.value.code) == (409, "VALIDATION_ERROR")


@pytest.mark.parametrize("wrong", [{"password": "wrong password"}, {"email": "kofi@example.com"}])
async def test_a_wrong_password_and_an_unknown_email_are_one_401(
    aerostack: Aerostack, post: Any, wrong: dict[str, str]
) -> None:
    await aerostack.auth.sign_up(**AMA)
    response = await post("/v1/auth/signin", json={**AMA, **wrong})
    expected = {"code": "AUTH_INVALID_CREDENTIALS", "message": "Invalid email or password"}
    assert (response.status, response.json) == (401, expected)
    with pytest.raises(AuthenticationError, match="Invalid email or password"):
        await aerostack.auth.sign_in(**{**AMA, **wrong})


@pytest.mark.parametrize("path", ["signup", "signin"])
@pytest.mark.parametrize("field", ["email", "password"])
@pytest.mark.parametrize(("value", "problem"), [(..., "is required"), (None, "is required"), (5, "must be a string")])
async def test_a_field_that_is_missing_or_no_string_is_a_400(
    post: Any, path: str, field: str, value: Any, problem: str
) -> None:
    body = {name: sent for name, sent in {**AMA, field: value}.items() if sent is not ...}
    response = await post(f"/v1/auth/{path}", json=body)
    expected = {"code": "VALIDATION_ERROR", "message": f"{field} {problem}", "details": {"field": field}}
    assert (response.status, response.json) == (400, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "1234567"}, "password must have at least 8 characters"),
        ({"email": "ama"}, "email must be an email address"),
        ({"email": "ama@example"}, "email must be an email address"),
        ({"email": "a ma@example.com"}, "email must be an email address"),
        ({"email": "ama@@example.com"}, "email must be an email address"),
        ({"email": f"ama@{'b.' * 125}c"}, "email must be an email address"),
    ],
)
async def test_what_cannot_be_signed_up_is_a_400(aerostack: Aerostack, change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadRequestError, match=message) as caught:
        await aerostack.auth.sign_up(**{**AMA, **change})
    assert caught.value.details == {"field": next(iter(change))}


async def test_a_password_of_eight_characters_will_do(aerostack: Aerostack) -> None:
    await aerostack.auth.sign_up("ama@example.com", "12345678")
    assert (await aerostack.auth.sign_in("ama@example.com", "12345678")).token


async def test_no_file_holds_a_password_and_equal_ones_differ(tmp_path: Path) -> None:
    async with Sandbox(data=tmp_path) as sandbox, sandbox.api() as api:
        await api.aerostack.auth.sign_up(**AMA)
        await api.aerostack.auth.sign_up("b@example.com", AMA["password"])
    database = (tmp_path / "state.db").read_bytes()
    assert b"correct horse" not in database
    hashes = re.findall(rb'"password": "([0-9a-f]{128})"', database)
    assert len(set(hashes)) == 2
