"""Our own known answers for checkpoints and cosignatures; nobody has published any for 0x06.

Made by Go 1.27 (tests/go/cosign, deterministic ML-DSA-44) from the seed 00 01 ... 1f. Each is
checked here by our code, by tlog-scales and, where Go is, by making it again. docs/spec/log.md
prints them for other implementations.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.conftest import ROOT as REPOSITORY
from tests.gotools import run_go
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as ScalesCheckpoint

from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.cosign import Ed25519Cosigner, MlDsa44Cosigner
from convenio.core.errors import SignatureError
from convenio.core.merkle import EMPTY_ROOT
from convenio.core.note import Ed25519Signer, keyring, verify_note

SEED = bytes(range(32))
PUBLIC_SHA256 = "9f107644c1084526af3bc8098680b05499a2325a644e388fb4f970e058d19d46"
ROOT = hashlib.sha256(b"root").digest()
ORIGIN = "mx.localhost/c/00112233445566778899aabbccddeeff"
MIRROR = "us.localhost/mirror"
AT = 1_633_651_200
FILE = Path(__file__).parent / "cosigned-checkpoint.txt"


@dataclass(frozen=True)
class Vector:
    """key_id: hex. message, blob: SHA-256, hex, of what is signed and of a line's decoded blob."""

    title: str
    name: str
    time: int
    checkpoint: Checkpoint
    key_id: str
    message: str
    blob: str


VECTORS = [
    Vector(
        "a mirror cosigns 70,000 entries",
        MIRROR,
        AT,
        Checkpoint(ORIGIN, 70_000, ROOT),
        "7a82510b",
        "b006a75dc6ea9b4d087c8455c20177e58c2f3ba9c38f208e4675321218ce5d64",
        "fbb16a0d698353b0fb86f7d8005df2206e62a8fb5a7475ffe04a171483f35108",
    ),
    Vector(
        "a log signs its own checkpoint, named by its origin",
        ORIGIN,
        AT,
        Checkpoint(ORIGIN, 70_000, ROOT),
        "c2a52bea",
        "beff23032c547c790bcff2425dd69b5fbfc67011ff0906d544c6f8b65173e335",
        "9b8c807458a3b44c506bfd4363afdf7f50bb7b1e6ece080b9898677120d4328e",
    ),
    Vector(
        "the longest names, the largest size and time",
        "m" * 255,
        2**63 - 1,
        Checkpoint("o" * 255, 2**63 - 1, ROOT),
        "108eeffc",
        "cdecc80e7ad751524a782188c138b609b7f6a63cefdfd97489535ee5832b05eb",
        "ef738a80e4d088fd24c6b5160e936ea75123246d4c1356e5027faf15877188b2",
    ),
    Vector(
        "an empty log at time zero",
        MIRROR,
        0,
        Checkpoint("o", 0, EMPTY_ROOT),
        "7a82510b",
        "941ba1671c4e8f34660cffb6eb795ac20a907cd238eb200c9c8e7eb1bec79435",
        "ed1ab3940ff29f8dd2fea4314525a9015cc3b5df67ea8758931a2167e32204c7",
    ),
]
VECTOR = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.title)

# Ed25519 lines over the first vector's checkpoint by the same seed: log 0x01, mirror 0x04.
PLAIN_KEY_ID, COSIGN_KEY_ID = "54b2c6a8", "6e2e8f4b"
PLAIN_SIGNATURE = (
    "d55fec244df9561229bd76211ba5fa648e0d4f975bec6c03cfbeccd6e8405d0d"
    "319d8182d4f93f669e16e6d6b2d1cf45cb16cc1f5ec7622091c34d417180a207"
)
COSIGNATURE = (
    "ff83e845f04994d263f64d178f3c4b1f2bf751f92def72d9dc3722c2dcfab796"
    "85f591a1f172178414ea17f2b9f4e993bb170a3d75a2beb1fca3b5a8d15fb60d"
)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@VECTOR
def test_the_0x06_key_and_message_are_those_written_down(vector: Vector) -> None:
    verifier = MlDsa44Cosigner(vector.name, SEED).verifier()
    assert _sha256(verifier.public) == PUBLIC_SHA256
    assert verifier.key_id.hex() == vector.key_id
    assert _sha256(verifier.message(vector.checkpoint, vector.time)) == vector.message


