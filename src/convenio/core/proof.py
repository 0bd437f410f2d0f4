"""Proofs that travel alone: an entry is in a log that others have seen (C2SP tlog-proof).

A `.tlog-proof` file holds an index, an inclusion proof and a cosigned checkpoint. It says nothing
until it is held against an entry and a policy; a proof never brings its own policy.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from convenio.core.checkpoint import MAX_CHECKPOINT_BYTES, parse_signed_checkpoint
from convenio.core.encoding import parse_base64, parse_decimal
from convenio.core.errors import MalformedError
from convenio.core.merkle import check_inclusion, format_hashes, parse_hashes
from convenio.core.policy import Policy, Verified

MAX_EXTRA_BYTES: Final = 64 * 1024
MAX_PROOF_BYTES: Final = MAX_CHECKPOINT_BYTES + 2 * MAX_EXTRA_BYTES
_FIRST = b"c2sp.org/tlog-proof@v1\n"


@dataclass(frozen=True, slots=True)
class Proof:
    """An unverified proof. checkpoint: a signed note's bytes. extra: opaque and never trusted."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def encode(self) -> bytes:
        extra = b"extra " + base64.b64encode(self.extra) + b"\n" if self.extra else b""
        index = b"index %d\n" % self.index
        return _FIRST + extra + index + format_hashes(self.hashes) + b"\n" + self.checkpoint


def parse_proof(data: bytes) -> Proof:
    """The proof that `data` writes; its checkpoint is well formed, but nobody's yet.

    Raises:  MalformedError: proof.too_long · proof.first_line · proof.extra · proof.index ·
             proof.hash · proof.no_checkpoint · note.* · checkpoint.*
    Source:  C2SP tlog-proof, Format.
    """
    if len(data) > MAX_PROOF_BYTES:
        raise MalformedError("proof.too_long", max_bytes=MAX_PROOF_BYTES)
    if not data.startswith(_FIRST):
        raise MalformedError("proof.first_line")
    head, blank, checkpoint = data.removeprefix(_FIRST).partition(b"\n\n")
    if not blank:
        raise MalformedError("proof.no_checkpoint")
    lines = head.split(b"\n")
    extra = _extra(lines.pop(0)) if lines[0].startswith(b"extra ") else b""
    if not lines or not lines[0].startswith(b"index "):
        raise MalformedError("proof.index")
    index = parse_decimal(lines[0].removeprefix(b"index "), "proof.index")
    parse_signed_checkpoint(checkpoint)
    return Proof(index, parse_hashes(lines[1:], "proof.hash"), checkpoint, extra)


def _extra(line: bytes) -> bytes:
    extra = parse_base64(line.removeprefix(b"extra "), "proof.extra")
    if not 1 <= len(extra) <= MAX_EXTRA_BYTES:
        raise MalformedError("proof.extra")
    return extra


def verify_proof(proof: Proof, leaf: bytes, policy: Policy) -> Verified:
    """What `policy` believes of the log, once `proof` shows `leaf` (a leaf hash) in it.

    The entry is then known to be at `proof.index`. Times are reported, not judged.
    Raises:  what `Policy.verify` raises · ProofError, as `merkle.check_inclusion`.
    Source:  C2SP tlog-proof, Verifying a tlog proof; step 1 is the caller's.
    """
    verified = policy.verify(proof.checkpoint)  # steps 2 and 3
    size, root = verified.checkpoint.size, verified.checkpoint.root
    check_inclusion(leaf, proof.index, size, proof.hashes, root)  # step 4
    return verified
