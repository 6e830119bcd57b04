"""What requests to Skytells have, and states of a prediction that it responds with."""

from __future__ import annotations

BASE = "https://api.skytells.ai/v1"
KEY = {"x-api-key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
DONE = {"id": "a1", "status": "succeeded"}
GONE = {"id": "a1", "status": "cancelled"}
HELLO = {"role": "user", "content": "hi"}
