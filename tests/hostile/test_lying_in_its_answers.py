"""A partner with valid keys that answers our node with lies.

After each lie: the node runs, all it holds checks, nothing false is believed, and a channel with an
honest partner works as before.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.liars import Liar
from tests.support.lies import US, feed_of, found, say, state, wait
from tests.support.nodes import NOW, World

from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import MlDsa44Cosigner
from convenio.core.errors import ConflictError, RefusedError, UnavailableError
from convenio.core.mirrorwire import AddCheckpoint, MirrorInfo, UploadHeader
from convenio.core.note import SignatureLine
from convenio.node.records import State
from convenio.peer.service import BlobRef, Chunk, Elsewhere, Progress, Stored


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
