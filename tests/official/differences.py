"""What is meant to differ between a request of an official package and ours, with the reason.

A row that no longer differs fails the tests, like a difference that is no row.
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
    """One field that is not the same in these operations."""

    provider: str
    operations: tuple[str, ...]
    field: str
    official: Any
    """The value in the official package's request, or `ANYTHING` but ours."""
    ours: Any
    reason: str

    def concerns(self, operation: Operation) -> bool:
        """Tell whether the row is about an operation."""
        return operation.provider == self.provider and operation.name in self.operations

    def holds(self, found: tuple[Any, Any] | None) -> bool:
        """Tell whether the two values differ as the row says."""
        return found is not None and found[1] == self.ours and self.official in (ANYTHING, found[0])


_HEARING = tuple(f"transcribe: {what}" for what in ("v1", "v2", "v3", "words", "segments"))
_LISTING = ("mcp: asr", "mcp: tts")
_LOOKING = (
    *("wait", "predictions.get", "get_prediction", "predictions.get: an odd id", "stream_prediction"),
    *("predictions.list", "list_predictions", "predictions.list: everything", "predictions.list: an odd model"),
    *("models.list", "list_models", "models.list: fields", "models.get", "get_model", "models.get: fields"),
    *("cancel_prediction", "delete_prediction", "prediction.cancel", "prediction.delete"),
)
_ENDING = {
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
    Difference("khaya", _HEARING, "content-type", "application/json", "audio/wav", "the body is audio"),
    Difference("khaya", _LISTING, "content-type", "application/json", ABSENT, _NO_BODY),
    Difference("skytells", _LOOKING, "content-type", "application/json", ABSENT, _NO_BODY),
    Difference("skytells", ("predict",), "body await", ABSENT, False, "`create` always says whether it waits"),
    Difference(
        "skytells", ("run", "run: everything", *_ENDING), "body await", True, False,
        "a timeout while the server waits would lose the id of a job that is paid for",
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
