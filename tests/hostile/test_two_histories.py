"""A party that signs two histories of its log, told to one honest node or to two that compare.

After each: who was lied to holds a proof that convinces a stranger, folds no further than it had,
goes on receiving from the honest ones, and all that is the same after a restart.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.commands import Commands
from tests.support.liars import Liar, Story
from tests.support.nodes import NOW, OFFICER, PATIENCE_S, Home, World, until, world

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.mirrorwire import AddCheckpoint, UploadHeader, make_package
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.record import Header, PartyId, parse_record
from convenio.core.split import (
    SplitProof,
    empty_split,
    equal_split,
    parse_split,
    parse_split_data,
    split_data,
    verify_split,
)
from convenio.node.commands import dispatcher
from convenio.node.control import ControlServer
from convenio.node.local import KIND as LOCAL_KIND
from convenio.node.local import VERSION as LOCAL_VERSION
from convenio.node.local import Channel, LocalStore
from convenio.node.registry import Registry
from convenio.node.setup import LOCAL, LOG
from convenio.node.speaking import Attachment, Saying
from convenio.peer.client import Conflict
from convenio.peer.service import LogRef, Who
from convenio.store.api import MAX_FOREIGN, LogStore
from convenio.store.database import Database
from convenio.store.sqlite import SqliteStore

US = PartyId("us")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """mx and gt, who are honest."""
    calm = {"retry_most_s": 2.0}  # the feeds to liars that are gone go on trying
    with world(tmp_path_factory.mktemp("two"), ("mx", "gt"), limits=calm) as made:
        yield made
        assert [home.findings() for home in made.homes] == [[], []]


@pytest.fixture
def liar(two: World) -> Iterator[Liar]:
    """The liar in a channel with mx alone."""
    yield from told(two, Liar(two["mx"]))


@pytest.fixture
def third(two: World) -> Iterator[Liar]:
    """The liar in a channel with mx and gt."""
    yield from told(two, Liar(two["mx"], [two["gt"]]))


def told(made: World, liar: Liar) -> Iterator[Liar]:
    yield liar
    liar.close()
    for home in made.homes:
        assert home.node.healthy(), home.node.failure


def wait(liar: Liar, ready: Callable[[], bool]) -> None:
    until(ready, [home.node for home in liar.homes], tell=lambda: tell(liar))


def tell(liar: Liar) -> str:
    lines = [f"{h.party}: cut {cut(liar, h)} frozen {frozen(liar, h)}" for h in liar.homes]
    lines += [str(h.node.folding.alarms(liar.charter.ch)) for h in liar.homes]
    return "\n".join([*lines, *(str(h.node.feeds()) for h in liar.homes)])


def cut(liar: Liar, home: Home | None = None) -> dict[str, int]:
    folding = (home or liar.home).node.folding
    found = {str(party): size for party, size in folding.cut(liar.charter.ch).items()}
    return defaultdict(int, found)  # nothing before the channel is first looked at


def size(liar: Liar, party: str, home: Home | None = None) -> int:
    return (home or liar.home).node.store.head(liar.charter.origin(party)).size


def frozen(liar: Liar, home: Home | None = None) -> bool:
    return bool((home or liar.home).node.registry.channel(liar.name).frozen_at)


def evidence(liar: Liar, home: Home | None = None) -> list[SplitProof]:
    pieces = (home or liar.home).node.store.evidence()
    return [parse_split(e.payload) for e in pieces if e.origin == liar.origin]


def code_of(act: Callable[[], object]) -> tuple[int | str, str]:
    with pytest.raises(ConvenioError) as caught:
        act()
    parameters = caught.value.parameters
    return parameters.get("status", ""), str(parameters.get("reason", caught.value.code))


def convicted(liar: Liar, home: Home | None = None) -> SplitProof:
    """One proof, which convinces whoever has the charter; the channel is frozen."""
    (proof,) = evidence(liar, home)
    log, _ = liar.charter.log_verifiers(US)
    verify_split(proof, log)
    assert frozen(liar, home)
    return proof


def said(liar: Liar, party: str, home: Home | None = None) -> list[Header]:
    """What a party has logged, as this node holds it."""
    store, origin = (home or liar.home).node.store, liar.charter.origin(party)
    held = store.entries(origin, 0, store.head(origin).size)
    return [parse_record(stored.entry).header for stored in held]


def alarms_said(liar: Liar, party: str, home: Home | None = None) -> list[Header]:
    return [header for header in said(liar, party, home) if header.type == "split.v1"]


def bare(liar: Liar, home: Home | None = None) -> None:
    """A record without a body by a person of an honest node."""
    (home or liar.home).node.speaking.say(OFFICER, Saying(liar.name, "statement.v1", "", ()))


def many(liar: Liar, count: int, **fields: Any) -> list[bytes]:
    return [liar.record(**fields) for _ in range(count)]


def forked(liar: Liar, story: Story, at: int, length: int) -> Story:
    """The same story up to `at`, and another one from there, of `length` in all."""
    return Story(liar, [*story.entries[:at], *many(liar, length - at)])


def split_by_offer(liar: Liar, story: Story) -> None:
    """Convict the liar: it offers another last entry than it has told."""
    false = forked(liar, story, len(story) - 1, len(story))
    assert code_of(lambda: liar.offer(false, 0)) == (422, "mirror.split_view")


# --- where folding stops ---


def test_folding_stops_at_the_cut_held_and_both_histories_bind(liar: Liar, two: World) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 2, 3)
    assert code_of(lambda: liar.offer(false, 3)) == (422, "mirror.split_view")
    proof = convicted(liar)
    one, other = (parse_checkpoint(data) for data in (proof.smaller, proof.larger))
    assert {one.root, other.root} == {true.root(), false.root()}, "both are signed by their author"
    wait(liar, lambda: size(liar, "mx") == 2)
    for _ in range(2):
        assert cut(liar) == {"mx": 1, "us": 3}, "what was folded counts, and nothing more"
        assert size(liar, "mx") == 2
        index = liar.home.node.index.latest(liar.charter.ch, 10, automatic=False)
        assert [(row.party, row.index, row.type) for row in index if row.party == "us"] == [
            ("us", number, "statement.v1") for number in (2, 1, 0)
        ]
        two["mx"].reopen()
    convicted(liar)


def parse_checkpoint(data: bytes) -> Checkpoint:
    request = AddCheckpoint.of(0, [], data)
    return request.checkpoint


def test_entries_held_and_not_folded_yet_stay_so_also_after_a_restart(
    liar: Liar, two: World
) -> None:
    """They wait for a log of ours that is not so long; when it is, the channel is frozen."""
    beyond = liar.record(seen={liar.home.node.party: (3, "ab" * 32)})
    true = liar.story(liar.record(), beyond, liar.record())
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 1)
    split_by_offer(liar, true)
    before = cut(liar)
    assert before["us"] == 1
    for _ in range(2):
        two["mx"].reopen()
        assert cut(liar) == before
        assert size(liar, "us") == 3, "stored, and served"


def test_what_came_into_the_cut_with_another_log_is_marked_too(third: Liar, two: World) -> None:
    """Else a freeze that a crash cuts short would begin from less than was folded."""
    gt = two["gt"]
    gt.unplug()
    third.feed(third.story(*many(third, 3)))
    wait(third, lambda: cut(third) == {"mx": 1, "gt": 0, "us": 3})
    gt.serve()
    wait(third, lambda: size(third, "mx", gt) == 1)
    assert cut(third, gt) == {"mx": 0, "gt": 0, "us": 0}, "mx has seen what gt has not"
    third.feed(third.story(*many_of(third, third.home)), to="gt")
    wait(third, lambda: cut(third, gt)["mx"] == 1)
    wait(third, lambda: gt.node.store.fold_mark(third.charter.origin("mx"))[0] == 1)


def many_of(liar: Liar, home: Home) -> list[bytes]:
    """The liar's entries as a node has them."""
    store = home.node.store
    return [s.entry for s in store.entries(liar.origin, 0, store.head(liar.origin).size)]


def test_a_freeze_that_a_crash_cut_short_is_made_good_at_the_start(liar: Liar, two: World) -> None:
    """The evidence was durable, the freeze was not: no more is folded than was before."""
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 1, 2)
    node = two["mx"].node
    root, proof = true.root(2), true.offer(2, 3).proof
    whole = SplitProof(false.checkpoint(), true.checkpoint(), root, proof)
    node.store.put_evidence(liar.origin, "split", whole.encode(), NOW)
    assert not frozen(liar)
    two["mx"].reopen()
    convicted(liar)
    assert cut(liar) == {"mx": 1, "us": 3}
    assert code_of(lambda: liar.offer(true, 3)) == (403, "channel.frozen")


# --- three parties ---


def test_with_three_the_honest_ones_go_on_receiving_from_each_other(
    third: Liar, two: World
) -> None:
    """gt does not know yet; what it says is stored and countersigned by mx, and not folded."""
    mx, gt = two["mx"], two["gt"]
    true = third.story(*many(third, 3))
    third.feed(true)
    third.feed(true, to="gt")
    wait(third, lambda: cut(third)["us"] == cut(third, gt)["us"] == 3)
    mx.unplug()
    bare(third, gt)
    before = size(third, "gt", gt)
    mx.serve()
    split_by_offer(third, true)
    wait(third, lambda: frozen(third, gt))
    wait(third, lambda: size(third, "gt") >= before + 1)
    key = third.charter.member("mx").mirror_verifiers()[0]
    origin = third.charter.origin("gt")
    wait(
        third,
        lambda: (
            (c := gt.node.store.latest_cosignature(origin, key.name)) is not None
            and c.size == size(third, "gt", gt)
        ),
    )
    assert code_of(lambda: third.offer(true, 3, to="gt")) == (403, "channel.frozen")
    assert code_of(lambda: third.partner.add_entries(true.upload())) == (403, "channel.frozen")


