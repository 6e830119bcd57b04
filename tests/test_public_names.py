"""The public names: two equal lists, imported when first used, documented."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import run_fresh

import kellyapi

ROOT = Path(kellyapi.__file__).parent


def test_the_two_lists_of_public_names_agree() -> None:
    tree = ast.parse((ROOT / "__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name  # or type checkers take it for private
            typed[alias.name] = node.module
    assert typed == kellyapi._MODULE_OF
    assert kellyapi.__all__ == sorted(typed)


def test_each_public_name_exists_and_is_listed() -> None:
    assert [name for name in kellyapi.__all__ if name not in dir(kellyapi)] == []
    values = {name: getattr(kellyapi, name) for name in kellyapi.__all__}
    assert [name for name, value in values.items() if value is None] == []
    modules = {name: getattr(value, "__module__", None) or "kellyapi." for name, value in values.items()}
    foreign = {
        name: module for name, module in modules.items() if not module.startswith(("kellyapi.", "typing", "types"))
    }
    assert foreign == {}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'kellyapi' has no attribute 'Kely'"):
        kellyapi.Kely  # noqa: B018  the access is the test


def loaded_by(code: str) -> set[str]:
    """Run code in another Python process, and return the modules that are loaded then."""
    code = f"import sys, json, kellyapi; {code}; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return set(json.loads(printed))


def test_importing_the_package_imports_nothing_else() -> None:
    loaded = loaded_by("pass")
    assert {name for name in loaded if name.split(".")[0] == "kellyapi"} == {"kellyapi"}
    assert not {name.split(".")[0] for name in loaded} & {"aiohttp", "attr", "attrs", "cattr", "cattrs", "asyncio"}


def test_naming_a_client_imports_no_aiohttp_and_no_sandbox() -> None:
    loaded = loaded_by("kellyapi.KellyAPI; kellyapi.Khaya")
    assert "kellyapi.client" in loaded
    assert not [name for name in loaded if name.startswith(("aiohttp", "kellyapi.sandbox", "kellyapi.cli."))]


def own_members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the public functions, methods and properties of a class of the package, inherited ones too."""
    for kind in value.__mro__ if inspect.isclass(value) else ():
        if kind.__module__.startswith("kellyapi."):
            for name, member in vars(kind).items():
                callable_ = getattr(member, "__func__", member)
                if not name.startswith("_") and (inspect.isfunction(callable_) or isinstance(member, property)):
                    yield f"{kind.__name__}.{name}", callable_


def test_each_public_name_and_method_has_a_docstring() -> None:
    values = {name: getattr(kellyapi, name) for name in kellyapi.__all__}
    values = {name: value for name, value in values.items() if inspect.isroutine(value) or inspect.isclass(value)}
    assert [name for name, value in values.items() if not value.__doc__] == []
    members = [each for value in values.values() for each in own_members(value)]
    assert len(members) > 100
    assert [name for name, member in members if not member.__doc__] == []


PROTOCOLS = {"ProviderClient", "Resource", "EventStream"}


def protocol_classes() -> Iterator[tuple[str, str]]:
    """Yield (class, docstrings of the class and its module) of each class of the providers that speaks a protocol."""
    for path in sorted((ROOT / "providers").rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for cls in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            if {ast.unparse(base).partition("[")[0] for base in cls.bases} & PROTOCOLS:
                yield cls.name, f"{ast.get_docstring(cls)}\n{ast.get_docstring(tree)}"


def test_each_protocol_names_its_source_once() -> None:
    documented = list(protocol_classes())
    assert documented
    assert [name for name, text in documented if text.count("Source: https://") != 1] == []


def test_importing_the_package_imports_neither_aiohttp_nor_asyncio_until_a_name_needs_them() -> None:
    script = """
import sys, kellyapi
assert not {"aiohttp", "asyncio", "attrs", "cattrs"} & set(sys.modules)
kellyapi.RetryPolicy
assert "aiohttp" not in sys.modules
kellyapi.Khaya("a-key")
assert "aiohttp" in sys.modules
"""
    assert run_fresh(script) == ""
