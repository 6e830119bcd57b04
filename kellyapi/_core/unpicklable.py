"""Clients cannot be pickled. The error says why, and what to do."""

from __future__ import annotations

from typing import Any, NoReturn, Self, SupportsIndex


class Unpicklable:
    """The base of clients and resources. They can be copied, but not pickled."""

    def __copy__(self) -> Self:
        sibling = object.__new__(type(self))
        sibling.__dict__.update(self.__dict__)
        return sibling

    def __deepcopy__(self, memo: Any) -> NoReturn:
        self._refuse("deep-copied", "use with_options() for one on the same session")

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        self._refuse("pickled", "create one in each process, from the same arguments")

    def _refuse(self, done: str, remedy: str) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} cannot be {done}: it holds a key and open connections; {remedy}")
