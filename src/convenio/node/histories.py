"""Histories: whether what a party signs of its log is one history; and what follows if it is not.

Every signed checkpoint this node meets is compared with what it holds. One that contradicts it is
made into a proof (docs/spec/split.md), kept as evidence, and said as an alarm, once for each log.
One beyond what is held is kept until the log is there. Bounded: `MAX_FOREIGN` kept a log, one proof
a log, and nothing is done again for a log that has its proof.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.errors import SplitViewError
from convenio.core.merkle import EMPTY_ROOT, consistency_proof, implied_root, tree_root
from convenio.core.note import Note
from convenio.core.split import (
    SplitProof,
    empty_split,
    equal_split,
    require_log_signature,
    verify_split,
)
from convenio.node.clock import Clock
from convenio.node.registry import SPLIT_VIEW, Log
from convenio.store.api import MAX_FOREIGN, Head, LogStore


class Histories:
    """Compares, keeps and convicts. Safe from any thread."""

    def __init__(self, store: LogStore, clock: Clock, alarm: Callable[[Log, str], None]) -> None:
        """alarm: called once for each log of which a proof was found, the evidence being kept."""
        self._store, self._clock, self._alarm = store, clock, alarm
        self._lock = threading.RLock()
        self._split = {piece.origin for piece in store.evidence() if piece.kind == SPLIT_VIEW}
        self._foreign: dict[str, dict[int, Head]] = {}

    def is_split(self, log: Log) -> bool:
        """Whether evidence is kept that this log has two histories."""
        return log.origin in self._split

    # --- what is met ---

    def meet(self, log: Log, data: bytes) -> None:
        """A signed checkpoint of `log` was met somewhere: compare it, or keep it for later.

        Raises:  MalformedError · SignatureError: it is not the log's · SplitViewError: it is, and
                 there are two histories.
        """
        checkpoint, note = parse_signed_checkpoint(data)
        keys = log.charter.log_verifiers(log.party)
        require_log_signature(checkpoint, note, keys[0])
        known = {(key.name, key.key_id) for key in keys}
        lines = tuple(line for line in note.lines if (line.name, line.key_id) in known)
        bare = Note(note.text, lines).encode()
        self.compare(log, checkpoint, bare)
        self.keep(log, checkpoint, bare)

    def compare(self, log: Log, checkpoint: Checkpoint, signed: bytes) -> None:
        """A signed root that differs from the one we hold at that size is a second history.

        signed: the checkpoint, its log's signature verified.
        Raises:  SplitViewError: it does, or a proof is kept already.
        """
        if self.is_split(log):
            raise SplitViewError("mirror.split_view", origin=log.origin)
        proof = self._contradiction(log, checkpoint, signed)
        if proof is not None:
            self.accuse(log, proof)
            raise SplitViewError("mirror.split_view", origin=log.origin)

    def disagrees(
        self, log: Log, known: Head, checkpoint: Checkpoint, signed: bytes, proof: Sequence[bytes]
    ) -> None:
        """A larger checkpoint came whose proof does not lead from `known`: convict, or keep it.

        The proof may show what root the larger history had at that size; else we wait until the
        log is as large.
        Raises:  SplitViewError.
        """
        root = implied_root(known.size, checkpoint.size, checkpoint.root, proof)
        if root is not None and root != known.root:
            self.accuse(log, SplitProof(known.checkpoint, signed, root, tuple(proof)))
            raise SplitViewError("mirror.split_view", origin=log.origin)
        self.keep(log, checkpoint, signed)

    def keep(self, log: Log, checkpoint: Checkpoint, signed: bytes) -> None:
        """A checkpoint beyond what we hold is kept until it can be judged.

        Raises:  SplitViewError: the log has come that far since it was compared, and differs.
        """
        with self._lock:
            foreign = self._foreign_of(log)
            if checkpoint.size <= self._store.head(log.origin).size:
                self.compare(log, checkpoint, signed)
                return
            full = len(foreign) >= MAX_FOREIGN and checkpoint.size > max(foreign)
            if checkpoint.size in foreign or full:
                return
            self._store.put_foreign(log.origin, checkpoint.size, checkpoint.root, signed)
            self._foreign.pop(log.origin)

    def reached(self, log: Log) -> None:
        """The log has grown: judge the checkpoints that were waiting for it.

        Raises:  SplitViewError.
        """
        with self._lock:
            foreign = self._foreign_of(log)
            if not foreign or min(foreign) > self._store.head(log.origin).size:
                return
            size = self._store.head(log.origin).size
            self._judge(log, [head for head in foreign.values() if head.size <= size])
            self._store.forget_foreign(log.origin)
            self._foreign.pop(log.origin)
            left = self._foreign_of(log)  # the log may have grown meanwhile, and more be forgotten
            later = [head for head in foreign.values() if head.size > size]
            self._judge(log, [head for head in later if head.size not in left])

    def _judge(self, log: Log, kept: Sequence[Head]) -> None:
        for each in kept:
            self.compare(log, Checkpoint(log.origin, each.size, each.root), each.checkpoint)

    def _foreign_of(self, log: Log) -> dict[int, Head]:
        if log.origin not in self._foreign:
            kept = self._store.foreign(log.origin)
            self._foreign[log.origin] = {head.size: head for head in kept}
        return self._foreign[log.origin]

    # --- what contradicts ---

    def _contradiction(self, log: Log, checkpoint: Checkpoint, signed: bytes) -> SplitProof | None:
        """(1) An empty tree has one root · (2) so has every size we know one of · (3) and every
        size below our head, whose root we make from the entries."""
        size, root = checkpoint.size, checkpoint.root
        if size == 0:  # (1)
            return None if root == EMPTY_ROOT else empty_split(signed)
        head = self._store.head(log.origin)
        for known in self._known(log, head):  # (2)
            if known.size == size and known.root != root:
                return equal_split(known.checkpoint, signed, root)
        if size >= head.size:
            return None
        reader = self._store.reader(log.origin, head.size)  # (3)
        ours = tree_root(size, reader)
        if ours == root:
            return None
        proof = consistency_proof(size, head.size, reader)
        return SplitProof(signed, head.checkpoint, ours, tuple(proof))

    def _known(self, log: Log, head: Head) -> list[Head]:
        pending = [] if log.own else self._store.pending(log.origin)
        with self._lock:
            return [head, *pending, *self._foreign_of(log).values()]

    # --- conviction ---

    def accuse(self, log: Log, proof: SplitProof) -> None:
        """The proof is checked, kept as evidence and said. Nothing happens if one is kept already.

        Raises:  MalformedError · SignatureError · ProofError: it proves nothing.
        """
        with self._lock:
            if self.is_split(log):
                return
            verify_split(proof, log.charter.log_verifiers(log.party)[0])
            now = int(self._clock())
            self._store.put_evidence(log.origin, SPLIT_VIEW, proof.encode(), now)
            try:
                self._alarm(log, SPLIT_VIEW)
            finally:  # also if the freeze could not be written down: the node's tick tries again
                self._split.add(log.origin)
