"""The documentation matches the code, and names everything that users can call."""

import inspect
import pkgutil
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import kellyapi
from kellyapi import KellyAPIError, Options, errors, services
from kellyapi.cli import commands
from kellyapi.providers.skytells.inference.parameters import ChatParameters, ResponseParameters
from kellyapi.services.routing import Route, Service

ROOT = Path(__file__).parent.parent
TEXTS = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "examples/README.md")]
SITE = sorted(path for path in ROOT.glob("docs/**/*.md") if "_build" not in path.parts)
PAGES = TEXTS + SITE
DIRECTIVES = {"toctree", "include", "literalinclude", "eval-rst", "command-help", "image", "warning"}
LONGEST_CODE = 88  # characters, the most that a page shows without scrolling


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def services_table() -> str:
    lines = ["| service | provider | arguments | defaults | languages |", "| --- " * 5 + "|"]
    for module in pkgutil.iter_modules(services.__path__):
        for service in vars(import_module(f"kellyapi.services.{module.name}")).values():
            if isinstance(service, Service):
                lines += [row(service.name, route) for route in service.routes]
    return "\n".join(lines)


def row(service: str, route: Route[Any, Any]) -> str:
    arguments = ", ".join(f"`{name}`" for name in route.accepts)
    defaults = ", ".join(f'`{name}="{value}"`' for name, value in route.defaults.items())
    languages = ", ".join(f"`{code}`" for code in sorted(route.languages or ()))
    return f"| `{service}` | {route.provider} | {arguments} | {defaults} | {languages} |"


def test_the_table_of_services_matches_the_code() -> None:
    assert services_table() in read("docs/services.md")


def test_the_tree_of_errors_matches_the_code() -> None:
    drawn = read("docs/errors.md").partition("```text\n")[2].partition("```")[0]
    parents: dict[int, str] = {}
    seen = set()
    for line in drawn.splitlines():
        name = re.search(r"\w+", line)
        assert name is not None
        depth = name.start() // 4
        parents[depth] = name[0]
        seen.add(name[0])
        if depth:
            assert issubclass(getattr(kellyapi, name[0]), getattr(kellyapi, parents[depth - 1])), line
    public = {name for name in kellyapi.__all__ if inspect.isclass(value := getattr(errors, name, None)) and value}
    assert seen == {name for name in public if issubclass(getattr(errors, name), KellyAPIError)}


@pytest.mark.parametrize("page", ["docs/errors.md", "docs/reference/errors.md"])
def test_the_attributes_of_errors_are_documented(page: str) -> None:
    assert [name for name in vars(KellyAPIError()) if not re.search(rf"`\.?{name}`", read(page))] == []


@pytest.mark.parametrize(("method", "parameters"), [("chat", ChatParameters), ("responses", ResponseParameters)])
def test_the_guide_has_the_parameters_of_language_models(method: str, parameters: Any) -> None:
    row = re.search(rf"^\| `{method}\.create`, `{method}\.stream` \|(.*)\|$", read("docs/skytells.md"), re.MULTILINE)
    assert row is not None
    assert re.findall(r"`(\w+)`", row[1]) == list(parameters.__annotations__)


def test_the_table_of_options_names_each_option_once_and_in_order() -> None:
    table = read("docs/sessions.md").partition("## Options")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(Options.__annotations__)


def test_the_reference_has_each_public_name() -> None:
    documented = re.compile(r"^\.\. (?:auto|py:)\w+:: kellyapi\.(\w+)$", re.MULTILINE)
    found = {name for page in SITE for name in documented.findall(page.read_text(encoding="utf-8"))}
    assert [name for name in kellyapi.__all__ if name not in found] == []


@pytest.mark.parametrize("client", sorted({kind.__name__ for kind in kellyapi.PROVIDERS.values()}))
def test_the_reference_has_each_resource(client: str) -> None:
    page = "".join(path.read_text(encoding="utf-8") for path in SITE)
    kind = getattr(kellyapi, client)
    groups = [name for name, value in vars(kind).items() if isinstance(value, property) and not name.startswith("_")]
    assert [name for name in groups if f".. resource:: {client}.{name}\n" not in page] == []


def test_the_reference_has_the_help_of_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    page = read("docs/reference/command.md")
    missing = []
    for module in pkgutil.iter_modules(commands.__path__):
        with pytest.raises(SystemExit):
            import_module("kellyapi.cli.main").main([module.name, "--help"])
        printed = capsys.readouterr().out.partition("\nactions:\n")[2]
        actions = re.findall(r"^    (\w+) ", printed, re.MULTILINE)
        for command in (module.name, *(f"{module.name} {action}" for action in actions)):
            if f"```{{command-help}} {command}\n```" not in page:
                missing.append(command)
    assert missing == []


def test_the_quickstart_names_each_command() -> None:
    named = read("docs/quickstart.md").partition("The commands are")[2].partition("\n\n")[0]
    names = [module.name for module in pkgutil.iter_modules(commands.__path__)]
    assert [name for name in names if f"`{name}`" not in named] == []


def test_the_first_two_sh_blocks_of_the_readme_set_up_the_demo_and_the_tests() -> None:
    demo, tests = re.findall(r"^```sh\n(.*?)^```", read("README.md"), re.MULTILINE | re.DOTALL)[:2]
    assert demo.splitlines()[0] == tests.splitlines()[0] == "python3 -m venv .venv"
    assert demo.splitlines()[-1] == ".venv/bin/kellyapi demo"
    assert tests.splitlines()[-1] == ".venv/bin/python -m pytest -n auto"


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) < 170


def test_each_block_is_a_directive_or_tested_code_or_plain_text() -> None:
    known = {"python", "sh", "text", *(f"{{{name}}}" for name in DIRECTIVES)}
    wrong = []
    for page in PAGES:
        fences = re.findall(r"^ *(?:```|~~~)(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
        wrong += [(page.name, fence) for fence in fences[::2] if fence.split(" ")[0] not in known]
        wrong += [(page.name, fence) for fence in fences[1::2] if fence]
    assert wrong == []


def test_no_line_of_code_is_too_long_to_show() -> None:
    wrong = []
    for page in [*SITE, ROOT / "README.md"]:
        text = re.sub(r"<!---.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        blocks = re.findall(r"^```(?:python|sh|text)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        lines = (line for block in blocks for line in block.splitlines())
        wrong += [(page.name, line) for line in lines if len(line) > LONGEST_CODE]
    assert wrong == []


def test_links_between_pages_have_a_target() -> None:
    wrong = []
    for page in PAGES:
        targets = re.findall(r"\]\(([^):#]+)[^):]*\)", page.read_text(encoding="utf-8"))
        wrong += [(page.name, target) for target in targets if not (page.parent / target).exists()]
    assert wrong == []


def test_the_environment_variables_are_documented() -> None:
    page = read("docs/reference/environment.md")
    for kind in kellyapi.PROVIDERS.values():
        for suffix in ("API_KEY", "BASE_URL"):
            assert f"`{kind.PROVIDER.variables}_{suffix}`" in page
    examples = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*.py"))
    named = re.findall(r"""environ(?:\.get\(|\[)"(\w+)\"""", examples)
    assert [name for name in named if f"`{name}`" not in page] == []
