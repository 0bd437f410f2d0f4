"""Again: when to send once more what a partner says it lacks, rarer each time.

A partner may say for ever that it lacks our bodies, and be heard of as often as it likes; what that
costs us is bounded here, for each entry by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST_S: Final = 86_400


class Again:
    """What was sent when, and how long to wait from then on: each time twice as long, up to a day.

    A clock set back makes everything due at once: then nothing is known of how long it was.
    """

    __slots__ = ("_first_s", "_sent")

    def __init__(self, first_s: float) -> None:
        """first_s: between the first time and the second."""
        self._first_s = first_s
        self._sent: dict[int, tuple[float, float]] = {}  # index -> when, and how long to wait

    def due(self, lacking: Iterable[int], now: float) -> list[int]:
        """Which of the entries that lack now are to be sent now; others are forgotten."""
        sent = {index: self._sent.get(index) for index in lacking}
        self._sent = {index: known for index, known in sent.items() if known}
        return [
            index
            for index, known in sent.items()
            if known is None or not 0 <= now - known[0] < known[1]
        ]

    def sent(self, index: int, now: float) -> None:
        """This entry's bodies have gone out, or been refused."""
        _, last_s = self._sent.get(index, (0.0, 0.0))
        self._sent[index] = now, min(MOST_S, 2 * last_s or self._first_s)
