"""Results of the library from what the methods of a user's own provider return."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

import attrs

from .._data.media_types import UNKNOWN_TYPE, sniff
from ..errors import DecodingError
from .embed import Embeddings, check_vectors
from .own_methods import OwnMethod
from .service_result import ServiceResult

_FIELDS_OF_ARGUMENTS = {"source_language": "source", "target_language": "target", "language": "language"}
"""The fields of results that repeat an argument, and the argument."""


def as_result(method: OwnMethod, value: Any, arguments: Any) -> Any:
    """Return what a method returned as the result of its service."""
    kind = method.service.result
    if get_origin(kind) is not tuple:
        result = _one_result(method, kind, value, arguments)
        return check_vectors(result, len(arguments.texts)) if isinstance(result, Embeddings) else result
    item = get_args(kind)[0]
    if not isinstance(value, (tuple, list)):
        raise DecodingError(f"{method.title} must return a list of {item.__name__}, not {type_name(value)}")
    return _several_results(method, item, value, arguments)


def _several_results(method: OwnMethod, kind: type[Any], values: Sequence[Any], arguments: Any) -> tuple[Any, ...]:
    """Return values as results. If one is wrong, or if there are too few, the error has the others as `partial`."""
    made, failure = [], None
    for value in values:
        try:
            made.append(_one_result(method, kind, value, arguments))
        except DecodingError as error:
            failure = failure or error
    if failure is None and len(made) < arguments.n:
        failure = DecodingError(f"{method.title} returned {len(made)} of {arguments.n} results")
    if failure is not None:
        failure.partial = tuple(made) or None
        raise failure
    return tuple(made)


def _one_result(method: OwnMethod, kind: type[Any], value: Any, arguments: Any) -> Any:
    if isinstance(value, kind):
        result = copy.copy(value)  # it gets `tried` too, and may be one that the provider keeps
        if isinstance(result, ServiceResult):
            object.__setattr__(result, "provider", method.name)
        return result
    fields = attrs.fields_dict(kind)
    if isinstance(value, str) and "text" in fields:
        facts: dict[str, Any] = {"text": value}
    elif isinstance(value, (bytes, bytearray, memoryview)) and (name := _bytes_field(fields)):
        if not len(value):
            raise DecodingError(f"{method.title} returned no bytes")
        data = bytes(value)
        facts = {name: data, "mime": sniff(data) or UNKNOWN_TYPE}
    elif "vectors" in fields and (vectors := _read_vectors(value)) is not None:
        facts = {"vectors": vectors}
    else:
        plain = "rows of numbers" if "vectors" in fields else "bytes" if _bytes_field(fields) else "str"
        raise DecodingError(f"{method.title} must return {kind.__name__} or {plain}, not {type_name(value)}")
    repeated = {field: getattr(arguments, name) for field, name in _FIELDS_OF_ARGUMENTS.items() if field in fields}
    return kind(**facts, **repeated, provider=method.name)


def _bytes_field(fields: Mapping[str, attrs.Attribute[Any]]) -> str | None:
    return next((name for name, about in fields.items() if about.type in (bytes, "bytes")), None)


def _read_vectors(value: Any) -> tuple[tuple[float, ...], ...] | None:
    """Return rows of numbers, also those of an array of NumPy; `None` for anything else."""
    rows = [_as_list(row) for row in _as_list(value) or [None]]
    try:
        return tuple(tuple(map(float, row)) for row in rows)
    except (TypeError, ValueError):
        return None


def _as_list(value: Any) -> Any:
    """Return a list or an array of NumPy as a list; `None` for anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value
    return value if isinstance(value, (list, tuple)) else None


def type_name(value: Any) -> str:
    """Return the name of a value's type for errors."""
    return "None" if value is None else type(value).__name__
