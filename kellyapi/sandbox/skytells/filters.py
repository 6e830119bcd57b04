"""The content filter of the sandbox: a few words by category, enough to try what a program does with a finding.

Medium and high are filtered, low is only named. It is no judgement of a text.
"""

from __future__ import annotations

import re
from typing import Any

_SEVERITIES = ("safe", "low", "medium", "high")
_WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "hate": {"low": ("hate", "hateful"), "medium": ("racist", "racism"), "high": ("subhuman", "genocide")},
    "self_harm": {"low": ("hopeless",), "medium": ("self-harm", "hurt myself"), "high": ("suicide", "kill myself")},
    "sexual": {"low": ("kiss", "lingerie"), "medium": ("nude", "naked"), "high": ("porn", "pornographic")},
    "violence": {
        "low": ("kill", "fight", "gun"),
        "medium": ("blood", "bloody", "murder"),
        "high": ("massacre", "torture", "beheading"),
    },
}
_JAILBREAK = re.compile(
    r"\bignore (?:all |any |the |your )*(?:previous|prior) instructions\b|\bjailbreak\b", re.IGNORECASE
)


def _severity(category: str, text: str) -> str:
    return max(
        (
            severity
            for severity, words in {"safe": (), **_WORDS[category]}.items()
            if severity == "safe" or re.search(rf"\b(?:{'|'.join(words)})\b", text, re.IGNORECASE)
        ),
        key=_SEVERITIES.index,
    )


def check_harm(text: str) -> dict[str, Any]:
    """Give the severity of each category."""
    found = {category: _severity(category, text) for category in _WORDS}
    return {
        category: {"filtered": severity in ("medium", "high"), "severity": severity}
        for category, severity in found.items()
    }


def check_prompt(text: str) -> dict[str, Any]:
    """Give what the filter finds in what a model is told."""
    tried = bool(_JAILBREAK.search(text))
    return {**check_harm(text), "jailbreak": {"filtered": tried, "detected": tried}}


def check_reply(text: str) -> dict[str, Any]:
    """Give what the filter finds in what a model says; the sandbox's rules quote nothing that is protected."""
    nothing = {"filtered": False, "detected": False}
    return {**check_harm(text), "protected_material_code": nothing, "protected_material_text": nothing}


def blocks(results: dict[str, Any]) -> bool:
    """Tell whether anything was filtered."""
    return any(result["filtered"] for result in results.values())
