"""Main program of the engines' child process: it runs the functions that `supervisor` names, one after another.

Both pipes carry pickles, each after its length in eight bytes. A request is the dotted name of a function, its
arguments and its time limit. A reply is True and the return value, or False and an exception.
"""

from __future__ import annotations

import math
import os
import pickle
import signal
import threading
import time
import traceback
from importlib import import_module
from queue import SimpleQueue
from typing import BinaryIO

from .errors import BadInput, EngineMissing

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # a module that may be absent

LENGTH = 8
MEMORY_LIMIT = 2**30
"""Bytes of memory that a child may use. The largest picture takes 0.6 GiB. It has no effect on Windows and macOS."""


def run_request(request: bytes) -> bytes:
    """Run the function that a request names, and return the reply."""
    failure: Exception
    try:
        function, arguments, seconds = pickle.loads(request)
        limit_processor_time(seconds)
        module, _, name = function.rpartition(".")
        return pickle.dumps((True, getattr(import_module(module), name)(**arguments)))
    except (BadInput, EngineMissing) as error:
        failure = error
    except ImportError as error:
        advice = "it has wheels for CPython 3.11 to 3.13" if error.name == "pocketsphinx" else "the sandbox needs it"
        failure = EngineMissing(f'{error}: pip install "kellyapi[sandbox]" ({advice})')
    except MemoryError:
        failure = RuntimeError(f"the work needs more memory than {MEMORY_LIMIT >> 20} MiB")
    except Exception as error:  # broad: the parent may not have the error's class, so it gets a RuntimeError
        failure = RuntimeError(f"{type(error).__name__}: {error}")
        failure.add_note(traceback.format_exc())
    return pickle.dumps((False, failure))


def limit_memory() -> None:
    """Let allocations beyond the limit fail."""
    if resource:
        _set_limit(resource.RLIMIT_DATA, MEMORY_LIMIT)


def limit_processor_time(seconds: float) -> None:
    """Let the kernel end this process if the next job takes longer.

    The server keeps the time too. This limit ends a job that holds the interpreter's lock after the server was killed.
    """
    if resource:
        _set_limit(resource.RLIMIT_CPU, math.ceil(time.process_time() + seconds) + 1)


def _set_limit(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def read_requests(pipe: BinaryIO, requests: SimpleQueue[bytes]) -> None:
    """Queue the requests. When the server closes the pipe, exit at once, even while an engine works."""
    try:
        while len(length := pipe.read(LENGTH)) == LENGTH:
            requests.put(pipe.read(int.from_bytes(length)))
    finally:  # also if a request does not fit into the memory
        os._exit(0)


def main() -> None:
    """Run requests until the server closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server decides when to end
    request_pipe, reply_pipe = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Output of C libraries and input of programs that engines start must not use the pipes.
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    limit_memory()
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=read_requests, args=(request_pipe, requests), daemon=True).start()
    while True:
        reply = run_request(requests.get())
        reply_pipe.write(len(reply).to_bytes(LENGTH) + reply)
        reply_pipe.flush()


if __name__ == "__main__":
    main()
