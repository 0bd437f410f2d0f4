"""The instruments that come with the program, in the real fold: every move, every clock."""

from __future__ import annotations

from collections import deque

import pytest
from tests.property.channel import Channel
from tests.unit.test_fold import Logs

from convenio.core.place import Place
from convenio.core.record import RECEIVED, PartyId
from convenio.instruments.calendar import DAY_S, instant_of
from convenio.instruments.cases import Case, Casebook
from convenio.instruments.deadlines import Debt, Status
from convenio.instruments.model import START, Instrument, Move
from convenio.node.definitions import KINDS, shipped

MX, US = PartyId("mx"), PartyId("us")
HOUR = 3600
NOON = instant_of("2021-10-08T17:00:00Z")  # a Friday, noon in Mexico City, 13:00 in Washington
assert NOON is not None
INSTRUMENTS = [shipped(kind).instrument for kind in KINDS]


def instant(text: str) -> int:
    found = instant_of(text)
    assert found is not None
    return found


class Run(Logs):
    """One case of an instrument: mx opens, us is addressed; the clock is told."""

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(MX, US)
        self.instrument = instrument
        self.channel = Channel((MX, US), (instrument,))
        self.now: int = NOON or 0
        self.opening: Place | None = None

    def act(self, act: str, by: PartyId = MX, due_in: int = 0) -> Place:
        """A record of `by`, who has seen everything."""
        if self.opening is None:
            self.opening = self.say(
                by, self.now, "request.v1", to=(US,), inst=self.instrument.hash, act=act,
                due_in=due_in,
            )  # fmt: skip
            return self.opening
        case = self.leaf(self.opening).hex()
        return self.say(by, self.now, "request.v1", case=case, act=act, due_in=due_in)

    def receive(self, *parties: PartyId) -> None:
        for party in parties or (US, MX, US):
            self.say(party, self.now, RECEIVED)

    def book(self) -> Casebook:
        fold = self.new_fold()
        book = Casebook(fold, (self.instrument,))
        for party, log in self.logs.items():
            for index, entry in enumerate(log):
                for folded in fold.feed(party, index, entry):
                    book.take(folded)
        return book

    def case(self) -> Case:
        assert self.opening is not None
        case = self.book().case(self.leaf(self.opening))
        assert case is not None
        return case

    def debt(self, clock: str) -> Debt:
        return [debt for debt in self.case().debts if debt.clock == clock][-1]

    def last(self) -> str:
        return self.case().steps[-1].verdict.value

    def overdue(self) -> list[str]:
        return [debt.clock for _, debt in self.book().overdue(self.now)]

    def do(self, move: Move) -> None:
        """Make a move as soon as it may be made, and let both receive it."""
        if move.after:
            due = self.debt(move.after).due
            assert due is not None
            self.now = due + 1
        self.act(move.act, MX if move.role == self.instrument.opener else US)
        assert (self.last(), self.case().state) == ("applied", move.to), move
        self.receive()
        self.now += HOUR


def path_to(instrument: Instrument, state: str) -> list[Move]:
    """The fewest moves that lead to a state."""
    paths: dict[str, list[Move]] = {START: []}
    waiting = deque([START])
    while waiting:
        at = waiting.popleft()
        for move in instrument.moves:
            if move.state == at and move.to not in paths:
                paths[move.to] = [*paths[at], move]
                waiting.append(move.to)
    return paths[state]


MOVES = [(instrument, move) for instrument in INSTRUMENTS for move in instrument.moves]


@pytest.mark.parametrize(
    ("instrument", "move"), MOVES, ids=lambda v: f"{v.state}-{v.act}" if isinstance(v, Move) else ""
)
def test_every_move_can_be_made(instrument: Instrument, move: Move) -> None:
    run = Run(instrument)
    for step in [*path_to(instrument, move.state), move]:
        run.do(step)


CLOCKED = [
    (instrument, move)
    for instrument, move in MOVES
    if move.after and move.state == path_to(instrument, move.state)[-1].to
]


@pytest.mark.parametrize(
    ("instrument", "move"), CLOCKED, ids=lambda v: v.after if isinstance(v, Move) else ""
)
def test_a_clock_that_runs_out_is_overdue_on_both_sides_and_allows_what_it_says(
    instrument: Instrument, move: Move
) -> None:
    """To the second: not at the deadline, but after it; and never for who owes."""
    run = Run(instrument)
    for step in path_to(instrument, move.state):
        run.do(step)
    debt = run.debt(move.after)
    assert debt.status is Status.RUNNING
    assert debt.final
    assert debt.due is not None
    run.now = debt.due
    assert run.overdue() == []
    creditor = MX if move.role == instrument.opener else US
    run.act(move.act, creditor)
    assert run.last() == "out_of_turn"
    run.now = debt.due + 1
    assert run.overdue() == [move.after]
    run.act(move.act, US if creditor == MX else MX)
    assert run.last() == "out_of_turn"
    run.act(move.act, creditor)
    assert run.last() == "applied"


@pytest.mark.parametrize(
    ("instrument", "move"), CLOCKED, ids=lambda v: v.after if isinstance(v, Move) else ""
)
def test_silence_changes_no_state(instrument: Instrument, move: Move) -> None:
    run = Run(instrument)
    for step in path_to(instrument, move.state):
        run.do(step)
    run.now += 400 * DAY_S
    run.receive()
    assert run.case().state == move.state
    assert move.after in run.overdue()


