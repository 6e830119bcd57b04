"""Patterns that meet texts of clients: each takes its worst 100 kB in linear time."""

from __future__ import annotations

import ast
import re
import time
from itertools import product
from pathlib import Path

import pytest

import kellyapi.sandbox
from kellyapi._data import secret_names
from kellyapi.sandbox import access, schema_values, sql_statements, sse, tool_calls
from kellyapi.sandbox.aerostack import auth, storage
from kellyapi.sandbox.engines.language import chat_rules, translation
from kellyapi.sandbox.engines.pictures import code_image
from kellyapi.sandbox.skytells import outputs
from kellyapi.sandbox.skytells.inference import content_filter

SIZE = 100_000
SMALL = 5_000
WORST = 3
"""How many inputs of a pattern are tried in full size: those that take longest in small size."""
MOST_SECONDS = 4.0
"""CPU for one input. Linear ones take up to 0.05 s, quadratic ones more than 5 s."""
# What makes a pattern start again and again, or give back what it took: runs and repetitions that end in a failure.
PIECES = (
    *" \n\ta1._-,;:/*=?!(){}[]'\"`$@<#~&é\0",
    "a ",
    "1 ",
    ". ",
    " .",
    "a.",
    "a@",
    "@a",
    "a/",
    "-a",
    "''",
    "/*",
    "--",
    "--\n",
    "(1)",
    "(1",
    "bytes=1-",
    "how do you say ",
    "how do you say a in b",
    " in a",
    " in ",
    " to a",
    " into ",
    "translate a to b ",
    "calculate 1 + ",
    "are you a ",
    "good ",
    "ignore all ",
    "ignore the your all any ",
    "kill ",
    "hurt myself",
    "await a",
    "await )a ",
    "print( ",
    "fn a",
    "fn a ",
    "const a",
    "const a ",
    "let {[",
    "select a from",
    "select ",
    "update a set",
    "from a import",
    "async def a",
    "def a:b",
    "#!sh",
    "#include",
    "<!doctype",
    '{"a',
    "public ",
    "console.",
)
STARTS_OF_RULES = ("", "how do you say ", "translate a ", "calculate ")
END = "!"
COMPILED = {
    "sql": sql_statements._NAMED_PARAMETER,
    "words": sse._WORD,
    "address": auth._ADDRESS,
    "media type": storage._MEDIA_TYPE,
    "punctuation": translation._PUNCTUATION,
    "output": outputs._NAME,
    "host": access._HOST,
    "name of a tool": tool_calls._NAME,
    "words of a name": tool_calls._NAME_WORDS,
    "numbers": schema_values._NUMBERS,
    "quoted": schema_values._QUOTED,
    "jailbreak": content_filter._JAILBREAK,
    "name of a header": secret_names._HEADER,
    "name of a field": secret_names._FIELD,
    **{f"rule {number}": pattern for number, (pattern, _) in enumerate(chat_rules._RULES)},
    **{f"code in {name}": re.compile(hint, re.MULTILINE | re.IGNORECASE) for name, hint in code_image.HINTS.items()},
    "harm": re.compile(rf"\b(?:{'|'.join(content_filter._WORDS_BY_CATEGORY['violence']['medium'])})\b", re.IGNORECASE),
}
INLINE = (
    r"\S+|\s+",
    r"[^\W\d_]+",
    r"(\n)|([^\n]+)",
    r"\(\d+\)$",
    r"[a-z]{2,3}(-[a-z\d]+)*",
    r"en-US_\w+",
    r"[<\[+]",
    "bytes=([0-9]{0,18})-([0-9]{0,18})",
    "[0-9]{1,9}",
    r"\w+",
    r"[^\W_]+",
    r"\\u[dD][89a-fA-F]",
    r'("([^"\\]{1,100})"\s*:\s*)("[^"\\]*+(?:\\.[^"\\]*+)*+"?|-?\d[\d.eE+-]*)',
    r'\s{0,9},\s{0,99}"([^"\\]{1,100})"',
    r"[^\w.-]+",
    r'boundary="?([^";]+)',
    r"\b(sad|dark|minor|melanchol\w*|slow|rain\w*|night|lonely|blues?)\b",
    r"\b([1-9][0-9]{1,2}) ?bpm\b",
    r"(?i)https?://|data:",
)
WHOLE = {"address", "media type", "output", "host", "name of a tool", "name of a header", *INLINE[4:6], *INLINE[7:9]}
"""Patterns that the sandbox compares with a whole text; it searches for the others."""
NOT_OF_CLIENTS = {
    "[0-9]+(?=-)",  # the names of recordings
    r"(?:(?P<method>[A-Z]+) )?(?P<path>\*|/[^?#\s]*)",  # the routes of a test's faults
    "[a-z]{2,3}-[a-z]{2,3}",  # the names of Apertium's modes
    r"(\w\w):(\w{3})",  # a constant
    "-.",  # no pattern, but what is stripped after re.sub(…)
}


@pytest.mark.parametrize("name", [*COMPILED, *INLINE])
def test_a_pattern_takes_its_worst_input_in_linear_time(name: str) -> None:
    pattern = COMPILED.get(name) or re.compile(name)
    search = pattern.fullmatch if name in WHOLE else pattern.findall

    def measure(start: str, piece: str, size: int) -> float:
        text = start + piece * (size // len(piece)) + END
        begin = time.process_time()
        search(text)
        return time.process_time() - begin

    starts = STARTS_OF_RULES if name.startswith("rule") else ("",)
    inputs = sorted(product(starts, PIECES), key=lambda each: measure(*each, SMALL))
    for start, piece in inputs[-WORST:]:
        assert measure(start, piece, SIZE) < MOST_SECONDS, (start, piece)


def test_every_pattern_of_the_sandbox_is_in_the_list() -> None:
    known = {*INLINE, *NOT_OF_CLIENTS, *(pattern.pattern for pattern in COMPILED.values())}
    missing = set()
    for path in Path(kellyapi.sandbox.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("re.") and node.args:
                pattern = node.args[0]
                if isinstance(pattern, ast.Constant):
                    text = pattern.value.decode() if isinstance(pattern.value, bytes) else pattern.value
                    missing |= {(path.name, text)} if text not in known else set()
    assert not missing


def test_white_space_and_punctuation_are_split_as_a_reader_sees_them() -> None:
    assert len(translation._PUNCTUATION.split("a . . b!c")) == 5
    assert sse.split_words("  a b  ") == ["  a", " b", "  "]
