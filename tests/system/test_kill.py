"""Two nodes killed again and again while both write: what was acknowledged is there, once.

CONVENIO_KILLS: how many kills, 12 unless told; CONVENIO_SEED: of the moments and the victims.
`./run soak` does it with one seed after another for as long as it is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random  # noqa: TID251 - seeded, to choose moments
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import (
    CHANNEL,
    KEEPER,
    OFFICER,
    PASSPHRASE,
    Clock,
    Home,
    agree,
    confirm,
    make_home,
)
from tests.support.serving import Serving

from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.merkle import Leaves, tree_root
from convenio.core.note import keyring, verify_note
from convenio.core.record import parse_record
from convenio.core.trust import Charter
from convenio.node.control import ControlClient
from convenio.node.keys import open_keys
from convenio.node.setup import KEYS, LOG
from convenio.peer.client import Partner, PartnerConfig
from convenio.store.api import Stored

KILLS = int(os.environ.get("CONVENIO_KILLS", "12"))
SEED = int(os.environ.get("CONVENIO_SEED", "1"))
PATIENCE_S = 60.0
MOMENT = threading.Event()  # never set: a random moment is a wait that nobody ends early
OTHER = {"mx": "us", "us": "mx"}


def _now() -> int:
    return int(time.time())  # noqa: TID251 - the processes go by the machine's clock


@dataclass
class Writer:
    """Says one thing after another on one node; each again under its id until it is answered."""

    home: Home
    acknowledged: dict[str, str] = field(default_factory=dict)  # id -> leaf
    repeated: int = 0
    faults: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    moved: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        number = 0
        while not self.stopping.is_set():
            number += 1
            self._say_until_answered(number)

    def _say_until_answered(self, number: int) -> None:
        ident = hashlib.sha256(f"{self.home.party} {number}".encode()).hexdigest()[:32]
        content = b"record %d of %s " % (number, self.home.party.encode()) * (number % 7 * 300 + 1)
        while True:
            try:
                answer = self._say(ident, content)
            except UnavailableError:
                if self.stopping.is_set():
                    return  # not acknowledged; nothing is promised
                self.repeated += 1
                MOMENT.wait(0.01)
                continue
            except ConvenioError as error:
                self.faults.append(f"{ident}: {error}")
                return
            with self.moved:
                self.acknowledged[ident] = answer["leaf"]
                self.moved.notify_all()
            return

    def _say(self, ident: str, content: bytes) -> dict[str, Any]:
        with os.fdopen(os.memfd_create("body"), "w+b") as file:
            file.write(content)
            file.flush()
            file.seek(0)
            args = {
                "as": OFFICER,
                "channel": CHANNEL,
                "type": "statement.v1",
                "id": ident,
                "to": [f"{OTHER[self.home.party]}:liaison"],
                "bodies": [{"media": "text/plain"}],
            }
            return ControlClient(self.home.path, 30).call("say", args, [file.fileno()])

    def wait_for(self, more: int) -> None:
        with self.moved:
            goal = len(self.acknowledged) + more
            came = self.moved.wait_for(
                lambda: len(self.acknowledged) >= goal or bool(self.faults), PATIENCE_S
            )
        assert came, f"{self.home.party} acknowledges nothing more"


class Reader:
    """Fetches the checkpoints a node shows of its log and of its mirror, as its partner would."""

    def __init__(self, asks: Home, asked: Home, charter: Charter) -> None:
        keys = open_keys((asks.path / KEYS).read_bytes(), PASSPHRASE)
        card = charter.member(asked.party)
        config = PartnerConfig(card.roster.url, "", card.node_verifier())
        self._partner = Partner(config, keys.node_signer(), _now, os.urandom)
        self._logs = [
            (charter.origin(asked.party), False),
            (charter.origin(asks.party), True),
        ]
        self.seen: set[bytes] = set()
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            for origin, mirror in self._logs:
                with contextlib.suppress(ConvenioError):
                    shown = self._partner.get_checkpoint(origin, mirror=mirror)
                    self.seen |= {shown} if shown else set()
            MOMENT.wait(0.005)
        self._partner.close()


class Pair:
    """Both nodes with their writers and readers, and what is asked of them in the end."""

    def __init__(self, folder: Path) -> None:
        clock = Clock(_now())
        self.homes = {party: make_home(folder, party, clock) for party in ("mx", "us")}
        homes = list(self.homes.values())
        for home in homes:
            home.open(feeding=False, serving=False)
            home.node.people.add(KEEPER, OFFICER, ["officer"], ["liaison"], _now())
        self.charter = agree(homes).charter
        for home in homes:
            confirm(home)
            home.close()
        mx, us = homes
        self.nodes = {home.party: Serving(home.path) for home in homes}
        self.writers = {home.party: Writer(home) for home in homes}
        self.readers = [Reader(us, mx, self.charter), Reader(mx, us, self.charter)]
        self._loops: list[Writer | Reader] = [*self.writers.values(), *self.readers]
        self._threads = [threading.Thread(target=each.run) for each in self._loops]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        try:
            for node in self.nodes.values():
                node.start()
            for thread in self._threads:
                thread.start()
            yield
        finally:
            self.stop_writing()
            for node in self.nodes.values():
                node.kill()

    def stop_writing(self) -> None:
        for each in self._loops:
            each.stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(PATIENCE_S)

    # --- while they run ---

    def kill_one(self, dice: random.Random) -> None:
        victims = dice.choice((["mx"], ["us"], ["mx"], ["us"], ["mx", "us"]))
        self.writers[dice.choice(("mx", "us"))].wait_for(dice.randint(1, 12))
        MOMENT.wait(dice.random() * 0.03)
        for party in victims:
            self.nodes[party].kill()
        for party in victims:
            self.check_custody(party)
        for party in victims:
            self.nodes[party].start()

    def check_custody(self, dead: str) -> None:
        """Whatever it cosigned before it was killed lies in its database now."""
        alive = OTHER[dead]
        origin, name = self.charter.origin(alive), f"{dead}.localhost/mirror"
        taken = _one(
            self.homes[alive].path / LOG,
            "SELECT max(c.size) FROM cosignature c JOIN log l ON l.id = c.log"
            " WHERE l.origin = ? AND c.name = ?",
            (origin, name),
        )
        held = _one(
            self.homes[dead].path / LOG,
            "SELECT t.size FROM tree t JOIN log l ON l.id = t.log WHERE l.origin = ?",
            (origin,),
        )
        assert (taken or 0) <= held, f"{dead} cosigned {taken} entries and holds {held}"

    # --- in the end ---

    def settle(self) -> None:
        """Until both say that both logs are everywhere, cosigned and folded."""
        until, last = time.monotonic() + PATIENCE_S, None
        while time.monotonic() < until:
            with contextlib.suppress(UnavailableError):
                last = [self._standing(party) for party in ("mx", "us")]
                if last[0] == last[1] and all(whole for *_, whole in last):
                    return
            MOMENT.wait(0.05)
        raise AssertionError(f"they do not converge: {last}")

    def _standing(self, party: str) -> tuple[dict[str, int], dict[str, int], bool]:
        status = ControlClient(self.homes[party].path, 30).call("status", {})
        (channel,) = status["channels"]
        entries = {m["party"]: m["entries"] for m in channel["members"]}
        folded = {m["party"]: m["folded"] for m in channel["members"]}
        cosigned = [m["feed"]["cosigned"] for m in channel["members"] if m["feed"]]
        return entries, folded, entries == folded and cosigned == [entries[party]]

    def audit(self) -> None:
        """Both stopped in order; everything promised is asked for."""
        assert {party: node.stop() for party, node in self.nodes.items()} == {
            "mx": (0, ""),
            "us": (0, ""),
        }
        mx, us = self.homes["mx"], self.homes["us"]
        for home in (mx, us):
            home.open(feeding=False, serving=False)
        try:
            logs = {party: self._same_log(party) for party in ("mx", "us")}
            for party, log in logs.items():
                self._nothing_acknowledged_is_lost(party, log)
                self._every_body_is_there(party, log)
            self._every_checkpoint_is_of_this_history(logs)
            assert [*mx.findings(), *us.findings()] == []
            assert mx.cut() == us.cut() == {party: len(log) for party, log in logs.items()}
            assert self._records(mx) == self._records(us)
        finally:
            for home in (mx, us):
                home.close()

    def _same_log(self, party: str) -> list[Stored]:
        origin = self.charter.origin(party)
        both = [list(home.node.store.entries(origin, 0, 1 << 30)) for home in self.homes.values()]
        assert both[0] == both[1]
        return both[0]

    def _nothing_acknowledged_is_lost(self, party: str, log: list[Stored]) -> None:
        writer = self.writers[party]
        assert writer.faults == []
        found: dict[str, list[str]] = {}
        for stored in log:
            header = parse_record(stored.entry).header
            found.setdefault(header.id, []).append(stored.leaf.hex())
        assert all(len(leaves) == 1 for leaves in found.values()), "something was said twice"
        for ident, leaf in writer.acknowledged.items():
            assert found.get(ident) == [leaf], "acknowledged and lost"

    def _every_body_is_there(self, party: str, log: list[Stored]) -> None:
        """The partner's log says all of it has come; and it opens there."""
        other = self.homes[OTHER[party]]
        bodies = [b.c for stored in log for b in parse_record(stored.entry).header.bodies]
        assert all(other.shelf(party).has(c) for c in bodies)
        records = [s for s in log if parse_record(s.entry).header.type == "statement.v1"]
        for stored in (records[0], records[-1]):
            out = io.BytesIO()
            found = other.node.records.find(stored.leaf.hex(), CHANNEL)
            other.node.speaking.open(OFFICER, found, 0, out, "audit")
            assert out.getvalue().startswith(b"record ")

    def _every_checkpoint_is_of_this_history(self, logs: dict[str, list[Stored]]) -> None:
        leaves = {
            self.charter.origin(party): Leaves(stored.leaf for stored in log)
            for party, log in logs.items()
        }
        shown = set.union(*(reader.seen for reader in self.readers))
        assert len(shown) > 5
        for data in shown:
            checkpoint, note = parse_signed_checkpoint(data)
            party = self.charter.party_of(checkpoint.origin)
            assert party is not None
            assert len(verify_note(note, keyring(*self.charter.log_verifiers(party)))) == 2
            assert checkpoint.size <= len(logs[party])
            assert tree_root(checkpoint.size, leaves[checkpoint.origin]) == checkpoint.root

    def _records(self, home: Home) -> list[Any]:
        return home.node.index.latest(self.charter.ch, 1_000_000, automatic=True)


