"""Saying something, and opening what was said: the way of a person's words into a record and back.

Every step asks `core.decide` first. A body is sealed to the named desks and to the sender's own,
stored, and named in the header; the header is checked as a draft; the sequencer does the rest.
Opening is written down before the first byte is given.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final

from convenio.core.age import HybridRecipient
from convenio.core.card import author_key_name
from convenio.core.decide import Act, Person, Question, require
from convenio.core.draft import draft
from convenio.core.errors import ConflictError, ConvenioError, RefusedError
from convenio.core.nearest import nearest
from convenio.core.record import (
    DISCLOSURE,
    OBJECTION,
    PROOF,
    RECEIVED,
    SPLIT,
    Address,
    BodyRef,
    Header,
    parse_record,
)
from convenio.core.seal import Label, Making, Opening, open_stream, plain_stream, seal_stream
from convenio.core.trust import Charter
from convenio.node.clock import Clock
from convenio.node.config import Limits
from convenio.node.keys import NodeKeys
from convenio.node.local import ActOnRecord, Channel, LocalStore
from convenio.node.records import Found
from convenio.node.registry import GENERATION, Log, Registry, shelf_of
from convenio.node.sequencer import Accepted, Sequencer
from convenio.store.durable import os_errors
from convenio.store.objects import BlobStore, Shelf

Random = Callable[[int], bytes]
PIECE: Final = 64 * 1024
# Not permanent, and yet it is certain that the record is not in the log.
NOTHING_WRITTEN: Final = frozenset(("clock.backwards", "store.disk_full", "store.locked"))
# What the node itself says, or what only follows from an act it guards: never typed by a person.
AUTOMATIC_ONLY: Final = frozenset((RECEIVED, PROOF, OBJECTION, DISCLOSURE, SPLIT))


@dataclass(frozen=True, slots=True)
class Attachment:
    """One body to be said. file: read once, from its start. media: `text/plain` and the like."""

    file: BinaryIO
    length: int
    media: str = "text/plain"
    name: str = ""
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Saying:
    """What a person wants to say. id: 32 hex, chosen with the draft; the same id is said once.

    to: addresses as people write them, `us:liaison`. desk: whose desk says it; "" if they have
    only one. open_body: plain to the channel instead of sealed.
    """

    channel: str
    type: str
    id: str
    to: tuple[str, ...]
    bodies: tuple[Attachment, ...] = ()
    desk: str = ""
    case: str = ""
    inst: str = ""
    act: str = ""
    due_in: int = 0
    cav: str = ""
    open_body: bool = False
    data: dict[str, str | int] = field(default_factory=dict)


class Speaking:
    """Says and opens for the people of this node."""

    def __init__(  # noqa: PLR0913 - joined once, in wiring
        self,
        registry: Registry,
        local: LocalStore,
        blobs: BlobStore,
        keys: NodeKeys,
        sequencer: Sequencer,
        *,
        clock: Clock,
        rng: Random,
        limits: Limits,
        scratch: Path,
    ) -> None:
        """scratch: a folder for what is not yet whole; emptied at start."""
        self._registry, self._local, self._blobs = registry, local, blobs
        self._keys, self._sequencer = keys, sequencer
        self._clock, self._rng, self._limits, self._scratch = clock, rng, limits, scratch
        self._turns = [threading.Lock() for _ in range(64)]

    def say(self, by: str, saying: Saying) -> Accepted:
        """The record is durable in our log; the outbox is on its way.

        Raises:  RefusedError: decide.* · channel.* · say.* · MalformedError: record.* · seal.* ·
                 ConflictError: record.id_taken · UnavailableError: clock.backwards · store.*.
        """
        person = self._local.person(by)
        channel = self._registry.channel(saying.channel)
        header = self._header(person, channel, saying)
        require(Question(Act.SEND, person, channel.signed.charter, header))
        draft(header)  # what is wrong in it is refused before anything is sealed
        log = self._registry.own_log(channel.ch)
        with self._turn(header.id):
            return self._said(log, header, saying) or self._say(log, header, saying)

    def _turn(self, record_id: str) -> threading.Lock:
        """Held by whoever says something under this id, so that two do not both seal it."""
        return self._turns[hash(record_id) % len(self._turns)]

    def _say(self, log: Log, header: Header, saying: Saying) -> Accepted:
        """Seal, check, append. If that fails for certain, no body of it is kept."""
        refs: list[BodyRef] = []
        shelf = shelf_of(self._blobs, log)
        try:
            for part, body in enumerate(saying.bodies):
                making = self._making(log.charter, header, part, body, saying)
                self._store(shelf, making)
                refs.append(making.ref)
            checked = draft(replace(header, bodies=tuple(refs)))
            return self._sequencer.submit(log, checked, (_desk_of(header),)).result()
        except ConvenioError as error:
            if error.permanent or error.code in NOTHING_WRITTEN:
                for ref in refs:
                    shelf.delete(ref.c)
            raise

    def _said(self, log: Log, header: Header, saying: Saying) -> Accepted | None:
        """What stands under this id already, if it is the very same; None if nothing does.

        A sealed body is never made twice alike, so what was sealed then is opened and compared.
        Raises:  ConflictError: record.id_taken, it is something else, or cannot be compared.
        """
        stored = self._sequencer.said(log, bytes.fromhex(header.id))
        if stored is None:
            return None
        was = parse_record(stored.entry).header
        same = replace(was, at=0, seen={}, bodies=()) == header
        if not same or len(was.bodies) != len(saying.bodies):
            raise ConflictError("record.id_taken", id=header.id, index=stored.index)
        for part, body in enumerate(saying.bodies):
            if not self._is_same(log, was, part, body, saying):
                raise ConflictError("record.id_taken", id=header.id, index=stored.index)
        return Accepted(stored.index, stored.leaf, known=True)

    def _is_same(self, log: Log, was: Header, part: int, body: Attachment, saying: Saying) -> bool:
        ref = was.bodies[part]
        to = () if saying.open_body else tuple(sorted(self._readers(log.charter, was)))
        if ref.to != to:
            return False
        try:
            with shelf_of(self._blobs, log).open(ref.c) as blob:
                keys = self._keys.openers(frozenset((_desk_of(was),)))
                opening = open_stream(_pieces(blob), keys, was, part)
                return opening.label == _label(was, part, body) and _equal(opening, body.file)
        except ConvenioError:
            return False  # erased, or damaged: nobody can say that it is the same

    def _header(self, person: Person, channel: Channel, saying: Saying) -> Header:
        charter = channel.signed.charter
        self._check_channel(channel)
        if saying.type in AUTOMATIC_ONLY:
            raise RefusedError("say.automatic", type=saying.type)
        if saying.type not in charter.types:
            known = nearest(saying.type, set(charter.types) - AUTOMATIC_ONLY)
            raise RefusedError("say.type", type=saying.type, known=known)
        card = charter.member(person.party)
        to = tuple(sorted({charter.address(name) for name in saying.to}))
        return Header(
            id=saying.id or self._rng(16).hex(),
            ch=charter.ch,
            gen=GENERATION,
            type=saying.type,
            sender=person.party,
            to=to,
            by=(author_key_name(card.domain, self._desk(person, charter, saying.desk)),),
            at=0,
            inst=saying.inst,
            case=saying.case,
            act=saying.act,
            due_in=saying.due_in,
            cav=saying.cav,
            data=dict(saying.data),
        )

    @staticmethod
    def _check_channel(channel: Channel) -> None:
        if channel.signed.missing():
            raise RefusedError("channel.incomplete", channel=channel.name)
        if not channel.in_force:
            raise RefusedError("channel.unconfirmed", channel=channel.name)
        if channel.frozen_at:
            raise RefusedError("channel.frozen", channel=channel.name)

    @staticmethod
    def _desk(person: Person, charter: Charter, name: str) -> str:
        if name:
            return charter.member(person.party).roster.desk(name).id
        if len(person.desks) != 1:
            raise RefusedError("say.which_desk", person=person.id)
        return next(iter(person.desks))

    # --- bodies ---

    def _making(
        self, charter: Charter, header: Header, part: int, body: Attachment, saying: Saying
    ) -> Making:
        if body.length > self._limits.max_body_bytes:
            raise RefusedError("blob.too_large", max_bytes=self._limits.max_body_bytes)
        pieces, label = _pieces(body.file), _label(header, part, body)
        if saying.open_body:
            return plain_stream(pieces, body.length, label)
        readers = self._readers(charter, header)
        return seal_stream(pieces, body.length, label, readers, self._rng)

    def _readers(self, charter: Charter, header: Header) -> dict[Address, HybridRecipient]:
        """The named desks and the sender's own; a sealed body to nobody else is refused."""
        if not header.to:
            raise RefusedError("say.no_recipient")
        own = Address(f"{header.sender}:{_desk_of(header)}")
        return {
            address: HybridRecipient.parse(charter.desk_of(address).seal)
            for address in (*header.to, own)
        }

    def _store(self, shelf: Shelf, making: Making) -> None:
        """On our shelf under its hash, which is known only when all of it is made."""
        with os_errors(), tempfile.TemporaryFile(dir=self._scratch) as whole:
            for piece in making:
                whole.write(piece)
            whole.seek(0)
            shelf.put(making.ref.c, _pieces(whole))

    def open(  # noqa: PLR0913, PLR0917 - who opens what, where to, why
        self, by: str, found: Found, part: int, out: BinaryIO, reason: str, most: int = 0
    ) -> Opening:
        """The content of a body is in `out`, proved to be what the record speaks of.

        Nothing is written there before all of it is proved. That this person opened it is written
        down first. most: bytes that `out` can take; 0 for any number.
        Raises:  RefusedError: open.too_large, and nothing has happened · as `prove`.
        """
        if most and any(body.n > most for body in found.header.bodies[part : part + 1]):
            raise RefusedError("open.too_large", most=most)
        opening, content = self.prove(by, found, part, reason)
        with os_errors():
            for piece in content():
                out.write(piece)
            out.flush()
        return opening

    def prove(
        self, by: str, found: Found, part: int, reason: str
    ) -> tuple[Opening, Callable[[], Iterable[bytes]]]:
        """A body that was read to its end and proved, and its content for who calls for it.

        It is deciphered once more each time, so that no content ever lies on our disk in plain.
        Raises:  RefusedError: decide.* · UnavailableError: blob.absent · UnverifiedError: seal.*.
        """
        person = self._local.person(by)
        header = parse_record(found.entry).header
        require(Question(Act.OPEN, person, found.log.charter, header, part))
        self.note(by, "open", found, reason)
        keys, shelf = self._keys.openers(person.desks), shelf_of(self._blobs, found.log)

        def content() -> Opening:
            return open_stream(_blob(shelf, header.bodies[part].c), keys, header, part)

        opening = content()
        for _ in opening:
            pass
        return opening, content

    def note(self, by: str, act: str, found: Found, reason: str) -> None:
        subject = f"{found.log.party}/{found.index}"
        at = int(self._clock())
        self._local.note_act(ActOnRecord(at, by, act, found.log.channel.ch, subject, reason))


def _desk_of(header: Header) -> str:
    """The id of the desk that signs first."""
    return header.by[0].rpartition("/")[2]


def _label(header: Header, part: int, body: Attachment) -> Label:
    return Label(header.id, header.ch, header.type, part, body.media, body.name, body.lang)


def _equal(pieces: Iterable[bytes], file: BinaryIO) -> bool:
    """Whether `file` holds just these bytes. Reads all pieces, for their proof is at the end."""
    same = True
    for piece in pieces:
        same = same and file.read(len(piece)) == piece
    return same and not file.read(1)


def _blob(shelf: Shelf, c: str) -> Iterator[bytes]:
    with os_errors(), shelf.open(c) as blob:
        yield from _pieces(blob)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece
