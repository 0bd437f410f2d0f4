"""The Merkle tree of RFC 6962 over SHA-256: roots, and proofs that one tree is part of another.

Everything is one question: is [start, end) of some leaves, hashing to H, part of the tree of `size`
leaves with root R? An inclusion proof asks it of one leaf, a consistency proof of an older tree, a
mirror's package of 256 leaves. One prover and one checker answer all three (docs/spec/log.md).
Whoever asks keeps the hashes: this module reads them through `Reader` and stores nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from convenio.core.encoding import MAX_SIZE, parse_base64
from convenio.core.errors import MalformedError, ProofError

HASH: Final = 32
MAX_PROOF: Final = 63  # hashes; enough for 2**63-1 leaves
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_CHUNK: Final = 1 << 14
_sha256 = hashlib.sha256

# Where a sibling lies, seen from the path down to the subtree.
_RIGHT, _LEFT, _SHARED = range(3)


def leaf_hash(entry: bytes) -> bytes:
    """The leaf hash of a log entry."""
    return _sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two children."""
    return _sha256(b"\x01" + left + right).digest()


class Reader(Protocol):
    """Gives hashes of a tree somebody keeps; may read a disk or ask a partner."""

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of the perfect subtree over leaves [index * 2**level, (index+1) * 2**level)."""
        ...


@dataclass(frozen=True, slots=True)
class RightEdge:
    """What must be remembered of a tree to let it grow: log2(size) hashes.

    hashes: the roots of the perfect subtrees that make up `size` leaves, largest (leftmost) first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> RightEdge:
        """The edge with one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> RightEdge:
        """The edge with these leaf hashes (32 bytes each) after its own."""
        edge, source = self, iter(leaves)
        while chunk := list(islice(source, _CHUNK)):
            edge = edge._extend(chunk)
        return edge

    def _extend(self, row: list[bytes]) -> RightEdge:
        size, old, kept, level = self.size + len(row), list(self.hashes), [], 0
        while row or old:
            if self.size >> level & 1:
                row.insert(0, old.pop())
            if len(row) & 1:
                kept.append(row.pop())
            pairs = iter(row)
            row = [_sha256(b"\x01" + a + b).digest() for a, b in zip(pairs, pairs, strict=True)]
            level += 1
        return RightEdge(size, tuple(reversed(kept)))

    def root(self) -> bytes:
        """The root hash of the tree; of no leaves, EMPTY_ROOT."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root

    def encode(self) -> bytes:
        """The size as 8 bytes big-endian, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @classmethod
    def decode(cls, data: bytes) -> RightEdge:
        """The edge that `data` writes.  Raises:  MalformedError: merkle.edge."""
        size = int.from_bytes(data[:8], "big")
        if len(data) != 8 + HASH * size.bit_count() or size > MAX_SIZE:
            raise MalformedError("merkle.edge")
        return cls(size, tuple(data[at : at + HASH] for at in range(8, len(data), HASH)))


class Leaves:
    """A Reader over leaf hashes held in memory, with every level above them."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._levels = [list(leaves)]
        while len(row := self._levels[-1]) > 1:
            whole = len(row) // 2 * 2  # an odd last one has no parent yet
            pairs = zip(row[:whole:2], row[1:whole:2], strict=True)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def subtree(self, level: int, index: int) -> bytes:
        return self._levels[level][index]


def edge_of(start: int, end: int, reader: Reader) -> RightEdge:
    """The edge of the subtree [start, end), in at most 63 reads.

    `start` is 0 or a multiple of a power of two not below end - start.
    """
    size, at = end - start, start
    hashes = []
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            hashes.append(reader.subtree(level, at >> level))
            at += 1 << level
    return RightEdge(size, tuple(hashes))


def subtree_root(start: int, end: int, reader: Reader) -> bytes:
    """The hash of the subtree [start, end)."""
    return edge_of(start, end, reader).root()


def tree_root(size: int, reader: Reader) -> bytes:
    """The root of the first `size` leaves."""
    return subtree_root(0, size, reader)


def is_subtree(start: int, end: int, size: int) -> bool:
    """Whether [start, end) is a subtree of some tree, and within `size` leaves.

    Source:  draft-ietf-plants-merkle-tree-certs-03 section 4.1.
    """
    if not 0 <= start <= end <= size:
        return False
    return start & ((1 << (end - start - 1).bit_length()) - 1) == 0 if start < end else True


def subtree_proof(start: int, end: int, size: int, reader: Reader) -> list[bytes]:
    """The hashes that lead from the subtree [start, end) to the root of `size` leaves.

    Deepest first, at most 63, in O(log size) reads.
    Source:  draft-ietf-plants-merkle-tree-certs-03 section 4.4.1; for start 0 it is RFC 6962's
             consistency proof (2.1.2), for one leaf its inclusion proof (2.1.1).
    """
    if not is_subtree(start, end, size):
        raise RuntimeError("no subtree of this tree")
    if start == end:
        return []
    siblings, base = _path(start, end, size)
    ranges = [(low, high) for _, low, high in reversed(siblings)]
    return [subtree_root(low, high, reader) for low, high in (*base, *ranges)]


