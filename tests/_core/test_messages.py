"""Requests and responses: secrets, content types, and the fields of bodies."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from kellyapi._core.messages import Call, PreparedRequest, Response
from kellyapi._core.resource import drop_none
from kellyapi._core.secrets import Secret

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
