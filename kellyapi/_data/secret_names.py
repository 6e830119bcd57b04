"""Which headers and fields hold keys, passwords and tokens, by their names."""

from __future__ import annotations

import re
from collections.abc import Container
from urllib.parse import unquote

SHORTEST_KEY = 8
"""Characters. A shorter key is a word, such as `sandbox`, which may be in any text."""
_HEADER = re.compile(r"(?!.*rate-?limit).*(?:auth|cookie|key|secret|token)", re.IGNORECASE)
_FIELD = re.compile(
    r"passw(?:or)?d|passphrase|secret|credential|authorization|bearer|cookie"
    r"|(?:api|private|access|subscription)[_-]?key|(?:token|otp|jwt|pwd)$",
    re.IGNORECASE,
)
_PARAMETER = re.compile(r"(?<=[?&;])([^=&;]*)=([^&;]*)")


def is_secret_header(name: str) -> bool:
    """Return whether a header holds a secret. Headers of rate limits only count tokens."""
    return _HEADER.match(name) is not None


def is_secret_field(name: str, others: Container[str] = ()) -> bool:
    """Return whether a field of JSON or of a form holds a secret.

    `others` are the names of fields in the same object: a "token" with a "logprob" is a piece of a model's text.
    """
    return _FIELD.search(name) is not None and not (name == "token" and "logprob" in others)


def without_secret_parameters(url: str) -> str:
    """Return a URL or a path with "***" in place of the secrets in its query."""
    return _PARAMETER.sub(lambda each: f"{each[1]}=***" if is_secret_field(unquote(each[1])) else each[0], url)
