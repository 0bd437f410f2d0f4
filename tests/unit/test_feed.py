"""The outbox: what a partner lacks reaches it, whatever breaks on the way, and only once."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.nodes import KEEPER, NOW, Clock, Home, World, confirm, world
from tests.support.proxy import HALF, LOSE, PASS, REFUSE, Proxy, road

from convenio.core.draft import draft
from convenio.core.errors import RefusedError, UnavailableError
from convenio.core.record import parse_record
from convenio.core.trust import Quota
from convenio.node.feed import FeedState
from convenio.node.records import State
from convenio.node.speaking import Attachment


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def way(pair: World) -> Iterator[Proxy]:
    """The road from mx to us."""
    with road(pair["us"].port) as made:
        pair["mx"].node.channels.route(KEEPER, pair["mx"].channel.name, "us", made.url)
        yield made
        pair.close()


def feed_of(home: Home) -> FeedState:
    (state,) = home.node.feeds()
    return state


def once_each(made: World) -> None:
    """Both hold the same two logs; no record is in one twice; all is sound."""
    mx, us = made.homes
    for party in ("mx", "us"):
        held = [
            [s.entry for s in home.node.store.entries(home.origin(party), 0, home.size(party))]
            for home in (mx, us)
        ]
        assert held[0] == held[1]
        ids = [parse_record(entry).header.id for entry in held[0]]
        assert len(set(ids)) == len(ids)
    assert mx.cut() == us.cut()
    assert [*mx.findings(), *us.findings()] == []


# --- down, up, away for long ---


def test_a_partner_that_was_down_gets_everything_when_it_is_back(pair: World) -> None:
    mx, us = pair.homes
    us.close()
    said = [mx.say(b"%d" % number) for number in range(5)]
    pair.until(lambda: feed_of(mx).failures > 1)
    assert feed_of(mx).error == "peer.connect"
    assert mx.states(said[0]) == [State.ACCEPTED]
    us.open()
    pair.settle()
    assert feed_of(mx).error == ""
    assert all(mx.states(each) == [State.RECEIVED] for each in said)
    once_each(pair)


def test_a_partner_that_is_back_is_not_kept_waiting(tmp_path: Path) -> None:
    """It says by itself that it is up, even if it has nothing new to say."""
    with world(tmp_path, limits={"retry_first_s": 3600, "retry_most_s": 3600}) as made:
        mx, us = made.homes
        us.say_bare()
        made.settle()
        us.close()
        said = mx.say(b"meanwhile")
        made.until(lambda: feed_of(mx).failures == 1)
        us.open()
        made.settle()
        assert mx.states(said) == [State.RECEIVED]


def test_both_cut_off_for_long_converge(pair: World) -> None:
    """Several requests of packages each way, partly filled bundles, and times a month apart."""
    mx, us = pair.homes
    for home in pair.homes:
        home.unplug()
    for day in range(4):
        pair.clock.now = NOW + day * 10 * 86_400
        for home in pair.homes:
            for _ in range(100):
                home.say(bodies=())
    for home in pair.homes:
        home.serve()
    pair.settle()
    assert (mx.size(), us.size()) >= (400, 400)
    once_each(pair)


def test_ten_thousand_records_go_in_several_requests(pair: World, way: Proxy) -> None:
    mx, us = pair.homes
    us.unplug()
    _say_many(mx, 9000)
    us.serve()
    pair.until(lambda: us.size("mx") == 9000, patience_s=60)
    pair.settle()
    assert way.count("add-entries") >= 2
    once_each(pair)


def _say_many(home: Home, count: int) -> None:
    """Straight through the sequencer, which is what makes it quick."""
    first = home.say(bodies=())
    log = home.node.registry.own_log(home.channel.ch)
    (stored,) = home.node.store.entries(home.origin(), first.index, first.index + 1)
    header = parse_record(stored.entry).header
    drafts = [draft(replace(header, id=os.urandom(16).hex())) for _ in range(count - 1)]
    desks = (header.by[0][-8:],)
    for job in [home.node.sequencer.submit(log, each, desks) for each in drafts]:
        job.result(30)


def test_a_partner_that_restarts_between_every_step_loses_nothing(pair: World) -> None:
    mx, us = pair.homes
    for number in range(4):
        mx.say(b"from mx %d" % number)
        us.say(b"from us %d" % number)
        (us if number % 2 else mx).reopen()
    pair.settle()
    once_each(pair)


# --- the road breaks ---


@pytest.mark.parametrize("what", ["add-checkpoint", "add-entries", "/blob/"])
@pytest.mark.parametrize("fate", [REFUSE, LOSE, HALF])
def test_a_request_that_fails_three_times_is_made_again_and_counts_once(
    pair: World, way: Proxy, what: str, fate: str
) -> None:
    """Lost answers are the worst: the partner has acted and we do not know."""
    mx, us = pair.homes
    left = [3]

    def judge(_method: str, path: str) -> str:
        if what in path and left[0]:
            left[0] -= 1
            return fate
        return PASS

    way.judge = judge
    said = [mx.say(b"%d" % number) for number in range(3)]
    pair.until(lambda: not left[0])
    pair.settle()
    assert all(mx.states(each) == [State.RECEIVED] for each in said)
    assert us.read("mx/2") == b"2"
    once_each(pair)


def test_while_the_answer_is_lost_the_record_is_not_called_cosigned(
    pair: World, way: Proxy
) -> None:
    mx, us = pair.homes
    way.judge = lambda _method, path: LOSE if "add-entries" in path else PASS
    us.node.outbox.stop()  # so that its own log tells nothing either
    said = mx.say(b"one")
    pair.until(lambda: us.size("mx") == 1 and feed_of(mx).failures > 1)
    assert mx.states(said) == [State.ACCEPTED]
    assert mx.node.records.cosignature(mx.found(said), us.node.party) is None
    way.judge = lambda _method, _path: PASS
    pair.until(lambda: mx.states(said) == [State.COSIGNED])


def test_a_cosignature_asked_for_again_soon_is_the_same(pair: World, way: Proxy) -> None:
    """Each lost answer would else cost the partner two more rows that nobody may delete."""
    mx, us = pair.homes
    way.judge = lambda _method, path: LOSE if "add-entries" in path else PASS
    us.node.outbox.stop()
    mx.say(b"one")
    pair.until(lambda: way.count("add-entries") >= 5)
    name = us.node.mirror._cosigners[0].name
    assert len(us.node.store.cosignatures(us.origin("mx"), 0, name)) == 2


# --- bodies ---


def test_a_large_body_follows_its_entry_in_pieces_and_arrives_whole(
    pair: World, way: Proxy
) -> None:
    mx, us = pair.homes
    content = os.urandom(5 << 20)
    said = mx.say(bodies=(Attachment(io.BytesIO(content), len(content), "application/pdf"),))
    pair.until(lambda: mx.states(said) == [State.RECEIVED], patience_s=60)
    assert us.read("mx/0") == content
    paths = [path for method, path, _, _ in way.seen if method == "PUT"]
    entries = next(n for n, each in enumerate(way.seen) if "add-entries" in each[1])
    first = next(n for n, each in enumerate(way.seen) if each[0] == "PUT")
    assert entries < first, "the entry comes first: nobody takes a large body unannounced"
    assert len([p for p in paths if "offset=0" in p]) <= 4
    assert max(size for _, _, _, size in way.seen) <= 1 << 20
    once_each(pair)


def test_a_large_body_cut_in_the_middle_is_resumed_where_it_stopped(
    pair: World, way: Proxy
) -> None:
    mx, us = pair.homes
    content = os.urandom(5 << 20)
    puts: list[str] = []
    cut = threading.Event()

    def judge(method: str, path: str) -> str:
        if method == "PUT":
            puts.append(path)
            if "offset=2097152" in path and not cut.is_set():
                cut.set()
                return HALF
        return PASS

    way.judge = judge
    said = mx.say(bodies=(Attachment(io.BytesIO(content), len(content)),))
    pair.until(cut.is_set)
    pair.until(lambda: mx.states(said) == [State.RECEIVED], patience_s=60)
    assert us.read("mx/0") == content
    after = puts[puts.index(next(p for p in puts if "offset=2097152" in p)) + 1 :]
    assert not [path for path in after if "offset=0" in path], "what was there is not sent again"


def test_a_large_body_is_resumed_after_both_have_restarted(pair: World, way: Proxy) -> None:
    mx, us = pair.homes
    content = os.urandom(4 << 20)
    way.judge = lambda method, path: (
        REFUSE if method == "PUT" and "offset=2097152" in path else PASS
    )
    said = mx.say(bodies=(Attachment(io.BytesIO(content), len(content)),))
    pair.until(lambda: any("offset=2097152" in path for _, path, _, _ in way.seen))
    mx.close()
    us.reopen()
    way.judge = lambda _method, _path: PASS
    del way.seen[:]
    mx.open()
    pair.until(lambda: mx.states(said) == [State.RECEIVED], patience_s=60)
    assert us.read("mx/0") == content
    assert not [path for _, path, _, _ in way.seen if "offset=0" in path]


def test_one_body_that_is_refused_holds_up_neither_entries_nor_other_bodies(pair: World) -> None:
    mx, us = pair.homes
    write = us.node.partnering.blob_write
    bad = mx_body = None

    def picky(who: object, blob: object, chunk: object) -> object:
        if blob.c == bad:  # type: ignore[attr-defined]
            raise RefusedError("blob.too_many_uploads", max=1)
        return write(who, blob, chunk)  # type: ignore[arg-type]

    us.unplug()
    first = mx.say(b"refused")
    mx_body = mx.found(first).header.bodies[0].c
    bad = mx_body
    us.node.partnering.blob_write = picky  # type: ignore[method-assign, assignment]
    us.serve()
    second = mx.say(b"welcome")
    pair.until(lambda: mx.states(second) == [State.RECEIVED])
    pair.until(lambda: mx.states(first) == [State.LACKING])
    assert us.read("mx/1") == b"welcome"
    assert feed_of(mx).cosigned == mx.size()
    bad = None
    pair.clock.now += 1
    pair.until(lambda: mx.states(first) == [State.RECEIVED])
    assert us.read("mx/0") == b"refused"


def test_what_a_partner_lacks_for_ever_is_sent_ever_more_rarely(pair: World) -> None:
    """However often we have a reason to ask what it lacks."""
    mx, us = pair.homes
    brought: list[float] = []

    def lose(_who: object, _blob: object, chunk: object) -> object:
        brought.append(pair.clock.now)
        return chunk.total  # type: ignore[attr-defined]

    us.node.partnering.blob_write = lose  # type: ignore[method-assign, assignment]
    said = mx.say(b"lost")
    pair.until(lambda: mx.states(said) == [State.LACKING])
    for _ in range(60):
        pair.clock.now += 1
        mx.node.outbox.wake(mx.channel.ch)
        pair.until(lambda: feed_of(mx).answered_at == pair.clock.now)
    assert 3 < len(brought) < 12, brought
    assert brought[-1] - brought[-2] > 10


def test_a_body_damaged_on_our_own_disk_holds_up_nothing_else(pair: World) -> None:
    mx, us = pair.homes
    us.unplug()
    first = mx.say(b"to be damaged")
    c = mx.found(first).header.bodies[0].c
    path = mx.path / "blobs" / mx.channel.ch / "mx" / c[:2] / c[2:]
    path.write_bytes(b"x" * path.stat().st_size)
    second = mx.say(b"welcome")
    us.serve()
    pair.until(lambda: mx.states(second) == [State.RECEIVED])
    assert mx.states(first) == [State.LACKING]
    assert us.findings() == []
    assert len(mx.findings()) == 1


def test_a_body_we_no_longer_hold_is_left_out(pair: World) -> None:
    mx, us = pair.homes
    us.unplug()
    first = mx.say(b"erased before it was sent")
    mx.shelf().delete(mx.found(first).header.bodies[0].c)
    us.serve()
    pair.until(lambda: mx.states(first) == [State.LACKING])
    pair.settle()
    assert feed_of(mx).error == ""


# --- what the partner's rules say ---


def test_a_quota_is_kept_seen_by_the_sender_and_over_the_next_day(tmp_path: Path) -> None:
    with world(tmp_path, quota=Quota(entries_per_day=10, bytes_per_day=1 << 30)) as made:
        mx, us = made.homes
        for _ in range(25):
            mx.say(bodies=())
        made.until(
            lambda: (
                (feed_of(mx).error, feed_of(mx).parameters.get("status")) == ("peer.status", 429)
            )
        )
        assert feed_of(mx).parameters["reason"] == "quota.exceeded"
        assert us.node.store.next_entry(us.origin("mx")) <= 10
        us.say(bodies=())
        made.until(lambda: mx.size("us") >= 1, "the other direction works")

        def at_least(entries: int) -> bool:
            return us.node.store.next_entry(us.origin("mx")) >= min(mx.size(), entries)

        for day in (1, 2, 3, 4):
            made.clock.now = NOW + day * 86_400
            mx.node.outbox.wake(mx.channel.ch)
            made.until(
                lambda: (
                    us.node.store.next_entry(us.origin("mx")) >= min(mx.size(), 10 * day)  # noqa: B023 - asked at once
                    or us.size("mx") == mx.size()
                )
            )
        made.until(lambda: us.size("mx") >= 25)
        assert us.findings() == []


def test_a_quota_of_bytes_counts_bodies_too(tmp_path: Path) -> None:
    with world(tmp_path, quota=Quota(entries_per_day=1000, bytes_per_day=100_000)) as made:
        mx, us = made.homes
        for _ in range(4):
            mx.say(os.urandom(40_000))
        made.until(lambda: feed_of(mx).parameters.get("reason") == "quota.exceeded")
        assert sum(us.shelf("mx").size(c) or 0 for c in us.shelf("mx").names()) <= 100_000
        assert us.findings() == []


def test_an_unconfirmed_partner_takes_nothing_until_it_has_confirmed(tmp_path: Path) -> None:
    with world(tmp_path, confirmed=False) as made:
        mx, us = made.homes
        confirm(mx)
        said = mx.say(b"one")
        made.until(lambda: feed_of(mx).parameters.get("reason") == "channel.unconfirmed")
        assert (us.size("mx"), list(us.shelf("mx").names())) == (0, [])
        confirm(us)
        made.until(lambda: mx.states(said) == [State.RECEIVED])
        made.settle()


def test_a_public_channel_needs_no_confirmation(tmp_path: Path) -> None:
    with world(tmp_path, confirmed=False, access="public", purpose="test") as made:
        mx = made["mx"]
        said = mx.say(b"to everybody", open_body=True, to=())
        made.until(lambda: mx.states(said) == [State.RECEIVED])


# --- clocks that differ ---


def test_a_cosignature_far_from_our_time_is_kept_flagged_and_asked_for_again(
    tmp_path: Path,
) -> None:
    with world(tmp_path, limits={"skew_s": 5}) as made:
        mx, us = made.homes
        us.close()
        us.clock = Clock(NOW + 20)  # requests are taken within a minute of our time
        us.open()
        us.node.outbox.stop()
        for _ in range(3):
            said = mx.say(b"one")
        made.until(lambda: feed_of(mx).error == "feed.time_differs" and us.size("mx") == 3)
        assert feed_of(mx).parameters == {"party": "us", "at": NOW + 20, "now": NOW}
        assert feed_of(mx).cosigned == 0
        assert mx.states(said) == [State.ACCEPTED], "no receipt"
        name = us.node.mirror._cosigners[0].name
        made.until(lambda: bool(mx.node.store.cosignatures(mx.origin(), 3, name)))
        assert all(c.flagged for c in mx.node.store.cosignatures(mx.origin(), 0, name))
        made.clock.now, us.clock.now = NOW + 118, NOW + 120
        made.until(lambda: mx.states(said) == [State.COSIGNED])
        assert mx.findings() == []


def test_entries_known_to_be_there_are_not_sent_again_for_the_sake_of_a_better_time(
    tmp_path: Path,
) -> None:
    with world(tmp_path, limits={"skew_s": 5}) as made, road(made["us"].port) as way:
        mx, us = made.homes
        mx.node.channels.route(KEEPER, mx.channel.name, "us", way.url)
        us.close()
        us.clock = Clock(NOW + 20)
        us.open()
        us.node.outbox.stop()
        mx.say(bodies=(), data={"a": "x" * 8000})
        made.until(lambda: feed_of(mx).error == "feed.time_differs" and us.size("mx") == 1)
        del way.seen[:]
        made.until(lambda: way.count("add-entries") > 3)
        assert max(size for _, path, _, size in way.seen if "add-entries" in path) < 400
        made.close()


def test_our_thread_fault_is_not_swallowed(pair: World) -> None:
    mx = pair["mx"]
    (feed,) = [feed for _, feed in mx.node.outbox._feeds.values()]

    def broken() -> bool:
        raise ZeroDivisionError

    feed.round = broken  # type: ignore[method-assign]
    mx.say(b"one")
    pair.until(lambda: not mx.node.healthy())
    assert isinstance(mx.node.failure, ZeroDivisionError)


def test_a_full_disk_at_the_partner_is_shown_and_passes(pair: World) -> None:
    mx, us = pair.homes
    append, full = us.node.store.absorb, [True]

    def absorb(*args: object) -> object:
        if full[0]:
            raise UnavailableError("store.disk_full")
        return append(*args)  # type: ignore[arg-type]

    us.node.store.absorb = absorb  # type: ignore[method-assign, assignment]
    said = mx.say(b"one")
    pair.until(lambda: feed_of(mx).parameters.get("reason") == "store.disk_full")
    assert feed_of(mx).parameters["status"] == 503
    full[0] = False
    pair.until(lambda: mx.states(said) == [State.RECEIVED])
    once_each(pair)
