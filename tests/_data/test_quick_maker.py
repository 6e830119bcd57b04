"""Values of frozen classes that are made in less time."""

import copy
import pickle

import attrs
import pytest

from kellyapi._core.messages import Call, make_call
from kellyapi._data.quick_maker import quick_maker


@attrs.frozen
class Named:
    name: str = attrs.field(converter=str.strip)
    letters: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "letters", len(self.name))


def test_a_value_is_that_of_the_class() -> None:
    options = {"method": "POST", "url": "/v1/translate", "json": [1], "repeatable": False}
    made = make_call(**options)
    assert type(made) is Call
    assert made == Call(**options)
    assert repr(made) == repr(Call(**options))
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
    assert attrs.evolve(made, url="/").url == "/"


def test_a_value_is_frozen() -> None:
    made = make_call(method="GET", url="/", repeatable=True)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        made.url = "/other"  # type: ignore[misc]  # that is the test
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del made.url


def test_converters_and_what_a_class_does_after_init_are_kept() -> None:
    made = quick_maker(Named)(" Ama ")
    assert (type(made), made.name, made.letters) == (Named, "Ama", 3)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="url"):
        make_call(method="GET", repeatable=True)  # type: ignore[call-arg]  # that is the test
