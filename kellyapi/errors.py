"""Every error of the library, in one tree.

    KellyAPIError                          .message .code .provider .status .retry_after .request_id .body
    │                                      .outcome_unknown .prediction .partial
    ├── ConfigurationError                 no or blank key, an unusable address; raised at the first call
    ├── TransportError                     no complete response: refused, reset, DNS, TLS, cut off, malformed HTTP
    │   └── RequestTimeoutError            .limit; also a built-in TimeoutError
    ├── StatusError                        .details .headers
    │   ├── BadRequestError                400, 422
    │   ├── AuthenticationError            401
    │   ├── PaymentRequiredError           402
    │   ├── PermissionDeniedError          403
    │   ├── NotFoundError                  404
    │   ├── ConflictError                  409
    │   ├── PayloadTooLargeError           413
    │   ├── RateLimitError                 429
    │   └── ServerError                    5xx
    ├── DecodingError                      a success whose body does not follow the protocol
    ├── PredictionFailedError              a prediction that failed or was cancelled
    ├── WaitTimeoutError                   a prediction that has not ended in time
    └── WebhookError                       a webhook request that is not signed, or is not an event

Wrong arguments raise `ValueError` or `TypeError` before anything is sent. The names of kellyapi 0.0.2.5 (`BaseError`,
`InvalidApiKey`, …) are base classes of the new ones, so that an old `except` clause still catches what it caught.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class KellyAPIError(Exception):
    """The base class of all errors of the library, except those for wrong arguments."""

    default_code: ClassVar[str] = "SDK_ERROR"

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        provider: str | None = None,
        prediction: Any = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        """What happened, without the provider and the status."""
        self.remedy = remedy
        """What to change in the code, if it is known: `str(error)` ends with it."""
        self.code = code or self.default_code
        """The code of the provider, such as "MODEL_NOT_FOUND", or of the library, such as "NETWORK_ERROR"."""
        self.provider = provider
        """The name of the provider, such as "khaya"."""
        self.status = 0
        """The HTTP status; 0 without a response."""
        self.retry_after: float | None = None
        """Seconds after which the server accepts another call, if it sends them."""
        self.request_id: str | None = None
        """The server's id of the request; quote it to the provider's support."""
        self.body: Any = None
        """The error body: parsed JSON, or text."""
        self.prediction = prediction
        """The last known state of the prediction that the call was about, if any: it may still run."""
        self.partial: Any = None
        """What had arrived when it failed: a `ChatCompletion`, a `ModelResponse` or the number of bytes of a stream;
        the text of a reply that does not fit `into`; the first of two translations; the images of `generate_images`
        that arrived; the results and errors of `run_many` that were not received, in order.
        """
        self.outcome_unknown = False
        """True if the call may have been carried out and billed although it failed."""

    def __str__(self) -> str:
        text = f"{self.provider}: {self.message}" if self.provider else self.message
        if marks := ", ".join(self._marks()):
            text += f" ({marks})"
        doubt = "the call may have been carried out and billed" if self.outcome_unknown else None
        return "; ".join(filter(None, (text, self.remedy, doubt)))

    def _marks(self) -> list[str]:
        """Return the facts that stand in brackets after the message."""
        if not self.status:
            return []
        return [str(self.status), self.code, *([f"request {self.request_id}"] if self.request_id else [])]


# The names of kellyapi 0.0.2.5. They are base classes, and are not raised themselves.


class BaseError(KellyAPIError):
    """Old name: the base class of the other old names, except `InvalidApiKey`."""

    def __init__(self, message: str = "", *, error: str | None = None, **fields: Any) -> None:
        super().__init__(error or message, **fields)
        self.success = False
        self.error_message = self.message


class InvalidApiKey(KellyAPIError):
    """Old name: the provider refused the key (401, 403)."""


class InvalidRequest(BaseError):
    """Old name, which no version has ever raised."""


class GenericApiError(BaseError):
    """Old name, which no version has ever raised."""


class InvalidContent(BaseError):
    """Old name: the response was not JSON."""


class ConnectionError(BaseError):
    """Old name: the server could not be reached, or failed."""


class TimeoutError(BaseError):
    """Old name: the response took too long."""


# The current names.


class ConfigurationError(KellyAPIError):
    """The client is not set up correctly: no key, a blank key, or an unusable address."""

    default_code = "CONFIGURATION_ERROR"

    def __init__(self, message: str = "", *, variables: tuple[str, ...] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.variables = variables
        """The environment variables that set what is missing or wrong; one of them is enough."""


class TransportError(ConnectionError):
    """No complete response arrived."""

    default_code = "NETWORK_ERROR"

    def __init__(self, message: str = "", *, sent: bool = True, final: bool = False, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.sent = sent
        """`False` if nothing was sent: connection refused, DNS, TLS, or no connection in time."""
        self.final = final
        """True if another attempt would fail in the same way: the file that is uploaded was changed meanwhile."""


class RequestTimeoutError(TransportError, TimeoutError, builtins.TimeoutError):
    """A time limit of the call was reached."""

    default_code = "REQUEST_TIMEOUT"

    def __init__(self, message: str = "", *, limit: str | None = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.limit = limit
        """The field of `Timeout` whose limit was reached: "total", "connect", "idle" or "head"."""
        self._is_named = False

    def name_limit(self, timeout: Any) -> None:
        """Add the limit to the message, and how to raise it. `timeout` is the `Timeout` of the call."""
        seconds = getattr(timeout, self.limit, None) if self.limit else None
        if seconds is not None and not self._is_named:
            total = "total=None, " if timeout.total is None else ""
            right = "timeout=…" if self.limit == "total" else f"timeout=Timeout({total}{self.limit}=…)"
            self.message += f": the limit is {self.limit}={seconds:g} s"
            self.remedy = f"raise it with {right}"
            self._is_named = True


class StatusError(KellyAPIError):
    """The server responded with an error."""

    default_code = "HTTP_ERROR"

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        details: Any = None,
        request_id: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        final: bool = False,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.status = status
        self.details = details
        """More about the error: any JSON value, such as a list of the wrong fields."""
        self.request_id = request_id
        self.body = body
        self.headers: Mapping[str, str] = {} if headers is None else headers
        """The headers of the response."""
        self.retry_after = retry_after
        self.final = final
        """True if another attempt would fail in the same way, whatever the status says."""


class BadRequestError(StatusError):
    """400, 422: the input is wrong."""


class AuthenticationError(StatusError, InvalidApiKey):
    """401: the key is not accepted."""


class PaymentRequiredError(StatusError):
    """402: no credits are left."""


class PermissionDeniedError(StatusError, InvalidApiKey):
    """403: the key may not do this."""


class NotFoundError(StatusError):
    """404: there is no such model, prediction, file or address."""


class ConflictError(StatusError):
    """409: what you create already exists, or what you change was changed meanwhile."""


class PayloadTooLargeError(StatusError):
    """413: the body is larger than the server accepts."""


class RateLimitError(StatusError):
    """429: too many requests. Wait for `retry_after` seconds, if the server sent it."""


class ServerError(StatusError, ConnectionError):
    """5xx: the server failed."""


class DecodingError(InvalidContent):
    """The status is a success, but the body does not follow the protocol."""

    default_code = "INVALID_JSON"


class PredictionFailedError(KellyAPIError):
    """The prediction failed or was cancelled. `prediction` is its last state."""

    default_code = "PREDICTION_FAILED"


class WaitTimeoutError(KellyAPIError):
    """The prediction has not ended in time. It continues, and `prediction` is its last known state."""

    default_code = "WAIT_TIMEOUT"


class WebhookError(KellyAPIError):
    """The request of a webhook has no valid signature, or is not an event."""

    default_code = "WEBHOOK_SIGNATURE_INVALID"


STATUS_ERRORS: Mapping[int, type[StatusError]] = MappingProxyType(
    {
        400: BadRequestError,
        401: AuthenticationError,
        402: PaymentRequiredError,
        403: PermissionDeniedError,
        404: NotFoundError,
        409: ConflictError,
        413: PayloadTooLargeError,
        422: BadRequestError,
        429: RateLimitError,
    }
)


def status_error(status: int) -> type[StatusError]:
    """Return the class of the error for an HTTP status."""
    return STATUS_ERRORS.get(status) or (ServerError if status >= 500 else StatusError)
