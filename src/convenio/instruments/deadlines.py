"""Clocks: since when a debt runs, until when, and whether it was met in time.

Rule (8) of docs/spec/fold.md. Everything is a function of the fold within a cut; `now` is asked
only for what is overdue. All times are claims of those who wrote them, in seconds UTC.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from convenio.core.canon import MAX_INTEGER
from convenio.core.fold import Fold
from convenio.core.place import Cut, Place
from convenio.core.record import PartyId
from convenio.instruments.calendar import DAY_S, UTC_DAYS
from convenio.instruments.machine import Event, Step, Verdict
from convenio.instruments.model import Clock, Instrument

SKEW_S: Final = 300  # how far apart honest clocks may be before a start is called disputed


class Status(enum.Enum):
    """How a debt stands.

    Undelivered: no receipt yet, nothing runs. Ended: the case went on without the debt being met.
    Late: by the debtor's own time. Claimed: in time by the debtor's time, and nobody else's says
    so. Contradicted: claimed, but the debtor had seen the creditor write after the deadline.
    """

    UNDELIVERED = "undelivered"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"
    IN_TIME = "in_time"
    LATE = "late"
    CLAIMED = "claimed"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True)
class Debt:
    """One clock of a case for one debtor.

    start: the entry that starts it. since: when the debtor received that, or, if undelivered, its
    own `at`. due: the deadline, None if undelivered. final: `due` never changes again.
    met_by: the entry that fulfilled it. disputed: the creditor wrote, after the debtor's receipt
    and earlier by more than the skew, so the time of the receipt is in doubt.
    """

    clock: str
    debtor: PartyId
    creditor: PartyId
    start: Place
    status: Status
    since: int
    due: int | None
    final: bool
    met_by: Place | None
    disputed: bool

    def overdue(self, now: int) -> bool:
        """Whether it still runs and should have been met before `now`."""
        return self.status is Status.RUNNING and self.due is not None and self.due < now


def deadline(
    instrument: Instrument, clock: Clock, debtor: PartyId, start: Event, received_at: int
) -> int:
    """When a debtor that received `start` at `received_at` must have met the debt, seconds UTC.

    A claimed receipt can lie at the end of time; no deadline is later than a record can be.
    """
    length_s = start.due_in or clock.default_s
    due = received_at + length_s
    if clock.unit.in_days:
        days = instrument.calendar.days(debtor) if instrument.calendar else UTC_DAYS
        due = days.deadline(received_at, length_s // DAY_S, clock.unit)
    return min(due, MAX_INTEGER)


def ran_out(ledger: Ledger, clock: Clock, start: Event, at: int) -> bool:
    """Whether every debtor's deadline is before `at`, by what is within the ledger's cut."""
    dues = (ledger.due(clock, debtor, start) for debtor in _debtors(ledger.roles, clock, start))
    return all(due is not None and at > due for due in dues)


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is needed to tell the debts of one case at a cut. roles: in charter order."""

    fold: Fold
    instrument: Instrument
    roles: Mapping[PartyId, str]
    cut: Cut
    contested: bool = False

    def due(self, clock: Clock, debtor: PartyId, start: Event) -> int | None:
        """The deadline of a debt, None if the debtor gave no receipt."""
        receipt = self.fold.receipt(start.place, debtor, self.cut)
        if receipt is None:
            return None
        return deadline(self.instrument, clock, debtor, start, receipt.at)

    def debts(self, steps: Sequence[Step]) -> Iterator[Debt]:
        """Every clock that an applied event has started, for each debtor, in walk order."""
        for number, step in enumerate(steps):
            if step.verdict is Verdict.APPLIED:
                for clock in self.instrument.starts.get(step.event.act, ()):
                    for debtor in _debtors(self.roles, clock, step.event):
                        yield self._debt(clock, debtor, steps[number:])

    def _debt(self, clock: Clock, debtor: PartyId, steps: Sequence[Step]) -> Debt:
        """The debt that the first of `steps` starts."""
        start = steps[0].event
        creditor = start.place.party
        receipt = self.fold.receipt(start.place, debtor, self.cut)
        due = deadline(self.instrument, clock, debtor, start, receipt.at) if receipt else None
        met, ended = _end(clock, debtor, steps)
        if due is None:
            status = Status.UNDELIVERED
        elif met:
            status = self._punctuality(met, creditor, due)
        elif ended:
            status = Status.ENDED
        else:
            status = Status.PAUSED if self.contested and clock.pauses else Status.RUNNING
        entry = Place(debtor, receipt.entry) if receipt and receipt.entry is not None else None
        return Debt(
            clock=clock.name,
            debtor=debtor,
            creditor=creditor,
            start=start.place,
            status=status,
            since=receipt.at if receipt else start.at,
            due=due,
            final=entry is not None and self.fold.settled(entry, list(self.roles), self.cut),
            met_by=met.place if met else None,
            disputed=entry is not None and self._disputed(entry, creditor),
        )

    def _punctuality(self, met: Event, creditor: PartyId, due: int) -> Status:
        """What can be said of an act that fulfilled: the debtor's word, then anybody else's."""
        if met.at > due:
            return Status.LATE
        receipt = self.fold.receipt(met.place, creditor, self.cut)
        stamps = self.fold.neutral_stamps(met.place, self.cut)
        if min([*stamps, receipt.at if receipt else due + 1]) <= due:
            return Status.IN_TIME
        seen = self.fold.covers(met.place, creditor)
        if seen and self.fold.at(Place(creditor, seen - 1)) > due:
            return Status.CONTRADICTED
        return Status.CLAIMED

    def _disputed(self, entry: Place, creditor: PartyId) -> bool:
        said = self.fold.first_after(entry, creditor, self.cut)
        if said is None:
            return False
        return self.fold.at(Place(creditor, said)) < self.fold.at(entry) - SKEW_S


def _debtors(roles: Mapping[PartyId, str], clock: Clock, start: Event) -> list[PartyId]:
    return [p for p, role in roles.items() if role == clock.debtor and p != start.place.party]


def _end(clock: Clock, debtor: PartyId, steps: Sequence[Step]) -> tuple[Event | None, bool]:
    """The debtor's first applied act that meets the debt; else whether the debt is no more."""
    for step in steps[1:]:
        if step.verdict is not Verdict.APPLIED:
            continue
        event = step.event
        if event.place.party == debtor and event.act in clock.fulfilled:
            return event, False
        if event.act == clock.start or step.state not in clock.runs_in:
            return None, True
    return None, False
