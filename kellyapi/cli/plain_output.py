"""Print plain text without rich, for `kellyapi doctor`, which must run where rich is missing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from .doctor.findings import Finding, report_lines
from .formatting import printable


class PlainOutput:
    """Print on standard output, without colours."""

    def spinner(self, what: str) -> AbstractContextManager[object]:
        """Show nothing."""
        return nullcontext()

    def note(self, text: str) -> None:
        """Print a line on standard error."""
        print(printable(text), file=sys.stderr)

    def report(self, findings: Sequence[Finding]) -> None:
        """Print the findings."""
        for _, line in report_lines(findings):
            print(printable(line))
