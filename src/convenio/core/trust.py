"""Who speaks for a party: cards, charters and rosters, signed by offline root keys.

A *card* is what one party shows another: its name, its root keys and the keys its node works with.
A *charter* holds the cards of all members and the rules of one channel; it is in force when k of n
root keys of every member have signed it. Its hash names the channel and is what people compare by
voice. A *roster* later replaces the working keys of one party. Formats: docs/spec/trust.md.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Final, cast

from convenio.core import canon
from convenio.core.age import HybridRecipient
from convenio.core.canon import Json, Object
from convenio.core.cosign import CosignVerifier, Ed25519CosignVerifier, MlDsa44CosignVerifier
from convenio.core.encoding import parse_base64
from convenio.core.errors import MalformedError, QuorumError, RefusedError
from convenio.core.httpsig import parse_base_url
from convenio.core.nearest import nearest
from convenio.core.note import (
    Ed25519Verifier,
    Note,
    Signer,
    Verifier,
    keyring,
    parse_note,
    sign_note,
)
from convenio.core.record import Address, PartyId

MAX_TRUST_BYTES: Final = 512 * 1024
MAX_PARTIES: Final = 16
MAX_DESKS: Final = 64
MAX_ROOTS: Final = 9
ACCESS: Final = ("public", "members")
PURPOSES: Final = ("cooperation", "humanitarian", "test")

_PARTY = re.compile(r"[a-z][a-z0-9]{1,15}", re.ASCII)
_DESK = re.compile(r"[0-9a-f]{8}", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,120}(?:/[A-Za-z0-9._~/-]{0,80})?", re.ASCII)
_HEX32 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9a-f]{64}|[0-9]{60}", re.ASCII)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,40}\.v[1-9][0-9]{0,3}", re.ASCII)
_SEAL = re.compile(r"age1pq1[02-9ac-hj-np-z]{1900,2000}", re.ASCII)


def is_party(text: str) -> bool:
    """Whether a party can be called this."""
    return _PARTY.fullmatch(text) is not None


def is_channel_name(text: str) -> bool:
    """Whether a channel can be called this."""
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Text:
    """A name or title in both languages; neither is the original."""

    en: str
    es: str


@dataclass(frozen=True, slots=True)
class Roots:
    """A party's offline keys: any `k` of `keys` (Ed25519, 32 bytes each) speak for the party."""

    k: int
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Public halves of a double signature. ed: Ed25519, 32 bytes. pq: ML-DSA-44, 1,312 bytes."""

    ed: bytes
    pq: bytes


@dataclass(frozen=True, slots=True)
class Desk:
    """One desk. id: 8 hex, opaque. alias: what people type. seal: an age1pq1 recipient."""

    id: str
    alias: str
    name: Text
    author: bytes
    seal: str


@dataclass(frozen=True, slots=True)
class Roster:
    """The keys and the address a party's node works with. tls: SHA-256 of its certificate or ''."""

    seq: int
    url: str
    tls: str
    log: KeyPair
    mirror: KeyPair
    node: bytes
    desks: tuple[Desk, ...]

    def desk(self, name: str) -> Desk:
        """The desk with this id or alias.  Raises:  trust.unknown_desk · trust.no_desk."""
        for desk in self.desks:
            if name in (desk.id, desk.alias):
                return desk
        known = nearest(name, (desk.alias for desk in self.desks))
        if not name:
            raise RefusedError("trust.no_desk", known=known)
        raise RefusedError("trust.unknown_desk", desk=name, known=known)


@dataclass(frozen=True, slots=True)
class Card:
    """A party as it introduces itself."""

    party: PartyId
    name: Text
    domain: str
    roots: Roots
    roster: Roster
    at: int

    def root_verifiers(self) -> tuple[Ed25519Verifier, ...]:
        return tuple(
            Ed25519Verifier.of(root_key_name(self.domain, number), key)
            for number, key in enumerate(self.roots.keys, 1)
        )

    def author_verifiers(self) -> tuple[Ed25519Verifier, ...]:
        return tuple(
            Ed25519Verifier.of(author_key_name(self.domain, desk.id), desk.author)
            for desk in self.roster.desks
        )

    def node_verifier(self) -> Ed25519Verifier:
        return Ed25519Verifier.of(node_key_name(self.domain), self.roster.node)

    def mirror_verifiers(self) -> tuple[CosignVerifier, CosignVerifier]:
        """What checks this party's cosignatures: ML-DSA-44 first, then Ed25519."""
        name, keys = mirror_key_name(self.domain), self.roster.mirror
        return (
            MlDsa44CosignVerifier.of(name, keys.pq),
            Ed25519CosignVerifier.of(name, keys.ed),
        )

    def encode(self) -> bytes:
        """The text that is signed."""
        return canon.dumps({"kind": "card", "v": 1, **_card_json(self)}) + b"\n"


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
            "title": _text_json(self.title),
            "access": self.access,
            "purpose": self.purpose,
            "fold": self.fold,
            "types": list(self.types),
            "instruments": dict(self.instruments),
            "quota": {
                "entries_per_day": self.quota.entries_per_day,
                "bytes_per_day": self.quota.bytes_per_day,
            },
            "parties": [_card_json(card) for card in self.parties],
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


