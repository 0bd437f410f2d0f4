"""Faults: which entries of a log are unfit and why, in six bytes each.

A partner may write as many as its quota lets it, day after day.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping


class Faults(Mapping[int, str]):
    """Codes by index. They are only added, in the order of the log."""

    __slots__ = ("_codes", "_indexes", "_numbers")

    def __init__(self) -> None:
        self._indexes = array("I")
        self._numbers = array("H")  # of each code in `_codes`
        self._codes: list[str] = []

    def add(self, index: int, code: str) -> None:
        """The entry at `index`, beyond all others, is unfit."""
        if code not in self._codes:
            self._codes.append(code)
        self._indexes.append(index)
        self._numbers.append(self._codes.index(code))

    def since(self, start: int) -> list[tuple[int, str]]:
        """Those with an index of at least `start`, in order."""
        first = bisect_left(self._indexes, start)
        return [
            (index, self._codes[number])
            for index, number in zip(self._indexes[first:], self._numbers[first:], strict=True)
        ]

    def __getitem__(self, index: int) -> str:
        found = bisect_left(self._indexes, index)
        if found == len(self._indexes) or self._indexes[found] != index:
            raise KeyError(index)
        return self._codes[self._numbers[found]]

    def __iter__(self) -> Iterator[int]:
        return iter(self._indexes)

    def __len__(self) -> int:
        return len(self._indexes)
