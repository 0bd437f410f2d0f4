"""A member of a channel with all its keys and no conscience, in memory, speaking real HTTP.

Left alone it is a plain and honest mirror. Each test replaces what it wants to lie about: `stories`
it tells as its log, and the answers of `LyingService` to what our outbox brings it.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from tests.support.nodes import KEEPER, NOW, Home
from tests.support.partners import free_port

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import serve_partner
from convenio.core.card import Card, Roots, Roster, Text, root_key_name
from convenio.core.checkpoint import Checkpoint
from convenio.core.errors import ConflictError
from convenio.core.httpsig import keyid_of
from convenio.core.merkle import Leaves, consistency_proof, leaf_hash, tree_root
from convenio.core.mirrorwire import (
    AddCheckpoint,
    Package,
    UploadHeader,
    make_package,
    package_ranges,
)
from convenio.core.note import Ed25519Signer, Ed25519Verifier, Note, sign_note
from convenio.core.record import Header, PartyId, sign_record
from convenio.core.trust import Charter, Quota, fingerprint, propose_charter
from convenio.node.channels import QUOTA, TYPES
from convenio.node.keys import generate
from convenio.node.registry import Log
from convenio.node.wiring import system_random
from convenio.peer.client import Conflict, Partner, PartnerConfig
from convenio.peer.service import (
    BlobHeld,
    BlobRef,
    Chunk,
    Elsewhere,
    LogRef,
    Progress,
    Stored,
    Who,
)
from convenio.peer.wire import Limits

_NUMBERS: Final = itertools.count(1)


@dataclass
class Story:
    """One history the liar can tell: entries, and the checkpoints it signs over them."""

    liar: Liar
    entries: list[bytes] = field(default_factory=list)

    def tell(self, *entries: bytes) -> Story:
        """The same story with more."""
        return Story(self.liar, [*self.entries, *entries])

    def __len__(self) -> int:
        return len(self.entries)

    def leaves(self, size: int | None = None) -> Leaves:
        return Leaves(leaf_hash(entry) for entry in self.entries[:size])

    def root(self, size: int | None = None) -> bytes:
        count = len(self) if size is None else size
        return tree_root(count, self.leaves())

    def checkpoint(self, size: int | None = None) -> bytes:
        count = len(self) if size is None else size
        return self.liar.sign(Checkpoint(self.liar.origin, count, self.root(count)))

    def offer(self, old: int, size: int | None = None) -> AddCheckpoint:
        """The request to take a checkpoint; its proof is of this story, whatever else was told."""
        count = len(self) if size is None else size
        proof = consistency_proof(old, count, self.leaves()) if 0 < old < count else []
        return AddCheckpoint.of(old, proof, self.checkpoint(count))

    def upload(self, start: int = 0, size: int | None = None) -> bytes:
        count = len(self) if size is None else size
        parts = [UploadHeader(self.liar.origin, start, count).encode()]
        for first, last in package_ranges(start, count):
            package = make_package(first, self.entries[first:last], count, self.leaves())
            parts.append(package.encode())
        return b"".join(parts)


class Liar:
    """The party `us` in one channel with a real node, or with several.

    home: the node it lies to unless told otherwise. others: further members, honest ones.
    """

    def __init__(self, home: Home, others: Sequence[Home] = (), **terms: Any) -> None:
        number = next(_NUMBERS)
        self.home, self.homes = home, [home, *others]
        self.port = free_port()
        self.domain = f"us{number}.localhost"
        self.keys = generate(self.domain, {"liaison": Text("Liaison", "Enlace")}, system_random)
        self.roots = [Ed25519Signer(root_key_name(self.domain, n), os.urandom(32)) for n in (1, 2)]
        self.name = f"channel{number}"
        self.charter = self._agree(terms)
        self.service = LyingService(self)
        config = PartnerApiConfig(self.url, self.keys.node_signer(), lambda: int(home.clock()))
        self.server = serve_partner(partner_app(self.service, config), "127.0.0.1", self.port)
        for each in self.homes:
            digits = fingerprint(self.charter.ch)
            each.node.channels.confirm(KEEPER, self.name, digits, self.charter.members())
        self._partners: list[Partner] = []
        self.to = {each.party: self.as_node(self.keys.node_signer(), each) for each in self.homes}
        self.partner = self.to[home.party]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return self.charter.origin("us")

    @property
    def our_origin(self) -> str:
        """The origin of the real node's log."""
        return self.charter.origin(self.home.node.party)

    @property
    def log(self) -> Log:
        """The real node's mirror of the liar."""
        found = self.home.node.registry.log(self.origin)
        assert found is not None
        return found

    def card(self) -> Card:
        roster = Roster(
            seq=1,
            url=self.url,
            tls="",
            log=self.keys.public_log(),
            mirror=self.keys.public_mirror(),
            node=self.keys.node_signer().public,
            desks=tuple(desk.public() for desk in self.keys.desks),
        )
        roots = Roots(2, tuple(root.public for root in self.roots))
        return Card(PartyId("us"), Text("Liars", "Mentirosos"), self.domain, roots, roster, NOW)

    def _agree(self, terms: dict[str, Any]) -> Charter:
        charter = Charter(
            nonce=os.urandom(16).hex(),
            name=self.name,
            title=Text("A channel with a liar", "Un canal con un mentiroso"),
            access="members",
            purpose="cooperation",
            fold=1,
            types=TYPES,
            instruments={},
            quota=QUOTA,
            parties=(*(each.node.card for each in self.homes), self.card()),
            at=NOW,
        )
        charter = replace(charter, **terms)
        roots = [root for each in self.homes for root in each.roots()]
        signed = propose_charter(charter, *roots, *self.roots)
        # Every liar comes as the same party with new root keys, which a person must have heard of.
        for each in self.homes:
            each.node.channels.accept(KEEPER, signed.note.encode(), [], signed.charter.members())
        return charter

    def as_node(self, signer: Ed25519Signer, home: Home | None = None) -> Partner:
        """What asks the real node, signed by `signer`."""
        card = (home or self.home).node.card
        config = PartnerConfig(card.roster.url, "", card.node_verifier(), Limits(silence_s=10))
        made = Partner(config, signer, lambda: int(self.home.clock()), os.urandom)
        self._partners.append(made)
        return made

    def close(self) -> None:
        for partner in self._partners:
            partner.close()
        self.server.stop()

    # --- telling ---

    def sign(self, checkpoint: Checkpoint) -> bytes:
        """A checkpoint with both lines of the liar's log."""
        note = sign_note(checkpoint.text(), self.keys.log_signer(checkpoint.origin))
        line = self.keys.log_cosigner(checkpoint.origin).cosign(checkpoint, NOW)
        return Note(note.text, (*note.lines, line)).encode()

    def record(self, desk: str = "liaison", **fields: Any) -> bytes:
        """A proper record of the liar's, with these fields in place of proper ones."""
        ident = next(each.id for each in self.keys.desks if each.alias == desk)
        signer = self.keys.author(ident)
        header = Header(
            id=os.urandom(16).hex(),
            ch=self.charter.ch,
            gen=1,
            type="statement.v1",
            sender=PartyId("us"),
            to=(),
            by=(signer.name,),
            at=NOW,
        )
        return sign_record(replace(header, **fields), signer)

    def story(self, *entries: bytes) -> Story:
        return Story(self, list(entries))

    def feed(self, story: Story, old: int = 0, to: str = "") -> Stored | Progress | Elsewhere:
        """Bring a story as an honest node would; gives the last answer."""
        assert self.offer(story, old, to) is None
        return self.to[to or self.home.party].add_entries(story.upload(old))

    def offer(self, story: Story, old: int = 0, to: str = "") -> Conflict | None:
        return self.to[to or self.home.party].add_checkpoint(story.offer(old).encode())

    def cosign(self, checkpoint: Checkpoint, at: int) -> bytes:
        """Both cosignatures of the liar's mirror."""
        return b"".join(
            cosigner.cosign(checkpoint, at).encode() for cosigner in self.keys.mirror_cosigners()
        )


