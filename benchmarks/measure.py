"""Measuring in turns, and the row that comes of it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. value, limit: in `unit`. bar: what the ratio, or else the value, must reach.

    better: `more` if a high value is good, `less` if a low one is.
    """

    code: str
    value: float
    unit: str
    limit_code: str = ""
    limit: float = 0.0
    bar: float = 0.0
    better: str = "more"

    @property
    def ratio(self) -> float | None:
        return self.value / self.limit if self.limit else None

    @property
    def held(self) -> bool | None:
        """Whether the bar is reached; None if there is none."""
        if not self.bar:
            return None
        shown = self.ratio if self.ratio is not None else self.value
        return shown >= self.bar if self.better == "more" else shown <= self.bar

    def plain(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio, "held": self.held}


def rate(count: int, work: Callable[[], object]) -> float:
    """How many a second, if `work` does `count`."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def in_turns(rounds: int, *measures: Callable[[], float]) -> list[float]:
    """Each measure once a round, in turn; the median of each."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return [statistics.median(values) for values in found]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
