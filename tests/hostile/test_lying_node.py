"""A partner with valid keys that lies in every way we could think of, against a whole node.

After each lie: the node runs, all it holds checks, nothing false is believed, and a channel with an
honest partner works as before.
"""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import pytest
from tests.support.liars import TIGHT, Liar, Story, blob_of
from tests.support.nodes import NOW, OFFICER, World, until, world

from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import MlDsa44Cosigner
from convenio.core.errors import ConflictError, ConvenioError, RefusedError, UnavailableError
from convenio.core.fold import Delivery, Place
from convenio.core.merkle import leaf_hash
from convenio.core.mirrorwire import AddCheckpoint, MirrorInfo, UploadHeader
from convenio.core.note import Ed25519Signer, Note, SignatureLine, sign_note
from convenio.core.record import BodyRef, Header, PartyId, parse_record
from convenio.core.split import parse_split, verify_split
from convenio.node.feed import FeedState
from convenio.node.records import Found, State
from convenio.node.sequencer import Accepted
from convenio.node.speaking import Attachment, Saying
from convenio.peer.client import Conflict
from convenio.peer.service import BlobRef, Chunk, Elsewhere, Progress, Stored
from convenio.store.api import LogStore
from convenio.store.api import Stored as StoredEntry

US = PartyId("us")


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """mx, and ca with whom it has an honest channel."""
    calm = {"retry_most_s": 2.0}  # the feeds to liars that are gone go on trying
    with world(tmp_path_factory.mktemp("honest"), ("mx", "ca"), limits=calm) as made:
        yield made
        made["ca"].say(b"I heard it all", to=("mx:liaison",))
        made.settle()
        assert [home.findings() for home in made.homes] == [[], []]


@pytest.fixture
def liar(honest: World) -> Iterator[Liar]:
    made = Liar(honest["mx"])
    yield made
    made.close()
    well(honest, made)


@pytest.fixture
def tight(honest: World) -> Iterator[Liar]:
    made = Liar(honest["mx"], quota=TIGHT)
    yield made
    made.close()
    well(honest, made)


def well(made: World, liar: Liar) -> None:
    """The node is as good as before; that all it holds is sound is asked once, at the end."""
    mx = made["mx"]
    assert mx.node.healthy(), mx.node.failure
    said = mx.say(b"still here", to=("ca:liaison",))
    made.until(lambda: mx.states(said) == [State.RECEIVED])


def say(liar: Liar, text: bytes = b"hello", **more: Any) -> Accepted:
    body = Attachment(io.BytesIO(text), len(text))
    saying = Saying(liar.name, "statement.v1", "", ("us:liaison",), (body,))
    return liar.home.node.speaking.say(OFFICER, replace(saying, **more))


def found(liar: Liar, accepted: Accepted) -> Found:
    return liar.home.node.records.at(
        liar.home.node.registry.own_log(liar.charter.ch), accepted.index
    )


def state(liar: Liar, accepted: Accepted) -> State:
    (delivered,) = liar.home.node.records.delivery(found(liar, accepted))
    return delivered.state


def feed_of(liar: Liar) -> FeedState:
    return next(f for f in liar.home.node.feeds() if f.ch == liar.charter.ch)


def wait(liar: Liar, ready: Callable[[], bool]) -> None:
    until(ready, [liar.home.node], tell=lambda: str(liar.home.node.feeds()))


def cut(liar: Liar) -> int:
    return liar.home.node.folding.cut(liar.charter.ch).get(US, 0)


def held(liar: Liar) -> int:
    return liar.home.node.store.head(liar.origin).size


def ours(liar: Liar) -> list[Header]:
    """What our node has logged in this channel."""
    store = liar.home.node.store
    size = store.head(liar.our_origin).size
    return [parse_record(s.entry).header for s in store.entries(liar.our_origin, 0, size)]


def objections(liar: Liar) -> list[tuple[str, str]]:
    return [
        (str(h.data["leaf"]), str(h.data["code"])) for h in ours(liar) if h.type == "objection.v1"
    ]


def code_of(act: Callable[[], object]) -> tuple[int | str, str]:
    """What our node answered: status and reason."""
    with pytest.raises(ConvenioError) as caught:
        act()
    parameters = caught.value.parameters
    return parameters.get("status", ""), str(parameters.get("reason", caught.value.code))


