"""The instruments of the program, run at random: same records, same states, for ever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.property.channel import Roots
from tests.unit.test_instrument_cases import INSTRUMENTS, MX, US, Run

from convenio.core.record import RECEIVED, PartyId
from convenio.instruments.calendar import DAY_S
from convenio.instruments.cases import Casebook
from convenio.instruments.deadlines import Debt
from convenio.instruments.model import START

# (who, which of the instrument's acts or only a receipt, seconds later, whether it has seen all)
moments = st.tuples(
    st.sampled_from([MX, US]),
    st.integers(0, 200),
    st.sampled_from([0, 60, 3600, 9 * 3600, DAY_S, 8 * DAY_S, 40 * DAY_S]),
    st.booleans(),
)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    instrument = draw(st.sampled_from(INSTRUMENTS))
    run = Run(instrument)
    openings = sorted(move.act for move in instrument.moves if move.state == START)
    run.act(draw(st.sampled_from(openings)))
    acts = sorted({move.act for move in instrument.moves})
    seen = {MX: {US: 0}, US: {MX: 1}}
    for party, choice, later, all_of_it in draw(st.lists(moments, max_size=14)):
        run.now += later
        if all_of_it:
            seen[party] = {other: len(log) for other, log in run.logs.items() if other != party}
        if choice % 3 == 0:
            run.say(party, run.now, RECEIVED, seen=seen[party])
        else:
            case = run.leaf(run.opening) if run.opening else b""
            allowed = [move.act for move in run.book().moves(run.case(), party, run.now)]
            act = (allowed or acts)[choice % len(allowed or acts)]
            act = acts[choice % len(acts)] if choice % 7 == 0 else act
            run.say(party, run.now, "request.v1", case=case.hex(), act=act, seen=seen[party])
    return run


def fed(run: Run, order: list[PartyId]) -> Casebook:
    """A book that got the entries in this order of parties, and then all the rest."""
    fold = run.new_fold()
    book = Casebook(fold, (run.instrument,))
    given_ = dict.fromkeys(run.logs, 0)
    for party in [*order, *(p for p, log in run.logs.items() for _ in log)]:
        if given_[party] < len(run.logs[party]):
            for folded in fold.feed(party, given_[party], run.logs[party][given_[party]]):
                book.take(folded)
            given_[party] += 1
    return book


@settings(deadline=None)
@given(runs(), st.lists(st.sampled_from([MX, US]), max_size=20))
def test_same_records_same_states_in_any_order(run: Run, order: list[PartyId]) -> None:
    assert fed(run, order).state_bytes() == fed(run, []).state_bytes()


@settings(deadline=None)
@given(runs())
def test_what_is_settled_and_what_is_final_never_change(run: Run) -> None:
    verdicts: dict[object, object] = {}
    dues: dict[tuple[str, object], int | None] = {}
    fold = run.new_fold()
    book = Casebook(fold, (run.instrument,))
    entries = [(p, n, e) for p, log in run.logs.items() for n, e in enumerate(log)]
    for party, index, entry in sorted(entries, key=lambda each: each[1]):
        for folded in fold.feed(party, index, entry):
            book.take(folded)
        for case in book.cases():
            for step, settled in zip(case.steps, case.settled, strict=True):
                if settled:
                    assert verdicts.setdefault(step.event.place, step.verdict) is step.verdict
            for debt in case.debts:
                if debt.final:
                    assert dues.setdefault(key(debt), debt.due) == debt.due


def key(debt: Debt) -> tuple[str, object]:
    return debt.clock, debt.start


@settings(deadline=None)
@given(runs(), st.integers(0, 50 * DAY_S))
def test_what_a_party_is_told_it_may_do_is_never_out_of_turn(run: Run, later: int) -> None:
    """Also by clocks that count days: the same question before and after."""
    for party in (MX, US):
        run.now += later
        book = run.book()
        for case in book.cases():
            for move in book.moves(case, party, run.now):
                trial = Run(run.instrument)
                trial.logs = {p: list(log) for p, log in run.logs.items()}
                trial.roots, trial.opening, trial.now = copy_of(run), run.opening, run.now
                trial.act(move.act, party)
                assert trial.last() == "applied"


def copy_of(run: Run) -> Roots:
    roots = Roots(run.channel.parties)
    for party, log in run.logs.items():
        for entry in log:
            roots.append(party, entry)
    return roots
