"""What requests to Khaya have, and what it responds."""

from __future__ import annotations

BASE = "https://translation-api.ghananlp.org"
KEY = {"Ocp-Apim-Subscription-Key": "key"}
JSON = {**KEY, "Content-Type": "application/json"}
WAV = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x22\x56\x00\x00\x44\xac\x00\x00\x02\x00\x10\x00data"
)
HEARD = {"text": "Me ho yɛ."}
