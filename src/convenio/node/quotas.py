"""What each member has sent us today, against what the charter allows. In memory, per process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from convenio.core.errors import RefusedError
from convenio.node.registry import Log

DAY_S: Final = 86_400


class Quotas:
    """Counts entries and bytes (of entries and bodies) per log and day, UTC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, tuple[int, int, int]] = {}

    def count(self, log: Log, size: int, now: int) -> None:
        """`size` bytes of a body may come.

        Raises:  RefusedError: quota.exceeded, until the day is over; nothing is counted.
        """
        quota = log.charter.quota
        with self._lock:
            day, entries, used = self._today(log, now)
            if used + size > quota.bytes_per_day:
                raise RefusedError("quota.exceeded", entries_per_day=quota.entries_per_day)
            self._used[log.origin] = (day, entries, used + size)

    def admit(self, log: Log, sizes: Sequence[int], now: int) -> int:
        """How many of the next entries, of these sizes, may come today; those are counted."""
        quota = log.charter.quota
        with self._lock:
            day, entries, used = self._today(log, now)
            admitted = 0
            for size in sizes:
                if entries >= quota.entries_per_day or used + size > quota.bytes_per_day:
                    break
                admitted, entries, used = admitted + 1, entries + 1, used + size
            self._used[log.origin] = (day, entries, used)
        return admitted

    def _today(self, log: Log, now: int) -> tuple[int, int, int]:
        day = now // DAY_S
        was, entries, used = self._used.get(log.origin, (day, 0, 0))
        return (day, entries, used) if was == day else (day, 0, 0)
