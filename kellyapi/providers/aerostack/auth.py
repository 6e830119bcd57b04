"""Aerostack's sign-up and sign-in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ...core import Service
from ...decoding import wire
from ...wire import given, not_blank


@frozen
class User:
    """Somebody who has signed up."""

    id: str | None = None
    """A UUID."""
    email: str | None = None
    name: str | None = None
    created_at: str | None = wire("createdAt", default=None)
    """ISO 8601."""
    metadata: dict[str, object] = field(factory=dict)


@frozen
class Authentication:
    """What signing up or in gives."""

    token: str | None = field(default=None, repr=False)
    """The user's token: a secret, so `repr` leaves it out."""
    user: User | None = None
    expires_at: str | None = wire("expiresAt", default=None)
    """ISO 8601."""


class Auth(Service):
    """`aerostack.auth`."""

    async def sign_up(
        self, email: str, password: str, *, name: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Authentication:
        """Make a user; the password has at least 8 characters. An email that is taken raises `ConflictError`.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/authentication_api.py)
        """
        data = {"email": not_blank(email, "email"), "password": password, **given(name=name, metadata=metadata)}
        return await self._post_json("/auth/signup", data, into=Authentication)

    async def sign_in(self, email: str, password: str) -> Authentication:
        """Sign a user in; a wrong password raises `AuthenticationError`.

        Source: https://github.com/aerostackdev/sdk-python (aerostack/api/authentication_api.py)
        """
        data = {"email": not_blank(email, "email"), "password": password}
        return await self._post_json("/auth/signin", data, into=Authentication, repeatable=True)
