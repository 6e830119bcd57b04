"""The words of Skytells' protocol that are known here, as open enums: an unknown word stays a string.

Source: https://github.com/Skytells/ts-sdk (src/types)
"""

from __future__ import annotations

from enum import StrEnum

from .error_bodies import STATUS_OF_CODE

_OURS = (
    *("WAIT_TIMEOUT", "REQUEST_TIMEOUT", "NETWORK_ERROR", "SERVER_ERROR", "INVALID_JSON", "HTTP_ERROR", "API_ERROR"),
    *("SDK_ERROR", "ABORTED", "WEBHOOK_SIGNATURE_INVALID", "UNKNOWN_ERROR"),
)

_ids = {code: code for code in (*STATUS_OF_CODE, *_OURS)}
SkytellsErrorId = StrEnum("SkytellsErrorId", _ids)  # type: ignore[misc]  # mypy wants the names written out a second time
SkytellsErrorId.__doc__ = "What `error.code` can be: the ids of the server, and those that a client gives itself."


class ModelType(StrEnum):
    """What a model makes."""

    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    MUSIC = "music"
    TEXT = "text"
    CODE = "code"
    MULTIMODAL = "multimodal"


class PricingUnit(StrEnum):
    """What is paid for."""

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


class PredictionType(StrEnum):
    """What a job does."""

    INFERENCE = "inference"
    TRAINING = "training"


class PredictionSource(StrEnum):
    """Where a job was created."""

    API = "api"
    CLI = "cli"
    WEB = "web"
    DASHBOARD = "dashboard"


class ModelPrivacy(StrEnum):
    """Who may see it."""

    PUBLIC = "public"
    PRIVATE = "private"


class SafetyCategory(StrEnum):
    """What the content filter looks for."""

    HATE = "hate"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    SELF_HARM = "self_harm"
    JAILBREAK = "jailbreak"
    PROTECTED_MATERIAL_CODE = "protected_material_code"
    PROTECTED_MATERIAL_TEXT = "protected_material_text"


class SafetySeverity(StrEnum):
    """How bad it is."""

    SAFE = "safe"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
