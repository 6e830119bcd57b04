"""What is decoded is frozen, and of the class itself, although attrs makes it as a writable draft."""

from __future__ import annotations

import pytest
from attrs import Factory, define, field, frozen
from attrs.exceptions import FrozenInstanceError

from kellyapi._data.decoding import decode
from kellyapi.services.openai_completions import ChatCompletion, CompletionMessage

COMPLETION = {"id": "c1", "choices": [{"message": {"content": "Hello"}}]}


def test_what_is_decoded_is_of_the_class_itself_and_cannot_be_changed() -> None:
    completion = decode(COMPLETION, ChatCompletion)
    message = completion.choices[0].message
    assert (type(completion), type(message)) == (ChatCompletion, CompletionMessage)
    with pytest.raises(FrozenInstanceError):
        message.content = "Bye"  # type: ignore[misc]  # that is what is tested
    with pytest.raises(FrozenInstanceError):
        del message.content
    assert completion == ChatCompletion(id="c1", choices=completion.choices)
    assert hash(message) == hash(CompletionMessage(content="Hello"))


def test_a_class_of_the_user_gets_no_subclass() -> None:
    subclasses = []

    @frozen
    class Own:
        name: str

        def __init_subclass__(cls) -> None:
            subclasses.append(cls)

    assert decode({"name": "a"}, Own) == Own("a")
    assert subclasses == []


def test_a_class_of_the_user_may_have_keyword_fields_and_fields_that_are_not_passed() -> None:
    @define
    class Own:
        cost: float = 0.5
        words: list[str] = field(factory=list, kw_only=True)
        name: str = field(kw_only=True)
        letters: int = field(init=False, default=Factory(lambda own: len(own.name), takes_self=True))

    assert decode({"name": "ab", "letters": 7}, Own) == Own(0.5, words=[], name="ab")
    assert decode({"name": "ab", "letters": 7}, Own).letters == 2
    first, second = (decode({"name": "a", "cost": "x"}, Own) for _ in range(2))
    assert first.cost == 0.5
    assert first.words is not second.words


def test_a_class_of_the_user_may_have_an_init_of_its_own() -> None:
    @define(init=False)
    class Own:
        name: str
        size: int = 3

        def __init__(self, *, size: int, name: str) -> None:
            self.name, self.size = name.upper(), size

    own = decode({"name": "a"}, Own)
    assert (own.name, own.size) == ("A", 3)
