"""A whole log checked offline by a stranger, and how soon `verify` starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.support.world import START, World

from benchmarks.measure import Row
from benchmarks.verify import CHECK, make_log, raw_checks_per_s, run, seconds


def checking(folder: Path, total: int) -> Iterator[Row]:
    """Rate, peak memory, start-up time; the log has `total` records."""
    start = seconds(lambda: run("-m", "convenio.cli.main", "verify", "--help"), 5)
    yield Row("verify_start", start * 1000, "ms", bar=200, better="less")
    with World(folder / "world") as world:
        log = folder / "log"
        make_log(world, "mx", "us", total, log)
        (log / "charter.note").write_bytes(world.note)
        limit = raw_checks_per_s()
        answer = run("-c", CHECK, str(log), world.charter.ch, str(START + 10**8))
    grade, size, taken, peak = answer.split()
    if int(size) != total:
        raise RuntimeError(f"checked {size} of {total}: {grade}")
    yield Row("check_log", total / float(taken), "records/s", "verify", limit)
    yield Row("check_log_minutes", 1_000_000 / total * float(taken) / 60, "min/million")
    yield Row("check_log_memory", float(peak), "MiB", bar=300, better="less")
