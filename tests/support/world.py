"""Parties who really talk, in memory: fixed keys, a clock that is told, the real services.

What one says is appended by its sequencer, published, stored and cosigned by the others' mirrors;
only HTTP and the fold are left out. Bodies lie in one blob store for each party.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from convenio.core.card import Card, Roots, Roster, Text, root_key_name
from convenio.core.decide import Person, Role
from convenio.core.draft import Seen
from convenio.core.merkle import consistency_proof
from convenio.core.mirrorwire import (
    AddCheckpoint,
    UploadHeader,
    make_package,
    package_ranges,
    parse_add_checkpoint,
)
from convenio.core.note import Ed25519Signer
from convenio.core.record import PartyId
from convenio.core.trust import Charter, Quota, SignedCharter, propose_charter
from convenio.node.config import Limits
from convenio.node.keys import NodeKeys, generate
from convenio.node.local import LocalStore
from convenio.node.mirror import Mirror, cosigned_of
from convenio.node.publish import Publisher
from convenio.node.quotas import Quotas
from convenio.node.receipts import Bundles, Receipts
from convenio.node.records import Found
from convenio.node.registry import Log, Registry, shelf_of
from convenio.node.sequencer import Accepted, Sequencer
from convenio.node.speaking import Attachment, Saying, Speaking
from convenio.store.export import export_log
from convenio.store.memory import MemoryStore
from convenio.store.objects import MemoryBlobs

START: Final = 1_633_651_200  # 8 October 2021
TYPES: Final = ("message.v1", "notice.v1", "statement.v1")
NAMES: Final = {
    "mx": Text("Mexico", "México"),
    "us": Text("United States", "Estados Unidos"),
    "gt": Text("Guatemala", "Guatemala"),
}
DESK_NAMES: Final = {
    "liaison": Text("Liaison desk", "Mesa de enlace"),
    "customs": Text("Customs desk", "Mesa de aduanas"),
}
LIMITS: Final = Limits(max_body_bytes=1 << 24)


def fixed(name: str) -> Callable[[int], bytes]:
    """Randomness that is the same in every run, and other for every name and every call."""
    calls = iter(range(2**32))
    return lambda size: hashlib.shake_256(f"{name} {next(calls)}".encode()).digest(size)


@dataclass(slots=True)
class Member:
    """A party with its node's services. seen: what its next records say they have seen."""

    party: PartyId
    keys: NodeKeys
    roots: list[Ed25519Signer]
    card: Card
    store: MemoryStore
    blobs: MemoryBlobs
    local: LocalStore
    registry: Registry
    publisher: Publisher
    sequencer: Sequencer
    mirror: Mirror
    speaking: Speaking
    receipts: Receipts
    bundles: Bundles
    seen: Seen = field(default_factory=dict)

    def desk(self, alias: str) -> str:
        return self.card.roster.desk(alias).id


