"""Results and predictions as plain text: one line of facts, columns, amounts. Nothing is drawn or printed here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kellyapi import (
    ChatReply,
    Image,
    KellyAPIError,
    Prediction,
    SkytellsModel,
    Speech,
    Transcript,
    Translation,
)

ServiceResult = Translation | Transcript | Speech | Image | ChatReply

_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def printable(text: str) -> str:
    """Replace the control characters of a text, which could steer the terminal."""
    return text.translate(_CONTROLS)


def format_amount(number: float) -> str:
    """Write a number of credits or money without an exponent: 0.00007, not 7e-05."""
    return f"{number:.10f}".rstrip("0").rstrip(".")


def result_text(result: ServiceResult) -> str:
    """Write a result for pipes and files; a transcript with times has one line per word or segment, between tabs."""
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
    """Write the facts about a result in one line: languages, length, size, provider."""
    match result:
        case Translation():
            known: tuple[object, ...] = (f"{result.source_language} → {result.target_language}",)
        case Transcript():
            known = (result.language, *result.warnings)
        case Speech():
            rate = result.sample_rate and f"{result.sample_rate:,} Hz"
            known = (result.duration and f"{result.duration:.1f} s", rate, result.mime)
        case Image():
            known = (result.width and f"{result.width} × {result.height} pixels", result.mime)
        case _:
            known = (result.model,)
    return " · ".join(str(fact) for fact in (*known, result.provider) if fact)


def prediction_id(prediction: Prediction | str) -> str:
    """Return the id of a prediction, given as its last state or as the id."""
    return prediction if isinstance(prediction, str) else prediction.id


def has_ended(prediction: Prediction | str | None) -> bool:
    """Tell whether a prediction is known to have ended."""
    return isinstance(prediction, Prediction) and prediction.ended


def prediction_facts(state: Prediction) -> str:
    """Write the facts about a prediction in one line: status, progress, model, seconds, credits, error."""
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
    return f"interrupted: prediction {id} goes on; kellyapi predictions follow {id} or cancel {id}"


def model_price(model: SkytellsModel) -> str:
    """Write the price of a model, or nothing when it has none."""
    price = model.pricing
    if price is None or price.amount is None:
        return ""
    return f"{format_amount(price.amount)} {price.currency or ''} per {price.unit or 'prediction'}"


def model_inputs(model: SkytellsModel) -> Iterator[tuple[str, str, str, str]]:
    """Yield (name, type, default, description) of each input in the model's JSON Schema; other forms are left out."""
    schema: Any = model.input_schema or {}
    properties, required = schema.get("properties"), schema.get("required")
    for name, about in properties.items() if isinstance(properties, dict) else ():
        about = about if isinstance(about, dict) else {}
        needed = isinstance(required, list) and name in required
        default = "needed" if needed else "" if about.get("default") is None else str(about["default"])
        yield name, str(about.get("type", "")), default, str(about.get("description", ""))


def error_message(error: Exception) -> str:
    """Write an error for a person: without the name of its class where the message says enough."""
    if isinstance(error, KellyAPIError):
        doubt = "; it may have been carried out and billed" if error.outcome_unknown else ""
        return f"{error}{doubt}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, (ValueError, TypeError, ImportError)) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error}"
