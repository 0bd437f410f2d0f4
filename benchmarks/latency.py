"""From append to receipt, between two node processes over HTTP, in a channel that is idle."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Row, percentile
from benchmarks.world import CHANNEL, PHRASE, World
from convenio.cli.demo.pair import Pair, free_ports
from convenio.store.durable import write_file

SAMPLES = 150


def latency(folder: Path, _total: int) -> Iterator[Row]:
    """`say` and wait until the partner's cosignature is kept, one after the other."""
    ports = free_ports(8600, 2)
    World(folder, (ports[0], ports[1])).close()
    write_file(folder / "passphrase", PHRASE.encode())
    with Pair(folder) as pair:
        for party in ("mx", "us"):
            pair.start(party)
        one_record(pair)  # connections are made
        taken = [one_record(pair) for _ in range(SAMPLES)]
        peak = sum(memory_mib(pid) for pid in pair.pids())
    yield Row("receipt_p50", percentile(taken, 0.5) * 1000, "ms", better="less")
    yield Row("receipt_p99", percentile(taken, 0.99) * 1000, "ms", bar=250, better="less")
    yield Row("two_nodes_rss", peak, "MiB", bar=500, better="less")


def one_record(pair: Pair) -> float:
    """Seconds from the command to the receipt."""
    start = time.perf_counter()
    args = {"as": "ana", "channel": CHANNEL, "to": ["us:liaison"], "bodies": [{}]}
    said = pair.call("mx", "say", args, (os.urandom(300),))
    wait = {"as": "ana", "channel": CHANNEL, "leaf": said["leaf"], "seconds": 30}
    if not pair.call("mx", "wait", wait | {"until": "cosigned"})["done"]:
        raise RuntimeError("no receipt in 30 s")
    return time.perf_counter() - start


def memory_mib(pid: int) -> float:
    """What the process holds in memory now."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    line = next(each for each in status.splitlines() if each.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024
