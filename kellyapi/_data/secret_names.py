"""Which headers and fields hold keys, passwords and tokens, by their names."""

from __future__ import annotations

import re

SHORTEST_KEY = 8
"""Characters. A shorter key is a word, such as `sandbox`, which may be in any text."""
_HEADER = re.compile(r"(?!.*rate-?limit).*(?:auth|cookie|key|secret|token)", re.IGNORECASE)
_FIELD = re.compile(r"password|secret|credential|authorization|cookie|api[_-]?key|(?:token|otp|jwt)$", re.IGNORECASE)


def is_secret_header(name: str) -> bool:
    """Return whether a header holds a secret. Headers of rate limits only count tokens."""
    return _HEADER.match(name) is not None


def is_secret_field(name: str) -> bool:
    """Return whether a field of JSON or of a form holds a secret."""
    return _FIELD.search(name) is not None
