"""Two or three real nodes in temporary folders, speaking real HTTP on loopback; the clock is ours.

Everything a node does in its own threads is waited for by asking until it is so (`until`), woken by
the nodes' own notice that something was folded; no test sleeps.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from tests.support.partners import free_port

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import PartnerServer, serve_partner
from convenio.core.card import Text
from convenio.core.fold import FOLD_VERSION
from convenio.core.note import Ed25519Signer
from convenio.core.trust import Charter, Quota, SignedCharter, fingerprint, propose_charter
from convenio.node.channels import QUOTA, TYPES
from convenio.node.config import FILE_NAME, read_config
from convenio.node.keys import open_root
from convenio.node.records import Found, State
from convenio.node.sequencer import Accepted
from convenio.node.setup import CARD, ROOTS, Setup, make_node
from convenio.node.speaking import Attachment, Saying
from convenio.node.wiring import Directory, Node, system_random
from convenio.store.durable import write_file
from convenio.store.objects import Shelf

NOW: Final = 1_800_000_000
CHANNEL: Final = "bicentennial"
KEEPER, OFFICER = "keeper", "ana"
PASSPHRASE, ROOT_PASSPHRASE = "the phrase of a node", "the phrase of the roots"
PATIENCE_S: Final = 20.0  # far beyond what anything here takes; a failure, not a wait


class Clock:
    """Seconds UTC, standing still until a test moves it."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def setup_of(party: str, port: int, **more: object) -> Setup:
    made = Setup(
        party=party,
        name=Text(f"Party {party}", f"Parte {party}"),
        url=f"http://127.0.0.1:{port}",
        domain=f"{party}.localhost",
        host="127.0.0.1",
        port=port,
        desks={"liaison": Text("Liaison desk", "Oficina de enlace")},
        keeper=KEEPER,
        work=1,
    )
    return replace(made, **more)  # type: ignore[arg-type]


def set_limits(path: Path, **changes: float) -> None:
    """Give the node in `path` other limits, as its keeper would in node.toml."""
    config = read_config(path)
    limits = replace(config.limits, **changes)  # type: ignore[arg-type]
    write_file(path / FILE_NAME, replace(config, limits=limits).encode().encode())


@dataclass
class Home:
    """One party: a node's folder, and the node and its server while it is up."""

    path: Path
    party: str
    port: int
    clock: Clock
    node: Node = field(init=False)
    server: PartnerServer | None = None
    up: bool = False

    def open(self, *, feeding: bool = True, serving: bool = True) -> Node:
        """Start as `convenio serve` does, less the local socket and the pages."""
        self.node = Node(Directory.take(self.path), PASSPHRASE, self.clock)
        self.up = True
        if serving:
            self.serve()
        self.node.start(feeding=feeding)
        return self.node

    def serve(self) -> None:
        node = self.node
        config = PartnerApiConfig(
            node.card.roster.url, node.keys.node_signer(), lambda: int(self.clock())
        )
        self.server = serve_partner(partner_app(node.partnering, config), "127.0.0.1", self.port)

    def unplug(self) -> None:
        """Partners cannot reach this node any more; it goes on by itself."""
        if self.server is not None:
            self.server.stop()
            self.server = None

    def close(self) -> None:
        self.unplug()
        if self.up:
            self.up = False
            self.node.stop()

    def reopen(self) -> Node:
        self.close()
        return self.open()

    def card(self) -> bytes:
        return (self.path / CARD).read_bytes()

    def roots(self) -> list[Ed25519Signer]:
        return [
            open_root((self.path / ROOTS / f"root-{n}.age").read_bytes(), ROOT_PASSPHRASE)
            for n in (1, 2)
        ]

    # --- what people do ---

    def say(
        self, text: bytes | str = b"hello", to: Sequence[str] | None = None, **more: object
    ) -> Accepted:
        """A statement by Ana, sealed to `to`; to the other party's liaison desk unless told."""
        content = text.encode() if isinstance(text, str) else text
        body = Attachment(io.BytesIO(content), len(content))
        other = f"{'us' if self.party == 'mx' else 'mx'}:liaison"
        saying = Saying(
            channel=CHANNEL,
            type="statement.v1",
            id="",
            to=(other,) if to is None else tuple(to),
            bodies=(body,),
        )
        return self.node.speaking.say(OFFICER, replace(saying, **more))  # type: ignore[arg-type]

    def freeze(self, channel: str = CHANNEL) -> None:
        """As if a proof of two histories had come."""
        ch = self.node.registry.channel(channel).ch
        self.node.local.freeze(ch, int(self.clock()), self.node.folding.freeze(ch))
        self.node.refresh()

    def say_bare(self, count: int = 1, **more: object) -> list[Accepted]:
        """Statements with no body."""
        return [self.say(b"", to=("mx:liaison",), bodies=(), **more) for _ in range(count)]

    def found(self, accepted: Accepted) -> Found:
        own = self.node.registry.own_log(self.channel.ch)
        return self.node.records.at(own, accepted.index)

    def states(self, accepted: Accepted) -> list[State]:
        return [d.state for d in self.node.records.delivery(self.found(accepted))]

    def states_of(self, place: str) -> list[State]:
        found = self.node.records.find(place, CHANNEL)
        return [d.state for d in self.node.records.delivery(found)]

    def read(self, place: str, part: int = 0, by: str = OFFICER) -> bytes:
        out = io.BytesIO()
        self.node.speaking.open(by, self.node.records.find(place, CHANNEL), part, out, "a test")
        return out.getvalue()

    @property
    def channel(self) -> Charter:
        return self.node.registry.channel(CHANNEL).signed.charter

    def origin(self, party: str = "") -> str:
        return self.channel.origin(party or self.party)

    def size(self, party: str = "") -> int:
        return self.node.store.head(self.origin(party)).size

    def cut(self) -> dict[str, int]:
        found = {str(p): n for p, n in self.node.folding.cut(self.channel.ch).items()}
        return defaultdict(int, found)  # nothing before the channel is first looked at

    def shelf(self, party: str = "") -> Shelf:
        """What a party, or this one, has brought to the channel, as it lies here."""
        return self.node.blobs.shelf(self.channel.ch, party or self.party)

    def findings(self) -> list[object]:
        return [*self.node.store.check(), *self.node.blobs.check()]


