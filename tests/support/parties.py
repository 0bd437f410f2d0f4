"""Parties with cards, charters and keys made from their names: the same in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from convenio.core.age import HybridIdentity
from convenio.core.card import (
    Card,
    Desk,
    KeyPair,
    Roots,
    Roster,
    Text,
    author_key_name,
    root_key_name,
)
from convenio.core.cosign import MlDsa44Cosigner
from convenio.core.note import Ed25519Signer
from convenio.core.record import PartyId
from convenio.core.trust import Charter, Quota

TYPES = ("notice.v1", "objection.v1", "proof.v1", "received.v1", "statement.v1")


def seed(*words: object) -> bytes:
    return hashlib.sha256(" ".join(map(str, words)).encode()).digest()


def dice(name: str) -> Callable[[int], bytes]:
    """A random source that always rolls the same."""
    count = iter(range(1 << 30))

    def roll(size: int) -> bytes:
        return hashlib.shake_256(f"{name} {next(count)}".encode()).digest(size)

    return roll


@lru_cache
def desk_key(party: str, desk: str) -> HybridIdentity:
    return HybridIdentity.generate(dice(f"{party} {desk}"))


@lru_cache
def _pq(*words: str) -> bytes:
    return MlDsa44Cosigner("any", seed(*words)).verifier().public


@dataclass(frozen=True)
class Party:
    """A card and the private keys behind it."""

    card: Card
    roots: tuple[Ed25519Signer, ...]

    def author(self, desk: str) -> Ed25519Signer:
        ident = next(d.id for d in self.card.roster.desks if desk in (d.id, d.alias))
        return Ed25519Signer(author_key_name(self.card.domain, ident), seed(self.card.party, desk))

    def log_signer(self, origin: str) -> Ed25519Signer:
        return Ed25519Signer(origin, seed(self.card.party, "log"))


@lru_cache
def party(name: str, k: int = 2, n: int = 3) -> Party:
    domain = f"{name}.localhost"
    roots = tuple(
        Ed25519Signer(root_key_name(domain, i), seed(name, "root", i)) for i in range(1, n + 1)
    )

    def ed(role: str) -> bytes:
        return Ed25519Signer("x", seed(name, role)).public

    desks = tuple(
        Desk(
            id=hashlib.sha256(f"{name} {alias}".encode()).hexdigest()[:8],
            alias=alias,
            name=Text(alias.title(), alias.title()),
            author=ed(alias),
            seal=str(desk_key(name, alias).recipient()),
        )
        for alias in ("node", "liaison", "legal")
    )
    roster = Roster(
        seq=1,
        url=f"http://{name}.localhost:8000",
        tls="",
        log=KeyPair(ed("log"), _pq(name, "log")),
        mirror=KeyPair(ed("mirror"), _pq(name, "mirror")),
        node=ed("transport"),
        desks=desks,
    )
    public = Roots(k, tuple(root.public for root in roots))
    card = Card(
        PartyId(name), Text(name.upper(), name.upper()), domain, public, roster, 1_700_000_000
    )
    return Party(card, roots)


def charter(*names: str, **terms: object) -> Charter:
    made = Charter(
        nonce="0123456789abcdef" * 2,
        name="bicentennial",
        title=Text("Bicentennial Framework", "Entendimiento Bicentenario"),
        access="members",
        purpose="cooperation",
        fold=1,
        types=TYPES,
        instruments={"request_v1": "ab" * 32},
        quota=Quota(1000, 1 << 30),
        parties=tuple(party(name).card for name in names or ("mx", "us")),
        at=1_700_000_000,
    )
    return replace(made, **terms)  # type: ignore[arg-type]
