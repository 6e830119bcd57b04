"""What requests to Aerostack have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kellyapi import Aerostack

BASE = "https://api.aerostack.ai/v1"
KEY = {"X-Aerostack-Key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
CONSUMER = {"Authorization": "Bearer ask_live_1"}
HELLO = {"role": "user", "content": "hi"}
Call = Callable[[Aerostack], Awaitable[Any]]
