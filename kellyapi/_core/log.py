"""The log of a client: what a handler or a filter of the user's raises never ends a call."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import Any


class Log(logging.LoggerAdapter[logging.Logger]):
    """Passes records to a logger. If that raises, the error is printed, as Python does for its own handlers.

    Most calls are paid for when something is logged, so that an error there would lose a result.
    """

    def __init__(self, logger: logging.Logger | Log) -> None:
        super().__init__(logger.logger if isinstance(logger, Log) else logger, None)

    def log(self, level: int, msg: object, *args: Any, **options: Any) -> None:
        """Log a record, with the place of the caller of `info`, `warning` and the others."""
        try:
            self.logger.log(level, msg, *args, stacklevel=2, **options)
        except Exception:  # whatever code of the user raises
            if logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()
