"""What a partner says it lacks is sent again at once, and then rarer each time."""

from __future__ import annotations

from convenio.node.again import MOST_S, Again

DAY = 86_400


def times(again: Again, until: float, step: float = 1) -> list[float]:
    """When an entry that lacks for ever is sent, to somebody who asks every `step` seconds."""
    found, now = [], 0.0
    while now < until:
        for index in again.due([7], now):
            again.sent(index, now)
            found.append(now)
        now += step
    return found


def test_what_lacks_for_ever_is_sent_at_once_and_then_after_twice_as_long_each_time() -> None:
    assert times(Again(60), 2000) == [0, 60, 180, 420, 900, 1860]


def test_it_is_never_more_rare_than_once_a_day() -> None:
    found = times(Again(60), 10 * DAY, 60)
    assert found[-1] - found[-2] == MOST_S == DAY
    assert len(found) <= 11 + 10


def test_one_entry_does_not_wait_for_another() -> None:
    again = Again(60)
    again.sent(1, 0)
    assert again.due([1, 2], 10) == [2]
    assert again.due([1, 2], 60) == [1, 2]


def test_what_came_and_lacks_no_more_is_forgotten() -> None:
    again = Again(60)
    again.sent(1, 0)
    assert again.due([2], 1) == [2]
    assert again._sent == {}


def test_a_clock_that_was_set_back_holds_nothing_up() -> None:
    again = Again(60)
    again.sent(1, 1000)
    assert again.due([1], 999) == [1]
