"""Outside: signed checkpoints and proofs that people bring from elsewhere.

A checkpoint out of a newspaper, a receipt or a bundle that somebody was given, a split-view proof
of a third person: each is judged as one that this node meets itself (`histories`), and with the
same consequences. Nothing is believed for who brought it: the log's own signatures decide.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from convenio.core.bundle import Kind, read_bundle, read_member
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.errors import MalformedError, SplitViewError, UnverifiedError
from convenio.core.proof import MAX_PROOF_BYTES, parse_proof
from convenio.core.split import parse_split, require_log_signature
from convenio.node.histories import Histories
from convenio.node.registry import Log, Registry
from convenio.store.api import LogStore

_PROOF: Final = b"c2sp.org/tlog-proof@"


class Found(StrEnum):
    """What a checkpoint from outside comes to."""

    SAME = "same"  # of the history held here
    AHEAD = "ahead"  # of more than is held here: kept, and judged when the log is as long
    CROWDED = "crowded"  # ahead too, and not kept: as many that are nearer are kept already
    SPLIT = "split"  # of another history: the proof is kept, the channel frozen


@dataclass(frozen=True, slots=True)
class Compared:
    """One checkpoint. size: its own; held: of our copy, both in entries."""

    log: Log
    size: int
    held: int
    found: Found


class Outside:
    """Judges what people bring. Raises what `Histories.meet` raises, but for two histories, which
    are what it is asked for."""

    def __init__(self, registry: Registry, store: LogStore, histories: Histories) -> None:
        self._registry, self._store, self._histories = registry, store, histories

    def compare(self, file: BinaryIO) -> list[Compared]:
        """Every checkpoint in a signed checkpoint, .tlog-proof or bundle; or a split-view proof.

        Nothing is judged unless all of them are signed by logs that are known here.
        Raises:  MalformedError: compare.nothing, no checkpoint is in it, and those of the formats ·
                 UnverifiedError: compare.unknown_log · compare.own_ahead, our own log was longer
                 than it is · SignatureError · ProofError: split.no_contradiction.
        """
        head = file.read(64)
        file.seek(0)
        if head.startswith(b"PK"):
            met = {parse_signed_checkpoint(data)[0]: data for data in _checkpoints_in(file)}
            if not met:
                raise MalformedError("compare.nothing")
            return self._judge_all(list(met.values()))
        data = file.read(MAX_PROOF_BYTES + 1)
        if data.startswith(b"{"):
            if b'"kind":"split"' not in data:  # as canonical JSON writes it
                raise MalformedError("compare.nothing")
            return [self._accuse(data)]
        return self._judge_all([parse_proof(data).checkpoint if data.startswith(_PROOF) else data])

    def _judge_all(self, met: list[bytes]) -> list[Compared]:
        checked = [self._checked(data) for data in met]
        return [
            self._judge(log, size, data) for (log, size), data in zip(checked, met, strict=True)
        ]

    def _checked(self, data: bytes) -> tuple[Log, int]:
        """The log that has signed this checkpoint, and the checkpoint's size."""
        checkpoint, note = parse_signed_checkpoint(data)
        log = self._log(checkpoint)
        require_log_signature(checkpoint, note, log.charter.log_verifiers(log.party)[0])
        held = self._store.head(log.origin).size
        if log.own and checkpoint.size > held:  # never kept: we must not sign our way up to it
            raise UnverifiedError("compare.own_ahead", size=checkpoint.size, ours=held)
        return log, checkpoint.size

    def _judge(self, log: Log, size: int, data: bytes) -> Compared:
        held = self._store.head(log.origin).size
        try:
            self._histories.meet(log, data)
        except SplitViewError:
            return Compared(log, size, held, Found.SPLIT)
        return Compared(log, size, held, self._place(log, size, held))

    def _place(self, log: Log, size: int, held: int) -> Found:
        if size <= held:
            return Found.SAME
        kept = size in {head.size for head in self._store.foreign(log.origin)}
        reached = size <= self._store.head(log.origin).size  # it came meanwhile, and was compared
        return Found.AHEAD if kept or reached else Found.CROWDED

    def _accuse(self, data: bytes) -> Compared:
        proof = parse_split(data)
        checkpoint, _ = parse_signed_checkpoint(proof.larger)
        log = self._log(checkpoint)
        self._histories.accuse(log, proof)
        held = self._store.head(log.origin).size
        return Compared(log, checkpoint.size, held, Found.SPLIT)

    def _log(self, checkpoint: Checkpoint) -> Log:
        log = self._registry.log(checkpoint.origin)
        if log is None:
            raise UnverifiedError("compare.unknown_log", origin=checkpoint.origin)
        return log


def _checkpoints_in(file: BinaryIO) -> Iterator[bytes]:
    """Those of the proofs in a bundle."""
    source = _Opened(file)
    for member in read_bundle(source):
        if member.name.kind is Kind.PROOF:
            yield parse_proof(b"".join(read_member(source, member))).checkpoint


class _Opened:
    """An open file as a `bundle.Source`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size

    def read(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)
