"""`Finding`: the result of a check of `kellyapi doctor`, and how findings are shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from attrs import evolve, frozen

State = Literal["ok", "note", "warning", "problem"]


@frozen(kw_only=True)
class Finding:
    """The result of a check. It has no key, no password, no name of a user and no text that a provider sent."""

    check: str
    """Such as "proxy"."""
    state: State
    message: str
    provider: str | None = None
    remedy: str | None = None
    details: tuple[str, ...] = ()


def merge_equal(findings: Iterable[Finding]) -> list[Finding]:
    """Join the findings of one provider that say the same, such as a refused key in each of its calls."""
    first: dict[object, Finding] = {}
    for each in findings:
        key = (each.provider, each.state, each.message) if each.state == "problem" and not each.details else id(each)
        known = first.get(key)
        first[key] = each if known is None else evolve(known, check=f"{known.check}, {each.check}")
    return list(first.values())


def report_lines(findings: Sequence[Finding]) -> Iterator[tuple[State, str]]:
    """Format findings as lines of text, each with the state that it belongs to."""
    for each in findings:
        place = " ".join(filter(None, (each.provider, each.check)))
        yield each.state, f"{each.state:<8} {place}: {each.message}"
        for detail in each.details:
            yield each.state, f"{'':<9}  {detail}"
        if each.remedy:
            yield each.state, f"{'':<9}→ {each.remedy}"
    problems = count_problems(findings)
    yield ("problem", f"{problems} problem{'s' * (problems > 1)} found") if problems else ("ok", "no problem found")


def count_problems(findings: Iterable[Finding]) -> int:
    """Return how many findings are problems."""
    return sum(each.state == "problem" for each in findings)
