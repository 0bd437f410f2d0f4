"""All small logs of two parties in one case: every act, every claim of what was seen.

One asks, then both say a few things more. A claim may be smaller than an earlier one: a liar's.
Nobody needs to be sent less than all, for each closed part of these logs is what some node holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

from tests.property.channel import Channel, Roots, Seen

from convenio.core.merkle import leaf_hash
from convenio.core.record import RECEIVED, PartyId
from convenio.instruments.builtin import REQUEST

MX, US = PartyId("mx"), PartyId("us")
START, HOUR = 1_700_000_000, 3600
Choice = tuple[
    str, int
]  # an act ("" for a mere `received.v1`), and how much it claims to have seen


@dataclass
class SmallLogs:
    """Logs of `mx`, which asks first, and of `us`. Times run on: two hours between entries."""

    channel: Channel = field(default_factory=lambda: Channel((MX, US)))
    _made: dict[tuple[object, ...], bytes] = field(default_factory=dict)

    def all(
        self, mx_acts: Sequence[str], us_acts: Sequence[str], mx_more: int, us_more: int
    ) -> Iterator[tuple[dict[PartyId, list[bytes]], Roots]]:
        """Every pair of logs in which mx says `mx_more` after asking, and us says `us_more`."""
        mx_choices = list(product(mx_acts, range(us_more + 1)))
        us_choices = list(product(us_acts, range(mx_more + 2)))
        for mx_said in product(mx_choices, repeat=mx_more):
            for us_said in product(us_choices, repeat=us_more):
                made = self._logs((("ask", 0), *mx_said), us_said)
                if made:
                    yield made

    def _logs(
        self, mx_said: Sequence[Choice], us_said: Sequence[Choice]
    ) -> tuple[dict[PartyId, list[bytes]], Roots] | None:
        """These two logs; None if each waits for the other, for hashes allow no circle."""
        said, logs, roots = {MX: mx_said, US: us_said}, {MX: list[bytes](), US: []}, Roots((MX, US))
        moved = True
        while moved:
            moved = False
            for party, other in ((MX, US), (US, MX)):
                index = len(logs[party])
                if index < len(said[party]) and said[party][index][1] <= len(logs[other]):
                    act, size = said[party][index]
                    seen = {other: (size, roots.at(other, size).hex())} if size else {}
                    entry = self._entry(party, index, act, seen)
                    logs[party].append(entry)
                    roots.append(party, entry)
                    moved = True
        whole = all(len(logs[party]) == len(said[party]) for party in logs)
        return (logs, roots) if whole else None

    def _entry(self, party: PartyId, index: int, act: str, seen: Seen) -> bytes:
        key = (party, index, act, *seen.values())
        if key not in self._made:
            at = START + index * 2 * HOUR + (HOUR if party == US else 0)
            header = self.channel.header(party, index, at, seen, **self._fields(act))
            self._made[key] = self.channel.sign(header)
        return self._made[key]

    def _fields(self, act: str) -> dict[str, Any]:
        if act == "ask":
            return {"inst": REQUEST.hash, "act": act, "to": (US,), "due_in": HOUR}
        return {"case": self.opening.hex(), "act": act} if act else {"kind": RECEIVED}

    @cached_property
    def opening(self) -> bytes:
        """The leaf hash of the one opening there is."""
        return leaf_hash(self._entry(MX, 0, "ask", {}))