def root_key_name(domain: str, number: int) -> str:
    return f"{domain}/r/{number}"


def author_key_name(domain: str, desk: str) -> str:
    return f"{domain}/k/{desk}"


def mirror_key_name(domain: str) -> str:
    return f"{domain}/mirror"


def node_key_name(domain: str) -> str:
    return f"{domain}/node"


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


def sign_card(card: Card, *roots: Signer) -> bytes:
    """The card as a note under its own root keys."""
    note = sign_note(card.encode(), *roots).encode()
    parse_card(note)
    return note


def parse_card(data: bytes) -> Card:
    """The card in a note that k of its own n root keys have signed.

    That proves possession of the keys and nothing more: whose keys they are is settled when people
    compare the charter's fingerprint.

    Raises:  MalformedError: note.* · canon.* · trust.* · SignatureError: note.bad_signature ·
             QuorumError: trust.card_quorum.
    """
    note = parse_note(data, MAX_TRUST_BYTES)
    card = _card(_open(note, "card", ("kind", "v", *_CARD)))
    if _count_signed(note, card.root_verifiers()) < card.roots.k:
        raise QuorumError("trust.card_quorum", party=card.party)
    return card


def propose_charter(charter: Charter, *roots: Signer) -> SignedCharter:
    """A new charter with its first signatures."""
    return parse_charter(sign_note(charter.encode(), *roots).encode())


def parse_charter(data: bytes) -> SignedCharter:
    """The charter in `data` with its root signatures, all verified; perhaps not yet complete.

    Raises:  MalformedError: note.* · canon.* · trust.* · SignatureError: note.bad_signature, or
             trust.foreign_signature, a line of a key that is no member's root.
    """
    note = parse_note(data, MAX_TRUST_BYTES)
    charter = _charter(_open(note, "charter", _CHARTER))
    roots = [verifier for card in charter.parties for verifier in card.root_verifiers()]
    if _count_signed(note, roots) != len(note.lines):
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


def sign_roster(card: Card, roster: Roster, previous: str, at: int, *roots: Signer) -> bytes:
    """A later roster of the party of `card`. previous: SHA-256 of the text it follows, hex."""
    value: Object = {
        "kind": "roster",
        "v": 1,
        "party": card.party,
        "previous": previous,
        "roster": _roster_json(roster),
        "at": at,
    }
    note = sign_note(canon.dumps(value) + b"\n", *roots).encode()
    parse_roster(note, card, previous)
    return note


def parse_roster(data: bytes, card: Card, previous: str) -> Roster:
    """The roster that follows `previous`, signed by k of n root keys of `card`.

    Raises:  MalformedError · SignatureError · QuorumError: trust.roster_quorum ·
             RefusedError: trust.roster_order, it does not follow what is in force.
    """
    note = parse_note(data, MAX_TRUST_BYTES)
    value = _open(note, "roster", ("kind", "v", "party", "previous", "roster", "at"))
    roster = _roster(value["roster"])
    _distinct_keys((replace(card, roster=roster),))
    _integer(value["at"], 0, "trust.at")
    if _count_signed(note, card.root_verifiers()) < card.roots.k:
        raise QuorumError("trust.roster_quorum", party=card.party)
    in_order = roster.seq == card.roster.seq + 1 and value["previous"] == previous
    if not in_order or value["party"] != card.party:
        raise RefusedError("trust.roster_order")
    return roster


# --- JSON, both ways -----------------------------------------------------------------------------

