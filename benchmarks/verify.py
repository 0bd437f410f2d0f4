"""How long a stranger waits: start of `verify`, and a whole log of a million records.

    PYTHONPATH=src:. python benchmarks/verify.py [RECORDS] [FOLDER]

The log is made first (some minutes for a million). Beside each figure stands the limit of the same
run: raw Ed25519 checks, and a Python that imports nothing. Bars: docs/spec/verify.md, Numbers.
"""

from __future__ import annotations

import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from tests.support.world import START, World

from convenio.core.card import author_key_name
from convenio.core.checkpoint import Checkpoint
from convenio.core.draft import Draft, draft, seen_json
from convenio.core.merkle import RightEdge, leaf_hash
from convenio.core.note import Ed25519Signer, ed25519_verify, sign_note
from convenio.core.record import Address, BodyRef, Header, PartyId
from convenio.core.tiles import ENTRIES, WIDTH, format_bundle, tile_path

CHECK = """
import re, sys, time
from pathlib import Path
from convenio.node.verify import verify
start = time.perf_counter()
report = verify(Path(sys.argv[1]), trust=sys.argv[2], now=int(sys.argv[3]))
print(report.grade, sum(log.size for log in report.logs), time.perf_counter() - start,
      int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""  # not ru_maxrss: after an exec it still holds what the parent had


class TileWriter:
    """Writes a log as files while it grows; a few hashes in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._rows, self._done = folder, [[]], [0]  # type: ignore[var-annotated]
        self.edge = RightEdge()

    def add(self, entries: list[bytes]) -> None:
        leaves = [leaf_hash(entry) for entry in entries]
        self._write(tile_path(ENTRIES, self._done[0], len(entries)), format_bundle(entries))
        self.edge = self.edge.extend(leaves)
        self._rows[0] = leaves
        level = 0
        while len(self._rows[level]) == WIDTH:
            self._flush(level)
            if level + 1 == len(self._rows):
                self._rows.append([])
                self._done.append(0)
            self._rows[level + 1].append(RightEdge().extend(self._rows[level]).root())
            self._rows[level], self._done[level] = [], self._done[level] + 1
            level += 1

    def finish(self, checkpoint: bytes) -> None:
        for level, row in enumerate(self._rows):
            if row:
                self._flush(level)
        self._write("checkpoint", checkpoint)

    def _flush(self, level: int) -> None:
        row = self._rows[level]
        self._write(tile_path(level, self._done[level], len(row)), b"".join(row))

    def _write(self, path: str, data: bytes) -> None:
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def records(world: World, party: str, to: str, count: int) -> Iterator[bytes]:
    """Records with one sealed body each, as a busy party says them: 40 in a second."""
    member, ch = world.members[party], world.charter.ch
    desk = member.desk("liaison")
    signer: Ed25519Signer = member.keys.author(desk)
    plain = Header(
        id="",
        ch=ch,
        gen=1,
        type="statement.v1",
        sender=PartyId(party),
        to=(Address(f"{to}:{world.members[to].desk('liaison')}"),),
        by=(author_key_name(member.keys.domain, desk),),
        at=0,
    )
    for number in range(count):
        c = hashlib.sha256(f"{party} {number}".encode()).hexdigest()
        body = BodyRef("sealed", c, 4096, c[::-1], to=tuple(sorted({*plain.to})))
        one: Draft = draft(replace(plain, id=c[:32], bodies=(body,)))
        yield one.sign(START + number // 40, seen_json({}), [signer])


def make_log(world: World, party: str, to: str, count: int, folder: Path) -> None:
    writer, batch = TileWriter(folder), []
    for entry in records(world, party, to, count):
        batch.append(entry)
        if len(batch) == WIDTH:
            writer.add(batch)
            batch = []
    if batch:
        writer.add(batch)
    origin, keys = world.charter.origin(party), world.members[party].keys
    checkpoint = Checkpoint(origin, writer.edge.size, writer.edge.root())
    note = sign_note(checkpoint.text(), keys.log_signer(origin))
    lines = [keys.log_cosigner(origin).cosign(checkpoint, START)]
    mirror = world.members[to].keys.mirror_cosigners()
    lines += [each.cosign(checkpoint, START) for each in mirror]
    writer.finish(note.encode() + b"".join(line.encode() for line in lines))


def seconds(work: Callable[[], object], times: int = 1) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def raw_checks_per_s() -> float:
    signer = Ed25519Signer("raw", bytes(32))
    message, count = bytes(700), 4000
    signature = signer.sign_bytes(message)
    taken = seconds(
        lambda: [ed25519_verify(signer.public, message, signature) for _ in range(count)], 3
    )
    return count / taken


def run(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, capture_output=True, check=True, text=True)  # noqa: S603 - ours
    return done.stdout


def main(count: int, folder: Path) -> None:
    bare = seconds(lambda: run("-c", "pass"), 7)
    ready = seconds(lambda: run("-c", "import convenio.node.verify"), 7)
    print(f"start        {ready * 1000:6.0f} ms, of it Python alone {bare * 1000:.0f} ms")
    with World(folder / "world") as world:
        log = folder / "log"
        made = seconds(lambda: make_log(world, "mx", "us", count, log))
        (log / "charter.note").write_bytes(world.note)
        print(f"made         {count} records in {made:.0f} s")
        limit = raw_checks_per_s()
        answer = run("-c", CHECK, str(log), world.charter.ch, str(START + 10**8))
    grade, size, taken, peak = answer.split()
    rate = int(size) / float(taken)
    print(f"checked      {size} records in {float(taken):.0f} s: {grade}, at most {peak} MiB")
    print(f"rate         {rate:.0f}/s, {rate / limit:.2f} of raw Ed25519 checks ({limit:.0f}/s)")
    print(f"maker        at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    if len(sys.argv) > 2:
        main(wanted, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(wanted, Path(scratch))
