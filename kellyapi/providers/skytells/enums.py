"""The known values of some fields of Skytells, as enums. An unknown value stays a string.

Source: https://github.com/Skytells/ts-sdk (src/types)
"""

from __future__ import annotations

from enum import StrEnum


class SkytellsErrorId(StrEnum):
    """The known values of `error.code`: those of the server, and those that are set by clients."""

    UNAUTHORIZED = "UNAUTHORIZED"
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    FORBIDDEN = "FORBIDDEN"
    SECURITY_VIOLATION = "SECURITY_VIOLATION"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"
    PAYMENT_REQUIRED = "PAYMENT_REQUIRED"
    INVALID_PARAMETER = "INVALID_PARAMETER"
    INVALID_PARAMETER_COMBINATION = "INVALID_PARAMETER_COMBINATION"
    INVALID_DATE_FORMAT = "INVALID_DATE_FORMAT"
    INVALID_DATE_RANGE = "INVALID_DATE_RANGE"
    INVALID_INPUT = "INVALID_INPUT"
    INVALID_REQUEST = "INVALID_REQUEST"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    MODEL_NOT_SUPPORTED = "MODEL_NOT_SUPPORTED"
    MODEL_NOT_FOUND = "MODEL_NOT_FOUND"
    ENDPOINT_NOT_FOUND = "ENDPOINT_NOT_FOUND"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    RATE_LIMITED = "RATE_LIMITED"
    INFERENCE_RATE_LIMITED = "INFERENCE_RATE_LIMITED"
    CONTENT_POLICY_VIOLATION = "CONTENT_POLICY_VIOLATION"
    INTERNAL_ERROR = "INTERNAL_ERROR"
    INFERENCE_ERROR = "INFERENCE_ERROR"
    PREDICTION_FAILED = "PREDICTION_FAILED"
    INFRASTRUCTURE_ERROR = "INFRASTRUCTURE_ERROR"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    INFERENCE_TIMEOUT = "INFERENCE_TIMEOUT"
    # Set by clients:
    WAIT_TIMEOUT = "WAIT_TIMEOUT"
    REQUEST_TIMEOUT = "REQUEST_TIMEOUT"
    NETWORK_ERROR = "NETWORK_ERROR"
    SERVER_ERROR = "SERVER_ERROR"
    INVALID_JSON = "INVALID_JSON"
    HTTP_ERROR = "HTTP_ERROR"
    API_ERROR = "API_ERROR"
    SDK_ERROR = "SDK_ERROR"
    ABORTED = "ABORTED"
    WEBHOOK_SIGNATURE_INVALID = "WEBHOOK_SIGNATURE_INVALID"
    UNKNOWN_ERROR = "UNKNOWN_ERROR"


class ModelType(StrEnum):
    """The kind of output of a model."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    MUSIC = "music"
    TEXT = "text"
    CODE = "code"
    MULTIMODAL = "multimodal"


class PricingUnit(StrEnum):
    """The unit that a price is for."""

    IMAGE = "image"
    VIDEO = "video"
    SECOND = "second"
    PREDICTION = "prediction"
    GPU = "gpu"
    IMAGE_MEGAPIXEL = "image_megapixel"
    COMPUTING_SECOND = "computing_second"
    AUDIO_SECOND = "audio_second"
    VIDEO_SECOND = "video_second"
    TOKEN = "token"
    MILLION_TOKEN = "million_token"
    FIVE_SECONDS = "5 seconds"
    MINUTE = "minute"


class PricingOperator(StrEnum):
    """How a price rule compares a field of the input with its value."""

    EQUALS = "equals"
    DOUBLE_EQUALS = "=="


class PredictionType(StrEnum):
    """The kind of a prediction."""

    INFERENCE = "inference"
    TRAINING = "training"


class PredictionSource(StrEnum):
    """Where a prediction was created."""

    API = "api"
    CLI = "cli"
    WEB = "web"
    DASHBOARD = "dashboard"


class ModelPrivacy(StrEnum):
    """The visibility of a model or a prediction."""

    PUBLIC = "public"
    PRIVATE = "private"


class SafetyCategory(StrEnum):
    """The categories of the content filter."""

    HATE = "hate"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    SELF_HARM = "self_harm"
    JAILBREAK = "jailbreak"
    PROTECTED_MATERIAL_CODE = "protected_material_code"
    PROTECTED_MATERIAL_TEXT = "protected_material_text"


class SafetySeverity(StrEnum):
    """How severe a finding of the content filter is."""

    SAFE = "safe"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
