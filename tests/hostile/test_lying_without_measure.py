"""A partner with valid keys that sends too much, too little or out of order.

After each lie: the node runs, all it holds checks, nothing false is believed, and a channel with an
honest partner works as before.
"""

from __future__ import annotations

import os

import pytest
from tests.support.liars import Liar, blob_of
from tests.support.lies import code_of, held, many
from tests.support.nodes import World

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.mirrorwire import UploadHeader
from convenio.peer.service import Elsewhere, Stored


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
