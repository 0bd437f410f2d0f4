"""Incomplete: entries of others whose bodies for us had not all come when they were folded.

There may be as many as a partner sends in a day, so each is kept in a few bytes, looked at once,
and no answer looks at more of them than it names.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from convenio.core.place import Place
from convenio.core.record import PartyId


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the first few. named: of which something lacks still. rest: the first of each log
    that was not looked at. passed: how many of each log were."""

    named: list[Place]
    rest: list[Place]
    passed: Counter[PartyId]


@dataclass(slots=True)
class Incomplete:
    """In the order in which they were folded: what comes later may have the earlier in its past."""

    waiting: dict[PartyId, deque[tuple[int, int]]] = field(default_factory=dict)  # (turn, index)
    last: dict[PartyId, int] = field(default_factory=dict)  # the last index added of each log
    turns: int = 0

    def __bool__(self) -> bool:
        return any(self.waiting.values())

    def add(self, place: Place) -> None:
        """The last that was folded. Not twice: after an error the same is told again."""
        if place.index <= self.last.get(place.party, -1):
            return
        self.last[place.party] = place.index
        self.waiting.setdefault(place.party, deque()).append((self.turns, place.index))
        self.turns += 1

    def forget(self, covered: Callable[[PartyId], int]) -> None:
        """Drop what our log covers already. covered: how much of a log that is."""
        for party, turns in self.waiting.items():
            if turns:
                size = covered(party)
                while turns and turns[0][1] < size:
                    turns.popleft()

    def look(self, lacks: Callable[[Place], bool], most: int) -> Look:
        """At the first ones, until `most` are found of which something lacks. Changes nothing."""
        named: list[Place] = []
        passed: Counter[PartyId] = Counter()
        places = self._in_turn()
        while len(named) < most and (place := next(places, None)):
            passed[place.party] += 1
            if lacks(place):
                named.append(place)
        rest = [
            Place(party, turns[passed[party]][1])
            for party, turns in self.waiting.items()
            if len(turns) > passed[party]
        ]
        return Look(named, rest, passed)

    def drop(self, look: Look) -> None:
        """What was looked at is named in our log, or whole."""
        for party, count in look.passed.items():
            for _ in range(count):
                self.waiting[party].popleft()

    def _in_turn(self) -> Iterator[Place]:
        def of(party: PartyId, turns: deque[tuple[int, int]]) -> Iterator[tuple[int, Place]]:
            return ((turn, Place(party, index)) for turn, index in turns)

        logs = [of(party, turns) for party, turns in self.waiting.items()]
        return (place for _, place in heapq.merge(*logs))
