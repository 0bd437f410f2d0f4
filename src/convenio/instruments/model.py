"""An instrument as a table: who may do what in which state, which move counts first, what clocks.

The table is all there is: no code belongs to an instrument. Both parties pin the hash of its
canonical JSON in the charter, so that both run the same table. `lint` says what is wrong with one;
an instrument with findings is not to be pinned.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import Final

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.record import MAX_DUE_S
from convenio.instruments.calendar import DAY_S, Calendar, Unit

START: Final = ""  # the state before the opening
_WORD = re.compile(r"[a-z][a-z0-9_]{0,40}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Move:
    """In `state`, `role` may do `act`, and the case is then in state `to`.

    after: name of a clock that must have run out by the actor's own `at`, or empty.
    """

    state: str
    role: str
    act: str
    to: str
    after: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """What `debtor` owes `creditor` once it has received `start`.

    start: the creditor's act. fulfilled: acts of the debtor that end the debt. default_s, min_s,
    max_s: length in seconds, and what a record's `due_in` may make of it. runs_in: states in which
    the debt stands; it ends when the case leaves them. pauses: whether an objection stops it.
    unit: how the length is counted; of one in days each 86,400 s stand for one day of the debtor's.
    """

    name: str
    start: str
    fulfilled: tuple[str, ...]
    debtor: str
    creditor: str
    default_s: int
    min_s: int
    max_s: int
    runs_in: tuple[str, ...]
    pauses: bool = False
    unit: Unit = Unit.SECONDS

    def fits(self, due_in: int) -> bool:
        """Whether a record may make the length this many seconds; days only as whole days."""
        whole = not self.unit.in_days or due_in % DAY_S == 0
        return whole and self.min_s <= due_in <= self.max_s


@dataclass(frozen=True)
class Instrument:
    """A kind of cooperation between an opener and those it addresses.

    opener, addressee: the two roles; who opens a case has the first, every other party in `to` of
    the opening the second. opening: the act that opens. moves: all that is allowed; those from
    `START` open. race: of concurrent moves, the earlier named comes first. calendar: whose days
    its clocks count. pinned: the hash of the definition that this table is a part of, if any.
    """

    name: str
    opener: str
    addressee: str
    moves: tuple[Move, ...]
    race: tuple[str, ...]
    clocks: tuple[Clock, ...] = ()
    calendar: Calendar | None = None
    pinned: str = ""

    @cached_property
    def table(self) -> dict[tuple[str, str, str], Move]:
        return {(move.state, move.role, move.act): move for move in self.moves}

    @cached_property
    def openings(self) -> frozenset[str]:
        return frozenset(move.act for move in self.moves if move.state == START)

    @cached_property
    def ranks(self) -> dict[str, int]:
        """The place of an act in `race`; acts not named come last."""
        return {act: rank for rank, act in enumerate(self.race)}

    @cached_property
    def starts(self) -> dict[str, tuple[Clock, ...]]:
        """The clocks an act starts."""
        acts = dict.fromkeys(clock.start for clock in self.clocks)
        return {act: tuple(c for c in self.clocks if c.start == act) for act in acts}

    @cached_property
    def hash(self) -> str:
        """What a charter pins: its definition's, else SHA-256 of the canonical line, hex."""
        return self.pinned or hashlib.sha256(self.encode()).hexdigest()

    def clock(self, name: str) -> Clock:
        return next(clock for clock in self.clocks if clock.name == name)

    def states(self) -> tuple[str, ...]:
        """Every state that a move names, in the order of the table, without `START`."""
        named = (state for move in self.moves for state in (move.state, move.to))
        return tuple(dict.fromkeys(state for state in named if state != START))

    def due_fits(self, act: str, due_in: int) -> bool:
        """Whether a record that does `act` may carry this `due_in` (0: none)."""
        clocks = self.starts.get(act, ())
        return due_in == 0 or all(clock.fits(due_in) for clock in clocks)

    def encode(self) -> bytes:
        """The canonical line."""
        value: Object = {
            "kind": "instrument",
            "v": 1,
            "name": self.name,
            "opener": self.opener,
            "addressee": self.addressee,
            "moves": [[m.state, m.role, m.act, m.to, m.after] for m in self.moves],
            "race": list(self.race),
            "clocks": [_clock_json(clock) for clock in self.clocks],
        }
        return canon.dumps(value) + b"\n"


def _clock_json(clock: Clock) -> Json:
    unit: Object = {} if clock.unit is Unit.SECONDS else {"unit": clock.unit.value}
    return {
        **unit,
        "name": clock.name,
        "start": clock.start,
        "fulfilled": list(clock.fulfilled),
        "debtor": clock.debtor,
        "creditor": clock.creditor,
        "length": [clock.min_s, clock.default_s, clock.max_s],
        "runs_in": list(clock.runs_in),
        "pauses": clock.pauses,
    }


