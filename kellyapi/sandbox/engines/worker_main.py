"""The child process: runs the functions that process.py asks for, one after another.

Both pipes carry pickles, each behind its length in eight bytes: in, the dotted name of a function and its arguments;
out, True and what it returned, or False and an exception. What an engine does is its own module's matter.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from importlib import import_module
from queue import SimpleQueue
from typing import BinaryIO

from .errors import BadInput, EngineMissing

LENGTH = 8


def answer(request: bytes) -> bytes:
    """Run the function that a request names."""
    failure: Exception
    try:
        function, arguments = pickle.loads(request)
        module, _, name = function.rpartition(".")
        return pickle.dumps((True, getattr(import_module(module), name)(**arguments)))
    except (BadInput, EngineMissing) as error:
        failure = error
    except ImportError as error:
        advice = "it has wheels for CPython 3.11 and 3.13" if error.name == "pocketsphinx" else "the sandbox needs it"
        failure = EngineMissing(f'{error}: pip install "kellyapi[sandbox]" ({advice})')
    except Exception as error:  # it goes to the other process, which may not have its class
        failure = RuntimeError(f"{type(error).__name__}: {error}")
        failure.add_note(traceback.format_exc())
    return pickle.dumps((False, failure))


def listen(requests: BinaryIO, waiting: SimpleQueue[bytes]) -> None:
    """Queue what arrives. The end of the pipe says that the server is gone: end at once, even while an engine works."""
    while len(length := requests.read(LENGTH)) == LENGTH:
        waiting.put(requests.read(int.from_bytes(length)))
    os._exit(0)


def main() -> None:
    """Answer until the server goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the whole group; the server decides when to end
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # What C libraries print, and what programs started here read, must not touch the pipes.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    waiting: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=listen, args=(requests, waiting), daemon=True).start()
    while True:
        reply = answer(waiting.get())
        answers.write(len(reply).to_bytes(LENGTH) + reply)
        answers.flush()


if __name__ == "__main__":
    main()
