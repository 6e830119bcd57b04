from __future__ import annotations

import pytest
from attrs import frozen
from attrs.exceptions import FrozenInstanceError

from kellyapi._data.decoding import decode
from kellyapi._data.fixed import draft_class
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


def test_a_draft_is_writable_until_its_class_is_assigned() -> None:
    draft = draft_class(CompletionMessage)(content="Hello")
    draft.__class__ = CompletionMessage
    assert draft == CompletionMessage(content="Hello")
    with pytest.raises(FrozenInstanceError):
        draft.content = "Bye"  # type: ignore[misc]  # that is what is tested


def test_a_class_of_the_user_has_no_draft() -> None:
    subclasses = []

    @frozen
    class Own:
        name: str

        def __init_subclass__(cls) -> None:
            subclasses.append(cls)

    assert draft_class(Own) is Own
    assert decode({"name": "a"}, Own) == Own("a")
    assert subclasses == []