def test_with_three_one_learns_of_it_from_the_other_and_both_say_so_once(
    third: Liar, two: World
) -> None:
    mx, gt = two["mx"], two["gt"]
    true = third.story(*many(third, 3))
    third.feed(true)
    third.feed(true, to="gt")
    wait(third, lambda: cut(third)["us"] == cut(third, gt)["us"] == 3)
    split_by_offer(third, true)
    for home in (mx, gt):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        wait(third, lambda home=home: len(alarms_said(third, "gt", home)) == 1)  # type: ignore[misc]
        wait(third, lambda home=home: len(alarms_said(third, "mx", home)) == 1)  # type: ignore[misc]
    log, _ = third.charter.log_verifiers(US)
    for home in (mx, gt):
        convicted(third, home)
        for header in (*alarms_said(third, "mx", home), *alarms_said(third, "gt", home)):
            assert header.data["of"] == US
            verify_split(parse_split_data(header.data), log)
    cuts = cut(third), cut(third, gt)
    for home in (mx, gt):
        home.reopen()
        bare_tick(home)
    assert (cut(third), cut(third, gt)) == cuts
    for home in (mx, gt):
        assert len(alarms_said(third, home.party, home)) == 1, "said once, whatever happens"
        rows = home.node.index.latest(third.charter.ch, 50, automatic=False)
        assert {row.party for row in rows if row.type == "split.v1"} == {"mx", "gt"}


def bare_tick(home: Home) -> None:
    home.node.tick()
    home.node.folding.wake()


def test_two_histories_told_to_two_are_found_when_one_of_them_says_a_word(
    third: Liar, two: World
) -> None:
    """Neither has two checkpoints. One record that has seen the log is enough: its roots differ, so
    the other asks for the checkpoint behind them."""
    mx, gt = two["mx"], two["gt"]
    mx.unplug()
    gt.unplug()
    mx.serve()
    third.feed(third.story(*many(third, 3)))
    wait(third, lambda: cut(third) == {"mx": 1, "gt": 0, "us": 3})
    gt.serve()
    wait(third, lambda: size(third, "mx", gt) == 1)
    third.feed(third.story(*many(third, 5)), to="gt")
    for home in (mx, gt):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        convicted(third, home)
    for home in (mx, gt):
        wait(third, lambda home=home: bool(alarms_said(third, "gt", home)))  # type: ignore[misc]
        wait(third, lambda home=home: bool(alarms_said(third, "mx", home)))  # type: ignore[misc]


def test_it_is_found_also_when_the_other_history_asks_for_no_answer(
    third: Liar, two: World
) -> None:
    """gt has nothing to say to it, and so no other reason to call mx."""
    mx, gt = two["mx"], two["gt"]
    gt.unplug()
    third.feed(third.story(third.record()))
    wait(third, lambda: cut(third) == {"mx": 1, "gt": 0, "us": 1})
    gt.serve()
    wait(third, lambda: size(third, "mx", gt) == 1)
    third.feed(third.story(third.record(desk="node", type="received.v1")), to="gt")
    for home in (gt, mx):
        wait(third, lambda home=home: frozen(third, home))  # type: ignore[misc]
        convicted(third, home)


