"""Two whole nodes, mx and us, in this process: real directories, keys, HTTP and local sockets.

Only the process around each is left out (`api.process`), so that a test can look inside.
"""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from convenio.api.partner import PartnerApiConfig, partner_app
from convenio.api.serve import PartnerServer, serve_partner
from convenio.core.card import Text
from convenio.core.trust import fingerprint
from convenio.node.commands import LASTING, dispatcher
from convenio.node.control import ControlClient, ControlServer
from convenio.node.keys import open_root
from convenio.node.records import State
from convenio.node.setup import ROOTS, Setup, make_node
from convenio.node.speaking import Attachment, Saying
from convenio.node.wiring import Directory, Node, system_clock, system_random

PASSPHRASE: Final = "the phrase of a pair"
NAMES: Final = {
    "mx": Text("Mexico", "México"),
    "us": Text("United States", "Estados Unidos"),
}
DESKS: Final = {
    "liaison": Text("Liaison desk", "Mesa de enlace"),
    "customs": Text("Customs desk", "Mesa de aduanas"),
}
PEOPLE: Final = {  # name -> role, desk
    "ana": ("officer", "liaison"),
    "beto": ("officer", "customs"),
    "carla": ("clerk", "liaison"),
    "dario": ("auditor", ""),
    "elena": ("releaser", "liaison"),
}
CHANNELS: Final = {
    "framework": ("members", Text("Bicentennial framework", "Entendimiento Bicentenario")),
    "public": ("public", Text("Public record", "Registro público")),
}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Running:
    """One node, its doors open. `stop` and `start` are what unplugging and plugging in are."""

    party: str
    path: Path
    port: int
    node: Node
    partners: PartnerServer | None = None
    control: ControlServer | None = None

    def start(self) -> None:
        node = self.node
        config = PartnerApiConfig(
            node.card.roster.url, node.keys.node_signer(), lambda: int(node.clock())
        )
        app = partner_app(node.partnering, config)
        self.partners = serve_partner(app, "127.0.0.1", self.port)
        self.control = ControlServer(self.path, dispatcher(node), LASTING)
        node.start(feeding=True)

    def stop(self) -> None:
        if self.control and self.partners:
            self.control.close()
            self.partners.stop()
            self.node.stop()
        self.control = self.partners = None

    def restart(self) -> None:
        self.node = Node(Directory.take(self.path), PASSPHRASE)
        self.start()

    def call(self, do: str, **args: Any) -> Any:
        return ControlClient(self.path).call(do, args)

    def link(self, person: str) -> str:
        """A secret that signs `person` in, once."""
        return str(self.call("web.link", **{"as": "keeper", "person": person})["secret"])

    def say(
        self,
        text: str | bytes | Sequence[bytes] = "",
        *,
        to: Sequence[str] = (),
        channel: str = "framework",
        person: str = "ana",
        media: str = "text/plain",
        name: str = "",
        lang: str = "",
        **more: Any,
    ) -> str:
        """One record by a person of this node; its leaf hash, hex. Without `to`: open to all."""
        bodies = [text] if isinstance(text, str | bytes) else list(text)
        contents = [body.encode() if isinstance(body, str) else body for body in bodies]
        attached = tuple(
            Attachment(io.BytesIO(each), len(each), media, name, lang) for each in contents if each
        )
        kind = more.pop("kind", "statement.v1")
        more.setdefault("open_body", not to)
        saying = Saying(channel, kind, "", tuple(to), attached, **more)
        return self.node.speaking.say(person, saying).leaf.hex()

    def wait(self, leaf: str, state: State = State.RECEIVED, seconds: float = 20) -> None:
        """Until every other member's log has come that far with the record."""

        def ready() -> bool:
            rows = self.node.index.by_prefix(bytes.fromhex(leaf), 1)
            states = (
                [
                    each.state
                    for each in self.node.records.delivery(self.node.records.at_row(rows[0]))
                ]
                if rows
                else []
            )
            return bool(states) and all(each in (state, State.RECEIVED) for each in states)

        assert self.node.folding.wait_until(ready, seconds), leaf

    def wait_for(self, leaf: str, seconds: float = 20) -> None:
        """Until this node lists a record of another's log."""

        def ready() -> bool:
            return bool(self.node.index.by_prefix(bytes.fromhex(leaf), 1))

        assert self.node.folding.wait_until(ready, seconds), leaf


class Pair:
    """mx and us, sharing a channel for members and one for everybody, both confirmed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.nodes = {party: self._make(party) for party in NAMES}
        self.mx, self.us = self.nodes["mx"], self.nodes["us"]
        for name, (access, title) in CHANNELS.items():
            self._agree(name, access, title)
        for each in self.nodes.values():
            each.start()

    def close(self) -> None:
        for each in self.nodes.values():
            each.stop()

    def charter(self, channel: str) -> bytes:
        return self.mx.node.local.channel(channel).signed.note.encode()

    def fingerprint(self, channel: str) -> str:
        return fingerprint(self.mx.node.local.channel(channel).ch)

    def _make(self, party: str) -> Running:
        path, port, now = self.folder / party, free_port(), int(system_clock())
        setup = Setup(
            party,
            NAMES[party],
            f"http://127.0.0.1:{port}",
            f"{party}.localhost",
            "127.0.0.1",
            port,
            DESKS,
            "keeper",
            roots_needed=1,
            roots_made=1,
        )
        make_node(path, setup, PASSPHRASE, PASSPHRASE, now, system_random)
        node = Node(Directory.take(path), PASSPHRASE)
        for name, (role, desk) in PEOPLE.items():
            node.people.add("keeper", name, [role], [desk] if desk else [], now)
        return Running(party, path, port, node)

    def _agree(self, name: str, access: str, title: Text) -> None:
        mx, us = self.mx.node, self.us.node
        proposed = mx.channels.propose(
            "keeper",
            name=name,
            title=title,
            cards=[(self.us.path / "card.note").read_bytes()],
            access=access,
            purpose="cooperation",
            roots=self._roots("mx"),
        )
        accepted = us.channels.accept("keeper", proposed.note.encode(), self._roots("us"))
        complete = mx.channels.accept("keeper", accepted.note.encode(), [])
        for node in (mx, us):
            node.channels.confirm("keeper", name, fingerprint(complete.charter.ch))

    def _roots(self, party: str) -> Any:
        file = self.nodes[party].path / ROOTS / "root-1.age"
        return [open_root(file.read_bytes(), PASSPHRASE)]


def main() -> None:  # pragma: no cover - to look at a pair by hand
    """Two nodes to play with, until interrupted."""
    import tempfile  # noqa: PLC0415

    pair = Pair(Path(tempfile.mkdtemp()))
    print(pair.folder)
    try:
        threading.Event().wait()
    finally:
        pair.close()


if __name__ == "__main__":
    main()
