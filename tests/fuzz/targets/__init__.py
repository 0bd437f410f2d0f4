"""Every parser of bytes that come from outside, with seeds made by our own encoders.

`covers` names the functions that a target reaches with bytes of a stranger's choice; a test holds
the names against the source, so that a new parser cannot come without a target. One file a room.
"""

from __future__ import annotations

from typing import Final

from tests.fuzz.targets import (
    bundles,
    encodings,
    files,
    instruments,
    logs,
    records,
    sealed,
    trust,
    wire,
)
from tests.fuzz.targets.table import Target

ROOMS: Final = (encodings, logs, records, sealed, trust, wire, bundles, files, instruments)
TARGETS: Final[tuple[Target, ...]] = tuple(target for room in ROOMS for target in room.TARGETS)