@pytest.mark.parametrize("most", [4096, 2])
def test_the_news_does_not_wait_for_what_its_log_waits_for(
    third: Liar, two: World, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """mx's log waits at gt for entries the liar never brings there; and is longer than what gt
    keeps in memory, or not."""
    monkeypatch.setattr("convenio.node.folding.MAX_WAITING", most)
    mx, gt = two["mx"], two["gt"]
    gt.unplug()
    true = third.story(third.record())
    third.feed(true)
    wait(third, lambda: cut(third) == {"mx": 1, "gt": 0, "us": 1})
    for _ in range(4):
        bare(third, mx)
    gt.serve()
    wait(third, lambda: size(third, "mx", gt) == 5)
    assert cut(third, gt) == {"mx": 0, "gt": 0, "us": 0}
    split_by_offer(third, true)
    wait(third, lambda: frozen(third, gt))
    convicted(third, gt)
    assert cut(third, gt) == {"mx": 0, "gt": 0, "us": 0}
    wait(third, lambda: bool(alarms_said(third, "gt", mx)))


# --- what is said of it, and is not so ---


@pytest.mark.parametrize("fault", ["nothing", "another log", "itself", "a stranger"])
def test_a_false_alarm_breaks_a_rule_and_freezes_nothing(liar: Liar, fault: str) -> None:
    honest = Story(liar, many(liar, 3))
    log, _ = liar.charter.log_verifiers(US)
    same = SplitProof(honest.checkpoint(), honest.checkpoint(), honest.root(), ())
    data: Any = split_data("us", same, log)
    if fault == "another log":  # a true proof, of the liar's own log, said of ours
        lie = forked(liar, honest, 2, 3)
        true = SplitProof(honest.checkpoint(), lie.checkpoint(), lie.root(), ())
        data = {**split_data("us", true, log), "of": "mx"}
    elif fault == "itself":
        data = {"of": "us", "proof": base64.b64encode(b"no proof").decode()}
    elif fault == "a stranger":
        data = {**data, "of": "fr"}
    said_so = liar.record(desk="node", type="split.v1", data=data)
    liar.feed(liar.story(liar.record(), said_so, liar.record()))
    wait(liar, lambda: cut(liar)["us"] == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {1: "fold.split"}
    assert not frozen(liar)
    wait(liar, lambda: "objection.v1" in [h.type for h in said(liar, "mx")])
    (objection,) = [h for h in said(liar, "mx") if h.type == "objection.v1"]
    assert objection.data["code"] == "fold_split"


def test_a_party_that_proves_it_of_itself_is_believed(liar: Liar) -> None:
    """Who logs the proof matters little: it is made of the accused's own signatures."""
    one = liar.story(*many(liar, 2))
    two_ = forked(liar, one, 1, 2)
    log, _ = liar.charter.log_verifiers(US)
    proof = SplitProof(one.checkpoint(), two_.checkpoint(), two_.root(), ())
    alarm = liar.record(desk="node", type="split.v1", data=split_data("us", proof, log))
    liar.feed(one.tell(liar.record(), alarm, liar.record()))
    wait(liar, lambda: frozen(liar))
    convicted(liar)
    assert cut(liar)["us"] == 3, "what came before it is folded, and nothing from it on"


def test_nobody_types_an_alarm(liar: Liar) -> None:
    saying = Saying(liar.name, "split.v1", "", ())
    act = lambda: liar.home.node.speaking.say(OFFICER, saying)  # noqa: E731
    assert code_of(act)[1] == "say.automatic"


# --- forks that lie ahead of what is held ---


def waiting(liar: Liar) -> list[int]:
    return [head.size for head in liar.home.node.store.foreign(liar.origin)]


def test_a_larger_tree_that_shows_another_past_convicts_at_once(liar: Liar) -> None:
    """Its own growth proof holds the root it had where we hold another."""
    true = liar.story(*many(liar, 5))
    liar.feed(true)
    false = forked(liar, true, 3, 8)
    assert code_of(lambda: liar.offer(false, 5)) == (422, "mirror.split_view")
    convicted(liar)


@pytest.mark.parametrize("held", [4, 5])
def test_a_fork_ahead_of_us_is_kept_and_convicts_when_the_log_is_there(
    liar: Liar, two: World, held: int
) -> None:
    true = liar.story(*many(liar, held))
    liar.feed(true)
    false = forked(liar, true, 2, 7)
    offered = replace(false.offer(held), proof=true.tell(*many(liar, 2)).offer(held).proof)
    answer = code_of(lambda: liar.partner.add_checkpoint(offered.encode()))
    assert answer == (422, "merkle.root_differs")
    assert (waiting(liar), evidence(liar), frozen(liar)) == ([7], [], False)
    two["mx"].reopen()
    assert waiting(liar) == [7]
    six = true.tell(*many(liar, 6 - held))
    liar.feed(six, held)
    assert (waiting(liar), frozen(liar)) == ([7], False)
    wait(liar, lambda: cut(liar)["us"] == 6)
    nine = six.tell(*many(liar, 3))
    assert liar.offer(nine, 6) is None
    assert code_of(lambda: liar.partner.add_entries(nine.upload(6))) == (422, "mirror.split_view")
    convicted(liar)
    assert cut(liar)["us"] in (6, 9), "of entries just stored, as much as was folded by then"


def test_a_crash_before_a_kept_fork_was_judged_is_made_good_at_the_start(
    liar: Liar, two: World
) -> None:
    """The entries were durable; the comparison was not made, and nothing of them was folded."""
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 4)
    assert code_of(lambda: liar.offer(forked(liar, true, 2, 7), 4))[1] == "merkle.root_differs"
    nine = true.tell(*many(liar, 5))
    two["mx"].close()
    with contextlib.closing(SqliteStore.open(two["mx"].path / LOG)) as store:
        store.put_pending(liar.origin, 4, 9, nine.root(), nine.checkpoint())
        store.absorb(liar.origin, 4, nine.entries[4:], 9)
    two["mx"].open()
    convicted(liar)
    assert (cut(liar)["us"], size(liar, "us")) == (4, 9)


def test_a_kept_fork_is_judged_with_the_last_entry_even_if_the_upload_breaks_off(
    liar: Liar,
) -> None:
    """Behind its last package the log is there all the same, and nobody may come to finish."""
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    assert code_of(lambda: liar.offer(forked(liar, true, 2, 7), 4))[1] == "merkle.root_differs"
    nine = true.tell(*many(liar, 5))
    assert liar.offer(nine, 4) is None
    mirror, log = liar.home.node.mirror, liar.log
    target = mirror.begin(log, UploadHeader(liar.origin, 4, 9))
    package = make_package(4, nine.entries[4:], 9, nine.leaves())
    assert code_of(lambda: mirror.take(log, package, target))[1] == "mirror.split_view"
    assert size(liar, "us") == 9
    convicted(liar)


def test_a_fork_that_the_log_reached_while_it_was_looked_at_is_judged_not_dropped(
    liar: Liar,
) -> None:
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    false = forked(liar, true, 1, 3)
    checkpoint = Checkpoint(liar.origin, 3, false.root())
    histories = liar.home.node.mirror.histories
    act = lambda: histories.keep(liar.log, checkpoint, false.checkpoint())  # noqa: E731
    assert code_of(act)[1] == "mirror.split_view"
    convicted(liar)


class Outrun:
    """A store whose log grows just when kept checkpoints are about to be forgotten."""

    def __init__(self, store: LogStore, grow: Callable[[], None]) -> None:
        self._store, self._grow = store, grow

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def forget_foreign(self, origin: str) -> int:
        self._grow()
        return self._store.forget_foreign(origin)


def test_a_fork_that_the_log_reaches_while_another_is_judged_is_judged_too(liar: Liar) -> None:
    true = liar.story(*many(liar, 9))
    liar.feed(Story(liar, true.entries[:4]))
    node = liar.home.node
    histories, store = node.mirror.histories, node.store
    histories.meet(liar.log, Story(liar, true.entries[:6]).checkpoint())
    histories.meet(liar.log, forked(liar, true, 5, 8).checkpoint())
    assert waiting(liar) == [6, 8]

    def grow(to: int) -> None:
        story, old = Story(liar, true.entries[:to]), store.head(liar.origin).size
        store.put_pending(liar.origin, old, to, story.root(), story.checkpoint())
        store.absorb(liar.origin, old, story.entries[old:], to)

    grow(6)
    histories._store = cast(LogStore, Outrun(store, lambda: grow(9)))
    assert code_of(lambda: histories.reached(liar.log))[1] == "mirror.split_view"
    convicted(liar)


def test_a_fork_between_our_head_and_what_is_pending_is_kept_and_convicts(liar: Liar) -> None:
    true = liar.story(*many(liar, 9))
    liar.feed(Story(liar, true.entries[:4]))
    assert liar.offer(true, 4) is None
    false = forked(liar, true, 5, 6)
    assert liar.offer(false, 4) == Conflict(9)
    assert (waiting(liar), frozen(liar)) == ([6], False)
    assert code_of(lambda: liar.partner.add_entries(true.upload(4))) == (422, "mirror.split_view")
    convicted(liar)


def test_a_fork_of_what_is_pending_convicts_before_any_entry_came(liar: Liar) -> None:
    true = liar.story(*many(liar, 5))
    assert liar.offer(true) is None
    assert code_of(lambda: liar.offer(forked(liar, true, 3, 9), 5)) == (422, "mirror.split_view")
    convicted(liar)


def test_two_forks_of_one_size_ahead_of_us_convict_at_once(liar: Liar) -> None:
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    assert code_of(lambda: liar.offer(forked(liar, true, 2, 7), 4))[1] == "merkle.root_differs"
    assert code_of(lambda: liar.offer(forked(liar, true, 2, 7), 4))[1] == "mirror.split_view"
    convicted(liar)


@pytest.mark.parametrize("held", [0, 3])
def test_an_empty_log_with_a_root_of_its_own_convicts_at_once(liar: Liar, held: int) -> None:
    if held:
        liar.feed(liar.story(*many(liar, held)))
    signed = liar.sign(Checkpoint(liar.origin, 0, b"\7" * 32))
    data = AddCheckpoint.of(0, [], signed).encode()
    assert code_of(lambda: liar.partner.add_checkpoint(data)) == (422, "mirror.split_view")
    assert convicted(liar).encode() == empty_split(signed).encode()


def test_an_honest_checkpoint_that_was_too_early_is_forgotten_when_it_is_reached(
    liar: Liar,
) -> None:
    true = liar.story(*many(liar, 6))
    liar.feed(Story(liar, true.entries[:4]))
    assert liar.offer(true, 0) == Conflict(4)
    assert waiting(liar) == [6]
    liar.feed(true, 4)
    assert (waiting(liar), frozen(liar)) == ([], False)


def test_a_proof_that_does_not_hold_is_not_kept_whoever_hands_it_in(liar: Liar) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    histories = liar.home.node.mirror.histories
    forged = SplitProof(true.checkpoint(), true.checkpoint(), b"\7" * 32, ())
    assert code_of(lambda: histories.accuse(liar.log, forged))[1] == "merkle.root_differs"
    assert (evidence(liar), frozen(liar)) == ([], False)


def test_a_checkpoint_met_elsewhere_is_compared_like_one_that_is_offered(liar: Liar) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    histories, log = liar.home.node.mirror.histories, liar.log
    histories.meet(log, true.checkpoint())
    longer = forked(liar, true, 2, 5)
    histories.meet(log, longer.checkpoint())
    assert (waiting(liar), frozen(liar)) == ([5], False)
    stranger = sign_note(
        Checkpoint(liar.origin, 2, b"x" * 32).text(), Ed25519Signer("x", b"x" * 32)
    )
    assert code_of(lambda: histories.meet(log, stranger.encode()))[1].startswith("note.")
    act = lambda: histories.meet(log, forked(liar, true, 1, 2).checkpoint())  # noqa: E731
    assert code_of(act)[1] == "mirror.split_view"
    convicted(liar)


def test_a_party_whose_word_differs_is_asked_once_an_hour_and_its_junk_convicts_nobody(
    liar: Liar, two: World
) -> None:
    """It says that our own log had another root; what it shows for it is nothing we signed."""
    asked: list[LogRef] = []

    def junk(_who: Who, log: LogRef) -> bytes:
        asked.append(log)
        eve = Ed25519Signer(liar.our_origin, b"e" * 32)
        return sign_note(Checkpoint(liar.our_origin, 1, b"x" * 32).text(), eve).encode()

    liar.service.checkpoint = junk  # type: ignore[method-assign, assignment]
    bare(liar)
    liar.feed(liar.story(liar.record(seen={liar.home.node.party: (1, "ab" * 32)})))
    wait(liar, lambda: len(asked) == 1)
    for hours in (0, 0, 1):
        two.clock.now += 3600 * hours
        bare(liar)
        wait(liar, lambda: cosigned(liar) == size(liar, "mx"))
    wait(liar, lambda: len(asked) == 2)
    assert all(log.mirror for log in asked)
    assert not frozen(liar)
    assert liar.home.node.store.evidence() == [
        e for e in liar.home.node.store.evidence() if e.origin not in (liar.origin, liar.our_origin)
    ]


def cosigned(liar: Liar) -> int:
    return next(f.cosigned for f in liar.home.node.feeds() if f.ch == liar.charter.ch)


# --- what it costs us ---


def test_forks_are_kept_up_to_a_bound_the_nearest_first(liar: Liar) -> None:
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    sizes = [1000 - number for number in range(MAX_FOREIGN + 6)]
    for number in sizes:
        signed = liar.sign(Checkpoint(liar.origin, number, bytes([number % 256]) * 32))
        offer = AddCheckpoint.of(4, [b"\1" * 32], signed).encode()
        assert code_of(lambda offer=offer: liar.partner.add_checkpoint(offer))[0] == 422  # type: ignore[misc]
    assert waiting(liar) == sorted(sizes)[:MAX_FOREIGN]


def test_the_same_fork_offered_again_writes_nothing(liar: Liar) -> None:
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    false = forked(liar, true, 2, 7)
    assert code_of(lambda: liar.offer(false, 4))[1] == "merkle.root_differs"
    wait(liar, lambda: cosigned(liar) == 1)
    with contextlib.closing(sqlite3.connect(liar.home.path / LOG)) as other:
        before = other.execute("PRAGMA data_version").fetchall()  # of commits by others
        for _ in range(5):
            assert code_of(lambda: liar.offer(false, 4))[1] == "merkle.root_differs"
        assert other.execute("PRAGMA data_version").fetchall() == before
    assert waiting(liar) == [7]


def test_after_the_proof_a_fork_costs_neither_a_check_nor_a_write(liar: Liar, two: World) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    split_by_offer(liar, true)
    wait(liar, lambda: len(alarms_said(liar, "mx")) == 1)
    node = two["mx"].node
    registry = node.registry.channel(liar.name)
    for _ in range(5):
        other = forked(liar, true, 1, 3)
        assert code_of(lambda other=other: liar.offer(other, 3)) == (403, "channel.frozen")  # type: ignore[misc]
    assert node.registry.channel(liar.name) is registry, "nothing was read again"
    assert (len(evidence(liar)), waiting(liar)) == (1, [])
    assert len(alarms_said(liar, "mx")) == 1


# --- what runs while the proof is found ---


def test_an_upload_that_was_running_is_not_cosigned(liar: Liar) -> None:
    """It began before the proof came another way, and its owner can make it last."""
    true = liar.story(*many(liar, 3))
    assert liar.offer(true) is None
    mirror, log = liar.home.node.mirror, liar.log
    header = UploadHeader(liar.origin, 0, 3)
    target = mirror.begin(log, header)
    mirror.take(log, make_package(0, true.entries, 3, true.leaves()), target)
    false = forked(liar, true, 2, 3)
    proof = equal_split(true.checkpoint(), false.checkpoint(), false.root())
    mirror.histories.accuse(log, proof)
    assert code_of(lambda: mirror.finish(log, header, target))[1] == "mirror.split_view"
    assert liar.home.node.store.cosignatures(liar.origin) == []


class Halting(LocalStore):
    """The local data; one thread, having read the channels, goes on only when it is let."""

    halted: threading.Thread | None = None
    read, go = threading.Event(), threading.Event()

    def channels(self) -> list[Channel]:
        found = super().channels()
        if threading.current_thread() is self.halted:
            self.read.set()
            assert self.go.wait(PATIENCE_S)
        return found


def test_who_read_the_channels_before_a_freeze_does_not_undo_it(liar: Liar, two: World) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 3)
    database = Database.open(two["mx"].path / LOCAL, LOCAL_VERSION, kind=LOCAL_KIND)
    local = Halting(database, "mx")
    with contextlib.closing(local):
        registry = Registry(local, two["mx"].node.store, PartyId("mx"))
        local.halted = slow = threading.Thread(target=registry.refresh)
        slow.start()
        assert local.read.wait(PATIENCE_S)
        split_by_offer(liar, true)
        late = threading.Thread(target=registry.refresh)
        late.start()
        late.join(0.2)  # as long as who came first is not done, or at once
        local.go.set()
        slow.join()
        late.join()
        found = registry.log(liar.origin)
    assert found is not None
    assert (found.split, bool(found.channel.frozen_at)) == (True, True)


