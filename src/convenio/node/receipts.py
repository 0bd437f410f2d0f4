"""Receipts, bundles and disclosures: what this node gives to somebody who was not there.

A receipt is a C2SP .tlog-proof over the earliest checkpoint that a member's mirror cosigned with
the record in it. A bundle holds records with their receipts and the charter. A disclosure also
holds one content in plain, with what proves it genuine; before it leaves, our own log says so.
Formats: docs/spec/bundle.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import BinaryIO, Final

from convenio.core.bundle import (
    CHARTER,
    README,
    Content,
    Disclosed,
    addressees,
    body_name,
    content_name,
    label_name,
    policy_for,
    policy_name,
    proof_name,
    record_name,
    write_bundle,
)
from convenio.core.card import author_key_name, mirror_key_name
from convenio.core.checkpoint import Checkpoint, parse_signed_checkpoint
from convenio.core.decide import Act, Person, Question, require
from convenio.core.draft import draft
from convenio.core.errors import RefusedError
from convenio.core.merkle import inclusion_proof
from convenio.core.note import Note, SignatureLine, parse_signature_lines
from convenio.core.proof import Proof, verify_proof
from convenio.core.record import (
    DISCLOSED_TO,
    DISCLOSURE,
    Header,
    PartyId,
)
from convenio.core.seal import Opening
from convenio.node.clock import Clock
from convenio.node.handout import readme
from convenio.node.local import LocalStore
from convenio.node.records import Found
from convenio.node.registry import GENERATION, Log, Registry, shelf_of
from convenio.node.sequencer import Accepted, Sequencer
from convenio.node.speaking import Speaking
from convenio.store.api import Cosigned, LogStore
from convenio.store.durable import os_errors
from convenio.store.objects import BlobStore, Shelf

Random = Callable[[int], bytes]
MAX_REASON: Final = 2000
MAX_RECORDS: Final = 5000
_PIECE: Final = 64 * 1024
_LINE_BYTES: Final = 8192


def policy(log: Log, parties: Sequence[PartyId]) -> bytes:
    """The tlog-policy under which stock programs check receipts of `parties` for this log."""
    return policy_for(log.charter, log.party, parties).format()


class Receipts:
    """Makes receipts from what the store holds. Safe from any thread."""

    def __init__(self, store: LogStore) -> None:
        self._store = store

    def receipt(self, found: Found, party: PartyId) -> bytes:
        """A .tlog-proof of the record, checked before it is given.

        (1) the earliest cosignature of that member's mirror that covers the record, (2) all the
        lines kept of that size, the log's own two among them, (3) the way to its root.
        Raises:  RefusedError: trust.not_a_member · receipt.not_yet, that mirror has not cosigned it
                 · receipt.not_published, the log's own lines of that size were not kept.
        """
        log = found.log
        name = mirror_key_name(log.charter.member(party).domain)
        first = self._store.earliest_cosignature(log.origin, name, found.index + 1)  # (1)
        if first is None:
            raise RefusedError("receipt.not_yet", record=_place(found), party=party)
        size, root = first.size, first.root
        lines = self._lines(log, size)  # (2)
        if not lines:
            size, root, lines = self._at_head(found, name)
        hashes = inclusion_proof(found.index, size, self._store.reader(log.origin, size))  # (3)
        signed = Note(Checkpoint(log.origin, size, root).text(), tuple(lines))
        proof = Proof(found.index, tuple(hashes), signed.encode())
        verify_proof(proof, found.leaf, policy_for(log.charter, log.party, (party,)))
        return proof.encode()

    def _at_head(self, found: Found, name: str) -> tuple[int, bytes, list[SignatureLine]]:
        """The lines at the head, which a mirror always keeps with the log's own.

        Of another's log we keep the log's lines of older sizes only if they were written down.
        """
        log, head = found.log, self._store.head(found.log.origin)
        lines = self._lines(log, head.size)
        if not lines or not any(line.name == name for line in lines):
            raise RefusedError("receipt.not_published", record=_place(found))
        return head.size, head.root, lines

    def _lines(self, log: Log, size: int) -> list[SignatureLine]:
        """Every line kept over this size, the log's own two first; none if those are not there."""
        own = self._kept(log, size, log.origin)
        own |= self._on_head(log, size)
        keys = [(key.name, key.key_id) for key in log.charter.log_verifiers(log.party)]
        if not all(key in own for key in keys):
            return []
        lines = [own[key] for key in keys]
        for card in log.charter.parties:
            if card.party != log.party:
                lines += self._kept(log, size, mirror_key_name(card.domain)).values()
        return lines

    def _kept(self, log: Log, size: int, name: str) -> dict[tuple[str, bytes], SignatureLine]:
        """The first unflagged line of each key of this name over exactly this size."""
        found: dict[tuple[str, bytes], Cosigned] = {}
        for each in self._store.cosignatures(log.origin, size, name, size):
            if not each.flagged:
                found.setdefault((each.name, each.key_id), each)
        return {key: parse_signature_lines(c.line, _LINE_BYTES)[0] for key, c in found.items()}

    def _on_head(self, log: Log, size: int) -> dict[tuple[str, bytes], SignatureLine]:
        head = self._store.head(log.origin)
        if head.size != size or not head.checkpoint:
            return {}
        _, note = parse_signed_checkpoint(head.checkpoint)
        return {(line.name, line.key_id): line for line in note.lines}


