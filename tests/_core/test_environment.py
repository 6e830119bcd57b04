"""Keys and addresses, from arguments and the environment."""

from __future__ import annotations

from typing import Any

import pytest

from kellyapi._core.environment import address_problem, find_address, find_key
from kellyapi._core.secrets import Secret
from kellyapi.providers.khaya import PROVIDER

OWN = "https://translation-api.ghananlp.org"


# Keys


@pytest.mark.parametrize(
    ("given", "variable", "found"),
    [
        (None, None, None),
        (None, "", None),
        (None, "env", "env"),
        ("given", "env", "given"),
        ("", "env", ""),  # a blank key is the caller's, and an error at the first call
    ],
)
def test_a_key_comes_from_the_argument_else_the_environment(
    monkeypatch: pytest.MonkeyPatch, given: str | None, variable: str | None, found: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("KHAYA_API_KEY", variable)
    key = find_key(PROVIDER, given)
    assert key == found
    assert key is None or isinstance(key, Secret)


def test_a_key_may_be_a_function() -> None:
    def ask() -> str:
        return "key"

    assert find_key(PROVIDER, ask) is ask


@pytest.mark.parametrize("given", [1, b"key", ["key"], object()])
def test_a_key_of_another_type_is_a_type_error_that_does_not_show_it(given: Any) -> None:
    with pytest.raises(TypeError, match=f"not {type(given).__name__}"):
        find_key(PROVIDER, given)


# Addresses


@pytest.mark.parametrize(
    ("given", "variable", "found"),
    [
        (None, None, OWN),
        (None, "", OWN),
        (None, "https://env.example/", "https://env.example"),
        ("https://given.example/base//", "https://env.example", "https://given.example/base"),
        (" https://given.example ", None, "https://given.example"),
        ("", "https://env.example", ""),
    ],
)
def test_an_address_comes_from_the_argument_else_the_environment_else_the_provider(
    monkeypatch: pytest.MonkeyPatch, given: str | None, variable: str | None, found: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("KHAYA_BASE_URL", variable)
    assert find_address(PROVIDER, given) == found


def test_an_address_of_another_type_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="base_url"):
        find_address(PROVIDER, b"https://x.example")  # type: ignore[arg-type]  # the wrong type is the point


@pytest.mark.parametrize(
    "address",
    [
        OWN,
        "https://x.example:8443/base",
        "HTTPS://X.EXAMPLE",
        "https://[2001:db8::1]:8443",
        "http://localhost:8787",
        "http://api.localhost",
        "http://127.0.0.1:8787/v1",
        "http://127.9.9.9",
        "http://[::1]:80",
    ],
)
def test_https_anywhere_and_http_to_this_machine_are_usable(address: str) -> None:
    assert address_problem(PROVIDER, address, allow_http=False) is None


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("", "no https://"),
        ("x.example", "no https://"),
        ("//x.example", "no https://"),
        ("https://", "no https://"),
        ("https:x.example", "no https://"),
        ("ftp://x.example", "no https://"),
        ("file:///etc/passwd", "no https://"),
        ("javascript:alert(1)", "no https://"),
        ("https://x.example:port", "malformed"),
        ("https://x.example:99999", "malformed"),
        ("https://[::1", "malformed"),
        ("https://user:secret@x.example", "credentials"),
        ("https://user@x.example", "credentials"),
        ("https://x.example?a=1", "query"),
        ("https://x.example#a", "query"),
        ("https://x.example/a b", "spaces"),
        ("https://x.example/a\x7f", "scheme, host and path only"),
        ("http://x.example", "unencrypted"),
        ("http://127.0.0.1.x.example", "unencrypted"),
        ("http://localhost.x.example", "unencrypted"),
        ("http://10.0.0.1", "unencrypted"),
        ("http://0.0.0.0", "unencrypted"),
    ],
)
def test_an_unusable_address_is_explained_with_a_right_one(address: str, problem: str) -> None:
    found = address_problem(PROVIDER, address, allow_http=False)
    assert found is not None
    said = f"{found.message} {found.remedy}"
    assert problem in said
    assert "secret" not in said
    assert OWN in said or "allow_http=True" in said


def test_allow_http_allows_only_http() -> None:
    assert address_problem(PROVIDER, "http://x.example", allow_http=True) is None
    assert address_problem(PROVIDER, "ftp://x.example", allow_http=True) is not None


@pytest.mark.parametrize(
    "address", ["https://user:secret@x.example:port", "http://user:secret@x.example", "ftp://user:secret@x.example"]
)
def test_credentials_in_an_address_are_never_shown(address: str) -> None:
    assert "secret" not in str(address_problem(PROVIDER, address, allow_http=False))
