"""`.tlog-proof` files: read, and held against an entry and a policy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.logs import AT, LOG, MIRROR_ED, MIRROR_PQ, checkpoint_of, proof_of, signed

from convenio.core.errors import MalformedError, ProofError, QuorumError
from convenio.core.merkle import leaf_hash
from convenio.core.policy import from_keys
from convenio.core.proof import Proof, parse_proof, verify_proof

ENTRIES = [b"%d" % number for number in range(70)]
POLICY = from_keys([LOG.verifier().vkey()], {"us": MIRROR_PQ.vkey()}, 1)
PROOF = proof_of(41, ENTRIES)
DATA = PROOF.encode()
CHECKPOINT = PROOF.checkpoint


def test_a_proof_has_the_specified_shape() -> None:
    lines = DATA.split(b"\n")
    assert lines[:2] == [b"c2sp.org/tlog-proof@v1", b"index 41"]
    assert [len(line) for line in lines[2:9]] == [44] * 7
    assert lines[9] == b""
    assert DATA.endswith(b"\n\n" + CHECKPOINT)
    more = proof_of(41, ENTRIES, b"more").encode()
    assert more.split(b"\n")[1] == b"extra bW9yZQ=="


def test_every_entry_is_proven_to_whoever_trusts_the_log_and_its_mirror() -> None:
    for index in (0, 1, 41, 63, 64, 69):
        proof = parse_proof(proof_of(index, ENTRIES, b"more").encode())
        verified = verify_proof(proof, leaf_hash(ENTRIES[index]), POLICY)
        assert verified.checkpoint == checkpoint_of(ENTRIES)
        assert verified.cosigned_at == {"us": AT}


def test_the_only_entry_of_a_log_needs_no_hashes() -> None:
    proof = proof_of(0, ENTRIES[:1])
    assert proof.hashes == ()
    verify_proof(parse_proof(proof.encode()), leaf_hash(ENTRIES[0]), POLICY)


def test_a_proof_of_another_entry_place_or_tree_is_refused() -> None:
    leaf = leaf_hash(ENTRIES[41])
    other_tree = replace(PROOF, checkpoint=signed(checkpoint_of(ENTRIES[:69])))
    for proof, entry in (
        (PROOF, leaf_hash(ENTRIES[40])),
        (replace(PROOF, index=40), leaf),
        (replace(PROOF, index=70), leaf),
        (replace(PROOF, hashes=PROOF.hashes[:-1]), leaf),
        (replace(PROOF, hashes=()), leaf),
        (other_tree, leaf),
    ):
        with pytest.raises(ProofError):
            verify_proof(proof, entry, POLICY)


def test_a_proof_without_the_addressees_cosignature_is_refused() -> None:
    proof = replace(PROOF, checkpoint=signed(checkpoint_of(ENTRIES), [MIRROR_ED]))
    with pytest.raises(QuorumError):
        verify_proof(proof, leaf_hash(ENTRIES[41]), POLICY)


HEAD = DATA[: DATA.index(b"\n\n")]
HASH_LINE = b"\n" + b"A" * 43 + b"="
BAD = {
    "nothing": (b"", "proof.first_line"),
    "another version": (DATA.replace(b"@v1", b"@v2"), "proof.first_line"),
    "no index": (DATA.replace(b"index 41\n", b""), "proof.index"),
    "a leading zero": (DATA.replace(b"index 41", b"index 041"), "proof.index"),
    "a negative index": (DATA.replace(b"index 41", b"index -1"), "proof.index"),
    "empty extra data": (DATA.replace(b"index", b"extra \nindex"), "proof.extra"),
    "extra data that is not base64": (DATA.replace(b"index", b"extra ?\nindex"), "proof.extra"),
    "extra data after the index": (HEAD + b"\nextra AA==\n\n" + CHECKPOINT, "proof.hash"),
    "extra data alone": (b"c2sp.org/tlog-proof@v1\nextra AA==\n\n" + CHECKPOINT, "proof.index"),
    "a hash cut short": (HEAD + b"\nAAAA\n\n" + CHECKPOINT, "proof.hash"),
    "64 hashes": (HEAD + HASH_LINE * 57 + b"\n\n" + CHECKPOINT, "proof.hash"),
    "no blank line": (HEAD + b"\n" + CHECKPOINT.replace(b"\n\n", b"\n"), "proof.no_checkpoint"),
    "two blank lines": (HEAD + b"\n\n\n" + CHECKPOINT, "checkpoint.extension"),
    "no signature": (
        HEAD + b"\n\n" + CHECKPOINT.partition(b"\n\n")[0] + b"\n",
        "note.no_signature",
    ),
    "too long": (DATA + b"A" * 300_000, "proof.too_long"),
}


@pytest.mark.parametrize(("data", "code"), BAD.values(), ids=BAD.keys())
def test_bytes_that_are_no_proof_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_proof(data)
    assert caught.value.code == code


def test_sixty_three_hashes_are_read() -> None:
    proof = Proof(0, (bytes(32),) * 63, CHECKPOINT)
    assert parse_proof(proof.encode()) == proof
