"""The tree against its definition, every size and place up to 70, and every single change to it."""

from __future__ import annotations

import pytest
from tlog_scales.tlog import ConsistencyProof, InclusionProof

from convenio.core.errors import MalformedError, ProofError
from convenio.core.merkle import (
    EMPTY_ROOT,
    Leaves,
    RightEdge,
    check_consistency,
    check_inclusion,
    check_subtree,
    consistency_proof,
    edge_of,
    implied_root,
    inclusion_proof,
    is_subtree,
    leaf_hash,
    node_hash,
    subtree_proof,
    subtree_root,
    tree_root,
)

MOST = 70
LEAVES = [leaf_hash(b"%d" % number) for number in range(MOST)]
TREE = Leaves(LEAVES)


def defined_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(defined_root(leaves[:k]), defined_root(leaves[k:]))


ROOTS = [defined_root(LEAVES[:size]) for size in range(MOST + 1)]


def tampered(proof: list[bytes]) -> list[list[bytes]]:
    """Every proof that differs from `proof` in one hash: changed, missing, doubled or added."""
    flipped = [bytes([each[0] ^ 1]) + each[1:] for each in proof]
    places = range(len(proof))
    return [
        *([*proof[:at], flipped[at], *proof[at + 1 :]] for at in places),
        *([*proof[:at], *proof[at + 1 :]] for at in places),
        *([*proof[: at + 1], *proof[at:]] for at in places),
        [*proof, bytes(32)],
    ]


def test_the_root_of_every_size_is_as_defined_however_the_tree_grew() -> None:
    for size, root in enumerate(ROOTS):
        assert tree_root(size, TREE) == root
        for middle in range(size + 1):
            edge = RightEdge().extend(LEAVES[:middle]).extend(iter(LEAVES[middle:size]))
            assert (edge.size, edge.root()) == (size, root)


def test_growing_gives_a_new_edge_and_leaves_the_old_one_as_it_was() -> None:
    edge = RightEdge().extend(LEAVES[:5])
    assert edge.append(LEAVES[5]).root() == ROOTS[6]
    assert edge.root() == ROOTS[5]


def test_many_leaves_are_taken_in_pieces_with_the_same_root() -> None:
    many = [leaf_hash(b"%d" % number) for number in range(40_000)]
    assert RightEdge().extend(many[:7]).extend(many[7:]).root() == defined_root(many)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"\0" * 7, b"\0" * 7 + b"\1", b"\0" * 8 + b"x", b"\0" * 7 + b"\1" + b"h" * 31),
        pytest.param(b"\x80" + bytes(7) + b"h" * 32, id="more leaves than a log can have"),
    ],
)
def test_bytes_that_are_no_edge_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"merkle\.edge"):
        RightEdge.decode(data)


def test_every_leaf_of_every_tree_is_proven_and_other_checkers_agree() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            proof = inclusion_proof(index, size, TREE)
            check_inclusion(LEAVES[index], index, size, proof, ROOTS[size])
            InclusionProof(index, size, proof).check(LEAVES[index], ROOTS[size])


def test_no_tampered_inclusion_proof_passes() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            for bad in tampered(inclusion_proof(index, size, TREE)):
                with pytest.raises(ProofError):
                    check_inclusion(LEAVES[index], index, size, bad, ROOTS[size])


def test_an_inclusion_proof_holds_for_one_place_one_leaf_and_one_root() -> None:
    for size in range(2, 20):
        for index in range(size):
            proof = inclusion_proof(index, size, TREE)
            for other in {-1, *range(size + 1)} - {index}:
                with pytest.raises(ProofError):
                    check_inclusion(LEAVES[index], other, size, proof, ROOTS[size])
            with pytest.raises(ProofError):
                check_inclusion(LEAVES[index - 1], index, size, proof, ROOTS[size])
            with pytest.raises(ProofError):
                check_inclusion(LEAVES[index], index, size, proof, ROOTS[size - 1])


def test_every_tree_is_proven_to_extend_every_smaller_one_and_other_checkers_agree() -> None:
    for new in range(MOST + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, TREE)
            check_consistency(old, ROOTS[old], new, ROOTS[new], proof)
            ConsistencyProof(old, new, proof).check(ROOTS[old], ROOTS[new])


def test_no_tampered_consistency_proof_passes() -> None:
    for new in range(1, MOST + 1):
        for old in range(new + 1):
            for bad in tampered(consistency_proof(old, new, TREE)):
                with pytest.raises(ProofError):
                    check_consistency(old, ROOTS[old], new, ROOTS[new], bad)