class Bundles:
    """Packs records with their receipts, and one content in plain where a releaser says so."""

    def __init__(  # noqa: PLR0913, PLR0917 - joined once, in wiring
        self,
        registry: Registry,
        local: LocalStore,
        blobs: BlobStore,
        receipts: Receipts,
        speaking: Speaking,
        sequencer: Sequencer,
        *,
        clock: Clock,
        rng: Random,
    ) -> None:
        self._registry, self._local, self._blobs = registry, local, blobs
        self._receipts, self._speaking, self._sequencer = receipts, speaking, sequencer
        self._clock, self._rng = clock, rng

    def bundle(
        self, by: str, found: Sequence[Found], out: BinaryIO, *, bodies: bool = False
    ) -> None:
        """The records (of one channel) with every receipt there is, and the charter, are in `out`.

        bodies: also the blobs we hold: sealed ones stay sealed, open ones are readable. That needs
        the right to export; without, the right to see is enough.
        Raises:  RefusedError: decide.* · bundle.nothing · bundle.too_many · bundle.other_channel ·
                 receipt.*, as `Receipts.receipt`, of a record that nobody has cosigned.
        """
        person = self._local.person(by)
        _check_together(found)
        for each in found:
            self._require_bundle(person, each, bodies=bodies)
        files = self._files(found)
        if bodies:
            for each in found:
                files |= self._bodies(each)
        for each in found:
            self._speaking.note(by, "bundle", each, "")
        _write(files, out)

    @staticmethod
    def _require_bundle(person: Person, found: Found, *, bodies: bool) -> None:
        header, charter = found.header, found.log.charter
        require(Question(Act.SEE, person, charter, header))
        if bodies:
            for part in range(len(header.bodies)):
                require(Question(Act.EXPORT, person, charter, header, part))

    def disclose(  # noqa: PLR0913, PLR0917 - who gives what to whom, why, and where to
        self, by: str, found: Found, part: int, code: str, reason: str, out: BinaryIO
    ) -> Accepted:
        """One body in plain, with its proof, is in `out`; before that, our log says so.

        (1) the right to export, and to sign for the desk that gives, (2) opening, which is noted,
        (3) `disclosure.v1` in our log, durable, (4) the act with its reason, kept here only,
        (5) and only now the bundle. code: court · defence · oversight · other.
        Raises:  RefusedError: decide.* · disclose.code · disclose.reason, none was given, or it is
                 too long · channel.frozen · receipt.* · UnavailableError: blob.absent ·
                 UnverifiedError: seal.*.
        """
        person, header = self._local.person(by), found.header
        charter = found.log.charter
        _check_words(code, reason)
        require(Question(Act.EXPORT, person, charter, header, part))  # (1)
        said = self._disclosure(person, found, part, code)
        require(Question(Act.SEND, person, charter, said))
        files = self._files((found,))
        opening, content = self._speaking.prove(by, found, part, reason)  # (2)
        files |= self._disclosed(found, part, opening, content)
        own = self._registry.own_log(charter.ch)
        desk = said.by[0].rpartition("/")[2]
        accepted = self._sequencer.submit(own, draft(said), (desk,)).result()  # (3)
        self._speaking.note(by, "disclose", found, f"{code}: {reason.strip()}")  # (4)
        _write(files, out)  # (5)
        return accepted

    def _disclosed(
        self, found: Found, part: int, opening: Opening, content: Content
    ) -> dict[str, bytes | Content]:
        """An open body proves itself; of a sealed one, the content and its salt do."""
        party, index, label = found.log.party, found.index, opening.label
        if not opening.salt:
            return self._body(found, part)
        line = Disclosed(found.leaf, part, opening.salt, label.media, label.name, label.lang)
        return {
            content_name(party, index, part): content,
            label_name(party, index, part): line.encode(),
        }

    def _disclosure(self, person: Person, found: Found, part: int, code: str) -> Header:
        """What our log will say: which body, and to what kind of person. Never why, never who."""
        if found.log.channel.frozen_at:
            raise RefusedError("channel.frozen", channel=found.log.channel.name)
        own = self._registry.own_log(found.log.charter.ch)
        body = found.header.bodies[part]
        desks = sorted(a.partition(":")[2] for a in person.addresses() & set(body.to))
        desk = (desks or sorted(person.desks))[0]
        return Header(
            id=self._rng(16).hex(),
            ch=own.charter.ch,
            gen=GENERATION,
            type=DISCLOSURE,
            sender=own.party,
            to=(),
            by=(author_key_name(own.charter.member(own.party).domain, desk),),
            at=0,
            data={"leaf": found.leaf.hex(), "part": part, "code": code},
        )

    def _files(self, found: Sequence[Found]) -> dict[str, bytes | Content]:
        """What any bundle of these records holds."""
        signed = found[0].log.channel.signed
        files: dict[str, bytes | Content] = {
            README: readme(signed.charter),
            CHARTER: signed.note.encode(),
        }
        for each in found:
            files |= self._record(each)
        return files

    def _record(self, found: Found) -> dict[str, bytes | Content]:
        """The record with each addressee's receipt; while there is none, with anybody else's.

        So what an addressee never took is still proved to have been there, by the others.
        """
        charter, own = found.log.charter, found.log.party
        named = addressees(found.header, charter)
        others = [p for p in charter.members() if p != own and p not in named]
        receipts, refused = self._receipts_of(found, named)
        if not receipts:
            receipts, _ = self._receipts_of(found, others)
        if not receipts and refused:
            raise refused
        return {record_name(own, found.index): found.entry, **receipts}

    def _receipts_of(
        self, found: Found, parties: Iterable[PartyId]
    ) -> tuple[dict[str, bytes | Content], RefusedError | None]:
        """The receipts there are, each with its policy, and why the last lacking one is lacking."""
        log, refused = found.log, None
        files: dict[str, bytes | Content] = {}
        for party in parties:
            try:
                receipt = self._receipts.receipt(found, party)
            except RefusedError as error:
                refused = error
            else:
                files[proof_name(log.party, found.index, party)] = receipt
                files[policy_name(log.party, party)] = policy(log, (party,))
        return files, refused

    def _bodies(self, found: Found) -> dict[str, bytes | Content]:
        files: dict[str, bytes | Content] = {}
        shelf = shelf_of(self._blobs, found.log)
        for part, body in enumerate(found.header.bodies):
            if shelf.has(body.c):
                files |= self._body(found, part)
        return files

    def _body(self, found: Found, part: int) -> dict[str, bytes | Content]:
        body = found.header.bodies[part]
        name = body_name(found.log.party, found.index, part, body.form)
        return {name: lambda: _blob(shelf_of(self._blobs, found.log), body.c)}


def _check_together(found: Sequence[Found]) -> None:
    if not found:
        raise RefusedError("bundle.nothing")
    if len(found) > MAX_RECORDS:
        raise RefusedError("bundle.too_many", most=MAX_RECORDS)
    if len({each.log.channel.ch for each in found}) > 1:
        raise RefusedError("bundle.other_channel")


def _check_words(code: str, reason: str) -> None:
    if code not in DISCLOSED_TO:
        raise RefusedError("disclose.code", allowed=", ".join(DISCLOSED_TO))
    if not 1 <= len(reason.strip()) <= MAX_REASON:
        raise RefusedError("disclose.reason", most=MAX_REASON)


def _place(found: Found) -> str:
    return f"{found.log.party}/{found.index}"


def _write(files: dict[str, bytes | Content], out: BinaryIO) -> None:
    with os_errors():
        for piece in write_bundle(files):
            out.write(piece)
        out.flush()


def _blob(shelf: Shelf, c: str) -> Iterable[bytes]:
    with shelf.open(c) as file:
        while piece := file.read(_PIECE):
            yield piece
