"""Two nodes of demo characters in one process, for measuring their parts without a network."""

from __future__ import annotations

from pathlib import Path

from convenio.core.card import Text, author_key_name
from convenio.core.draft import Draft, draft
from convenio.core.note import Ed25519Signer
from convenio.core.record import Header, PartyId
from convenio.node import setup
from convenio.node.keys import open_root
from convenio.node.registry import GENERATION, Log
from convenio.node.sequencer import Saying
from convenio.node.setup import Setup, make_node
from convenio.node.wiring import Directory, Node, system_clock, system_random

PHRASE = "the phrase of a benchmark"
CHANNEL = "bench"


class World:
    """`mx` and `us`, with one members' channel in force. Nothing runs but what copies commits
    to their place, as in every node."""

    def __init__(self, folder: Path, ports: tuple[int, int] = (1, 2)) -> None:
        self.folder = folder
        for party, port in zip(("mx", "us"), ports, strict=True):
            self._make(party, port)
        self.mx, self.us = (self._open(party) for party in ("mx", "us"))
        self._agree()

    def _make(self, party: str, port: int) -> None:
        name = Text(f"Bench {party}", f"Banco {party}")
        desks = {"liaison": Text("Liaison desk", "Oficina de enlace")}
        told = Setup(
            party,
            name,
            f"http://127.0.0.1:{port}",
            f"{party}.localhost",
            "127.0.0.1",
            port,
            desks,
            "keeper",
            roots_needed=1,
            roots_made=1,
        )
        now = int(system_clock())
        make_node(self.folder / party, told, PHRASE, PHRASE, now, system_random)

    def _open(self, party: str) -> Node:
        node = Node(Directory.take(self.folder / party), PHRASE)
        node.backfill.start()
        node.people.add("keeper", "ana", ["officer"], ["liaison"], int(node.clock()))
        return node

    def _agree(self) -> None:
        roots = {
            party: [
                open_root((self.folder / party / setup.ROOTS / "root-1.age").read_bytes(), PHRASE)
            ]
            for party in ("mx", "us")
        }
        card = (self.us.path / setup.CARD).read_bytes()
        proposed = self.mx.channels.propose(
            "keeper",
            name=CHANNEL,
            title=Text("Bench", "Banco"),
            cards=[card],
            access="members",
            purpose="test",
            roots=roots["mx"],
        )
        signed = self.us.channels.accept("keeper", proposed.note.encode(), roots["us"])
        self.mx.channels.accept("keeper", signed.note.encode(), [])
        for node in (self.mx, self.us):
            node.channels.confirm("keeper", CHANNEL, signed.charter.ch)

    def _root(self, party: str) -> Ed25519Signer:
        file = self.folder / party / setup.ROOTS / "root-1.age"
        return open_root(file.read_bytes(), PHRASE)

    @property
    def log(self) -> Log:
        """The log of `mx`."""
        return self.mx.registry.own_log(self.mx.registry.channel(CHANNEL).ch)

    def sayings(self, count: int) -> list[Saying]:
        """Checked drafts of `mx`, ready to be appended."""
        desk = self.mx.keys.node_desk()
        return [Saying(self._draft(desk), (desk,), None) for _ in range(count)]

    def _draft(self, desk: str) -> Draft:
        log = self.log
        return draft(
            Header(
                id=system_random(16).hex(),
                ch=log.channel.ch,
                gen=GENERATION,
                type="statement.v1",
                sender=PartyId("mx"),
                to=(log.charter.address("us:liaison"),),
                by=(author_key_name(self.mx.card.domain, desk),),
                at=0,
            )
        )

    def close(self) -> None:
        for node in (self.mx, self.us):
            node.stop()