def test_what_is_lacked_when_a_channel_freezes_is_sent_once_more_and_no_more(
    liar: Liar, two: World
) -> None:
    """Nobody can take a `lack` back there: it would be sent again and again for ever."""
    node, calls = two["mx"].node, liar.service.calls
    body = Attachment(io.BytesIO(b"body"), 4)
    said = node.speaking.say(
        OFFICER, Saying(liar.name, "statement.v1", "", ("us:liaison",), (body,))
    )
    wait(liar, lambda: fed(liar) == 1)
    seen = {PartyId("mx"): (1, node.store.head(liar.our_origin).root.hex())}
    lack = {"lack": [said.leaf.hex()]}
    story = liar.story(liar.record(desk="node", type="received.v1", seen=seen, data=lack))
    before = calls.count("blob-write")
    liar.feed(story)
    wait(liar, lambda: calls.count("blob-write") > before)
    split_by_offer(liar, story)
    for _ in range(2):
        bare_tick(liar.home)
        wait(liar, lambda: fed(liar) == size(liar, "mx") and "split.v1" in types_of_ours(liar))
    node.outbox.wake(liar.charter.ch)
    feed = next(f for key, (_, f) in node.outbox._feeds.items() if key[0] == liar.charter.ch)
    wait(liar, lambda: feed._sent_frozen)
    written = calls.count("blob-write")
    assert [feed.round() for _ in range(3)] == [False] * 3
    assert calls.count("blob-write") == written


