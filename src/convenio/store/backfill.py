"""Backfill: committed pages go from SQLite's write-ahead log to their place, in a thread.

A commit is durable once it is in the write-ahead log. What remains, copying the pages and waiting
for the disk once more, is nobody's business who waits for a commit.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Protocol, Self

from convenio.core.errors import UnavailableError

EVERY_S: Final = 1.0


class Fillable(Protocol):
    def backfill(self) -> None: ...


class Backfill:
    """Copies every second until `stop`, which is called before the store is closed."""

    def __init__(
        self,
        store: Fillable,
        failed: Callable[[Exception], None] = lambda _error: None,
        every_s: float = EVERY_S,
    ) -> None:
        """failed: told of what is our own fault; the thread has ended then.

        What the disk says is the store's to tell: it is dead, or the next write meets the same.
        """
        self._store, self._failed, self._every_s = store, failed, every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="backfill", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                with suppress(UnavailableError):
                    self._store.backfill()
            except Exception as error:
                self._failed(error)
                return
