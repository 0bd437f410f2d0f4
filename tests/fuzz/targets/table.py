"""What a target is, and the small tools that spoil a good input by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

Broken = dict[str, Iterable[bytes]]
BOM: Final = b"\xef\xbb\xbf"


def nothing() -> Broken:
    return {}


@dataclass(frozen=True)
class Target:
    """seeds: inputs that are accepted. form: what was accepted, printed again; it must be the
    input, byte for byte. broken: inputs that stay refused, each for its own fault, by the code
    that each must give; what once broke the parser is among them."""

    name: str
    covers: tuple[str, ...]
    seeds: Callable[[], list[bytes]]
    parse: Callable[[bytes], Any]
    form: Callable[[Any], bytes] | None = None
    share: int = 1  # of the usual count of mutants, one in so many: some parsers are slow
    broken: Callable[[], Broken] = nothing

    def corpus(self) -> list[bytes]:
        """All that mutants are made of."""
        return [*self.seeds(), *(data for each in self.broken().values() for data in each)]


def text(data: bytes) -> str:
    """As a name or a typed word comes in: any string at all, lone surrogates too."""
    return data.decode("utf-8", "surrogateescape")


def back(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def but(good: bytes, *changes: tuple[bytes, bytes]) -> tuple[bytes, ...]:
    """`good` with one change each: its first `old` is `new`."""
    assert all(old in good for old, _ in changes), [old for old, _ in changes if old not in good]
    return tuple(good.replace(old, new, 1) for old, new in changes)


def each(good: bytes, old: bytes, *news: bytes) -> tuple[bytes, ...]:
    """`good` with its first `old` written in each of these ways."""
    return but(good, *((old, new) for new in news))


def around(good: bytes) -> tuple[bytes, ...]:
    """Something before it, or after."""
    return (BOM + good, b" " + good, b"\n" + good, good + b"\n", good + b" ", good + b"\0")
