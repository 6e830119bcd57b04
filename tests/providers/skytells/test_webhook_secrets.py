"""The secrets that a webhook receiver accepts."""

from __future__ import annotations

from typing import Any

import pytest

from kellyapi import ConfigurationError, Skytells, WebhookReceiver

from .webhook_calls import BODY, HEADERS, PATH, SECRET, call


async def accepts(receiver: WebhookReceiver, *secrets: str) -> list[bool]:
    return [(await receiver.handle(*call(id=secret, secret=secret)))[0] == 200 for secret in secrets]


async def test_old_and_new_secrets_are_accepted_together() -> None:
    assert await accepts(WebhookReceiver("old", "new"), "old", "new", "other") == [True, True, False]
    assert await accepts(WebhookReceiver("new", ""), "old", "new") == [False, True]
    assert await accepts(WebhookReceiver(" new\n"), "new") == [True]


@pytest.mark.parametrize(
    ("variables", "client", "secret"),
    [
        ({"SKYTELLS_WEBHOOK_SECRET": "hook", "SKYTELLS_API_KEY": "env"}, "client", "hook"),
        ({"SKYTELLS_WEBHOOK_SECRET": "", "SKYTELLS_API_KEY": "env"}, None, "env"),
        ({"SKYTELLS_API_KEY": " env\n"}, None, "env"),
        ({"SKYTELLS_API_KEY": "env"}, "client", "client"),
        ({}, "client", "client"),
        ({}, lambda: "asked", "asked"),
    ],
)
async def test_without_secrets_the_secret_is_the_variable_else_the_key(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], client: Any, secret: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    receiver = WebhookReceiver(skytells=None if client is None else Skytells(client))
    assert receiver.routes(PATH)
    for other in {"hook", "env", "client", "asked"}:
        assert await accepts(receiver, other) == [other == secret]
    assert await accepts(WebhookReceiver("own"), "own", secret) == [True, False]


async def test_a_key_function_may_be_async() -> None:
    async def key() -> str:
        return "asked"

    assert await accepts(WebhookReceiver(skytells=Skytells(key)), "asked", "other") == [True, False]


@pytest.mark.parametrize("secrets", [(), ("",), (" ", "")])
async def test_a_receiver_without_a_secret_accepts_nothing_and_makes_no_routes(
    monkeypatch: pytest.MonkeyPatch, secrets: tuple[str, ...]
) -> None:
    if secrets:  # a blank secret that was given is not replaced
        monkeypatch.setenv("SKYTELLS_API_KEY", SECRET)
    receiver = WebhookReceiver(*secrets)
    with pytest.raises(ConfigurationError, match="no secret to verify webhooks with; pass a secret, or set SKYTELLS_"):
        receiver.routes(PATH)
    with pytest.raises(ConfigurationError):
        await receiver.handle(HEADERS, BODY)


@pytest.mark.parametrize("secret", [None, b"secret", ["secret"]])
def test_a_secret_that_is_not_a_string_is_a_type_error(secret: Any) -> None:
    with pytest.raises(TypeError, match=r"secrets\[0\] must be a string"):
        WebhookReceiver(secret)