class LyingService:
    """A mirror in lists. Replace `on_…` to lie: each gets what an honest answer is made of."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self.entries: list[bytes] = []
        self.pending: Checkpoint | None = None
        self.blobs: dict[str, bytearray] = {}
        self.calls: list[str] = []
        self.on_checkpoint: Callable[[AddCheckpoint], bytes] = self._pend
        self.on_entries: Callable[[UploadHeader], Stored | Progress | Elsewhere] = self._stored
        self.on_blob: Callable[[BlobRef, Chunk], int] = self._keep

    # --- honest ---

    def _pend(self, request: AddCheckpoint) -> bytes:
        size = self.pending.size if self.pending else 0
        if request.old != size:
            raise ConflictError("mirror.moved", size=size)
        self.pending = request.checkpoint
        return b""

    def _stored(self, header: UploadHeader) -> Stored | Progress | Elsewhere:
        assert self.pending is not None
        return Stored(self.liar.cosign(self.pending, int(self.liar.home.clock())))

    def _keep(self, blob: BlobRef, chunk: Chunk) -> int:
        held = self.blobs.setdefault(blob.c, bytearray())
        if chunk.offset == len(held):
            held += chunk.content
        return len(held)

    # --- PartnerService ---

    def node_keys(self, keyid: str) -> Sequence[Ed25519Verifier]:
        keys = (home.node.card.node_verifier() for home in self.liar.homes)
        return [key for key in keys if keyid_of(key) == keyid]

    def healthy(self) -> bool:
        return True

    def checkpoint(self, who: Who, log: LogRef) -> bytes | None:
        return None

    def tile(self, who: Who, log: LogRef, level: int, index: int, width: int) -> bytes | None:
        return None

    def bundle(self, who: Who, log: LogRef, index: int, width: int) -> bytes | None:
        return None

    def charter(self, who: Who, ch: str) -> bytes | None:
        return None

    def add_checkpoint(self, who: Ed25519Verifier, request: AddCheckpoint) -> bytes | None:
        self.calls.append("add-checkpoint")
        return self.on_checkpoint(request)

    def add_entries(
        self, who: Ed25519Verifier, header: UploadHeader, packages: Iterator[Package]
    ) -> Stored | Progress | Elsewhere | None:
        self.calls.append("add-entries")
        for package in packages:
            self.entries[package.start :] = package.entries
        return self.on_entries(header)

    def blob_held(self, who: Who, blob: BlobRef) -> BlobHeld | None:
        self.calls.append("blob-held")
        return BlobHeld(len(self.blobs.get(blob.c, b"")), None)

    def blob_read(self, who: Who, blob: BlobRef, start: int, size: int) -> bytes | None:
        return None

    def blob_write(self, who: Ed25519Verifier, blob: BlobRef, chunk: Chunk) -> int | None:
        self.calls.append("blob-write")
        return self.on_blob(blob, chunk)


def blob_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


TIGHT: Final = Quota(entries_per_day=10, bytes_per_day=100_000)
