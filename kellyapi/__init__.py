"""One asyncio client for Kelly AI, Khaya / GhanaNLP, Skytells and Aerostack.

Importing the package imports nothing else: each public name brings its module in when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # what __getattr__ does, in the words of type checkers; a test compares the two
    from .client import KellyAPI as KellyAPI
    from .core import ByteStream as ByteStream
    from .core import Options as Options
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequestError as BadRequestError
    from .errors import ConfigurationError as ConfigurationError
    from .errors import ConflictError as ConflictError
    from .errors import DecodingError as DecodingError
    from .errors import KellyAPIError as KellyAPIError
    from .errors import NotFoundError as NotFoundError
    from .errors import PayloadTooLargeError as PayloadTooLargeError
    from .errors import PaymentRequiredError as PaymentRequiredError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import PredictionFailedError as PredictionFailedError
    from .errors import RateLimitError as RateLimitError
    from .errors import RequestTimeoutError as RequestTimeoutError
    from .errors import ServerError as ServerError
    from .errors import StatusError as StatusError
    from .errors import TransportError as TransportError
    from .errors import WaitTimeoutError as WaitTimeoutError
    from .errors import WebhookError as WebhookError
    from .limits import Rate as Rate
    from .media import Base64 as Base64
    from .providers.aerostack.client import Aerostack as Aerostack
    from .providers.kelly import Kelly as Kelly
    from .providers.khaya import Khaya as Khaya
    from .providers.skytells.client import Skytells as Skytells
    from .providers.skytells.predictions import Prediction as Prediction
    from .retry import NO_RETRY as NO_RETRY
    from .retry import RetryPolicy as RetryPolicy
    from .sandbox.app import Sandbox as Sandbox
    from .services.chat import ChatReply as ChatReply
    from .services.chat import Message as Message
    from .services.chat import Usage as Usage
    from .services.images import Description as Description
    from .services.images import Image as Image
    from .services.synthesize import Speech as Speech
    from .services.transcribe import Segment as Segment
    from .services.transcribe import Transcript as Transcript
    from .services.transcribe import Word as Word
    from .services.translate import Translation as Translation
    from .sync import iterate_sync as iterate_sync
    from .sync import run_sync as run_sync
    from .wire import NO_TIMEOUT as NO_TIMEOUT
    from .wire import Request as Request
    from .wire import Response as Response
    from .wire import Timeout as Timeout

_MODULES = {
    "client": "KellyAPI",
    "core": "ByteStream Options",
    "errors": "AuthenticationError BadRequestError ConfigurationError ConflictError DecodingError KellyAPIError "
    "NotFoundError PayloadTooLargeError PaymentRequiredError PermissionDeniedError PredictionFailedError "
    "RateLimitError RequestTimeoutError ServerError StatusError TransportError WaitTimeoutError "
    "WebhookError",
    "limits": "Rate",
    "media": "Base64",
    "providers.aerostack.client": "Aerostack",
    "providers.kelly": "Kelly",
    "providers.khaya": "Khaya",
    "providers.skytells.client": "Skytells",
    "providers.skytells.predictions": "Prediction",
    "retry": "NO_RETRY RetryPolicy",
    "sandbox.app": "Sandbox",
    "services.chat": "ChatReply Message Usage",
    "services.images": "Description Image",
    "services.synthesize": "Speech",
    "services.transcribe": "Segment Transcript Word",
    "services.translate": "Translation",
    "sync": "iterate_sync run_sync",
    "wire": "NO_TIMEOUT Request Response Timeout",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}
_SUBMODULES = ("api", "errors")  # reachable after a plain `import kellyapi`, as they were in 0.0.2.5
__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"kellyapi.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'kellyapi' has no attribute {name!r}")
    value = getattr(import_module(f"kellyapi.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
