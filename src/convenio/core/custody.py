"""Custody: what the logs say of the bodies of each other's entries, and the cosignatures they show.

Few bytes for each entry named, for a partner may name as many as its quota lets it write.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from convenio.core.checkpoint import Checkpoint
from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError, SignatureError
from convenio.core.fit import CosignatureVerifier, Rules
from convenio.core.place import Cut, Place
from convenio.core.record import Header, PartyId


@dataclass(frozen=True, slots=True)
class Stamp:
    """A cosignature over an entry that its sender logged. cosigner: None for a neutral witness."""

    cosigner: PartyId | None
    index: int
    at: int


class _Named:
    """The entries of one log whose bodies one party has named as lacking."""

    __slots__ = ("absent", "had")

    def __init__(self) -> None:
        self.absent: dict[int, None] = {}  # by index, in the order they were named
        self.had: dict[int, int] = {}  # -> the index of the entry that says so


class Custody:
    """What is known of bodies and stamps, from all logs of a channel."""

    def __init__(self) -> None:
        self._named: dict[tuple[PartyId, PartyId], _Named] = {}  # by (who lacks, whose log)
        self._stamps: dict[Place, list[Stamp]] = {}

    # --- bodies ---

    def lack(self, party: PartyId, place: Place) -> None:
        """`party` is the first time to cover an entry, and lacks something of it."""
        self._named.setdefault((party, place.party), _Named()).absent[place.index] = None

    def have(self, party: PartyId, place: Place, entry: int) -> None:
        """`party`'s own `entry` says that it has an entry whole; if it never lacked it, nothing."""
        named = self._named.get((party, place.party))
        if named and place.index in named.absent:
            del named.absent[place.index]
            named.had[place.index] = entry

    def lacks(self, party: PartyId, place: Place) -> bool:
        """Whether `party` has named this entry as lacking, and not yet as had."""
        named = self._named.get((party, place.party))
        return named is not None and place.index in named.absent

    def lacking(self, party: PartyId) -> list[Place]:
        """All that `party` lacks; of each log in the order it named them."""
        return [
            Place(owner, index)
            for (who, owner), named in self._named.items()
            if who == party
            for index in named.absent
        ]

    def had(self, party: PartyId, place: Place) -> int | None:
        """The index of `party`'s entry that says it has what it lacked, if it did."""
        named = self._named.get((party, place.party))
        return named.had.get(place.index) if named else None

    # --- stamps ---

    def show(self, place: Place, stamps: Iterator[Stamp]) -> None:
        """Remember what a `proof.v1` shows of an entry."""
        self._stamps.setdefault(place, []).extend(stamps)

    def stamps(self, place: Place, end: Cut) -> Iterator[Stamp]:
        """Cosignatures over an entry, as far as its sender's log within `end` shows them."""
        return (s for s in self._stamps.get(place, ()) if s.index < end[place.party])


def stamps_of(rules: Rules, checkpoint: Checkpoint, header: Header, index: int) -> Iterator[Stamp]:
    """What a `proof.v1` shows: at most one stamp, of a member's mirror or a neutral witness."""
    try:
        line = parse_base64(cast(str, header.data["sig"]).encode(), "fold.stamp")
    except MalformedError:
        return
    keys: list[tuple[PartyId | None, CosignatureVerifier]] = [
        *((member.party, key) for member in rules.members for key in member.cosigners),
        *((None, key) for key in rules.witnesses),
    ]
    for cosigner, key in keys:
        if key.name == header.data["name"] and key.key_id == line[:4]:
            try:
                at = key.verify_checkpoint(checkpoint, line[4:])
            except SignatureError:
                return
            if at > 0:
                yield Stamp(cosigner, index, at)
            return
