"""The import rules of the package, read from its sources."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from attrs import frozen

import kellyapi

ROOT = Path(kellyapi.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for path in sorted(ROOT.rglob("*.py"))
    if path.name != "__init__.py"
}

LAYERS = ("errors", "_data", "_core", "services", "providers")
"""Each may import itself and those before it."""
PUBLIC = {"", "languages"}
"""The package itself, whose names are public, and the tables for pickers."""
MAY_IMPORT = {
    **{layer: set(LAYERS[:place]) for place, layer in enumerate(LAYERS)},
    **dict.fromkeys(("client", "legacy", "api"), frozenset({*LAYERS, "client", "legacy"})),
    "sandbox": {*PUBLIC, "_data", "errors"},
    **dict.fromkeys(("cli", "testing"), frozenset(PUBLIC)),
    "__main__": {"cli"},
    "languages": {*PUBLIC, "_data"},
    "sync": {*PUBLIC, "_core", "_data"},
}
LATE = (("_core.provider_client", "_core.transport"), ("client", "sandbox.app"))
"""Imported only by the function that needs it: aiohttp and the sandbox stay unloaded until then."""
PURE = (
    "errors",
    "_data.decoding",
    "_data.json_text",
    "_data.text",
    "_core.messages",
    "_core.retry",
    "_core.sse",
    "providers.skytells.webhooks.verification",
)


@frozen
class Import:
    """One import of one name."""

    module: str
    """As Python would resolve it: "kellyapi._core.messages", "aiohttp"."""
    name: str | None
    late: bool
    """Inside a function, or read by type checkers alone."""

    @property
    def ours(self) -> str | None:
        """The imported module of this package: "" for the package itself, `None` for a foreign one."""
        if self.module.partition(".")[0] != "kellyapi":
            return None
        inside = self.module.removeprefix("kellyapi").removeprefix(".")
        deeper = f"{inside}.{self.name}".removeprefix(".")
        return deeper if deeper in FILES else inside


def parse(module: str) -> ast.Module:
    return ast.parse(FILES[module].read_text("utf-8"))


@cache
def imports(module: str) -> tuple[Import, ...]:
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

    return tuple(walk(parse(module), late=False))


def layer_of(module: str) -> str:
    return module.partition(".")[0]


def test_imports_point_one_way() -> None:
    wrong = [
        (module, one.ours)
        for module in FILES
        for one in imports(module)
        if one.ours is not None and (module, one.ours) not in LATE and one.name != "__version__"
        if layer_of(one.ours) not in {layer_of(module), *MAY_IMPORT[layer_of(module)]}
    ]
    assert wrong == []


def test_providers_never_import_each_other() -> None:
    wrong = [
        (module, one.ours)
        for module in FILES
        for one in imports(module)
        if one.ours and layer_of(module) == layer_of(one.ours) == "providers"
        if module.split(".")[1] != one.ours.split(".")[1]
    ]
    assert wrong == []


def test_there_are_no_circular_imports() -> None:
    waiting = {
        module: {one.ours for one in imports(module) if one.ours in FILES and (module, one.ours) not in LATE}
        for module in FILES
    }
    while free := [module for module, needs in waiting.items() if not needs & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert not waiting


@pytest.mark.parametrize(("module", "imported"), LATE)
def test_a_late_import_is_late(module: str, imported: str) -> None:
    found = [one for one in imports(module) if one.ours == imported]
    assert found
    assert all(one.late for one in found)


def test_public_names_alone_are_imported_from_the_package() -> None:
    public = {*kellyapi.__all__, "__version__", None}
    wrong = [
        (module, one.name)
        for module in FILES
        for one in imports(module)
        if one.module == "kellyapi" and one.ours == "" and one.name not in public
    ]
    assert wrong == []


def test_only_the_transport_and_its_sessions_import_aiohttps_client() -> None:
    server = {
        "web",
        "aiohttp.web",
        "AbstractAccessLogger",
        "BodyPartReader",
        "HttpProcessingError",
        "StreamReader",
        "AbstractStreamWriter",
        "make_mocked_request",
    }

    def may_import(module: str, one: Import) -> bool:
        if module == "_core.aiohttp_compat":
            return one.late
        # A client that receives no webhooks does not load aiohttp's server.
        return (one.name or one.module) in server and (one.late or layer_of(module) == "sandbox")

    wrong = [
        (module, one.module, one.name)
        for module in FILES.keys() - {"_core.transport", "_core.sessions"}
        for one in imports(module)
        if one.module.partition(".")[0] == "aiohttp" and not may_import(module, one)
    ]
    assert wrong == []


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_has_no_await_clock_dice_or_file(module: str) -> None:
    tree = parse(module)
    impure = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, impure)]
    assert not {one.module for one in imports(module)} & {"asyncio", "time", "random", "secrets", "threading", "socket"}
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not {
        call for call in calls if call.split(".")[-1] in {"open", "now", "utcnow", "today", "monotonic", "sleep"}
    }


def test_inner_packages_have_empty_init_files() -> None:
    inside = [path for path in ROOT.rglob("__init__.py") if path.parent != ROOT]
    assert inside
    assert not [path for path in inside if path.read_bytes()]
