"""Fixtures of several test files."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF----WAVE" + bytes(2**16))
    return path