def evidence(liar: Liar) -> list[Any]:
    return [e for e in liar.home.node.store.evidence() if e.origin == liar.origin]


def frozen(liar: Liar) -> bool:
    return bool(liar.home.node.registry.channel(liar.name).frozen_at)


def many(liar: Liar, count: int, **fields: Any) -> list[bytes]:
    return [liar.record(**fields) for _ in range(count)]


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


# --- too much, too little, out of order ---


def test_entries_without_a_checkpoint_are_refused(liar: Liar) -> None:
    story = liar.story(*many(liar, 2))
    assert code_of(lambda: liar.partner.add_entries(story.upload())) == (
        422,
        "mirror.no_checkpoint",
    )


@pytest.mark.parametrize(
    ("start", "end"), [(5, 10), (0, 2**62), (2**62, 2**63 - 1), (3, 3), (0, 0)]
)
def test_an_upload_of_absurd_numbers_is_told_where_we_stand(
    liar: Liar, start: int, end: int
) -> None:
    story = liar.story(*many(liar, 3))
    liar.offer(story)
    data = UploadHeader(liar.origin, start, end).encode()
    answer = liar.partner.add_entries(data)
    assert isinstance(answer, Elsewhere)
    assert (answer.info.size, answer.info.next_entry) == (3, 0)
    assert isinstance(liar.partner.add_entries(story.upload()), Stored)


def test_a_checkpoint_of_an_absurd_size_stays_pending_and_does_no_harm(liar: Liar) -> None:
    """Nobody can bring the entries; the log is its author's to spoil, and only that one."""
    huge = liar.sign(Checkpoint(liar.origin, 2**62, b"x" * 32))
    assert liar.partner.add_checkpoint(b"old 0\n\n" + huge) is None
    header = UploadHeader(liar.origin, 0, 2**62).encode()
    with pytest.raises(ConvenioError):
        liar.partner.add_entries(header + b"\x00\x01x\x00")
    assert held(liar) == 0


def test_hundreds_of_checkpoints_do_not_pile_up(liar: Liar) -> None:
    story = liar.story(*many(liar, 60))
    for size in range(1, 61):
        assert liar.partner.add_checkpoint(story.offer(size - 1, size).encode()) is None
    assert len(liar.home.node.store.pending(liar.origin)) <= 16
    assert isinstance(liar.partner.add_entries(story.upload()), Stored)


def test_the_same_upload_again_and_again_is_known(liar: Liar) -> None:
    story = liar.story(*many(liar, 300))
    liar.feed(story)
    rows = len(liar.home.node.store.cosignatures(liar.origin))
    for _ in range(10):
        assert isinstance(liar.partner.add_entries(story.upload()), Stored)
    assert held(liar) == 300
    assert len(liar.home.node.store.cosignatures(liar.origin)) == rows


def test_more_than_the_quota_is_429_until_tomorrow(honest: World, tight: Liar) -> None:
    story = tight.story(*many(tight, 25))
    tight.offer(story)
    with pytest.raises(UnavailableError) as caught:
        tight.partner.add_entries(story.upload())
    assert caught.value.parameters == {"status": 429, "reason": "quota.exceeded"}
    assert tight.home.node.store.next_entry(tight.origin) == 10
    assert held(tight) == 0


def test_bodies_beyond_the_quota_are_429(tight: Liar) -> None:
    content = os.urandom(60_000)
    ch = tight.charter.ch
    tight.partner.put_blob_chunk(ch, blob_of(content), 0, len(content), content)
    second = os.urandom(60_000)
    with pytest.raises(UnavailableError) as caught:
        tight.partner.put_blob_chunk(ch, blob_of(second), 0, len(second), second)
    assert caught.value.parameters["reason"] == "quota.exceeded"


def test_bodies_of_a_few_bytes_use_up_the_quota_as_the_files_they_become(tight: Liar) -> None:
    """Else a day's quota of bytes would be a thousand million files."""
    ch = tight.charter.ch

    def push(number: int) -> None:
        content = b"%3d" % number
        tight.partner.put_blob_chunk(ch, blob_of(content), 0, len(content), content)

    for number in range(24):  # of 4096 bytes each there is room for so many
        push(number)
    with pytest.raises(UnavailableError) as caught:
        push(24)
    assert caught.value.parameters["reason"] == "quota.exceeded"


