"""Whether an entry is fit in its place, by its own log and the rules in force alone.

Rule (1) of docs/spec/fold.md. Every node gives an entry the same verdict, whenever it judges it:
no clock, no other log, no body and no arrival order is asked. An unfit entry is kept, served and
cosigned like any other; the fold skips it, and it leaves no trace in the state used here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from itertools import chain
from typing import Final, NamedTuple, Protocol

from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConvenioError, MalformedError, SignatureError
from convenio.core.hashindex import HashIndex
from convenio.core.merkle import leaf_hash
from convenio.core.note import Note, Verifier
from convenio.core.record import (
    OBJECTION,
    PROOF,
    RECEIVED,
    SPLIT,
    Header,
    PartyId,
    Record,
    parse_record,
)
from convenio.core.split import SplitProof, parse_split_data, verify_split
from convenio.core.trust import Charter

CORE_TYPES: Final = frozenset((RECEIVED, PROOF, OBJECTION, SPLIT))


class CosignatureVerifier(Protocol):
    """A mirror's or witness's key: gives the signed time, seconds UTC, or a SignatureError."""

    @property
    def name(self) -> str: ...
    @property
    def key_id(self) -> bytes: ...
    def verify_checkpoint(self, checkpoint: Checkpoint, signature: bytes) -> int: ...


@dataclass(frozen=True, slots=True)
class Member:
    """What the charter and rosters fix of one party.

    gen: the generation its log is in. origin: of that log. authors: its desks' keys by key name.
    cosigners: its mirror's keys, those whose cosignature `proof.v1` may show as a receipt. log: the
    key its log's checkpoints are signed with, whose name is the origin.
    """

    party: PartyId
    gen: int
    origin: str
    authors: Mapping[str, Verifier]
    cosigners: tuple[CosignatureVerifier, ...] = ()
    log: Verifier | None = None


@dataclass(frozen=True)
class Rules:
    """The rules in force: members in charter order, and what may be said at all.

    fold: version of the fold. types: record types that count; all others are void. instruments:
    pinned hashes. witnesses: neutral cosigners, whose stamp in a `proof.v1` shows that an entry
    was there in time.
    """

    ch: str
    fold: int
    members: tuple[Member, ...]
    types: frozenset[str]
    instruments: frozenset[str] = frozenset()
    witnesses: tuple[CosignatureVerifier, ...] = ()

    @classmethod
    def of(cls, charter: Charter) -> Rules:
        """The rules a charter sets; later rosters and amendments will change them."""
        return cls(
            ch=charter.ch,
            fold=charter.fold,
            members=tuple(
                Member(
                    party=card.party,
                    gen=1,
                    origin=charter.origin(card.party),
                    authors={each.name: each for each in card.author_verifiers()},
                    cosigners=card.mirror_verifiers(),
                    log=charter.log_verifiers(card.party)[0],
                )
                for card in charter.parties
            ),
            types=frozenset(charter.types),
            instruments=frozenset(charter.instruments.values()),
        )

    @cached_property
    def parties(self) -> frozenset[PartyId]:
        return frozenset(member.party for member in self.members)

    def names(self, kind: str) -> bool:
        """Whether a record of type `kind` is more than void under these rules."""
        return kind in CORE_TYPES or kind in self.types


class Fit(NamedTuple):
    """A fit entry. text: the signed bytes, by which a record is known in its log."""

    header: Header
    text: bytes


@dataclass(frozen=True, slots=True)
class Unfit:
    """An entry that changes nothing, and the stable code of the first reason found."""

    code: str


@dataclass(slots=True)
class LogState:
    """What of a log's fit entries the next one is judged by.

    A repeated text repeats its `at`, and `at` never falls: so only the texts said at the last `at`
    can come again. at: of the last fit entry, -1 before the first.
    """

    at: int = -1
    last: bytes = b""  # the text of the last fit entry
    texts: HashIndex = field(default_factory=HashIndex)  # of those before it at the same time

    def take(self, fit: Fit) -> None:
        """Go on to the state after `fit`, which was judged fit by this state."""
        if fit.header.at != self.at:
            self.at = fit.header.at
            if len(self.texts):
                self.texts = HashIndex()
        else:
            self.texts.add(hashlib.sha256(self.last).digest())
        self.last = fit.text

    def repeats(self, fit: Fit) -> bool:
        """Whether a fit entry has said this text before."""
        if fit.header.at != self.at:
            return False
        return (
            fit.text == self.last or self.texts.find(hashlib.sha256(fit.text).digest()) is not None
        )


class Opened(NamedTuple):
    """What an entry says by itself, wherever it stands.

    record: None if it is no record; fault: then why. unsigned: what is wrong with its signatures by
    `authors`, empty if nothing is.
    """

    leaf: bytes
    record: Record | None
    fault: str
    unsigned: str
    authors: Mapping[str, Verifier]


# How notes are checked, some at a time: `map`, or one that spreads the work over several cores.
Spread = Callable[[Callable[[list[Note]], list[str]], Sequence[list[Note]]], Iterable[list[str]]]
SPREAD_BY: Final = 64  # notes: enough that handing them to another core is worth it


def open_entries(
    entries: Sequence[bytes],
    authors: Mapping[str, Verifier],
    *,
    verified: bool = False,
    spread: Spread = map,
) -> list[Opened]:
    """Each of `entries` read, and its signatures checked by `authors`.

    Many at a time, first one thing and then the other: verifying empties the processor's caches.

    Args:    verified: this node checked the signatures of these bytes by these keys before.
    """
    read = [_read(entry) for entry in entries]
    notes = [record.note for record, _ in read if record and not verified]
    some = [notes[at : at + SPREAD_BY] for at in range(0, len(notes), SPREAD_BY)]
    faults = chain.from_iterable(spread(partial(_all_unsigned, authors), some))
    return [
        Opened(
            leaf_hash(entry),
            record,
            fault,
            next(faults) if record and not verified else "",
            authors,
        )
        for entry, (record, fault) in zip(entries, read, strict=True)
    ]


def _read(entry: bytes) -> tuple[Record | None, str]:
    try:
        return parse_record(entry), ""
    except MalformedError as error:
        return None, error.code


def judge(opened: Opened, member: Member, state: LogState, rules: Rules) -> Fit | Unfit:
    """The verdict on an entry as the next of `member`'s log, whose fit entries made `state`.

    Its signatures must have been checked by the keys of `member`.

    Returns: Unfit codes: those of `parse_record`, and fold.ch · fold.from · fold.gen · fold.seen ·
             fold.at · fold.again · fold.author · fold.signature · fold.split.
    """
    if opened.record is None:
        return Unfit(opened.fault)
    fit = Fit(opened.record.header, opened.record.note.text)
    code = _misplaced(fit.header, member, rules) or _repeated(fit, state) or opened.unsigned
    if not code and fit.header.type == SPLIT and shown_split(fit.header, rules) is None:
        code = "fold.split"
    return Unfit(code) if code else fit


def shown_split(header: Header, rules: Rules) -> SplitProof | None:
    """The proof in a `split.v1`, if it holds against the member it names, whoever says so."""
    log = next((m.log for m in rules.members if m.party == header.data["of"]), None)
    if log is None:
        return None
    try:
        proof = parse_split_data(header.data)
        verify_split(proof, log)
    except ConvenioError:
        return None
    return proof


def _misplaced(header: Header, member: Member, rules: Rules) -> str:
    if header.ch != rules.ch:
        return "fold.ch"
    if header.sender != member.party:
        return "fold.from"
    if header.gen != member.gen:
        return "fold.gen"
    if member.party in header.seen or not header.seen.keys() <= rules.parties:
        return "fold.seen"
    return ""


def _repeated(fit: Fit, state: LogState) -> str:
    if fit.header.at < state.at:
        return "fold.at"
    return "fold.again" if state.repeats(fit) else ""


def _all_unsigned(authors: Mapping[str, Verifier], notes: list[Note]) -> list[str]:
    return [_unsigned(note, authors) for note in notes]


def _unsigned(note: Note, authors: Mapping[str, Verifier]) -> str:
    """`parse_record` has made sure that the lines are those of `by`, in that order."""
    for line in note.lines:
        verifier = authors.get(line.name)
        if verifier is None or verifier.key_id != line.key_id:
            return "fold.author"
        try:
            verifier.verify(note.text, line.signature)
        except SignatureError:
            return "fold.signature"
    return ""
