"""Checkpoints: who signed, who cosigned and when; and whether two of them contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from convenio.core.card import Card
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.cosign import CosignVerifier
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    ProofError,
    SignatureError,
    SplitViewError,
    UnverifiedError,
)
from convenio.core.merkle import Reader, check_consistency, consistency_proof, tree_root
from convenio.core.note import Note, SignatureLine, keyring, verify_note
from convenio.core.split import SplitProof
from convenio.node.verify.keys import Keys
from convenio.node.verify.report import Check, Findings, HeldFact

MAX_SKEW_S: Final = 300
_Lines = dict[tuple[str, bytes], SignatureLine]


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as far as its signatures carry. party: '' if no charter names its log."""

    checkpoint: Checkpoint
    party: str
    held: tuple[HeldFact, ...]
    data: bytes


class Checkpoints:
    """Checks checkpoints and remembers those that are signed, to compare them."""

    def __init__(self, keys: Keys, now: int, findings: Findings) -> None:
        """now: seconds UTC."""
        self._keys, self._now, self._findings = keys, now, findings
        self._met: dict[str, dict[int, Signed]] = {}
        self.evidence: list[bytes] = []

    def check(self, data: bytes, subject: str) -> Signed | None:
        """The checkpoint in `data`; None if it is unreadable, or not signed as it must be.

        (1) a policy, if that is what is trusted, is met; else, by the charter, (2) the origin is
        that of a member's log, (3) both keys of the log signed, (4) what mirrors signed holds and
        is dated; and (5) nothing the same log signed contradicts it.
        """
        try:
            checkpoint, note = parse_signed_checkpoint(data)
            held = self._by_policy(data)  # (1)
            party, lines = self._by_log(checkpoint, note)  # (2, 3)
        except ConvenioError as error:
            self._findings.fails(self._check, subject, error)
            return None
        if not party and not self._keys.policy:
            self._findings.notes(Check.NO_KEYS, subject)
            return Signed(checkpoint, party, (), data)
        self._findings.holds(self._check, subject, origin=checkpoint.origin)
        if party:
            held = self._by_mirrors(checkpoint, party, lines, subject)  # (4)
        signed = Signed(checkpoint, party, held, data)
        self._compare(signed)  # (5)
        return signed

    @property
    def _check(self) -> Check:
        """Which signatures are asked for: those of a policy, or the log's own."""
        return Check.QUORUM if self._keys.policy else Check.LOG

    def _by_policy(self, data: bytes) -> tuple[HeldFact, ...]:
        if self._keys.policy is None:
            return ()
        cosigned_at = self._keys.policy.verify(data).cosigned_at
        for at in cosigned_at.values():
            self._check_time(at)
        return tuple(HeldFact(name, at) for name, at in cosigned_at.items())

    def _by_log(self, checkpoint: Checkpoint, note: Note) -> tuple[str, _Lines]:
        """The party whose log this is, and the lines under its two; no party without a charter."""
        lines: _Lines = {}
        for line in note.lines:
            lines.setdefault((line.name, line.key_id), line)
        charter = self._keys.charter
        if charter is None:
            return "", lines
        party = charter.party_of(checkpoint.origin)
        if party is None:
            raise UnverifiedError("verify.other_log", origin=checkpoint.origin)
        keys = charter.log_verifiers(party)
        if not all(lines.pop((key.name, key.key_id), None) for key in keys):
            raise SignatureError("verify.log_line", origin=checkpoint.origin)
        verify_note(note, keyring(*keys))
        return party, lines

    def _by_mirrors(
        self, checkpoint: Checkpoint, party: str, lines: _Lines, subject: str
    ) -> tuple[HeldFact, ...]:
        held = []
        for card in self._keys.charter.parties if self._keys.charter else ():
            present = [
                (key, line)
                for key in card.mirror_verifiers()
                if (line := lines.pop((key.name, key.key_id), None)) and card.party != party
            ]
            if present:
                with self._findings.checking(Check.COSIGNATURE, subject, party=card.party):
                    held += self._times(checkpoint, card, present)
        for name, _ in lines:
            self._findings.notes(Check.UNKNOWN_KEY, subject, key=name)
        return tuple(held)

    def _times(
        self, checkpoint: Checkpoint, card: Card, lines: list[tuple[CosignVerifier, SignatureLine]]
    ) -> list[HeldFact]:
        """When this mirror cosigned. Only its ML-DSA-44 line counts, but none may be wrong."""
        held = []
        for key, line in lines:
            at = key.verify_checkpoint(checkpoint, line.signature)
            self._check_time(at)
            if key == card.mirror_verifiers()[0]:
                held.append(HeldFact(card.party, at))
        if not held:
            raise SignatureError("verify.not_cosigned", party=card.party)
        return held

    def _check_time(self, at: int) -> None:
        if at == 0:
            raise UnverifiedError("verify.no_time")
        if at > self._now + MAX_SKEW_S:
            raise UnverifiedError("verify.future", at=at)

    # --- contradictions ---

    def _compare(self, signed: Signed) -> None:
        """Two roots of one size, both signed by the log, are a proof by themselves."""
        known = self._met.setdefault(signed.checkpoint.origin, {})
        other = known.setdefault(signed.checkpoint.size, signed)
        if other.checkpoint.root != signed.checkpoint.root:
            root = signed.checkpoint.root
            self._split(signed, SplitProof(other.data, signed.data, root, ()))

    def compare_with_tree(self, larger: Signed, reader: Reader, subject: str) -> None:
        """Every smaller checkpoint that was met of this log is one of its earlier states.

        reader: over the whole tree of `larger`. It is asked again, and may answer otherwise than
        before: nobody is accused of anything that its own signatures do not prove.
        """
        whole = larger.checkpoint
        for size, smaller in sorted(self._met.get(whole.origin, {}).items()):
            if not 0 < size < whole.size:
                continue
            try:
                root = tree_root(size, reader)
                if root != smaller.checkpoint.root:
                    proof = tuple(consistency_proof(size, whole.size, reader))
                    check_consistency(size, root, whole.size, whole.root, proof)
                    self._split(larger, SplitProof(smaller.data, larger.data, root, proof))
            except (MalformedError, ProofError) as error:
                self._findings.fails(Check.TILES, subject, error)

    def _split(self, signed: Signed, proof: SplitProof) -> None:
        origin = signed.checkpoint.origin
        self.evidence.append(proof.encode())
        self._findings.fails(Check.SPLIT, origin, SplitViewError("verify.split", origin=origin))
