"""`Fault` and the queue of faults: routes, order, number and probability; arguments that cannot be combined."""

from __future__ import annotations

from typing import Any

import pytest
from http_client import Send

from kellyapi import Fault, Sandbox

KHAYA_KEY = {"Ocp-Apim-Subscription-Key": "key"}


@pytest.mark.parametrize(
    ("route", "method", "path", "matches"),
    [
        ("*", "GET", "/", True),
        ("/v1/translate", "POST", "/v1/translate", True),
        ("/v1/translate", "POST", "/v1/translate/", False),
        ("/v1/translate", "POST", "/v2/v1/translate", False),
        ("/v1/predictions/*", "GET", "/v1/predictions/a/cancel", True),
        ("/v1/predictions/*", "GET", "/v1/predictions", False),
        ("/v1/predictions/*/cancel", "POST", "/v1/predictions/a/cancel", True),
        ("/v1/predictions/*/cancel", "POST", "/v1/predictions/a", False),
        ("GET /v1/predictions", "GET", "/v1/predictions", True),
        ("GET /v1/predictions", "POST", "/v1/predictions", False),
        ("DELETE *", "DELETE", "/a", True),
        ("DELETE *", "GET", "/a", False),
        ("/a.b[c]", "GET", "/a.b[c]", True),
        ("/a.b", "GET", "/axb", False),
        ("/a*", "GET", "/a\nb", True),
    ],
)
def test_a_route_is_a_path_with_or_without_a_method(route: str, method: str, path: str, matches: bool) -> None:
    assert Fault(route, status=500).matches(method, path) == matches


async def statuses(send: Send, count: int, path: str = "/v1/languages") -> list[int]:
    return [(await send("GET", path, headers=KHAYA_KEY)).status for _ in range(count)]


async def test_added_faults_happen_in_their_order(send: Send, sandbox: Sandbox) -> None:
    sandbox.fail_next("/v1/languages", status=501)
    sandbox.fail_next("/elsewhere", status=599)
    sandbox.fail_next(status=502, times=2)
    assert [(fault.status, fault.times) for fault in sandbox.faults] == [(501, 1), (599, 1), (502, 2)]
    assert await statuses(send, 2) == [501, 502]
    assert [(fault.status, fault.times) for fault in sandbox.faults] == [(599, 1), (502, 1)]
    assert await statuses(send, 2) == [502, 200]
    sandbox.clear_faults()
    assert sandbox.faults == ()
    assert await statuses(send, 1, "/elsewhere") == [404]


async def test_permanent_faults_follow_the_added_ones_until_their_times_are_used(send: Send) -> None:
    sandbox = Sandbox(faults=[Fault(status=501, times=2), Fault("/v1/languages", status=502)])
    sandbox.fail_next(status=503)
    async with sandbox:
        response = [(await send("GET", "/v1/languages", url=sandbox.url)).status for _ in range(6)]
    assert response == [503, 501, 501, 502, 502, 502]
    assert sandbox.faults == (Fault("/v1/languages", status=502),)


async def test_the_same_seed_affects_the_same_requests(send: Send) -> None:
    async def statuses_with_seed(seed: int) -> list[int]:
        async with Sandbox(faults=[Fault(status=503, probability=0.3)], seed=seed) as sandbox:
            return [(await send("GET", "/v1/languages", url=sandbox.url, headers=KHAYA_KEY)).status for _ in range(50)]

    first = await statuses_with_seed(1)
    assert first == await statuses_with_seed(1) != await statuses_with_seed(2)
    assert set(first) == {200, 503}


async def test_times_counts_only_the_requests_that_a_probability_affected(send: Send, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=503, probability=0.5, times=3)
    assert (await statuses(send, 40)).count(503) == 3


