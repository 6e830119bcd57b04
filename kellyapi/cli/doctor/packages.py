"""The check of the packages and extras of the library, and of their versions."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from itertools import zip_longest

from attrs import frozen

from .findings import Finding

_FOR_DEVELOPERS = {"bench", "docs", "examples", "test"}
_MODULES = {"pillow": "PIL"}
_MARKERS = {
    "python_version": f"{sys.version_info[0]}.{sys.version_info[1]}",
    "platform_python_implementation": platform.python_implementation(),
}


@frozen
class Requirement:
    """A package that the library or one of its extras needs."""

    name: str
    versions: str
    """Such as ">=3.14,<4"."""
    extra: str | None

    @property
    def problem(self) -> str | None:
        """Why the package cannot be used, if so."""
        if find_spec(_MODULES.get(self.name, self.name.replace("-", "_"))) is None:
            return f"{self.name} is missing"
        try:
            found = version(self.name)
        except PackageNotFoundError:
            return None
        return None if fits(found, self.versions) else f"{self.name} is {found}, and {self.versions} is needed"


def read_requirements(lines: Iterable[str]) -> Iterator[Requirement]:
    """Read the requirements in the metadata of a package, without those for other versions of Python.

    Source: https://packaging.python.org/en/latest/specifications/dependency-specifiers/
    """
    for line in lines:
        needed, _, marker = line.partition(";")
        found = re.match(r"([\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?([^)]*)\)?", needed.strip(), re.ASCII)
        extra = re.search(r"""extra\s*==\s*["']([\w-]+)""", marker)
        stated = [(name, re.findall(rf"""{name}\s*==\s*["']([^"']+)""", marker)) for name in _MARKERS]
        if found and all(not values or _MARKERS[name] in values for name, values in stated):
            yield Requirement(found[1].lower(), found[2].strip(), extra and extra[1])


def fits(found: str, wanted: str) -> bool:
    """Return whether a version is one of `wanted`, such as ">=3.14,<4"."""
    return all(_compare(found, *each) for each in re.findall(r"([<>=!~]=?)\s*([\d.]+)", wanted))


def _compare(found: str, operator: str, limit: str) -> bool:
    pairs = list(zip_longest(_numbers(found), _numbers(limit), fillvalue=0))
    ours, theirs = [a for a, _ in pairs], [b for _, b in pairs]
    return {">=": ours >= theirs, "<": ours < theirs, "==": ours == theirs, "!=": ours != theirs}.get(operator, True)


def _numbers(text: str) -> list[int]:
    release = re.match(r"\d+(\.\d+)*", text)
    return [int(each) for each in release[0].split(".")] if release else []


def check_packages() -> Iterator[Finding]:
    """Check the packages that the library needs, and those of each extra."""
    try:
        needed = list(read_requirements(requires("kellyapi") or ()))
    except PackageNotFoundError:
        remedy = "install it, so that its requirements are known: pip install -e ."
        yield Finding(check="packages", state="note", message="kellyapi is not installed as a package", remedy=remedy)
        return
    base = [each for each in needed if each.extra is None]
    if wrong := [problem for each in base if (problem := each.problem)]:
        remedy = "install the library again: pip install --upgrade kellyapi"
        yield Finding(check="packages", state="problem", message="; ".join(wrong), remedy=remedy)
    else:
        shown = ", ".join(f"{each.name} {_version(each.name)}" for each in base)
        yield Finding(check="packages", state="ok", message=shown)
    for extra in sorted({each.extra for each in needed if each.extra} - _FOR_DEVELOPERS):
        yield _check_extra(extra, [each for each in needed if each.extra == extra and each.name != "kellyapi"])


def _check_extra(extra: str, packages: list[Requirement]) -> Finding:
    wrong = [problem for each in packages if (problem := each.problem)]
    if not wrong:
        return Finding(check=f"extra {extra}", state="ok", message="installed")
    unused = len(wrong) == len(packages) and extra != "cli"
    message = "not installed" if unused else "; ".join(wrong)
    remedy = f'pip install "kellyapi[{extra}]"'
    return Finding(check=f"extra {extra}", state="note" if unused else "warning", message=message, remedy=remedy)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"
