"""Ids in paths, redirects, secrets."""

from __future__ import annotations

import json
import pickle
from typing import Any
from urllib.parse import unquote

import pytest
from yarl import URL

from kellyapi._core.messages import Call, PreparedRequest, Response
from kellyapi._core.redirects import redirected_request
from kellyapi._core.resource import drop_none
from kellyapi._core.secrets import Secret
from kellyapi._core.urls import encode_path, origin
from kellyapi._data.text import excerpt, not_blank, without_credentials

# Ids


@pytest.mark.parametrize(
    ("id", "encoded"),
    [
        ("a1b2-c3_d4.e5~f", "a1b2-c3_d4.e5~f"),
        ("../models", "..%2Fmodels"),
        ("../../x?y=1#z", "..%2F..%2Fx%3Fy%3D1%23z"),
        ("a/b\\c", "a%2Fb%5Cc"),
        ("%2e%2e", "%252e%252e"),
        ("a b+c", "a%20b%2Bc"),
        ("{0}", "%7B0%7D"),
        ("{id.__class__}", "%7Bid.__class__%7D"),
        ("...", "..."),
        ("yɛ", "y%C9%9B"),
        (";a=1,b:@!$&'()*", "%3Ba%3D1%2Cb%3A%40%21%24%26%27%28%29%2A"),
    ],
)
def test_a_hostile_id_is_one_segment_that_decodes_to_itself(id: str, encoded: str) -> None:
    path = encode_path("/predictions/{}/cancel", id)
    assert path == f"/predictions/{encoded}/cancel"
    url = URL(f"https://x.example/v1{path}", encoded=True)
    assert url.raw_path == f"/v1{path}"
    assert (url.raw_query_string, url.raw_fragment) == ("", "")
    assert unquote(url.raw_parts[3]) == id


def test_each_of_several_ids_is_encoded() -> None:
    assert encode_path("/a/{}/b/{}", "x/y", "z") == "/a/x%2Fy/b/z"
    assert encode_path("/a") == "/a"


@pytest.mark.parametrize("id", ["", ".", "..", "a\nb", "a\rb", "\x00", "a\tb", "\x7f", "\u2028", "\ud800", "\u202e"])
def test_an_id_that_servers_may_misread_is_a_value_error(id: str) -> None:
    with pytest.raises(ValueError, match="an id must not"):
        encode_path("/x/{}", id)


@pytest.mark.parametrize("id", [None, 1, b"a", ["a"]])
def test_an_id_that_is_no_string_is_a_type_error(id: Any) -> None:
    with pytest.raises(TypeError, match="an id must be a string"):
        encode_path("/x/{}", id)


# Redirects


def prepared(url: str, *, body: bytes | None = None, **fields: Any) -> PreparedRequest:
    """Prepare the first request of a call."""
    return PreparedRequest(call=Call(url=url, **fields), url=url, headers={}, body=body)


GET = prepared("https://api.example/v1/a?b=1", method="GET", repeatable=True)
POST = prepared("https://api.example/v1/a", body=b"{}", method="POST", repeatable=False)
DOWNLOAD = prepared("https://cdn.example/a", method="GET", repeatable=True, keyless=True)


@pytest.mark.parametrize(
    ("request_", "status", "location", "url"),
    [
        (GET, 301, "/v2/a", "https://api.example/v2/a"),
        (GET, 302, "c?d=2", "https://api.example/v1/c?d=2"),
        (GET, 303, "https://api.example/x", "https://api.example/x"),
        (GET, 307, "https://API.example/x", "https://API.example/x"),
        (GET, 308, "//api.example/x", "https://api.example/x"),
        (POST, 307, "/v2/a", "https://api.example/v2/a"),
        (POST, 308, "/v2/a", "https://api.example/v2/a"),
        (DOWNLOAD, 302, "https://elsewhere.example/a", "https://elsewhere.example/a"),
        (DOWNLOAD, 302, "/b", "https://cdn.example/b"),
    ],
)
def test_a_safe_redirect_keeps_method_and_body(request_: PreparedRequest, status: int, location: str, url: str) -> None:
    target = redirected_request(request_, status, location)
    assert target is not None
    assert target.url == url
    assert (target.call, target.body) == (request_.call, request_.body)


@pytest.mark.parametrize(
    ("request_", "status", "location"),
    [
        (GET, 302, "https://evil.example/v1/a"),
        (GET, 302, "//evil.example/v1/a"),
        (GET, 302, "http://api.example/v1/a"),
        (GET, 302, "https://api.example:8443/v1/a"),
        (GET, 302, "https://api.example@evil.example/"),
        (GET, 302, "https://api.example.evil.example/"),
        (GET, 302, "file:///etc/passwd"),
        (GET, 302, "javascript:alert(1)"),
        (GET, 302, "http://["),
        (GET, 302, ""),
        (GET, 300, "/v2/a"),
        (GET, 304, "/v2/a"),
        (GET, 200, "/v2/a"),
        (GET, 201, "/v2/a"),
        (POST, 301, "/v2/a"),
        (POST, 302, "/v2/a"),
        (POST, 303, "/v2/a"),
        (POST, 307, "https://evil.example/v1/a"),
        (DOWNLOAD, 302, "http://elsewhere.example/a"),
        (DOWNLOAD, 302, "file:///etc/passwd"),
    ],
)
def test_a_redirect_that_would_carry_the_key_away_or_change_the_method_is_not_followed(
    request_: PreparedRequest, status: int, location: str
) -> None:
    assert redirected_request(request_, status, location) is None