class World:
    """Some parties and one channel of theirs. now: what every clock says, seconds UTC."""

    def __init__(
        self, folder: Path, parties: Sequence[str] = ("mx", "us"), access: str = "members"
    ) -> None:
        self.now = START
        self.folder = folder
        self.alarms: list[str] = []  # origins of logs that showed two histories
        keys = {p: generate(f"{p}.localhost", DESK_NAMES, fixed(p)) for p in parties}
        roots = {p: _roots(p) for p in parties}
        cards = {p: _card(p, keys[p], roots[p]) for p in parties}
        self.signed = charter_of(list(cards.values()), list(roots.values()), access)
        self.members = {p: self._member(p, keys[p], roots[p], cards[p]) for p in parties}

    def close(self) -> None:
        for member in self.members.values():
            member.sequencer.stop()
            member.local.close()

    def __enter__(self) -> World:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def charter(self) -> Charter:
        return self.signed.charter

    @property
    def note(self) -> bytes:
        """The charter with all its signatures."""
        return self.signed.note.encode()

    # --- what can happen ---

    def say(
        self,
        sender: str,
        text: str = "",
        *,
        to: Sequence[str] = (),
        kind: str = "statement.v1",
        open_body: bool = False,
        person: str = "ana",
    ) -> Found:
        """One record of this party, in its log. to: `us:liaison`. text: its body, if any."""
        member = self.members[sender]
        content = text.encode()
        bodies = (Attachment(io.BytesIO(content), len(content), name="nota.txt"),) if text else ()
        saying = Saying(
            channel=self.charter.name,
            type=kind,
            id="",
            to=tuple(to),
            bodies=bodies,
            desk="liaison",
            open_body=open_body,
        )
        accepted: Accepted = member.speaking.say(person, saying)
        return self.found(sender, sender, accepted.index)

    def found(self, holder: str, party: str, index: int) -> Found:
        """A record of `party` as `holder` has it."""
        log = self.log(holder, party)
        (stored,) = self.members[holder].store.entries(log.origin, index, index + 1)
        return Found(log, index, stored.leaf, stored.entry)

    def log(self, holder: str, party: str) -> Log:
        logs = self.members[holder].registry.logs(self.charter.ch)
        return next(log for log in logs if log.party == party)

    def deliver(self, sender: str, receiver: str) -> None:
        """All that `sender` has said is stored and cosigned by `receiver`, who sends its lines."""
        giver, taker = self.members[sender], self.members[receiver]
        log = self.log(receiver, sender)
        head = giver.publisher.publish(log.origin)
        old = taker.store.head(log.origin).size
        reader = giver.store.reader(log.origin, head.size)
        proof = consistency_proof(old, head.size, reader) if old else []
        request = AddCheckpoint.of(old, proof, head.checkpoint).encode()
        taker.mirror.add_checkpoint(log, parse_add_checkpoint(request))
        upload = UploadHeader(log.origin, old, head.size, b"")
        target = taker.mirror.begin(log, upload)
        for first, last in package_ranges(old, head.size):
            entries = [each.entry for each in giver.store.entries(log.origin, first, last)]
            taker.mirror.take(log, make_package(first, entries, head.size, reader), target)
        for line in taker.mirror.finish(log, upload, target):
            kept = cosigned_of(head, line, self.now, self.now, flagged=False)
            giver.store.put_cosignature(log.origin, kept)
        ours, theirs = shelf_of(giver.blobs, log), shelf_of(taker.blobs, log)
        for body in self._bodies(giver, log):
            if ours.has(body) and not theirs.has(body):
                with ours.open(body) as file:
                    theirs.put(body, file.read())

    def export(self, holder: str, party: str, folder: Path) -> Path:
        """The log of `party` as files, as `holder` has it."""
        member, log = self.members[holder], self.log(holder, party)
        if log.own:
            member.publisher.publish(log.origin)
        export_log(member.store, log.origin, folder)
        return folder

    def _bodies(self, giver: Member, log: Log) -> list[str]:
        size = giver.store.head(log.origin).size
        every = (self.found(giver.party, log.party, n) for n in range(size))
        return [body.c for found in every for body in found.header.bodies]

    # --- making it ---

    def _member(self, name: str, keys: NodeKeys, roots: list[Ed25519Signer], card: Card) -> Member:
        party = PartyId(name)
        folder = self.folder / name
        folder.mkdir(parents=True)
        local = LocalStore.create(folder / "local.db", party)
        local.put_charter(self.signed)
        local.confirm(self.charter.ch, START, "ana")
        desks = frozenset(desk.id for desk in keys.desks)
        for person, roles in _PEOPLE.items():
            local.add_person(Person(person, party, desks, roles), START, "")
        store, blobs = MemoryStore(), MemoryBlobs(lambda: float(self.now))
        registry = Registry(local, store, party)
        rng = fixed(f"{name} node")

        def clock() -> float:
            return float(self.now)

        sequencer = Sequencer(store, keys, clock, LIMITS, lambda _ch: member.seen, _ignore, _ignore)
        speaking = Speaking(
            registry,
            local,
            blobs,
            keys,
            sequencer,
            clock=clock,
            rng=rng,
            limits=LIMITS,
            scratch=folder,
        )
        receipts = Receipts(store)
        member = Member(
            party=party,
            keys=keys,
            roots=roots,
            card=card,
            store=store,
            blobs=blobs,
            local=local,
            registry=registry,
            publisher=Publisher(store, keys, clock),
            sequencer=sequencer,
            mirror=Mirror(store, keys, clock, LIMITS, Quotas(), _ignore, self._alarm),
            speaking=speaking,
            receipts=receipts,
            bundles=Bundles(
                registry,
                local,
                blobs,
                receipts,
                speaking,
                sequencer,
                clock=clock,
                rng=rng,
            ),
        )
        sequencer.start()
        return member

    def _alarm(self, log: Log, _kind: str) -> None:
        self.alarms.append(log.origin)


_PEOPLE: Final = {
    "ana": frozenset((Role.OFFICER, Role.RELEASER)),
    "beto": frozenset((Role.OFFICER,)),
    "carla": frozenset((Role.AUDITOR,)),
    "dora": frozenset((Role.KEEPER,)),
}


def _ignore(*_told: object) -> None:
    return None


def _roots(party: str) -> list[Ed25519Signer]:
    rng = fixed(f"{party} roots")
    return [Ed25519Signer(root_key_name(f"{party}.localhost", n), rng(32)) for n in (1, 2, 3)]


def _card(party: str, keys: NodeKeys, roots: list[Ed25519Signer]) -> Card:
    return Card(
        party=PartyId(party),
        name=NAMES[party],
        domain=keys.domain,
        roots=Roots(2, tuple(each.public for each in roots)),
        roster=Roster(
            seq=1,
            url=f"http://{keys.domain}:8080",
            tls="",
            log=keys.public_log(),
            mirror=keys.public_mirror(),
            node=keys.node_signer().public,
            desks=tuple(desk.public() for desk in keys.desks),
        ),
        at=START,
    )


def charter_of(
    cards: list[Card],
    roots: list[list[Ed25519Signer]],
    access: str = "members",
    nonce: str = "00112233445566778899aabbccddeeff",
) -> SignedCharter:
    """A charter of these parties, signed by two root keys of each."""
    charter = Charter(
        nonce=nonce,
        name="framework",
        title=Text("The framework", "El entendimiento"),
        access=access,
        purpose="test",
        fold=1,
        types=TYPES,
        instruments={},
        quota=Quota(1_000_000, 1 << 40),
        parties=tuple(cards),
        at=START,
    )
    return propose_charter(charter, *(key for keys in roots for key in keys[:2]))
