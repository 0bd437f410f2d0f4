"""A partner with valid keys that shows two histories, or what others must sign, to a whole node.

After each lie: the node runs, all it holds checks, nothing false is believed, and a channel with an
honest partner works as before.
"""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.liars import Liar, Story
from tests.support.lies import US, code_of, cut, evidence, frozen, held, many, wait
from tests.support.nodes import OFFICER, World

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import RefusedError, UnavailableError
from convenio.core.mirrorwire import UploadHeader
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.split import parse_split, verify_split
from convenio.node.speaking import Saying
from convenio.peer.client import Conflict
from convenio.peer.service import Stored

# --- two histories ---


def check_conviction(liar: Liar) -> None:
    """One piece of evidence, which convinces whoever has the charter; the channel is frozen."""
    (piece,) = evidence(liar)
    assert piece.kind == "split"
    log, _ = liar.charter.log_verifiers(US)
    smaller, larger = verify_split(parse_split(piece.payload), log)
    assert smaller.origin == larger.origin == liar.origin
    assert frozen(liar)
    saying = Saying(liar.name, "statement.v1", "", ())
    with pytest.raises(RefusedError) as caught:
        liar.home.node.speaking.say(OFFICER, saying)
    assert caught.value.code == "channel.frozen"


@pytest.mark.parametrize("size", [1, 2, 5, 300])
def test_another_root_at_the_same_size_convicts(liar: Liar, size: int) -> None:
    true = liar.story(*many(liar, size))
    false = Story(liar, [*true.entries[:-1], liar.record()])
    liar.feed(true)
    assert code_of(lambda: liar.offer(false, size)) == (422, "mirror.split_view")
    check_conviction(liar)


@pytest.mark.parametrize(("told", "size"), [(5, 1), (5, 4), (300, 256), (300, 7)])
def test_another_root_at_a_smaller_size_convicts(liar: Liar, told: int, size: int) -> None:
    true = liar.story(*many(liar, told))
    false = Story(liar, [*true.entries[: size - 1], liar.record()])
    liar.feed(true)
    assert code_of(lambda: liar.offer(false, 0)) == (422, "mirror.split_view")
    check_conviction(liar)


def test_two_checkpoints_of_one_size_before_any_entry_came_convict(liar: Liar) -> None:
    liar.offer(liar.story(*many(liar, 3)))
    assert code_of(lambda: liar.offer(liar.story(*many(liar, 3)), 3)) == (422, "mirror.split_view")
    check_conviction(liar)


def test_a_second_split_adds_no_evidence_and_no_alarm(liar: Liar) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    for number in range(5):
        false = Story(liar, [*true.entries[:2], liar.record()])
        status, code = code_of(lambda false=false: liar.offer(false, 3))  # type: ignore[misc]
        assert (status, code) == (
            (422, "mirror.split_view") if not number else (403, "channel.frozen")
        )
    check_conviction(liar)


def test_after_the_alarm_the_old_history_is_still_served_and_stays_after_a_restart(
    liar: Liar, honest: World
) -> None:
    true = liar.story(*many(liar, 3))
    liar.feed(true)
    wait(liar, lambda: cut(liar) == 3)
    code_of(lambda: liar.offer(Story(liar, [*true.entries[:2], liar.record()]), 3))
    assert liar.partner.get_checkpoint(liar.origin, mirror=True) is not None
    assert liar.partner.get_bundle(liar.origin, 0, 3, mirror=True) is not None
    before = (held(liar), cut(liar))
    honest["mx"].reopen()
    assert (held(liar), cut(liar)) == before
    assert frozen(liar)
    check_conviction(liar)


def test_growth_that_is_no_growth_is_refused_and_nothing_of_it_kept(liar: Liar) -> None:
    """A larger tree that does not hold the smaller: the proof fails, and we keep what we had."""
    true = liar.story(*many(liar, 4))
    liar.feed(true)
    other = liar.story(*many(liar, 6))
    assert code_of(lambda: liar.offer(other, 4))[0] == 422
    assert held(liar) == 4
    assert evidence(liar) == []
    longer = true.tell(liar.record())
    liar.feed(longer, 4)
    assert held(liar) == 5


def test_entries_of_another_history_under_a_true_checkpoint_are_refused(liar: Liar) -> None:
    true, false = liar.story(*many(liar, 3)), liar.story(*many(liar, 3))
    assert liar.offer(true) is None
    assert code_of(lambda: liar.partner.add_entries(false.upload()))[0] == 422
    assert liar.home.node.store.next_entry(liar.origin) == 0
    assert isinstance(liar.partner.add_entries(true.upload()), Stored)


