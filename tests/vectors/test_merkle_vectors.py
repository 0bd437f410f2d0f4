"""Published Merkle proofs, good and bad: transparency-dev/merkle @417fb0c, testdata/, 518."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convenio.core.errors import ProofError
from convenio.core.merkle import check_consistency, check_inclusion, check_subtree

Case = dict[str, Any]


def _hash(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def _proof(case: Case) -> list[bytes]:
    return [_hash(each) for each in case["proof"] or []]


def _inclusion(case: Case) -> None:
    proof, root = _proof(case), _hash(case["root"])
    check_inclusion(_hash(case["leafHash"]), case["leafIdx"], case["treeSize"], proof, root)


def _consistency(case: Case) -> None:
    old, new = _hash(case["root1"]), _hash(case["root2"])
    check_consistency(case["size1"], old, case["size2"], new, _proof(case))


def _subtree_inclusion(case: Case) -> None:
    """A leaf in a subtree [start, end): its place in a tree of end - start leaves."""
    start, end = case["start"], case["end"]
    if not 0 <= start <= case["leafIdx"] < end or start & (
        (1 << (end - start - 1).bit_length()) - 1
    ):
        raise ProofError("test.range")
    index = case["leafIdx"] - start
    check_inclusion(_hash(case["leafHash"]), index, end - start, _proof(case), _hash(case["root"]))


def _subtree_consistency(case: Case) -> None:
    inner, outer = _hash(case["root1"]), _hash(case["root2"])
    check_subtree(case["start"], case["end"], inner, case["size"], outer, _proof(case))


# Where we decide otherwise than the vector, and why.
OTHERWISE = {
    # Roots of 12 bytes. We refuse hashes that are not of 32 bytes, whatever else holds.
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json",
    # From the empty tree to any other. C2SP tlog-witness asks to accept it with an empty proof.
    "consistency/additional/size1-is-zero-and-size2-is-not-zero.json",
}


@pytest.mark.parametrize(
    ("folder", "check", "count"),
    [
        ("inclusion", _inclusion, 98),
        ("consistency", _consistency, 98),
        ("subtreeinclusion", _subtree_inclusion, 204),
        ("subtreeconsistency", _subtree_consistency, 118),
    ],
)
def test_every_published_proof_is_judged_as_published(
    shared: Path, folder: str, check: Callable[[Case], None], count: int
) -> None:
    base = shared / "data/vectors/merkle"
    files = sorted((base / folder).rglob("*.json"))
    assert len(files) == count
    for file in files:
        case = json.loads(file.read_bytes())
        name = file.relative_to(base).as_posix()
        try:
            check(case)
            refused = False
        except ProofError:
            refused = True
        assert refused == (case["wantErr"] != (name in OTHERWISE)), name
