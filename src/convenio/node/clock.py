"""Time for signing: whole seconds UTC that never run backwards within one log."""

from __future__ import annotations

from collections.abc import Callable

from convenio.core.errors import UnavailableError

Clock = Callable[[], float]


def stamp(now: float, last: int, slack_s: int) -> int:
    """The time to write after `last`: now, or `last` again if the clock stepped back a little.

    Raises:  UnavailableError: clock.backwards, it stepped back by more than `slack_s` seconds.
             Nothing is signed until the clock has caught up: a wrong date cannot be taken back.
    """
    second = int(now)
    if second + slack_s < last:
        raise UnavailableError("clock.backwards", behind_s=last - second)
    return max(second, last)