@pytest.mark.parametrize(
    "location", ["https:\\\\evil.example", "\\\\evil.example", "/\\evil.example", "https:/evil.example"]
)
def test_a_location_that_browsers_read_as_another_host_stays_on_this_one(location: str) -> None:
    target = redirected_request(GET, 302, location)
    assert target is None or URL(target.url, encoded=True).host == "api.example"


def test_a_body_that_can_be_read_once_is_not_sent_to_a_second_address() -> None:
    one_shot = prepared("https://api.example/a", method="POST", repeatable=False, one_shot=True)
    assert redirected_request(one_shot, 307, "/b") is None


@pytest.mark.parametrize(
    ("url", "its_origin"),
    [
        ("https://API.example/v1/a?b#c", "https://api.example"),
        ("https://api.example:8443/a", "https://api.example:8443"),
        ("https://user:secret@api.example/a", "https://api.example"),
        ("https://a@b@api.example/", "https://api.example"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, its_origin: str) -> None:
    assert origin(url) == its_origin


# Secrets and responses


def test_a_secret_is_sent_in_full_and_never_shown_in_a_log() -> None:
    secret = Secret("sk-secret")
    assert (secret, f"Bearer {secret}", json.dumps(secret)) == ("sk-secret", "Bearer sk-secret", '"sk-secret"')
    shown = [repr(secret), f"{secret!r}", repr([secret]), repr({"key": secret}), "%r" % secret, ascii(secret)]  # noqa: UP031  each way of showing counts
    assert not [one for one in shown if "sk-secret" in one]
    assert not hasattr(secret, "__dict__")
    assert type(pickle.loads(pickle.dumps(secret))) is Secret


def test_a_request_shows_no_secret_header() -> None:
    headers = {"Authorization": Secret("Bearer sk-secret")}
    call = Call(method="GET", url="/", headers=headers, repeatable=True, bearer="sk-secret")
    assert "sk-secret" not in repr((call, PreparedRequest(call=call, url="/", headers=headers)))


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; charset=utf-8", "application/json"),
        (" audio/wav ;x=1", "audio/wav"),
        ("", ""),
    ],
)
def test_a_content_type_is_read_without_its_parameters(header: str, kind: str) -> None:
    assert Response(status=200, headers={"Content-Type": header}, body=b"").content_type == kind
    assert Response(status=200, headers={}, body=b"").content_type == ""


@pytest.mark.parametrize(
    ("text", "short"),
    [("", ""), (" a \r\n\t b ", "a b"), ("x" * 300, "x" * 200), ("a " * 300, ("a " * 100))],
)
def test_an_excerpt_is_one_line_of_at_most_200_characters(text: str, short: str) -> None:
    assert excerpt(text) == short


# Fields of bodies


@pytest.mark.parametrize(
    ("fields", "left"),
    [
        ({}, {}),
        ({"a": None}, {}),
        ({"a": 0, "b": "", "c": False, "d": [], "e": {}}, {"a": 0, "b": "", "c": False, "d": [], "e": {}}),
        ({"a": None, "b": {"c": None}, "d": [None]}, {"b": {"c": None}, "d": [None]}),
        ({"from": 1, "self": 2, "fields": 3}, {"from": 1, "self": 2, "fields": 3}),
    ],
)
def test_only_fields_of_none_are_left_out(fields: dict[str, Any], left: dict[str, Any]) -> None:
    assert drop_none(**fields) == left
    assert list(drop_none(**fields)) == list(left)


@pytest.mark.parametrize("text", ["a", " a ", "ɛ"])
def test_a_text_that_is_not_blank_is_unchanged(text: str) -> None:
    assert not_blank(text, "text") is text


@pytest.mark.parametrize("text", ["", " ", "\t\r\n", "\u2003"])
def test_a_blank_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="the prompt is empty"):
        not_blank(text, "prompt")


@pytest.mark.parametrize("text", [None, 1, b"a", ["a"]])
def test_a_text_that_is_no_string_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="the prompt must be a string, not"):
        not_blank(text, "prompt")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("http://user:word@a.example/b", "http://***@a.example/b"),
        ("at http://u:w@a.example and 'v@b.example'", "at http://***@a.example and '***@b.example'"),
        ("http://u@v@a.example", "http://***@a.example"),
        ("http://a.example/b", "http://a.example/b"),
        ("@", "***@"),
        ("x" * 2**18, "x" * 2**18),  # a search from each letter to the end would take half an hour
        ("\0@" * 2**17, "***@"),
    ],
    ids=lambda text: text[:20],
)
def test_credentials_before_an_at_sign_are_removed_in_one_pass(text: str, left: str) -> None:
    assert without_credentials(text) == left
