"""Format results and predictions as plain text. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import Attribute, AttrsInstance, asdict

from kellyapi import (
    ChatReply,
    ConfigurationError,
    Description,
    Image,
    KellyAPIError,
    Prediction,
    RequestTimeoutError,
    SkytellsModel,
    Speech,
    Transcript,
    Translation,
)

ServiceResult = Translation | Transcript | Speech | Image | Description | ChatReply

_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Replace the control characters of a text, which could change the state of the terminal."""
    return text.translate(_CONTROLS)


def clip(text: str, most: int = 60) -> str:
    """Shorten a text for a message."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def format_amount(number: float) -> str:
    """Format an amount of credits or money without an exponent: 0.00007, not 7e-05."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def format_bytes(done: int, total: int | None) -> str:
    """Format how much of a file has moved: 1.5 of 12.0 MiB."""
    return f"{done / 2**20:.1f} MiB" if total is None else f"{done / 2**20:.1f} of {total / 2**20:.1f} MiB"


def plain_fields(result: AttrsInstance) -> dict[str, Any]:
    """Return the fields of a result as plain values, without its bytes."""
    return asdict(result, filter=_is_shown)


def _is_shown(field: Attribute[Any], value: Any) -> bool:
    return not isinstance(value, bytes) and not (field.name == "intermediate" and value is None)


def result_text(result: ServiceResult) -> str:
    """Format a result for pipes and files.

    A transcript with times has one line per word or segment: start, end and text, separated by tabs.
    """
    if isinstance(result, Transcript) and (result.words or result.segments):
        return "\n".join("\t".join(row) for row in timed_rows(result))
    return str(result)


def timed_rows(transcript: Transcript) -> Iterator[tuple[str, str, str]]:
    """Yield (start, end, text) for each word or segment."""
    for word in transcript.words:
        yield f"{word.start:.2f}", f"{word.end:.2f}", word.word
    for segment in transcript.segments:
        yield f"{segment.start:.2f}", f"{segment.end:.2f}", segment.text


def result_facts(result: ServiceResult) -> str:
    """Format the facts about a result in one line: languages, length, size, provider."""
    match result:
        case Translation():
            between = [result.intermediate.target_language] if result.intermediate else []
            known: tuple[object, ...] = (" → ".join((result.source_language, *between, result.target_language)),)
        case Transcript():
            known = (result.language,)
        case Speech():
            rate = result.sample_rate and f"{result.sample_rate:,} Hz"
            known = (result.duration and f"{result.duration:.1f} s", rate, result.mime)
        case Image():
            credits = None if result.credits is None else f"{format_amount(result.credits)} credits"
            known = (result.width and f"{result.width} × {result.height} pixels", result.mime, credits)
        case ChatReply():
            known = (result.model,)
        case Description():
            known = ()
    return " · ".join(str(fact) for fact in (*known, result.provider) if fact)


def vector_line(vector: Sequence[float]) -> str:
    """Format a vector as one line, an array of JSON."""
    return f"[{','.join(map(repr, vector))}]"


def prediction_id(prediction: Prediction | str) -> str:
    """Return the id of a prediction, given as the id or as a state."""
    return prediction if isinstance(prediction, str) else prediction.id


def has_ended(prediction: Prediction | str | None) -> bool:
    """Return whether a prediction is known to have ended."""
    return isinstance(prediction, Prediction) and prediction.ended


def prediction_facts(state: Prediction) -> str:
    """Format the facts about a prediction in one line: status, progress, model, seconds, credits, error."""
    seconds, credits = state.metrics.predict_time, state.credits_used
    known = (
        str(state.status),
        None if state.ended or state.progress is None else f"{state.progress:g} %",
        state.model,
        None if seconds is None else f"{seconds:.1f} s",
        None if not credits and not state.ended else f"{format_amount(credits or 0)} credits",
        state.error,
    )
    return " · ".join(fact for fact in known if fact)


def interruption_message(prediction: Prediction | str | None, *, sandbox: bool) -> str:
    """Say after Ctrl-C what happens to a prediction."""
    if sandbox:
        return "interrupted: the sandbox has ended, and its predictions with it"
    if prediction is None:
        return (
            "interrupted before the prediction was known: it may have been created and billed, "
            "see kellyapi predictions list"
        )
    id = prediction_id(prediction)
    if has_ended(prediction):
        return f"interrupted: prediction {id} has ended; kellyapi predictions download {id} fetches its outputs"
    return f"interrupted: prediction {id} continues; kellyapi predictions follow {id} or cancel {id}"


def model_price(model: SkytellsModel) -> str:
    """Format the price of a model; an empty text if it has none."""
    price = model.pricing
    if price is None or price.amount is None:
        return ""
    return f"{format_amount(price.amount)} {price.currency or ''} per {price.unit or 'prediction'}"


def model_inputs(model: SkytellsModel) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and description of each input in the JSON Schema of a model."""
    schema: Any = model.input_schema or {}
    properties, required = schema.get("properties"), schema.get("required")
    for name, about in properties.items() if isinstance(properties, dict) else ():
        about = about if isinstance(about, dict) else {}
        needed = isinstance(required, list) and name in required
        default = "needed" if needed else "" if about.get("default") is None else str(about["default"])
        yield name, str(about.get("type", "")), default, str(about.get("description", ""))


def shell_remedy(error: KellyAPIError, *, waits: bool = False) -> str | None:
    """Return what to change on the command line, in place of an error's `remedy`, which is about code.

    `waits` says that the command waits for a prediction, whose `--timeout` does not limit single requests.
    """
    match error:
        case ConfigurationError(variables=(_, *_) as variables):
            return f"set {' or '.join(variables)}, or use --sandbox"
        case RequestTimeoutError(limit="total" | "idle" | "head") if not waits:
            return "raise it with --timeout SECONDS"
    return None


def error_message(error: Exception) -> str:
    """Format an error for a person. The name of its class is left out if the message is clear without it."""
    if isinstance(error, KellyAPIError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (ValueError, TypeError, ImportError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"
