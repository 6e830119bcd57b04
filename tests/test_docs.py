"""What the documentation says twice, or says about the code: it must be the same."""

import pkgutil
import re
from importlib import import_module
from pathlib import Path

import pytest

from kellyapi import Options, services
from kellyapi.errors import __doc__ as errors_doc
from kellyapi.services.routing import Route

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(ROOT.glob("docs/**/*.md"))


def services_table() -> str:
    lines = ["| service | provider | its method | arguments | default model | languages |", "| --- " * 6 + "|"]
    for module in pkgutil.iter_modules(services.__path__):
        for name, answers in vars(import_module(f"kellyapi.services.{module.name}")).items():
            if isinstance(answers, tuple) and answers and isinstance(answers[0], Route):
                lines += [row(name.lower(), answer) for answer in answers]
    return "\n".join(lines)


def row(service: str, answer: Route) -> str:
    arguments = ", ".join(
        f"`{ours}`" if ours == theirs else f"`{ours}` as `{theirs}`" for ours, theirs in answer.arguments.items()
    )
    model = f"`{answer.model}`" if answer.model else ""
    languages = ", ".join(f"`{code}`" for code in sorted(answer.languages or ()))
    return f"| `{service}` | {answer.provider} | `{answer.method}` | {arguments} | {model} | {languages} |"


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_table_of_services_is_the_one_in_the_code() -> None:
    assert services_table() in (ROOT / "docs/services.md").read_text(encoding="utf-8")


def test_the_tree_of_errors_is_the_one_in_the_code() -> None:
    page = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    tree = words(page.partition("```text\n")[2].partition("```")[0])
    assert len(tree) > 15
    assert [line for line in words(errors_doc or "") if line in tree] == tree


def test_the_table_of_options_names_each_option_once_and_in_order() -> None:
    page = (ROOT / "docs/sessions.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page.partition("## Options")[2], re.MULTILINE) == list(Options.__annotations__)


def test_the_first_two_sh_blocks_of_the_readme_set_up_the_demo_and_the_tests() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    demo, tests = re.findall(r"^```sh\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)[:2]
    assert demo.splitlines()[0] == tests.splitlines()[0] == "python3 -m venv .venv"
    assert demo.splitlines()[-1] == ".venv/bin/kellyapi demo"
    assert tests.splitlines()[-1] == ".venv/bin/python -m pytest"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_code_block_is_of_a_kind_that_is_run_or_is_plain_text(page: Path) -> None:
    fences = re.findall(r"^ *(?:```|~~~)(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"python", "sh", "text", "{toctree}"}
    assert set(fences[1::2]) <= {""}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^):#]+)[^):]*\)", page.read_text(encoding="utf-8"))
    assert [target for target in targets if not (page.parent / target).exists()] == []
