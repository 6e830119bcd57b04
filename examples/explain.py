"""Messages for users when the library raises an error. The bots and the server import it: copy it along with them."""

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
    """Return a message that says what the user can do. Errors that only the owner can fix are in the log."""
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
