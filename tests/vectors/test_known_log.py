"""The known answers of mirror.md, proof.md, split.md and trust.md: printed there, made here.

One log for all: origin as in log.md, entry n is the text `entry n`, every private key 00 01 … 1f.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.support.parties import charter, party

from convenio.core.card import parse_card, sign_card
from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import Ed25519Cosigner
from convenio.core.merkle import (
    Leaves,
    consistency_proof,
    edge_of,
    inclusion_proof,
    leaf_hash,
    tree_root,
)
from convenio.core.mirrorwire import (
    AddCheckpoint,
    PackageReader,
    UploadHeader,
    check_package,
    make_package,
    parse_add_checkpoint,
)
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.policy import parse_policy
from convenio.core.proof import Proof, parse_proof, verify_proof
from convenio.core.split import SplitProof, parse_split, verify_split
from convenio.core.trust import fingerprint, parse_charter, propose_charter

SEED = bytes(range(32))
LOG = Ed25519Signer("mx.localhost/c/00112233445566778899aabbccddeeff", SEED)
MIRROR = Ed25519Cosigner("us.localhost/mirror", SEED)
AT = 1_633_651_200
ENTRIES = [b"entry %d" % number for number in range(300)]
TREE = Leaves([leaf_hash(entry) for entry in ENTRIES])


def page(name: str) -> str:
    return (ROOT / f"docs/spec/{name}.md").read_text("utf-8").partition("## Known answer")[2]


def block(name: str, number: int = 0) -> bytes:
    """What the page prints between two fences."""
    blocks: list[str] = re.findall(r"^```\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL)
    return blocks[number].encode()


def signed(size: int, root: bytes = b"") -> bytes:
    """A checkpoint of the log, or one with another root."""
    return sign_note(Checkpoint(LOG.name, size, root or tree_root(size, TREE)).text(), LOG).encode()


def test_add_checkpoint() -> None:
    body = AddCheckpoint.of(3, consistency_proof(3, 7, TREE), signed(7)).encode()
    assert body == block("mirror", 1)
    assert parse_add_checkpoint(body).encode() == body


def test_add_entries() -> None:
    package = make_package(256, ENTRIES[256:], 300, TREE)
    body = UploadHeader(LOG.name, 256, 300).encode() + package.encode()
    assert f"{len(body)} bytes, SHA-256\n`{hashlib.sha256(body).hexdigest()}`" in page("mirror")
    (hash_,) = package.proof
    assert f"`{hash_.hex()}`" in page("mirror")
    header, read = PackageReader().feed(body)
    assert (header, read) == (UploadHeader(LOG.name, 256, 300), package)
    check_package(package, edge_of(256, 256, TREE), 300, tree_root(300, TREE))


def test_proof() -> None:
    checkpoint = Checkpoint(LOG.name, 7, tree_root(7, TREE))
    note = signed(7) + MIRROR.cosign(checkpoint, AT).encode()
    proof = Proof(5, tuple(inclusion_proof(5, 7, TREE)), note)
    assert proof.encode() == block("proof")
    assert parse_proof(block("proof")) == proof
    policy = parse_policy(block("proof", 1))
    verified = verify_proof(proof, leaf_hash(b"entry 5"), policy)
    assert verified.cosigned_at == {"us-mirror": AT}


def test_split() -> None:
    wrong = hashlib.sha256(b"another history").digest()
    proof = consistency_proof(3, 7, TREE)
    split = SplitProof(signed(3, wrong), signed(7), tree_root(3, TREE), tuple(proof))
    assert split.encode() == block("split")
    verify_split(parse_split(block("split")), LOG.verifier())


@pytest.mark.parametrize("name", ["card", "charter"])
def test_a_card_and_a_charter(name: str) -> None:
    mx, us = party("mx"), party("us")
    made = {
        "card": sign_card(mx.card, *mx.roots[:2]),
        "charter": propose_charter(charter(), *mx.roots[:2], *us.roots[1:]).note.encode(),
    }
    written = (Path(__file__).parent / f"{name}.note").read_bytes()
    assert written == made[name]
    assert f"`{hashlib.sha256(written).hexdigest()}`" in page("trust")
    if name == "card":
        assert parse_card(written) == mx.card
    else:
        read = parse_charter(written)
        assert read.missing() == ()
        assert f"`{read.charter.ch}`" in page("trust")
        assert fingerprint(read.charter.ch) in page("trust")
