"""Main program of the engines' child process: it runs the functions that `supervisor` names, one after another.

Both pipes carry pickles, each after its length in eight bytes. A request is the dotted name of a function and its
arguments. A reply is True and the return value, or False and an exception.
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


def run_request(request: bytes) -> bytes:
    """Run the function that a request names, and return the reply."""
    failure: Exception
    try:
        function, arguments = pickle.loads(request)
        module, _, name = function.rpartition(".")
        return pickle.dumps((True, getattr(import_module(module), name)(**arguments)))
    except (BadInput, EngineMissing) as error:
        failure = error
    except ImportError as error:
        advice = "it has wheels for CPython 3.11 to 3.13" if error.name == "pocketsphinx" else "the sandbox needs it"
        failure = EngineMissing(f'{error}: pip install "kellyapi[sandbox]" ({advice})')
    except Exception as error:  # broad: the parent may not have the error's class, so it gets a RuntimeError
        failure = RuntimeError(f"{type(error).__name__}: {error}")
        failure.add_note(traceback.format_exc())
    return pickle.dumps((False, failure))


def read_requests(pipe: BinaryIO, requests: SimpleQueue[bytes]) -> None:
    """Queue the requests. When the server closes the pipe, exit at once, even while an engine works."""
    while len(length := pipe.read(LENGTH)) == LENGTH:
        requests.put(pipe.read(int.from_bytes(length)))
    os._exit(0)


def main() -> None:
    """Run requests until the server closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides when to end
    request_pipe, reply_pipe = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Output of C libraries and input of programs that engines start must not use the pipes.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=read_requests, args=(request_pipe, requests), daemon=True).start()
    while True:
        reply = run_request(requests.get())
        reply_pipe.write(len(reply).to_bytes(LENGTH) + reply)
        reply_pipe.flush()


if __name__ == "__main__":
    main()
