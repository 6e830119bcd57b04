"""The command does not show a key that a server repeats."""

from __future__ import annotations

import asyncio

import pytest
from _core.shown_secrets import ECHO, secrets_in
from processes import strict_python
from servers import KEY, Script, Server, cut, make_response

COMMAND = "import sys; from kellyapi.cli.main import main; sys.exit(main())"
COMMANDS = (
    ("predictions", "list", "--json"), ("predictions", "cancel", "a1"), ("run", "m", "-i", "prompt=x"), ("unheard",)
)  # fmt: skip
SAYINGS: dict[str, Script] = {
    "the key in an error": make_response(401, ECHO, X_Request_Id=KEY),
    "the key in a page": make_response(200, f"<html>{KEY}".encode(), "text/html"),
    "nothing": cut(b""),
}


@pytest.mark.parametrize("script", SAYINGS.values(), ids=SAYINGS)
async def test_the_command_shows_no_key_whatever_the_server_sends(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Server(script) as server:
        for name in ("SKYTELLS", "KHAYA", "KELLYAI", "AEROSTACK"):
            monkeypatch.setenv(f"{name}_API_KEY", KEY)
        monkeypatch.setenv("SKYTELLS_BASE_URL", server.url)
        for words in COMMANDS:
            _, out, err = await asyncio.to_thread(strict_python().execute, COMMAND, *words)
            said = out + err
            assert said
            assert secrets_in(said) == []
        assert server.requests