def check_subtree(  # noqa: PLR0913, PLR0917 - two claims of three values each
    start: int, end: int, subtree_hash: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> None:
    """Returns if `proof` shows that [start, end) with `subtree_hash` is part of the tree.

    The empty subtree is part of every tree and has an empty proof.
    Raises:  ProofError: merkle.range, no such subtree · merkle.proof_length · merkle.hash_length ·
             merkle.root_differs.
    Source:  draft-ietf-plants-merkle-tree-certs-03 section 4.4.
    """
    if not is_subtree(start, end, size):
        raise ProofError("merkle.range", start=start, end=end, size=size)
    siblings, base = _path(start, end, size) if start < end else ([], [])
    if len(proof) != len(siblings) + len(base):
        raise ProofError("merkle.proof_length", expected=len(siblings) + len(base))
    if any(len(each) != HASH for each in proof):
        raise ProofError("merkle.hash_length")
    if start == end:
        _same(EMPTY_ROOT, subtree_hash)
        return
    lowest = proof[0] if base else subtree_hash
    inner, outer = _climb(lowest, siblings, proof[len(base) :])
    _same(inner, subtree_hash)
    _same(outer, root)


def _climb(
    lowest: bytes, siblings: list[tuple[int, int, int]], hashes: Sequence[bytes]
) -> tuple[bytes, bytes]:
    """The subtree's hash and the root, from the lowest hash on the way and its siblings."""
    inner = outer = lowest
    for (side, _, _), sibling in zip(reversed(siblings), hashes, strict=True):
        if side == _RIGHT:
            outer = node_hash(outer, sibling)
        else:
            outer = node_hash(sibling, outer)
            if side == _SHARED:
                inner = node_hash(sibling, inner)
    return inner, outer


def _path(
    start: int, end: int, size: int
) -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
    """The way down from the root of `size` leaves to [start, end).

    Returns the sibling of each step, topmost first, as (side, low, high); and the range where the
    way ends, if its hash is not the subtree's own and so must be in the proof.
    """
    siblings = []
    low, high = 0, size
    shared = False
    while (max(low, start), end) != (low, high):
        middle = low + (1 << ((high - low - 1).bit_length() - 1))
        if end <= middle:
            siblings.append((_RIGHT, middle, high))
            high = middle
        else:
            shared = shared or start < middle
            siblings.append((_SHARED if start < middle else _LEFT, low, middle))
            low = middle
    return siblings, [(low, high)] if shared else []


def _same(found: bytes, claimed: bytes) -> None:
    if found != claimed or len(claimed) != HASH:
        raise ProofError("merkle.root_differs")


def inclusion_proof(index: int, size: int, reader: Reader) -> list[bytes]:
    """The hashes that lead from leaf `index` to the root of `size` leaves, deepest first."""
    return subtree_proof(index, index + 1, size, reader)


def check_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Returns if `proof` shows `leaf` at `index` of the tree.

    Raises:  ProofError, as `check_subtree`.
    Source:  RFC 6962 section 2.1.1.
    """
    check_subtree(index, index + 1, leaf, size, root, proof)


def consistency_proof(old: int, new: int, reader: Reader) -> list[bytes]:
    """The hashes that lead from the root of `old` leaves to that of `new`, deepest first."""
    return subtree_proof(0, old, new, reader)


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Returns if `proof` shows that the tree of `new` leaves only added to that of `old`.

    Every tree extends the empty one, with an empty proof; trees of one size have one root.
    Raises:  ProofError, as `check_subtree`.
    Source:  RFC 6962 section 2.1.2; C2SP tlog-witness, add-checkpoint.
    """
    check_subtree(0, old, old_root, new, new_root, proof)
    if old == new:
        _same(old_root, new_root)


def implied_root(old: int, new: int, new_root: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that the tree of `new` leaves had at `old`, as its consistency proof tells.

    None if `proof` does not lead to `new_root`, or does not hold that root: where `old` is a power
    of two the proof begins beside it, and whoever checks it brings it along.
    """
    if not 0 < old < new:
        return None
    siblings, base = _path(0, old, new)
    if not base or len(proof) != len(siblings) + 1:
        return None
    inner, outer = _climb(proof[0], siblings, proof[1:])
    return inner if outer == new_root else None


def format_hashes(hashes: Iterable[bytes]) -> bytes:
    """The hashes of a proof in base64, one a line."""
    return b"".join(base64.b64encode(each) + b"\n" for each in hashes)


def parse_hashes(lines: Sequence[bytes], code: str) -> tuple[bytes, ...]:
    """The hashes that lines of a proof write, at most 63.  Raises:  MalformedError: `code`."""
    hashes = tuple(parse_base64(line, code) for line in lines[: MAX_PROOF + 1])
    if len(hashes) > MAX_PROOF or any(len(each) != HASH for each in hashes):
        raise MalformedError(code)
    return hashes
