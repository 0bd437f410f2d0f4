"""The cases of a channel, and the canonical bytes of their states.

A case is named by the leaf hash of its opening. Nothing is decided when a record comes in: it is
noted where it belongs, in a few columns, and a case is walked when somebody asks, for the cut of
now or any earlier one. So nothing here can be stale, and a million records stay small.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.errors import RefusedError
from convenio.core.fit import CORE_TYPES
from convenio.core.fold import Fold
from convenio.core.place import Cut, Folded, Place
from convenio.core.record import OBJECTION, RECEIVED, Header, PartyId
from convenio.instruments.deadlines import Debt, Ledger, ran_out
from convenio.instruments.machine import Event, Step, Verdict, walk
from convenio.instruments.model import Clock, Instrument, Move

_NONE: Final = 2**32 - 1
_NO_ACT, _UNKNOWN_ACT = 0, 1


@dataclass(frozen=True, slots=True)
class Case:
    """One run of an instrument, as it stands at a cut.

    leaf: of the opening. roles: in charter order. steps: every event, in walk order. settled: the
    verdict of each of them is final. contested: somebody with a role objects to a body.
    """

    leaf: bytes
    opening: Place
    instrument: Instrument
    roles: dict[PartyId, str]
    steps: tuple[Step, ...]
    settled: tuple[bool, ...]
    debts: tuple[Debt, ...]
    contested: bool

    @property
    def state(self) -> str:
        return self.steps[-1].state

    def start_of(self, clock: str) -> Event | None:
        """The last applied event that started a clock."""
        starts = (
            step.event
            for step in reversed(self.steps)
            if step.verdict is Verdict.APPLIED
            and any(c.name == clock for c in self.instrument.starts.get(step.event.act, ()))
        )
        return next(starts, None)


class Casebook:
    """Every case of a channel. Take what `fold.feed` returns, each once, in that order.

    Raises:  RefusedError: instrument.unknown, the charter pins one that is not given here; its
             cases could not be folded, so nothing is.
    """

    def __init__(self, fold: Fold, instruments: Iterable[Instrument]) -> None:
        known = {each.hash: each for each in instruments}
        for pinned in sorted(fold.rules.instruments):
            if pinned not in known:
                raise RefusedError("instrument.unknown", hash=pinned)
        self._fold = fold
        self._instruments = [known[pinned] for pinned in sorted(fold.rules.instruments)]
        self._number_of = {each.hash: number for number, each in enumerate(self._instruments)}
        self._orders = {party: order for order, party in enumerate(fold.parties)}
        # A number for each act that an instrument knows; acts that none knows share one.
        self._act_names = ["", "?", *sorted({m.act for i in self._instruments for m in i.moves})]
        self._acts = {act: number for number, act in enumerate(self._act_names)}
        # A row for each record that opens or cites a case.
        self._row_order = array("B")
        self._row_index = array("I")
        self._row_case = array("I")
        self._row_act = array("H")
        self._row_due = array("I")
        self._row_bodies = bytearray()
        self._row_next = array("I")  # the next row of the same case
        self._rows: list[array[int]] = [array("I") for _ in fold.parties]  # row of each entry
        # A line for each case.
        self._case_first = array("I")
        self._case_last = array("I")
        self._case_instrument = array("H")
        self._case_addressed = array("H")  # a bit for each member, in charter order
        self._case_changed = bytearray()  # 1 until somebody asks what has changed
        self._objections: dict[int, dict[tuple[PartyId, Place], Place]] = {}
        self._unanswered = _Starts(fold)

    # --- taking in -------------------------------------------------------------------------------

    def take(self, folded: Folded) -> None:
        """Note a fit entry that has come into the cut."""
        header, place = folded.header, folded.place
        self._unanswered.take(folded)
        if folded.void:
            return
        if header.type in CORE_TYPES:
            if header.type == OBJECTION:
                self._object(place, header)
        elif header.case:
            case = self._case_at(self._fold.find(bytes.fromhex(header.case)), place)
            if case is not None and header.inst in ("", self._instrument(case).hash):
                self._add(place, case, header)
        elif header.inst in self._number_of:
            self._open(place, header)

    def _open(self, place: Place, header: Header) -> None:
        instrument = self._instruments[self._number_of[header.inst]]
        addressed = {cast(PartyId, each.partition(":")[0]) for each in header.to} - {place.party}
        bits = sum(1 << self._orders[party] for party in addressed if party in self._orders)
        fits = instrument.due_fits(header.act, header.due_in)
        if bits and fits and header.act in instrument.openings:
            self._case_first.append(_NONE)
            self._case_last.append(_NONE)
            self._case_instrument.append(self._number_of[header.inst])
            self._case_addressed.append(bits)
            self._case_changed.append(1)
            self._add(place, len(self._case_first) - 1, header)

    def _add(self, place: Place, case: int, header: Header) -> None:
        row, rows = len(self._row_case), self._rows[self._orders[place.party]]
        rows.extend([_NONE] * (place.index - len(rows)))
        rows.append(row)
        self._row_order.append(self._orders[place.party])
        self._row_index.append(place.index)
        self._row_case.append(case)
        self._row_act.append(self._acts.get(header.act, _UNKNOWN_ACT))
        self._row_due.append(header.due_in)
        self._row_bodies.append(bool(header.bodies))
        self._row_next.append(_NONE)
        if self._case_first[case] == _NONE:
            self._case_first[case] = row
        else:
            self._row_next[self._case_last[case]] = row
        self._case_last[case] = row
        self._case_changed[case] = 1
        for clock in self._instrument(case).starts.get(header.act, ()):
            self._unanswered.start(place, self._roles(case), clock)

    def _object(self, place: Place, header: Header) -> None:
        """An objection counts once a party and entry, to another's entry of a case with bodies."""
        about = self._fold.find(bytes.fromhex(cast(str, header.data["leaf"])))
        row = self._row_at(about, place)
        if about is None or row is None or not self._row_bodies[row]:
            return
        case = self._row_case[row]
        if about.party != place.party and place.party in self._roles(case):
            self._objections.setdefault(case, {}).setdefault((place.party, about), place)
            self._case_changed[case] = 1

    def _case_at(self, opening: Place | None, by: Place) -> int | None:
        """The case that `opening` opened, if it is before `by`."""
        row = self._row_at(opening, by)
        if row is None or self._case_first[self._row_case[row]] != row:
            return None
        return self._row_case[row]

    def _row_at(self, place: Place | None, by: Place) -> int | None:
        if place is None or not self._fold.before(place, by):
            return None
        rows = self._rows[self._orders[place.party]]
        row = rows[place.index] if place.index < len(rows) else _NONE
        return None if row == _NONE else row

    # --- questions -------------------------------------------------------------------------------

    def changed(self) -> list[bytes]:
        """The cases that something was noted for since this was last asked."""
        changed = (case for case, news in enumerate(self._case_changed) if news)
        leaves = [self._fold.leaf(self._place(self._case_first[case])) for case in changed]
        self._case_changed = bytearray(len(self._case_changed))
        return sorted(leaves)

    def case(self, leaf: bytes, cut: Cut | None = None) -> Case | None:
        """The case that the entry with this leaf hash opened, if it did, within `cut`."""
        end = self._fold.cut() if cut is None else cut
        place = self._fold.find(leaf)
        if place is None or place.index >= end[place.party]:
            return None
        rows = self._rows[self._orders[place.party]]
        row = rows[place.index] if place.index < len(rows) else _NONE
        if row == _NONE or self._case_first[self._row_case[row]] != row:
            return None
        return self._walked(self._row_case[row], end)

    def cases(self, cut: Cut | None = None) -> Iterator[Case]:
        """Every case opened within `cut`, in charter order of its opener, then oldest first."""
        end = self._fold.cut() if cut is None else cut
        for party, rows in zip(self._fold.parties, self._rows, strict=True):
            for row in rows[: end[party]]:
                if row != _NONE and self._case_first[self._row_case[row]] == row:
                    yield self._walked(self._row_case[row], end)

    def moves(self, case: Case, party: PartyId, at: int) -> list[Move]:
        """What `party` may do in `case`, as it stands now, by a record made at `at`.

        Such a record, saying that it has seen all there is, will never be out of turn.
        """
        ledger = Ledger(self._fold, case.instrument, case.roles, self._fold.cut())
        role = case.roles.get(party, "")
        found = [m for m in case.instrument.moves if (m.state, m.role) == (case.state, role)]
        return [move for move in found if self._guard_holds(case, ledger, move, at)]

    @staticmethod
    def _guard_holds(case: Case, ledger: Ledger, move: Move, at: int) -> bool:
        if not move.after:
            return True
        start = case.start_of(move.after)
        return start is not None and ran_out(ledger, case.instrument.clock(move.after), start, at)

    def overdue(self, now: int, cut: Cut | None = None) -> Iterator[tuple[Case, Debt]]:
        """Every debt that should have been met before `now`, seconds UTC."""
        for case in self.cases(cut):
            for debt in case.debts:
                if debt.overdue(now):
                    yield case, debt

    def needs_answer(self, party: PartyId) -> bool:
        """Whether `party` is to log a `received.v1` now; so asked, a channel falls quiet.

        Somebody has said more than that he received, or has received what started a clock.
        """
        owed = self._fold.is_folded(party) and self._unanswered.by(party)
        return owed or self._fold.needs_answer(party)

    def unreceived(self, party: PartyId) -> Iterator[tuple[Place, PartyId]]:
        """What `party` wrote that starts a clock, with each debtor whose log gives no receipt."""
        return self._unanswered.unreceived(party)

    @property
    def fold(self) -> Fold:
        return self._fold

    def count(self) -> int:
        """How many cases there are."""
        return len(self._case_first)

    def state_lines(self, cut: Cut | None = None) -> Iterator[bytes]:
        """The states of all cases at `cut` as canonical lines, the cut itself first."""
        end = self._fold.cut() if cut is None else dict(cut)
        rules, sizes = self._fold.rules, cast(Object, end)
        first: Object = {"kind": "state", "fold": rules.fold, "ch": rules.ch, "cut": sizes}
        yield canon.dumps(first) + b"\n"
        for case in self.cases(end):
            yield canon.dumps(_case_json(case)) + b"\n"

    def state_bytes(self, cut: Cut | None = None) -> bytes:
        """All of `state_lines`: equal on two nodes that hold the same within the cut."""
        return b"".join(self.state_lines(cut))

    def digest(self, cut: Cut | None = None) -> bytes:
        """SHA-256 of `state_bytes`, in constant memory."""
        state = hashlib.sha256()
        for line in self.state_lines(cut):
            state.update(line)
        return state.digest()

    # --- inside ----------------------------------------------------------------------------------

    def _walked(self, case: int, end: Cut) -> Case:
        fold, instrument, roles = self._fold, self._instrument(case), self._roles(case)

        def guard(clock: Clock, start: Event, by: Event) -> bool:
            known = Ledger(fold, instrument, roles, fold.past(by.place))
            return ran_out(known, clock, start, by.at)

        steps = walk(instrument, list(self._events(case, roles, end)), guard)
        places = self._objections.get(case, {}).values()
        contested = any(place.index < end[place.party] for place in places)
        ledger = Ledger(fold, instrument, roles, end, contested)
        return Case(
            leaf=fold.leaf(steps[0].event.place),
            opening=steps[0].event.place,
            instrument=instrument,
            roles=roles,
            steps=tuple(steps),
            settled=tuple(fold.settled(step.event.place, roles, end) for step in steps),
            debts=tuple(ledger.debts(steps)),
            contested=contested,
        )

    def _events(self, case: int, roles: dict[PartyId, str], end: Cut) -> Iterator[Event]:
        row = self._case_first[case]
        while row != _NONE:
            place = self._place(row)
            if place.index < end[place.party] and self._row_act[row] != _NO_ACT:
                yield Event(
                    place=place,
                    order=self._row_order[row],
                    past=tuple(self._fold.covers(place, party) for party in self._fold.parties),
                    role=roles.get(place.party, ""),
                    act=self._act_names[self._row_act[row]],
                    at=self._fold.at(place),
                    due_in=self._row_due[row],
                )
            row = self._row_next[row]

    def _place(self, row: int) -> Place:
        return Place(self._fold.parties[self._row_order[row]], self._row_index[row])

    def _instrument(self, case: int) -> Instrument:
        return self._instruments[self._case_instrument[case]]

    def _roles(self, case: int) -> dict[PartyId, str]:
        instrument, opener = self._instrument(case), self._row_order[self._case_first[case]]
        bits = self._case_addressed[case]
        return {
            party: instrument.opener if order == opener else instrument.addressee
            for order, party in enumerate(self._fold.parties)
            if order == opener or bits >> order & 1
        }


