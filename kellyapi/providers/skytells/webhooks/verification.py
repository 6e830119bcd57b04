"""Check that the request of a webhook is signed, and parse its event. These functions do no I/O.

`receiver.py` receives the requests over HTTP, and `store.py` remembers deliveries.

Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from ...._core.secrets import as_secret
from ...._data.arguments import checked
from ...._data.decoding import decode
from ...._data.json_text import loads_response
from ....errors import DecodingError, WebhookError
from ..predictions.types import PREDICTION, Prediction

SIGNATURE_HEADER = "X-Skytells-Signature"
WebhookHeaders = Mapping[str, str | bytes] | Mapping[bytes, str | bytes] | Iterable[tuple[str | bytes, str | bytes]]
WebhookBody = bytes | bytearray | memoryview | str
_HEADERS = "a mapping, or pairs of names and values, such as request.headers"
_PREFIX = "prediction."
_EVENT_TYPES = {"completed": "succeeded", "canceled": "cancelled", "starting": "started"}


@frozen(kw_only=True)
class WebhookDelivery:
    """An event of a prediction, as it was delivered to a webhook."""

    type: str
    """"started", "succeeded", "failed" or "cancelled", however Skytells spelled it. An unknown type stays as it was
    sent, without "prediction.".
    """
    name: str
    """The name as it was sent, such as "prediction.succeeded"; the status if the body is a bare prediction."""
    prediction: Prediction
    """The state of the prediction at the time of the event."""
    created_at: str | None = None
    """The time of the event; `None` if the body is a bare prediction."""

    @property
    def id(self) -> str:
        """The id of the prediction and the type: the same for each delivery of one event."""
        return f"{self.prediction.id}:{self.type}"


def event_type(name: str) -> str:
    """Return the type of an event or a state in any spelling. An unknown one is returned as it is."""
    short = name.strip().lower().removeprefix(_PREFIX)
    return _EVENT_TYPES.get(short, short)


@checked
def verify_webhook(headers: WebhookHeaders, body: WebhookBody, secret: str | bytes | Iterable[str]) -> WebhookDelivery:
    """Verify the signature of a request, and return its event.

    Args:
        headers: The headers of the request: a mapping, or pairs of names and values, of strings or of bytes. Upper and
            lower case do not matter.
        body: The body as it arrived, before it is parsed. A string is encoded as UTF-8.
        secret: The secret, or several of which one must fit. White space around a secret is ignored.

    Raises:
        WebhookError: The signature is missing or wrong, or the secret is blank (code "WEBHOOK_SIGNATURE_INVALID"); or
            the body is signed, but is not an event (code "INVALID_JSON").
        TypeError: An argument is of another type.

    Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts), and for pairs of bytes
    https://asgi.readthedocs.io/en/latest/specs/www.html#http-connection-scope
    """
    # The local variables never hold a plain secret, since a traceback may show them.
    secret = secret.decode("utf-8", "surrogateescape") if isinstance(secret, bytes) else secret
    secret = several = (as_secret(secret),) if isinstance(secret, str) else tuple(map(as_secret, secret))
    content = as_bytes(body)
    if not _is_signed(content, _signature(headers), several):
        raise WebhookError(f"the call has no valid {SIGNATURE_HEADER}", provider="skytells")
    try:
        return read_delivery(content)
    except (ValueError, DecodingError) as error:
        message = f"the call is signed, but is not an event: {error}"
        raise WebhookError(message, code="INVALID_JSON", provider="skytells") from None


def as_bytes(body: WebhookBody) -> bytes:
    """Return the body of a request as bytes."""
    if isinstance(body, str):
        return body.encode("utf-8", "surrogatepass")  # the signature of a body that was not UTF-8 is then wrong
    if not isinstance(body, (bytes, bytearray, memoryview)):
        kind = type(body).__name__
        raise TypeError(f"body must be the bytes of the request as they arrived, before they are parsed, not {kind}")
    return bytes(body)


def _signature(headers: WebhookHeaders) -> str:
    """Return the signature in lower case, or "" if there is none."""
    pairs: Any = headers.items() if hasattr(headers, "items") else headers
    if isinstance(pairs, (str, bytes)) or not isinstance(pairs, Iterable):
        raise TypeError(f"headers must be {_HEADERS}, not {type(headers).__name__}")
    for pair in pairs:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2 and isinstance(pair[0], (str, bytes))):
            raise TypeError(f"headers must be {_HEADERS}; an item is {type(pair).__name__}")
        name, value = pair
        if _as_text(name).lower() == SIGNATURE_HEADER.lower() and value is not None:
            if not isinstance(value, (str, bytes)):
                raise TypeError(f"the header {SIGNATURE_HEADER} must be a string or bytes, not {type(value).__name__}")
            return _as_text(value).strip().lower()
    return ""


def _as_text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    given = signature.encode("ascii", "replace")
    keys = [as_secret(secret.strip()) for secret in secrets]
    known = [hmac.digest(key.encode("utf-8", "surrogateescape"), body, "sha256").hex().encode() for key in keys if key]
    return any(hmac.compare_digest(each, given) for each in known)


def read_delivery(body: bytes) -> WebhookDelivery:
    """Read a bare prediction, or a prediction in an envelope: `{"type", "created_at", "data"}`.

    Raises:
        ValueError: The body is not JSON.
        DecodingError: It is not an event.
    """
    value = loads_response(body)
    fields = value if isinstance(value, dict) else {}
    name, data = fields.get("type"), fields.get("data")
    if isinstance(name, str) and isinstance(data, dict) and (name.startswith(_PREFIX) or "status" not in fields):
        made = fields.get("created_at")
        created_at = made if isinstance(made, str) else None
        return WebhookDelivery(
            type=event_type(name), name=name, prediction=decode(data, PREDICTION), created_at=created_at
        )
    prediction = decode(value, PREDICTION)
    return WebhookDelivery(type=event_type(prediction.status), name=str(prediction.status), prediction=prediction)
