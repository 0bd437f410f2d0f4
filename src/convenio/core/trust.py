"""Charters: the members of a channel and its rules, signed by the offline root keys of each.

A *charter* holds the cards of all members (core/card.py) and the rules of one channel; it is in
force when k of n root keys of every member have signed it. Its hash names the channel and is what
people compare by voice. Formats: docs/spec/trust.md.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from convenio.core import canon
from convenio.core.canon import Json, Object
from convenio.core.card import (
    CARD_FIELDS,
    Card,
    Desk,
    Text,
    card_json,
    card_of,
    require_distinct_keys,
    text_json,
    text_of,
)
from convenio.core.cosign import CosignVerifier, MlDsa44CosignVerifier
from convenio.core.errors import MalformedError, QuorumError, RefusedError
from convenio.core.fields import (
    HEX64,
    MAX_TRUST_BYTES,
    NAME,
    count_signed,
    fields_of,
    integer_of,
    items_of,
    one_of,
    open_line,
    string_of,
)
from convenio.core.nearest import nearest
from convenio.core.note import Ed25519Verifier, Note, Signer, parse_note, sign_note
from convenio.core.record import Address, PartyId

MAX_PARTIES: Final = 16
ACCESS: Final = ("public", "members")
PURPOSES: Final = ("cooperation", "humanitarian", "test")
_HEX32 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}|[0-9]{60}", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,40}\.v[1-9][0-9]{0,3}", re.ASCII)


def is_channel_name(text: str) -> bool:
    """Whether a channel can be called this."""
    return NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Quota:
    """What one member may send another in a day."""

    entries_per_day: int
    bytes_per_day: int


@dataclass(frozen=True)  # no slots: `ch` is kept
class Charter:
    """The members of a channel, their keys and its rules. instruments: name -> pinned hash, hex."""

    nonce: str
    name: str
    title: Text
    access: str
    purpose: str
    fold: int
    types: tuple[str, ...]
    instruments: dict[str, str]
    quota: Quota
    parties: tuple[Card, ...]
    at: int

    def encode(self) -> bytes:
        """The text that is signed."""
        value: Object = {
            "kind": "charter",
            "v": 1,
            "nonce": self.nonce,
            "name": self.name,
            "title": text_json(self.title),
            "access": self.access,
            "purpose": self.purpose,
            "fold": self.fold,
            "types": list(self.types),
            "instruments": dict(self.instruments),
            "quota": {
                "entries_per_day": self.quota.entries_per_day,
                "bytes_per_day": self.quota.bytes_per_day,
            },
            "parties": [card_json(card) for card in self.parties],
            "at": self.at,
        }
        return canon.dumps(value) + b"\n"

    @cached_property
    def ch(self) -> str:
        """The channel's name in every record: SHA-256 of the charter's text, hex."""
        return hashlib.sha256(self.encode()).hexdigest()

    @property
    def public(self) -> bool:
        return self.access == "public"

    def members(self) -> tuple[PartyId, ...]:
        return tuple(card.party for card in self.parties)

    def member(self, party: str) -> Card:
        """The card of a member.  Raises:  RefusedError: trust.not_a_member."""
        for card in self.parties:
            if card.party == party:
                return card
        known = nearest(party, self.members())
        raise RefusedError("trust.not_a_member", party=party, known=known)

    def desk_of(self, address: Address) -> Desk:
        """The desk at an address.

        Raises:  RefusedError: trust.not_a_member · trust.unknown_desk.
        """
        party, _, desk = address.partition(":")
        return self.member(party).roster.desk(desk)

    def address(self, name: str) -> Address:
        """The address `party:desk` with the desk's opaque id, from an id or an alias."""
        party, _, desk = name.partition(":")
        return Address(f"{party}:{self.member(party).roster.desk(desk).id}")

    def origin(self, party: str) -> str:
        """The origin of a member's log in this channel; the channel's name is not in it."""
        return f"{self.member(party).domain}/c/{self.nonce}"

    def party_of(self, origin: str) -> PartyId | None:
        return next((p for p in self.members() if self.origin(p) == origin), None)

    def log_verifiers(self, party: str) -> tuple[Ed25519Verifier, CosignVerifier]:
        """The keys that sign a member's checkpoints: plain Ed25519, and ML-DSA-44."""
        keys, origin = self.member(party).roster.log, self.origin(party)
        return (
            Ed25519Verifier.of(origin, keys.ed),
            MlDsa44CosignVerifier.of(origin, keys.pq),
        )


