"""Logs to put into a store: entries, signed checkpoints, packages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from convenio.core.checkpoint import Checkpoint
from convenio.core.merkle import Leaves, RightEdge, leaf_hash, tree_root
from convenio.core.note import Ed25519Signer, sign_note
from convenio.store.api import Head, LogSpec, LogStore, Sign

OWN = "mx.localhost/c/" + "0" * 32
MIRROR = "us.localhost/c/" + "0" * 32
OWN_LOG = LogSpec(OWN, "ab" * 32, "mx", 1, own=True)
MIRROR_LOG = LogSpec(MIRROR, "ab" * 32, "us", 1, own=False)


def id_of(number: int) -> bytes:
    return hashlib.sha256(b"id %d" % number).digest()[:16]


def entry(number: int) -> bytes:
    """Lengths differ, and some entries are larger than a piece."""
    size = {7: 65_535, 8: 0}.get(number, 20 + number % 50)
    return (b"entry %d " % number * (size // 6 + 1))[:size]


def named(numbers: Iterable[int]) -> list[tuple[bytes, bytes]]:
    return [(id_of(number), entry(number)) for number in numbers]


def entries(numbers: Iterable[int]) -> list[bytes]:
    return [entry(number) for number in numbers]


def checkpoint(origin: str, size: int, root: bytes) -> bytes:
    signer = Ed25519Signer(origin, hashlib.sha256(origin.encode()).digest())
    return sign_note(Checkpoint(origin, size, root).text(), signer).encode()


def signing(origin: str) -> Sign:
    return lambda size, root: checkpoint(origin, size, root)


def root_of(size: int) -> bytes:
    """The root of entries 0 to size - 1, by the reference and not by a store."""
    return RightEdge().extend(leaf_hash(entry(number)) for number in range(size)).root()


def leaves_of(size: int) -> Leaves:
    return Leaves(leaf_hash(entry(number)) for number in range(size))


def signed_head(origin: str, size: int) -> Head:
    root = tree_root(size, leaves_of(size))
    return Head(size, root, checkpoint(origin, size, root))


def grow_to(store: LogStore, size: int, step: int = 100) -> Head:
    """Our own log has entries 0 to size - 1."""
    head = store.head(OWN)
    while head.size < size:
        more = named(range(head.size, min(head.size + step, size)))
        head = store.append(OWN, head.size, more, signing(OWN))
    return head


def announce(store: LogStore, size: int) -> Head:
    """The mirror has a pending checkpoint over the first `size` entries."""
    head = signed_head(MIRROR, size)
    newest = store.pending(MIRROR)
    old_size = newest[0].size if newest else 0
    store.put_pending(MIRROR, old_size, size, head.root, head.checkpoint)
    return head
