"""The table of the design: who may import whom, read from the sources and not from what happens to be loaded."""

from __future__ import annotations

import ast
import fnmatch
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

import kellyapi

ROOT = Path(kellyapi.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py" or path.parent == ROOT
}
TREES = {module: ast.parse(path.read_text("utf-8")) for module, path in FILES.items()}

PURE_BASE = {"errors", "wire"}
PUBLIC = {"", "languages"}
"""The package itself, whose names are public, and the tables for pickers."""
ALL_BUT_FRONT_ENDS = {
    *PURE_BASE,
    "events",
    "retry",
    "limits",
    "json_text",
    "decoding",
    "polling",
    "threads",
    "media",
    "saving",
    "downloads",
    "config",
    "sessions",
    "transport",
    "reading",
    "connection",
    "streams",
    "core",
    "services.*",
    "providers.*",
    "client",
    "legacy",
    "api",
}
MAY_IMPORT: dict[str, set[str]] = {
    "__init__": {"*"},
    "errors": set(),
    "wire": set(),
    "languages": set(),
    "threads": set(),
    "json_text": set(),
    **dict.fromkeys(["events", "retry", "limits", "decoding", "polling", "config"], PURE_BASE),
    **dict.fromkeys(["media", "saving"], PURE_BASE | {"threads"}),
    "sessions": set(),
    "transport": PURE_BASE | {"config", "sessions"},
    "reading": PURE_BASE | {"retry", "json_text", "decoding"},
    "connection": PURE_BASE | {"retry", "limits", "json_text", "reading", "threads"},
    "streams": PURE_BASE | {"connection", "json_text", "events", "reading", "threads"},
    "downloads": PURE_BASE | {"connection", "retry", "saving"},
    "core": PURE_BASE | {"downloads", "connection", "streams", "config", "retry", "limits", "media", "transport"},
    "services.*": PURE_BASE | {"media", "saving", "decoding", "streams", "services.*"},
    "providers.*": PURE_BASE
    | {"core", "streams", "services.*", "media", "saving", "polling", "retry", "json_text", "decoding"},
    "client": ALL_BUT_FRONT_ENDS | {"sandbox.app"},
    "legacy": ALL_BUT_FRONT_ENDS,
    "api": ALL_BUT_FRONT_ENDS,
    "sync": PUBLIC,
    "testing": PUBLIC,
    "sandbox.*": PUBLIC | {"sandbox.*"},
    "cli.*": PUBLIC | {"cli.*"},
}
LATE = {("core", "transport"), ("client", "sandbox.app")}
"""Imported only by the function that needs it: aiohttp and the sandbox stay unloaded until then."""
SERVES_LATE = {"providers.skytells.receiver"}
"""Imports aiohttp's server in the function that makes routes: a client that receives nothing does not load it."""
PURE = ("errors", "wire", "events", "retry", "json_text", "decoding", "polling", "providers.skytells.webhooks")


@frozen
class Import:
    """One import of one name."""

    module: str
    """As Python would resolve it: "kellyapi.wire", "aiohttp"."""
    name: str | None
    late: bool
    """Inside a function, or read by type checkers alone."""


def imports(module: str) -> Iterator[Import]:
    """Find every import of a file, those in functions and under TYPE_CHECKING too."""
    package = ["kellyapi", *module.split(".")[:-1]]

    def walk(node: ast.AST, late: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, None, late) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (Import(source, alias.name, late) for alias in node.names)
        late = late or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        late = late or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        for child in ast.iter_child_nodes(node):
            yield from walk(child, late)

    yield from walk(TREES[module], late=False)


def ours(one: Import) -> str | None:
    """Give the module of ours that is imported: "" for the package itself, `None` for what is not ours."""
    if one.module != "kellyapi" and not one.module.startswith("kellyapi."):
        return None
    inside = one.module.removeprefix("kellyapi").removeprefix(".")
    deeper = f"{inside}.{one.name}".removeprefix(".")
    return deeper if deeper in FILES else inside


def rule(module: str) -> set[str]:
    """Give the row of the table for a file; a file without one belongs nowhere."""
    (row,) = [row for row in MAY_IMPORT if fnmatch.fnmatchcase(module, row)]
    return MAY_IMPORT[row]


