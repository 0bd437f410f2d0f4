"""Splits: what `split.v1` records tell each other's nodes, read and said (docs/spec/split.md).

A proof of two histories is found wherever it stands: in entries about to be folded, and in those
the fold does not reach. For just when somebody shows two histories, honest logs wait for each other
or end at an alarm; what they say of it must not wait too.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Final, cast

from convenio.core.canon import Object
from convenio.core.errors import MalformedError
from convenio.core.fit import Rules, open_entries, shown_split
from convenio.core.place import Folded, Place
from convenio.core.record import SPLIT, Header, PartyId, parse_record
from convenio.core.split import SplitProof, parse_split, split_data
from convenio.node.histories import Histories
from convenio.node.index import Index
from convenio.node.registry import SPLIT_VIEW, Log, Registry
from convenio.store.api import LogStore

_MARK: Final = f'"type":"{SPLIT}"'.encode()  # as canonical JSON writes it


class Splits:
    """Reads other logs' proofs, and says which ones ours lacks. Used by the folding's thread."""

    def __init__(
        self, registry: Registry, store: LogStore, index: Index, histories: Histories
    ) -> None:
        self._registry, self._store, self._index = registry, store, index
        self._histories = histories

    def until(self, log: Log, entries: list[bytes]) -> list[bytes]:
        """The entries before the first that convicts somebody we did not know of.

        If it is the very first, that party is accused and nothing is left: what came before in that
        log is to be folded first.
        """
        for number, entry in enumerate(entries):
            if _MARK in entry and (found := self._convicts(log, entry)):
                if not number:
                    self._histories.accuse(*found)
                return entries[:number]
        return entries

    def look(self, log: Log, start: int, end: int, sizes: dict[PartyId, int]) -> None:
        """Entries [start, end) that are not folded: accuse whom they convict, list what proves it.

        sizes: of each log, as folded now.
        """
        for stored in self._store.entries(log.origin, start, end):
            if _MARK in stored.entry:
                if not log.own and (found := self._convicts(log, stored.entry)):
                    self._histories.accuse(*found)
                if header := self._proper(log, stored.entry):
                    place = Place(log.party, stored.index)
                    item = Folded(place, stored.leaf, header, void=False)
                    self._index.add(log.channel.ch, [item], sizes)

    def _convicts(self, log: Log, entry: bytes) -> tuple[Log, SplitProof] | None:
        """Whose two histories an entry proves, if we do not know of them yet.

        Whose entry it is matters little: the proof speaks for itself.
        """
        with contextlib.suppress(MalformedError):
            header = parse_record(entry).header
            if header.type == SPLIT and (accused := self._unknown(log.channel.ch, header)):
                proof = shown_split(header, Rules.of(log.charter))
                return (accused, proof) if proof else None
        return None

    def _unknown(self, ch: str, header: Header) -> Log | None:
        """The log that a `split.v1` is about, if no proof of its two histories is kept."""
        of = cast(PartyId, header.data["of"])
        logs = (log for log in self._registry.logs(ch) if log.party == of)
        return next((log for log in logs if not self._histories.is_split(log)), None)

    @staticmethod
    def _proper(log: Log, entry: bytes) -> Header | None:
        """The header, if this is its party's own `split.v1` and the proof holds."""
        rules = Rules.of(log.charter)
        member = next(each for each in rules.members if each.party == log.party)
        (opened,) = open_entries([entry], member.authors)
        if opened.record is None or opened.unsigned:
            return None
        header = opened.record.header
        proper = (header.type, header.sender, header.ch) == (SPLIT, log.party, rules.ch)
        return header if proper and shown_split(header, rules) else None

    def unsaid(self, own: Log) -> Iterator[tuple[bytes, Object]]:
        """Id and `data` of each `split.v1` that our log lacks; of ourselves we say none.

        The id follows from whom it is about, so that it is said once, whatever happens in between.
        """
        logs = {log.origin: log for log in self._registry.logs(own.channel.ch) if not log.own}
        for piece in self._store.evidence():
            if piece.kind == SPLIT_VIEW and (log := logs.get(piece.origin)):
                record_id = self._unused(own, _record_id(own.channel.ch, log.party))
                if record_id:
                    key, _ = log.charter.log_verifiers(log.party)
                    yield record_id, split_data(log.party, parse_split(piece.payload), key)

    def _unused(self, own: Log, record_id: bytes) -> bytes:
        """The id, or one made of it if a person has used it for other words; b"" if it is said."""
        while stored := self._store.find(own.origin, record_id):
            if parse_record(stored.entry).header.type == SPLIT:
                return b""
            record_id = hashlib.sha256(record_id).digest()[:16]
        return record_id


def _record_id(ch: str, party: PartyId) -> bytes:
    return hashlib.sha256(f"convenio/split/1\0{ch}\0{party}".encode()).digest()[:16]
