"""Which number a 32-byte hash has, for millions of hashes in little memory.

A dict of a million hashes takes some 180 MB; this takes 32 bytes a hash and 6 to 12 for the table.
"""

from __future__ import annotations

from array import array
from typing import Final

HASH: Final = 32
_FREE: Final = 0


class HashIndex:
    """Hashes numbered 0, 1, 2 … in the order they were added; `find` knows the first of equals."""

    __slots__ = ("_hashes", "_mask", "_table")

    def __init__(self) -> None:
        self._hashes = bytearray()
        self._table = array("I", bytes(4 * 16))
        self._mask = 15

    def __len__(self) -> int:
        return len(self._hashes) // HASH

    def __getitem__(self, number: int) -> bytes:
        return bytes(self._hashes[number * HASH : number * HASH + HASH])

    def add(self, digest: bytes) -> int:
        """The number of `digest` (32 bytes), which is appended even if an equal one is held."""
        number = len(self)
        if 3 * number > 2 * self._mask:
            self._grow()
        self._hashes += digest
        self._place(digest, number)
        return number

    def skip(self) -> None:
        """Give the next number to nothing, so that numbers go on counting places."""
        self._hashes += bytes(HASH)

    def find(self, digest: bytes) -> int | None:
        """The number of the first hash equal to `digest`."""
        slot = int.from_bytes(digest[:8], "big") & self._mask
        while (entry := self._table[slot]) != _FREE:
            start = (entry - 1) * HASH
            if self._hashes[start : start + HASH] == digest:
                return entry - 1
            slot = (slot + 1) & self._mask
        return None

    def _place(self, digest: bytes, number: int) -> None:
        slot = int.from_bytes(digest[:8], "big") & self._mask
        while self._table[slot] != _FREE:
            slot = (slot + 1) & self._mask
        self._table[slot] = number + 1

    def _grow(self) -> None:
        self._mask = 2 * self._mask + 1
        held = [entry - 1 for entry in self._table if entry != _FREE]
        self._table = array("I", bytes(4 * (self._mask + 1)))
        for number in sorted(held):
            self._place(self[number], number)