TRACE, REQUEST = INSTRUMENTS


def test_an_urgent_trace_is_due_24_hours_after_its_receipt() -> None:
    run = Run(TRACE)
    run.act("submit_urgent")
    run.now += HOUR
    assert run.debt("urgent_answer").status is Status.UNDELIVERED
    run.receive(US)
    assert run.debt("urgent_answer").due == run.now + 24 * HOUR


def test_a_routine_trace_is_due_at_the_end_of_the_ninth_day_in_washington() -> None:
    run = Run(TRACE)
    run.act("submit_routine")
    run.receive(US)
    assert run.debt("routine_answer").due == instant("2021-10-18T03:59:59Z")
    run.now = instant("2021-10-18T03:59:59Z")
    run.act("complete", US)
    run.receive(MX)
    assert run.debt("routine_answer").status is Status.IN_TIME


def test_a_day_may_be_asked_for_and_no_part_of_one() -> None:
    run = Run(TRACE)
    run.act("submit_routine", due_in=2 * DAY_S)
    run.receive(US)
    assert run.debt("routine_answer").due == instant("2021-10-11T03:59:59Z")
    other = Run(TRACE)
    other.act("submit_routine", due_in=2 * DAY_S + 1)
    assert list(other.book().cases()) == []
    urgent = Run(TRACE)
    urgent.act("submit_urgent", due_in=25 * HOUR)
    assert list(urgent.book().cases()) == []


def test_a_gun_without_a_serial_number_has_its_own_way() -> None:
    run = Run(TRACE)
    run.act("submit_unserialized")
    run.receive(US)
    assert run.case().state == "unserialized"
    # The thirtieth day, on which clocks are put back in Washington.
    assert run.debt("unserialized_answer").due == instant("2021-11-08T04:59:59Z")
    run.act("complete", US)
    assert run.case().state == "completed"


def test_what_comes_back_incomplete_is_due_in_business_days_of_mexico() -> None:
    """20 business days from Friday 8 October: 2 November is one, 15 November is none."""
    run = Run(TRACE)
    run.act("submit_routine")
    run.receive(US)
    run.act("return_incomplete", US)
    run.receive(MX)
    assert run.debt("routine_answer").status is not Status.RUNNING
    assert run.debt("resubmission").due == instant("2021-11-06T05:59:59Z")
    run.act("resubmit")
    run.receive(US)
    assert run.debt("resubmitted_answer").status is Status.RUNNING


def test_a_result_after_the_complaint_is_late_and_counts() -> None:
    run = Run(TRACE)
    run.act("submit_urgent")
    run.receive(US)
    run.now += 24 * HOUR + 1
    run.act("escalate")
    run.act("complete", US)
    run.receive(MX)
    assert run.case().state == "completed"
    assert run.debt("urgent_answer").status is Status.LATE


@pytest.mark.parametrize(
    ("act", "clock", "due"),
    [
        ("ask_urgent_direct", "urgent_direct_answer", "2021-10-09T01:00:00Z"),
        ("ask_urgent", "urgent_answer", "2021-10-12T03:59:59Z"),
        ("ask", "ordinary_answer", "2021-10-16T03:59:59Z"),
    ],
)
def test_a_request_is_due_in_8_hours_3_days_or_7_days(act: str, clock: str, due: str) -> None:
    run = Run(REQUEST)
    run.act(act)
    run.receive(US)
    assert run.debt(clock).due == instant(due)


def test_a_question_back_after_the_deadline_does_not_hide_that_it_was_missed() -> None:
    run = Run(REQUEST)
    run.act("ask_urgent_direct")
    run.receive(US)
    run.now += 8 * HOUR + 1
    run.act("ask_clarification", US)
    run.receive(MX)
    assert run.debt("urgent_direct_answer").status is Status.LATE
    run.act("clarify", due_in=2 * HOUR)
    run.receive(US)
    assert run.debt("clarified_answer").due == run.now + 2 * HOUR


def test_asking_for_more_time_takes_none() -> None:
    run = Run(REQUEST)
    run.act("ask_urgent_direct")
    run.receive(US)
    run.act("ask_extension", US)
    run.receive(MX)
    assert run.debt("urgent_direct_answer").status is Status.RUNNING
    run.now += 8 * HOUR + 1
    assert run.overdue() == ["urgent_direct_answer"]
    run.act("fix_deadline", due_in=48 * HOUR)
    run.receive(US)
    assert run.overdue() == []
    assert run.debt("extended_answer").due == run.now + 48 * HOUR


def test_a_part_may_be_made_whole() -> None:
    run = Run(REQUEST)
    run.act("ask")
    run.receive(US)
    run.act("answer_partly", US)
    run.receive(MX)
    assert run.case().state == "partly_answered"
    assert run.debt("ordinary_answer").status is Status.IN_TIME
    run.act("supplement", US)
    assert run.case().state == "answered"
    run.act("close")
    assert run.case().state == "closed"


def test_an_answer_beats_a_withdrawal_that_had_not_seen_it() -> None:
    run = Run(REQUEST)
    run.act("ask")
    run.receive(US)
    size = len(run.logs[US])
    case = run.leaf(run.opening or Place(MX, 0)).hex()
    run.say(US, run.now, "request.v1", case=case, act="answer", seen={MX: 1})
    run.say(MX, run.now, "request.v1", case=case, act="withdraw", seen={US: size})
    assert run.case().state == "answered"