@VECTOR
def test_the_specification_prints_what_is_tested(vector: Vector) -> None:
    page = (REPOSITORY / "docs/spec/log.md").read_text("utf-8")
    assert f"| {vector.key_id} | {vector.message} | {vector.blob} |" in page
    assert PUBLIC_SHA256 in page
    if vector is VECTORS[0]:
        message = MlDsa44Cosigner(vector.name, SEED).verifier().message(vector.checkpoint, AT)
        assert message.hex() in "".join(page.split())


@VECTOR
def test_go_makes_the_signature_written_down_and_we_accept_it(vector: Vector) -> None:
    text = vector.checkpoint.text()
    result = run_go("cosign", SEED.hex(), vector.name, str(vector.time), stdin=text)
    made = json.loads(result.stdout)
    blob = base64.b64decode(made["blob"])
    assert _sha256(blob) == vector.blob
    verifier = MlDsa44Cosigner(vector.name, SEED).verifier()
    assert made["vkey"] == verifier.vkey()
    assert verifier.verify_checkpoint(vector.checkpoint, blob[4:]) == vector.time


@VECTOR
def test_tlog_scales_accepts_our_signatures(vector: Vector) -> None:
    for cosigner in (MlDsa44Cosigner(vector.name, SEED), Ed25519Cosigner(vector.name, SEED)):
        line = cosigner.cosign(vector.checkpoint, vector.time)
        note = vector.checkpoint.text() + b"\n" + line.encode()
        ScalesCheckpoint.from_text(note.decode()).verify(Vkey.from_string(cosigner.vkey()))


@VECTOR
@pytest.mark.parametrize("kind", [Ed25519Cosigner, MlDsa44Cosigner])
def test_a_cosignature_binds_log_size_root_and_time(
    vector: Vector, kind: type[Ed25519Cosigner | MlDsa44Cosigner]
) -> None:
    cosigner, checkpoint = kind(vector.name, SEED), vector.checkpoint
    signature = cosigner.cosign(checkpoint, vector.time).signature
    later = (vector.time ^ 1).to_bytes(8, "big") + signature[8:]
    for other, blob in (
        (replace(checkpoint, origin="p"), signature),
        (replace(checkpoint, size=checkpoint.size ^ 1), signature),
        (replace(checkpoint, root=bytes(32)), signature),
        (checkpoint, later),
        (checkpoint, signature[:-1]),
        (checkpoint, signature + b"\0"),
    ):
        with pytest.raises(SignatureError, match=r"cosign\.bad_signature"):
            cosigner.verifier().verify_checkpoint(other, blob)


def test_a_0x06_cosignature_binds_the_cosigners_name_and_a_0x04_does_not() -> None:
    checkpoint = VECTORS[0].checkpoint
    line = MlDsa44Cosigner(MIRROR, SEED).cosign(checkpoint, 1)
    other_pq = MlDsa44Cosigner("else.example/mirror", SEED).verifier()
    with pytest.raises(SignatureError):
        other_pq.verify_checkpoint(checkpoint, line.signature)
    line = Ed25519Cosigner(MIRROR, SEED).cosign(checkpoint, 1)
    other = Ed25519Cosigner("else.example/mirror", SEED).verifier()
    assert other.verify_checkpoint(checkpoint, line.signature) == 1


def test_the_checkpoint_written_down_carries_three_signatures_that_verify() -> None:
    checkpoint, note = parse_signed_checkpoint(FILE.read_bytes())
    assert checkpoint == VECTORS[0].checkpoint
    plain, cosigned, post_quantum = note.lines
    assert (plain.key_id.hex(), plain.signature.hex()) == (PLAIN_KEY_ID, PLAIN_SIGNATURE)
    assert (cosigned.key_id.hex(), cosigned.signature[8:].hex()) == (COSIGN_KEY_ID, COSIGNATURE)
    assert _sha256(post_quantum.key_id + post_quantum.signature) == VECTORS[0].blob
    keys = (
        Ed25519Signer(ORIGIN, SEED).verifier(),
        Ed25519Cosigner(MIRROR, SEED).verifier(),
        MlDsa44Cosigner(MIRROR, SEED).verifier(),
    )
    assert verify_note(note, keyring(*keys)) == keys
