"""One party's log as the fold keeps it: what is folded in a few columns, what waits in a queue."""

from __future__ import annotations

from array import array
from collections import deque
from dataclasses import dataclass
from typing import Final

from convenio.core.faults import Faults
from convenio.core.fit import Fit, LogState, Opened, Unfit
from convenio.core.hashindex import HashIndex
from convenio.core.place import Alarm, Wait
from convenio.core.record import PartyId

FIT: Final = 1
VOID: Final = 2
SAYS_RECEIVED: Final = 4


@dataclass(slots=True)
class Head:
    """The first entry of a log that is not folded yet, judged."""

    leaf: bytes
    verdict: Fit | Unfit
    checked: bool = False  # every root it cites whose size is held


Waiting = tuple[bytes, bool, str]  # an entry, whether its signatures are checked, unfit code


class FoldedLog:
    """One party's log as folded: a few small columns, one row an entry."""

    __slots__ = (
        "alarm",
        "at",
        "flags",
        "head",
        "held",
        "leaves",
        "opened",
        "order",
        "party",
        "past",
        "queue",
        "row",
        "seen",
        "spoke",
        "state",
        "unfit",
        "wait",
    )

    def __init__(self, party: PartyId, order: int, members: int) -> None:
        self.party = party
        self.order = order
        self.held = 0
        self.queue: deque[Waiting] = deque()
        self.opened: deque[Opened] = deque()  # the first of the queue
        self.head: Head | None = None
        self.wait: Wait | None = None
        self.alarm: Alarm | None = None
        self.state = LogState()
        self.unfit = Faults()
        self.spoke = 0  # its size behind its last fit entry that is no `received.v1`
        self.leaves = HashIndex()
        self.flags = bytearray()
        self.at = array("q")  # of the entry if fit, else of the last fit one before
        # past[y][i]: how many entries of log y are before entry i. Never falls.
        self.past = [array("I") for _ in range(members)]
        self.row = [0] * members  # what is before the next entry, if it sees nothing more
        self.seen: dict[PartyId, tuple[int, str]] = {}  # the last claim found true, for each log

    @property
    def size(self) -> int:
        return len(self.flags)

    def append(self, leaf: bytes | None, flags: int) -> None:
        """Add a row; leaf None if the entry is unfit, which nobody can cite."""
        self.leaves.add(leaf) if leaf else self.leaves.skip()
        self.flags.append(flags)
        self.at.append(self.state.at)
        for column, size in zip(self.past, self.row, strict=True):
            column.append(size)
        self.row[self.order] = self.size
        if flags & FIT and not flags & SAYS_RECEIVED:
            self.spoke = self.size
        self.head = None
        self.wait = None

    def stop(self, alarm: Alarm) -> None:
        """Nothing of this log is folded from here on."""
        self.alarm = alarm
        self.head = None
        self.wait = None
        self.queue.clear()
        self.opened.clear()