def fed(liar: Liar) -> int:
    feeds = liar.home.node.feeds()
    return next(feed.cosigned for feed in feeds if feed.ch == liar.charter.ch)


def types_of_ours(liar: Liar) -> list[str]:
    return [header.type for header in said(liar, "mx")]


def test_a_freeze_that_the_disk_refuses_is_made_good_at_the_next_tick(liar: Liar) -> None:
    """The evidence is durable; until the freeze is too, nothing more of that log is taken."""
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == {"mx": 1, "us": 3})
    false = forked(liar, true, 2, 3)
    local = liar.home.node.local
    write = local.freeze

    def full(ch: str, at: int, cut: object) -> None:
        raise UnavailableError("store.disk_full")

    local.freeze = full  # type: ignore[method-assign]
    assert code_of(lambda: liar.offer(false, 3)) == (503, "store.disk_full")
    assert (len(evidence(liar)), frozen(liar)) == (1, False)
    assert code_of(lambda: liar.offer(true, 3)) == (422, "mirror.split_view")
    local.freeze = write  # type: ignore[method-assign]
    liar.home.node.tick()
    convicted(liar)
    assert cut(liar)["us"] == 3
    assert code_of(lambda: liar.offer(true, 3)) == (403, "channel.frozen")


def test_nobody_keeps_our_node_from_telling_by_using_its_id_first(liar: Liar) -> None:
    """The id of the alarm is made of what every clerk knows, and ids are theirs to choose."""
    ident = hashlib.sha256(f"convenio/split/1\0{liar.charter.ch}\0us".encode()).digest()[:16]
    node = liar.home.node
    node.speaking.say(OFFICER, Saying(liar.name, "statement.v1", ident.hex(), ()))
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 3)
    split_by_offer(liar, true)
    wait(liar, lambda: len(alarms_said(liar, "mx")) == 1)
    for _ in range(2):
        bare_tick(liar.home)
        liar.home.reopen()
    assert len(alarms_said(liar, "mx")) == 1


