"""Content filter of the sandbox: a few words for each category, enough to test how a program handles a result.

Texts of medium and high severity are filtered; low severity is only reported. The filter does not judge a text.
"""

from __future__ import annotations

import re
from typing import Any

_SEVERITIES = ("safe", "low", "medium", "high")
_WORDS_BY_CATEGORY: dict[str, dict[str, tuple[str, ...]]] = {
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


def check_prompt(text: str) -> dict[str, Any]:
    """Return the filter results of a prompt."""
    is_jailbreak = bool(_JAILBREAK.search(text))
    return {**_check_harm(text), "jailbreak": {"filtered": is_jailbreak, "detected": is_jailbreak}}


def check_reply(text: str) -> dict[str, Any]:
    """Return the filter results of a reply. The sandbox's replies never quote protected material."""
    undetected = {"filtered": False, "detected": False}
    return {**_check_harm(text), "protected_material_code": undetected, "protected_material_text": undetected}


def check_choice(prompt_filter: dict[str, Any], reply: str | None) -> dict[str, Any]:
    """Return the filter results of a choice: those of its reply, or of the prompt if it was blocked."""
    return check_reply(reply or "") | (prompt_filter if is_blocked(prompt_filter) else {})


def is_blocked(results: dict[str, Any]) -> bool:
    """Return whether any category was filtered."""
    return any(result["filtered"] for result in results.values())


def _check_harm(text: str) -> dict[str, Any]:
    severities = {category: _severity(category, text) for category in _WORDS_BY_CATEGORY}
    return {
        category: {"filtered": severity in ("medium", "high"), "severity": severity}
        for category, severity in severities.items()
    }


def _severity(category: str, text: str) -> str:
    lowered = text.lower()
    found = ["safe"]
    for severity, words in _WORDS_BY_CATEGORY[category].items():
        # Looking for the letters is a hundred times as fast as the pattern, and most texts do not have them.
        present = [word for word in words if word in lowered]
        if present and re.search(rf"\b(?:{'|'.join(present)})\b", lowered):
            found.append(severity)
    return max(found, key=_SEVERITIES.index)
