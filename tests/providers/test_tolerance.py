"""Changes that providers may make to their responses, and the path at which a wrong body is refused.

Each method reads its response in the table. The response is sent again with changes that a server may make:
more fields, nulls, numbers as text. A wrong value of a needed field is refused with its path.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from servers import Server, make_response

from kellyapi import NO_RETRY, DecodingError, Result

from .replies import REPLIES

NEEDED = [(name, where) for name, row in REPLIES.items() for where in row[3]]
CONTENT = "$.choices[0].message.content"
"""May be null but not wrong: the user paid for it."""
FREE_FORM = {"query", "entry"}
"""Responses that contain any JSON: there a new field is part of the result."""


async def read(name: str, reply: Any) -> Any:
    """Read a response with its method."""
    client, call, _, _ = REPLIES[name]
    script = make_response(body=json.dumps(reply).encode())
    async with Server(script) as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        return await call(one)


def places(value: Any, path: str = "$") -> Iterator[tuple[str, Any, Any]]:
    """Yield each (path, container, key) inside a JSON value."""
    for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
        where = f"{path}.{key}" if isinstance(value, dict) else f"{path}[{key}]"
        yield where, value, key
        if isinstance(item, (dict, list)):
            yield from places(item, where)


def at(where: str, reply: Any) -> tuple[Any, Any]:
    """Find (container, key) of one path."""
    ((container, key),) = [(container, key) for place, container, key in places(reply) if place == where]
    return container, key


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@pytest.mark.parametrize("name", REPLIES)
async def test_all_fields_of_a_response_are_read(name: str) -> None:
    assert await read(name, REPLIES[name][2]) is not None


@pytest.mark.parametrize("name", REPLIES)
async def test_unknown_fields_are_ignored(name: str) -> None:
    reply = copy.deepcopy(REPLIES[name][2])
    objects = [reply, *(container[key] for _, container, key in places(reply))]
    for one in objects:
        if isinstance(one, dict) and one and not {"get", "hate", "jailbreak"} & one.keys():
            one["something_new"] = {"a": [None, 1, {"b": True}]}
    before, after = await read(name, REPLIES[name][2]), await read(name, reply)
    assert type(after) is type(before)
    assert name in FREE_FORM or after == before


@pytest.mark.parametrize("name", REPLIES)
async def test_numbers_may_be_sent_as_text(name: str) -> None:
    reply = copy.deepcopy(REPLIES[name][2])
    for _, container, key in places(reply):
        if is_number(container[key]) and (name == "sum" or key not in ("a", "value")):  # those may be any JSON
            container[key] = str(container[key])
    assert await read(name, reply) == await read(name, REPLIES[name][2])


@pytest.mark.parametrize("name", REPLIES)
async def test_each_optional_field_may_be_missing_or_of_any_type(name: str) -> None:
    """A wrong optional field never costs users a paid result."""
    client, call, whole, needed = REPLIES[name]
    optional = [
        where
        for where, container, _ in places(whole)
        if not (isinstance(container, list) or where == CONTENT or any(each.startswith(where) for each in needed))
        and not (name == "safety" and "filter" in where)
    ]
    replies = []
    for where in optional:
        for value in ([], {}, None, 7, "text", True):
            replies.append(copy.deepcopy(whole))
            found, key = at(where, replies[-1])
            found[key] = value
        replies.append(copy.deepcopy(whole))
        found, key = at(where, replies[-1])
        del found[key]
    kind = type(await read(name, whole))
    scripts = [make_response(body=json.dumps(reply).encode()) for reply in replies]
    async with Server(*scripts) as server, client("key", base_url=server.url, retry=NO_RETRY) as one:
        for reply in replies:
            result = await call(one)
            assert isinstance(result, kind) or name in FREE_FORM, reply
            if isinstance(result, Result):
                assert result.raw == reply or isinstance(reply.get("job"), dict), reply


@pytest.mark.parametrize(
    "findings",
    [
        7, "text", ["hate"], {"hate": 7}, {"hate": {"filtered": "yes"}}, {"hate": ["x"], "x": {"filtered": False}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["$.choices[0]", "$.prompt_filter_results[0]"])
async def test_an_unreadable_finding_of_the_content_filter_never_passes(where: str, findings: Any) -> None:
    reply = copy.deepcopy(REPLIES["safety"][2])
    container, key = at(f"{where}.content_filter_results", reply)
    container[key] = findings
    with pytest.raises(DecodingError, match="content filter"):
        await read("safety", reply)


@pytest.mark.parametrize("findings", [None, {}, [], {"hate": {}, "custom_blocklists": []}, {"hate": None}])
async def test_without_findings_the_content_filter_passes(findings: Any) -> None:
    reply = copy.deepcopy(REPLIES["safety"][2])
    container, key = at("$.choices[0].content_filter_results", reply)
    container[key] = findings
    assert (await read("safety", reply)).passed


@pytest.mark.parametrize("content", [{}, 7, True, [7, {"text": 7}]])
@pytest.mark.parametrize("name", ["chat", "gateway"])
async def test_content_that_is_not_text_is_refused(name: str, content: Any) -> None:
    reply = copy.deepcopy(REPLIES[name][2])
    container, key = at(CONTENT, reply)
    container[key] = content
    with pytest.raises(DecodingError):
        await read(name, reply)


@pytest.mark.parametrize("wrong", [None, "another kind"])
@pytest.mark.parametrize(("name", "where"), NEEDED)
async def test_a_wrong_value_of_a_needed_field_is_refused_with_its_path(name: str, where: str, wrong: Any) -> None:
    reply = copy.deepcopy(REPLIES[name][2])
    container, key = at(where, reply)
    container[key] = wrong and (True if is_number(container[key]) else 7)
    with pytest.raises(DecodingError) as caught:
        await read(name, reply)
    assert where[1:] in caught.value.message.partition("; the response")[0]


@pytest.mark.parametrize(("name", "where"), [(name, where) for name, where in NEEDED if not where.endswith("]")])
async def test_a_missing_needed_field_is_refused_with_its_path(name: str, where: str) -> None:
    reply = copy.deepcopy(REPLIES[name][2])
    container, key = at(where, reply)
    del container[key]
    with pytest.raises(DecodingError) as caught:
        await read(name, reply)
    assert where[1:] in caught.value.message.partition("; the response")[0]


@pytest.mark.parametrize("body", [None, 1, "text", True])
@pytest.mark.parametrize("name", [name for name in REPLIES if name != "heard"])  # older versions return a string
async def test_a_body_of_another_type_is_refused_at_its_root(name: str, body: Any) -> None:
    with pytest.raises(DecodingError, match=r"\$: expected an (object|array)"):
        await read(name, body)


# Unknown words


@pytest.mark.parametrize(
    ("name", "changes", "see", "seen"),
    [
        ("prediction", {"status": "dreaming"}, lambda it: (it.status, it.ended), ("dreaming", False)),
        ("prediction", {"type": "dream", "privacy": "secret", "source": "mars"}, lambda it: it.source, "mars"),
        ("model", {"type": "smell", "status": "asleep"}, lambda it: (it.type, it.status), ("smell", "asleep")),
        ("model", {"pricing": {"unit": "sniff"}}, lambda it: it.pricing.unit, "sniff"),
        ("response", {"status": "asleep"}, lambda it: it.status, "asleep"),
        ("job", {"job": {"id": "j", "status": "asleep"}}, lambda it: it.status, "asleep"),
    ],
)
async def test_unknown_words_stay_unchanged(name: str, changes: Any, see: Any, seen: Any) -> None:
    assert see(await read(name, {**REPLIES[name][2], **changes})) == seen
