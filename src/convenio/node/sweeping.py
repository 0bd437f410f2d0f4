"""Sweeping: what lies here for nothing is deleted: uploads nobody ends, bodies nobody cites.

A body may come before the entry that cites it. If the entry does not follow in days, the body goes.
Ours are never touched: their record may still be on its way. Nor is anything of a frozen channel,
where what is held is evidence. A body that is deleted all the same before its entry comes is found
lacking when that is folded, said to lack, and sent again: docs/spec/sync.md.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from itertools import islice
from typing import Final

from convenio.core.errors import ConvenioError, MalformedError
from convenio.core.record import parse_record
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.index import Index
from convenio.node.registry import Log, Registry, shelf_of
from convenio.store.api import LogStore
from convenio.store.objects import BlobStore

_log = logging.getLogger("convenio.node")
LOOK_EVERY_S: Final = 86_400  # it reads the name of every body here
TOGETHER: Final = 4096  # bodies looked for in one reading of what is not folded
BATCH: Final = 256  # bodies deleted while the fold waits


class Sweeping:
    """Called by the node's tick, from one thread."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        store: LogStore,
        blobs: BlobStore,
        index: Index,
        taking_in: AbstractContextManager[object],
        clock: Clock,
        limits: Limits,
    ) -> None:
        """taking_in: held by the fold while it looks at new entries and indexes what they cite."""
        self._registry, self._store, self._blobs, self._index = registry, store, blobs, index
        self._taking_in, self._clock, self._limits = taking_in, clock, limits
        self._looked_at: float | None = None

    def sweep(self) -> None:
        """Uploads that sleep are forgotten; once a day, bodies that nothing cites are deleted.

        What the disk refuses is tried again the next time: the node does not end for it.
        """
        try:
            self._blobs.sweep(self._limits.upload_idle_s)
            now = self._clock()
            if self._looked_at is None or not 0 <= now - self._looked_at < LOOK_EVERY_S:
                self._sweep_uncited()
                self._looked_at = now
        except ConvenioError as error:
            _log.error("sweep_failed", extra={"code": error.code})

    def _sweep_uncited(self) -> None:
        for log in self._registry.logs():
            if not log.own and not log.channel.frozen_at:
                swept = self._sweep_shelf(log)
                if swept:
                    _log.info("bodies_swept", extra={"party": log.party, "count": swept})

    def _sweep_shelf(self, log: Log) -> int:
        """Deletes what came long ago and no entry of this log cites. Returns how many."""
        shelf, swept = shelf_of(self._blobs, log), 0
        old = shelf.older_than(self._limits.uncited_body_s)
        while some := list(islice(old, TOGETHER)):
            read_to = self._store.head(log.origin).size
            left = self._not_waiting(log, self._uncited(log, some), 0, read_to)
            for at in range(0, len(left), BATCH):
                swept += self._delete(log, left[at : at + BATCH], read_to)
        return swept

    def _delete(self, log: Log, names: list[str], read_to: int) -> int:
        """Those that are still uncited, also by entries from `read_to` on. Returns how many."""
        shelf = shelf_of(self._blobs, log)
        with self._taking_in:  # what comes from here on is looked at after we are done
            size = self._store.head(log.origin).size
            left = self._not_waiting(log, self._uncited(log, names), read_to, size)
            return sum(shelf.delete(c) for c in left)

    def _uncited(self, log: Log, names: list[str]) -> list[str]:
        return [c for c in names if not self._index.citing(log.channel.ch, log.party, c)]

    def _not_waiting(self, log: Log, names: list[str], start: int, end: int) -> list[str]:
        """Those that no entry of [start, end) names which the index has not yet.

        Entries may wait for another log, for ever and as many as quotas admit: who sends them is
        not to make us hold them all in memory, nor keep the fold waiting while we read them.
        """
        left = set(names)
        if not left:
            return []
        start = max(start, self._index.size(log.channel.ch, log.party))
        for stored in self._store.entries(log.origin, start, end):
            try:
                header = parse_record(stored.entry).header
            except MalformedError:
                continue  # no record: it cites nothing
            left.difference_update(body.c for body in header.bodies)
        return [c for c in names if c in left]
