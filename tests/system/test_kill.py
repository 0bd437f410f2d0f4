"""Two real node processes, both writing, one of them killed at any moment, again and again.

What a node acknowledged is in both logs afterwards, with its content; every store is sound; both
fold the same. SIGKILL is not a power cut: what the disk does is the store's own tests' matter.
"""

from __future__ import annotations

import contextlib
import os
import random  # noqa: TID251 - seeded, so that a run can be had again
import threading
from pathlib import Path

import pytest
from benchmarks.world import CHANNEL, PHRASE, World

from convenio.cli.demo.pair import Pair, free_ports
from convenio.core.errors import ConvenioError
from convenio.store.durable import write_file

PARTIES = ("mx", "us")


class Writer(threading.Thread):
    """Says one record after the other at one node, and remembers which were acknowledged."""

    def __init__(self, pair: Pair, party: str) -> None:
        super().__init__(daemon=True)
        self.pair, self.party = pair, party
        self.other = PARTIES[1 - PARTIES.index(party)]
        self.acknowledged: list[str] = []
        self.enough = threading.Event()

    def run(self) -> None:
        args = {"as": "ana", "channel": CHANNEL, "to": [f"{self.other}:liaison"], "bodies": [{}]}
        while not self.enough.is_set():
            with contextlib.suppress(ConvenioError, OSError):
                said = self.pair.call(self.party, "say", args, (os.urandom(200),))
                self.acknowledged.append(said["leaf"])


def kill(pair: Pair, party: str) -> None:
    process = pair._running.pop(party)
    process.kill()
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def run(folder: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    ports = free_ports(int(os.environ["CONVENIO_DEMO_PORT"]) + 20, 2)
    World(folder, (ports[0], ports[1])).close()
    write_file(folder / "passphrase", PHRASE.encode())
    with Pair(folder) as pair:
        for party in PARTIES:
            pair.start(party)
        writers = [Writer(pair, party) for party in PARTIES]
        for writer in writers:
            writer.start()
        for _ in range(kills):
            victim = chance.choice(writers)
            wanted = len(victim.acknowledged) + chance.randint(1, 12)
            while len(victim.acknowledged) < wanted:
                victim.join(0.01)
            kill(pair, victim.party)
            pair.start(victim.party)
        for writer in writers:
            writer.enough.set()
            writer.join(60)
        for writer in writers:
            assert writer.acknowledged
            for leaf in writer.acknowledged:
                wait = {"leaf": leaf, "seconds": 60, "until": "received"}
                assert pair.call(writer.party, "wait", wait)["done"], leaf
            for leaf in writer.acknowledged:
                there = pair.call(writer.other, "record", {"as": "ana", "record": leaf})
                assert all(body["here"] for body in there["bodies"]), "a receipt without content"
        assert all(pair.call(party, "fsck", {})["clean"] for party in PARTIES)


def test_nothing_acknowledged_is_lost_when_either_node_is_killed(tmp_path: Path) -> None:
    run(tmp_path, kills=4, seed=20211008)


@pytest.mark.soak
def test_the_same_for_long(tmp_path: Path) -> None:
    seconds = int(os.environ.get("CONVENIO_SOAK_S", "600"))
    run(tmp_path, kills=max(4, seconds // 4), seed=8)
