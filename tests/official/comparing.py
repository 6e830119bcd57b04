"""Puts what an official client gives and what ours gives into one form: wire names, without what is empty."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import attrs
from pydantic import BaseModel


def told(value: Any) -> Any:
    """Give a dict, a model of pydantic's or a value of ours in the one form."""
    if isinstance(value, BaseModel):
        value = value.model_dump(by_alias=True)
    if attrs.has(type(value)):
        value = {each.metadata.get("wire", each.name): getattr(value, each.name) for each in attrs.fields(type(value))}
    if isinstance(value, dict):
        return {name: form for name, item in value.items() if (form := told(item)) not in (None, {}, [])}
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return [told(item) for item in value] if isinstance(value, (list, tuple)) else value


def told_prediction(value: Any) -> Any:
    """The same of a prediction, whose model is an object or its name."""
    form = told(value)
    model = form.get("model")
    return {**form, "model": model["name"]} if isinstance(model, dict) else form
