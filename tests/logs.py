"""A log of ours to hold against ours and other people's checkers: fixed keys, real records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import Ed25519Cosigner, MlDsa44Cosigner
from convenio.core.merkle import Leaves, inclusion_proof, leaf_hash, tree_root
from convenio.core.note import Ed25519Signer, Note
from convenio.core.proof import Proof
from convenio.core.record import Header, PartyId, sign_record
from convenio.core.tiles import ENTRIES, format_bundle, tile_path, tiles_of

ORIGIN: Final = "mx.localhost/c/00112233445566778899aabbccddeeff"
MIRROR: Final = "us.localhost/mirror"
AT: Final = 1_633_651_200  # 8 October 2021


def seed(number: int) -> bytes:
    """A fixed secret: 32 times the same byte."""
    return bytes([number]) * 32


LOG: Final = Ed25519Signer(ORIGIN, seed(1))
LOG_PQ: Final = MlDsa44Cosigner(ORIGIN, seed(2))
MIRROR_ED: Final = Ed25519Cosigner(MIRROR, seed(3))
MIRROR_PQ: Final = MlDsa44Cosigner(MIRROR, seed(4))
AUTHOR: Final = Ed25519Signer("mx.localhost/k/7f3a91c2", seed(5))
COSIGNERS: Final = (LOG_PQ, MIRROR_ED, MIRROR_PQ)


def record(number: int) -> bytes:
    """The entry bytes of a small signed record."""
    header = Header(
        id=f"{number:032x}",
        ch="ab" * 32,
        gen=1,
        type="message.v1",
        sender=PartyId("mx"),
        to=(),
        by=(AUTHOR.name,),
        at=AT + number,
    )
    return sign_record(header, AUTHOR)


def leaves_of(entries: Sequence[bytes]) -> list[bytes]:
    return [leaf_hash(entry) for entry in entries]


def checkpoint_of(entries: Sequence[bytes], origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, len(entries), tree_root(len(entries), Leaves(leaves_of(entries))))


def signed(
    checkpoint: Checkpoint, cosigners: Sequence[Ed25519Cosigner | MlDsa44Cosigner] = COSIGNERS
) -> bytes:
    """The checkpoint signed by the log and cosigned at AT."""
    lines = (LOG.sign(checkpoint.text()), *(each.cosign(checkpoint, AT) for each in cosigners))
    return Note(checkpoint.text(), lines).encode()


def proof_of(index: int, entries: Sequence[bytes], extra: bytes = b"") -> Proof:
    hashes = inclusion_proof(index, len(entries), Leaves(leaves_of(entries)))
    return Proof(index, tuple(hashes), signed(checkpoint_of(entries)), extra)


def tile_fetcher(entries: Sequence[bytes]) -> Callable[[int, int, int], bytes]:
    """Gives tiles as a log would serve them."""
    tree = Leaves(leaves_of(entries))

    def fetch(level: int, index: int, width: int) -> bytes:
        first = index * 256
        return b"".join(tree.subtree(8 * level, first + at) for at in range(width))

    return fetch


def write_log(directory: Path, entries: Sequence[bytes]) -> None:
    """Lays out a signed log as files, in the manner of C2SP tlog-tiles."""
    fetch = tile_fetcher(entries)

    def write(path: str, data: bytes) -> None:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_bytes(data)

    for level, index, width in tiles_of(len(entries)):
        write(tile_path(level, index, width), fetch(level, index, width))
        if level == 0:
            held = entries[index * 256 : index * 256 + width]
            write(tile_path(ENTRIES, index, width), format_bundle(held))
    write("checkpoint", signed(checkpoint_of(entries)))