def test_a_body_under_a_wrong_name_is_dropped(liar: Liar) -> None:
    content = os.urandom(1000)
    ch = liar.charter.ch
    wrong = "ab" * 32
    assert code_of(lambda: liar.partner.put_blob_chunk(ch, wrong, 0, 1000, content)) == (
        422,
        "blob.hash_differs",
    )
    shelf = liar.home.node.blobs.shelf(ch, "us")
    assert not shelf.has(wrong)
    assert shelf.stage_offset(wrong) == 0


def test_a_large_body_nobody_announced_is_not_taken(liar: Liar) -> None:
    ch, c = liar.charter.ch, "cd" * 32
    answer = code_of(lambda: liar.partner.put_blob_chunk(ch, c, 0, 2 << 20, b"x" * 1000))
    assert answer == (403, "blob.not_cited")
    huge = code_of(lambda: liar.partner.put_blob_chunk(ch, c, 0, 2**62, b"x"))
    assert huge == (403, "blob.too_large")


def test_a_body_of_a_channel_the_liar_is_not_in_is_404_both_ways(honest: World, liar: Liar) -> None:
    mx = honest["mx"]
    said = mx.say(b"not for you", to=("ca:liaison",))
    c = mx.found(said).header.bodies[0].c
    ch = mx.channel.ch
    assert liar.partner.get_blob_range(ch, c, 0, 10) is None
    assert liar.partner.blob_held(ch, c) is None
    assert liar.partner.get_charter(ch) is None
    assert liar.partner.get_checkpoint(mx.origin()) is None
    assert code_of(lambda: liar.partner.put_blob_chunk(ch, c, 0, 5, b"hello"))[0] == 404
    # nor by asking for it in a channel they are in
    assert liar.partner.get_blob_range(liar.charter.ch, c, 0, 10) is None


# --- entries that break a rule ---


def junk(liar: Liar) -> dict[str, bytes]:
    eve = Ed25519Signer(f"{liar.domain}/k/00000000", b"e" * 32)
    proper = liar.record()
    record = parse_record(proper)
    other_ch = "ee" * 32
    (line,) = record.note.lines
    unsigned = replace(line, signature=line.signature[::-1])
    return {
        "note_no_signature": b"hello",
        "note_too_long": b"x" * 20_000,
        "fold_ch": liar.record(ch=other_ch),
        "fold_from": liar.record(sender=PartyId("mx")),
        "fold_gen": liar.record(gen=2),
        "fold_seen": liar.record(seen={US: (1, "ab" * 32)}),
        "fold_author": sign_note(replace(record.header, by=(eve.name,)).encode(), eve).encode(),
        "fold_signature": Note(record.note.text, (unsigned,)).encode(),
        "record_unknown_field": sign_note(
            record.note.text.replace(b'"v":1', b'"v":1,"w":1'),
            liar.keys.author(record.header.by[0][-8:]),
        ).encode(),
    }


JUNK = (
    "note_no_signature", "note_too_long", "fold_ch", "fold_from", "fold_gen", "fold_seen",
    "fold_author", "fold_signature", "record_unknown_field",
)  # fmt: skip


def test_junk_is_stored_cosigned_skipped_and_objected_to_once_each(liar: Liar) -> None:
    bad = junk(liar)
    good = [liar.record() for _ in range(len(bad) + 1)]
    mixed = [good[0]]
    for entry, after in zip(bad.values(), good[1:], strict=True):
        mixed += [entry, after]
    story = liar.story(*mixed, *bad.values())  # and all of it once more
    assert isinstance(liar.feed(story), Stored)
    wait(liar, lambda: cut(liar) == len(story))
    wait(liar, lambda: len(objections(liar)) >= len(bad))
    unfit = liar.home.node.folding.unfit(liar.charter.ch, US)
    assert sorted(unfit) == [n for n, entry in enumerate(story.entries) if entry not in good]
    said = dict(objections(liar))
    assert len(objections(liar)) == len(bad), "once each, however often it is repeated"
    codes = {leaf_hash(entry).hex(): code for code, entry in bad.items()}
    assert {leaf: code for leaf, code in said.items() if code != codes[leaf]} in (
        {},
        {leaf_hash(bad["note_too_long"]).hex(): "record_too_long"},
    )
    rows = liar.home.node.index.latest(liar.charter.ch, 500, automatic=True)
    assert sum(row.party == "us" for row in rows) == len(good), "junk changes no state"
    feed_again(liar, story)


