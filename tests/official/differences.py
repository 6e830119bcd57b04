"""Intended differences between the requests of an official package and ours, with their reasons.

The tests fail for a row that no longer differs, and for a difference that has no row.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen

from kellyapi.providers.kelly import NEGATIVE_PROMPT
from official.operations import Operation

ABSENT = "absent"
ANYTHING = "anything"


@frozen
class Difference:
    """A field that differs in some operations."""

    provider: str
    operations: tuple[str, ...]
    field: str
    official: Any
    """The value in the official package's request; `ANYTHING` for every value except ours."""
    ours: Any
    reason: str

    def concerns(self, operation: Operation) -> bool:
        """Return whether the row is about an operation."""
        return operation.provider == self.provider and operation.name in self.operations

    def holds(self, found: tuple[Any, Any] | None) -> bool:
        """Return whether the two values differ as the row says."""
        return found is not None and found[1] == self.ours and self.official in (ANYTHING, found[0])


_TRANSCRIPTIONS = tuple(f"transcribe: {what}" for what in ("v1", "v2", "v3", "words", "segments"))
_LANGUAGE_LISTS = ("mcp: asr", "mcp: tts")
_READS = (
    *("wait", "predictions.get", "get_prediction", "predictions.get: an odd id", "stream_prediction"),
    *("predictions.list", "list_predictions", "predictions.list: everything", "predictions.list: an odd model"),
    *("models.list", "list_models", "models.list: fields", "models.get", "get_model", "models.get: fields"),
    *("cancel_prediction", "delete_prediction", "prediction.cancel", "prediction.delete"),
)
_CANCEL_AND_DELETE = {
    "prediction.cancel": "POST /v1/predictions/p1/cancel",
    "prediction.delete": "DELETE /v1/predictions/p1/delete",
}
_UPLOADS = {
    "storage_upload": "pictures/fox.png",
    "storage_upload: untyped": "fox.png",
    "storage_upload: an odd name": "ɛ",
}
_TEXT = "text/plain; charset=utf-8"
_NO_BODY = "without a body there is no type of it"
_TYPED = "aiohttp gives each part of a form a type, as RFC 7578 (4.4) allows; this is the default that it names"

DIFFERENCES: tuple[Difference, ...] = (
    Difference("khaya", _TRANSCRIPTIONS, "content-type", "application/json", "audio/wav", "the body is audio"),
    Difference("khaya", _LANGUAGE_LISTS, "content-type", "application/json", ABSENT, _NO_BODY),
    Difference("skytells", _READS, "content-type", "application/json", ABSENT, _NO_BODY),
    Difference("skytells", ("predict",), "body await", ABSENT, False, "`create` always says whether it waits"),
    Difference(
        "skytells", ("run", "run: everything", *_CANCEL_AND_DELETE), "body await", True, False,
        "a timeout while the server waits would lose the id of a prediction that is paid for",
    ),
    Difference(
        "skytells", ("predictions.get: an odd id",), "requests",
        ["GET /v1/predictions/a/b"], ["GET /v1/predictions/a%2Fb"],
        "an id names a thing, and cannot lead to another address",
    ),
    Difference("skytells", ("predictions.list",), "query page", ABSENT, "1", "the default of the API, said aloud"),
    Difference("skytells", ("predictions.list: an odd model",), "query model", "a", "a&b", "values are encoded"),
    Difference("skytells", ("predictions.list: an odd model",), "query b", "", ABSENT, "values are encoded"),
    *(
        Difference(
            "aerostack", (f"storage.{name}",), "part key",
            (None, None, key.encode()), (None, _TEXT, key.encode()), _TYPED,
        )
        for name, key in _UPLOADS.items()
    ),
    Difference(
        "aerostack", ("storage.storage_upload", "storage.storage_upload: an odd name"), "part contentType",
        (None, None, b"image/png"), (None, _TEXT, b"image/png"), _TYPED,
    ),
    Difference(
        "aerostack", ("storage.storage_upload: untyped",), "part contentType",
        ABSENT, (None, _TEXT, b"image/png"), "the type is found by looking at the file",
    ),
    Difference(
        "kelly", ("generate", "img2img"), "body negative_prompt", ANYTHING, NEGATIVE_PROMPT,
        "the default is a short one of our own",
    ),
)  # fmt: skip