def _one(path: Path, query: str, values: tuple[str, ...]) -> int:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        ((value,),) = db.execute(query, values).fetchall()
        return int(value or 0)


def run(folder: Path, seed: int, kills: int) -> Pair:
    pair, dice = Pair(folder), random.Random(seed)
    with pair.running():
        for _ in range(kills):
            pair.kill_one(dice)
        for writer in pair.writers.values():
            writer.wait_for(3)
        pair.stop_writing()
        pair.settle()
        pair.audit()
    return pair


def test_nodes_killed_at_random_while_both_write_lose_nothing(tmp_path: Path) -> None:
    pair = run(tmp_path, SEED, KILLS)
    assert sum(len(writer.acknowledged) for writer in pair.writers.values()) > 2 * KILLS
    assert sum(writer.repeated for writer in pair.writers.values()) > 0, "no kill was ever felt"


@pytest.mark.soak
def test_nodes_killed_for_long_lose_nothing(tmp_path: Path, soak_s: float) -> None:
    until, seed = time.monotonic() + soak_s, SEED
    while time.monotonic() < until:
        folder = tmp_path / str(seed)
        folder.mkdir()
        pair = run(folder, seed, max(KILLS, 20))
        counts = [len(writer.acknowledged) for writer in pair.writers.values()]
        print(f"seed {seed}: {counts} records acknowledged, nothing lost")
        seed += 1


