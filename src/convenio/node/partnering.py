"""What this node answers its partners: who may read, who may feed which mirror, whose bodies.

`None` means nothing here for this caller: the same answer whether the thing does not exist or the
caller may not know of it. HTTP itself is `api.partner`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from convenio.core import tiles
from convenio.core.errors import RefusedError
from convenio.core.httpsig import keyid_of
from convenio.core.mirrorwire import AddCheckpoint, Package, UploadHeader
from convenio.core.note import Ed25519Verifier
from convenio.core.record import BodyRef, Header, PartyId
from convenio.core.trust import Charter
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.mirror import Mirror, NotThereError
from convenio.node.publish import Publisher
from convenio.node.quotas import Quotas
from convenio.node.registry import Log, Registry, shelf_of
from convenio.peer.service import (
    BlobHeld,
    BlobRef,
    Chunk,
    Elsewhere,
    LogRef,
    Progress,
    Stored,
    Who,
)
from convenio.store.api import LogStore
from convenio.store.export import read_bundle, read_tile
from convenio.store.objects import BlobStore, Shelf

Citing = Callable[[Log, str], Iterator[Header]]
LEAST_BYTES: Final = (
    4096  # counted for every piece of a body: what a file of three bytes takes here
)


class Partnering:
    """The one answerer of `api.partner`. Called from several threads at once."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        store: LogStore,
        blobs: BlobStore,
        mirror: Mirror,
        publisher: Publisher,
        limits: Limits,
        quotas: Quotas,
        clock: Clock,
        citing: Citing,
        heard: Callable[[str, PartyId], None],
        came: Callable[[str, PartyId, str], None],
        healthy: Callable[[], bool],
    ) -> None:
        """citing: the headers of a log that name a blob. heard: a partner has called. came: a
        party has brought a body to a channel."""
        self._registry, self._store, self._blobs = registry, store, blobs
        self._mirror, self._publisher, self._limits = mirror, publisher, limits
        self._quotas, self._clock = quotas, clock
        self._citing, self._heard, self._came = citing, heard, came
        self.healthy = healthy

    def node_keys(self, keyid: str) -> Sequence[Ed25519Verifier]:
        """The node keys with that keyid, of the other members of our channels; each once."""
        cards = [
            card
            for channel in self._registry.channels()
            for card in channel.signed.charter.parties
            if card.party != self._registry.party
        ]
        keys = dict.fromkeys(card.node_verifier() for card in cards)
        return [key for key in keys if keyid_of(key) == keyid]

    # --- reading ---

    def checkpoint(self, who: Who, log: LogRef) -> bytes | None:
        found = self._readable(who, log)
        if found is None:
            return None
        if log.mirror:
            return self._mirror.checkpoint(found) or None
        return self._publisher.publish(found.origin).checkpoint or None

    def tile(self, who: Who, log: LogRef, level: int, index: int, width: int) -> bytes | None:
        found = self._readable(who, log)
        if found is None:
            return None
        size = self._store.head(found.origin).size
        if tiles.tile_width(level, index, size) < width:
            return None
        return read_tile(self._store, found.origin, (level, index, width))

    def bundle(self, who: Who, log: LogRef, index: int, width: int) -> bytes | None:
        found = self._readable(who, log)
        if found is None:
            return None
        if self._store.head(found.origin).size < index * tiles.WIDTH + width:
            return None
        return read_bundle(self._store, found.origin, index, width)

    def charter(self, who: Who, ch: str) -> bytes | None:
        for channel in self._registry.channels():
            charter = channel.signed.charter
            if channel.ch == ch and (charter.public or _party(who, charter)):
                return channel.signed.note.encode()
        return None

    def _readable(self, who: Who, ref: LogRef) -> Log | None:
        log = self._registry.log_by_key(ref.name, own=not ref.mirror)
        if log is None or not (log.charter.public or _party(who, log.charter)):
            return None
        return log

    # --- taking in ---

    def add_checkpoint(self, who: Ed25519Verifier, request: AddCheckpoint) -> bytes | None:
        log = self._fed_by(who, request.checkpoint.origin)
        if log is None:
            return None
        self._mirror.add_checkpoint(log, request)
        return b""

    def add_entries(
        self, who: Ed25519Verifier, header: UploadHeader, packages: Iterator[Package]
    ) -> Stored | Progress | Elsewhere | None:
        log = self._fed_by(who, header.origin)
        if log is None:
            return None
        with self._mirror.lock(log):
            try:
                return self._take(log, header, packages)
            except NotThereError as error:
                return Elsewhere(error.info)

    def _take(
        self, log: Log, header: UploadHeader, packages: Iterator[Package]
    ) -> Stored | Progress:
        target, reached = self._mirror.begin(log, header), header.start
        for package in packages:
            self._mirror.take(log, package, target)
            reached = package.end
        if reached < header.end:
            return Progress(self._mirror.info(log, header))
        lines = self._mirror.finish(log, header, target)
        return Stored(b"".join(line.encode() for line in lines))

    def _fed_by(self, who: Ed25519Verifier, origin: str) -> Log | None:
        """The mirror that this caller may feed: only the log's owner feeds it.

        A channel nobody here has confirmed takes nothing, unless anyone may read it anyway. Of a
        party that has signed two histories nothing more is taken; the logs of the others go on,
        for cosigning means received (docs/adr/0005-after-a-split.md).
        """
        log = self._registry.log(origin)
        if log is None or log.own or _party(who, log.charter) != log.party:
            return None
        if not log.channel.in_force:
            raise RefusedError("channel.unconfirmed", channel=log.channel.name)
        if log.split:
            raise RefusedError("channel.frozen", channel=log.channel.name)
        self._heard(log.channel.ch, log.party)
        return log

    # --- bodies ---

    def blob_held(self, who: Who, blob: BlobRef) -> BlobHeld | None:
        """What the caller has brought of it, and how large it is if the caller may read it.

        Neither tells of the other, and nothing tells what a third party has brought.
        """
        charter = self._charter(blob.ch)
        party = _party(who, charter) if charter else None
        shelf = self._readable_on(charter, party, blob.c) if charter else None
        size = shelf.size(blob.c) if shelf else None
        if party is not None:
            own = self._blobs.shelf(blob.ch, party)
            return BlobHeld(own.stage_offset(blob.c), size)
        return None if size is None else BlobHeld(0, size)

    def blob_read(self, who: Who, blob: BlobRef, start: int, size: int) -> bytes | None:
        charter = self._charter(blob.ch)
        shelf = self._readable_on(charter, _party(who, charter), blob.c) if charter else None
        if shelf is None:
            return None
        with shelf.open(blob.c, start) as file:
            return file.read(size)

    def blob_write(self, who: Ed25519Verifier, blob: BlobRef, chunk: Chunk) -> int | None:
        """Small bodies may come before their entry; large ones only once an entry cites them.

        In a frozen channel no new entry counts, so no body may come before one. All of it is
        between the caller and its own shelf: what others brought, or cite, is not looked at.
        """
        charter, total = self._charter(blob.ch), chunk.total
        party = _party(who, charter) if charter else None
        if party is None:
            return None
        log = next(each for each in self._registry.logs(blob.ch) if each.party == party)
        shelf = shelf_of(self._blobs, log)
        if shelf.size(blob.c) == total:
            return total
        if total > self._limits.max_body_bytes:
            raise RefusedError("blob.too_large", max_bytes=self._limits.max_body_bytes)
        unasked = total <= self._limits.small_body_bytes and not log.channel.frozen_at
        if not unasked and not any(self._citing(log, blob.c)):
            raise RefusedError("blob.not_cited")
        self._quotas.count(log, max(len(chunk.content), LEAST_BYTES), int(self._clock()))
        held = shelf.stage_write(blob.c, chunk.offset, chunk.content, total)
        if held == total:
            self._came(blob.ch, party, blob.c)
            self._heard(blob.ch, party)
        return held

    def _charter(self, ch: str) -> Charter | None:
        for channel in self._registry.channels():
            if channel.ch == ch and channel.in_force:
                return channel.signed.charter
        return None

    def _readable_on(self, charter: Charter, asker: PartyId | None, c: str) -> Shelf | None:
        """The shelf from which this asker may have a blob; None also if it is not there.

        It is that of a party whose own record names the asker: to cite what somebody else has
        brought gives nobody anything. A shelf is looked at only when the asker may read from it.
        """
        for log in self._registry.logs(charter.ch):
            if self._may_read(log, asker, c):
                shelf = shelf_of(self._blobs, log)
                if shelf.has(c):
                    return shelf
        return None

    def _may_read(self, log: Log, asker: PartyId | None, c: str) -> bool:
        """Whether a record of this log gives its body `c` to the asker."""
        return any(
            _is_reader(log.charter, asker, header.sender, body)
            for header in self._citing(log, c)
            for body in header.bodies
            if body.c == c
        )


def _is_reader(charter: Charter, party: PartyId | None, sender: PartyId, body: BodyRef) -> bool:
    if body.form == "open":
        return charter.public or party is not None
    if party is None:
        return False
    return party == sender or any(address.startswith(f"{party}:") for address in body.to)


def _party(who: Who, charter: Charter) -> PartyId | None:
    """Which member of this channel the caller's node key is."""
    if who is None:
        return None
    for card in charter.parties:
        if card.roster.node == who.public and card.node_verifier().name == who.name:
            return card.party
    return None
