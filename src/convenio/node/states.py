"""Whether the members come to the same states from the same entries (docs/spec/fold.md, Digest).

About once an hour a node's `received.v1` says what all cases of the channel come to at a cut. Each
other node computes the same; a difference is an alarm: one of the two runs another program than it
says, or somebody has touched it. It concerns nobody's honesty alone, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, cast

from convenio.core.canon import Object
from convenio.core.fold import FOLD_VERSION
from convenio.core.place import Folded
from convenio.core.record import RECEIVED, PartyId
from convenio.instruments.cases import Casebook

EVERY_S: Final = 3600  # between two digests of ours, and between two comparisons with one party
MAX_CASES: Final = 20_000  # every case is walked for a digest: above this a node says none
Said = tuple[dict[PartyId, int], str]  # a cut, and the digest of the states at it


@dataclass(slots=True)
class States:
    """One channel's digests. To be used under the lock of its fold.

    said_at: of our last digest, as our log tells. heard: the newest of each other that is not
    compared yet. compared_at: by our clock. differ: whose newest digest is not what we compute.
    """

    book: Casebook
    own: PartyId
    said_at: int = 0
    heard: dict[PartyId, Said] = field(default_factory=dict)
    compared_at: dict[PartyId, int] = field(default_factory=dict)
    differ: set[PartyId] = field(default_factory=set)

    def take(self, item: Folded) -> None:
        """Note what an entry that came into the cut says of states."""
        if item.header.type != RECEIVED or "state" not in item.header.data:
            return
        party, header = item.place.party, item.header
        if party == self.own:
            self.said_at = header.at
            return
        fold, size, digest = cast(list[object], header.data["state"])
        if fold == FOLD_VERSION:
            seen = {other: claim[0] for other, claim in header.seen.items()}
            self.heard[party] = ({**seen, party: cast(int, size)}, cast(str, digest))

    def to_say(self, now: int) -> Object:
        """The member `state` for a `received.v1` that says all that is folded; {} if none is due.

        Its cut: all that is folded of our own log, and what the record says it has seen.
        """
        if now - self.said_at < EVERY_S or not 0 < self.book.count() <= MAX_CASES:
            return {}
        cut = self.book.fold.cut()
        return {"state": [FOLD_VERSION, cut[self.own], self.book.digest(cut).hex()]}

    def compare(self, now: int) -> None:
        """Compare what was heard, with each party once an hour; only its newest digest counts."""
        if self.book.count() > MAX_CASES:
            return
        for party, (sizes, digest) in list(self.heard.items()):
            if 0 <= now - self.compared_at.get(party, -EVERY_S) < EVERY_S:
                continue
            del self.heard[party]
            self.compared_at[party] = now
            if self._agrees(sizes, digest):
                self.differ.discard(party)
            else:
                self.differ.add(party)

    def _agrees(self, sizes: dict[PartyId, int], digest: str) -> bool:
        cut = {party: sizes.get(party, 0) for party in self.book.fold.parties}
        return self.book.fold.is_closed(cut) and self.book.digest(cut).hex() == digest