_CARD: Final = ("party", "name", "domain", "roots", "roster", "at")
_ROSTER: Final = ("seq", "url", "tls", "log", "mirror", "node", "desks")
_DESK_FIELDS: Final = ("id", "alias", "name", "author", "seal")
_CHARTER: Final = (
    *("kind", "v", "nonce", "name", "title", "access", "purpose", "fold", "types"),
    *("instruments", "quota", "parties", "at"),
)


def _open(note: Note, kind: str, fields: Sequence[str]) -> Object:
    if note.text.count(b"\n") != 1:
        raise MalformedError("trust.one_line")
    value = canon.loads(note.text[:-1], MAX_TRUST_BYTES)
    if value.get("kind") != kind or type(value.get("v")) is not int or value["v"] != 1:
        raise MalformedError("trust.kind", expected=kind)
    return _fields(value, fields)


def _count_signed(note: Note, roots: Iterable[Verifier]) -> int:
    """How many of `roots` have signed; a line of theirs that fails rejects the whole note."""
    known = keyring(*roots)
    found = {}
    for line in note.lines:
        key = (line.name, line.key_id)
        if key in known and key not in found:
            known[key].verify(note.text, line.signature)
            found[key] = True
    return len(found)


def _fields(value: Json, names: Sequence[str]) -> Object:
    if type(value) is not dict or value.keys() != set(names):
        raise MalformedError("trust.fields")
    return value


def _string(value: Json, rule: re.Pattern[str], code: str) -> str:
    if type(value) is not str or not rule.fullmatch(value):
        raise MalformedError(code)
    return value


def _integer(value: Json, low: int, code: str, high: int = canon.MAX_INTEGER) -> int:
    if type(value) is not int or not low <= value <= high:
        raise MalformedError(code)
    return value


def _one_of(value: Json, allowed: Sequence[str], code: str) -> str:
    if value not in allowed:
        raise MalformedError(code)
    return cast(str, value)


def _items(value: Json, low: int, high: int, code: str) -> list[Json]:
    if type(value) is not list or not low <= len(value) <= high:
        raise MalformedError(code)
    return value


def _key(value: Json, length: int, code: str = "trust.key") -> bytes:
    if type(value) is not str or not value.isascii():
        raise MalformedError(code)
    raw = parse_base64(value.encode(), code)
    if len(raw) != length:
        raise MalformedError(code)
    return raw


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _text(value: Json) -> Text:
    both = _fields(value, ("en", "es"))
    for words in both.values():
        if type(words) is not str or not 1 <= len(words) <= 200 or not words.isprintable():
            raise MalformedError("trust.text")
    return Text(cast(str, both["en"]), cast(str, both["es"]))


def _text_json(text: Text) -> Json:
    return {"en": text.en, "es": text.es}


def _pair(value: Json) -> KeyPair:
    both = _fields(value, ("ed", "pq"))
    return KeyPair(_key(both["ed"], 32), _key(both["pq"], 1312))


def _pair_json(pair: KeyPair) -> Json:
    return {"ed": _b64(pair.ed), "pq": _b64(pair.pq)}


def _roots(value: Json) -> Roots:
    fields = _fields(value, ("k", "keys"))
    keys = tuple(_key(item, 32) for item in _items(fields["keys"], 1, MAX_ROOTS, "trust.roots"))
    return Roots(_integer(fields["k"], 1, "trust.roots", len(keys)), keys)


def _desk(value: Json) -> Desk:
    fields = _fields(value, _DESK_FIELDS)
    return Desk(
        id=_string(fields["id"], _DESK, "trust.desk"),
        alias=_string(fields["alias"], _NAME, "trust.desk"),
        name=_text(fields["name"]),
        author=_key(fields["author"], 32),
        seal=_seal_key(_string(fields["seal"], _SEAL, "trust.seal_key")),
    )


@lru_cache(maxsize=4096)  # the same desks stand in every charter, and a check takes milliseconds
def _seal_key(text: str) -> str:
    """`text`, if it is a key that can be sealed to: else nobody could write to the desk."""
    try:
        HybridRecipient.parse(text)
    except MalformedError as error:
        raise MalformedError("trust.seal_key") from error
    return text


def _url(value: Json) -> str:
    """A URL that can be called: else the member could not be reached, and nobody would know why."""
    text = _string(value, _URL, "trust.url")
    try:
        parse_base_url(text)
    except MalformedError as error:
        raise MalformedError("trust.url") from error
    return text


