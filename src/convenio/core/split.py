"""Split-view proofs: two histories one party has signed, shown by nothing but its own signatures.

The proof holds two signed checkpoints of one log. Let the smaller be (m, a) and the larger (n, b).
It also holds the root r that the larger history had at size m, with the consistency proof from
(m, r) to (n, b). If r differs from a, the party has signed two histories. Anybody can check it
offline. Format: docs/spec/split.md.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from convenio.core import canon
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError, ProofError, SignatureError
from convenio.core.merkle import EMPTY_ROOT, check_consistency
from convenio.core.note import Note, Verifier, keyring, verify_note

MAX_SPLIT_BYTES: Final = 64 * 1024
_FIELDS: Final = {"kind", "v", "smaller", "larger", "root", "proof"}


@dataclass(frozen=True, slots=True)
class SplitProof:
    """smaller, larger: signed checkpoints. root: of the larger history at the smaller's size."""

    smaller: bytes
    larger: bytes
    root: bytes
    proof: tuple[bytes, ...]

    def encode(self) -> bytes:
        value: canon.Object = {
            "kind": "split",
            "v": 1,
            "smaller": self.smaller.decode(),
            "larger": self.larger.decode(),
            "root": base64.b64encode(self.root).decode(),
            "proof": [base64.b64encode(each).decode() for each in self.proof],
        }
        return canon.dumps(value) + b"\n"

    def bare(self, log: Verifier) -> SplitProof:
        """The same proof with nothing but the lines of `log`: about 5 KB at most."""
        smaller, larger = _bare(self.smaller, log), _bare(self.larger, log)
        return SplitProof(smaller, larger, self.root, self.proof)


def parse_split(data: bytes) -> SplitProof:
    """The proof that `data` writes, unverified.  Raises:  MalformedError: split.format."""
    value = canon.loads(data.removesuffix(b"\n"), MAX_SPLIT_BYTES)
    if value.keys() != _FIELDS or value["kind"] != "split" or value["v"] != 1:
        raise MalformedError("split.format")
    hashes = value["proof"]
    if type(hashes) is not list or len(hashes) > 63:
        raise MalformedError("split.format")
    proof = SplitProof(
        smaller=_string(value["smaller"]).encode(),
        larger=_string(value["larger"]).encode(),
        root=_hash(value["root"]),
        proof=tuple(map(_hash, hashes)),
    )
    if proof.encode() != data:
        raise MalformedError("split.format")
    return proof


def verify_split(proof: SplitProof, log: Verifier) -> tuple[Checkpoint, Checkpoint]:
    """The two contradicting checkpoints, if the proof holds against the owner of `log`.

    Raises:  MalformedError · SignatureError: a checkpoint is not the log's · ProofError:
             split.no_contradiction, or the root does not lead to the larger checkpoint.
    """
    smaller, larger = _signed(proof.smaller, log), _signed(proof.larger, log)
    if smaller.origin != larger.origin or smaller.size > larger.size or proof.root == smaller.root:
        raise ProofError("split.no_contradiction")
    if larger.size == 0:  # what is empty has one root, and no other history to be shown
        if proof.root != EMPTY_ROOT or proof.proof:
            raise ProofError("split.no_contradiction")
    else:
        check_consistency(smaller.size, proof.root, larger.size, larger.root, list(proof.proof))
    return smaller, larger


def empty_split(signed: bytes) -> SplitProof:
    """The proof against whoever signed a checkpoint of size 0 with a root that is not the empty
    tree's: it contradicts itself, and so stands for both."""
    return SplitProof(signed, signed, EMPTY_ROOT, ())


def equal_split(one: bytes, other: bytes, root: bytes) -> SplitProof:
    """The proof made of two checkpoints of one size; root: that of `other`."""
    return SplitProof(one, other, root, ())


def split_data(of: str, proof: SplitProof, log: Verifier) -> canon.Object:
    """What `split.v1` says: `of` is the party that keeps `log`."""
    return {"of": of, "proof": base64.b64encode(proof.bare(log).encode()).decode()}


def parse_split_data(data: canon.Object) -> SplitProof:
    """The proof that a `split.v1` carries, unverified.  Raises:  MalformedError: split.format."""
    return parse_split(parse_base64(_string(data["proof"]).encode(), "split.format"))


def _signed(data: bytes, log: Verifier) -> Checkpoint:
    checkpoint, note = parse_signed_checkpoint(data)
    require_log_signature(checkpoint, note, log)
    return checkpoint


def require_log_signature(checkpoint: Checkpoint, note: Note, log: Verifier) -> None:
    """`log` signed this checkpoint, under the name that is its origin.  Raises:  SignatureError."""
    if checkpoint.origin != log.name:
        raise SignatureError("checkpoint.other_log", origin=checkpoint.origin)
    verify_note(note, keyring(log))


def _bare(data: bytes, log: Verifier) -> bytes:
    _, note = parse_signed_checkpoint(data)
    lines = tuple(n for n in note.lines if (n.name, n.key_id) == (log.name, log.key_id))
    return Note(note.text, lines).encode()


def _string(value: canon.Json) -> str:
    if type(value) is not str:
        raise MalformedError("split.format")
    return value


def _hash(value: canon.Json) -> bytes:
    text = _string(value)
    raw = parse_base64(text.encode(), "split.format")
    if len(raw) != 32 or not text.isascii():
        raise MalformedError("split.format")
    return raw
