"""Ids in paths, and the origins of URLs."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest
from yarl import URL

from kellyapi._core.urls import check_relative_path, encode_path, origin

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


# Paths


@pytest.mark.parametrize("start", ["#", "//", "../"])
def test_an_error_shows_at_most_80_characters_of_a_path(start: str) -> None:
    for length in (80, 81):
        path = start + "a" * (length - len(start))
        with pytest.raises(ValueError, match=re.escape(repr(path[:80])) + "$"):
            check_relative_path(path)


# Origins


@pytest.mark.parametrize(
    ("url", "its_origin"),
    [
        ("https://API.example/v1/a?b#c", "https://api.example"),
        ("https://api.example:8443/a", "https://api.example:8443"),
        ("https://user:secret@api.example/a", "https://api.example"),
        ("https://a@b@api.example/", "https://api.example"),
        ("http://[::1]:80/", "http://[::1]:80"),
        ("http://api.example:1/", "http://api.example:1"),
        ("http://api.example:0/", ""),
        ("http://api.example:port/", ""),
        ("/v1/a", ""),
        ("//[", ""),
        ("", ""),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, its_origin: str) -> None:
    assert origin(url) == its_origin