def _desk_json(desk: Desk) -> Json:
    return {
        "id": desk.id,
        "alias": desk.alias,
        "name": _text_json(desk.name),
        "author": _b64(desk.author),
        "seal": desk.seal,
    }


def _roster(value: Json) -> Roster:
    fields = _fields(value, _ROSTER)
    desks = tuple(map(_desk, _items(fields["desks"], 1, MAX_DESKS, "trust.desk")))
    names = [name for desk in desks for name in (desk.id, desk.alias)]
    if len(set(names)) != len(names):
        raise MalformedError("trust.desk")
    return Roster(
        seq=_integer(fields["seq"], 1, "trust.seq"),
        url=_url(fields["url"]),
        tls="" if fields["tls"] == "" else _string(fields["tls"], _HEX64, "trust.tls"),
        log=_pair(fields["log"]),
        mirror=_pair(fields["mirror"]),
        node=_key(fields["node"], 32),
        desks=desks,
    )


def _roster_json(roster: Roster) -> Object:
    return {
        "seq": roster.seq,
        "url": roster.url,
        "tls": roster.tls,
        "log": _pair_json(roster.log),
        "mirror": _pair_json(roster.mirror),
        "node": _b64(roster.node),
        "desks": [_desk_json(desk) for desk in roster.desks],
    }


def _card(value: Object) -> Card:
    card = Card(
        party=PartyId(_string(value["party"], _PARTY, "trust.party")),
        name=_text(value["name"]),
        domain=_string(value["domain"], _DOMAIN, "trust.domain"),
        roots=_roots(value["roots"]),
        roster=_roster(value["roster"]),
        at=_integer(value["at"], 0, "trust.at"),
    )
    _distinct_keys((card,))
    return card


def _card_json(card: Card) -> Object:
    return {
        "party": card.party,
        "name": _text_json(card.name),
        "domain": card.domain,
        "roots": {"k": card.roots.k, "keys": [_b64(key) for key in card.roots.keys]},
        "roster": _roster_json(card.roster),
        "at": card.at,
    }


def _charter(value: Object) -> Charter:
    quota = _fields(value["quota"], ("entries_per_day", "bytes_per_day"))
    parties = _items(value["parties"], 2, MAX_PARTIES, "trust.parties")
    charter = Charter(
        nonce=_string(value["nonce"], _HEX32, "trust.nonce"),
        name=_string(value["name"], _NAME, "trust.name"),
        title=_text(value["title"]),
        access=_one_of(value["access"], ACCESS, "trust.access"),
        purpose=_one_of(value["purpose"], PURPOSES, "trust.purpose"),
        fold=_integer(value["fold"], 1, "trust.fold"),
        types=_types(value["types"]),
        instruments=_instruments(value["instruments"]),
        quota=Quota(
            _integer(quota["entries_per_day"], 1, "trust.quota"),
            _integer(quota["bytes_per_day"], 1, "trust.quota"),
        ),
        parties=tuple(_card(_fields(item, _CARD)) for item in parties),
        at=_integer(value["at"], 0, "trust.at"),
    )
    if len({c.party for c in charter.parties}) != len(parties):
        raise MalformedError("trust.parties")
    if len({c.domain for c in charter.parties}) != len(parties):
        raise MalformedError("trust.domain")
    _distinct_keys(charter.parties)
    return charter


def _types(value: Json) -> tuple[str, ...]:
    found = tuple(
        _string(item, _TYPE, "trust.types") for item in _items(value, 1, 200, "trust.types")
    )
    if sorted(set(found)) != list(found):
        raise MalformedError("trust.types")
    return found


def _instruments(value: Json) -> dict[str, str]:
    if type(value) is not dict or len(value) > 200:
        raise MalformedError("trust.instruments")
    return {name: _string(item, _HEX64, "trust.instruments") for name, item in value.items()}


def _distinct_keys(cards: Iterable[Card]) -> None:
    """No key serves two purposes: a signature made in one role must mean nothing in another."""
    keys: list[bytes | str] = []
    for card in cards:
        roster = card.roster
        keys += [*card.roots.keys, roster.log.ed, roster.log.pq, roster.mirror.ed]
        keys += [roster.mirror.pq, roster.node]
        keys += [key for desk in roster.desks for key in (desk.author, desk.seal)]
    if len(set(keys)) != len(keys):
        raise MalformedError("trust.key_reused")
