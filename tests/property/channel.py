"""A channel for tests: keys, rules, and real record bytes made from a few words.

Nothing here knows what the fold decides. Keys are derived from names, so that every run is alike.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from convenio.core.canon import Object
from convenio.core.checkpoint import Checkpoint
from convenio.core.cosign import Ed25519Cosigner
from convenio.core.fit import Member, Rules
from convenio.core.merkle import RightEdge, leaf_hash
from convenio.core.note import Ed25519Signer
from convenio.core.record import Address, BodyRef, Header, PartyId, sign_record
from convenio.instruments.builtin import REQUEST
from convenio.instruments.model import START, Clock, Instrument, Move

Seen = dict[PartyId, tuple[int, str]]
REVOKE = "revoke.v1"  # known to tests only: the key named in `data` signs nothing from here on
DESKS = ("00000001", "00000002")


# What the built-in request has not: clocks both ways, started in mid-case, and started again.
EXCHANGE = Instrument(
    name="exchange",
    opener="one",
    addressee="other",
    moves=(
        Move(START, "one", "begin", "open"),
        Move("open", "one", "demand", "demanded"),
        Move("demanded", "one", "demand", "demanded"),
        Move("demanded", "other", "deliver", "open"),
        Move("demanded", "one", "lapse", "closed", after="delivery"),
        Move("open", "other", "claim", "claimed"),
        Move("claimed", "one", "settle", "open"),
        Move("claimed", "other", "drop", "open"),
        Move("open", "one", "close", "closed"),
        Move("open", "other", "close", "closed"),
    ),
    race=("deliver", "settle", "demand", "claim", "lapse", "drop", "close"),
    clocks=(
        Clock("delivery", "demand", ("deliver",), "other", "one", 7200, 600, 90_000, ("demanded",)),
        Clock("answer", "claim", ("settle",), "one", "other", 7200, 600, 90_000, ("claimed",)),
    ),
)


def seed(*words: str) -> bytes:
    return hashlib.sha256("/".join(words).encode()).digest()


class Roots:
    """Every root of growing logs, by size."""

    def __init__(self, parties: Iterable[PartyId]) -> None:
        self._edges = {party: RightEdge() for party in parties}
        self._roots = {party: [edge.root()] for party, edge in self._edges.items()}

    def append(self, party: PartyId, entry: bytes) -> None:
        self._edges[party] = self._edges[party].append(leaf_hash(entry))
        self._roots[party].append(self._edges[party].root())

    def at(self, party: PartyId, size: int) -> bytes:
        return self._roots[party][size]


@dataclass
class Channel:
    """Some parties, each with two desks and a mirror; the first-named is first in the charter."""

    parties: tuple[PartyId, ...]
    instruments: tuple[Instrument, ...] = (REQUEST, EXCHANGE)
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.signers = {
            (party, desk): Ed25519Signer(f"{party}.localhost/k/{desk}", seed(party, desk))
            for party in self.parties
            for desk in DESKS
        }
        self.mirrors = {p: Ed25519Cosigner(f"{p}.localhost/mirror", seed(p)) for p in self.parties}
        self.witness = Ed25519Cosigner("witness.example/w", seed("witness"))
        self.rules = Rules(
            ch=hashlib.sha256(" ".join(self.parties).encode()).hexdigest(),
            fold=1,
            members=tuple(self._member(party) for party in self.parties),
            types=frozenset(("request.v1", "statement.v1", REVOKE)),
            instruments=frozenset(each.hash for each in self.instruments),
            witnesses=(self.witness.verifier(),),
        )

    def _member(self, party: PartyId) -> Member:
        signers = [self.signers[party, desk] for desk in DESKS]
        return Member(
            party=party,
            gen=1,
            origin=f"{party}.localhost/c/00",
            authors={signer.name: signer.verifier() for signer in signers},
            cosigners=(self.mirrors[party].verifier(),),
        )

    def header(
        self,
        party: PartyId,
        number: int,
        at: int,
        seen: Mapping[PartyId, tuple[int, str]] = {},  # never written to
        *,
        kind: str = "request.v1",
        to: Sequence[PartyId] = (),
        desk: str = DESKS[0],
        body: bool = False,
        data: Object | None = None,
        **rest: str | int,
    ) -> Header:
        """The header of a party's record; `number` makes its id, `rest` are its other fields."""
        return Header(
            id=f"{number:032x}",
            ch=self.rules.ch,
            gen=1,
            type=kind,
            sender=party,
            to=tuple(Address(f"{each}:{DESKS[0]}") for each in sorted(to)),
            by=(self.signers[party, desk].name,),
            at=at,
            seen=dict(seen),
            bodies=(BodyRef("open", seed(party, str(number)).hex(), 1),) if body else (),
            data=data or {},
            **rest,  # type: ignore[arg-type]  # inst, case, act, due_in
        )

    def sign(self, header: Header) -> bytes:
        desk = header.by[0].rpartition("/")[2]
        return sign_record(header, self.signers[header.sender, desk])

    def proof(  # noqa: PLR0917  # what a cosignature says
        self, of: PartyId, leaf: bytes, size: int, root: bytes, at: int, by: PartyId | None
    ) -> Object:
        """The data of a `proof.v1` in `of`'s log. by: whose mirror, None for the witness."""
        member = next(member for member in self.rules.members if member.party == of)
        cosigner = self.mirrors[by] if by else self.witness
        line = cosigner.cosign(Checkpoint(member.origin, size, root), at)
        return {
            "leaf": leaf.hex(),
            "size": size,
            "root": root.hex(),
            "name": line.name,
            "sig": base64.b64encode(line.key_id + line.signature).decode(),
        }
