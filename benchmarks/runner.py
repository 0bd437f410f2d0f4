"""Runs the rows and prints them as one table: `./run bench [NAME...]`.

Records a row works on: RECORDS in the environment (100,000 unless said otherwise; a million for
the figures in docs/performance.md).
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.checking import checking
from benchmarks.latency import latency
from benchmarks.measure import Row
from benchmarks.rows import appends, blobs, mirrors, seals

ROWS: dict[str, Callable[[Path, int], Iterator[Row]]] = {
    "append": appends,
    "mirror": mirrors,
    "latency": latency,
    "check": checking,
    "seal": seals,
    "blob": blobs,
}


def main(names: Sequence[str] = (), *, as_json: bool = False) -> int:
    """Measure what is named, or everything. 0: every bar is reached, 1: one is not, 2: unknown."""
    if unknown := [name for name in names if name not in ROWS]:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(ROWS)}", file=sys.stderr)
        return 2
    total = int(os.environ.get("RECORDS", "100000"))
    found: list[Row] = []
    for name in names or ROWS:
        with tempfile.TemporaryDirectory(prefix="convenio-bench-") as folder:
            for row in ROWS[name](Path(folder), total):
                found.append(row)
                print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if as_json:
        print(json.dumps({"records": total, "rows": [row.plain() for row in found]}))
    else:
        show(found)
    return 1 if any(row.held is False for row in found) else 0


def show(rows: Sequence[Row]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("figure", "value", "unit", "limit", "of", "ratio", "bar", ""):
        table.add_column(
            title, justify="left" if title in ("figure", "unit", "of", "") else "right"
        )
    for row in rows:
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        limit = f"{row.limit:,.0f}" if row.limit else ""
        bar = f"{row.bar:,g}" if row.bar else ""
        held = {True: "held", False: "NOT held", None: ""}[row.held]
        shown = f"{row.value:,.1f}" if row.value < 1000 else f"{row.value:,.0f}"
        table.add_row(row.code, shown, row.unit, limit, row.limit_code, ratio, bar, held)
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
