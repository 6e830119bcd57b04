"""Clients cannot be pickled, and say why."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from kellyapi import Aerostack, Kelly, KellyAPI, Khaya, Skytells

CLIENTS: list[Any] = [KellyAPI("k"), Kelly("k"), Khaya("k"), Skytells("k"), Aerostack("k"), Skytells("k").predictions]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: type(client).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_a_client_says_why_it_cannot_be_done_and_what_to_do(client: Any, protocol: int) -> None:
    why = f"a {type(client).__name__} cannot be pickled: it holds a key and open connections; create one in each"
    with pytest.raises(TypeError, match=why):
        pickle.dumps({"a": client}, protocol)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: type(client).__name__)
def test_a_client_can_be_copied_but_not_deeply(client: Any) -> None:
    assert vars(copy.copy(client)) == vars(client)
    with pytest.raises(TypeError, match=r"cannot be deep-copied: .* with_options"):
        copy.deepcopy([client])
