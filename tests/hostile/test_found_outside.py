"""Checkpoints and proofs found outside, handed to a node by a person: judged as those it meets."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.bundles import pack
from tests.support.liars import Liar, Story
from tests.support.nodes import KEEPER, OFFICER, Home, World, until, world

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConvenioError
from convenio.core.merkle import inclusion_proof
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.proof import Proof
from convenio.core.split import equal_split
from convenio.node.commands import dispatcher
from convenio.store.api import MAX_FOREIGN


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """mx and gt, who are honest."""
    calm = {"retry_most_s": 2.0}  # the feeds to liars that are gone go on trying
    with world(tmp_path_factory.mktemp("two"), ("mx", "gt"), limits=calm) as made:
        yield made
        assert [home.findings() for home in made.homes] == [[], []]


@pytest.fixture
def liar(two: World) -> Iterator[Liar]:
    """The liar in a channel with mx alone; five entries of its true story are there."""
    made = Liar(two["mx"])
    yield made
    made.close()
    assert two["mx"].node.healthy(), two["mx"].node.failure


@pytest.fixture
def true(liar: Liar) -> Story:
    told = liar.story(*(liar.record() for _ in range(5)))
    liar.feed(told)
    until(lambda: held(liar) == 5, [liar.home.node])
    return told


def held(liar: Liar) -> int:
    return liar.home.node.store.head(liar.origin).size


def false(liar: Liar, story: Story, at: int, length: int) -> Story:
    """The same story up to `at`, and another one from there, of `length` in all."""
    return Story(liar, [*story.entries[:at], *(liar.record() for _ in range(length - at))])


def compare(home: Home, content: bytes, person: str = KEEPER) -> list[dict[str, Any]]:
    handle = os.memfd_create("found")
    try:
        os.write(handle, content)
        os.lseek(handle, 0, os.SEEK_SET)
        handler = dispatcher(home.node)
        args = {"as": person}
        answer = handler("channel.compare", args, [handle], lambda _done, _all: None)
    finally:
        os.close(handle)
    compared: list[dict[str, Any]] = answer["compared"]
    return compared


def found(home: Home, content: bytes) -> list[str]:
    return [str(each["found"]) for each in compare(home, content)]


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


def frozen(liar: Liar) -> bool:
    return bool(liar.home.node.registry.channel(liar.name).frozen_at)


def evidence(liar: Liar) -> int:
    return sum(piece.origin == liar.origin for piece in liar.home.node.store.evidence())


def receipt(story: Story, index: int) -> bytes:
    size = len(story)
    hashes = tuple(inclusion_proof(index, size, story.leaves()))
    return Proof(index, hashes, story.checkpoint()).encode()


def test_one_of_the_history_held_is_said_to_be_so(liar: Liar, true: Story) -> None:
    for size in range(6):
        assert found(liar.home, true.checkpoint(size)) == ["same"]
    assert found(liar.home, receipt(true, 2)) == ["same"]
    (each,) = compare(liar.home, true.checkpoint(3))
    assert {**each, "origin": ""} == {
        **{"channel": liar.name, "party": "us", "origin": ""},
        **{"size": 3, "held": 5, "found": "same"},
    }
    assert (frozen(liar), evidence(liar)) == (False, 0)
    act = liar.home.node.local.acts(1)[0]
    assert (act.person, act.act, act.subject) == (KEEPER, "channel.compare", liar.origin)


@pytest.mark.parametrize("form", ["checkpoint", "receipt"])
def test_one_of_another_history_convicts(liar: Liar, true: Story, form: str) -> None:
    other = false(liar, true, 2, 4)
    given = other.checkpoint() if form == "checkpoint" else receipt(other, 1)
    assert found(liar.home, given) == ["split"]
    assert (frozen(liar), evidence(liar)) == (True, 1)
    assert found(liar.home, given) == ["split"], "and again"
    assert evidence(liar) == 1
    with pytest.raises(ConvenioError, match=r"channel\.frozen|peer\.refused"):
        liar.offer(true.tell(liar.record()), 5)


@pytest.mark.parametrize("more", [2, 4], ids=["as far", "farther"])
def test_one_that_is_ahead_is_kept_and_convicts_when_the_log_is_there(
    liar: Liar, true: Story, more: int
) -> None:
    """Also after the node was started again in between."""
    other = false(liar, true, 5, 7)
    assert found(liar.home, other.checkpoint()) == ["ahead"]
    assert found(liar.home, other.checkpoint()) == ["ahead"]
    assert (frozen(liar), evidence(liar)) == (False, 0)
    liar.home.reopen()
    with contextlib.suppress(ConvenioError):  # refused at once, or when the entries have come
        liar.feed(true.tell(*(liar.record() for _ in range(more))), 5)
    until(lambda: frozen(liar), [liar.home.node])
    assert evidence(liar) == 1


def test_one_that_is_ahead_and_honest_harms_nobody(liar: Liar, true: Story) -> None:
    more = true.tell(*(liar.record() for _ in range(2)))
    assert found(liar.home, more.checkpoint()) == ["ahead"]
    liar.feed(more, 5)
    until(lambda: held(liar) == 7, [liar.home.node])
    assert found(liar.home, more.checkpoint()) == ["same"]
    assert (frozen(liar), evidence(liar)) == (False, 0)


def test_what_is_not_kept_is_said_to_be_so(liar: Liar, true: Story) -> None:
    more = true.tell(*(liar.record() for _ in range(MAX_FOREIGN + 1)))
    for size in range(6, 6 + MAX_FOREIGN):
        assert found(liar.home, more.checkpoint(size)) == ["ahead"]
    assert found(liar.home, more.checkpoint()) == ["crowded"]


def test_a_proof_of_somebody_else_is_as_good_as_ones_own(liar: Liar, true: Story) -> None:
    other = false(liar, true, 2, 9)
    third = false(liar, true, 2, 9)
    proof = equal_split(other.checkpoint(), third.checkpoint(), third.root())
    assert found(liar.home, proof.encode()) == ["split"]
    assert (frozen(liar), evidence(liar)) == (True, 1)


def test_a_proof_that_proves_nothing_changes_nothing(liar: Liar, true: Story) -> None:
    same = equal_split(true.checkpoint(), true.checkpoint(), true.root())
    assert code_of(lambda: compare(liar.home, same.encode())) == "split.no_contradiction"
    forged = same.encode().replace(b'"v":1', b'"v":2')
    assert code_of(lambda: compare(liar.home, forged)) == "split.format"
    assert (frozen(liar), evidence(liar)) == (False, 0)


def test_every_checkpoint_of_a_bundle_is_looked_at(liar: Liar, true: Story, two: World) -> None:
    mx = liar.home
    other = false(liar, true, 1, 3)
    names = {
        "us-0.mx.tlog-proof": receipt(true, 0),
        "us-1.mx.tlog-proof": receipt(true, 1),
        "us-2.mx.tlog-proof": receipt(other, 2),
        "us-2.record": other.entries[2],
    }
    spoiled = receipt(true, 3).replace(b"\n5\n", b"\n4\n", 1)
    assert code_of(lambda: compare(mx, pack({**names, "us-3.mx.tlog-proof": spoiled}))) == (
        "note.bad_signature"
    )
    assert not frozen(liar), "an error says that nothing changed, so nothing has"
    assert found(mx, pack(names)) == ["same", "split"]
    assert frozen(liar)
    assert code_of(lambda: compare(mx, pack({"us-2.record": other.entries[2]}))) == (
        "compare.nothing"
    )


def test_what_is_not_signed_by_the_log_is_not_looked_at(liar: Liar, true: Story) -> None:
    stranger = Ed25519Signer(liar.origin, os.urandom(32))
    text = Checkpoint(liar.origin, 3, b"\1" * 32).text()
    strange = sign_note(text, stranger).encode()
    assert code_of(lambda: compare(liar.home, strange)) == "note.no_known_key"
    changed = true.checkpoint(3).replace(b"\n3\n", b"\n4\n", 1)
    assert code_of(lambda: compare(liar.home, changed)) == "note.bad_signature"
    elsewhere = sign_note(
        Checkpoint("nobody.example/log", 3, b"\1" * 32).text(),
        Ed25519Signer("nobody.example/log", os.urandom(32)),
    ).encode()
    assert code_of(lambda: compare(liar.home, elsewhere)) == "compare.unknown_log"
    assert (frozen(liar), evidence(liar)) == (False, 0)


@pytest.mark.parametrize("junk", [b"", b"hello", b"{}", b"PK\3\4", b"\0" * 300_000, b"\xff" * 70])
def test_rubbish_is_refused(liar: Liar, true: Story, junk: bytes) -> None:
    with pytest.raises(ConvenioError):
        compare(liar.home, junk)
    assert (frozen(liar), evidence(liar)) == (False, 0)


def test_only_a_keeper_hands_them_in(liar: Liar, true: Story) -> None:
    other = false(liar, true, 2, 4).checkpoint()
    assert code_of(lambda: compare(liar.home, other, OFFICER)) == "decide.role"
    assert not frozen(liar)


def test_our_own_log_that_was_longer_is_an_alarm_and_nothing_is_kept(
    liar: Liar, true: Story
) -> None:
    """As after an old backup was put back."""
    mx = liar.home
    own = mx.node.registry.own_log(liar.charter.ch)
    until(lambda: mx.node.store.head(own.origin).size > 0, [mx.node])
    head = mx.node.store.head(own.origin)
    assert found(mx, mx.node.publisher.publish(own.origin).checkpoint) == ["same"]
    ahead = mx.node.sequencer._sign(own.origin, head.size + 3, b"\1" * 32)
    assert code_of(lambda: compare(mx, ahead)) == "compare.own_ahead"
    stranger = Ed25519Signer(own.origin, os.urandom(32))
    text = Checkpoint(own.origin, head.size + 3, b"\1" * 32).text()
    strange = sign_note(text, stranger).encode()
    assert code_of(lambda: compare(mx, strange)) == "note.no_known_key", "nobody can alarm us"
    assert mx.node.store.foreign(own.origin) == []
    assert not frozen(liar)