class _Starts:
    """Which entries start a clock by saying that its debtor received, and who must answer them."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        # For each debtor and log: starts not received yet, oldest first, with whom it concerns.
        self._open: dict[PartyId, dict[PartyId, deque[tuple[Place, tuple[PartyId, ...]]]]] = {
            party: defaultdict(deque) for party in fold.parties
        }
        self._lacking: dict[tuple[PartyId, Place], tuple[PartyId, ...]] = {}
        self._last: dict[tuple[PartyId, PartyId], int] = {}  # (answerer, debtor) -> debtor's entry

    def start(self, place: Place, roles: dict[PartyId, str], clock: Clock) -> None:
        """Remember that `place` will start `clock` when its debtors receive it."""
        for party, role in roles.items():
            if role == clock.debtor and party != place.party:
                self._open[party][place.party].append((place, tuple(roles)))

    def take(self, folded: Folded) -> None:
        """Note what `folded` says its author received."""
        place = folded.place
        for starts in self._open[place.party].values():
            while starts and self._fold.before(starts[0][0], place):
                self._receive(place.party, *starts.popleft())
        if folded.header.type == RECEIVED and self._lacking:
            for leaf in cast(list[str], folded.header.data.get("have", [])):
                start = self._fold.find(bytes.fromhex(leaf))
                if start and (place.party, start) in self._lacking:
                    self._receive(place.party, start, self._lacking.pop((place.party, start)))

    def _receive(self, by: PartyId, start: Place, parties: tuple[PartyId, ...]) -> None:
        receipt = self._fold.receipt(start, by)
        if receipt is None or receipt.entry is None:
            self._lacking[by, start] = parties
            return
        for party in parties:
            if party != by:
                key = (party, by)
                self._last[key] = max(self._last.get(key, 0), receipt.entry)

    def unreceived(self, party: PartyId) -> Iterator[tuple[Place, PartyId]]:
        """The starts of `party` that a debtor has not seen, or of which it lacks a body."""
        for debtor, logs in self._open.items():
            yield from ((place, debtor) for place, _ in logs.get(party, ()))
        yield from ((place, debtor) for debtor, place in self._lacking if place.party == party)

    def by(self, party: PartyId) -> bool:
        """Whether an entry that starts a clock is one that nothing `party` has said covers."""
        return any(
            index >= self._fold.said_seen(party, debtor)
            for (answerer, debtor), index in self._last.items()
            if answerer == party
        )


def _case_json(case: Case) -> Object:
    return {
        "case": case.leaf.hex(),
        "inst": case.instrument.hash,
        "state": case.state,
        "contested": case.contested,
        "roles": cast(Object, case.roles),
        "events": [
            [step.event.place.party, step.event.place.index, step.verdict.value, settled]
            for step, settled in zip(case.steps, case.settled, strict=True)
        ],
        "clocks": [_debt_json(debt) for debt in case.debts],
    }


def _debt_json(debt: Debt) -> Json:
    value: Object = {
        "clock": debt.clock,
        "debtor": debt.debtor,
        "start": list(debt.start),
        "status": debt.status.value,
        "since": debt.since,
        "final": debt.final,
        "disputed": debt.disputed,
    }
    if debt.due is not None:
        value["due"] = debt.due
    if debt.met_by:
        value["met_by"] = list(debt.met_by)
    return value
