"""What each member has sent us today, against what the charter allows. In memory, per process."""

from __future__ import annotations

import threading
from typing import Final

from convenio.core.errors import RefusedError
from convenio.node.registry import Log

DAY_S: Final = 86_400


class Quotas:
    """Counts entries and bytes (of entries and bodies) per log and day, UTC."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._used: dict[str, tuple[int, int, int]] = {}

    def count(self, log: Log, entries: int, size: int, now: int) -> None:
        """Raises:  RefusedError: quota.exceeded, until the day is over; nothing is counted."""
        quota, day = log.charter.quota, now // DAY_S
        with self._lock:
            was, had, bytes_had = self._used.get(log.origin, (day, 0, 0))
            if was != day:
                had = bytes_had = 0
            if had + entries > quota.entries_per_day or bytes_had + size > quota.bytes_per_day:
                raise RefusedError("quota.exceeded", entries_per_day=quota.entries_per_day)
            self._used[log.origin] = (day, had + entries, bytes_had + size)
