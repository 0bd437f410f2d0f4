"""What a member may send in a day: counted for each log and day, and not forgotten at a restart."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.nodes import NOW, Home, world

from convenio.core.errors import RefusedError, UnavailableError
from convenio.core.trust import Quota
from convenio.node.quotas import DAY_S, MAX_DAYS, STEPS, Quotas
from convenio.node.registry import Log

TODAY = NOW // DAY_S * DAY_S


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    with world(tmp_path_factory.mktemp("pair"), serving=False) as made:
        yield made["mx"].node.registry.own_log(made["mx"].channel.ch)


def limited(log: Log, entries: int, size: int) -> Log:
    charter = replace(log.charter, quota=Quota(entries, size))
    signed = replace(log.channel.signed, charter=charter)
    return replace(log, channel=replace(log.channel, signed=signed))


@contextlib.contextmanager
def counting(folder: Path, *, killed: bool = False) -> Iterator[Quotas]:
    """The counts of one run of the node; killed: it does not come to closing them."""
    quotas, _ = Quotas.open(folder / "counts.db")
    try:
        yield quotas
    finally:
        if killed:
            assert quotas._database is not None
            quotas._database.close()
        else:
            quotas.close()


def left(quotas: Quotas, log: Log, now: int = TODAY) -> int:
    """How many entries of a byte still come, which uses them up."""
    return quotas.admit(log, [1] * 10_000, now)


@pytest.mark.parametrize("killed", [False, True])
def test_what_was_counted_today_is_counted_after_a_restart(
    log: Log, tmp_path: Path, killed: bool
) -> None:
    few = limited(log, 5, 200)
    for expected in (2, 2, 1, 0):
        with counting(tmp_path, killed=killed) as quotas:
            assert quotas.admit(few, [10, 10], TODAY) == expected
    with counting(tmp_path, killed=killed) as quotas:
        quotas.count(few, 150, TODAY)
        with pytest.raises(RefusedError) as caught:
            quotas.count(few, 1, TODAY)
        assert caught.value.code == "quota.exceeded"
    with counting(tmp_path) as quotas:
        with pytest.raises(RefusedError):
            quotas.count(few, 1, TODAY)
        quotas.count(few, 200, TODAY + DAY_S)


def test_a_clean_end_costs_nothing_and_a_kill_a_256th(log: Log, tmp_path: Path) -> None:
    many = limited(log, STEPS * 10, 1 << 40)
    with counting(tmp_path) as quotas:
        assert quotas.admit(many, [1], TODAY) == 1
    with counting(tmp_path, killed=True) as quotas:
        assert quotas.admit(many, [1], TODAY) == 1
    with counting(tmp_path) as quotas:
        assert left(quotas, many) == STEPS * 10 - 2 - 10


def test_a_new_day_begins_with_nothing_counted(log: Log, tmp_path: Path) -> None:
    few = limited(log, 3, 1000)
    with counting(tmp_path) as quotas:
        assert left(quotas, few, TODAY + DAY_S - 1) == 3
        assert left(quotas, few, TODAY + DAY_S) == 3
        assert left(quotas, few, TODAY + DAY_S) == 0


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_is_set_back_or_forth_loses_no_count(
    log: Log, tmp_path: Path, restarted: bool
) -> None:
    few, days = limited(log, 3, 1000), (0, 1, 0, 20_000, 0, 1, 20_000)
    seen = []
    with contextlib.ExitStack() as stack:
        quotas = stack.enter_context(counting(tmp_path))
        for day in days:
            seen.append(left(quotas, few, TODAY + day * DAY_S))
            if restarted:
                stack.close()
                quotas = stack.enter_context(counting(tmp_path))
    assert seen == [3, 3, 0, 3, 0, 0, 0]


def test_only_the_last_days_are_kept(log: Log, tmp_path: Path) -> None:
    few = limited(log, 3, 1000)
    with counting(tmp_path) as quotas:
        for day in range(3 * MAX_DAYS):
            left(quotas, few, TODAY + day * DAY_S)
        assert len(quotas._days) == MAX_DAYS
        assert quotas._database is not None
        ((rows,),) = quotas._database.read("SELECT count(*) FROM used")
        assert rows == MAX_DAYS


def test_a_quota_written_step_by_step_is_written_seldom(log: Log, tmp_path: Path) -> None:
    many = limited(log, 100_000, 1 << 40)
    with counting(tmp_path) as quotas:
        written = []
        write = quotas._write
        quotas._write = lambda *given: written.append(1) or write(*given)  # type: ignore[func-returns-value, method-assign]
        for _ in range(10_000):
            quotas.admit(many, [1] * 10, TODAY)
        assert quotas.admit(many, [1], TODAY) == 0
        assert len(written) <= STEPS + 1


def test_what_cannot_be_written_down_does_not_come(log: Log, tmp_path: Path) -> None:
    with counting(tmp_path) as quotas:
        assert quotas._database is not None
        quotas._database.dead = True
        with pytest.raises(UnavailableError):
            quotas.admit(log, [1], TODAY)
        with pytest.raises(UnavailableError):
            quotas.count(log, 1, TODAY)
        quotas._database.dead = False
        assert quotas._today(log, TODAY).entries == 0


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 4), st.sampled_from(["", "stop", "kill"])),
        max_size=12,
    ),
    limit=st.integers(1, 600),
)
def test_no_day_ever_takes_more_than_its_quota(
    log: Log,
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[int, int, str]],
    limit: int,
) -> None:
    """Whatever the order of days, stops and kills; and what was refused was nearly all used."""
    folder, few = tmp_path_factory.mktemp("counts"), limited(log, limit, 1 << 30)
    taken: dict[int, int] = {}
    quotas, _ = Quotas.open(folder / "counts.db")
    kills = 0
    for day, hundreds, end in steps:
        asked = hundreds * 100 + 1
        came = quotas.admit(few, [1] * asked, TODAY + day * DAY_S)
        taken[day] = taken.get(day, 0) + came
        assert taken[day] <= limit
        if came < asked:
            assert taken[day] >= limit - kills * (limit // STEPS)
        if end:
            kills += end == "kill"
            assert quotas._database is not None
            quotas._database.close() if end == "kill" else quotas.close()
            quotas, _ = Quotas.open(folder / "counts.db")
    quotas.close()


def test_a_node_that_restarts_goes_on_counting(tmp_path: Path) -> None:
    quota = Quota(entries_per_day=6, bytes_per_day=1 << 20)
    with world(tmp_path, quota=quota) as made:
        mx, us = made["mx"], made["us"]
        mx.say_bare(4)
        made.until(lambda: us.size("mx") >= 4)
        us.reopen()
        mx.say_bare(4)
        made.until(lambda: refused(mx))
        assert us.node.store.next_entry(us.origin("mx")) == 6
        made.clock.now += DAY_S
        mx.node.outbox.renew()
        made.until(lambda: us.size("mx") >= 8)


def refused(home: Home) -> bool:
    return any(feed.parameters.get("reason") == "quota.exceeded" for feed in home.node.feeds())