def test_a_log_that_shrinks_is_told_what_we_hold(liar: Liar) -> None:
    true = liar.story(*many(liar, 5))
    liar.feed(true)
    assert liar.offer(Story(liar, true.entries[:3]), 0) == Conflict(5)
    assert liar.offer(Story(liar, true.entries[:3]), 3) == Conflict(5)
    assert (held(liar), evidence(liar), frozen(liar)) == (5, [], False)


def test_an_empty_tree_after_a_full_one_is_told_what_we_hold(liar: Liar) -> None:
    liar.feed(liar.story(*many(liar, 5)))
    assert liar.offer(liar.story(), 0) == Conflict(5)
    assert (held(liar), evidence(liar), frozen(liar)) == (5, [], False)


# --- what is not signed by whom it should be ---


def forged(liar: Liar, story: Story, *signers: Any) -> bytes:
    checkpoint = Checkpoint(liar.origin, len(story), story.root())
    note = sign_note(checkpoint.text(), *signers) if signers else None
    assert note is not None
    return b"old 0\n\n" + note.encode()


def test_a_checkpoint_without_both_lines_of_the_log_is_refused(liar: Liar) -> None:
    story = liar.story(*many(liar, 2))
    one = forged(liar, story, liar.keys.log_signer(liar.origin))
    assert code_of(lambda: liar.partner.add_checkpoint(one)) == (403, "mirror.log_signature")
    eve = Ed25519Signer(liar.origin, b"e" * 32)
    assert code_of(lambda: liar.partner.add_checkpoint(forged(liar, story, eve)))[0] == 403
    assert liar.home.node.store.pending(liar.origin) == []


def test_a_checkpoint_that_is_right_but_for_one_bit_is_refused(liar: Liar) -> None:
    story = liar.story(*many(liar, 2))
    data = bytearray(story.offer(0).encode())
    for place in (len(data) - 40, data.index(b"==") - 20 if b"==" in data else -60):
        spoiled = bytearray(data)
        spoiled[place] = ord("A") if spoiled[place] != ord("A") else ord("B")
        status, _ = code_of(lambda spoiled=spoiled: liar.partner.add_checkpoint(bytes(spoiled)))  # type: ignore[misc]
        assert status in (400, 403)
    assert liar.home.node.store.pending(liar.origin) == []


def test_another_partys_log_is_not_fed_by_this_one(honest: World, liar: Liar) -> None:
    """Neither our own log, nor the honest party's, nor one of no channel: all are 404."""
    mx, ca = honest["mx"], honest["ca"]
    for origin in (liar.our_origin, ca.origin(), mx.origin(), "us.localhost/c/" + "0" * 32):
        story = liar.story(*many(liar, 1))
        checkpoint = Checkpoint(origin, 1, story.root())
        data = b"old 0\n\n" + liar.sign(checkpoint)
        assert code_of(lambda data=data: liar.partner.add_checkpoint(data))[0] == 404  # type: ignore[misc]
        header = UploadHeader(origin, 0, 1).encode()
        assert code_of(lambda header=header: liar.partner.add_entries(header))[0] == 404  # type: ignore[misc]


def test_a_checkpoint_of_one_channel_is_not_taken_in_another(honest: World, liar: Liar) -> None:
    other = Liar(honest["mx"])
    try:
        story = other.story(*many(other, 2))
        data = story.offer(0).encode()
        assert code_of(lambda: liar.partner.add_checkpoint(data))[0] == 404
        renamed = data.replace(other.origin.encode(), liar.origin.encode())
        assert code_of(lambda: liar.partner.add_checkpoint(renamed))[0] == 403
        assert liar.home.node.store.pending(liar.origin) == []
    finally:
        other.close()


def test_requests_of_a_stranger_and_of_a_wrong_key_are_404(liar: Liar) -> None:
    story = liar.story(*many(liar, 1))
    for signer in (
        Ed25519Signer("eve.localhost/node", b"e" * 32),
        Ed25519Signer(liar.keys.node_signer().name, b"e" * 32),
    ):
        partner = liar.as_node(signer)
        with pytest.raises(UnavailableError) as caught:
            partner.add_checkpoint(story.offer(0).encode())
        assert caught.value.code == "peer.stranger"
    assert liar.home.node.store.pending(liar.origin) == []