# --- starting, stopping, a second process ---


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path, "mx", Clock(_now()))


def test_a_node_asked_to_end_ends_in_order_and_leaves_no_socket(home: Home) -> None:
    node = Serving(home.path).start()
    assert ControlClient(home.path).running()
    assert node.stop() == (0, "")
    assert not (home.path / "node.sock").exists()


def test_a_second_process_on_the_same_directory_is_refused_and_the_first_goes_on(
    home: Home,
) -> None:
    first, second = Serving(home.path).start(), Serving(home.path)
    try:
        assert second.try_to_start() == "node.running"
        assert second.wait()[0] == 1
        assert ControlClient(home.path).call("status", {})["party"] == "mx"
    finally:
        assert first.stop() == (0, "")


def test_after_a_kill_the_lock_is_free_and_the_stale_socket_is_taken_over(home: Home) -> None:
    first = Serving(home.path).start()
    first.kill()
    assert (home.path / "node.sock").exists()
    assert not ControlClient(home.path).running()
    second = Serving(home.path).start()
    assert ControlClient(home.path).running()
    assert second.stop() == (0, "")


def test_a_port_in_use_is_said_and_nothing_is_left_running(home: Home) -> None:
    other = make_home(home.path.parent, "us", Clock(_now()))
    other_text = (other.path / "node.toml").read_text()
    (other.path / "node.toml").write_text(
        other_text.replace(f"port = {other.port}", f"port = {home.port}", 1)
    )
    first, second = Serving(home.path).start(), Serving(other.path)
    try:
        assert second.try_to_start() == "serve.address"
        assert second.wait()[0] == 1
    finally:
        assert first.stop() == (0, "")
    assert not ControlClient(other.path).running()