async def test_a_fault_happens_before_the_key_check(send: Send, sandbox: Sandbox) -> None:
    sandbox.fail_next(status=503)
    assert [(await send("GET", "/v1/languages")).status for _ in range(2)] == [503, 401]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({}, "say what happens"),
        ({"times": 2, "probability": 0.5}, "say what happens"),
        ({"carried_out": True}, "say what happens"),
        ({"route": "v1/translate", "status": 500}, '"POST /v1/predict"'),
        ({"route": "/v1/translate?a=b", "status": 500}, "without its query"),
        ({"route": "get /v1", "status": 500}, '"POST /v1/predict"'),
        ({"status": 99}, "status"),
        ({"status": 600}, "status"),
        ({"status": 500, "times": 0}, "times"),
        ({"status": 500, "probability": 0}, "probability"),
        ({"status": 500, "probability": 1.1}, "probability"),
        ({"delay": -1}, "delay"),
        ({"delay": float("inf")}, "delay"),
        ({"drip": (0, 1.0)}, r"drip\[0\] must be at least 1"),
        ({"drip": (1, -1.0)}, r"drip\[1\] must be at least 0"),
        ({"cut_after": -1}, "cut_after"),
        ({"gzip_bomb": 0}, "gzip_bomb"),
        ({"headers": {"A": "b\r\nC: d"}}, "printable"),
        ({"headers": {"": "b"}}, "printable"),
        ({"headers": {"content-length": "3"}}, "length_off_by"),
        ({"html": "a", "body": "b"}, "body and html each replace the response: choose one"),
        ({"redirect_to": "/a", "gzip_bomb": 3}, "redirect_to and gzip_bomb each replace the response: choose one"),
        ({"reset": True, "hang": True}, "choose one"),
        ({"reset": True, "status": 500}, "reset sends no response: leave out status, or use reset_after"),
        ({"reset": True, "cut_after": 0}, "reset sends no response: leave out cut_after"),
        ({"hang": True, "body": "a", "headers": {"a": "b"}}, "hang sends no response: leave out body, headers"),
        ({"hang": True, "delay": 1}, "delay alone"),
        ({"cut_after": 1, "reset_after": 0}, "cut_after and reset_after each end the connection"),
        ({"cut_after": 0, "length_off_by": 2}, "cut_after and length_off_by each end the connection"),
        ({"length_off_by": 0}, "right length"),
        ({"redirect_to": "/a", "status": 200}, "from 300 to 399, not 200"),
        ({"redirect_to": "/a", "status": 299}, "from 300 to 399, not 299"),
        ({"redirect_to": "/a", "status": 400}, "from 300 to 399, not 400"),
        ({"status": 204, "body": "a"}, "204 has no body"),
        ({"status": 304, "cut_after": 1}, "304 has no body"),
        ({"carried_out": False, "cut_after": 1}, "add status, body, reset or hang"),
    ],
)
def test_contradictory_arguments_are_a_value_error_that_says_what_is_right(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault(**fault)
    if fault:
        with pytest.raises(ValueError, match=message):
            Sandbox().fail_next(**fault)


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 200},
        {"status": 599},
        {"status": 500, "times": 1, "probability": 1},
        {"redirect_to": "/a", "status": 300},
        {"redirect_to": "/a", "status": 399},
        {"status": 204, "headers": {"a": "b"}},
        {"hang": True},
        {"hang": True, "carried_out": False},
        {"reset": True, "delay": 1},
        {"status": 500, "carried_out": False},
        {"cut_after": 0, "carried_out": True},
        {"cut_after": 0},
        {"gzip_bomb": 1, "drip": (1, 0)},
    ],
    ids=str,
)
def test_other_arguments_can_be_combined(fault: dict[str, Any]) -> None:
    assert Fault(**fault) == Fault("*", **fault)


@pytest.mark.parametrize(
    ("fault", "does_the_work"),
    [
        ({"delay": 1}, True),
        ({"cut_after": 0}, True),
        ({"status": 500}, False),
        ({"body": ""}, False),
        ({"reset": True}, False),
        ({"hang": True}, False),
        ({"status": 500, "carried_out": True}, True),
        ({"hang": True, "carried_out": True}, True),
    ],
    ids=str,
)
def test_the_work_is_done_if_the_response_is_the_providers_or_if_it_is_asked_for(
    fault: dict[str, Any], does_the_work: bool
) -> None:
    assert Fault(**fault).does_the_work is does_the_work


def test_all_arguments_but_the_route_have_names() -> None:
    with pytest.raises(TypeError, match="positional"):
        Fault("/a", 500)  # type: ignore[misc]  # what is tested


def test_unknown_arguments_and_wrong_types_are_type_errors() -> None:
    with pytest.raises(TypeError, match="statsu"):
        Sandbox().fail_next(statsu=500)
    with pytest.raises(TypeError, match=r"faults\[0\] must be a Fault"):
        Sandbox(faults=["/v1/translate"])  # type: ignore[list-item]  # what is tested
    with pytest.raises(TypeError, match="status"):
        Fault(status="503")  # type: ignore[arg-type]  # what is tested


def test_a_fault_is_a_value() -> None:
    assert Fault("/a", status=500, headers={"a": "b"}) == Fault("/a", headers={"a": "b"}, status=500)
    with pytest.raises(AttributeError):
        Fault(status=500).status = 501  # type: ignore[misc]  # what is tested