@dataclass
class World:
    """The parties of one channel. `homes` in charter order; the first has proposed it."""

    folder: Path
    clock: Clock
    homes: list[Home]
    charter: SignedCharter

    def __getitem__(self, party: str) -> Home:
        return next(home for home in self.homes if home.party == party)

    def until(self, ready: Callable[[], bool], what: str = "", patience_s: float = 0) -> None:
        """Nothing, once `ready` holds; the failure says how far the nodes have come."""
        until(ready, [h.node for h in self.homes if h.up], patience_s, lambda: what or self.tell())

    def settle(self) -> None:
        """Until every log is everywhere, cosigned, folded and answered."""
        self.until(self.is_quiet)

    def is_quiet(self) -> bool:
        return all(self._is_quiet(home) for home in self.homes)

    def _is_quiet(self, home: Home) -> bool:
        sizes = {other.party: other.size() for other in self.homes}
        held = {other.party: home.size(other.party) for other in self.homes}
        cosigned = [
            feed.cosigned for feed in home.node.feeds() if feed.ch == self.charter.charter.ch
        ]
        state = home.node.folding._channels[self.charter.charter.ch]
        return (
            sizes == held == home.cut()
            and cosigned == [sizes[home.party]] * (len(self.homes) - 1)
            and not state.book.needs_answer(home.node.party)
            and not state.answers.incomplete
        )

    def tell(self) -> str:
        lines = []
        for home in self.homes:
            if home.up:
                feeds = [(f.party, f.cosigned, f.error, f.parameters) for f in home.node.feeds()]
                sizes = {other.party: home.size(other.party) for other in self.homes}
                lines.append(f"{home.party}: held {sizes} cut {home.cut()} feeds {feeds}")
                lines.append(f"    waits {home.node.folding.waits(self.charter.charter.ch)}")
                lines.append(f"    failure {home.node.failure!r}")
        return "\n".join(lines)

    def close(self) -> None:
        for home in self.homes:
            home.unplug()
        for home in self.homes:
            home.close()


def until(
    ready: Callable[[], bool],
    nodes: Sequence[Node],
    patience_s: float = 0,
    tell: Callable[[], str] = str,
) -> None:
    end = time.monotonic() + (patience_s or PATIENCE_S)
    while True:
        for node in nodes:
            if node.folding.wait_until(ready, 0.02):
                return
        if not nodes and ready():
            return
        assert time.monotonic() < end, tell()


def make_home(folder: Path, party: str, clock: Clock, **more: object) -> Home:
    port = free_port()
    make_node(
        folder / party,
        setup_of(party, port, **more),
        PASSPHRASE,
        ROOT_PASSPHRASE,
        int(clock()),
        system_random,
    )
    set_limits(folder / party, retry_first_s=0.02, retry_most_s=0.2)
    return Home(folder / party, party, port, clock)


def agree(homes: Sequence[Home], **terms: object) -> SignedCharter:
    """All parties sign a charter of these terms; each node keeps it; nobody has confirmed it."""
    first, *others = homes
    nodes = [home.node for home in homes]
    charter = Charter(
        nonce=system_random(16).hex(),
        name=CHANNEL,
        title=Text("Bicentennial Framework", "Entendimiento Bicentenario"),
        access="members",
        purpose="cooperation",
        fold=FOLD_VERSION,
        types=TYPES,
        instruments={},
        quota=QUOTA,
        parties=tuple(node.card for node in nodes),
        at=int(first.clock()),
    )
    charter = replace(charter, **terms)  # type: ignore[arg-type]
    signed = propose_charter(charter, *first.roots())
    for home in others:
        signed = home.node.channels.accept(KEEPER, signed.note.encode(), home.roots())
    for home in homes:
        home.node.channels.accept(KEEPER, signed.note.encode(), [])
    return signed


def confirm(home: Home, name: str = CHANNEL) -> None:
    ch = home.node.local.channel(name).ch
    home.node.channels.confirm(KEEPER, name, fingerprint(ch))


@contextlib.contextmanager
def world(
    folder: Path,
    parties: Sequence[str] = ("mx", "us"),
    *,
    confirmed: bool = True,
    serving: bool = True,
    limits: dict[str, float] | None = None,
    **terms: object,
) -> Iterator[World]:
    """Nodes that have agreed on one channel, started; all is stopped at the end."""
    clock = Clock()
    homes = [make_home(folder, party, clock) for party in parties]
    opened = []
    try:
        for home in homes:
            set_limits(home.path, **(limits or {}))
            home.open(serving=serving)
            opened.append(home)
            home.node.people.add(KEEPER, OFFICER, ["officer"], ["liaison"], int(clock()))
        made = World(folder, clock, homes, agree(homes, **terms))
        for home in homes if confirmed else ():
            confirm(home)
        yield made
    finally:
        for home in opened:
            home.unplug()
        for home in opened:
            home.close()


SMALL_QUOTA: Final = Quota(entries_per_day=5, bytes_per_day=1 << 20)
