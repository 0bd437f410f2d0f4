"""What a node says it has received: all of it, only that, once, and then it is quiet."""

from __future__ import annotations

import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.nodes import CHANNEL, OFFICER, Home, World, agree, confirm, world

from convenio.core.errors import RefusedError, UnavailableError
from convenio.core.place import Folded, Place
from convenio.core.record import Header, parse_record
from convenio.instruments.builtin import REQUEST
from convenio.node.records import State
from convenio.node.speaking import Attachment, Saying
from convenio.store.api import LogStore, Stored


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as made:
        yield made


def headers(home: Home, party: str = "") -> list[Header]:
    origin = home.origin(party)
    entries = home.node.store.entries(origin, 0, home.size(party))
    return [parse_record(stored.entry).header for stored in entries]


def types(home: Home) -> Counter[str]:
    return Counter(header.type for header in headers(home))


def lacked(home: Home, word: str = "lack") -> list[str]:
    return [leaf for header in headers(home) for leaf in header.data.get(word, [])]  # type: ignore[union-attr, misc]


def quiet_for_good(made: World) -> None:
    """Settled, and no tick or wake makes anybody say another word."""
    made.settle()
    sizes = [home.size() for home in made.homes]
    for _ in range(3):
        for home in made.homes:
            home.node.tick()
            home.node.outbox.wake(made.charter.charter.ch)
        made.settle()
    assert [home.size() for home in made.homes] == sizes


def test_one_record_is_answered_by_one_receipt_and_then_nobody_speaks(pair: World) -> None:
    mx, us = pair.homes
    said = mx.say(b"one")
    quiet_for_good(pair)
    assert (types(mx), types(us)) == ({"statement.v1": 1}, {"received.v1": 1})
    assert mx.states(said) == [State.RECEIVED]


def test_a_record_said_after_a_restart_of_both_is_received_too(pair: World) -> None:
    mx, us = pair.homes
    mx.say(b"one")
    pair.settle()
    for home in pair.homes:
        home.reopen()
    quiet_for_good(pair)
    assert types(us) == {"received.v1": 1}, "a restart repeats nothing"
    said = mx.say(b"two")
    quiet_for_good(pair)
    assert mx.states(said) == [State.RECEIVED]


