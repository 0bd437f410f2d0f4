"""Deadlines in days, for any tables: more time is never less, later is never earlier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from convenio.instruments.calendar import DAY_S, Days, Unit, instant_of, instant_text

FIRST, LAST = 1_500_000_000, 1_900_000_000
units = st.sampled_from([Unit.CALENDAR_DAYS, Unit.BUSINESS_DAYS])
instants = st.integers(FIRST, LAST)


@st.composite
def tables(draw: st.DrawFn) -> Days:
    changes = sorted(draw(st.sets(instants, min_size=1, max_size=6)))
    minutes = draw(st.lists(st.integers(-720, 840), min_size=len(changes), max_size=len(changes)))
    holidays = draw(st.frozensets(st.integers(FIRST // DAY_S, LAST // DAY_S), max_size=30))
    return Days(tuple(zip(changes, minutes, strict=True)), holidays)


@given(tables(), instants, st.integers(0, 3 * DAY_S), st.integers(1, 40), units)
def test_a_later_start_never_gives_an_earlier_end(
    days: Days, start: int, later: int, n: int, unit: Unit
) -> None:
    assert days.deadline(start, n, unit) <= days.deadline(start + later, n, unit)


@given(tables(), instants, st.integers(1, 40), units)
def test_one_day_more_ends_later(days: Days, start: int, n: int, unit: Unit) -> None:
    assert days.deadline(start, n, unit) <= days.deadline(start, n + 1, unit)


@given(tables(), instants, st.integers(1, 40))
def test_business_days_are_never_fewer_than_calendar_days(days: Days, start: int, n: int) -> None:
    business = days.deadline(start, n, Unit.BUSINESS_DAYS)
    assert business >= days.deadline(start, n, Unit.CALENDAR_DAYS)
    assert business >= start


@given(tables(), instants)
def test_a_day_ends_where_the_next_begins(days: Days, moment: int) -> None:
    end = days.end_of(days.day_at(moment))
    assert end >= moment
    assert days.day_at(end) == days.day_at(moment)
    assert days.day_at(end + 1) > days.day_at(end)


@given(tables(), instants, st.integers(0, 3 * DAY_S))
def test_days_only_go_forward(days: Days, moment: int, later: int) -> None:
    assert days.day_at(moment) <= days.day_at(moment + later)


@given(st.integers(0, 250_000_000_000))
def test_an_instant_reads_back(at: int) -> None:
    assert instant_of(instant_text(at)) == at
