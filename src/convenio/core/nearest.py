"""What a person may have meant: known names beside the one that was typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

MOST: Final = 8


def nearest(typed: str, names: Iterable[str]) -> str:
    """All of `names` if they are few, else those most like `typed`; '–' if there is none."""
    known = sorted(set(names))
    if len(known) > MOST:
        import difflib  # noqa: PLC0415 - `verify` starts without it

        known = difflib.get_close_matches(typed[:100], known, MOST, 0.3)
    return ", ".join(known) or "–"
