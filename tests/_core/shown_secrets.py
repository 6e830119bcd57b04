"""Searches for the tests' secrets in errors, tracebacks and texts, and calls that send the secrets."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator
from pathlib import Path

from servers import KEY

from kellyapi import NO_RETRY, Aerostack, Kelly, Khaya, Skytells

PASSWORD = "pass-word-of-the-proxy"
SECRETS = (KEY, PASSWORD)
ALL_PROVIDERS = (Kelly, Khaya, Skytells, Aerostack)
FAR = "http://far.example"
TESTS = Path(__file__).parents[1]


def with_password(url: str) -> str:
    return url.replace("://", f"://somebody:{PASSWORD}@")


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all its causes that a formatted traceback shows."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from chain(one)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def shown(error: BaseException) -> str:
    """Return all that an error shows: its fields, and its traceback with the locals of all frames except the tests'."""
    texts: list[str] = []
    for each in chain(error):
        trace = traceback.TracebackException.from_exception(each, capture_locals=True)
        trace.stack[:] = [frame for frame in trace.stack if TESTS not in Path(frame.filename).parents]
        trace.__cause__ = trace.__context__ = None
        texts += [*trace.format(), str(each), repr(each), repr(vars(each)), *getattr(each, "__notes__", ())]
    return "\n".join(texts)


def secrets_in(text: str) -> list[str]:
    """Return the secrets that a text contains, with the text around them."""
    return [text[max(0, text.index(one) - 80) :][:160] for one in SECRETS if one in text]


async def wallet(url: str) -> None:
    await Aerostack("project-key", base_url=url, retry=NO_RETRY).gateway.wallet("api", consumer=KEY)


async def consume(url: str) -> None:
    await Aerostack("project-key", base_url=url, retry=NO_RETRY).gateway.chat("api", "hi", consumer=KEY)


async def consume_stream(url: str) -> None:
    client = Aerostack("project-key", base_url=url, retry=NO_RETRY)
    async with client.gateway.chat_stream("api", "hi", consumer=KEY) as stream:
        await anext(stream)


ECHO = json.dumps({"problem": f"no {KEY}", "code": KEY, "key": [KEY]}).encode()


def shows(error: BaseException, secret: str) -> bool:
    """Return whether an error or its traceback shows a secret, with the locals of all frames except the tests'."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    trace.stack[:] = [frame for frame in trace.stack if TESTS not in Path(frame.filename).parents]
    shown = "".join(trace.format())
    assert "self = " in shown
    return any(secret in text for text in (shown, str(error), repr(error), repr(vars(error))))
