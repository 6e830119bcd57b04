"""What a call of Skytells' webhooks says, and whether it is Skytells that says it: pure functions over bytes.

Receiving calls over HTTP is `receiver.py`'s, remembering them `deliveries.py`'s.

Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts)
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from ...._core.secrets import as_secret
from ...._data.json_text import loads
from ....errors import DecodingError, WebhookError
from ..predictions.types import Prediction, read_prediction

SIGNATURE_HEADER = "X-Skytells-Signature"
_PREFIX = "prediction."
_EVENT_TYPES = {"completed": "succeeded", "canceled": "cancelled", "starting": "started"}


@frozen(kw_only=True)
class WebhookDelivery:
    """Something that happened to a job."""

    type: str
    """"started", "succeeded", "failed" or "cancelled", whatever the spelling on the wire; others as they came, without
    "prediction.".
    """
    name: str
    """As it was sent: "prediction.succeeded", or where the body is a bare prediction, its status."""
    prediction: Prediction
    """The job as it was then."""
    created_at: str | None = None
    """When the event was made; `None` where the body is a bare prediction."""

    @property
    def id(self) -> str:
        """The job and what happened to it: the same for each delivery of one event."""
        return f"{self.prediction.id}:{self.type}"


def event_type(name: str) -> str:
    """Give the one name of ours for an event or a state in any spelling; unknown ones stay as they are."""
    short = name.strip().lower().removeprefix(_PREFIX)
    return _EVENT_TYPES.get(short, short)


def verify_webhook(
    headers: Mapping[str, str], body: bytes | bytearray | memoryview, secret: str | bytes | Iterable[str]
) -> WebhookDelivery:
    """Give the event of a call if it is signed with the secret, or with one of several.

    Blanks around a secret do not count. `body` is what came over the wire, before anything has parsed it. A signature
    that is missing or wrong, and a blank secret, raise `WebhookError` with the code "WEBHOOK_SIGNATURE_INVALID"; a
    signed body that is no event raises it with "INVALID_JSON".

    Source: https://github.com/Skytells/ts-sdk (src/webhooks.ts)
    """
    # Tracebacks with locals show no plain one.
    secret = secret.decode() if isinstance(secret, bytes) else secret
    secret = several = (as_secret(secret),) if isinstance(secret, str) else tuple(map(as_secret, secret))
    if not all(isinstance(each, str) for each in several):
        raise TypeError("a secret must be a string")
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"the body must be the bytes that were signed, not {type(body).__name__}")
    if not _is_signed(bytes(body), _signature(headers), several):
        raise WebhookError(f"the call has no valid {SIGNATURE_HEADER}", provider="skytells")
    try:
        return _read_delivery(loads(bytes(body)))
    except (ValueError, DecodingError) as error:
        message = f"the call is signed, but is no event: {error}"
        raise WebhookError(message, code="INVALID_JSON", provider="skytells") from None


def _signature(headers: Mapping[str, str]) -> str:
    wanted = SIGNATURE_HEADER.lower()
    found = next((value for name, value in headers.items() if name.lower() == wanted), "")
    return found.strip().lower() if isinstance(found, str) else ""


def _is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    given = signature.encode("ascii", "replace")
    keys = [as_secret(secret.strip()) for secret in secrets]
    known = [hmac.digest(key.encode(), body, "sha256").hex().encode() for key in keys if key]
    return any(hmac.compare_digest(each, given) for each in known)


def _read_delivery(value: Any) -> WebhookDelivery:
    """Read a bare prediction, or one in an envelope: `{"type", "created_at", "data"}`."""
    fields = value if isinstance(value, dict) else {}
    name, data = fields.get("type"), fields.get("data")
    if isinstance(name, str) and isinstance(data, dict) and (name.startswith(_PREFIX) or "status" not in fields):
        made = fields.get("created_at")
        created_at = made if isinstance(made, str) else None
        return WebhookDelivery(
            type=event_type(name), name=name, prediction=read_prediction(data), created_at=created_at
        )
    prediction = read_prediction(value)
    return WebhookDelivery(type=event_type(prediction.status), name=str(prediction.status), prediction=prediction)
