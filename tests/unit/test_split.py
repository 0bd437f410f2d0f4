"""Split-view proofs: two histories one key has signed, and nothing else, convict it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.merkle import Leaves, consistency_proof, leaf_hash, tree_root
from convenio.core.note import Ed25519Signer, sign_note
from convenio.core.split import (
    SplitProof,
    empty_split,
    equal_split,
    parse_split,
    parse_split_data,
    split_data,
    verify_split,
)

ORIGIN = "us.localhost/c/" + "0" * 32
LOG = Ed25519Signer(ORIGIN, b"l" * 32)
OTHER_LOG = Ed25519Signer("us.localhost/c/" + "1" * 32, b"l" * 32)
EVE = Ed25519Signer(ORIGIN, b"e" * 32)


def leaves(count: int, story: str = "true", fork_at: int = 10_000) -> list[bytes]:
    return [leaf_hash(f"{story if n >= fork_at else 'true'} {n}".encode()) for n in range(count)]


def root(found: list[bytes]) -> bytes:
    return tree_root(len(found), Leaves(found))


def signed(found: list[bytes], signer: Ed25519Signer = LOG, origin: str = "") -> bytes:
    checkpoint = Checkpoint(origin or signer.name, len(found), root(found))
    return sign_note(checkpoint.text(), signer).encode()


def split(small: list[bytes], large: list[bytes], signer: Ed25519Signer = LOG) -> SplitProof:
    """What whoever holds `large` whole makes of a signed `small`."""
    shared = large[: len(small)]
    proof = consistency_proof(len(small), len(large), Leaves(large)) if shared != large else []
    return SplitProof(signed(small, signer), signed(large, signer), root(shared), tuple(proof))


def code_of(proof: SplitProof, log: Ed25519Signer = LOG) -> str:
    with pytest.raises(ConvenioError) as caught:
        verify_split(proof, log.verifier())
    return caught.value.code


@pytest.mark.parametrize(
    ("small", "large", "fork_at"),
    [(1, 1, 0), (5, 5, 4), (1, 2, 0), (4, 8, 3), (7, 300, 0), (256, 257, 255), (300, 1000, 299)],
)
def test_two_histories_convict_their_author(small: int, large: int, fork_at: int) -> None:
    proof = split(leaves(small, "lie", fork_at), leaves(large))
    smaller, larger = verify_split(proof, LOG.verifier())
    assert (smaller.size, larger.size) == (small, large)
    assert parse_split(proof.encode()) == proof


@pytest.mark.parametrize(("small", "large"), [(1, 1), (5, 5), (4, 8), (7, 300)])
def test_one_history_that_grew_convicts_nobody(small: int, large: int) -> None:
    assert code_of(split(leaves(small), leaves(large))) == "split.no_contradiction"


def test_only_the_key_that_signed_is_convicted() -> None:
    proof = split(leaves(4, "lie", 3), leaves(8))
    assert code_of(proof, EVE) == "note.no_known_key"
    assert code_of(proof, OTHER_LOG) == "checkpoint.other_log"


def test_a_checkpoint_somebody_else_signed_convicts_nobody() -> None:
    proof = split(leaves(4, "lie", 3), leaves(8))
    forged = replace(proof, smaller=signed(leaves(4, "lie", 3), EVE))
    assert code_of(forged) == "note.no_known_key"
    forged = replace(proof, larger=signed(leaves(8), EVE))
    assert code_of(forged) == "note.no_known_key"


def test_two_logs_of_one_party_do_not_contradict_each_other() -> None:
    proof = split(leaves(4, "lie", 3), leaves(8))
    forged = replace(proof, smaller=signed(leaves(4, "lie", 3), OTHER_LOG))
    assert code_of(forged) == "checkpoint.other_log"


def test_a_claimed_root_that_does_not_lead_to_the_larger_tree_convicts_nobody() -> None:
    """Else whoever invents a root would convict anybody with any two checkpoints."""
    honest = split(leaves(4), leaves(8))
    for forged in (
        replace(honest, root=b"x" * 32),
        replace(honest, root=b"x" * 32, proof=()),
        replace(honest, root=root(leaves(4, "lie", 3))),
    ):
        with pytest.raises(ConvenioError):
            verify_split(forged, LOG.verifier())


def test_the_smaller_comes_first() -> None:
    proof = split(leaves(4, "lie", 3), leaves(8))
    turned = replace(proof, smaller=proof.larger, larger=proof.smaller)
    assert code_of(turned) == "split.no_contradiction"


def test_an_empty_log_contradicts_nothing() -> None:
    empty = signed([])
    for large in (signed([]), signed(leaves(4))):
        for claimed in (root([]), b"x" * 32):
            with pytest.raises(ConvenioError):
                verify_split(SplitProof(empty, large, claimed, ()), LOG.verifier())


def test_an_empty_log_with_a_root_of_its_own_contradicts_itself() -> None:
    lie = sign_note(Checkpoint(ORIGIN, 0, b"x" * 32).text(), LOG).encode()
    proof = empty_split(lie)
    verify_split(proof, LOG.verifier())
    assert parse_split(proof.encode()) == proof
    verify_split(replace(proof, larger=signed(leaves(4))), LOG.verifier())
    for forged in (
        empty_split(signed([])),
        replace(proof, root=b"y" * 32),
        replace(proof, proof=(b"z" * 32,)),
        replace(proof, root=b"y" * 32, larger=signed(leaves(4))),
    ):
        with pytest.raises(ConvenioError):
            verify_split(forged, LOG.verifier())


def test_what_a_record_carries_is_the_same_proof_without_other_lines_and_fits() -> None:
    name = "a" * 200 + ".localhost/c/" + "0" * 32
    log, witness = Ed25519Signer(name, b"l" * 32), Ed25519Signer("w" * 200, b"w" * 32)

    def cosigned(size: int, fill: bytes) -> bytes:
        return sign_note(Checkpoint(name, size, fill * 32).text(), log, witness).encode()

    one, other = cosigned(2**62, b"a"), cosigned(2**62, b"b")
    longest = SplitProof(one, other, b"b" * 32, (b"\xff" * 32,) * 63)
    data = split_data("us", longest, log.verifier())
    assert len(str(data["proof"])) <= 8192, "a header's string is no longer"
    proof = split_data("us", equal_split(one, other, b"b" * 32), log.verifier())
    found = parse_split_data(proof)
    verify_split(found, log.verifier())
    assert b"www" not in found.smaller + found.larger


PROOF = split(leaves(4, "lie", 3), leaves(8))
LINE = PROOF.encode()
LISTLESS = LINE.replace(b'"proof":[', b'"proof":{"a":[').replace(b'],"root"', b']},"root"')


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(LINE[:-1], id="no newline"),
        pytest.param(LINE + b"\n", id="two newlines"),
        pytest.param(LINE.replace(b'"kind":"split"', b'"kind":"card"'), id="another kind"),
        pytest.param(LINE.replace(b'"v":1', b'"v":2'), id="another version"),
        pytest.param(LINE.replace(b'"v":1', b'"v":true'), id="true for the version"),
        pytest.param(LINE.replace(b'"v":1', b'"v":1,"w":1'), id="one more field"),
        pytest.param(LINE.replace(b'"proof":[', b'"proof":["AAAA",'), id="a hash of three bytes"),
        pytest.param(
            LINE.replace(b'"proof":[', '"proof":["ñ",'.encode()), id="a hash not in ASCII"
        ),
        pytest.param(LINE.replace(b'"proof":[', b'"proof":[7,'), id="a number for a hash"),
        pytest.param(replace(PROOF, proof=(bytes(32),) * 64).encode(), id="64 hashes"),
        pytest.param(LISTLESS, id="no list"),
        pytest.param(b'{"kind":"split"}\n', id="fields missing"),
    ],
)
def test_a_split_proof_is_not_written_as(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_split(data)


@given(st.integers(0, len(LINE) - 1), st.integers(0, 255))
def test_any_byte_changed_makes_no_other_conviction(at: int, byte: int) -> None:
    data = bytearray(LINE)
    data[at] = byte
    if bytes(data) == LINE:
        return
    try:
        found = parse_split(bytes(data))
        assert found.encode() == bytes(data)
        smaller, larger = verify_split(found, LOG.verifier())
    except ConvenioError:
        return
    assert (smaller, larger) == verify_split(PROOF, LOG.verifier())


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_split(data)
