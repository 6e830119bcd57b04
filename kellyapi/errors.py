"""Every error of the library, in one tree.

    KellyAPIError                          .message .code .provider .outcome_unknown .prediction .partial
    ├── ConfigurationError                 no or blank key, an unusable address; raised at the first call
    ├── TransportError                     no whole answer: refused, reset, DNS, TLS, cut off, malformed HTTP
    │   └── RequestTimeoutError            also a built-in TimeoutError
    ├── StatusError                        .status .details .request_id .body .headers
    │   ├── BadRequestError                400, 422
    │   ├── AuthenticationError            401
    │   ├── PaymentRequiredError           402
    │   ├── PermissionDeniedError          403
    │   ├── NotFoundError                  404
    │   ├── ConflictError                  409
    │   ├── PayloadTooLargeError           413
    │   ├── RateLimitError                 429, .retry_after
    │   └── ServerError                    5xx
    ├── DecodingError                      a success whose body is not what the protocol says
    ├── PredictionFailedError              a job that ended without success
    ├── WaitTimeoutError                   a job that did not end in time
    └── WebhookError

Wrong arguments raise `ValueError` or `TypeError` before anything is sent. The names of kellyapi 0.0.2.5 (`BaseError`,
`InvalidApiKey`, …) stand between the root and the new classes, so that an old `except` clause catches what it caught.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar


class KellyAPIError(Exception):
    """The root of all errors that are not wrong arguments."""

    default_code: ClassVar[str] = "SDK_ERROR"

    def __init__(
        self, message: str = "", *, code: str | None = None, provider: str | None = None, prediction: Any = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.provider = provider
        self.prediction = prediction
        """The last known state of the job that the call was about, if there is one: it may go on, and can be followed.
        """
        self.partial: Any = None
        """What had arrived of a stream that failed: a `ChatCompletion`, a `ModelResponse`, the number of bytes."""
        self.outcome_unknown = False
        """True when a request that must not be sent twice failed after sending began: it may have been carried out and
        billed.
        """

    def __str__(self) -> str:
        return f"{self.provider}: {self.message}" if self.provider else self.message


# The names of kellyapi 0.0.2.5. They are never raised themselves.


class BaseError(KellyAPIError):
    """Old base of the old transport errors."""

    def __init__(self, message: str = "", *, error: str | None = None, **fields: Any) -> None:
        super().__init__(error or message, **fields)
        self.success = False
        self.error_message = self.message


class InvalidApiKey(KellyAPIError):
    """Old name: the key was refused (401, 403)."""


class InvalidRequest(BaseError):
    """Old name, never raised by any version."""


class GenericApiError(BaseError):
    """Old name, never raised by any version."""


class InvalidContent(BaseError):
    """Old name: the answer was not JSON."""


class ConnectionError(BaseError):
    """Old name: the server could not be reached, or failed."""


class TimeoutError(BaseError):
    """Old name: the answer took too long."""


# The tree of today.


class ConfigurationError(KellyAPIError):
    """The client cannot be used as it was set up: no key, a blank key, an unusable address."""

    default_code = "CONFIGURATION_ERROR"


class TransportError(ConnectionError):
    """No whole answer arrived."""

    default_code = "NETWORK_ERROR"

    def __init__(self, message: str = "", *, sent: bool = True, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.sent = sent
        """False when the request never left: refused, DNS, TLS, no connection in time."""


class RequestTimeoutError(TransportError, TimeoutError, builtins.TimeoutError):
    """The deadline of the call passed, or the line was silent for too long."""

    default_code = "REQUEST_TIMEOUT"


class StatusError(KellyAPIError):
    """The server answered, and the answer is an error."""

    default_code = "HTTP_ERROR"

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        details: Any = None,
        request_id: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        retry_after: float | None = None,
        final: bool = False,
        **fields: Any,
    ) -> None:
        super().__init__(message, **fields)
        self.status = status
        self.details = details
        self.request_id = request_id
        """The server's own id of the exchange: quote it to the provider's support."""
        self.body = body
        """The error body: parsed JSON, else text."""
        self.headers = headers
        self.retry_after = retry_after
        """Seconds after which the server wants to be asked again."""
        self.final = final
        """True when asking again would give the same, whatever the status says."""

    def __str__(self) -> str:
        marks = [str(self.status), self.code, self.request_id and f"request {self.request_id}"]
        return f"{super().__str__()} ({', '.join(mark for mark in marks if mark)})"


class BadRequestError(StatusError):
    """400, 422: the input is wrong."""


class AuthenticationError(StatusError, InvalidApiKey):
    """401: the key is not accepted."""


class PaymentRequiredError(StatusError):
    """402: no credits are left."""


class PermissionDeniedError(StatusError, InvalidApiKey):
    """403: the key may not do this."""


class NotFoundError(StatusError):
    """404: there is no such thing."""


class ConflictError(StatusError):
    """409: it exists already, or has changed."""


class PayloadTooLargeError(StatusError):
    """413: the body is larger than the server takes."""


class RateLimitError(StatusError):
    """429: too many requests; `retry_after` says when to ask again, if the server said so."""


class ServerError(StatusError, ConnectionError):
    """5xx: the server failed."""


class DecodingError(InvalidContent):
    """The server said success, and the body is not what the protocol says."""

    default_code = "INVALID_JSON"


class PredictionFailedError(KellyAPIError):
    """The job ended without success; `prediction` is its last state."""

    default_code = "PREDICTION_FAILED"


class WaitTimeoutError(KellyAPIError):
    """The job did not end in time; it goes on, and `prediction` is its last known state."""

    default_code = "WAIT_TIMEOUT"


class WebhookError(KellyAPIError):
    """A call to a webhook is not what it claims to be."""

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
    """Choose the class for an HTTP status."""
    return STATUS_ERRORS.get(status) or (ServerError if status >= 500 else StatusError)
