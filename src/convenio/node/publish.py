"""Publishing: the log's own ML-DSA-44 line is added to a committed checkpoint before others see it.

It is no part of the commit, for it is slow; a checkpoint without it is durable, and not yet shown.
"""

from __future__ import annotations

import threading

from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import ConflictError
from convenio.core.note import Note, SignatureLine
from convenio.node.clock import Clock
from convenio.node.keys import NodeKeys
from convenio.store.api import Cosigned, Head, LogStore


class Publisher:
    """Completes our checkpoints. The lines stay, so that any published size can be shown again."""

    def __init__(self, store: LogStore, keys: NodeKeys, clock: Clock) -> None:
        self._store, self._keys, self._clock = store, keys, clock
        self._locks: dict[str, threading.Lock] = {}

    def publish(self, origin: str) -> Head:
        """The head of our log, signed with both of the log's keys; Head of size 0 if empty."""
        while True:
            head = self._store.head(origin)
            if head.size == 0 or self._complete(origin, head):
                return head
            with self._locks.setdefault(origin, threading.Lock()):
                head = self._store.head(origin)
                if self._complete(origin, head):
                    return head
                try:
                    self._add_line(origin, head)
                except ConflictError:
                    continue  # the log has grown meanwhile

    def _complete(self, origin: str, head: Head) -> bool:
        _, note = parse_signed_checkpoint(head.checkpoint)
        return any(line.key_id == self._key_id(origin) for line in note.lines)

    def _key_id(self, origin: str) -> bytes:
        return self._keys.log_cosigner(origin).key_id

    def _add_line(self, origin: str, head: Head) -> None:
        checkpoint, note = parse_signed_checkpoint(head.checkpoint)
        now = int(self._clock())
        made = self._keys.log_cosigner(origin).cosign(checkpoint, now)
        whole = Note(note.text, (*note.lines, made))
        for line in whole.lines:
            self._store.put_cosignature(origin, self._kept(head, line, now))
        self._store.replace_checkpoint(origin, head.size, whole.encode())

    @staticmethod
    def _kept(head: Head, line: SignatureLine, now: int) -> Cosigned:
        return Cosigned(
            size=head.size,
            root=head.root,
            name=line.name,
            key_id=line.key_id,
            line=line.encode(),
            at=now,
            taken_at=now,
            flagged=False,
        )
