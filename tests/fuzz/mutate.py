"""Makes broken inputs of good ones: the same for the same seed, on every machine.

Blind noise is refused at the first byte and teaches nothing. So a mutant is a good input with one
to four small faults of the kinds that parsers get wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

T = TypeVar("T")
MAX_BYTES: Final = 1 << 17  # a mutant is cut there


class Chance:
    """A small random source (splitmix64), so that no library's next version changes the corpus."""

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def below(self, end: int) -> int:
        """A number from 0 to `end` - 1; 0 if there is none."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return (mixed ^ (mixed >> 31)) % max(end, 1)

    def of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def span(self, data: bytes) -> tuple[int, int]:
        """A piece of `data`, mostly a short one."""
        start = self.below(len(data) + 1)
        most = self.of((1, 4, 16, 64, len(data)))
        return start, min(len(data), start + self.below(most + 1))


_MASK: Final = (1 << 64) - 1
_NUMBER: Final = re.compile(rb"[0-9]+")
_NUMBERS: Final = (
    *(b"0", b"00", b"-0", b"-1", b"+1", b"1_0", b" 1", b"1 ", b"1.0", b"1e5", b"0x10", b"01", b""),
    *(b"255", b"256", b"65535", b"65536", b"2147483648", b"4294967295", b"4294967296"),
    *(b"9007199254740991", b"9007199254740992", b"9223372036854775807", b"9223372036854775808"),
    *(b"18446744073709551616", b"9" * 40, b"9" * 5000, b"1e400", b"NaN", b"true", b"null"),
    *("١٢".encode(), "１２".encode(), "²".encode()),
)
_ODD: Final = (
    *(b"\0", b"\r", b"\r\n", b"\n", b"\n\n", b"\t", b"\x7f", b"\x85", b" ", b"  ", b"\\", b'"'),
    *(b"\xc0\x80", b"\xed\xa0\x80", b"\xff", b"\xf4\x90\x80\x80", b"\xe2\x80", b"\xef\xbb\xbf"),
    *("\u202e".encode(), "\u00a0".encode(), "\u200b".encode(), "e\u0301".encode(), "é".encode()),
    *("ſ".encode(), b"K", "İ".encode(), "\u2028".encode(), b"\\u0041", b"\\ud800"),
    *(b"=", b"==", b"+", b"/", b"%2e%2e", b"../", b"--", "— ".encode(), b"{}", b"[]", b",", b":"),
    *(b'"a":1,', b'{"a":' * 9 + b"1" + b"}" * 9, b"[" * 300, b"[" * 3000 + b"]" * 3000),
)
_EDGES: Final = (0, 1, 0x7F, 0x80, 0xFF)


def mutants(seeds: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """`count` inputs, each a seed with some faults. The seeds themselves are not among them."""
    chance = Chance(seed)
    for _ in range(count):
        data = chance.of(seeds)
        for _ in range(1 + chance.below(4)):
            data = chance.of(_FAULTS)(data, chance, seeds)[:MAX_BYTES]
        yield data


Fault = Callable[[bytes, Chance, Sequence[bytes]], bytes]


def _flip(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = chance.below(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.below(8)]) + data[at + 1 :]


def _cut_short(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    return data[: chance.below(len(data))]


def _take_out(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    start, end = chance.span(data)
    return data[:start] + data[end:]


def _twice(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    start, end = chance.span(data)
    return data[:end] + data[start:end] * chance.of((1, 1, 2, 70)) + data[end:]


def _line_twice(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    lines = data.split(b"\n")
    line = chance.below(len(lines))
    lines[line:line] = [chance.of(lines)]
    return b"\n".join(lines)


def _splice(data: bytes, chance: Chance, seeds: Sequence[bytes]) -> bytes:
    other = chance.of(seeds)
    start, end = chance.span(other)
    low, high = chance.span(data)
    return data[:low] + other[start:end] + data[high:]


def _number(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    found = list(_NUMBER.finditer(data))
    if not found:
        return data + chance.of(_NUMBERS)
    start, end = chance.of(found).span()
    return data[:start] + chance.of(_NUMBERS) + data[end:]


def _length(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    """A field of 1 to 8 bytes becomes an edge, in either order of bytes."""
    at, width = chance.below(len(data)), chance.of((1, 2, 4, 8))
    field = bytearray(chance.of((b"\0", b"\xff")) * width)
    field[chance.of((0, -1))] = chance.of(_EDGES)
    return data[:at] + bytes(field) + data[at + width :]


def _odd(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    start, end = chance.span(data)
    return data[:start] + chance.of(_ODD) + data[chance.of((start, end)) :]


def _case(data: bytes, chance: Chance, _seeds: Sequence[bytes]) -> bytes:
    start, end = chance.span(data)
    return data[:start] + data[start:end].swapcase() + data[end:]


_FAULTS: Final[tuple[Fault, ...]] = (
    *(_flip, _cut_short, _take_out, _twice, _line_twice),
    *(_splice, _number, _number, _length, _odd, _odd, _case),
)
