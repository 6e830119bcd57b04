"""Which names of headers and fields are those of secrets."""

from __future__ import annotations

import pytest

from kellyapi._data.secret_names import is_secret_field, is_secret_header, without_secret_parameters


@pytest.mark.parametrize("name", ["Authorization", "Set-Cookie", "X-API-Key", "x-access-tokens", "X-Client-Secret"])
def test_headers_of_secrets(name: str) -> None:
    assert is_secret_header(name)


@pytest.mark.parametrize("name", ["Content-Type", "x-skytells-ratelimit-remaining-tokens-in", "X-Rate-Limit-Tokens"])
def test_headers_that_may_be_shown(name: str) -> None:
    assert not is_secret_header(name)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "newPassword",
        "refreshToken",
        "api_key",
        "client_secret",
        "pin_otp",
        "passwd",
        "private_key",
        "subscription-key",
    ],
)
def test_fields_of_secrets(name: str) -> None:
    assert is_secret_field(name)


@pytest.mark.parametrize("name", ["key", "max_tokens", "token_count", "author", "text"])
def test_fields_that_may_be_shown(name: str) -> None:
    assert not is_secret_field(name)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://a.example/b?token=abc&page=2", "https://a.example/b?token=***&page=2"),
        ("/b?page=2&api%5Fkey=a%26b&key=c", "/b?page=2&api%5Fkey=***&key=c"),
        ("/b?password=&password=1", "/b?password=***&password=***"),
        ("/token=abc", "/token=abc"),
    ],
)
def test_the_secrets_of_a_query_are_replaced(url: str, shown: str) -> None:
    assert without_secret_parameters(url) == shown
