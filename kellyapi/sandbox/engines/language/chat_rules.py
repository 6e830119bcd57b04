"""Chat by rules: enough to test a bot with, and no model. Every reply begins with "[sandbox]".

There is one table of rules, and the first rule that matches makes the reply. Every pattern takes time that is linear in
the length of the message: parts that cannot match in another way are atomic or possessive.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable
from fractions import Fraction

from ..errors import BadInput
from .translation import languages, translate

MAX_CHARACTERS = 1_000_000
"""Most characters of a conversation."""
_QUOTES = " \"'\u2018\u2019\u201c\u201d"
_OPERATORS: dict[type, Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def check_length(texts: Iterable[str]) -> None:
    """Raise `BadInput` if a conversation is too long."""
    if sum(map(len, texts)) > MAX_CHARACTERS:
        raise BadInput("text", f"A conversation has at most {MAX_CHARACTERS:,} characters.")


def reply(messages: list[dict[str, str]], character: str = "", model: str = "") -> str:
    """Return a reply to the user's last message. The same messages always get the same reply."""
    check_length(message.get("content", "") for message in messages)
    texts = [message.get("content", "").strip() for message in messages if message.get("role") == "user"] or [""]
    match, rule_reply = next((match, reply) for pattern, reply in _RULES if (match := pattern.search(texts[-1])))
    if isinstance(rule_reply, str):
        return "[sandbox] " + rule_reply.format(character=character or "nobody in particular", model=model or "none")
    return "[sandbox] " + rule_reply(match, texts)


def _say_in_language(match: re.Match[str], texts: list[str]) -> str:
    phrase, name = match["phrase"].strip(_QUOTES), match["language"]
    code_by_name = {name.lower(): code for code, name in languages().items()}
    result = translate(phrase, "eng", code_by_name.get(name.lower(), name))
    if result["note"]:
        return f"I don't know how to say “{phrase}” in {name}."
    return f"“{phrase}” in {name} is “{result['text']}”."


def _calculate(match: re.Match[str], texts: list[str]) -> str:
    try:
        value = _evaluate(ast.parse(match["sum"].strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        return _restate(match, texts)
    except ZeroDivisionError:
        return "Division by zero has no result."
    return f"{match['sum'].strip()} = {value if value.denominator == 1 else format(float(value), '.10g')}"


def _evaluate(node: ast.expr) -> Fraction:
    match node:
        case ast.Constant(value=int() | float() as number):
            return Fraction(str(number))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_evaluate(operand)
        case ast.BinOp(left=left, op=symbol, right=right) if type(symbol) in _OPERATORS:
            return _OPERATORS[type(symbol)](_evaluate(left), _evaluate(right))
    raise ValueError("not arithmetic that is done here")


def _recall(match: re.Match[str], texts: list[str]) -> str:
    return f"Before that you said: {texts[-2]}" if len(texts) > 1 else "You have said nothing before that."


def _restate(match: re.Match[str], texts: list[str]) -> str:
    return f"You {'asked' if texts[-1].endswith('?') else 'said'}: {texts[-1]}"


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str], list[str]], str]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), rule_reply)
    for pattern, rule_reply in (
        (r"^$", "There is no message of a user to answer."),
        (r"^(?>.*?\bhow (?:do|would) (?:you|i|we) say )(?P<phrase>.+) in (?P<language>\w++)\W*+$", _say_in_language),
        (r"^(?:please )?translate:? (?P<phrase>.+) (?:in)?to (?P<language>\w++)\W*+$", _say_in_language),
        # At most 80 characters, to limit the depth of the parser and the size of the numbers.
        (
            r"^(?:what(?: is|.s)|calculate|compute)?\s*+(?P<sum>(?=\D{0,80}\d)[\d.+\-*/() ]{3,80}?)\s*+[=?]*+$",
            _calculate,
        ),
        (r"\bwhat did i (?:just )?say\b", _recall),
        (
            r"\b(?:time is it|what time|what day|the date|today's date)\b",
            "I have no clock, so that replies never change.",
        ),
        (
            r"\b(?:sandbox|who are you|what are you|are you (?:real|human|an? \w+)|your name|which model)\b",
            "I am kellyapi's sandbox: rules, no model. You asked for model {model}, character {character}.",
        ),
        (
            r"\b(?:help|what can you do)\b",
            "Try “2 + 3 * 4”, “How do you say thank you in Twi?”, “Who are you?”.",
        ),
        (r"^(?:many )?(?:thanks|thank you|thx|medaase|asante)\b", "You are welcome."),
        (r"^(?:hi|hello|hey|good (?:morning|afternoon|evening)|akwaaba|maakye|jambo)\b", "Hello. What shall we test?"),
        (r"^(?:bye|goodbye|good night|see you)\b", "Goodbye."),
        (r"", _restate),
    )
)
