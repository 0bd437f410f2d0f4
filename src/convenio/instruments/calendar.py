"""Days of the calendar and business days, by tables of facts: when a deadline of n days ends.

A day is one of the debtor's: its place's time zone says when it begins and ends, its table of
holidays whether it is one of business. The day of receipt is not counted; the last day counts to
its end. A day once begun is not begun again where clocks are put back over midnight, so a later
start never gives an earlier end. Outside what a table covers only Saturdays and Sundays are free,
and the first or last offset stands.
"""

from __future__ import annotations

import datetime
import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from convenio.core import canon
from convenio.core.canon import Json, Object

DAY_S: Final = 86_400
MAX_DAYS: Final = 3660
_EPOCH: Final = datetime.date(1970, 1, 1).toordinal()
_THURSDAY: Final = 3  # 1 January 1970
_SATURDAY: Final = 5
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_INSTANT: Final = re.compile(
    r"([0-9-]{10})T([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])Z", re.ASCII
)


class Unit(enum.Enum):
    """How the length of a clock is counted. Hours pass everywhere alike."""

    SECONDS = "seconds"
    HOURS = "hours"
    CALENDAR_DAYS = "calendar_days"
    BUSINESS_DAYS = "business_days"

    @property
    def seconds(self) -> int:
        """What one of it is in `due_in`; a day there is always 86,400 seconds."""
        return {"seconds": 1, "hours": 3600}.get(self.value, DAY_S)

    @property
    def in_days(self) -> bool:
        return self in (Unit.CALENDAR_DAYS, Unit.BUSINESS_DAYS)


@dataclass(frozen=True)
class Days:
    """The days of one place. offsets: (from this instant, minutes east of UTC), rising; what is
    before the first is as the first. holidays: numbers of days since 1 January 1970."""

    offsets: tuple[tuple[int, int], ...]
    holidays: frozenset[int] = frozenset()

    def day_at(self, at: int) -> int:
        """The number of the day that has begun at the instant `at`, seconds UTC."""
        begun = max(0, sum(since <= at for since, _ in self.offsets) - 1)
        now = (at + self._seconds(begun)) // DAY_S
        before = (self.offsets[n][0] - 1 + self._seconds(n - 1) for n in range(1, begun + 1))
        return max([now, *(moment // DAY_S for moment in before)])

    def end_of(self, day: int) -> int:
        """The last second, UTC, before the next day begins."""
        for number, (since, minutes) in enumerate(self.offsets):
            midnight = (day + 1) * DAY_S - minutes * 60
            begins = max(midnight, since) if number else midnight
            if number + 1 == len(self.offsets) or begins < self.offsets[number + 1][0]:
                return begins - 1
        raise RuntimeError("a place without an offset")

    def is_business(self, day: int) -> bool:
        return (day + _THURSDAY) % 7 < _SATURDAY and day not in self.holidays

    def deadline(self, received_at: int, n: int, unit: Unit) -> int:
        """The last second, UTC, of the `n`-th day after the day of `received_at`."""
        day = self.day_at(received_at)
        if unit is Unit.CALENDAR_DAYS:
            return self.end_of(day + n)
        while n:
            day += 1
            n -= self.is_business(day)
        return self.end_of(day)

    def _seconds(self, number: int) -> int:
        return self.offsets[number][1] * 60


UTC_DAYS: Final = Days(((0, 0),))


@dataclass(frozen=True)
class Calendar:
    """The tables of some parties, by party id, as one thing with a hash. source: where each
    place's facts come from. covers: first and last day of the holidays, as dates."""

    name: str
    covers: tuple[str, str]
    places: Mapping[str, Place] = field(hash=False)

    def days(self, party: str) -> Days:
        """The days of `party`; of one that has no table here, days in UTC without holidays."""
        return self.places[party].days if party in self.places else UTC_DAYS

    def encode(self) -> bytes:
        """The canonical line."""
        value: Object = {
            "kind": "calendar",
            "v": 1,
            "name": self.name,
            "covers": list(self.covers),
            "places": {party: place.json() for party, place in self.places.items()},
        }
        return canon.dumps(value) + b"\n"

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical line, hex."""
        return hashlib.sha256(self.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Place:
    """One party's capital: its time zone and the free days of its federal offices."""

    zone: str
    source: str
    days: Days

    def json(self) -> Json:
        return {
            "zone": self.zone,
            "source": self.source,
            "offsets": [[instant_text(since), minutes] for since, minutes in self.days.offsets],
            "holidays": [date_text(day) for day in sorted(self.days.holidays)],
        }


def day_of(text: str) -> int | None:
    """The number of the day that `2021-10-08` names, None if it names none."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return datetime.date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        return None


def instant_of(text: str) -> int | None:
    """Seconds UTC of `2021-10-08T14:00:00Z`, None if it is no instant."""
    found = _INSTANT.fullmatch(text)
    day = day_of(found[1]) if found else None
    if found is None or day is None:
        return None
    return day * DAY_S + int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4])


def date_text(day: int) -> str:
    return datetime.date.fromordinal(day + _EPOCH).isoformat()


def instant_text(at: int) -> str:
    left = at % DAY_S
    return f"{date_text(at // DAY_S)}T{left // 3600:02}:{left // 60 % 60:02}:{left % 60:02}Z"
