"""The list of providers: three places that agree, and a fifth provider that is added as CONTRIBUTING.md says."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import shutil
import sys
import textwrap
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from servers import Server, make_response

import kellyapi
from kellyapi import PROVIDERS, KellyAPI, ProviderName
from kellyapi._core.provider_client import ProviderClient

PACKAGE = Path(kellyapi.__file__).parent
GUIDE = PACKAGE.parent / "CONTRIBUTING.md"


def test_the_three_lists_of_providers_agree() -> None:
    attributes = get_type_hints(KellyAPI)
    clients = {
        name: kind for name, kind in attributes.items() if inspect.isclass(kind) and issubclass(kind, ProviderClient)
    }
    assert dict(PROVIDERS) == clients
    assert list(PROVIDERS) == list(get_args(ProviderName))
    assert {name: kind.PROVIDER.name for name, kind in PROVIDERS.items()} == {name: name for name in PROVIDERS}


CHANGES = {
    "client.py": [
        (
            "from .providers.khaya import Khaya\n",
            "from .providers.khaya import Khaya\nfrom .providers.lugha import Lugha\n",
        ),
        ('"aerostack": Aerostack}', '"aerostack": Aerostack, "lugha": Lugha}'),
        ("    aerostack: Aerostack\n", "    aerostack: Aerostack\n    lugha: Lugha\n"),
    ],
    "services/routing.py": [('"skytells", "aerostack"]', '"skytells", "aerostack", "lugha"]')],
    "services/translate.py": [
        ("TRANSLATE = Service(\n", "@ROUTE@\n\nTRANSLATE = Service(\n"),
        ("    routes=(\n", "    routes=(\n        _LUGHA,\n"),
    ],
}
"""The changes of the guide, by file: a piece of the text, and its replacement."""

PROGRAM = """
import asyncio, json
from typing import get_args
from kellyapi import PROVIDERS, KellyAPI, ProviderName

async def main():
    async with KellyAPI(khaya="unused") as api:
        first = await api.translate("Good morning", "en-sw", provider="lugha")
        second = await api.with_options(timeout=5).translate("Good morning", "en-sw", fallback=("lugha", "khaya"))
        names = list(PROVIDERS), list(get_args(ProviderName))
        print(json.dumps([first.text, first.provider, second.tried, repr(api), names]))

asyncio.run(main())
"""


def blocks() -> tuple[str, str]:
    """Return the two Python blocks of the guide's section: the client, and the route of a service."""
    section = GUIDE.read_text("utf-8").partition("## Add a provider")[2].partition("\n## ")[0]
    client, route = re.findall(r"^   ```python\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL)
    return textwrap.dedent(client), textwrap.dedent(route)


@pytest.fixture
def extended(tmp_path: Path) -> Path:
    """A copy of the package with the changes of the guide."""
    copy = tmp_path / "kellyapi"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "fonts"))
    client, route = blocks()
    (copy / "providers" / "lugha.py").write_text(client, "utf-8")
    for name, changes in CHANGES.items():
        text = (copy / name).read_text("utf-8")
        for before, after in changes:
            assert text.count(before) == 1, (name, before)
            text = text.replace(before, after.replace("@ROUTE@", route))
        (copy / name).write_text(text, "utf-8")
    return tmp_path


async def test_a_fifth_provider_is_added_as_the_guide_says(extended: Path) -> None:
    async with Server(make_response(body=b'{"translation": "Habari ya asubuhi"}')) as server:
        variables = {"LUGHA_API_KEY": "a-key", "LUGHA_BASE_URL": server.url, "PYTHONPATH": str(extended)}
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", PROGRAM), stdout=PIPE, cwd=extended, env={**os.environ, **variables}
        )
        printed, _ = await child.communicate()
    assert child.returncode == 0
    names = ["kelly", "khaya", "skytells", "aerostack", "lugha"]
    assert json.loads(printed) == [
        "Habari ya asubuhi",
        "lugha",
        ["lugha"],
        "KellyAPI(khaya, lugha)",
        [names, names],
    ]
    assert {request.headers["x-lugha-key"] for request in server.requests} == {"a-key"}
    assert {request.target for request in server.requests} == {"/translate"}
