"""`aerostack.auth`: sign-up and sign-in of the users of a project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

from ..._core.resource import Resource, drop_none
from ..._data.arguments import NotBlank
from ..._data.decoding import json_name
from ..._data.result import Result


@frozen
class User(Result):
    """A user of a project."""

    id: str | None = None
    """A UUID."""
    email: str | None = None
    name: str | None = None
    created_at: str | None = json_name("createdAt", default=None)
    """ISO 8601."""
    metadata: dict[str, object] = field(factory=dict)


@frozen
class Authentication(Result):
    """The result of signing up or signing in."""

    token: str | None = field(default=None, repr=False)
    """The user's token: a secret, so `repr` leaves it out."""
    user: User | None = None
    expires_at: str | None = json_name("expiresAt", default=None)
    """ISO 8601."""


class Auth(Resource):
    """Users of a project.

    Source: https://github.com/aerostackdev/sdk-python (aerostack/api/authentication_api.py)
    """

    async def sign_up(
        self,
        email: NotBlank,
        password: NotBlank,
        *,
        name: NotBlank | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Authentication:
        """Create a user.

        Args:
            email: The email address, which no other user of the project has.
            password: At least 8 characters.
            name: The display name.
            metadata: Any JSON object to keep with the user.

        Raises:
            ConflictError: Another user has this email address.

        Example::

            signed_up = await aerostack.auth.sign_up("ama@example.com", "a long password", name="Ama")
            print(signed_up.user)
        """
        data = {"email": email, "password": password, **drop_none(name=name, metadata=metadata)}
        return await self._post_json("/auth/signup", data, into=Authentication)

    async def sign_in(self, email: NotBlank, password: NotBlank) -> Authentication:
        """Sign a user in, and return the user's token.

        Raises:
            AuthenticationError: The email address or the password is wrong.
        """
        data = {"email": email, "password": password}
        return await self._post_json("/auth/signin", data, into=Authentication, repeatable=True)