def test_what_is_objected_to_is_in_the_past_of_the_objection(liar: Liar) -> None:
    """First what was received, then what breaks a rule: an objection cites what its author saw."""
    bad = junk(liar)["fold_ch"]
    story = liar.story(liar.record(), bad, liar.record())
    liar.feed(story)
    wait(liar, lambda: len(objections(liar)) == 1)
    wait(liar, lambda: "received.v1" in [header.type for header in ours(liar)])
    assert [header.type for header in ours(liar)] == ["received.v1", "objection.v1"]
    received, objection = ours(liar)
    assert objection.data["leaf"] == leaf_hash(bad).hex()
    assert received.seen[US][0] == objection.seen[US][0] == len(story)


def test_junk_alone_is_objected_to_with_the_junk_in_the_past(liar: Liar) -> None:
    story = liar.story(junk(liar)["fold_ch"])
    liar.feed(story)
    wait(liar, lambda: len(objections(liar)) == 1)
    assert [header.seen[US][0] for header in ours(liar)] == [len(story)]


def feed_again(liar: Liar, story: Story) -> None:
    """After a restart of the folding nothing is objected to again."""
    before = objections(liar)
    liar.home.reopen()
    longer = story.tell(liar.record())
    liar.feed(longer, len(story))
    wait(liar, lambda: cut(liar) == len(longer))
    wait(liar, lambda: ours(liar)[-1].type == "received.v1")
    assert objections(liar) == before


