"""URLs made of what people and servers write."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kellyapi._data.links import encode_url

LABEL = "a" * 63
LONGEST_HOST = f"{LABEL}.{LABEL}.{LABEL}.{'a' * 61}"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://d.example/a.png?sig=a%2Fb+c&x=1#top", "https://d.example/a.png?sig=a%2Fb+c&x=1#top"),
        ("https://d.example/a b.png?q=c d", "https://d.example/a%20b.png?q=c%20d"),
        ("https://d.example/ɛkutɔ.png?q=ŋ", "https://d.example/%C9%9Bkut%C9%94.png?q=%C5%8B"),
        ("https://d.example/a%20b ç%C3%A7", "https://d.example/a%20b%20%C3%A7%C3%A7"),
        ("https://d.example/100%/%zz/%4", "https://d.example/100%25/%25zz/%254"),
        ("https://d.example/%7Ea/%2f/../b", "https://d.example/%7Ea/%2f/../b"),
        ('https://d.example/"<a>\\^`{|}', "https://d.example/%22%3Ca%3E%5C%5E%60%7B%7C%7D"),
        ("https://d.example/a?", "https://d.example/a?"),
        ("https://d.example", "https://d.example"),
        ("  https://d.example/a\n", "https://d.example/a"),
        ("https://d.example/a\r\n\tb", "https://d.example/ab"),
        ("HTTPS://D.Example:8443/A", "HTTPS://D.Example:8443/A"),
        ("https://user:pässword@d.example/", "https://user:p%C3%A4ssword@d.example/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://bu\u0308cher.example/", "https://xn--bcher-kva.example/"),
        ("https://BÜCHER.example:8443/", "https://xn--bcher-kva.example:8443/"),
        ("https://b%C3%BCcher.example/", "https://xn--bcher-kva.example/"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("https://例え。テスト/パス", "https://xn--r8jz45g.xn--zckzah/%E3%83%91%E3%82%B9"),
        ("https://☃.example", "https://xn--n3h.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://my_bucket.d.example.", "https://my_bucket.d.example."),
        ("http://[::1]:80/ä", "http://[::1]:80/%C3%A4"),
        ("http://１２７.０.０.１/", "http://127.0.0.1/"),
        ("https://d.example/\udce9", "https://d.example/%E9"),  # a byte of a header that is not UTF-8
        ("http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/"),
        (f"https://{LABEL}.example", f"https://{LABEL}.example"),
        (f"https://{LONGEST_HOST}./", f"https://{LONGEST_HOST}./"),
    ],
)
def test_a_text_becomes_the_url_that_it_stands_for(text: str, url: str) -> None:
    assert encode_url(text) == url


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no scheme and host"),
        ("a.png", "'a.png' has no scheme and host"),
        ("//d.example/a", "has no scheme and host"),
        ("https://d.example:８０/", "has no scheme and host"),
        ("https:///a", "the host ''"),
        ("https://a..example", "'a..example'"),
        ("https://d d.example", "'d d.example'"),
        ("https://d%2Fe.example", "'d%2Fe.example'"),
        ("https://%ff.example", "'%ff.example'"),
        (f"https://{LABEL}a.example", LABEL),
        (f"https://{'é' * 80}.example", "é" * 40),
        (f"https://{LONGEST_HOST}a", LABEL),
        ("https://\udce9.example", "'\ufffd.example'"),
        ("https://\u200b.example", "the host"),
        ("https://d.example/\ud800", "a character that cannot be encoded"),
        ("https://d\\e.example/", "the host"),
    ],
)
def test_a_text_that_is_no_url_is_a_value_error_that_names_it(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)) as caught:
        encode_url(text, "link")
    assert type(caught.value) is ValueError
    assert "link" in str(caught.value)


def test_an_error_shows_at_most_80_characters_of_the_text() -> None:
    for length, shown in [(80, "a" * 80), (81, "a" * 80)]:
        with pytest.raises(ValueError, match=f"^the URL '{shown}' has no scheme"):
            encode_url("a" * length)


@pytest.mark.parametrize("text", ["https://user:secret@a..example", "https://user:secret@d.example:x", "user:secret@d"])
def test_no_error_shows_a_password(text: str) -> None:
    with pytest.raises(ValueError, match=r"example|has no scheme") as caught:
        encode_url(text)
    assert "secret" not in str(caught.value)


@given(st.text(), st.text())
def test_any_text_is_a_url_in_ascii_or_a_value_error(host: str, rest: str) -> None:
    text = f"https://{host}/{rest}"
    try:
        url = encode_url(text)
    except UnicodeError:
        raise
    except ValueError:
        return
    assert re.fullmatch(r"[!-~]+", url)
    assert encode_url(url) == url


@given(st.text(st.characters(exclude_categories=["Cs", "Zs", "Cc", "Zl", "Zp"], exclude_characters="%#?")))
def test_a_path_stays_what_it_says(path: str) -> None:
    assert unquote(urlsplit(encode_url(f"https://d.example/{path}")).path) == f"/{path}"