@dataclass(frozen=True, slots=True)
class SignedCharter:
    """A charter with the root signatures it has so far; every one of them verified."""

    charter: Charter
    note: Note

    def signed_by(self) -> dict[PartyId, int]:
        """How many root keys of each member have signed."""
        present = {(line.name, line.key_id) for line in self.note.lines}
        return {
            card.party: sum((v.name, v.key_id) in present for v in card.root_verifiers())
            for card in self.charter.parties
        }

    def missing(self) -> tuple[PartyId, ...]:
        """Members whose quorum has not signed yet."""
        signed = self.signed_by()
        return tuple(c.party for c in self.charter.parties if signed[c.party] < c.roots.k)

    def require_complete(self) -> Charter:
        """The charter, in force.  Raises:  QuorumError: trust.charter_quorum."""
        if missing := self.missing():
            raise QuorumError("trust.charter_quorum", party=", ".join(missing))
        return self.charter

    def with_signatures(self, *signers: Signer) -> SignedCharter:
        """The same charter with more root signatures."""
        more = sign_note(self.note.text, *signers)
        return merge_charters(self, parse_charter(more.encode()))


def fingerprint(ch: str) -> str:
    """The hash of a charter as 60 decimal digits in groups of five: to be read aloud.

    199 bits of the hash: nobody can make a second charter with the same digits.
    """
    digits = f"{int(ch, 16) % 10**60:060d}"
    return " ".join(digits[start : start + 5] for start in range(0, 60, 5))


def plain_fingerprint(typed: str) -> str:
    """What a person typed, without the gaps they may leave.

    Raises:  MalformedError: trust.fingerprint, neither 60 digits nor a hash of 64 hex digits.
    """
    plain = re.sub(r"[\s-]", "", typed).lower()
    if not _FINGERPRINT.fullmatch(plain):
        digits = sum(each.isdecimal() for each in plain)
        raise MalformedError("trust.fingerprint", typed=typed, digits=digits)
    return plain


def matches_fingerprint(ch: str, typed: str) -> bool:
    """Whether what a person typed is this channel's hash (64 hex) or its 60 digits."""
    plain = re.sub(r"[\s-]", "", typed).lower()
    return plain in (ch, fingerprint(ch).replace(" ", ""))


def propose_charter(charter: Charter, *roots: Signer) -> SignedCharter:
    """A new charter with its first signatures."""
    return parse_charter(sign_note(charter.encode(), *roots).encode())


def parse_charter(data: bytes) -> SignedCharter:
    """The charter in `data` with its root signatures, all verified; perhaps not yet complete.

    Raises:  MalformedError: note.* · canon.* · trust.* · SignatureError: note.bad_signature, or
             trust.foreign_signature, a line of a key that is no member's root.
    """
    note = parse_note(data, MAX_TRUST_BYTES)
    charter = _charter(open_line(note, "charter", _CHARTER))
    roots = [verifier for card in charter.parties for verifier in card.root_verifiers()]
    if count_signed(note, roots) != len(note.lines):
        raise QuorumError("trust.foreign_signature")
    return SignedCharter(charter, note)


def merge_charters(one: SignedCharter, other: SignedCharter) -> SignedCharter:
    """One charter with the signatures of both.

    Raises:  RefusedError: trust.other_charter · MalformedError: note.signature_line, these are more
             than a note can hold.
    """
    if one.note.text != other.note.text:
        raise RefusedError("trust.other_charter")
    lines = {(line.name, line.key_id): line for line in (*one.note.lines, *other.note.lines)}
    return parse_charter(Note(one.note.text, tuple(lines.values())).encode())


_CHARTER: Final = (
    *("kind", "v", "nonce", "name", "title", "access", "purpose", "fold", "types"),
    *("instruments", "quota", "parties", "at"),
)


def _charter(value: Object) -> Charter:
    quota = fields_of(value["quota"], ("entries_per_day", "bytes_per_day"))
    parties = items_of(value["parties"], 2, MAX_PARTIES, "trust.parties")
    charter = Charter(
        nonce=string_of(value["nonce"], _HEX32, "trust.nonce"),
        name=string_of(value["name"], NAME, "trust.name"),
        title=text_of(value["title"]),
        access=one_of(value["access"], ACCESS, "trust.access"),
        purpose=one_of(value["purpose"], PURPOSES, "trust.purpose"),
        fold=integer_of(value["fold"], 1, "trust.fold"),
        types=_types(value["types"]),
        instruments=_instruments(value["instruments"]),
        quota=Quota(
            integer_of(quota["entries_per_day"], 1, "trust.quota"),
            integer_of(quota["bytes_per_day"], 1, "trust.quota"),
        ),
        parties=tuple(card_of(fields_of(item, CARD_FIELDS)) for item in parties),
        at=integer_of(value["at"], 0, "trust.at"),
    )
    if len({c.party for c in charter.parties}) != len(parties):
        raise MalformedError("trust.parties")
    if len({c.domain for c in charter.parties}) != len(parties):
        raise MalformedError("trust.domain")
    require_distinct_keys(charter.parties)
    return charter


def _types(value: Json) -> tuple[str, ...]:
    found = tuple(
        string_of(item, _TYPE, "trust.types") for item in items_of(value, 1, 200, "trust.types")
    )
    if sorted(set(found)) != list(found):
        raise MalformedError("trust.types")
    return found


def _instruments(value: Json) -> dict[str, str]:
    if type(value) is not dict or len(value) > 200:
        raise MalformedError("trust.instruments")
    return {name: string_of(item, HEX64, "trust.instruments") for name, item in value.items()}
