"""What the bots and the server tell their users when the library raises; take it along when you copy one of them."""

import math

from kellyapi import (
    BadRequestError,
    PaymentRequiredError,
    Prediction,
    PredictionFailedError,
    RateLimitError,
    ServerError,
    TransportError,
)


def explain(error: Exception) -> str:
    """Say what a user can do; what only the owner can mend belongs into the log."""
    match error:
        case RateLimitError(retry_after=float(seconds)):
            return f"Too many people are asking. Please try again in {math.ceil(seconds)} seconds."
        case RateLimitError() | ServerError() | TransportError():
            return "The service is busy or out of reach. Please try again in a few minutes."
        case PaymentRequiredError():
            return "The credits are used up. Please tell the owner."
        case PredictionFailedError(prediction=Prediction(error=str(reason))):
            return f"The service could not do this: {reason}"
        case BadRequestError():
            return f"The service cannot use this: {error.message}"
        case _:
            return "This cannot be done now. Please tell the owner to look into the log."
