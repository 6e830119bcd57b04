"""One asyncio client for Kelly AI, Khaya / GhanaNLP, Skytells and Aerostack.

Importing the package imports nothing else: each public name brings its module in when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:  # what __getattr__ does, in the words of type checkers; a test compares the two
    from ._core.connection_check import ConnectionCheck as ConnectionCheck
    from ._core.extra_fields import ExtraFields as ExtraFields
    from ._core.limits import Rate as Rate
    from ._core.messages import NO_TIMEOUT as NO_TIMEOUT
    from ._core.messages import PreparedRequest as PreparedRequest
    from ._core.messages import Response as Response
    from ._core.messages import Timeout as Timeout
    from ._core.options import Options as Options
    from ._core.retry import NO_RETRY as NO_RETRY
    from ._core.retry import RetryPolicy as RetryPolicy
    from ._core.run_many import ManyResults as ManyResults
    from ._core.run_many import run_many as run_many
    from ._core.streams import ByteStream as ByteStream
    from ._core.streams import JSONEventStream as JSONEventStream
    from ._data.base64_text import Base64 as Base64
    from ._data.files import check_path as check_path
    from ._data.files import save_file as save_file
    from ._data.result import Result as Result
    from .client import PROVIDERS as PROVIDERS
    from .client import KellyAPI as KellyAPI
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
    from .providers.aerostack.api_gateway import GatewayUsage as GatewayUsage
    from .providers.aerostack.api_gateway import Wallet as Wallet
    from .providers.aerostack.auth import Authentication as Authentication
    from .providers.aerostack.auth import User as User
    from .providers.aerostack.cache import CacheEntry as CacheEntry
    from .providers.aerostack.cache import CacheItem as CacheItem
    from .providers.aerostack.cache import CacheKey as CacheKey
    from .providers.aerostack.client import Aerostack as Aerostack
    from .providers.aerostack.db import BatchedResult as BatchedResult
    from .providers.aerostack.db import BatchResult as BatchResult
    from .providers.aerostack.db import QueryResult as QueryResult
    from .providers.aerostack.functions import Invocation as Invocation
    from .providers.aerostack.pagination import CursorPage as CursorPage
    from .providers.aerostack.queue import Cancellation as Cancellation
    from .providers.aerostack.queue import QueueJob as QueueJob
    from .providers.aerostack.search import SearchResult as SearchResult
    from .providers.aerostack.storage import ObjectMetadata as ObjectMetadata
    from .providers.aerostack.storage import StoredObject as StoredObject
    from .providers.kelly import Kelly as Kelly
    from .providers.khaya import Khaya as Khaya
    from .providers.skytells.client import Skytells as Skytells
    from .providers.skytells.enums import ModelPrivacy as ModelPrivacy
    from .providers.skytells.enums import ModelType as ModelType
    from .providers.skytells.enums import PredictionSource as PredictionSource
    from .providers.skytells.enums import PredictionType as PredictionType
    from .providers.skytells.enums import PricingOperator as PricingOperator
    from .providers.skytells.enums import PricingUnit as PricingUnit
    from .providers.skytells.enums import SafetyCategory as SafetyCategory
    from .providers.skytells.enums import SafetySeverity as SafetySeverity
    from .providers.skytells.enums import SkytellsErrorId as SkytellsErrorId
    from .providers.skytells.inference.response_types import FunctionCallItem as FunctionCallItem
    from .providers.skytells.inference.response_types import ModelResponse as ModelResponse
    from .providers.skytells.inference.response_types import OutputContent as OutputContent
    from .providers.skytells.inference.response_types import OutputItem as OutputItem
    from .providers.skytells.inference.response_types import OutputMessage as OutputMessage
    from .providers.skytells.inference.response_types import ReasoningItem as ReasoningItem
    from .providers.skytells.inference.response_types import ResponseFilter as ResponseFilter
    from .providers.skytells.inference.responses_api import ResponseEvent as ResponseEvent
    from .providers.skytells.inference.responses_api import ResponseStream as ResponseStream
    from .providers.skytells.inference.safety import Filtered as Filtered
    from .providers.skytells.inference.safety import SafetyCheck as SafetyCheck
    from .providers.skytells.inference.safety import SafetyEvaluation as SafetyEvaluation
    from .providers.skytells.inference.safety import SafetyTemplate as SafetyTemplate
    from .providers.skytells.models import SkytellsModel as SkytellsModel
    from .providers.skytells.predictions.requests import PredictionRequest as PredictionRequest
    from .providers.skytells.predictions.requests import Webhook as Webhook
    from .providers.skytells.predictions.requests import WebhookEvent as WebhookEvent
    from .providers.skytells.predictions.types import Prediction as Prediction
    from .providers.skytells.predictions.types import PredictionModel as PredictionModel
    from .providers.skytells.predictions.types import PredictionPage as PredictionPage
    from .providers.skytells.predictions.types import PredictionStatus as PredictionStatus
    from .providers.skytells.pricing import PriceEstimate as PriceEstimate
    from .providers.skytells.pricing import Pricing as Pricing
    from .providers.skytells.webhooks.receiver import WebhookReceiver as WebhookReceiver
    from .providers.skytells.webhooks.store import Deliveries as Deliveries
    from .providers.skytells.webhooks.store import MemoryDeliveries as MemoryDeliveries
    from .providers.skytells.webhooks.store import RecoverableDeliveries as RecoverableDeliveries
    from .providers.skytells.webhooks.store import SQLiteDeliveries as SQLiteDeliveries
    from .providers.skytells.webhooks.verification import WebhookDelivery as WebhookDelivery
    from .providers.skytells.webhooks.verification import verify_webhook as verify_webhook
    from .sandbox.app import Sandbox as Sandbox
    from .sandbox.faults import Fault as Fault
    from .services.chat_messages import Message as Message
    from .services.chat_replies import ChatReply as ChatReply
    from .services.chat_replies import ChatStream as ChatStream
    from .services.chat_replies import ParsedReply as ParsedReply
    from .services.embed import Embeddings as Embeddings
    from .services.images import Description as Description
    from .services.images import Image as Image
    from .services.music import Music as Music
    from .services.openai_chunks import ChatChunk as ChatChunk
    from .services.openai_completions import Annotation as Annotation
    from .services.openai_completions import ChatCompletion as ChatCompletion
    from .services.openai_completions import Choice as Choice
    from .services.openai_completions import CompletionMessage as CompletionMessage
    from .services.openai_completions import FilterResult as FilterResult
    from .services.openai_completions import FunctionCall as FunctionCall
    from .services.openai_completions import Logprobs as Logprobs
    from .services.openai_completions import PromptFilter as PromptFilter
    from .services.openai_completions import TokenLogprob as TokenLogprob
    from .services.openai_completions import ToolCall as ToolCall
    from .services.openai_completions import Usage as Usage
    from .services.routed_chat_stream import ParsedChatStream as ParsedChatStream
    from .services.routing import ProviderName as ProviderName
    from .services.service_provider import ServiceProvider as ServiceProvider
    from .services.synthesize import Speech as Speech
    from .services.transcribe import Segment as Segment
    from .services.transcribe import Transcript as Transcript
    from .services.transcribe import Word as Word
    from .services.translate import Translation as Translation
    from .services.video import Video as Video
    from .sync import iterate_sync as iterate_sync
    from .sync import open_sync as open_sync
    from .sync import run_sync as run_sync

_MODULES = {
    "_core.connection_check": "ConnectionCheck",
    "_core.extra_fields": "ExtraFields",
    "_core.limits": "Rate",
    "_core.messages": "NO_TIMEOUT PreparedRequest Response Timeout",
    "_core.options": "Options",
    "_core.retry": "NO_RETRY RetryPolicy",
    "_core.run_many": "ManyResults run_many",
    "_core.streams": "ByteStream JSONEventStream",
    "_data.base64_text": "Base64",
    "_data.files": "check_path save_file",
    "_data.result": "Result",
    "client": "KellyAPI PROVIDERS",
    "errors": "AuthenticationError BadRequestError ConfigurationError ConflictError DecodingError KellyAPIError "
    "NotFoundError PayloadTooLargeError PaymentRequiredError PermissionDeniedError PredictionFailedError "
    "RateLimitError RequestTimeoutError ServerError StatusError TransportError WaitTimeoutError "
    "WebhookError",
    "providers.aerostack.api_gateway": "GatewayUsage Wallet",
    "providers.aerostack.auth": "Authentication User",
    "providers.aerostack.cache": "CacheEntry CacheItem CacheKey",
    "providers.aerostack.client": "Aerostack",
    "providers.aerostack.db": "BatchResult BatchedResult QueryResult",
    "providers.aerostack.functions": "Invocation",
    "providers.aerostack.pagination": "CursorPage",
    "providers.aerostack.queue": "Cancellation QueueJob",
    "providers.aerostack.search": "SearchResult",
    "providers.aerostack.storage": "ObjectMetadata StoredObject",
    "providers.kelly": "Kelly",
    "providers.khaya": "Khaya",
    "providers.skytells.client": "Skytells",
    "providers.skytells.enums": "ModelPrivacy ModelType PredictionSource PredictionType PricingOperator "
    "PricingUnit SafetyCategory SafetySeverity SkytellsErrorId",
    "providers.skytells.inference.response_types": "FunctionCallItem ModelResponse OutputContent OutputItem "
    "OutputMessage ReasoningItem ResponseFilter",
    "providers.skytells.inference.responses_api": "ResponseEvent ResponseStream",
    "providers.skytells.inference.safety": "Filtered SafetyCheck SafetyEvaluation SafetyTemplate",
    "providers.skytells.models": "SkytellsModel",
    "providers.skytells.predictions.requests": "PredictionRequest Webhook WebhookEvent",
    "providers.skytells.predictions.types": "Prediction PredictionModel PredictionPage PredictionStatus",
    "providers.skytells.pricing": "PriceEstimate Pricing",
    "providers.skytells.webhooks.receiver": "WebhookReceiver",
    "providers.skytells.webhooks.store": "Deliveries MemoryDeliveries RecoverableDeliveries SQLiteDeliveries",
    "providers.skytells.webhooks.verification": "WebhookDelivery verify_webhook",
    "sandbox.app": "Sandbox",
    "sandbox.faults": "Fault",
    "services.chat_messages": "Message",
    "services.chat_replies": "ChatReply ChatStream ParsedReply",
    "services.embed": "Embeddings",
    "services.images": "Description Image",
    "services.music": "Music",
    "services.openai_chunks": "ChatChunk",
    "services.openai_completions": "Annotation ChatCompletion Choice CompletionMessage FilterResult "
    "FunctionCall Logprobs PromptFilter TokenLogprob ToolCall Usage",
    "services.routed_chat_stream": "ParsedChatStream",
    "services.routing": "ProviderName",
    "services.service_provider": "ServiceProvider",
    "services.synthesize": "Speech",
    "services.transcribe": "Segment Transcript Word",
    "services.translate": "Translation",
    "services.video": "Video",
    "sync": "iterate_sync open_sync run_sync",
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