# --- what people read ---


def test_people_are_told_who_it_was_in_both_languages(
    third: Liar, two: World, tmp_path: Path
) -> None:
    true = third.story(*many(third, 3))
    third.feed(true)
    wait(third, lambda: cut(third)["us"] == 3)
    split_by_offer(third, true)
    wait(third, lambda: bool(alarms_said(third, "gt")))
    home = two["mx"]
    wait(third, lambda: len(home.node.index.latest(third.charter.ch, 9, automatic=False)) == 5)
    commands, control = Commands(tmp_path), ControlServer(home.path, dispatcher(home.node))
    log = ("log", home.path, "--as", OFFICER, "--channel", third.name)
    told = {
        ("status", home.path): (
            "because two histories are signed by us. What comes now is kept",
            "porque hay dos historias firmadas por us. Lo que llega ahora se guarda",
        ),
        ("channel", "show", home.path, third.name): (
            "Frozen: two histories are signed by us",
            "Suspendido: hay dos historias firmadas por us",
        ),
        ("doctor", home.path): (
            f"The channel {third.name} is frozen: two histories are signed by us.",
            f"El canal {third.name} está suspendido: hay dos historias firmadas por us.",
        ),
        log: (
            "ALARM: proof that us has signed two histories",
            "ALARMA: prueba de que us firmó dos historias",
        ),
    }
    with contextlib.closing(control):
        for words, sentences in told.items():
            for lang, sentence in zip(("en", "es"), sentences, strict=True):
                ran = commands.run(*map(str, words), lang=lang)
                assert sentence in " ".join(ran.out.split()), (ran.out, ran.err)
        place = f"mx/{size(third, 'mx') - 1}"
        ran = commands.run(*map(str, log[:1]), str(home.path), place, *log[2:])
        assert ran.code == 0, ran.err
        assert "ALARM: proof that us" in ran.out
