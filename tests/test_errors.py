"""The tree of errors: its shape, its old names, the attributes of each error."""

from __future__ import annotations

import builtins
import copy
import inspect
import pickle
from typing import Any

import pytest

import kellyapi
from kellyapi import errors

TREE: dict[str, str | None] = {
    "KellyAPIError": None,
    "ConfigurationError": "KellyAPIError",
    "TransportError": "KellyAPIError",
    "RequestTimeoutError": "TransportError",
    "StatusError": "KellyAPIError",
    "BadRequestError": "StatusError",
    "AuthenticationError": "StatusError",
    "PaymentRequiredError": "StatusError",
    "PermissionDeniedError": "StatusError",
    "NotFoundError": "StatusError",
    "ConflictError": "StatusError",
    "PayloadTooLargeError": "StatusError",
    "RateLimitError": "StatusError",
    "ServerError": "StatusError",
    "DecodingError": "KellyAPIError",
    "PredictionFailedError": "KellyAPIError",
    "WaitTimeoutError": "KellyAPIError",
    "WebhookError": "KellyAPIError",
}
OLD_NAMES = {
    "BaseError",
    "InvalidApiKey",
    "InvalidRequest",
    "GenericApiError",
    "InvalidContent",
    "ConnectionError",
    "TimeoutError",
}
DEFINED = {
    name: kind
    for name, kind in vars(errors).items()
    if inspect.isclass(kind) and issubclass(kind, BaseException) and kind.__module__ == errors.__name__
}


def test_the_module_defines_only_the_tree_and_the_old_names() -> None:
    assert set(DEFINED) == set(TREE) | OLD_NAMES


@pytest.mark.parametrize("name", TREE)
def test_each_error_has_only_the_bases_that_the_tree_says(name: str) -> None:
    ours = [kind.__name__ for kind in DEFINED[name].__mro__ if kind.__name__ in set(TREE) and kind in DEFINED.values()]
    wanted, step = [name], TREE[name]
    while step is not None:
        wanted.append(step)
        step = TREE[step]
    assert ours == wanted
    assert getattr(kellyapi, name) is DEFINED[name]


@pytest.mark.parametrize("name", DEFINED)
def test_every_error_is_a_kelly_api_error(name: str) -> None:
    assert issubclass(DEFINED[name], errors.KellyAPIError)


def test_every_error_of_the_package_is_defined_here() -> None:

    def under(kind: type[BaseException]) -> set[type[BaseException]]:
        return {kind}.union(*(under(sub) for sub in kind.__subclasses__()))

    ours = {kind for kind in under(errors.KellyAPIError) if kind.__module__.startswith("kellyapi")}
    assert ours == set(DEFINED.values())


@pytest.mark.parametrize(
    ("old", "kinds"),
    [
        ("InvalidApiKey", {"AuthenticationError", "PermissionDeniedError"}),
        ("ConnectionError", {"TransportError", "RequestTimeoutError", "ServerError"}),
        ("TimeoutError", {"RequestTimeoutError"}),
        ("InvalidContent", {"DecodingError"}),
        ("BaseError", {"TransportError", "RequestTimeoutError", "ServerError", "DecodingError"}),
        ("InvalidRequest", set()),
        ("GenericApiError", set()),
    ],
)
def test_each_old_name_is_a_base_of_the_errors_it_caught(old: str, kinds: set[str]) -> None:
    assert {name for name in TREE if issubclass(DEFINED[name], DEFINED[old])} == kinds


def test_a_timeout_is_also_the_builtin_timeout_error() -> None:
    assert issubclass(errors.RequestTimeoutError, builtins.TimeoutError)
    assert not issubclass(errors.TransportError, OSError)


@pytest.mark.parametrize(
    ("statuses", "kind"),
    [
        ([400, 422], errors.BadRequestError),
        ([401], errors.AuthenticationError),
        ([402], errors.PaymentRequiredError),
        ([403], errors.PermissionDeniedError),
        ([404], errors.NotFoundError),
        ([409], errors.ConflictError),
        ([413], errors.PayloadTooLargeError),
        ([429], errors.RateLimitError),
        ([500, 501, 502, 503, 504, 599], errors.ServerError),
        ([0, 200, 302, 405, 408, 410, 418, 451], errors.StatusError),
    ],
)
def test_each_status_has_its_class(statuses: list[int], kind: type[errors.StatusError]) -> None:
    assert {errors.status_error(status) for status in statuses} == {kind}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("KellyAPIError", "SDK_ERROR"),
        ("ConfigurationError", "CONFIGURATION_ERROR"),
        ("TransportError", "NETWORK_ERROR"),
        ("RequestTimeoutError", "REQUEST_TIMEOUT"),
        ("StatusError", "HTTP_ERROR"),
        ("ServerError", "HTTP_ERROR"),
        ("DecodingError", "INVALID_JSON"),
        ("PredictionFailedError", "PREDICTION_FAILED"),
        ("WaitTimeoutError", "WAIT_TIMEOUT"),
        ("WebhookError", "WEBHOOK_SIGNATURE_INVALID"),
    ],
)
def test_each_error_has_a_default_code(name: str, code: str) -> None:
    assert DEFINED[name]("x").code == code
    assert DEFINED[name]("x", code="OTHER").code == "OTHER"


@pytest.mark.parametrize("name", DEFINED)
def test_each_error_needs_only_a_message(name: str) -> None:
    error = DEFINED[name]("what happened")
    assert (error.message, error.provider, error.prediction, error.outcome_unknown) == (
        "what happened",
        None,
        None,
        False,
    )
    assert "what happened" in str(error)
    assert str(DEFINED[name]()) is not None
    if isinstance(error, errors.BaseError):
        assert (error.success, error.error_message) == (False, "what happened")


def test_str_has_the_provider_the_message_and_the_request_id() -> None:
    error = errors.RateLimitError("slow down", status=429, code="RATE_LIMITED", request_id="r1", provider="khaya")
    assert str(error) == "khaya: slow down (429, RATE_LIMITED, request r1)"
    assert str(errors.TransportError("reset", provider="kelly")) == "kelly: reset"
    assert str(errors.WaitTimeoutError("late")) == "late"


def test_str_and_repr_leave_out_body_and_headers() -> None:
    error = errors.ServerError("down", status=500, body={"key": "sk-secret"}, headers={"Set-Cookie": "sk-secret"})
    assert "sk-secret" not in f"{error} {error!r}"


FULL: dict[str, Any] = {
    "status": 429,
    "code": "C",
    "provider": "khaya",
    "details": [1],
    "request_id": "r1",
    "body": {"a": 1},
    "headers": {"A": "b"},
    "retry_after": 2.5,
    "prediction": kellyapi.Prediction(id="a", status="failed"),
}


@pytest.mark.parametrize("name", DEFINED)
def test_each_error_can_be_pickled(name: str) -> None:
    kind = DEFINED[name]
    fields = FULL if issubclass(kind, errors.StatusError) else {"code": "C", "prediction": FULL["prediction"]}
    error = kind("what happened", **fields)
    error.outcome_unknown = True
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert (vars(again), str(again), again.args) == (vars(error), str(error), error.args)


def test_an_error_of_a_status_can_be_made_and_pickled_without_headers() -> None:
    again = pickle.loads(pickle.dumps(errors.StatusError("No", status=400)))
    assert (again.status, again.headers, copy.deepcopy(again).message) == (400, {}, "No")
