"""Work spread over the processor's cores: signatures are checked outside Python's own lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

Part = TypeVar("Part")
Done = TypeVar("Done")
_MOST: Final = 4  # a node is not alone on its machine


class Cores:
    """As many threads as there are cores for us, up to four; with one core, none. To be closed."""

    def __init__(self) -> None:
        self._count = min(os.cpu_count() or 1, _MOST)
        self._pool: ThreadPoolExecutor | None = None

    def spread(self, work: Callable[[Part], Done], parts: Sequence[Part]) -> Iterable[Done]:
        """What `map` gives, in the same order; an error of `work` is raised here."""
        if self._count < 2 or len(parts) < 2:
            return map(work, parts)
        return self._started().map(work, parts)

    def _started(self) -> ThreadPoolExecutor:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - `verify` starts sooner

        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._count, "cores")
        return self._pool

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
