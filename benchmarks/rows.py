"""The rows: the core's bars of the design, then seals and blobs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from benchmarks.measure import Row, in_turns, rate
from benchmarks.world import World
from convenio.core.age import HybridIdentity
from convenio.core.fit import Rules
from convenio.core.fold import Fold
from convenio.core.merkle import consistency_proof
from convenio.core.mirrorwire import (
    AddCheckpoint,
    UploadHeader,
    make_package,
    package_ranges,
)
from convenio.core.note import ed25519_verify
from convenio.core.record import Address, BodyRef, Header, PartyId, parse_record
from convenio.core.seal import Label, open_body, seal_body
from convenio.node.cores import Cores
from convenio.node.folding import BATCH
from convenio.node.wiring import Node, system_clock, system_random
from convenio.store.objects import DiskBlobs

GROUP = 256


def appends(folder: Path, total: int) -> Iterator[Row]:
    """Durable signed appends, one at a time and in groups."""
    world = World(folder)
    sequencer, log = world.mx.sequencer, world.log
    signer = world.mx.keys.author(world.mx.keys.node_desk())
    message = os.urandom(400)

    def one_by_one() -> float:
        waiting = world.sayings(200)
        return rate(200, lambda: [sequencer.append_group(log, [each]) for each in waiting])

    def unwaited() -> float:
        """The same, but no commit waits for the disk: what the processor alone would allow."""
        set_waiting(world.mx, "OFF")
        try:
            return one_by_one()
        finally:
            set_waiting(world.mx, "FULL")

    def in_groups() -> float:
        count = max(GROUP * 8, total // 20 // GROUP * GROUP)
        groups = [world.sayings(GROUP) for _ in range(count // GROUP)]
        return rate(count, lambda: [sequencer.append_group(log, group) for group in groups])

    def sign() -> float:
        return rate(2000, lambda: [signer.sign_bytes(message) for _ in range(2000)])

    single, fsync, quick = in_turns(7, one_by_one, lambda: fsync_rate(folder), unwaited)
    limit = ("fsync", fsync) if fsync < quick else ("append_unwaited", quick)
    yield Row("append_single", single, "records/s", *limit, 0.3)
    grouped, raw = in_turns(9, in_groups, sign)
    yield Row("append_group", grouped, "records/s", "sign", raw, 0.6)
    world.close()


def set_waiting(node: Node, mode: str) -> None:
    """Whether commits of the node's log wait for the disk: SQLite's `synchronous`."""
    node.store._database._alive().execute(f"PRAGMA synchronous = {mode}")


def fsync_rate(folder: Path) -> float:
    """Writes of 512 bytes, each made durable, a second."""
    with (folder / "raw").open("wb", buffering=0) as file:

        def work() -> None:
            for _ in range(200):
                file.write(bytes(512))
                os.fsync(file.fileno())

        return rate(200, work)


def mirrors(folder: Path, total: int) -> Iterator[Row]:
    """A partner's log taken in: the tree alone, then with every author's signature."""
    world = World(folder)
    log, store = world.log, world.mx.store
    theirs = world.us.registry.log(log.origin)
    author = world.mx.keys.author(world.mx.keys.node_desk()).public
    if theirs is None:
        raise RuntimeError("the channel is not there")
    cores = Cores()
    fold = Fold(Rules.of(log.charter), lambda _party, _size: b"", cores.spread)
    step = max(GROUP * 8, total // 8 // GROUP * GROUP)
    entries: list[bytes] = []

    def say() -> None:
        for _ in range(step // GROUP):
            world.mx.sequencer.append_group(log, world.sayings(GROUP))
        size = store.head(log.origin).size
        entries[:] = [e.entry for e in store.entries(log.origin, size - step, size)]

    def take() -> float:
        say()
        head = world.mx.publisher.publish(log.origin)
        reader, start = store.reader(log.origin, head.size), head.size - step
        proof = consistency_proof(start, head.size, reader) if start else []
        world.us.mirror.add_checkpoint(theirs, AddCheckpoint.of(start, proof, head.checkpoint))
        packages = [
            make_package(a, entries[a - start : b - start], head.size, reader)
            for a, b in package_ranges(start, head.size)
        ]
        header = UploadHeader(log.origin, start, head.size)

        def work() -> None:
            target = world.us.mirror.begin(theirs, header)
            for package in packages:
                world.us.mirror.take(theirs, package, target)
            world.us.mirror.finish(theirs, header, target)

        return rate(step, work)

    def judge() -> float:
        first = fold.held(log.party)

        def work() -> None:  # in batches and over all cores, as a node does
            for at in range(0, step, BATCH):
                fold.feed_all(log.party, first + at, entries[at : at + BATCH])

        return rate(step, work)

    def verify() -> float:
        some = [parse_record(entry).note for entry in entries[:2000]]
        pairs = [(note.text, note.lines[0].signature) for note in some]
        return rate(len(pairs), lambda: [ed25519_verify(author, *pair) for pair in pairs])

    merkle, folding, raw = in_turns(8, take, judge, verify)
    yield Row("mirror_merkle", merkle, "records/s", bar=90_000)
    both = 1 / (1 / merkle + 1 / folding)
    yield Row("mirror_fold", both, "records/s", "verify", raw, 0.65)
    cores.close()
    world.close()


def seals(_folder: Path, _total: int) -> Iterator[Row]:
    """Bodies sealed and opened, beside the bare encapsulation, encryption and hashing."""
    identity = HybridIdentity.generate(system_random)
    readers = {Address("us:00000000"): identity.recipient()}
    label = Label("0" * 32, "0" * 64, "statement.v1", 0, "text/plain")
    for name, size, count in (("1k", 1 << 10, 400), ("64k", 1 << 16, 300)):
        content = os.urandom(size)
        body = seal_body(content, label, readers, system_random)
        header = _header_of(body.ref)
        raw_seal, raw_open = _raw_hpke(content)
        sealing, opening, low_seal, low_open = in_turns(
            5,
            _repeat(count, partial(seal_body, content, label, readers, system_random)),
            _repeat(count, partial(open_body, body.blob, [identity], header, 0)),
            _repeat(count, raw_seal),
            _repeat(count, raw_open),
        )
        yield Row(f"seal_{name}", sealing, "bodies/s", "hpke", low_seal)
        yield Row(f"open_{name}", opening, "bodies/s", "hpke", low_open)


def _repeat(count: int, work: Callable[[], object]) -> Callable[[], float]:
    return lambda: rate(count, lambda: [work() for _ in range(count)])


def _header_of(ref: BodyRef) -> Header:
    return Header(
        id="0" * 32,
        ch="0" * 64,
        gen=1,
        type="statement.v1",
        sender=PartyId("us"),
        to=ref.to,
        by=("us.localhost/k/00000000",),
        at=0,
        bodies=(ref,),
    )


def _raw_hpke(content: bytes) -> tuple[Callable[[], object], Callable[[], object]]:
    """What no sealing can do without: one encapsulation, the cipher, the two hashes."""
    key = MLKEM768X25519PrivateKey(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())
    suite = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
    public = key.public_key()
    sealed = suite.encrypt(content, public)

    def raw_seal() -> None:
        hashlib.sha256(suite.encrypt(content, public))
        hashlib.sha256(content)

    def raw_open() -> None:
        hashlib.sha256(sealed)
        hashlib.sha256(suite.decrypt(sealed, key))

    return raw_seal, raw_open


def blobs(folder: Path, _total: int) -> Iterator[Row]:
    """Blobs stored whole, beside the bare hashing and writing of the same bytes."""
    store = DiskBlobs.create(folder / "blobs", system_clock).shelf("0" * 64, "mx")
    size = 32 << 20

    def put() -> float:
        data = os.urandom(size)
        name = hashlib.sha256(data).hexdigest()
        return rate(size >> 20, lambda: store.put(name, data))

    def raw() -> float:
        data = os.urandom(size)

        def work() -> None:
            hashlib.sha256(data).digest()
            with (folder / "raw").open("wb", buffering=0) as file:
                file.write(data)
                os.fsync(file.fileno())

        return rate(size >> 20, work)

    ours, limit = in_turns(5, put, raw)
    yield Row("blob_put", ours, "MiB/s", "hash_and_fsync", limit)
