"""Checkpoints: their one spelling, and what keys say about them."""

from __future__ import annotations

import pytest
from tests.logs import AT, LOG, LOG_PQ, MIRROR_ED, MIRROR_PQ, ORIGIN, seed

from convenio.core.checkpoint import Checkpoint, parse_checkpoint_text, parse_signed_checkpoint
from convenio.core.cosign import Ed25519Cosigner, MlDsa44Cosigner, timestamp_of, verifier_of
from convenio.core.errors import MalformedError, SignatureError
from convenio.core.note import (
    Ed25519Verifier,
    Note,
    SignatureLine,
    Verifier,
    format_vkey,
    keyring,
    sign_note,
    verify_note,
)

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
# The example of C2SP tlog-checkpoint v1.0.0 with the cosignature of tlog-cosignature.
EXAMPLE = (
    f"example.com/behind-the-sofa\n20852163\n{ROOT}\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/"
    "Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJs"
    "X3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()
CHECKPOINT = Checkpoint(ORIGIN, 5, bytes(range(32)))
TEXT = CHECKPOINT.text()


def test_the_examples_of_the_specifications_are_read() -> None:
    checkpoint, note = parse_signed_checkpoint(EXAMPLE)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert timestamp_of(note.lines[1]) == 1679315147
    assert note.encode() == EXAMPLE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("", "lines", id="nothing"),
        pytest.param("o\n5\n", "lines", id="two lines"),
        pytest.param(f"o\n5\n{ROOT}", "lines", id="no last newline"),
        pytest.param(f"\n5\n{ROOT}\n", "origin", id="no origin"),
        pytest.param(f"{'o' * 256}\n5\n{ROOT}\n", "origin", id="an origin of 256 bytes"),
        pytest.param(
            f"{'é' * 128}\n5\n{ROOT}\n", "origin", id="an origin of 128 letters, 256 bytes"
        ),
        pytest.param(f"o\r\n5\n{ROOT}\n", "origin", id="a carriage return"),
        pytest.param(f"o\n05\n{ROOT}\n", "size", id="a leading zero"),
        pytest.param(f"o\n+5\n{ROOT}\n", "size", id="a sign"),
        pytest.param(f"o\n 5\n{ROOT}\n", "size", id="a space"),
        pytest.param(f"o\n5_0\n{ROOT}\n", "size", id="an underscore"),
        pytest.param(f"o\n٥\n{ROOT}\n", "size", id="a digit of another script"),
        pytest.param(f"o\n9223372036854775808\n{ROOT}\n", "size", id="a size of 2**63"),
        pytest.param(f"o\n5\n{ROOT[:-1]}\n", "root", id="no padding"),
        pytest.param("o\n5\nAAAA\n", "root", id="a root of three bytes"),
        pytest.param(f"o\n5\n{ROOT[:-2]}J=\n", "root", id="stray bits in the last letter"),
        pytest.param(f"o\n5\n{ROOT}\nmore\n", "extension", id="an extension line"),
    ],
)
def test_text_that_is_no_checkpoint_is_refused(text: str, code: str) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_checkpoint_text(text.encode())
    assert caught.value.code == f"checkpoint.{code}"


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(MalformedError, match=r"checkpoint\.not_text"):
        parse_checkpoint_text(b"\xff\n5\n" + ROOT.encode() + b"\n")


def test_extension_lines_are_kept_only_when_asked_for() -> None:
    text = f"o\n5\n{ROOT}\nmore\nand more\n".encode()
    checkpoint = parse_checkpoint_text(text, allow_extensions=True)
    assert checkpoint.extensions == ("more", "and more")
    assert checkpoint.text() == text
    with pytest.raises(MalformedError, match=r"checkpoint\.extension"):
        parse_checkpoint_text(text + b"\n", allow_extensions=True)


def test_a_checkpoint_carries_the_log_its_own_cosignature_and_the_mirrors() -> None:
    lines = [LOG.sign(TEXT), *(c.cosign(CHECKPOINT, AT) for c in (LOG_PQ, MIRROR_ED, MIRROR_PQ))]
    keys: list[Verifier] = [LOG.verifier(), *(c.verifier() for c in (LOG_PQ, MIRROR_ED, MIRROR_PQ))]
    assert verify_note(Note(TEXT, tuple(lines)), keyring(*keys)) == tuple(keys)
    assert [timestamp_of(line) for line in lines[1:]] == [AT] * 3


@pytest.mark.parametrize("cosigner", [MIRROR_ED, MIRROR_PQ], ids=["0x04", "0x06"])
def test_a_cosignature_over_no_checkpoint_is_an_unverified_signature(
    cosigner: Ed25519Cosigner | MlDsa44Cosigner,
) -> None:
    line = cosigner.cosign(CHECKPOINT, AT)
    with pytest.raises(SignatureError, match=r"cosign\.not_checkpoint"):
        cosigner.verifier().verify(b"any text\n", line.signature)


@pytest.mark.parametrize("cosigner", [MIRROR_ED, MIRROR_PQ], ids=["0x04", "0x06"])
@pytest.mark.parametrize("signature", [b"s", bytes(8), b"\x80" + bytes(71), b"\x80" + bytes(2427)])
def test_a_time_that_is_missing_or_beyond_63_bits_is_refused(
    cosigner: Ed25519Cosigner | MlDsa44Cosigner, signature: bytes
) -> None:
    with pytest.raises(SignatureError, match=r"cosign\.timestamp"):
        cosigner.verifier().verify_checkpoint(CHECKPOINT, signature)
    with pytest.raises(MalformedError, match=r"cosign\.timestamp"):
        timestamp_of(SignatureLine(cosigner.name, cosigner.key_id, signature))
    for timestamp in (-1, 2**63):
        with pytest.raises(RuntimeError):
            cosigner.cosign(CHECKPOINT, timestamp)


def test_one_seed_gives_each_use_another_key_id() -> None:
    ids = {
        LOG.key_id,
        Ed25519Cosigner(ORIGIN, seed(1)).key_id,
        MlDsa44Cosigner(ORIGIN, seed(1)).key_id,
    }
    assert len(ids) == 3


def test_a_vkey_gives_the_verifier_of_its_type() -> None:
    for verifier in (LOG.verifier(), MIRROR_ED.verifier(), MIRROR_PQ.verifier()):
        assert verifier_of(verifier.vkey()) == verifier
    assert isinstance(verifier_of(LOG.verifier().vkey()), Ed25519Verifier)


@pytest.mark.parametrize(
    ("name", "kind", "public", "code"),
    [
        ("a", 1, bytes(31), "note.public_key"),
        ("a", 2, bytes(32), "cosign.key_type"),
        ("a", 4, bytes(33), "cosign.public_key"),
        ("a", 6, bytes(32), "cosign.public_key"),
        ("a" * 256, 6, bytes(1312), "note.key_name"),
    ],
)
def test_a_vkey_of_another_type_or_length_is_refused(
    name: str, kind: int, public: bytes, code: str
) -> None:
    with pytest.raises(MalformedError) as caught:
        verifier_of(format_vkey(name, kind, public))
    assert caught.value.code == code


def test_a_log_signature_does_not_serve_as_a_cosignature() -> None:
    plain = sign_note(TEXT, LOG).lines[0].signature
    with pytest.raises(SignatureError):
        Ed25519Cosigner(ORIGIN, seed(1)).verifier().verify_checkpoint(CHECKPOINT, bytes(8) + plain)