def test_both_speaking_at_once_fall_quiet(pair: World) -> None:
    start = threading.Barrier(2)

    def speak(home: Home) -> None:
        start.wait(10)
        for number in range(30):
            home.say(b"%d" % number, bodies=()) if number % 3 else home.say(b"%d" % number)

    threads = [threading.Thread(target=speak, args=(home,)) for home in pair.homes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    quiet_for_good(pair)
    for home in pair.homes:
        assert types(home)["statement.v1"] == 30
        assert types(home)["received.v1"] <= 31
        assert home.findings() == []


def test_three_parties_converge_and_fall_quiet(tmp_path: Path) -> None:
    with world(tmp_path, ("ca", "mx", "us")) as made:
        said = [home.say(b"from %s" % home.party.encode(), to=_others(home)) for home in made.homes]
        quiet_for_good(made)
        cuts = [home.cut() for home in made.homes]
        assert cuts[0] == cuts[1] == cuts[2]
        for home, accepted in zip(made.homes, said, strict=True):
            assert home.states(accepted) == [State.RECEIVED] * 2
            for other in made.homes:
                assert other.read(f"{home.party}/{accepted.index}").startswith(b"from")
            assert home.findings() == []


def _others(home: Home) -> list[str]:
    return [f"{party}:liaison" for party in ("ca", "mx", "us") if party != home.party]


def test_what_is_sealed_for_one_of_three_is_sent_to_that_one_alone(tmp_path: Path) -> None:
    with world(tmp_path, ("ca", "mx", "us")) as made:
        ca, mx, us = made.homes
        said = mx.say(b"for us alone", to=("us:liaison",))
        quiet_for_good(made)
        assert mx.states(said) == [State.RECEIVED] * 2, "the third received the record whole"
        assert us.read("mx/0") == b"for us alone"
        assert list(ca.shelf("mx").names()) == []
        assert lacked(ca) == []


# --- bodies that come late ---


class Late:
    """Keeps bodies from being pushed until they are let go."""

    def __init__(self, home: Home) -> None:
        self._partnering, self._clock = home.node.partnering, home.clock
        self._write, self.closed = self._partnering.blob_write, True
        self._partnering.blob_write = self  # type: ignore[method-assign, assignment]

    def __call__(self, who: object, blob: object, chunk: object) -> object:
        if self.closed:
            raise UnavailableError("store.disk_full")
        return self._write(who, blob, chunk)  # type: ignore[arg-type]

    def open(self) -> None:
        self.closed = False
        self._clock.now += 1  # or what lacks would not be sent again yet


class Refusing(Late):
    """Says yes to every body and keeps none: as if each were lost on the way."""

    def __call__(self, who: object, blob: object, chunk: object) -> object:
        if self.closed:
            return chunk.total  # type: ignore[attr-defined]
        return self._write(who, blob, chunk)  # type: ignore[arg-type]


def test_a_body_that_comes_later_is_first_lacked_then_had(pair: World) -> None:
    mx, us = pair.homes
    road = Refusing(us)
    said = mx.say(b"late")
    pair.until(lambda: mx.states(said) == [State.LACKING])
    assert us.states_of("mx/0") == [State.LACKING]
    road.open()
    pair.until(lambda: mx.states(said) == [State.RECEIVED])
    quiet_for_good(pair)
    assert us.read("mx/0") == b"late"
    assert len(lacked(us)) == len(lacked(us, "have")) == 1
    assert types(us) == {"received.v1": 2}


def test_what_is_lacked_is_no_receipt_even_when_we_speak_ourselves(pair: World) -> None:
    """No record of ours may claim to have seen, and so received, what has not come."""
    mx, us = pair.homes
    Refusing(us)
    said = mx.say(b"never comes")
    us.say(b"our own words", bodies=())
    pair.until(lambda: mx.states(said) == [State.LACKING])
    us.say(b"more of our own", bodies=())
    pair.until(lambda: us.size() == mx.size("us") == mx.cut()["us"])
    assert mx.states(said) == [State.LACKING]
    receipt = mx.node.folding.receipt(mx.channel.ch, Place(mx.node.party, 0), us.node.party)
    assert receipt is None


@pytest.mark.parametrize("count", [100, 230])
def test_many_bodies_lacking_at_once_are_each_named_once_and_had_once(
    pair: World, count: int
) -> None:
    """More than one receipt can name: the rest is claimed by nobody until it is named."""
    mx, us = pair.homes
    road = Refusing(us)
    us.unplug()
    for number in range(count):
        mx.say(b"%d" % number)
    us.serve()
    pair.until(lambda: len(set(lacked(us))) == count, f"lacked {len(set(lacked(us)))}")
    pair.until(lambda: mx.cut()["us"] == us.size())
    places = [Place(mx.node.party, index) for index in range(count)]
    ch, party = mx.channel.ch, us.node.party
    assert not any(mx.node.folding.receipt(ch, place, party) for place in places)
    road.open()
    pair.until(lambda: len(set(lacked(us, "have"))) == count, f"{len(set(lacked(us, 'have')))}")
    quiet_for_good(pair)
    assert all(mx.node.folding.receipt(ch, place, party) for place in places)
    assert Counter(lacked(us)).most_common(1)[0][1] == 1
    assert Counter(lacked(us, "have")).most_common(1)[0][1] == 1
    assert types(us)["received.v1"] <= count + count // 100 + 3, types(us)


def test_bodies_that_all_come_between_two_looks_are_had_once_each(pair: World) -> None:
    mx, us = pair.homes
    Refusing(us)
    us.unplug()
    for number in range(250):
        mx.say(b"%d" % number)
    us.serve()
    pair.until(lambda: len(lacked(us)) == 250)
    pair.until(lambda: mx.cut()["us"] == us.size())
    mx.unplug()
    us.unplug()
    named = [body.c for header in headers(mx) for body in header.bodies]
    for c in named:
        with mx.shelf().open(c) as blob:
            us.shelf("mx").put(c, blob.read())
    for c in named[:-1]:
        us.node.answering._came.setdefault(us.channel.ch, set()).add((mx.node.party, c))
    us.node.folding.came(us.channel.ch, mx.node.party, named[-1])
    pair.until(lambda: len(set(lacked(us, "have"))) == 250, "not all are had")
    for home in pair.homes:
        home.serve()
    quiet_for_good(pair)
    assert len(lacked(us, "have")) == 250


def test_a_restart_while_bodies_are_lacking_loses_none_and_names_none_twice(pair: World) -> None:
    mx, us = pair.homes
    Refusing(us)
    said = [mx.say(b"%d" % number) for number in range(5)]
    pair.until(lambda: all(mx.states(each) == [State.LACKING] for each in said))
    us.reopen()  # takes bodies now
    mx.reopen()
    pair.until(lambda: all(mx.states(each) == [State.RECEIVED] for each in said))
    quiet_for_good(pair)
    assert Counter(lacked(us)).most_common(1)[0][1] == 1
    assert sorted(lacked(us)) == sorted(lacked(us, "have"))


def test_an_automatic_record_with_a_body_that_does_not_come_is_not_claimed_either(
    pair: World,
) -> None:
    """A partner may hang a body on its `received.v1`, which by itself needs no answer."""
    mx, us = pair.homes
    Refusing(us)
    kinds = {"statement.v1": "received.v1"}

    speaking = mx.node.speaking
    proper = speaking._header

    def odd(*args: Any) -> Header:
        made = proper(*args)
        return replace(made, type=kinds.get(made.type, made.type))

    speaking._header = odd  # type: ignore[method-assign, assignment]
    said = mx.say(b"hung on")
    pair.until(lambda: us.cut()["mx"] == 1)
    us.say(b"our own words", bodies=())
    pair.until(lambda: us.size() == mx.cut()["us"])
    assert mx.states(said) == [State.LACKING]


# --- a body among several, several bodies ---


def test_a_record_with_eight_bodies_is_received_when_the_last_has_come(pair: World) -> None:
    mx, us = pair.homes
    road = Refusing(us)
    parts = [Attachment(io.BytesIO(b"%d" % n), 1, name=f"{n}.txt") for n in range(8)]
    said = mx.say(bodies=tuple(parts))
    pair.until(lambda: mx.states(said) == [State.LACKING])
    road.open()
    pair.until(lambda: mx.states(said) == [State.RECEIVED])
    assert [us.read("mx/0", part) for part in range(8)] == [b"%d" % n for n in range(8)]


# --- waiting ---


def test_who_waits_is_woken_by_the_very_fold_that_makes_it_true(pair: World) -> None:
    """A condition that comes true just while it is being asked must not be slept through."""
    mx = pair["mx"]
    folding, asked, notified = mx.node.folding, threading.Event(), threading.Event()
    state = {"done": False}

    def ready() -> bool:
        answer = state["done"]
        if not asked.is_set():
            asked.set()
            assert notified.wait(10)  # it comes true, and is said, after we looked
        return answer

    def later() -> None:
        assert asked.wait(10)
        state["done"] = True
        with folding._changed:
            folding._generation += 1
            folding._changed.notify_all()
        notified.set()

    thread = threading.Thread(target=later)
    thread.start()
    assert folding.wait_until(ready, 5) is True
    thread.join()


def test_waiting_ends_in_time_when_it_does_not_come_true(pair: World) -> None:
    assert pair["mx"].node.folding.wait_until(lambda: False, 0.01) is False


# --- what is known of what was judged before ---


class Marked:
    """A store that counts how often what was judged before is read: all unfit entries of a log."""

    def __init__(self, store: LogStore) -> None:
        self._store, self.read = store, Counter[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def fold_mark(self, origin: str) -> tuple[int, dict[int, str]]:
        self.read[origin] += 1
        return self._store.fold_mark(origin)


def test_what_was_judged_before_is_read_once_a_log_and_not_with_each_batch(pair: World) -> None:
    mx, us = pair.homes
    store = Marked(us.node.folding._store)
    us.node.folding._store = cast(LogStore, store)
    for number in range(5):
        mx.say(b"%d" % number)
        pair.settle()
    assert set(store.read.values()) <= {1}
    assert us.node.store.fold_mark(us.origin("mx"))[0] == 5, "and kept up to date all the same"


# --- who keeps silent ---


class Asked:
    """A store that notes of which entries a cosignature was looked for."""

    def __init__(self, store: LogStore) -> None:
        self._store, self.sizes = store, set[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def earliest_cosignature(self, origin: str, name: str, size: int) -> object:
        self.sizes.add(size)
        return self._store.earliest_cosignature(origin, name, size)


def test_a_partner_that_is_away_is_not_asked_after_once_for_each_request(tmp_path: Path) -> None:
    """Else each answer would look for a cosignature of every request since it went away."""
    with world(tmp_path, instruments={REQUEST.name: REQUEST.hash}) as made:
        mx, us = made.homes
        us.close()
        answering = mx.node.answering
        asked = Asked(answering._store)
        answering._store = cast(LogStore, asked)
        for _ in range(20):
            mx.say(b"Who?", act="ask", inst=REQUEST.hash, type="request.v1")
        made.until(lambda: mx.cut()["mx"] == 20)
        mx.node.folding.wake()
        made.until(lambda: asked.sizes == {1})


# --- the index ---


def test_what_the_index_could_not_take_it_takes_later(pair: World) -> None:
    """A full disk under view.db must not hide records until the next start."""
    mx, us = pair.homes
    add, failing = us.node.index.add, [True]

    def full(ch: str, folded: list[Folded], sizes: object) -> None:
        if failing[0]:
            raise UnavailableError("store.disk_full")
        add(ch, folded, sizes)  # type: ignore[arg-type]

    us.node.index.add = full  # type: ignore[method-assign, assignment]
    said = mx.say(b"one")
    pair.until(lambda: us.size("mx") == 1)
    us.node.folding.wake()
    pair.until(lambda: us.cut().get("mx") == 1)
    failing[0] = False
    us.node.folding.wake()
    pair.until(lambda: mx.states(said) == [State.RECEIVED])
    pair.settle()
    assert us.node.records.find(said.leaf.hex()).index == 0
    rows = us.node.index.latest(us.channel.ch, 10, automatic=True)
    assert {(row.party, row.index) for row in rows} >= {("mx", 0)}
    assert us.node.healthy()


def test_what_was_just_said_is_found_by_its_hash_at_once(pair: World) -> None:
    mx = pair["mx"]
    for number in range(20):
        said = mx.say(b"%d" % number)
        assert mx.node.records.find(said.leaf.hex()).index == said.index
    with pytest.raises(RefusedError, match=r"record\.unknown"):
        mx.node.records.find("ab" * 32)


def test_the_index_dropped_is_built_again(pair: World) -> None:
    mx, us = pair.homes
    said = [mx.say(b"%d" % n) for n in range(3)]
    pair.settle()
    us.close()
    for path in us.path.glob("view.db*"):
        path.unlink()
    us.open()
    pair.settle()
    assert [us.node.records.find(each.leaf.hex()).index for each in said] == [0, 1, 2]
    assert us.read("mx/2") == b"2"


# --- a channel that is frozen ---


def test_a_frozen_channel_stays_at_its_cut_and_goes_on_receiving(pair: World) -> None:
    mx, us = pair.homes
    mx.say(b"one")
    pair.settle()
    us.freeze()
    cut, size = us.cut(), us.size()
    mx.say(b"two")
    pair.until(lambda: us.size("mx") == 2)
    pair.until(lambda: [f.cosigned for f in mx.node.feeds()] == [2])
    assert (us.cut(), us.size()) == (cut, size), "cosigned: received, and neither read nor answered"
    assert us.read("mx/0") == b"one", "what was received stays readable"
    us.reopen()
    assert (us.cut(), us.size(), us.size("mx")) == (cut, size, 2)
    assert us.node.healthy()


class Interrupted:
    """A store that lets something happen just when the entries of a log are read."""

    def __init__(self, store: LogStore, origin: str, happen: Callable[[], None]) -> None:
        self._store, self._origin, self._happen = store, origin, happen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def entries(self, origin: str, start: int, end: int) -> Iterator[Stored]:
        if origin == self._origin:
            self._origin = ""
            self._happen()
        return self._store.entries(origin, start, end)


def test_a_freeze_in_the_middle_of_folding_lets_nothing_more_in(pair: World) -> None:
    mx, us = pair.homes
    mx.say(b"one")
    pair.settle()
    folding = us.node.folding
    store = Interrupted(us.node.store, us.origin("mx"), us.freeze)
    folding._store = cast(LogStore, store)
    before = us.cut()
    mx.say(b"two")
    pair.until(lambda: us.size("mx") == 2 and not store._origin)
    folding.wake()
    pair.until(lambda: [f.cosigned for f in mx.node.feeds()] == [2])
    assert us.cut() == before
    assert us.node.local.channel(CHANNEL).frozen_cut == before


def test_two_channels_do_not_touch_each_other(tmp_path: Path) -> None:
    with world(tmp_path) as made:
        mx, us = made.homes
        agree(made.homes, name="second")
        for home in made.homes:
            confirm(home, "second")
        mx.say(b"one")
        body = Attachment(io.BytesIO(b"two"), 3)
        second = Saying("second", "statement.v1", "", ("us:liaison",), (body,))
        mx.node.speaking.say(OFFICER, second)
        ch = us.node.registry.channel("second").ch
        made.until(lambda: us.node.folding.cut(ch).get(mx.node.party) == 1)
        made.settle()
        us.freeze("second")
        mx.say(b"three")
        made.settle()
        assert us.cut()["mx"] == 2
