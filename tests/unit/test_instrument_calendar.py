"""Days of a capital: when they begin and end, which are free, and when n of them have passed."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, datetime

import pytest
from tests.conftest import lacking

from convenio.instruments.calendar import (
    DAY_S,
    UTC_DAYS,
    Days,
    Unit,
    date_text,
    day_of,
    instant_of,
    instant_text,
)
from convenio.node.definitions import shipped

CALENDAR = shipped("firearm_trace").calendar
assert CALENDAR is not None
MX, US = CALENDAR.days("mx"), CALENDAR.days("us")
CALENDAR_DAYS, BUSINESS = Unit.CALENDAR_DAYS, Unit.BUSINESS_DAYS


def at(text: str) -> int:
    found = instant_of(text)
    assert found is not None
    return found


def due(days: Days, received: str, n: int, unit: Unit) -> str:
    return instant_text(days.deadline(at(received), n, unit))


@pytest.mark.parametrize(
    ("days", "received", "n", "unit", "expected"),
    [
        # The day of receipt is not counted, however early; the last counts to its end.
        (MX, "2021-10-08T06:00:00Z", 1, CALENDAR_DAYS, "2021-10-10T04:59:59Z"),
        (MX, "2021-10-09T04:59:59Z", 1, CALENDAR_DAYS, "2021-10-10T04:59:59Z"),
        (MX, "2021-10-09T05:00:00Z", 1, CALENDAR_DAYS, "2021-10-11T04:59:59Z"),
        # The same instant is another day in the other capital.
        (US, "2021-10-09T04:30:00Z", 1, CALENDAR_DAYS, "2021-10-11T03:59:59Z"),
        (MX, "2021-10-09T04:30:00Z", 1, CALENDAR_DAYS, "2021-10-10T04:59:59Z"),
        # Clocks are put back on 31 October 2021 in Mexico, on 7 November in Washington.
        (MX, "2021-10-30T18:00:00Z", 1, CALENDAR_DAYS, "2021-11-01T05:59:59Z"),
        (US, "2021-11-06T18:00:00Z", 1, CALENDAR_DAYS, "2021-11-08T04:59:59Z"),
        # Mexico has had no summer time since 30 October 2022.
        (MX, "2023-07-03T18:00:00Z", 1, CALENDAR_DAYS, "2023-07-05T05:59:59Z"),
        # A Friday, a weekend, and Columbus Day, which is no holiday in Mexico.
        (US, "2021-10-08T15:00:00Z", 1, BUSINESS, "2021-10-13T03:59:59Z"),
        (MX, "2021-10-08T15:00:00Z", 1, BUSINESS, "2021-10-12T04:59:59Z"),
        # Received on a Saturday: Monday is the first day.
        (MX, "2021-10-09T15:00:00Z", 1, BUSINESS, "2021-10-12T04:59:59Z"),
        # 16 September, in Mexico alone.
        (MX, "2021-09-15T15:00:00Z", 1, BUSINESS, "2021-09-18T04:59:59Z"),
        (US, "2021-09-15T15:00:00Z", 1, BUSINESS, "2021-09-17T03:59:59Z"),
        # A holiday on a Saturday is kept on Friday in the United States.
        (US, "2021-12-23T15:00:00Z", 1, BUSINESS, "2021-12-28T04:59:59Z"),
        (US, "2022-12-23T15:00:00Z", 1, BUSINESS, "2022-12-28T04:59:59Z"),
        # The federal executive changed on 1 October 2024.
        (MX, "2024-09-30T15:00:00Z", 1, BUSINESS, "2024-10-03T05:59:59Z"),
        # What no table covers has weekends only.
        (US, "2028-12-22T15:00:00Z", 1, BUSINESS, "2028-12-26T04:59:59Z"),
        (UTC_DAYS, "2021-10-08T15:00:00Z", 2, BUSINESS, "2021-10-12T23:59:59Z"),
    ],
    ids=str,
)
def test_a_deadline_in_days(days: Days, received: str, n: int, unit: Unit, expected: str) -> None:
    assert due(days, received, n, unit) == expected


@pytest.mark.parametrize(
    ("days", "zone"), [(MX, "America/Mexico_City"), (US, "America/New_York")], ids=["mx", "us"]
)
def test_the_offsets_are_those_of_the_time_zone_database(days: Days, zone: str) -> None:
    try:
        facts = zoneinfo.ZoneInfo(zone)
    except zoneinfo.ZoneInfoNotFoundError:
        lacking("the time zone database (apt-get install tzdata)")
    for moment in range(at("2021-01-01T12:00:00Z"), at("2037-12-31T00:00:00Z"), DAY_S):
        local = datetime.fromtimestamp(moment, UTC).astimezone(facts)
        assert date_text(days.day_at(moment)) == local.date().isoformat()
        last = datetime.fromtimestamp(days.end_of(days.day_at(moment)), UTC).astimezone(facts)
        assert (last.date(), last.hour, last.minute) == (local.date(), 23, 59)


def test_a_day_once_begun_is_not_begun_again() -> None:
    """Where clocks go back over midnight the same date is met twice; it is one day."""
    midnight = at("2021-10-10T00:30:00Z")
    days = Days(((0, 0), (midnight, -60)))
    assert date_text(days.day_at(midnight - 1)) == "2021-10-10"
    assert date_text(days.day_at(midnight)) == "2021-10-10"
    assert instant_text(days.end_of(days.day_at(midnight) - 1)) == "2021-10-09T23:59:59Z"
    assert instant_text(days.end_of(days.day_at(midnight))) == "2021-10-11T00:59:59Z"


def test_an_hour_that_is_skipped_over_midnight_begins_the_day() -> None:
    eleven = at("2021-10-10T23:00:00Z")
    days = Days(((0, 0), (eleven, 60)))
    assert date_text(days.day_at(eleven - 1)) == "2021-10-10"
    assert date_text(days.day_at(eleven)) == "2021-10-11"
    assert days.end_of(days.day_at(eleven - 1)) == eleven - 1


def test_the_table_of_each_capital_has_its_source_and_its_years() -> None:
    assert CALENDAR is not None
    assert CALENDAR.covers == ("2021-01-01", "2027-12-31")
    assert CALENDAR.days("gt") == UTC_DAYS
    for party, least in (("mx", 7), ("us", 11)):
        place = CALENDAR.places[party]
        assert place.source
        for year in range(2021, 2028):
            kept = [d for d in place.days.holidays if date_text(d).startswith(str(year))]
            assert len(kept) >= least - 1, (party, year)


@pytest.mark.parametrize(
    "text",
    [
        *("2021-02-29", "2021-13-01", "0000-01-01", "2021-1-01", "20211008", "2021-10-08 "),
        *("٢٠٢١-10-08", "2021-10-08T14:00:00Z"),
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert day_of(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("2021-10-08", "2021-10-08T14:00:00", "2021-10-08T24:00:00Z", "2021-10-08T14:00:60Z"),
        *("2021-10-08T14:00:00+00:00", "2021-02-30T14:00:00Z", "2021-10-08t14:00:00z"),
    ],
)
def test_what_is_no_instant(text: str) -> None:
    assert instant_of(text) is None
