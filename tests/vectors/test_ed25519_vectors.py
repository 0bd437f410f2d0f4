"""The one Ed25519 rule, held against C2SP/CCTV ed25519/ed25519vectors.json @1e3d286 (914 vectors).

All 914 satisfy the loosest reading of RFC 8032 (cofactored, any encoding). libsodium's rule refuses
small-order and non-canonical keys and points and does not multiply by the cofactor, which the flags
of a vector say of it.
"""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from convenio.core.note import ed25519_verify

REFUSED = {
    "low_order_A",
    "low_order_R",
    "non_canonical_A",
    "non_canonical_R",
    "low_order_residue",
}


def _openssl_accepts(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def test_each_vector_is_judged_by_the_rule_of_libsodium(shared: Path) -> None:
    vectors = json.loads((shared / "data/vectors/ed25519/ed25519vectors.json").read_bytes())
    assert len(vectors) == 914
    accepted = looser = 0
    for vector in vectors:
        public, signature = bytes.fromhex(vector["key"]), bytes.fromhex(vector["sig"])
        message = vector["msg"].encode()
        ours = ed25519_verify(public, message, signature)
        assert ours == (not REFUSED & set(vector["flags"] or ())), vector["number"]
        openssl = _openssl_accepts(public, message, signature)
        assert openssl or not ours
        accepted += ours
        looser += openssl and not ours
    assert (accepted, looser) == (43, 165)
