"""Find the inputs of a model for the size, the length and the number of outputs that a user wants.

Each model names its inputs itself, and the catalogue has their JSON Schema. The names here are those that models of
several makers use.

Source: https://learn.skytells.ai/docs/api/v1/models/schemas, https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import gcd, isfinite
from operator import ge, gt, index, le, lt
from typing import Any

from ..._data.text import excerpt
from ...services.routing import UnsupportedArgument

Schema = Mapping[str, Any]
Rule = Mapping[str, Any]
"""What one input accepts: the keywords of JSON Schema, without references."""

NAMES: Mapping[str, tuple[str, ...]] = {
    "width": ("width", "image_width", "output_width"),
    "height": ("height", "image_height", "output_height"),
    "negative_prompt": ("negative_prompt", "negative"),
    "image": ("image", "input_image", "start_image", "first_frame_image", "image_url", "init_image", "images"),
    "duration": ("duration", "duration_seconds", "seconds", "length_seconds", "video_length", "length"),
    "lyrics": ("lyrics", "lyrics_prompt", "lyric"),
}
"""The names that models have for an argument; the first that the model has is used."""
COUNTS = ("num_outputs", "num_images", "number_of_images", "image_count", "n", "batch_size")
_SIZES = ("size", "image_size", "output_size", "resolution", "dimensions")
_RATIOS = ("aspect_ratio", "ratio")
_SIZE = re.compile(r"(\d+)\s*([x×*])\s*(\d+)", re.IGNORECASE)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*[:/]\s*(\d+(?:\.\d+)?)")
_FILE = "data:,"
"""Stands for a file, which is sent as a `data:` URL."""
_MAX_DEPTH = 8
_MAX_RULES = 50
"""How many alternatives of one input are read: a server may nest them without end."""


def fit_input(model: str, schema: Schema | None, **arguments: Any) -> dict[str, Any]:
    """Return the inputs of a model for arguments of a user; `None` stands for one that was not passed.

    Raises:
        UnsupportedArgument: The model has no input for an argument, or its input does not accept the value.
    """
    given = {name: _as_plain(value) for name, value in arguments.items() if value is not None}
    inputs = _read_inputs(schema)
    found: dict[str, Any] = {}
    if {"width", "height"} <= given.keys() and not (_name_of(inputs, "width") and _name_of(inputs, "height")):
        width, height = given.pop("width"), given.pop("height")
        found |= _fit_size(model, inputs, width, height) or _fit_ratio(model, inputs, width, height)
        if not found:
            raise _no_input(model, inputs, "width and height")
    elif given.keys() & {"width", "height"}:
        found |= _own_size(inputs)
    for argument, value in given.items():
        name = _name_of(inputs, argument)
        if name is None:
            raise _no_input(model, inputs, argument)
        is_file = not isinstance(value, (str, int, float))
        form = _fit(f"{argument} of {model}", _FILE if is_file else value, inputs[name])
        found[name] = form if not is_file else [value] if isinstance(form, list) else value
    return found


def split_count(schema: Schema | None, n: int) -> list[dict[str, int]]:
    """Return the inputs of the predictions that together make `n` outputs, as few as the model allows."""
    inputs = _read_inputs(schema)
    name = next((name for name in COUNTS if name in inputs), None)
    if name is None:
        return [{}] * n
    parts: list[dict[str, int]] = []
    left = n
    while left:
        forms = ((part, _form(part, inputs[name])) for part in range(left, 0, -1))
        part, form = next((found for found in forms if found[1] is not None), (1, None))
        parts += [{} if form is None else {name: form}] * (left // part)
        left %= part
    return parts


def _as_plain(value: Any) -> Any:
    """Return a whole number of another library, such as NumPy, as an `int`, and other values as they are."""
    return index(value) if hasattr(type(value), "__index__") else value


def _fit_size(model: str, inputs: Mapping[str, Sequence[Rule]], width: int, height: int) -> dict[str, Any]:
    """Return the input for a size in pixels, such as "768x512"; empty if the model has none."""
    refusals = []
    for name, rule in _rules_of(inputs, _SIZES):
        sides = rule.get("properties")
        if isinstance(sides, Mapping) and {"width", "height"} <= sides.keys():
            return {name: fit_input(model, rule, width=width, height=height)}
        texts = _texts(rule)
        known = {text: found for text in texts if (found := _SIZE.fullmatch(text))}
        exact = (text for text, found in known.items() if (int(found[1]), int(found[3])) == (width, height))
        if right := next(exact, None):
            return {name: right}
        if "enum" in rule and known:
            refusals.append(f"the size of {model} must be {_either(known)}, not {width}x{height}")
        elif "enum" not in rule and rule.get("type") == "string" and (known or not texts):
            cross = next((found[2] for found in known.values()), "x")
            return {name: f"{width}{cross}{height}"}
    if refusals:
        raise UnsupportedArgument(refusals[0])
    return {}


def _fit_ratio(model: str, inputs: Mapping[str, Sequence[Rule]], width: int, height: int) -> dict[str, Any]:
    """Return the input for an aspect ratio that is exactly the wanted one; empty if the model has none."""
    for name, rule in _rules_of(inputs, _RATIOS):
        texts = _texts(rule)
        known = {text: found for text in texts if (found := _RATIO.fullmatch(text))}
        exact = (text for text, found in known.items() if Fraction(found[1]) * height == Fraction(found[2]) * width)
        if right := next(exact, None):
            return {name: right}
        shown = f"{width // gcd(width, height)}:{height // gcd(width, height)}"
        if "enum" in rule and known:
            problem = f"not {shown}, which is {width} x {height}"
            raise UnsupportedArgument(f"the aspect ratio of {model} must be {_either(known)}, {problem}")
        if "enum" not in rule and rule.get("type") == "string" and (known or not texts):
            return {name: shown}
    return {}


def _own_size(inputs: Mapping[str, Sequence[Rule]]) -> dict[str, Any]:
    """Return the input that makes a model use the width and the height instead of its aspect ratio."""
    return next(({name: "custom"} for name, rule in _rules_of(inputs, _RATIOS) if "custom" in _texts(rule)), {})


def _no_input(model: str, inputs: Mapping[str, Any], argument: str) -> UnsupportedArgument:
    if not inputs:
        return UnsupportedArgument(f"the catalogue does not say whether {model} has an input for {argument}")
    names = excerpt(", ".join(sorted(inputs)))
    alone = argument in ("width", "height") and inputs.keys() & {*_SIZES, *_RATIOS}
    both = ": pass width and height" if alone else ""
    return UnsupportedArgument(f"{model} has no input for {argument}{both}; its inputs are {names}")


def _name_of(inputs: Mapping[str, Any], argument: str) -> str | None:
    return next((name for name in NAMES[argument] if name in inputs), None)


def _rules_of(inputs: Mapping[str, Sequence[Rule]], names: Sequence[str]) -> Iterator[tuple[str, Rule]]:
    return ((name, rule) for name in names for rule in inputs.get(name, ()))


def _texts(rule: Rule) -> list[str]:
    """Return the values that a rule names: all that it accepts, or its default."""
    named = rule["enum"] if isinstance(rule.get("enum"), list) else [rule.get("default")]
    return [text for text in named if isinstance(text, str)]


def _fit(what: str, value: Any, rules: Sequence[Rule]) -> Any:
    """Return a value in the form that an input accepts."""
    form = _form(value, rules)
    if form is None:
        shown = f"{len(value):,} characters" if isinstance(value, str) else value
        raise UnsupportedArgument(f"{what} must {_problem(next(_forms(value, {})), rules[0])}, not {shown}")
    return form


def _form(value: Any, rules: Sequence[Rule]) -> Any:
    """Return the first form of a value that one of the rules accepts; `None` if none is accepted."""
    forms = (form for rule in rules for form in _forms(value, rule) if _problem(form, rule) is None)
    return next(forms, None)


def _forms(value: Any, rule: Rule) -> Iterator[Any]:
    """Yield a value, and in other forms that a model may want: a number as text, a file as a list of files."""
    if isinstance(value, (int, float)):
        value = int(value) if value == int(value) else value
    yield value
    if rule.get("type") == "array":
        yield [value]
    elif not isinstance(value, str) and ("enum" in rule or rule.get("type") == "string"):
        yield from (str(value), f"{value}s")


_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "array": (list,),
    "boolean": (),
    "object": (),
}


_MEASURES: Mapping[type, tuple[str, str]] = {str: ("Length", " characters"), list: ("Items", " items")}
_LIMITS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("at least", "min{}", ge),
    ("at most", "max{}", le),
    ("more than", "exclusiveMin{}", gt),
    ("less than", "exclusiveMax{}", lt),
)


def _problem(value: Any, rule: Rule) -> str | None:
    """Return what a value must do, or `None` if it follows the rule. A keyword that is malformed is left out."""
    choices, kind = rule.get("enum"), rule.get("type")
    if isinstance(choices, list):
        return None if value in choices else f"be {_either(choices) if choices else 'left out'}"
    if isinstance(kind, str) and not isinstance(value, _TYPES.get(kind, (object,))):
        return f"be {'an' if kind[:1] in 'aio' else 'a'} {kind}"
    size = len(value) if isinstance(value, (str, list)) else value
    suffix, unit = _MEASURES.get(type(value), ("imum", ""))
    for words, keyword, fits in _LIMITS:
        limit = _number(rule, keyword.format(suffix))
        if limit is not None and not fits(size, limit):
            return f"be {words} {limit:,}{unit}"
    step = _number(rule, "multipleOf") if isinstance(value, (int, float)) else None
    if step and Fraction(value) % Fraction(step):
        return f"be a multiple of {step:g}"
    return None


def _number(rule: Rule, keyword: str) -> float | None:
    value = rule.get(keyword)
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value) else None


def _either(values: Any) -> str:
    *others, last = map(str, values)
    return excerpt(" or ".join(filter(None, (", ".join(others), last))))


def _read_inputs(schema: Schema | None) -> dict[str, list[Rule]]:
    """Return the rules of each input. A value must follow one of them."""
    properties = (schema or {}).get("properties")
    inputs = properties.items() if isinstance(properties, Mapping) else ()
    return {name: _read_rules(about, schema or {}) for name, about in inputs}


def _read_rules(about: Any, root: Schema, depth: int = 0) -> list[Rule]:
    """Return the alternatives of a schema, with what it refers to put in place."""
    if not isinstance(about, Mapping) or depth > _MAX_DEPTH:
        return [{}]
    own: Rule = {name: value for name, value in about.items() if name not in _COMBINING}
    kinds = about.get("type")
    rules = [{**own, "type": kind} for kind in kinds] if isinstance(kinds, list) else [own]
    if "const" in about:
        rules = [{**rule, "enum": [about["const"]]} for rule in rules]
    for group in _groups(about, root):
        parts = [part for each in group for part in _read_rules(each, root, depth + 1)][:_MAX_RULES]
        rules = [{**rule, **part} for rule in rules for part in parts][:_MAX_RULES]
    return [rule for rule in rules if rule.get("type") != "null"] or [{}]


_COMBINING = frozenset({"$ref", "allOf", "anyOf", "oneOf"})


def _groups(about: Mapping[str, Any], root: Schema) -> Iterator[list[Any]]:
    """Yield groups of schemas. A value must fit one schema of each group."""
    if isinstance(reference := about.get("$ref"), str):
        target: Any = root
        for step in reference.removeprefix("#").split("/")[1:]:
            target = target.get(step) if isinstance(target, Mapping) else None
        yield [target]
    if isinstance(together := about.get("allOf"), list):
        yield from ([each] for each in together)
    for either in (about.get("anyOf"), about.get("oneOf")):
        if isinstance(either, list) and either:
            yield either
