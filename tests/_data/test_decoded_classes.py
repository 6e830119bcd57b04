"""What is decoded is frozen, and of the class itself, although attrs makes it as a writable draft."""

from __future__ import annotations

import pytest
from attrs import frozen
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
