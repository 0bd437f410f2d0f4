"""Cards and rosters: a party's name, its root keys, and the keys and address its node works with.

A *card* is what one party shows another, signed by k of its n root keys. A *roster* later replaces
the working keys of one party. Formats: docs/spec/trust.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, cast

from convenio.core import canon
from convenio.core.age import HybridRecipient
from convenio.core.canon import Json, Object
from convenio.core.cosign import CosignVerifier, Ed25519CosignVerifier, MlDsa44CosignVerifier
from convenio.core.errors import MalformedError, QuorumError, RefusedError
from convenio.core.fields import (
    HEX64,
    MAX_TRUST_BYTES,
    NAME,
    base64_of,
    count_signed,
    fields_of,
    integer_of,
    items_of,
    key_bytes,
    open_line,
    string_of,
)
from convenio.core.httpsig import parse_base_url
from convenio.core.nearest import nearest
from convenio.core.note import Ed25519Verifier, Signer, parse_note, sign_note
from convenio.core.record import PartyId

MAX_DESKS: Final = 64
MAX_ROOTS: Final = 9
_PARTY = re.compile(r"[a-z][a-z0-9]{1,15}", re.ASCII)
_DESK = re.compile(r"[0-9a-f]{8}", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?", re.ASCII)
_URL = re.compile(r"https?://[A-Za-z0-9.\-\[\]:]{1,120}(?:/[A-Za-z0-9._~/-]{0,80})?", re.ASCII)
_SEAL = re.compile(r"age1pq1[02-9ac-hj-np-z]{1900,2000}", re.ASCII)
CARD_FIELDS: Final = ("party", "name", "domain", "roots", "roster", "at")
_ROSTER_FIELDS: Final = ("seq", "url", "tls", "log", "mirror", "node", "desks")
_DESK_FIELDS: Final = ("id", "alias", "name", "author", "seal")


def is_party(text: str) -> bool:
    """Whether a party can be called this."""
    return _PARTY.fullmatch(text) is not None


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
        return canon.dumps({"kind": "card", "v": 1, **card_json(self)}) + b"\n"


def root_key_name(domain: str, number: int) -> str:
    return f"{domain}/r/{number}"


def author_key_name(domain: str, desk: str) -> str:
    return f"{domain}/k/{desk}"


def mirror_key_name(domain: str) -> str:
    return f"{domain}/mirror"


def node_key_name(domain: str) -> str:
    return f"{domain}/node"


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
    card = card_of(open_line(note, "card", ("kind", "v", *CARD_FIELDS)))
    if count_signed(note, card.root_verifiers()) < card.roots.k:
        raise QuorumError("trust.card_quorum", party=card.party)
    return card


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
    value = open_line(note, "roster", ("kind", "v", "party", "previous", "roster", "at"))
    roster = _roster(value["roster"])
    require_distinct_keys((replace(card, roster=roster),))
    integer_of(value["at"], 0, "trust.at")
    if count_signed(note, card.root_verifiers()) < card.roots.k:
        raise QuorumError("trust.roster_quorum", party=card.party)
    in_order = roster.seq == card.roster.seq + 1 and value["previous"] == previous
    if not in_order or value["party"] != card.party:
        raise RefusedError("trust.roster_order")
    return roster


# --- JSON, both ways ---


def text_of(value: Json) -> Text:
    both = fields_of(value, ("en", "es"))
    for words in both.values():
        if type(words) is not str or not 1 <= len(words) <= 200 or not words.isprintable():
            raise MalformedError("trust.text")
    return Text(cast(str, both["en"]), cast(str, both["es"]))


def text_json(text: Text) -> Json:
    return {"en": text.en, "es": text.es}


def _pair(value: Json) -> KeyPair:
    both = fields_of(value, ("ed", "pq"))
    return KeyPair(key_bytes(both["ed"], 32), key_bytes(both["pq"], 1312))


def _pair_json(pair: KeyPair) -> Json:
    return {"ed": base64_of(pair.ed), "pq": base64_of(pair.pq)}


def _roots(value: Json) -> Roots:
    fields = fields_of(value, ("k", "keys"))
    keys = tuple(
        key_bytes(item, 32) for item in items_of(fields["keys"], 1, MAX_ROOTS, "trust.roots")
    )
    return Roots(integer_of(fields["k"], 1, "trust.roots", len(keys)), keys)


def _desk(value: Json) -> Desk:
    fields = fields_of(value, _DESK_FIELDS)
    return Desk(
        id=string_of(fields["id"], _DESK, "trust.desk"),
        alias=string_of(fields["alias"], NAME, "trust.desk"),
        name=text_of(fields["name"]),
        author=key_bytes(fields["author"], 32),
        seal=_seal_key(string_of(fields["seal"], _SEAL, "trust.seal_key")),
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
    text = string_of(value, _URL, "trust.url")
    try:
        parse_base_url(text)
    except MalformedError as error:
        raise MalformedError("trust.url") from error
    return text


def _desk_json(desk: Desk) -> Json:
    return {
        "id": desk.id,
        "alias": desk.alias,
        "name": text_json(desk.name),
        "author": base64_of(desk.author),
        "seal": desk.seal,
    }


def _roster(value: Json) -> Roster:
    fields = fields_of(value, _ROSTER_FIELDS)
    desks = tuple(map(_desk, items_of(fields["desks"], 1, MAX_DESKS, "trust.desk")))
    names = [name for desk in desks for name in (desk.id, desk.alias)]
    if len(set(names)) != len(names):
        raise MalformedError("trust.desk")
    return Roster(
        seq=integer_of(fields["seq"], 1, "trust.seq"),
        url=_url(fields["url"]),
        tls="" if fields["tls"] == "" else string_of(fields["tls"], HEX64, "trust.tls"),
        log=_pair(fields["log"]),
        mirror=_pair(fields["mirror"]),
        node=key_bytes(fields["node"], 32),
        desks=desks,
    )


def _roster_json(roster: Roster) -> Object:
    return {
        "seq": roster.seq,
        "url": roster.url,
        "tls": roster.tls,
        "log": _pair_json(roster.log),
        "mirror": _pair_json(roster.mirror),
        "node": base64_of(roster.node),
        "desks": [_desk_json(desk) for desk in roster.desks],
    }


def card_of(value: Object) -> Card:
    card = Card(
        party=PartyId(string_of(value["party"], _PARTY, "trust.party")),
        name=text_of(value["name"]),
        domain=string_of(value["domain"], _DOMAIN, "trust.domain"),
        roots=_roots(value["roots"]),
        roster=_roster(value["roster"]),
        at=integer_of(value["at"], 0, "trust.at"),
    )
    require_distinct_keys((card,))
    return card


def card_json(card: Card) -> Object:
    return {
        "party": card.party,
        "name": text_json(card.name),
        "domain": card.domain,
        "roots": {"k": card.roots.k, "keys": [base64_of(key) for key in card.roots.keys]},
        "roster": _roster_json(card.roster),
        "at": card.at,
    }


def require_distinct_keys(cards: Iterable[Card]) -> None:
    """No key serves two purposes: a signature made in one role must mean nothing in another."""
    keys: list[bytes | str] = []
    for card in cards:
        roster = card.roster
        keys += [*card.roots.keys, roster.log.ed, roster.log.pq, roster.mirror.ed]
        keys += [roster.mirror.pq, roster.node]
        keys += [key for desk in roster.desks for key in (desk.author, desk.seal)]
    if len(set(keys)) != len(keys):
        raise MalformedError("trust.key_reused")
