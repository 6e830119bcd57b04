"""Prices of models, and what a prediction will cost.

Source: https://github.com/skytells/ts-sdk (src/types/model.types.ts)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import reduce
from operator import mul
from typing import Any

from attrs import frozen

from .enums import PricingOperator, PricingUnit


@frozen
class PriceRule:
    """A price that applies if a field of the input has a certain value."""

    field: str | None = None
    description: str | None = None
    operator: PricingOperator | str | None = None
    value: object = None
    billable_price: float | None = None
    unit: str | None = None


@frozen
class Pricing:
    """The price of a model."""

    amount: float | None = None
    currency: str | None = None
    unit: PricingUnit | str | None = None
    """The unit that `amount` is for."""
    criterias: tuple[PriceRule, ...] = ()
    """Prices that depend on the input."""
    formula: dict[str, object] | None = None
    """How the price is computed, as the provider states it."""


@frozen
class PriceEstimate:
    """What a prediction will cost, computed from the price of its model."""

    amount: float
    currency: str | None
    explanation: str
    """How the amount was computed, such as "4 seconds × 0.2 per second"."""


_Factors = tuple[tuple[Decimal, str], ...]
"""Numbers to multiply, each with its name."""

_OPERATORS = frozenset(PricingOperator)
_COUNTS = ("num_outputs", "num_images", "number_of_images", "n")
_DURATIONS = ("duration", "duration_seconds", "seconds")
_SECONDS = {
    **dict.fromkeys(("second", "audio_second", "video_second"), (1, "seconds")),
    "5 seconds": (5, "× 5 seconds"),
    "minute": (60, "minutes"),
}
_PIXELS = 1_000_000
_LINKS = ("http://", "https://", "data:")


def estimate_price(pricing: Pricing, input: Mapping[str, Any]) -> PriceEstimate | None:
    """Return the price of a prediction; `None` if it depends on more than the input.

    Args:
        pricing: The price of the model.
        input: The input of the prediction, with the defaults of the model.
    """
    rules = [rule for rule in pricing.criterias if rule.field is not None and input.get(rule.field) is not None]
    if any(rule.operator not in _OPERATORS for rule in rules):
        return None
    rules = [rule for rule in rules if rule.field and _as_text(input[rule.field]) == _as_text(rule.value)]
    prices = {(rule.billable_price, rule.unit or pricing.unit) for rule in rules} or {(pricing.amount, pricing.unit)}
    if pricing.formula and not rules:
        terms = _formula_terms(pricing.formula, input)
    elif len(prices) == 1:
        ((amount, unit),) = prices
        terms = None if amount is None else _unit_terms(_decimal(amount), str(unit), input)
    else:
        terms = None  # the provider does not say which of the rules holds
    if terms is None:
        return None
    total = sum((reduce(mul, (number for number, _ in term)) for term in terms), Decimal())
    if total < 0:
        return None
    reason = "".join(f"; {rule.field} is {_as_text(rule.value)}" for rule in rules[:1])
    return PriceEstimate(float(total), pricing.currency, " + ".join(map(_explain, terms)) + reason)


def _unit_terms(amount: Decimal, unit: str, input: Mapping[str, Any]) -> list[_Factors] | None:
    """Return the price of as many units as the input states; `None` for units that are counted during the work."""
    price = (amount, f"per {unit}")
    if unit in ("prediction", "video"):
        return [(price,)]
    count = _count(input)
    if unit == "image" and count is not None:
        return [(count, price)]
    if unit in ("image_megapixel", "megapixel") and count is not None and (pixels := _megapixels(input)) is not None:
        return [(count, (pixels, "megapixels"), price)]
    if unit in _SECONDS and (seconds := _find_number(input, _DURATIONS)) is not None:
        length, name = _SECONDS[unit]
        return [((seconds / length, name), price)]
    return None


def _formula_terms(formula: Mapping[str, Any], input: Mapping[str, Any]) -> list[_Factors] | None:
    """Return the terms of a formula that adds megapixels × rate."""
    stated, variables = formula.get("terms"), formula.get("variables")
    terms: list[_Factors] = []
    for term in stated if isinstance(stated, list) else ():
        if not (isinstance(term, dict) and isinstance(variables, dict)):
            return None
        kind, key = str(term.get("megapixel_type")), str(term.get("megapixels_key"))
        rate, pixels = _find_number(variables, [str(term.get("rate_key"))]), _find_number(input, [key])
        if pixels is None and kind == "output":
            pixels, count = _megapixels(input), _count(input)
            pixels = None if pixels is None or count is None else pixels * count[0]
        elif pixels is None and kind == "input" and not _has_link(input):
            pixels = Decimal()
        if rate is None or pixels is None:
            return None
        terms.append(((pixels, f"{kind} megapixels"), (rate, "per megapixel")))
    return terms or None


def _explain(factors: _Factors) -> str:
    return " × ".join(f"{_plain(Decimal(f'{number:.10g}'))} {name}" for number, name in factors)


def _count(input: Mapping[str, Any]) -> tuple[Decimal, str] | None:
    """Return how many images are wanted, one by default; `None` if the number cannot be read."""
    stated = [name for name in _COUNTS if input.get(name) is not None]
    found = _find_number(input, stated) if stated else Decimal(1)
    return None if found is None else (found, "image" if found == 1 else "images")


def _megapixels(input: Mapping[str, Any]) -> Decimal | None:
    width, height = _find_number(input, ["width"]), _find_number(input, ["height"])
    return None if width is None or height is None else width * height / _PIXELS


def _find_number(values: Mapping[str, Any], names: Iterable[str]) -> Decimal | None:
    """Return the first of the named values that is a usable number."""
    found = (values.get(name) for name in names)
    numbers = (_decimal(value) for value in found if isinstance(value, (int, float)) and not isinstance(value, bool))
    return next((number for number in numbers if number.is_finite() and number >= 0), None)


def _decimal(number: float) -> Decimal:
    """Return a number as it is written, so that 3 × 0.03 is 0.09."""
    return Decimal(str(number))


def _plain(number: Decimal) -> str:
    """Write a number without an exponent and without zeros at its end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _as_text(value: Any) -> str:
    """Write a value so that a number, or true and false, equals the text of it."""
    if isinstance(value, bool):
        return str(value).lower()
    return _plain(_decimal(value)) if isinstance(value, (int, float)) else str(value)


def _has_link(value: Any) -> bool:
    """Return whether an input may name pictures."""
    if isinstance(value, Mapping):
        return any(map(_has_link, value.values()))
    return (
        value.startswith(_LINKS) if isinstance(value, str) else isinstance(value, list) and any(map(_has_link, value))
    )
