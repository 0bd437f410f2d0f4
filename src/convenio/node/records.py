"""Finding a record by what people call it, and saying how far it has come.

A record is called by the beginning of its leaf hash (at least 8 hex digits), or by its place:
`mx/12` within a channel.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from convenio.core.errors import ConflictError, RefusedError
from convenio.core.place import Delivery, Place
from convenio.core.record import Header, PartyId, parse_record
from convenio.node.folding import Folding
from convenio.node.index import Index, Row
from convenio.node.registry import Log, Registry
from convenio.store.api import Cosigned, LogStore

_LEAF: Final = re.compile(r"[0-9a-f]{8,64}", re.ASCII)
INDEXED_S: Final = 2.0  # how long a look-up waits for what was just said; it takes milliseconds
_PLACE: Final = re.compile(r"([a-z][a-z0-9]{1,15})/(0|[1-9][0-9]{0,14})", re.ASCII)


class State(StrEnum):
    """How far a record has come with one other member."""

    ACCEPTED = "accepted"  # durable in the author's log
    COSIGNED = "cosigned"  # that member's mirror holds and cosigned it: the receipt
    LACKING = "lacking"  # its log says that a body has not come
    RECEIVED = "received"  # its log says that all of it is there


@dataclass(frozen=True, slots=True)
class Found:
    """A record in its log. leaf: 32 bytes."""

    log: Log
    index: int
    leaf: bytes
    entry: bytes

    @property
    def header(self) -> Header:
        return parse_record(self.entry).header

    @property
    def place(self) -> Place:
        return Place(self.log.party, self.index)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record and one other member. cosigned_at, received_at: seconds UTC, 0 if not yet."""

    party: PartyId
    state: State
    cosigned_at: int
    received_at: int


class Records:
    """Finds records and tells their delivery."""

    def __init__(self, registry: Registry, store: LogStore, index: Index, folding: Folding) -> None:
        self._registry, self._store, self._index = registry, store, index
        self._folding = folding

    def find(self, name: str, channel: str = "") -> Found:
        """The record that `name` means.

        Raises:  RefusedError: record.unknown · record.name, not a way to call a record ·
                 channel.unknown · ConflictError: record.ambiguous, more digits are needed.
        """
        plain = name.strip().lower()
        if place := _PLACE.fullmatch(plain):
            return self._at(channel, place[1], int(place[2]), name)
        if not _LEAF.fullmatch(plain):
            raise RefusedError("record.name", record=name)
        found = self._by_leaf(plain, channel)
        if not found:
            raise RefusedError("record.unknown", record=name)
        if len(found) > 1:
            raise ConflictError("record.ambiguous", record=name)
        return found[0]

    def _by_leaf(self, digits: str, channel: str) -> list[Found]:
        even = digits[: len(digits) // 2 * 2]
        ch = self._registry.channel(channel).ch if channel else ""
        prefix = bytes.fromhex(even)
        behind = self._indexing()  # asked first: what is indexed meanwhile must not fall between
        rows = self._index.by_prefix(prefix, 50)
        if not rows and behind:  # it may have been said a moment ago
            self._folding.wait_until(
                lambda: bool(self._index.by_prefix(prefix, 1)) or not self._indexing(), INDEXED_S
            )
            rows = self._index.by_prefix(prefix, 50)
        same = [r for r in rows if r.leaf.hex().startswith(digits) and ch in ("", r.ch)]
        return [self.at_row(row) for row in same[:2]]

    def _indexing(self) -> bool:
        """Whether our own logs hold entries that the index has yet to take in.

        A partner's entry may wait for others for weeks, and nobody here has read out its hash yet.
        """
        return any(
            self._index.size(log.channel.ch, log.party) < self._store.head(log.origin).size
            for log in self._registry.logs()
            if log.own
        )

    def at_row(self, row: Row) -> Found:
        """The record an index row stands for."""
        log = next(each for each in self._registry.logs(row.ch) if each.party == row.party)
        return self.at(log, row.index)

    def _at(self, channel: str, party: str, index: int, name: str) -> Found:
        for log in self._registry.logs():
            named = log.party == party and channel in ("", log.channel.name, log.channel.ch)
            if named and index < self._store.head(log.origin).size:
                return self.at(log, index)
        raise RefusedError("record.unknown", record=name)

    def at(self, log: Log, index: int) -> Found:
        (stored,) = self._store.entries(log.origin, index, index + 1)
        return Found(log, index, stored.leaf, stored.entry)

    def delivery(self, found: Found) -> list[Delivered]:
        """How far a record has come with each other member, in charter order."""
        others = [p for p in found.log.charter.members() if p != found.log.party]
        return [self._delivered(found, party) for party in others]

    def _delivered(self, found: Found, party: PartyId) -> Delivered:
        cosigned = self.cosignature(found, party)
        receipt = self._folding.receipt(found.log.channel.ch, found.place, party)
        if receipt is not None and receipt.entry is not None:
            state = State.RECEIVED
        elif self._delivery(found, party) is Delivery.LACKING:
            state = State.LACKING
        else:
            state = State.COSIGNED if cosigned else State.ACCEPTED
        at = cosigned.at if cosigned else 0
        return Delivered(party, state, at, receipt.at if receipt else 0)

    def _delivery(self, found: Found, party: PartyId) -> Delivery:
        return self._folding.delivery(found.log.channel.ch, found.place, party)

    def cosignature(self, found: Found, party: PartyId) -> Cosigned | None:
        """The earliest ML-DSA-44 cosignature of a member's mirror that covers the record."""
        key = found.log.charter.member(party).mirror_verifiers()[0]
        return self._store.earliest_cosignature(found.log.origin, key.name, found.index + 1)

    def latest(self, channel: str, limit: int, before: Row | None, *, automatic: bool) -> list[Row]:
        """The newest records of a channel, newest first."""
        ch = self._registry.channel(channel).ch
        return self._index.latest(ch, limit, before, automatic=automatic)
