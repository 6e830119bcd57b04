"""Which redirects are followed, and what is sent to their target."""

from __future__ import annotations

from urllib.parse import quote, urljoin

from attrs import evolve

from .messages import Request
from .urls import origin

REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})


def redirected_request(request: Request, status: int, location: str) -> Request | None:
    """Give the request that a redirect asks for; `None` when it must not be followed.

    A request with a key stays on its origin, one without goes anywhere but from https to http; the method is never
    changed.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-redirection-3xx
    """
    if status not in REDIRECT_STATUSES or request.one_shot or not (status in (307, 308) or request.method == "GET"):
        return None
    try:
        target = quote(urljoin(request.url, location), safe="%!#$&'()*+,/:;=?@[]~", errors="surrogateescape")
    except ValueError:
        return None
    here, there = origin(request.url), origin(target)
    safe = there == here or (request.keyless and there.startswith(("https://", f"{here.partition(':')[0]}://")))
    return evolve(request, url=target) if location and safe else None
