"""Normal form of the results of official clients and ours: dicts with wire names, without empty values."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from pydantic import BaseModel


def normalize(value: Any) -> Any:
    """Return the normal form of a dict, a pydantic model or a result of ours."""
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True)
    if attrs.has(type(value)):
        value = {each.metadata.get("json", each.name): getattr(value, each.name) for each in attrs.fields(type(value))}
    if isinstance(value, dict):
        return {
            name: normalized for name, item in value.items() if (normalized := normalize(item)) not in (None, {}, [])
        }
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [normalize(item) for item in value] if isinstance(value, (list, tuple)) else value


def normalize_prediction(value: Any) -> Any:
    """Return the normal form of a prediction, whose model may be an object or a name."""
    normalized = normalize(value)
    model = normalized.get("model")
    return {**normalized, "model": model["name"]} if isinstance(model, dict) else normalized
