"""Embeddings without a model: unit vectors made from the hashes of words.

Texts with common words are near to each other; meanings play no part. The same text has the same vector on every
machine.
"""

from __future__ import annotations

import math
import re
import struct
from hashlib import blake2b


def embed_all(texts: list[str], dimensions: int) -> list[bytes]:
    """Return the vector of each text."""
    return [embed(text, dimensions) for text in texts]


def embed(text: str, dimensions: int) -> bytes:
    """Return the vector of a text as 32-bit little-endian floats. Each word adds to sixteen places."""
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        for number in struct.unpack("<16I", blake2b(word.encode("utf-8", "surrogatepass")).digest()):
            vector[(number >> 9) % dimensions] += (1 + (number & 0xFF) / 0xFF) * (1 if number & 0x100 else -1)
    length = math.hypot(*vector)
    if not length:  # the words cancel each other out
        vector[0] = length = 1.0
    return struct.pack(f"<{dimensions}f", *(value / length for value in vector))
