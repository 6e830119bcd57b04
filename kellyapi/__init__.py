"""One asyncio client for Kelly AI, Khaya / GhanaNLP, Skytells and Aerostack.

Importing the package imports nothing else: each public name brings its module in when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # what __getattr__ does, in the words of type checkers; a test compares the two
    from .client import KellyAPI as KellyAPI
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
    from .providers.aerostack.auth import Authentication as Authentication
    from .providers.aerostack.auth import User as User
    from .providers.aerostack.cache import CacheEntry as CacheEntry
    from .providers.aerostack.cache import CacheItem as CacheItem
    from .providers.aerostack.cache import CacheKey as CacheKey
    from .providers.aerostack.client import Aerostack as Aerostack
    from .providers.aerostack.db import BatchedResult as BatchedResult
    from .providers.aerostack.db import BatchResult as BatchResult
    from .providers.aerostack.db import QueryResult as QueryResult
    from .providers.aerostack.gateway import Wallet as Wallet
    from .providers.aerostack.paging import Page as Page
    from .providers.aerostack.queue import Cancellation as Cancellation
    from .providers.aerostack.search import SearchResult as SearchResult
    from .providers.aerostack.services import Invocation as Invocation
    from .providers.aerostack.storage import ObjectMetadata as ObjectMetadata
    from .providers.aerostack.storage import StoredObject as StoredObject
    from .providers.kelly import Kelly as Kelly
    from .providers.khaya import Khaya as Khaya
    from .providers.skytells.client import Skytells as Skytells
    from .providers.skytells.deliveries import Deliveries as Deliveries
    from .providers.skytells.deliveries import MemoryDeliveries as MemoryDeliveries
    from .providers.skytells.deliveries import SQLiteDeliveries as SQLiteDeliveries
    from .providers.skytells.enums import ModelType as ModelType
    from .providers.skytells.enums import PredictionSource as PredictionSource
    from .providers.skytells.enums import PredictionType as PredictionType
    from .providers.skytells.enums import PricingUnit as PricingUnit
    from .providers.skytells.enums import Privacy as Privacy
    from .providers.skytells.enums import SafetyCategory as SafetyCategory
    from .providers.skytells.enums import SafetySeverity as SafetySeverity
    from .providers.skytells.enums import SkytellsErrorId as SkytellsErrorId
    from .providers.skytells.inference import Embeddings as Embeddings
    from .providers.skytells.models import Model as Model
    from .providers.skytells.models import Pricing as Pricing
    from .providers.skytells.prediction import Job as Job
    from .providers.skytells.prediction import Prediction as Prediction
    from .providers.skytells.prediction import PredictionPage as PredictionPage
    from .providers.skytells.prediction import PredictionStatus as PredictionStatus
    from .providers.skytells.prediction import Webhook as Webhook
    from .providers.skytells.prediction import WebhookEvent as WebhookEvent
    from .providers.skytells.receiver import WebhookReceiver as WebhookReceiver
    from .providers.skytells.responses import ModelResponse as ModelResponse
    from .providers.skytells.responses import ResponseEvent as ResponseEvent
    from .providers.skytells.responses import ResponseStream as ResponseStream
    from .providers.skytells.safety import SafetyCheck as SafetyCheck
    from .providers.skytells.webhooks import Event as Event
    from .providers.skytells.webhooks import verify as verify
    from .retry import NO_RETRY as NO_RETRY
    from .retry import RetryPolicy as RetryPolicy
    from .sandbox.app import Sandbox as Sandbox
    from .sandbox.faults import Fault as Fault
    from .services.chat import ChatReply as ChatReply
    from .services.chat import ChatStream as ChatStream
    from .services.chat import Message as Message
    from .services.completion import ChatCompletion as ChatCompletion
    from .services.completion import Choice as Choice
    from .services.completion import FilterResult as FilterResult
    from .services.completion import Usage as Usage
    from .services.images import Description as Description
    from .services.images import Image as Image
    from .services.synthesize import Speech as Speech
    from .services.transcribe import Segment as Segment
    from .services.transcribe import Transcript as Transcript
    from .services.transcribe import Word as Word
    from .services.translate import Translation as Translation
    from .streams import ByteStream as ByteStream
    from .sync import iterate_sync as iterate_sync
    from .sync import run_sync as run_sync
    from .wire import NO_TIMEOUT as NO_TIMEOUT
    from .wire import Request as Request
    from .wire import Response as Response
    from .wire import Timeout as Timeout

_MODULES = {
    "client": "KellyAPI",
    "core": "Options",
    "errors": "AuthenticationError BadRequestError ConfigurationError ConflictError DecodingError KellyAPIError "
    "NotFoundError PayloadTooLargeError PaymentRequiredError PermissionDeniedError PredictionFailedError "
    "RateLimitError RequestTimeoutError ServerError StatusError TransportError WaitTimeoutError "
    "WebhookError",
    "limits": "Rate",
    "media": "Base64",
    "providers.aerostack.client": "Aerostack",
    "providers.kelly": "Kelly",
    "providers.khaya": "Khaya",
    "providers.aerostack.auth": "Authentication User",
    "providers.aerostack.cache": "CacheEntry CacheItem CacheKey",
    "providers.aerostack.db": "BatchResult BatchedResult QueryResult",
    "providers.aerostack.gateway": "Wallet",
    "providers.aerostack.paging": "Page",
    "providers.aerostack.queue": "Cancellation",
    "providers.aerostack.search": "SearchResult",
    "providers.aerostack.services": "Invocation",
    "providers.aerostack.storage": "ObjectMetadata StoredObject",
    "providers.skytells.enums": "ModelType PredictionSource PredictionType PricingUnit "
    "Privacy SafetyCategory SafetySeverity SkytellsErrorId",
    "providers.skytells.inference": "Embeddings",
    "providers.skytells.models": "Model Pricing",
    "providers.skytells.prediction": "Job Prediction PredictionPage PredictionStatus Webhook WebhookEvent",
    "providers.skytells.responses": "ModelResponse ResponseEvent ResponseStream",
    "providers.skytells.deliveries": "Deliveries MemoryDeliveries SQLiteDeliveries",
    "providers.skytells.receiver": "WebhookReceiver",
    "providers.skytells.safety": "SafetyCheck",
    "providers.skytells.webhooks": "Event verify",
    "services.completion": "ChatCompletion Choice FilterResult Usage",
    "providers.skytells.client": "Skytells",
    "retry": "NO_RETRY RetryPolicy",
    "sandbox.app": "Sandbox",
    "sandbox.faults": "Fault",
    "services.chat": "ChatReply ChatStream Message",
    "services.images": "Description Image",
    "services.synthesize": "Speech",
    "services.transcribe": "Segment Transcript Word",
    "services.translate": "Translation",
    "streams": "ByteStream",
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