def matches(name: str, patterns: set[str]) -> bool:
    """Tell whether a module is in a row of the table."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


@pytest.mark.parametrize("module", FILES)
def test_a_file_imports_only_what_the_table_allows(module: str) -> None:
    allowed = set(rule(module))
    if module.startswith("providers."):
        allowed |= {".".join(module.split(".")[:2]) + ".*"}  # its own folder; never another provider
    found = {name for one in imports(module) if (name := ours(one)) is not None}
    assert not {name for name in found if not matches(name, allowed)}


@pytest.mark.parametrize("module", FILES)
def test_what_is_imported_late_is_imported_late(module: str) -> None:
    assert not [one for one in imports(module) if (module, ours(one)) in LATE and not one.late]


@pytest.mark.parametrize("module", FILES)
def test_front_ends_use_public_names_only(module: str) -> None:
    used = {one.name for one in imports(module) if one.module == "kellyapi" and ours(one) == ""}
    assert used <= {*kellyapi.__all__, "__version__", None}


@pytest.mark.parametrize("module", FILES)
def test_only_the_transport_and_its_sessions_import_aiohttps_client(module: str) -> None:
    found = [one for one in imports(module) if one.module.split(".")[0] == "aiohttp"]
    if module not in ("sessions", "transport"):
        # The others read the forms that a server gets, and keep what it answers.
        server = {"web", "aiohttp.web", "BodyPartReader", "AbstractStreamWriter"}
        serves = module.startswith("sandbox.") or module in SERVES_LATE
        assert {one.name or one.module for one in found} <= (server if serves else set())
        assert module not in SERVES_LATE or all(one.late for one in found)


@pytest.mark.parametrize("module", [module for module in FILES if module in PURE])
def test_a_pure_file_has_no_await_clock_dice_or_file(module: str) -> None:
    impure = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node.lineno for node in ast.walk(TREES[module]) if isinstance(node, impure)]
    assert not {one.module for one in imports(module)} & {"asyncio", "time", "random", "secrets", "threading", "socket"}
    calls = {ast.unparse(node.func) for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)}
    assert not {
        call for call in calls if call.split(".")[-1] in {"open", "now", "utcnow", "today", "monotonic", "sleep"}
    }


def test_the_packages_inside_say_nothing() -> None:
    inside = [path for path in ROOT.rglob("__init__.py") if path.parent != ROOT]
    assert inside
    assert not [path for path in inside if path.read_bytes()]


LONGEST = {"core": 340}
"""Lines. A verb more, the options and the life of a client in one file: each client and group is made of all three."""


@pytest.mark.parametrize("module", FILES)
def test_no_file_is_longer_than_320_lines(module: str) -> None:
    assert len(FILES[module].read_text("utf-8").splitlines()) <= LONGEST.get(module, 320)


# Public names


def test_the_two_lists_of_public_names_agree() -> None:
    block = next(node for node in TREES["__init__"].body if isinstance(node, ast.If))
    typed = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        for alias in node.names:
            assert alias.asname == alias.name  # or type checkers take it for private
            typed[alias.name] = node.module
    assert typed == kellyapi._MODULE_OF
    assert kellyapi.__all__ == sorted(typed)


@pytest.mark.parametrize("name", kellyapi.__all__)
def test_each_public_name_is_there_and_listed(name: str) -> None:
    value = getattr(kellyapi, name)
    assert value is not None
    assert name in dir(kellyapi)
    module = getattr(value, "__module__", None)
    assert module is None or module.startswith("kellyapi.")


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'kellyapi' has no attribute 'Kely'"):
        kellyapi.Kely  # noqa: B018  looking is the test


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, json, kellyapi; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(printed))
    assert {name for name in loaded if name.split(".")[0] == "kellyapi"} == {"kellyapi"}
    assert not {name.split(".")[0] for name in loaded} & {"aiohttp", "attr", "attrs", "cattr", "cattrs", "asyncio"}


def test_naming_a_client_imports_no_aiohttp_and_no_sandbox() -> None:
    code = "import sys, json, kellyapi; kellyapi.KellyAPI; kellyapi.Khaya; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    loaded = set(json.loads(printed))
    assert "kellyapi.client" in loaded
    assert not [name for name in loaded if name.startswith(("aiohttp", "kellyapi.sandbox", "kellyapi.cli."))]


# Docstrings


def own_members(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the public functions, methods and properties of a class of ours, inherited ones too."""
    for kind in value.__mro__ if inspect.isclass(value) else ():
        if kind.__module__.startswith("kellyapi."):
            for name, member in vars(kind).items():
                callable_ = getattr(member, "__func__", member)
                if not name.startswith("_") and (inspect.isfunction(callable_) or isinstance(member, property)):
                    yield f"{kind.__name__}.{name}", callable_


@pytest.mark.parametrize("name", [name for name in kellyapi.__all__ if callable(getattr(kellyapi, name))])
def test_each_public_name_and_method_has_a_docstring(name: str) -> None:
    value = getattr(kellyapi, name)
    assert value.__doc__
    assert not [member for member, function in own_members(value) if not function.__doc__]


def provider_methods() -> Iterator[tuple[str, str]]:
    """Give each public method of the providers with its docstring."""
    for module, tree in TREES.items():
        classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
        for cls in classes if module.startswith("providers.") else ():
            for node in cls.body:
                if (
                    isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
                    and not node.name.startswith("_")
                    and not {ast.unparse(one) for one in node.decorator_list} & {"property", "overload"}
                ):
                    yield f"{module}.{cls.name}.{node.name}", ast.get_docstring(node) or ""


@pytest.mark.parametrize(("method", "docstring"), list(provider_methods()))
def test_each_method_of_a_provider_ends_with_its_source(method: str, docstring: str) -> None:
    last = docstring.split("\n\n")[-1]
    assert last.startswith("Source: https://")
