"""Aerostack's sign-up and sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..._core.resource import Resource, drop_none
from ..._data.decoding import json_name
from ..._data.text import not_blank


@frozen
class User:
    """Somebody who has signed up."""

    id: str | None = None
    """A UUID."""
    email: str | None = None
    name: str | None = None
    created_at: str | None = json_name("createdAt", default=None)
    """ISO 8601."""
    metadata: dict[str, object] = field(factory=dict)


@frozen
class Authentication:
    """What signing up or in gives."""

    token: str | None = field(default=None, repr=False)
    """The user's token: a secret, so `repr` leaves it out."""
    user: User | None = None
    expires_at: str | None = json_name("expiresAt", default=None)
    """ISO 8601."""


class Auth(Resource):
    """`aerostack.auth`.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/authentication_api.py)
    """

    async def sign_up(
        self, email: str, password: str, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Authentication:
        """Make a user; the password has at least 8 characters. An email that is taken raises `ConflictError`."""
        data = {"email": not_blank(email, "email"), "password": password, **drop_none(name=name, metadata=metadata)}
        return await self._post_json("/auth/signup", data, into=Authentication)

    async def sign_in(self, email: str, password: str) -> Authentication:
        """Sign a user in; a wrong password raises `AuthenticationError`."""
        data = {"email": not_blank(email, "email"), "password": password}
        return await self._post_json("/auth/signin", data, into=Authentication, repeatable=True)
