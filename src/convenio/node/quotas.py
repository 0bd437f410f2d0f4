"""What each member has sent us today, against what the charter allows; a restart forgets nothing.

Counted in memory, for each log and day (UTC). The node's own `counts.db` holds for each a number
not below what was counted: it is raised by a 256th of the quota at a time, before what it covers is
let in, and set right at the end. So a day costs some hundred small writes however much comes, and
a node that is killed counts at most a 256th too much, never less.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from convenio.core.errors import RefusedError, UnavailableError
from convenio.node.registry import Log
from convenio.store.database import Database
from convenio.store.derived import open_derived

DAY_S: Final = 86_400
STEPS: Final = 256  # writes for a whole quota
MAX_DAYS: Final = 8  # kept of each log: a clock that is set back finds what was counted
_SCRIPT: Final = """
CREATE TABLE used (origin TEXT NOT NULL, day INTEGER NOT NULL, entries INTEGER NOT NULL,
  bytes INTEGER NOT NULL, PRIMARY KEY (origin, day)) STRICT, WITHOUT ROWID;
"""
VERSION: Final = 1
KIND: Final = 0x636F6E51


@dataclass(slots=True)
class _Day:
    """Of one log and day: what has come, and what is written down as having come."""

    entries: int = 0
    used: int = 0
    kept: tuple[int, int] = (0, 0)


class Quotas:
    """Counts entries and bytes (of entries and bodies) per log and day. Safe from any thread."""

    def __init__(self, database: Database | None = None) -> None:
        """database: where counts outlive the process; None, nowhere."""
        self._lock = threading.Lock()
        self._database = database
        self._days: dict[tuple[str, int], _Day] = {}

    @classmethod
    def open(cls, path: Path) -> tuple[Quotas, str]:
        """The counts at `path`, begun anew where there are none; see `open_derived`."""
        database, kept = open_derived(path, _SCRIPT, VERSION, KIND)
        return cls(database), kept

    def close(self) -> None:
        """What is written down is what was counted; if that cannot be, a little more."""
        if self._database is None:
            return
        with self._lock, contextlib.suppress(UnavailableError):
            for (origin, day), counted in self._days.items():
                if counted.kept != (counted.entries, counted.used):
                    self._write(origin, day, counted, (counted.entries, counted.used))
        self._database.close()

    def count(self, log: Log, size: int, now: int) -> None:
        """`size` bytes of a body may come.

        Raises:  RefusedError: quota.exceeded, until the day is over; nothing is counted ·
                 UnavailableError: store.*, it cannot be written down; nothing may come.
        """
        quota = log.charter.quota
        with self._lock:
            today = self._today(log, now)
            if today.used + size > quota.bytes_per_day:
                raise RefusedError("quota.exceeded", entries_per_day=quota.entries_per_day)
            self._keep(log, now, today.entries, today.used + size)

    def admit(self, log: Log, sizes: Sequence[int], now: int) -> int:
        """How many of the next entries, of these sizes, may come today; those are counted.

        Raises:  UnavailableError: store.*, it cannot be written down; none may come.
        """
        quota = log.charter.quota
        with self._lock:
            today = self._today(log, now)
            admitted, entries, used = 0, today.entries, today.used
            for size in sizes:
                if entries >= quota.entries_per_day or used + size > quota.bytes_per_day:
                    break
                admitted, entries, used = admitted + 1, entries + 1, used + size
            self._keep(log, now, entries, used)
        return admitted

    def _today(self, log: Log, now: int) -> _Day:
        """By the day of `now`: a clock that is set back or forth loses no count."""
        key = (log.origin, now // DAY_S)
        if key not in self._days:
            self._days[key] = self._read(*key)
            same = sorted(day for origin, day in self._days if origin == log.origin)
            for day in same[:-MAX_DAYS]:
                if day != key[1]:
                    del self._days[log.origin, day]
        return self._days[key]

    def _keep(self, log: Log, now: int, entries: int, used: int) -> None:
        """Write down first, if need be; then count."""
        day = now // DAY_S
        today, quota = self._days[log.origin, day], log.charter.quota
        if self._database is not None and (entries > today.kept[0] or used > today.kept[1]):
            ahead = (
                min(entries + quota.entries_per_day // STEPS, quota.entries_per_day),
                min(used + quota.bytes_per_day // STEPS, quota.bytes_per_day),
            )
            self._write(log.origin, day, today, ahead)
        today.entries, today.used = entries, used

    def _read(self, origin: str, day: int) -> _Day:
        if self._database is None:
            return _Day()
        sql = "SELECT entries, bytes FROM used WHERE origin = ? AND day = ?"
        rows = self._database.read(sql, origin, day)
        entries, used = rows[0] if rows else (0, 0)
        return _Day(entries, used, (entries, used))

    def _write(self, origin: str, day: int, counted: _Day, kept: tuple[int, int]) -> None:
        if self._database is None:
            return
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO used VALUES (?, ?, ?, ?)", (origin, day, *kept))
            db.execute(
                "DELETE FROM used WHERE origin = ? AND day <> ? AND day NOT IN"
                " (SELECT day FROM used WHERE origin = ? ORDER BY day DESC LIMIT ?)",
                (origin, day, origin, MAX_DAYS),
            )
        counted.kept = kept
