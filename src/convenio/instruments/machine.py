"""The walk: which of a case's events count, in one order that every node finds.

Rule (6) of docs/spec/fold.md. The order never depends on a state, so walking a part of the events
that holds all their predecessors gives the same order with the others left out. Time decides no
race. The work is linear in the events as long as each has seen those before it in the walk, or a
party only adds to what it said itself.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from convenio.core.place import Place
from convenio.instruments.model import START, Clock, Instrument, Move


class Event(NamedTuple):
    """An act in a case. order: of its party in the charter. role: empty if it has none.

    past: how much of each log was before it, in charter order. at, due_in: as its header says.
    """

    place: Place
    order: int
    past: Sequence[int]
    role: str
    act: str
    at: int
    due_in: int


class Verdict(enum.Enum):
    """What an event did. Overtaken: allowed by all its author knew, but another came first."""

    APPLIED = "applied"
    OVERTAKEN = "overtaken"
    OUT_OF_TURN = "out_of_turn"


class Step(NamedTuple):
    """One event of the walk and the state it left the case in."""

    event: Event
    verdict: Verdict
    state: str


Guard = Callable[[Clock, Event, Event], bool]
"""guard(clock, start, event): whether `clock`, begun by `start`, had run out for all debtors by
`event.at`, as far as the past of `event` tells."""


@dataclass(frozen=True, slots=True)
class _Position:
    """Where a walk stands: the state, and the last applied event that started each clock."""

    state: str = START
    starts: Mapping[str, Event] = field(default_factory=dict)


@dataclass(slots=True)
class _Lane:
    """One party's events of the case, in its own order, and how far the walk is with them."""

    events: list[Event] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    taken: int = 0
    others: tuple[int, ...] = ()  # what of the other lanes the last event taken had seen
    after: _Position = _Position()  # past of the last event taken, and that event

    def seen_by(self, event: Event) -> int:
        """How many of this lane's taken events are before `event`."""
        return bisect_left(self.indices, event.past[self.events[0].order], 0, self.taken)


def walk(instrument: Instrument, events: Sequence[Event], guard: Guard) -> list[Step]:
    """Every event of a case with its verdict, in the order of the walk.

    Args:    events: in any order between parties; with each all those of the case before it.
    """
    return _Walk(instrument, guard).run(events)


class _Walk:
    def __init__(self, instrument: Instrument, guard: Guard) -> None:
        self._instrument = instrument
        self._guard = guard
        self._known: dict[Place, _Position] = {}  # the position in the past of each event
        self._steps: list[Step] = []

    def run(self, events: Sequence[Event]) -> list[Step]:
        lanes = _lanes(events)
        position = _Position()
        for event in _in_order(self._instrument, lanes):
            known = self._known[event.place] = self._known_to(event, lanes, position)
            after = self._apply(position, event)
            if after:
                verdict, position = Verdict.APPLIED, after
            else:
                allowed = self._move(known, event)
                verdict = Verdict.OVERTAKEN if allowed else Verdict.OUT_OF_TURN
            self._steps.append(Step(event, verdict, position.state))
            lane = lanes[event.order]
            lane.others = _seen(event, lanes)
            lane.after = self._apply(known, event) or known
        return self._steps

    def _known_to(self, event: Event, lanes: dict[int, _Lane], now: _Position) -> _Position:
        """The position of a walk over the past of `event` alone."""
        if all(lane.seen_by(event) == lane.taken for lane in lanes.values()):
            return now
        lane = lanes[event.order]
        if lane.taken and lane.others == _seen(event, lanes):
            return lane.after
        position = _Position()
        for step in self._steps:
            if step.event.place.index < event.past[step.event.order]:
                position = self._apply(position, step.event) or position
        return position

    def _apply(self, position: _Position, event: Event) -> _Position | None:
        move = self._move(position, event)
        if move is None:
            return None
        begun = {clock.name: event for clock in self._instrument.starts.get(event.act, ())}
        return _Position(move.to, {**position.starts, **begun} if begun else position.starts)

    def _move(self, position: _Position, event: Event) -> Move | None:
        """The move that `event` is at `position`, if it is one and its guard holds."""
        move = self._instrument.table.get((position.state, event.role, event.act))
        if move is None or not self._instrument.due_fits(event.act, event.due_in):
            return None
        return move if not move.after or self._ran_out(move.after, event) else None

    def _ran_out(self, name: str, event: Event) -> bool:
        start = self._known[event.place].starts.get(name)
        return start is not None and self._guard(self._instrument.clock(name), start, event)


def _lanes(events: Sequence[Event]) -> dict[int, _Lane]:
    lanes: dict[int, _Lane] = {}
    for event in sorted(events, key=lambda event: (event.order, event.place.index)):
        lane = lanes.setdefault(event.order, _Lane())
        lane.events.append(event)
        lane.indices.append(event.place.index)
    return lanes


def _in_order(instrument: Instrument, lanes: dict[int, _Lane]) -> Iterator[Event]:
    """The events, each after its predecessors; of several, by race list, then charter order."""
    last = len(instrument.race)
    while heads := [
        lane.events[lane.taken] for lane in lanes.values() if lane.taken < len(lane.events)
    ]:
        free = [
            e
            for e in heads
            if not any(h.place.index < e.past[h.order] for h in heads if h is not e)
        ]
        event = min(free, key=lambda e: (instrument.ranks.get(e.act, last), e.order))
        yield event
        lanes[event.order].taken += 1


def _seen(event: Event, lanes: dict[int, _Lane]) -> tuple[int, ...]:
    """How much of each other lane is in the past of `event`."""
    return tuple(lane.seen_by(event) for order, lane in lanes.items() if order != event.order)
