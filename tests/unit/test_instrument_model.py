"""Instruments as tables: what the linter finds, and what a pinned hash covers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.property.channel import EXCHANGE

from convenio.instruments.builtin import BUILTIN, REQUEST
from convenio.instruments.calendar import Unit
from convenio.instruments.model import (
    START,
    Clock,
    Finding,
    Instrument,
    Move,
    interleavings,
    lint,
)

CLOCK = REQUEST.clocks[0]


def codes(instrument: Instrument) -> set[str]:
    return {finding.code for finding in lint(instrument)}


@pytest.mark.parametrize("instrument", [*BUILTIN, EXCHANGE], ids=lambda each: str(each.name))
def test_what_is_used_is_without_findings(instrument: Instrument) -> None:
    assert lint(instrument) == []


def test_the_hash_of_the_built_in_request_is_pinned() -> None:
    """A change of the table is another instrument: charters that pin the old one keep the old."""
    assert REQUEST.hash == "12bd1c684ef29ffbde93fcfbf9489970d6fa371054ee572f5a9085458044549d"


def test_every_word_of_the_table_is_in_the_hash() -> None:
    changes = [
        replace(REQUEST, name="other"),
        replace(REQUEST, opener="other"),
        replace(REQUEST, addressee="other"),
        replace(REQUEST, race=REQUEST.race[::-1]),
        replace(REQUEST, moves=REQUEST.moves[:-1]),
        replace(REQUEST, clocks=()),
        *(with_clock(default_s=CLOCK.default_s + 1), with_clock(min_s=1), with_clock(max_s=1)),
        *(with_clock(runs_in=("open",)), with_clock(fulfilled=("answer",))),
        *(with_clock(pauses=False), with_clock(name="other"), with_clock(start="other")),
        *(with_clock(debtor="asker"), with_clock(creditor="asked")),
        *(with_clock(unit=Unit.HOURS), with_clock(unit=Unit.CALENDAR_DAYS)),
    ]
    assert len({each.hash for each in (REQUEST, *changes)}) == len(changes) + 1


def with_clock(**fields: object) -> Instrument:
    return replace(REQUEST, clocks=(replace(CLOCK, **fields),))  # type: ignore[arg-type]


def with_moves(*more: Move) -> Instrument:
    return replace(REQUEST, moves=(*REQUEST.moves, *more))


@pytest.mark.parametrize(
    ("code", "instrument"),
    [
        ("lint.word", with_moves(Move("open", "asker", "Ask again", "open"))),
        ("lint.roles", replace(REQUEST, addressee="asker")),
        ("lint.move_twice", with_moves(Move("open", "asked", "answer", "refused"))),
        ("lint.unreachable", with_moves(Move("nowhere", "asked", "answer", "answered"))),
        ("lint.move_role", with_moves(Move("open", "stranger", "answer", "answered"))),
        ("lint.opening", with_moves(Move(START, "asked", "offer", "open"))),
        ("lint.opening", with_moves(Move(START, "asker", "offer", "open", "acknowledgement"))),
        ("lint.move_to", with_moves(Move("open", "asker", "undo", START))),
        ("lint.move_after", with_moves(Move("open", "asker", "wait", "open", "no clock"))),
        ("lint.race_twice", replace(REQUEST, race=(*REQUEST.race, "answer"))),
        ("lint.race_act", replace(REQUEST, race=(*REQUEST.race, "dance"))),
        ("lint.race", replace(REQUEST, race=())),
        ("lint.race", replace(REQUEST, race=tuple(a for a in REQUEST.race if a != "withdraw"))),
        ("lint.clock_length", with_clock(min_s=0)),
        ("lint.clock_length", with_clock(default_s=CLOCK.max_s + 1)),
        ("lint.clock_roles", with_clock(debtor="asker")),
        ("lint.clock_start", with_clock(start="answer")),
        ("lint.clock_start", with_clock(start="dance")),
        ("lint.clock_state", with_clock(runs_in=("nowhere",))),
        ("lint.clock_act", with_clock(fulfilled=("withdraw",))),
        ("lint.clock_empty", with_clock(fulfilled=())),
    ],
)
def test_the_linter_finds(code: str, instrument: Instrument) -> None:
    assert code in codes(instrument)


def test_a_race_is_demanded_exactly_where_moves_do_not_commute() -> None:
    """Both may nod, in either order, and the case ends alike; both may stop, but only one does."""
    begin, nod = Move(START, "a", "ask", "open"), Move("open", "a", "nod", "open")
    nods = (begin, nod, Move("open", "b", "bow", "open"))
    peaceful = Instrument("x", "a", "b", nods, ())
    assert lint(peaceful) == []
    ends = (*nods, Move("open", "a", "stop", "stopped"), Move("open", "b", "end", "ended"))
    assert lint(replace(peaceful, moves=ends))[0] == Finding(
        "lint.race", ("open", "a", "nod", "b", "end")
    )
    assert lint(replace(peaceful, moves=ends, race=("stop", "end", "nod", "bow"))) == []


def test_one_act_of_both_roles_needs_no_race_if_the_case_ends_alike() -> None:
    both = (Move("open", "a", "close", "closed"), Move("open", "b", "close", "closed"))
    alike = Instrument("x", "a", "b", (Move(START, "a", "ask", "open"), *both), ())
    assert lint(alike) == []
    other = (both[0], Move("open", "b", "close", "shut"))
    assert codes(replace(alike, moves=(alike.moves[0], *other))) == {"lint.race"}


def test_all_two_move_interleavings_are_shown() -> None:
    shown = [str(each) for each in interleavings(REQUEST)]
    assert (
        "open | asked answer, then asker withdraw overtaken: answered"
        " | asker withdraw, then asked answer overtaken: withdrawn"
    ) in shown
    assert (
        "open | asked answer, then asker lapse overtaken: answered"
        " | asker lapse, then asked answer applied: answered"
    ) in shown
    assert len(shown) == 8


def test_due_in_fits_within_the_limits_of_the_clocks_an_act_starts() -> None:
    assert REQUEST.due_fits("ask", 0)
    assert REQUEST.due_fits("ask", CLOCK.min_s)
    assert not REQUEST.due_fits("ask", CLOCK.min_s - 1)
    assert not REQUEST.due_fits("ask", CLOCK.max_s + 1)
    assert REQUEST.due_fits("answer", 1), "it starts none"
    days = with_clock(unit=Unit.BUSINESS_DAYS, min_s=86_400)
    assert days.due_fits("ask", 2 * 86_400)
    assert not days.due_fits("ask", 2 * 86_400 + 1), "days are whole"


def test_states_are_those_of_the_table() -> None:
    assert REQUEST.states() == (
        *("open", "acknowledged", "answered", "refused", "withdrawn", "lapsed"),
    )
    assert isinstance(REQUEST.clock("acknowledgement"), Clock)
