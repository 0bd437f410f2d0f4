"""What this node answers its partners: who may read, who may feed which mirror, whose bodies.

`None` means nothing here for this caller: the same answer whether the thing does not exist or the
caller may not know of it. HTTP itself is `api.partner`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
from convenio.node.registry import Log, Registry
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
from convenio.store.objects import BlobStore

MAX_UPLOADS: Final = 8  # begun and not finished, for each partner's node
Citing = Callable[[str, str], Iterator[Header]]


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
        came: Callable[[str, str], None],
        healthy: Callable[[], bool],
    ) -> None:
        """citing: the headers of a channel that name a blob. heard: a partner has called. came: a
        body of a channel has come."""
        self._registry, self._store, self._blobs = registry, store, blobs
        self._mirror, self._publisher, self._limits = mirror, publisher, limits
        self._quotas, self._clock = quotas, clock
        self._citing, self._heard, self._came = citing, heard, came
        self.healthy = healthy
        self._begun: dict[Ed25519Verifier, set[str]] = {}

    def node_key(self, keyid: str) -> Ed25519Verifier | None:
        """The node key with that keyid, of another member of any channel of ours."""
        for channel in self._registry.channels():
            for card in channel.signed.charter.parties:
                key = card.node_verifier()
                if keyid_of(key) == keyid and card.party != self._registry.party:
                    return key
        return None

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
        charter, c = self._charter(blob.ch), blob.c
        party = _party(who, charter) if charter else None
        size = self._blobs.size(c)
        if charter is None:
            return None
        if size is not None and self._may_read(charter, party, c):
            return BlobHeld(size, size)
        if party is None:
            return None
        # A member may bring what we lack; that it is here already is told only to its readers.
        return BlobHeld(self._blobs.stage_offset(c), None)

    def blob_read(self, who: Who, blob: BlobRef, start: int, size: int) -> bytes | None:
        charter, c = self._charter(blob.ch), blob.c
        if charter is None or self._blobs.size(c) is None:
            return None
        if not self._may_read(charter, _party(who, charter), c):
            return None
        with self._blobs.open(c, start) as file:
            return file.read(size)

    def blob_write(self, who: Ed25519Verifier, blob: BlobRef, chunk: Chunk) -> int | None:
        """Small bodies may come before their entry; large ones only once an entry cites them."""
        charter, total = self._charter(blob.ch), chunk.total
        party = _party(who, charter) if charter else None
        if party is None:
            return None
        if self._blobs.size(blob.c) == total:
            return total
        if total > self._limits.max_body_bytes:
            raise RefusedError("blob.too_large", max_bytes=self._limits.max_body_bytes)
        if total > self._limits.small_body_bytes and not any(self._citing(blob.ch, blob.c)):
            raise RefusedError("blob.not_cited")
        if len(chunk.content) < total:
            self._count_upload(who, blob.c)
        log = next(each for each in self._registry.logs(blob.ch) if each.party == party)
        self._quotas.count(log, len(chunk.content), int(self._clock()))
        held = self._blobs.stage_write(blob.c, chunk.offset, chunk.content, total)
        if held == total:
            self._came(blob.ch, blob.c)
            self._heard(blob.ch, party)
        return held

    def _count_upload(self, who: Ed25519Verifier, c: str) -> None:
        """One partner does not take the places of the others. Its uploads come one at a time."""
        known = self._begun.get(who, set())
        begun = {b for b in known if self._blobs.stage_offset(b) and not self._blobs.has(b)}
        if len(begun - {c}) >= MAX_UPLOADS:
            raise RefusedError("blob.too_many_uploads", max=MAX_UPLOADS)
        self._begun[who] = begun | {c}

    def _charter(self, ch: str) -> Charter | None:
        for channel in self._registry.channels():
            if channel.ch == ch and channel.in_force:
                return channel.signed.charter
        return None

    def _may_read(self, charter: Charter, party: PartyId | None, c: str) -> bool:
        """A blob is served if an entry of the channel cites it and the asker may read it."""
        return any(
            _is_reader(charter, party, header.sender, body)
            for header in self._citing(charter.ch, c)
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
