"""How the command writes amounts."""

from __future__ import annotations

from kellyapi.cli.formatting import format_amount


def test_small_amounts_have_no_exponent() -> None:
    assert [format_amount(number) for number in (0, 5, 0.03, 7e-05, 1200.0)] == ["0", "5", "0.03", "0.00007", "1200"]
