"""The instruments that come with the program. So far one, small: a request and its answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from convenio.core.errors import RefusedError
from convenio.core.fold import FOLD_VERSION
from convenio.core.trust import Charter
from convenio.instruments.model import START, Clock, Instrument, Move

_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S

REQUEST: Final = Instrument(
    name="request",
    opener="asker",
    addressee="asked",
    moves=(
        Move(START, "asker", "ask", "open"),
        Move("open", "asked", "acknowledge", "acknowledged"),
        Move("open", "asked", "answer", "answered"),
        Move("open", "asked", "refuse", "refused"),
        Move("open", "asker", "withdraw", "withdrawn"),
        Move("open", "asker", "lapse", "lapsed", after="acknowledgement"),
        Move("acknowledged", "asked", "answer", "answered"),
        Move("acknowledged", "asked", "refuse", "refused"),
        Move("acknowledged", "asker", "withdraw", "withdrawn"),
        Move("lapsed", "asked", "answer", "answered"),
    ),
    # What was given counts, even if it was taken back unseen; a late word counts before no word.
    race=("answer", "refuse", "acknowledge", "withdraw", "lapse"),
    clocks=(
        Clock(
            name="acknowledgement",
            start="ask",
            fulfilled=("acknowledge", "answer", "refuse"),
            debtor="asked",
            creditor="asker",
            default_s=3 * _DAY_S,
            min_s=_HOUR_S,
            max_s=90 * _DAY_S,
            runs_in=("open", "lapsed"),
            pauses=True,
        ),
    ),
)

BUILTIN: Final = (REQUEST,)


def require_understood(charter: Charter, instruments: Iterable[Instrument] = BUILTIN) -> None:
    """This program has the fold, and among `instruments` is every one that a charter pins.

    Raises:  RefusedError: fold.version · instrument.unknown.
    """
    if charter.fold != FOLD_VERSION:
        raise RefusedError("fold.version", version=charter.fold)
    known = {instrument.hash for instrument in instruments}
    for pinned in sorted(set(charter.instruments.values()) - known):
        raise RefusedError("instrument.unknown", hash=pinned)