# --- lint ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an instrument: a stable code and the words of the table it is about."""

    code: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Interleaving:
    """Two concurrent moves of two roles that are both allowed in `state`, and what comes of them.

    Each of the pairs is (role, act). ends: the state after first-then-second and after
    second-then-first. both: whether the later one still applies, in these two orders.
    """

    state: str
    first: tuple[str, str]
    second: tuple[str, str]
    ends: tuple[str, str]
    both: tuple[bool, bool]

    @property
    def commutes(self) -> bool:
        return self.ends[0] == self.ends[1] and self.both == (True, True)

    def __str__(self) -> str:
        a, b = " ".join(self.first), " ".join(self.second)
        shown = [
            f"{x}, then {y} {'applied' if both else 'overtaken'}: {end}"
            for (x, y), end, both in zip(((a, b), (b, a)), self.ends, self.both, strict=True)
        ]
        return f"{self.state} | {shown[0]} | {shown[1]}"


def interleavings(instrument: Instrument) -> Iterator[Interleaving]:
    """Every state with every two moves of two roles allowed in it; guards are taken to hold."""
    for state in instrument.states():
        moves = [move for move in instrument.moves if move.state == state]
        for one, two in combinations(moves, 2):
            if one.role != two.role:
                yield _interleave(instrument, state, one, two)


def _interleave(instrument: Instrument, state: str, one: Move, two: Move) -> Interleaving:
    after_one = instrument.table.get((one.to, two.role, two.act))
    after_two = instrument.table.get((two.to, one.role, one.act))
    return Interleaving(
        state,
        (one.role, one.act),
        (two.role, two.act),
        (after_one.to if after_one else one.to, after_two.to if after_two else two.to),
        (after_one is not None, after_two is not None),
    )


def lint(instrument: Instrument) -> list[Finding]:
    """Everything that is wrong with an instrument, in the order of its table."""
    return [
        *_words(instrument),
        *_moves(instrument),
        *_races(instrument),
        *(finding for clock in instrument.clocks for finding in _clock(instrument, clock)),
    ]


def _words(instrument: Instrument) -> Iterator[Finding]:
    words = [instrument.opener, instrument.addressee, *instrument.states()]
    words += [move.act for move in instrument.moves]
    words += [clock.name for clock in instrument.clocks]
    yield from (
        Finding("lint.word", (word,)) for word in dict.fromkeys(words) if not _WORD.fullmatch(word)
    )
    if instrument.opener == instrument.addressee:
        yield Finding("lint.roles", (instrument.opener,))


def _moves(instrument: Instrument) -> Iterator[Finding]:
    if len(instrument.table) != len(instrument.moves):
        yield Finding("lint.move_twice")
    reached = {START}
    for _ in instrument.moves:
        reached |= {move.to for move in instrument.moves if move.state in reached}
    yield from (Finding("lint.unreachable", (s,)) for s in instrument.states() if s not in reached)
    clocks = {clock.name for clock in instrument.clocks}
    for move in instrument.moves:
        about = (move.state, move.role, move.act)
        if move.role not in (instrument.opener, instrument.addressee):
            yield Finding("lint.move_role", about)
        if move.state == START and (move.role != instrument.opener or move.after):
            yield Finding("lint.opening", about)
        if move.to == START:
            yield Finding("lint.move_to", about)
        if move.after and move.after not in clocks:
            yield Finding("lint.move_after", about)


def _races(instrument: Instrument) -> Iterator[Finding]:
    if len(instrument.ranks) != len(instrument.race):
        yield Finding("lint.race_twice")
    acts = {move.act for move in instrument.moves}
    yield from (Finding("lint.race_act", (a,)) for a in instrument.race if a not in acts)
    for each in interleavings(instrument):
        one, two = each.first[1], each.second[1]
        ranked = one in instrument.ranks and two in instrument.ranks and one != two
        # The same act of two roles is told apart by charter order, if the case ends alike.
        alike = one == two and each.ends[0] == each.ends[1]
        if not (each.commutes or ranked or alike):
            yield Finding("lint.race", (each.state, *each.first, *each.second))


def _clock(instrument: Instrument, clock: Clock) -> Iterator[Finding]:
    table = instrument.table.values()
    about = (clock.name,)
    if not 1 <= clock.min_s <= clock.default_s <= clock.max_s <= MAX_DUE_S:
        yield Finding("lint.clock_length", about)
    if {clock.debtor, clock.creditor} != {instrument.opener, instrument.addressee}:
        yield Finding("lint.clock_roles", about)
    if {move.role for move in table if move.act == clock.start} != {clock.creditor}:
        yield Finding("lint.clock_start", (*about, clock.start))
    for act, state in product(clock.fulfilled, clock.runs_in):
        if state not in instrument.states():
            yield Finding("lint.clock_state", (*about, state))
        if not any(move.act == act and move.role == clock.debtor for move in table):
            yield Finding("lint.clock_act", (*about, act))
    if not clock.fulfilled or not clock.runs_in:
        yield Finding("lint.clock_empty", about)
