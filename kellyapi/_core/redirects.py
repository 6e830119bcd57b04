"""Which redirects are followed, and what is sent to their target."""

from __future__ import annotations

from urllib.parse import urljoin

from attrs import evolve

from .._data.links import encode_url
from .messages import PreparedRequest
from .urls import origin

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def redirected_request(request: PreparedRequest, status: int, location: str) -> PreparedRequest | None:
    """Return the request that follows a redirect; `None` if it must not be followed.

    A request with a key stays on its origin. One without a key goes anywhere, but not from https to http. The method
    never changes.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-redirection-3xx
    """
    if (
        status not in REDIRECT_STATUSES
        or request.call.one_shot
        or not (status in (307, 308) or request.method == "GET")
    ):
        return None
    try:
        target = encode_url(urljoin(request.url, location))
    except ValueError:
        return None
    here, there = origin(request.url), origin(target)
    safe = there == here or (request.call.keyless and there.startswith(("https://", f"{here.partition(':')[0]}://")))
    return evolve(request, url=target) if location and safe else None
