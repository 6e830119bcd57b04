"""Responses that arrive when their callers have left, so that what they say was done can be undone."""

from __future__ import annotations

from attrs import define, evolve

from .messages import Timeout


class CallerLeft(Exception):
    """Ends a call whose caller has left: its request is not sent, or not sent again."""


@define
class LateResponse:
    """How long the response to a request is awaited when its caller has left. Nothing is sent after that."""

    seconds: float
    """Seconds after the end of the time of the call."""
    left: bool = False
    """Whether the caller has left."""
    sending: bool = False
    """Whether a request is being sent, or its response is awaited."""

    def begin(self, timeout: Timeout) -> Timeout:
        """Return the time of a request that is sent now.

        Raises:
            CallerLeft: The caller has left.
        """
        if self.left:
            raise CallerLeft
        self.sending = True
        return evolve(timeout, total=timeout.total + self.seconds) if timeout.total else timeout
