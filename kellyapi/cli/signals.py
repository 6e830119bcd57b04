"""SIGTERM and SIGHUP end the command as Ctrl-C does: a prediction is cancelled or named before the program ends."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """Ends the command without a question: nobody may be there to answer."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Raise `Terminated` in the block at the first SIGTERM or SIGHUP. A signal that is ignored or handled stays so."""
    in_main_thread = threading.current_thread() is threading.main_thread()  # others cannot set handlers
    numbers = [each for each in _NUMBERS if in_main_thread and signal.getsignal(each) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, _raise)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _raise(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)  # a second one ends the program at once

    def end() -> None:
        raise Terminated(number)

    try:
        loop = sys.modules["asyncio"].get_running_loop()
    except (KeyError, RuntimeError):
        end()
    else:
        loop.call_soon_threadsafe(end)  # not in the middle of a task, which would report it
