"""One record and its proofs: whether it is one, who signed it, which log has it, who holds it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from convenio.core.bundle import Disclosed, addressees, parse_disclosed
from convenio.core.errors import (
    ConvenioError,
    MalformedError,
    SignatureError,
    UnverifiedError,
)
from convenio.core.fit import LogState, Rules, Unfit, judge, open_entries
from convenio.core.merkle import check_inclusion, leaf_hash
from convenio.core.proof import parse_proof
from convenio.core.record import Header, parse_record
from convenio.core.trust import Charter
from convenio.node.verify.checkpoints import Checkpoints, Signed
from convenio.node.verify.keys import Keys, desk_fact, party_name
from convenio.node.verify.report import BodyFact, Check, DeskFact, Findings, HeldFact, Statement

Pieces = Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Shown:
    """What of a record's content came along. bodies: part -> file, bytes. disclosed: part -> file
    of the content, its bytes, and the line that says what it is."""

    bodies: Mapping[int, tuple[str, Pieces]]
    disclosed: Mapping[int, tuple[str, Pieces, bytes]]


NOTHING_SHOWN = Shown({}, {})


class RecordChecker:
    """Checks records under one set of keys."""

    def __init__(self, keys: Keys, checkpoints: Checkpoints, findings: Findings) -> None:
        self._keys, self._checkpoints, self._findings = keys, checkpoints, findings
        self._rules = Rules.of(keys.charter) if keys.charter else None

    def check(
        self,
        place: str,
        entry: bytes,
        proofs: Mapping[str, tuple[str, bytes]],
        shown: Shown = NOTHING_SHOWN,
    ) -> Statement | None:
        """What the record says and who holds it; None if these bytes are no record.

        place: `mx/12`, or a file's name where nothing says the place. proofs: file -> whose
        cosignature it must hold ('' for anybody's), and its bytes.
        """
        before = self._findings.failures
        header = self._record(place, entry)
        if header is None:
            return None
        held: dict[str, int] = {}
        for file, (party, data) in sorted(proofs.items()):
            index, found = self._proof(file, place, data, entry, header, party)
            place = place if "/" in place or index < 0 else f"{header.sender}/{index}"
            for each in found:
                held[each.party] = min(each.at, held.get(each.party, each.at))
        self._note_uncosigned(place, header, held)
        parts = range(len(header.bodies))
        for part in {*shown.bodies, *shown.disclosed} - set(parts):
            self._findings.fails(Check.BODY, place, MalformedError("seal.part"), part=part)
        bodies = tuple(self._body(place, entry, header, part, shown) for part in parts)
        said = self._statement(place, entry, header, held, bodies)
        return replace(said, holds=self._findings.failures == before)

    def check_without_record(self, file: str, data: bytes) -> None:
        """A proof whose record was not given: what it says of the log is checked, and what is
        missing is named. It proves nothing of any record."""
        self._findings.lacks(Check.RECORD, file, "verify.no_record", file=file)
        try:
            proof = parse_proof(data)
        except MalformedError as error:
            self._findings.fails(Check.INCLUSION, file, error)
        else:
            self._checkpoints.check(proof.checkpoint, file)

    def _record(self, place: str, entry: bytes) -> Header | None:
        """Canonical, of this channel, of the party its name says, and signed by its desk."""
        try:
            header = parse_record(entry).header
        except MalformedError as error:
            self._findings.fails(Check.RECORD, place, error)
            return None
        try:
            if "/" in place and header.sender != place.partition("/")[0]:
                raise UnverifiedError("verify.other_place", place=place)
            self._judge(entry, header)
        except UnverifiedError as error:
            self._findings.fails(Check.RECORD, place, error)
        else:
            if self._rules is not None:  # else nobody knows whose signature it is
                self._findings.holds(Check.RECORD, place)
        if self._rules is None:
            self._findings.notes(Check.NO_CHARTER, place)
            if self._keys.policy:  # it vouches for the log; what stands in a log anybody can write
                self._findings.lacks(Check.RECORD, place, "verify.no_authors")
        return header

    def _judge(self, entry: bytes, header: Header) -> None:
        if self._rules is None:
            return
        member = next((m for m in self._rules.members if m.party == header.sender), None)
        if member is None:
            raise UnverifiedError("fold.from")
        (opened,) = open_entries((entry,), member.authors)
        verdict = judge(opened, member, LogState(), self._rules)
        if isinstance(verdict, Unfit):
            raise UnverifiedError(verdict.code)

    def _proof(  # noqa: PLR0913, PLR0917 - a proof is held against all of these
        self, file: str, place: str, data: bytes, entry: bytes, header: Header, party: str
    ) -> tuple[int, tuple[HeldFact, ...]]:
        """The index that is proved, -1 if none is, and who cosigned it there."""
        try:
            proof = parse_proof(data)
        except MalformedError as error:
            self._findings.fails(Check.INCLUSION, file, error)
            return -1, ()
        signed = self._checkpoints.check(proof.checkpoint, file)
        if signed is None:
            return -1, ()
        try:
            self._check_place(proof.index, place, signed, header)
            size, root = signed.checkpoint.size, signed.checkpoint.root
            check_inclusion(leaf_hash(entry), proof.index, size, proof.hashes, root)
        except ConvenioError as error:
            self._findings.fails(Check.INCLUSION, file, error)
            return -1, ()
        self._findings.holds(Check.INCLUSION, file, index=proof.index, size=size)
        if party and self._keys.charter and party not in {each.party for each in signed.held}:
            missing = SignatureError("verify.not_cosigned", party=party)
            self._findings.fails(Check.COSIGNATURE, file, missing)
        return proof.index, signed.held

    @staticmethod
    def _check_place(index: int, place: str, signed: Signed, header: Header) -> None:
        """The log is the author's, and the index is the one the name of the record says."""
        if signed.party and signed.party != header.sender:
            raise UnverifiedError("verify.other_log", origin=signed.checkpoint.origin)
        if "/" in place and str(index) != place.partition("/")[2]:
            raise UnverifiedError("verify.other_place", place=place)

    def _note_uncosigned(self, place: str, header: Header, held: Mapping[str, int]) -> None:
        """With no cosignature it is no receipt. That one of several is missing is a fact."""
        if not held and (self._keys.charter or self._keys.policy):
            error = SignatureError("verify.no_receipt")
            self._findings.fails(Check.COSIGNATURE, place, error)
        elif self._keys.charter:
            for party in addressees(header, self._keys.charter):
                if party not in held:
                    self._findings.notes(Check.UNCOSIGNED, place, party=party)

    # --- contents ---

    def _body(self, place: str, entry: bytes, header: Header, part: int, shown: Shown) -> BodyFact:
        ref = header.bodies[part]
        fact = BodyFact(part, ref.form, ref.n)
        if part in shown.bodies:
            file, pieces = shown.bodies[part]
            with self._findings.checking(Check.BODY, file):
                _check_blob(pieces(), header, part, file)
                fact = BodyFact(part, ref.form, ref.n, ref.form, file)
        if part in shown.disclosed:
            file, pieces, label = shown.disclosed[part]
            with self._findings.checking(Check.DISCLOSED, file):
                said = _check_content(pieces(), label, entry, header, part)
                fact = BodyFact(part, ref.form, ref.n, "disclosed", file, said.media, said.name)
        if fact.shown == "absent":
            self._findings.notes(Check.BODY_ABSENT, place, part=part)
        return fact

    def _statement(
        self,
        place: str,
        entry: bytes,
        header: Header,
        held: Mapping[str, int],
        bodies: tuple[BodyFact, ...],
    ) -> Statement:
        charter = self._keys.charter
        return Statement(
            place=place,
            leaf=leaf_hash(entry).hex(),
            type=header.type,
            at=header.at,
            sender=header.sender,
            sender_name=party_name(charter, header.sender),
            by=tuple(_author(charter, header, name) for name in header.by),
            to=tuple(desk_fact(charter, address) for address in header.to),
            cosigned=tuple(HeldFact(party, at) for party, at in sorted(held.items())),
            bodies=bodies,
            case=header.case,
            act=header.act,
        )


def _author(charter: Charter | None, header: Header, key_name: str) -> DeskFact:
    return desk_fact(charter, f"{header.sender}:{key_name.rpartition('/')[2]}")


def _check_blob(pieces: Iterable[bytes], header: Header, part: int, file: str) -> None:
    """The bytes are those the record names; of an open body, also that it was made for it."""
    ref = header.bodies[part]
    if file.endswith(".open") != (ref.form == "open"):
        raise UnverifiedError("seal.blob")
    if ref.form == "open":
        from convenio.core.seal import open_stream  # noqa: PLC0415 - only here, and slow to load

        for _ in open_stream(pieces, (), header, part):
            pass
        return
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    if (digest.hexdigest(), size) != (ref.c, ref.n):
        raise UnverifiedError("seal.blob")


def _check_content(
    pieces: Iterable[bytes], label: bytes, entry: bytes, header: Header, part: int
) -> Disclosed:
    """With its salt the content gives the commitment in the header. No key is needed."""
    from convenio.core.seal import commit  # noqa: PLC0415 - only here, and slow to load

    said, ref = parse_disclosed(label), header.bodies[part]
    if said.leaf != leaf_hash(entry) or said.part != part or ref.form != "sealed":
        raise UnverifiedError("seal.not_this_record")
    if commit(pieces, said.salt) not in {ref.k, ref.k0} - {""}:
        raise UnverifiedError("seal.commitment")
    return said
