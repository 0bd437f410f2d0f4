"""What the log store does per second, beside the limits of the same disk in the same run.

    PYTHONPATH=src python benchmarks/store.py [FOLDER]

Ratios count, not digits: disks and neighbours differ. Bars: docs/spec/store.md, Numbers.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from convenio.core.checkpoint import Checkpoint
from convenio.core.merkle import (
    RightEdge,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
)
from convenio.core.note import Ed25519Signer, sign_note
from convenio.store.api import LogSpec, Sign
from convenio.store.sqlite import SqliteStore

ENTRY_BYTES = 700
GROUP = 256
ORIGIN = "mx.localhost/c/" + "0" * 32
SIGNER = Ed25519Signer(ORIGIN, bytes(32))
AUTHOR = Ed25519Signer("mx.localhost/k/00000000", bytes(32))


def rate(count: int, work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)


def entries(count: int) -> list[bytes]:
    return [os.urandom(ENTRY_BYTES) for _ in range(count)]


def named(count: int) -> list[tuple[bytes, bytes]]:
    return [(os.urandom(16), entry) for entry in entries(count)]


def signer(origin: str) -> Sign:
    return lambda size, root: sign_note(Checkpoint(origin, size, root).text(), SIGNER).encode()


def unsafe_fast(*args: Any, **options: Any) -> sqlite3.Connection:
    """The same file without waiting for the disk: what the processor alone would allow."""

    class Fast(sqlite3.Connection):
        def executescript(self, sql: str, /) -> sqlite3.Cursor:
            return super().executescript(sql.replace("synchronous = FULL", "synchronous = OFF"))

    return sqlite3.connect(*args, factory=Fast, **options)


def fsync_rate(folder: Path, count: int = 400) -> float:
    with (folder / "raw").open("wb") as file:

        def work() -> None:
            for _ in range(count):
                file.write(bytes(512))
                file.flush()
                os.fsync(file.fileno())

        return rate(count, work)


def open_log(folder: Path, name: str, *, own: bool, fast: bool = False) -> SqliteStore:
    path = folder / name
    SqliteStore.create(path).close()
    store = SqliteStore.open(path, connect=unsafe_fast) if fast else SqliteStore.open(path)
    store.add_log(LogSpec(ORIGIN, "00", "mx", 1, own))
    return store


def append_rate(store: SqliteStore, count: int, group: int) -> float:
    batches = [named(group) for _ in range(count // group)]
    sign = signer(ORIGIN)

    def work() -> None:
        for batch in batches:
            store.append(ORIGIN, store.head(ORIGIN).size, batch, sign)

    return rate(count, work)


def single_appends(folder: Path) -> None:
    durable = open_log(folder, "single.db", own=True)
    fast = open_log(folder, "fast.db", own=True, fast=True)
    ratios = []
    for _ in range(5):  # interleaved, as neighbours come and go
        raw, quick = fsync_rate(folder), append_rate(fast, 400, 1)
        mine = append_rate(durable, 400, 1)
        ratios.append((mine / min(raw, quick), mine, raw, quick))
    ratio, mine, raw, quick = sorted(ratios)[2]
    print(
        f"append one by one {mine:9,.0f}/s  fsync {raw:,.0f}/s  without fsync {quick:,.0f}/s"
        f"  ratio {ratio:.2f} (bar 0.30)"
    )
    durable.close()
    fast.close()


def group_appends(folder: Path) -> None:
    store = open_log(folder, "group.db", own=True)
    raw = rate(20_000, lambda: [AUTHOR.sign_bytes(bytes(ENTRY_BYTES)) for _ in range(20_000)])
    mine = statistics.median(append_rate(store, GROUP * 40, GROUP) for _ in range(5))
    total = 1 / (1 / mine + 1 / raw)
    print(
        f"append by {GROUP}     {mine:9,.0f}/s  raw sign {raw:,.0f}/s"
        f"  with author signing {total:,.0f}/s, ratio {total / raw:.2f} (bar 0.60)"
    )
    store.close()


def mirror(folder: Path, total: int) -> SqliteStore:
    store = open_log(folder, "mirror.db", own=False)
    sign, edge, size, spent, last = signer(ORIGIN), RightEdge(), 0, 0.0, 0.0
    step = GROUP * 40
    while size < total:
        packages = [entries(GROUP) for _ in range(step // GROUP)]
        heads = []
        for package in packages:
            edge = edge.extend(map(leaf_hash, package))
            heads.append((edge.size, edge.root(), sign(edge.size, edge.root())))
        start = time.perf_counter()
        for package, (end, root, checkpoint) in zip(packages, heads, strict=True):
            store.put_pending(ORIGIN, size, end, root, checkpoint)
            store.absorb(ORIGIN, size, package, end)
            size = end
        last = time.perf_counter() - start
        spent += last
    print(
        f"mirror, Merkle    {size / spent:9,.0f}/s over {size:,}; the last {step:,} at"
        f" {step / last:,.0f}/s (bar 90,000): put_pending + absorb by {GROUP}, two commits"
    )
    return store


def packages_only(folder: Path, total: int) -> None:
    store = open_log(folder, "packages.db", own=False)
    spent, size, edge = 0.0, 0, RightEdge()
    while size < total:
        package = entries(GROUP)
        edge = edge.extend(map(leaf_hash, package))
        spent -= time.perf_counter()
        size = store.put_entries(ORIGIN, size, package)
        spent += time.perf_counter()
    store.put_pending(ORIGIN, 0, size, edge.root(), b"")
    spent += 1 / rate(1, lambda: store.advance(ORIGIN, size))
    print(
        f"mirror, catching up {size / spent:7,.0f}/s over {size:,}: put_entries by {GROUP},"
        " one advance"
    )
    store.close()


def reads(store: SqliteStore) -> None:
    head = store.head(ORIGIN)
    picked = [int.from_bytes(os.urandom(6), "big") % head.size for _ in range(300)]
    leaves = {n: next(store.entries(ORIGIN, n, n + 1)).leaf for n in picked}

    def fresh() -> None:
        for n in picked:
            inclusion_proof(n, head.size, store.reader(ORIGIN, head.size))

    def warm() -> None:
        reader = store.reader(ORIGIN, head.size)
        for n in picked:
            proof = inclusion_proof(n, head.size, reader)
            check_inclusion(leaves[n], n, head.size, proof, head.root)

    def growth() -> None:
        for n in picked:
            consistency_proof(n, head.size, store.reader(ORIGIN, head.size))

    def find() -> None:
        for leaf in leaves.values():
            store.find_leaf(ORIGIN, leaf)

    print(
        f"inclusion proofs over {head.size:,}: fresh reader {rate(300, fresh):,.0f}/s, one reader,"
        f" checked {rate(300, warm):,.0f}/s; consistency {rate(300, growth):,.0f}/s;"
        f" find_leaf {rate(300, find):,.0f}/s"
    )
    streamed = rate(head.size, lambda: sum(1 for _ in store.entries(ORIGIN, 0, head.size)))
    print(f"entries streamed  {streamed:9,.0f}/s")
    print(f"check             {rate(head.size, lambda: list(store.check())):9,.0f}/s")


def opening(path: Path) -> None:
    quick = rate(1, lambda: SqliteStore.open(path).close())
    full = rate(1, lambda: SqliteStore.open(path, quick_check=True).close())
    print(
        f"open {1000 / quick:,.1f} ms, with quick_check {1 / full:,.2f} s"
        f" ({path.stat().st_size >> 20:,} MiB)"
    )


def main() -> None:
    total = int(os.environ.get("RECORDS", "1000000"))
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as name:
        folder = Path(name)
        single_appends(folder)
        group_appends(folder)
        packages_only(folder, min(total, 200_000))
        store = mirror(folder, total)
        reads(store)
        store.close()
        opening(folder / "mirror.db")


if __name__ == "__main__":
    main()