def test_thousands_of_junk_entries_bring_a_bounded_number_of_objections(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convenio.node.folding.MAX_OBJECTIONS", 20)
    story = liar.story(*(b"junk %d" % n for n in range(700)))
    liar.feed(story)
    wait(liar, lambda: cut(liar) == 700 and len(objections(liar)) == 20)
    longer = story.tell(*(b"more %d" % n for n in range(100)))
    liar.feed(longer, 700)
    wait(liar, lambda: cut(liar) == 800)
    assert len(objections(liar)) == 20


def test_a_record_replayed_from_another_channel_changes_nothing(honest: World, liar: Liar) -> None:
    """Also not if it was ours: its text names the channel it was said in."""
    mx = honest["mx"]
    (stored, *_) = mx.node.store.entries(mx.origin("ca"), 0, 1)
    (own, *_) = mx.node.store.entries(mx.origin(), 0, 1)
    liar.feed(liar.story(stored.entry, own.entry, liar.record()))
    wait(liar, lambda: cut(liar) == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {0: "fold.ch", 1: "fold.ch"}


def test_a_record_repeated_in_the_same_log_counts_once(liar: Liar) -> None:
    once = liar.record()
    liar.feed(liar.story(once, once, once))
    wait(liar, lambda: cut(liar) == 3)
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {1: "fold.again", 2: "fold.again"}
    assert len(objections(liar)) <= 1


def test_a_record_from_the_future_is_taken_and_one_dated_back_is_not(liar: Liar) -> None:
    future = liar.record(at=2**53 - 1)
    liar.feed(liar.story(liar.record(at=NOW), future, liar.record(at=NOW + 1)))
    wait(liar, lambda: cut(liar) == 3 and bool(ours(liar)))
    assert liar.home.node.folding.unfit(liar.charter.ch, US) == {2: "fold.at"}
    assert ours(liar)[-1].at < NOW + 86_400, "their clock is not ours"


def test_a_body_for_us_that_never_comes_blocks_nothing(liar: Liar) -> None:
    to = (liar.charter.address("mx:liaison"),)
    ghost = BodyRef("sealed", "ab" * 32, 100, k="cd" * 32, to=to)
    liar.feed(liar.story(liar.record(bodies=(ghost,)), liar.record()))
    folding, party = liar.home.node.folding, liar.home.node.party

    def delivered(index: int) -> Delivery:
        return folding.delivery(liar.charter.ch, Place(US, index), party)

    wait(liar, lambda: delivered(0) is Delivery.LACKING)
    assert delivered(1) is Delivery.RECEIVED


class Counting:
    """A store that counts how often a single entry of a log is read again."""

    def __init__(self, store: LogStore, origin: str) -> None:
        self._store, self._origin, self.again = store, origin, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def entries(self, origin: str, start: int, end: int) -> Iterator[StoredEntry]:
        self.again += origin == self._origin and end == start + 1
        return self._store.entries(origin, start, end)


def test_bodies_that_never_come_are_looked_for_once_each_however_many(liar: Liar) -> None:
    """Each receipt names a hundred. To look for all that are left before each of them would let a
    partner keep the fold of every channel busy for days with one day's quota."""
    folding, count = liar.home.node.folding, 1200
    to = (liar.charter.address("mx:liaison"),)
    ghosts = [
        BodyRef("sealed", os.urandom(32).hex(), 100, k="cd" * 32, to=to) for _ in range(count)
    ]
    store = Counting(folding._store, liar.origin)
    folding._store = cast(LogStore, store)
    with folding.taking_in:  # so that all are there before the first is answered
        liar.feed(liar.story(*(liar.record(bodies=(ghost,), to=to) for ghost in ghosts)))
        wait(liar, lambda: cut(liar) > 0)
    wait(liar, lambda: len(folding.lacking(liar.log, liar.home.node.party)) == count)
    assert store.again <= 2 * count


def test_a_body_that_is_something_else_inside_opens_to_nobody(liar: Liar) -> None:
    """The bytes are those named, but no age file: kept as received, and opening says so."""
    content = os.urandom(500)
    to = (liar.charter.address("mx:liaison"),)
    ref = BodyRef("sealed", blob_of(content), 500, k="cd" * 32, to=to)
    liar.partner.put_blob_chunk(liar.charter.ch, blob_of(content), 0, 500, content)
    liar.feed(liar.story(liar.record(bodies=(ref,), to=to)))
    wait(liar, lambda: cut(liar) == 1)
    node = liar.home.node
    out = io.BytesIO()
    with pytest.raises(ConvenioError) as caught:
        node.speaking.open(OFFICER, node.records.find("us/0", liar.name), 0, out, "test")
    assert caught.value.code.startswith(("age.", "seal."))
    assert out.getvalue() == b""


# --- what it says it has seen ---


def test_a_claim_to_have_seen_what_never_was_stops_its_author_alone(liar: Liar) -> None:
    said = say(liar)
    invented = liar.record(seen={liar.home.node.party: (99, "ab" * 32)})
    liar.feed(liar.story(liar.record(), invented, liar.record()))
    wait(liar, lambda: held(liar) == 3)
    wait(liar, lambda: cut(liar) == 1)
    waits = liar.home.node.folding.waits(liar.charter.ch)
    assert waits[US].size == 99
    assert state(liar, said) is not State.RECEIVED
    again = say(liar)
    wait(liar, lambda: state(liar, again) == State.COSIGNED)


def test_a_claim_of_a_wrong_root_is_an_alarm_and_stops_its_author_alone(liar: Liar) -> None:
    said = say(liar)
    wrong = liar.record(seen={liar.home.node.party: (1, "ab" * 32)})
    liar.feed(liar.story(liar.record(), wrong, liar.record()))
    wait(liar, lambda: bool(liar.home.node.folding.alarms(liar.charter.ch)))
    (alarm,) = liar.home.node.folding.alarms(liar.charter.ch)
    assert (alarm.place, alarm.about, alarm.size) == (Place(US, 1), liar.home.node.party, 1)
    assert cut(liar) == 1
    assert state(liar, said) is not State.RECEIVED
    assert not frozen(liar), "one word against another is no proof"


def test_a_log_that_waits_for_ever_is_not_held_in_memory(
    liar: Liar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("convenio.node.folding.MAX_WAITING", 600)
    invented = liar.record(seen={liar.home.node.party: (99, "ab" * 32)})
    story = liar.story(invented, *many(liar, 1500))
    liar.feed(story)
    wait(liar, lambda: held(liar) == 1501)
    liar.home.node.folding.wake()
    say(liar)
    folding = liar.home.node.folding
    wait(liar, lambda: folding._channels[liar.charter.ch].fold.held(US) >= 600)
    assert folding._channels[liar.charter.ch].fold.held(US) <= 600 + 512


def test_a_receipt_for_what_it_lacks_and_a_lack_of_what_is_not_is_its_own_affair(
    liar: Liar,
) -> None:
    """`lack` and `have` of leaves that never were, or of its own: nothing changes."""
    said = say(liar)
    own = liar.record()
    odd = liar.record(
        desk="node",
        type="received.v1",
        data={"lack": ["ab" * 32, leaf_hash(own).hex()], "have": ["cd" * 32]},
    )
    liar.feed(liar.story(own, odd))
    wait(liar, lambda: cut(liar) == 2)
    assert (
        liar.home.node.folding.lacking(liar.home.node.registry.own_log(liar.charter.ch), US) == []
    )
    wait(liar, lambda: state(liar, said) == State.COSIGNED)


# --- what it answers to our outbox ---


def lines(liar: Liar, checkpoint: Checkpoint, at: int) -> bytes:
    return liar.cosign(checkpoint, at)


def answering(liar: Liar, make: Callable[[Checkpoint], bytes]) -> None:
    def stored(_header: UploadHeader) -> Stored:
        assert liar.service.pending is not None
        return Stored(make(liar.service.pending))

    liar.service.on_entries = stored


def cosignatures(liar: Liar) -> list[Any]:
    store = liar.home.node.store
    return [c for c in store.cosignatures(liar.our_origin) if c.name.endswith("/mirror")]


def test_left_alone_it_is_believed(liar: Liar) -> None:
    said = say(liar)
    wait(liar, lambda: state(liar, said) == State.COSIGNED)
    wait(liar, lambda: len(cosignatures(liar)) == 2)
    assert liar.service.blobs


@pytest.mark.parametrize(
    ("at", "why"),
    [(0, "zero"), (NOW + 301, "ahead"), (NOW - 301, "behind"), (2**62, "far"), (1, "1970")],
)
def test_a_cosignature_of_an_odd_time_is_kept_flagged_and_is_no_receipt(
    liar: Liar, at: int, why: str
) -> None:
    answering(liar, lambda checkpoint: liar.cosign(checkpoint, at))
    said = say(liar)
    wait(liar, lambda: feed_of(liar).error == "feed.time_differs")
    assert state(liar, said) == State.ACCEPTED
    assert all(c.flagged and c.at == at for c in cosignatures(liar))
    assert liar.home.node.records.cosignature(found(liar, said), US) is None
    answering(liar, lambda checkpoint: liar.cosign(checkpoint, NOW))
    wait(liar, lambda: state(liar, said) == State.COSIGNED)


def test_a_cosignature_dated_before_the_last_is_flagged(liar: Liar) -> None:
    answering(liar, lambda checkpoint: liar.cosign(checkpoint, NOW + 100))
    first = say(liar)
    wait(liar, lambda: state(liar, first) == State.COSIGNED)
    answering(liar, lambda checkpoint: liar.cosign(checkpoint, NOW + 50))
    second = say(liar)
    wait(liar, lambda: feed_of(liar).error == "feed.time_differs")
    assert state(liar, second) == State.ACCEPTED
    assert state(liar, first) == State.COSIGNED


def test_two_lines_that_tell_different_times_are_no_receipt(liar: Liar) -> None:
    """Else the Ed25519 line would give the record a time that the ML-DSA-44 line does not."""

    def make(checkpoint: Checkpoint) -> bytes:
        pq, ed = liar.keys.mirror_cosigners()
        return pq.cosign(checkpoint, 0).encode() + ed.cosign(checkpoint, NOW).encode()

    answering(liar, make)
    said = say(liar)
    wait(liar, lambda: feed_of(liar).error == "feed.time_differs")
    assert state(liar, said) == State.ACCEPTED
    assert all(c.flagged for c in cosignatures(liar))


def torsion(liar: Liar, checkpoint: Checkpoint) -> bytes:
    """An Ed25519 line that OpenSSL takes and libsodium does not: its R is not reduced."""
    pq, ed = liar.keys.mirror_cosigners()
    line = ed.cosign(checkpoint, NOW)
    point = bytearray(line.signature)
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(point[-32:], "little") + order
    point[-32:] = scalar.to_bytes(32, "little")
    return pq.cosign(checkpoint, NOW).encode() + replace(line, signature=bytes(point)).encode()


def wrong_key(liar: Liar, checkpoint: Checkpoint) -> bytes:
    """The right name and key id over a signature of another key."""
    pq, _ = liar.keys.mirror_cosigners()
    other = MlDsa44Cosigner(pq.name, b"o" * 32).cosign(checkpoint, NOW)
    return replace(other, key_id=pq.cosign(checkpoint, NOW).key_id).encode()


LIES: dict[str, tuple[Callable[[Liar, Checkpoint], bytes], tuple[str, ...]]] = {
    "nothing": (lambda _liar, _c: b"", ("note.no_signature",)),
    "words": (lambda _liar, _c: b"thank you\n", ("note.no_signature", "note.signature_line")),
    "bytes that are no text": (lambda _liar, _c: b"\xff\x00\n", ("note.not_text",)),
    "a megabyte": (lambda _liar, _c: b"x" * (1 << 20), ("peer.too_long",)),
    "only the Ed25519 line": (
        lambda liar, c: liar.keys.mirror_cosigners()[1].cosign(c, NOW).encode(),
        ("feed.no_cosignature",),
    ),
    "lines of its log key": (
        lambda liar, c: liar.keys.log_cosigner(liar.origin).cosign(c, NOW).encode(),
        ("feed.no_cosignature",),
    ),
    "lines of a stranger": (
        lambda _liar, c: SignatureLine("eve/mirror", b"abcd", b"x" * 80).encode(),
        ("feed.no_cosignature",),
    ),
    "a signature by another key under its own name": (wrong_key, ("cosign.bad_signature",)),
    "an Ed25519 signature only OpenSSL takes": (torsion, ("cosign.bad_signature",)),
    "its cosignature over another root": (
        lambda liar, c: liar.cosign(replace(c, root=b"x" * 32), NOW),
        ("cosign.bad_signature",),
    ),
    "its cosignature over a smaller tree": (
        lambda liar, c: liar.cosign(replace(c, size=c.size - 1 or 7), NOW),
        ("cosign.bad_signature",),
    ),
    "its cosignature of another channel": (
        lambda liar, c: liar.cosign(replace(c, origin="mx.localhost/c/" + "0" * 32), NOW),
        ("cosign.bad_signature",),
    ),
    "a timestamp of more than 63 bits": (
        lambda liar, c: replace(
            liar.keys.mirror_cosigners()[0].cosign(c, NOW),
            signature=b"\xff" * 8 + liar.keys.mirror_cosigners()[0].cosign(c, NOW).signature[8:],
        ).encode(),
        ("cosign.timestamp",),
    ),
    "hundreds of lines": (
        lambda liar, c: liar.cosign(c, NOW) * 20,
        ("note.signature_line", "note.too_long", "peer.too_long"),
    ),
}


@pytest.mark.parametrize(("make", "codes"), LIES.values(), ids=LIES)
def test_no_receipt_is_made_of(
    liar: Liar, make: Callable[[Liar, Checkpoint], bytes], codes: tuple[str, ...]
) -> None:
    answering(liar, lambda checkpoint: make(liar, checkpoint))
    said = say(liar)
    wait(liar, lambda: feed_of(liar).failures > 0)
    assert feed_of(liar).error in codes
    assert state(liar, said) == State.ACCEPTED
    assert cosignatures(liar) == []
    answering(liar, lambda checkpoint: liar.cosign(checkpoint, NOW))
    wait(liar, lambda: state(liar, said) == State.COSIGNED)


def test_a_cosignature_of_long_ago_replayed_for_more_is_no_receipt(liar: Liar) -> None:
    kept: list[bytes] = []

    def make(checkpoint: Checkpoint) -> bytes:
        kept.append(liar.cosign(checkpoint, NOW))
        return kept[0]

    answering(liar, make)
    first = say(liar)
    wait(liar, lambda: state(liar, first) == State.COSIGNED)
    second = say(liar)
    wait(liar, lambda: feed_of(liar).failures > 0)
    assert feed_of(liar).error == "cosign.bad_signature"
    assert state(liar, second) == State.ACCEPTED


def test_one_that_never_cosigns_leaves_the_record_accepted_and_says_so(liar: Liar) -> None:
    def stored(_header: UploadHeader) -> Progress:
        assert liar.service.pending is not None
        return Progress(MirrorInfo(liar.service.pending.size, 0))

    liar.service.on_entries = stored
    said = say(liar)
    wait(liar, lambda: feed_of(liar).error == "feed.unsteady")
    assert state(liar, said) == State.ACCEPTED


@pytest.mark.parametrize(
    ("size", "following"),
    [(2**63 - 1, 2**63 - 1), (0, 0), (21, 2**63 - 1), (21, 0), (21, 21), (20, 21)],
)
@pytest.mark.parametrize("kind", [Progress, Elsewhere])
def test_absurd_numbers_neither_spin_nor_flood(
    liar: Liar, kind: type[Progress] | type[Elsewhere], size: int, following: int
) -> None:
    for _ in range(20):
        say(liar, bodies=(), to=())
    wait(liar, lambda: feed_of(liar).cosigned == 20)
    liar.service.on_entries = lambda _header: kind(MirrorInfo(size, following))
    del liar.service.calls[:]
    say(liar, bodies=(), to=())
    wait(liar, lambda: feed_of(liar).failures > 0)
    assert feed_of(liar).error in ("feed.unsteady", "peer.refused")
    rounds = feed_of(liar).failures
    assert liar.service.calls.count("add-entries") <= 6 * (rounds + 1)
    assert feed_of(liar).cosigned == 20


@pytest.mark.parametrize("size", [0, 1, 7, 2**63 - 1])
def test_a_409_for_ever_is_asked_again_later_and_later(liar: Liar, size: int) -> None:
    def conflict(_request: AddCheckpoint) -> bytes:
        raise ConflictError("mirror.moved", size=size)

    liar.service.on_checkpoint = conflict
    said = say(liar)
    wait(liar, lambda: feed_of(liar).failures >= 2)
    assert feed_of(liar).error in ("feed.unsteady", "feed.partner_ahead")
    assert liar.service.calls.count("add-checkpoint") <= 9 * (feed_of(liar).failures + 1)
    assert state(liar, said) == State.ACCEPTED


@pytest.mark.parametrize("held_now", [0, 1, 2**62])
def test_a_partner_that_lies_about_how_much_of_a_body_it_holds(liar: Liar, held_now: int) -> None:
    """It may say it has all, or never more than before: neither loops."""
    liar.service.on_blob = lambda _blob, _chunk: held_now
    said = say(liar, os.urandom(3 << 20))
    wait(liar, lambda: feed_of(liar).failures > 0 or feed_of(liar).cosigned == 1)
    wait(liar, lambda: state(liar, said) == State.COSIGNED)
    assert liar.service.calls.count("blob-write") < 60


def test_one_that_stalls_holds_up_neither_others_nor_the_end(honest: World, liar: Liar) -> None:
    gate, inside = threading.Event(), threading.Event()

    def stall(_request: AddCheckpoint) -> bytes:
        inside.set()
        gate.wait(30)
        raise UnavailableError("store.locked")

    liar.service.on_checkpoint = stall
    say(liar)
    assert inside.wait(10)
    try:
        mx = honest["mx"]
        said = mx.say(b"meanwhile", to=("ca:liaison",))
        honest.until(lambda: mx.states(said) == [State.RECEIVED])
        started = time.monotonic()
        mx.node.refresh()
        assert time.monotonic() - started < 2, "a change elsewhere waits for nobody"
        mx.reopen()
        assert time.monotonic() - started < 9, "the end does not wait for ever"
    finally:
        gate.set()


def test_bodies_it_refuses_do_not_keep_the_record_from_being_cosigned(liar: Liar) -> None:
    def refuse(_blob: BlobRef, _chunk: Chunk) -> int:
        raise RefusedError("blob.too_large", max_bytes=1)

    liar.service.on_blob = refuse
    said = say(liar)
    wait(liar, lambda: state(liar, said) == State.COSIGNED)
