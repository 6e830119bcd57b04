"""The server's side of the users' SQL: statements run one at a time in a process of their own."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from .engines.errors import BadInput, TimeLimitExceeded
from .engines.supervisor import EngineSupervisor

TIME_LIMIT = 5.0
"""Seconds of processor time after which the process of a statement is ended. Most statements are stopped before,
after about 0.5 s."""


class SqlProcess:
    """Runner of the statements on one SQLite file. The process starts with the first statement.

    Args:
        path: The file, whose schema is complete: statements cannot change it.
        synchronous: SQLite's setting of this name.
        time_limit: Seconds of processor time after which a statement's process is ended and replaced.
    """

    def __init__(self, path: Path, synchronous: str, *, time_limit: float = TIME_LIMIT) -> None:
        self._file: dict[str, Any] = {"path": str(path), "synchronous": synchronous}
        self._time_limit = time_limit
        self._turn = asyncio.Lock()
        self._process = self._new_process()
        self._is_new = True

    async def run(self, sql: str, params: list[Any], **limits: int) -> tuple[str, int]:
        """Run a statement, and return its rows as a JSON array, and their number. `limits` is `most` bytes.

        If the call is cancelled, so is the statement.

        Raises:
            BadInput: If the statement failed. It has changed nothing then.
        """
        async with self._turn:
            ended = False
            try:
                if self._is_new:
                    await self._process.run("sql_statements.open_file", **self._file)
                    self._is_new = False
                call = self._process.run(
                    "sql_statements.run",
                    processor_limit=self._time_limit,
                    **self._file,
                    sql=sql,
                    params=params,
                    **limits,
                )
                result: tuple[str, int] = await call
                ended = True
            except BadInput:
                ended = True
                raise
            except RuntimeError as error:  # the next statement starts a new process
                ended = self._is_new = True
                if isinstance(error, TimeLimitExceeded):
                    raise BadInput("sql", f"The statement takes more than {self._time_limit:g} seconds") from None
                raise BadInput("sql", f"The statement failed: {error}") from None
            finally:
                if not ended:
                    stuck = self._process
                    self._process, self._is_new = self._new_process(), True
                    await stuck.close()
            return result

    async def close(self) -> None:
        """End the process, and the statement in it."""
        await self._process.close()

    def _new_process(self) -> EngineSupervisor:
        return EngineSupervisor(str(__package__), fresh=True)  # the limits that it gets are for good