def test_a_history_that_was_rewritten_is_never_consistent() -> None:
    forged = [bytes(32), *LEAVES[1:]]
    other = Leaves(forged)
    for new in range(2, MOST + 1):
        for old in range(1, new):
            for proof in (consistency_proof(old, new, tree) for tree in (TREE, other)):
                with pytest.raises(ProofError):
                    check_consistency(old, ROOTS[old], new, tree_root(new, other), proof)


def test_a_growth_proof_tells_what_the_larger_tree_had_at_the_smaller_size() -> None:
    """Unless the smaller is a whole subtree: whoever checks the proof then brings its root."""
    for new in range(MOST + 1):
        for old in range(new + 1):
            proof = consistency_proof(old, new, TREE)
            told = implied_root(old, new, ROOTS[new], proof)
            is_whole = old & (old - 1) == 0 or old == new
            assert told == (None if is_whole else ROOTS[old])
            for bad in tampered(proof):
                found = implied_root(old, new, ROOTS[new], bad)
                assert found in (None, told), "no other root can be told"


@pytest.mark.parametrize(
    ("old", "old_root", "new", "new_root"),
    [
        pytest.param(5, ROOTS[5], 4, ROOTS[4], id="a tree does not shrink"),
        pytest.param(4, ROOTS[4], 4, ROOTS[3], id="one size has one root"),
        pytest.param(0, ROOTS[1], 3, ROOTS[3], id="the empty tree has its own root"),
        pytest.param(0, EMPTY_ROOT, 0, ROOTS[1], id="an empty tree is not another"),
        pytest.param(-1, EMPTY_ROOT, 3, ROOTS[3], id="no size is negative"),
    ],
)
def test_what_cannot_be_consistent_is_refused(
    old: int, old_root: bytes, new: int, new_root: bytes
) -> None:
    with pytest.raises(ProofError):
        check_consistency(old, old_root, new, new_root, [])


def test_every_subtree_is_proven_and_no_tampered_proof_passes() -> None:
    for size in range(1, 41):
        for start in range(size + 1):
            for end in filter(lambda e: is_subtree(start, e, size), range(start, size + 1)):
                root = subtree_root(start, end, TREE)
                assert root == defined_root(LEAVES[start:end])
                proof = subtree_proof(start, end, size, TREE)
                check_subtree(start, end, root, size, ROOTS[size], proof)
                for bad in tampered(proof):
                    with pytest.raises(ProofError):
                        check_subtree(start, end, root, size, ROOTS[size], bad)


@pytest.mark.parametrize(("start", "end"), [(1, 3), (2, 6), (3, 2), (6, 9), (-2, 0)])
def test_a_range_that_is_no_subtree_is_refused(start: int, end: int) -> None:
    with pytest.raises(ProofError, match=r"merkle\.range"):
        check_subtree(start, end, bytes(32), 8, ROOTS[8], [])


def test_hashes_of_another_length_cannot_be_cut_differently() -> None:
    left, right = LEAVES[0], LEAVES[1]
    joined = left + right
    with pytest.raises(ProofError, match=r"merkle\.hash_length"):
        check_inclusion(joined[:33], 0, 2, [joined[33:]], ROOTS[2])
    with pytest.raises(ProofError):
        check_inclusion(joined[:33], 0, 1, [], joined[:33])


class Counting:
    """A reader of a tree too large to hold: it counts what it is asked."""

    def __init__(self) -> None:
        self.reads = 0

    def subtree(self, level: int, index: int) -> bytes:
        self.reads += 1
        return leaf_hash(b"%d/%d" % (level, index))


@pytest.mark.parametrize("size", [10**6, 10**12 + 1, 2**63 - 1])
def test_a_proof_is_made_in_few_reads_whatever_the_size(size: int) -> None:
    for start, end in ((0, 1), (size - 1, size), (0, size - 1), (0, size // 3), (256, 512)):
        reader = Counting()
        proof = subtree_proof(start, end, size, reader)
        assert len(proof) <= 63
        assert reader.reads <= 2 * size.bit_length()


def test_the_edge_of_a_subtree_grows_like_the_subtree() -> None:
    edge = edge_of(32, 37, TREE)
    assert edge.extend(LEAVES[37:50]).root() == defined_root(LEAVES[32:50])
