"""A fork that lies ahead of what is held: kept, bounded, and judged when the log is there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.histories import (
    alarms_said,
    bare,
    convicted,
    cut,
    evidence,
    forked,
    frozen,
    size,
    split_by_offer,
    wait,
    waiting,
)
from tests.support.liars import Liar, Story
from tests.support.lies import code_of, many
from tests.support.nodes import World

from convenio.core.checkpoint import Checkpoint
from convenio.core.mirrorwire import AddCheckpoint, UploadHeader, make_package
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.split import (
    SplitProof,
    empty_split,
)
from convenio.node.setup import LOG
from convenio.peer.client import Conflict
from convenio.peer.service import LogRef, Who
from convenio.store.api import MAX_FOREIGN, LogStore
from convenio.store.sqlite import SqliteStore

# --- forks that lie ahead of what is held ---


def test_a_larger_tree_that_shows_another_past_convicts_at_once(liar: Liar) -> None:
    """Its own growth proof holds the root it had where we hold another."""
    true = liar.story(*many(liar, 5))
    liar.feed(true)
    false = forked(liar, true, 3, 8)
    assert code_of(lambda: liar.offer(false, 5)) == (422, "mirror.split_view")
    convicted(liar)


@pytest.mark.parametrize("held", [4, 5])
def test_a_fork_ahead_of_us_is_kept_and_convicts_when_the_log_is_there(
    liar: Liar, honest: World, held: int
) -> None:
    true = liar.story(*many(liar, held))
    liar.feed(true)
    false = forked(liar, true, 2, 7)
    offered = replace(false.offer(held), proof=true.tell(*many(liar, 2)).offer(held).proof)
    answer = code_of(lambda: liar.partner.add_checkpoint(offered.encode()))
    assert answer == (422, "merkle.root_differs")
    assert (waiting(liar), evidence(liar), frozen(liar)) == ([7], [], False)
    honest["mx"].reopen()
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
    liar: Liar, honest: World
) -> None:
    """The entries were durable; the comparison was not made, and nothing of them was folded."""
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    wait(liar, lambda: cut(liar)["us"] == 4)
    assert code_of(lambda: liar.offer(forked(liar, true, 2, 7), 4))[1] == "merkle.root_differs"
    nine = true.tell(*many(liar, 5))
    honest["mx"].close()
    with contextlib.closing(SqliteStore.open(honest["mx"].path / LOG)) as store:
        store.put_pending(liar.origin, 4, 9, nine.root(), nine.checkpoint())
        store.absorb(liar.origin, 4, nine.entries[4:], 9)
    honest["mx"].open()
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
    liar: Liar, honest: World
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
        honest.clock.now += 3600 * hours
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


def test_after_the_proof_a_fork_costs_neither_a_check_nor_a_write(
    liar: Liar, honest: World
) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    split_by_offer(liar, true)
    wait(liar, lambda: len(alarms_said(liar, "mx")) == 1)
    node = honest["mx"].node
    registry = node.registry.channel(liar.name)
    for _ in range(5):
        other = forked(liar, true, 1, 3)
        assert code_of(lambda other=other: liar.offer(other, 3)) == (403, "channel.frozen")  # type: ignore[misc]
    assert node.registry.channel(liar.name) is registry, "nothing was read again"
    assert (len(evidence(liar)), waiting(liar)) == (1, [])
    assert len(alarms_said(liar, "mx")) == 1
