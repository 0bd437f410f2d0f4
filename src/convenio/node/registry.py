"""The channels this node is in, looked up by name, by hash, and by the origin of a log."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Final

from convenio.core.errors import RefusedError
from convenio.core.nearest import nearest
from convenio.core.record import PartyId
from convenio.core.trust import Charter
from convenio.node.local import Channel, LocalStore
from convenio.store.api import LogSpec, LogStore
from convenio.store.objects import BlobStore, Shelf

GENERATION = 1  # of every log, until generations exist
SPLIT_VIEW: Final = "split"  # the kind of evidence that two histories are


@dataclass(frozen=True, slots=True)
class Log:
    """One party's log in one channel. key: SHA-256 of the origin, hex, as URLs name it.

    split: evidence is kept that its party has signed two histories of it.
    """

    origin: str
    key: str
    party: PartyId
    own: bool
    channel: Channel
    split: bool = False

    @property
    def charter(self) -> Charter:
        return self.channel.signed.charter


def shelf_of(blobs: BlobStore, log: Log) -> Shelf:
    """Where the bodies of this log's records lie, and nowhere else: what its party brought."""
    return blobs.shelf(log.channel.ch, log.party)


class Registry:
    """A snapshot of the channels, renewed by `refresh`; safe to read from any thread."""

    def __init__(self, local: LocalStore, store: LogStore, party: PartyId) -> None:
        self._local, self._store, self.party = local, store, party
        self._refreshing = (
            threading.Lock()
        )  # else who reads first may write last, and undo a freeze
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._logs: dict[str, Log] = {}
        self._routes: dict[tuple[str, str], str] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read the channels again; every complete charter has its logs in the store."""
        with self._refreshing:
            self._read()

    def _read(self) -> None:
        channels = {channel.ch: channel for channel in self._local.channels()}
        split = {piece.origin for piece in self._store.evidence() if piece.kind == SPLIT_VIEW}
        logs = {}
        for channel in channels.values():
            if not channel.signed.missing():
                for log in self._logs_of(channel, split):
                    spec = LogSpec(log.origin, channel.ch, log.party, GENERATION, log.own)
                    self._store.add_log(spec)
                    logs[log.origin] = log
        with self._lock:
            self._channels, self._logs = channels, logs
            self._routes = self._local.routes()

    def _logs_of(self, channel: Channel, split: set[str]) -> list[Log]:
        charter = channel.signed.charter
        return [
            Log(
                origin := charter.origin(party),
                hashlib.sha256(origin.encode()).hexdigest(),
                party,
                party == self.party,
                channel,
                origin in split,
            )
            for party in charter.members()
        ]

    def channels(self) -> list[Channel]:
        with self._lock:
            return list(self._channels.values())

    def channel(self, name: str) -> Channel:
        """By name or hash.  Raises:  RefusedError: channel.unknown."""
        for channel in self.channels():
            if name in (channel.name, channel.ch):
                return channel
        known = nearest(name, (channel.name for channel in self.channels()))
        raise RefusedError("channel.unknown", channel=name, known=known)

    def logs(self, ch: str | None = None) -> list[Log]:
        """All logs, or those of one channel in charter order."""
        with self._lock:
            return [log for log in self._logs.values() if ch in (None, log.channel.ch)]

    def log(self, origin: str) -> Log | None:
        with self._lock:
            return self._logs.get(origin)

    def log_by_key(self, key: str, *, own: bool) -> Log | None:
        """The log whose origin hashes to `key`, ours or a mirror of another's."""
        found = (log for log in self.logs() if log.key == key and log.own is own)
        return next(found, None)

    def own_log(self, ch: str) -> Log:
        return next(log for log in self.logs(ch) if log.own)

    def route(self, ch: str, party: PartyId) -> str:
        """Where a member is reached, if somebody here has typed another address than its roster's;
        else ''."""
        return self._routes.get((ch, party), "")
