"""A process to be killed: writes to a store and says what was acknowledged, until it is stopped.

python -m tests.support.crashing own|mirror PATH SIZE
"""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path

from tests.support.stores import MIRROR, OWN, checkpoint, entry, id_of, signing

from convenio.core.errors import UnavailableError
from convenio.core.merkle import leaf_hash
from convenio.store.backfill import Backfill
from convenio.store.database import Database
from convenio.store.schema import KIND, VERSION
from convenio.store.sqlite import SqliteStore

STEPS = cycle((1, 40, 1, 256, 2, 1, 30, 300))


def append(store: SqliteStore) -> int:
    size = store.head(OWN).size
    numbers = range(size, size + next(STEPS))
    more = [(id_of(number), entry(number)) for number in numbers]
    return store.append(OWN, size, more, signing(OWN)).size


def mirror(store: SqliteStore) -> int:
    size = store.head(MIRROR).size
    more = [entry(number) for number in range(size, size + next(STEPS))]
    edge = store.right_edge(MIRROR).extend(map(leaf_hash, more))
    root = edge.root()
    if not store.pending(MIRROR) or store.pending(MIRROR)[0].size < edge.size:
        old_size = store.pending(MIRROR)[0].size if store.pending(MIRROR) else 0
        signed = checkpoint(MIRROR, edge.size, root)
        store.put_pending(MIRROR, old_size, edge.size, root, signed)
        return store.absorb(MIRROR, size, more, edge.size).size
    pending = store.pending(MIRROR)[0].size
    store.put_entries(MIRROR, size, [entry(number) for number in range(size, pending)])
    return store.advance(MIRROR, pending).size


def main() -> None:
    kind, path = sys.argv[1], Path(sys.argv[2])
    SqliteStore.open(path).close()
    store = SqliteStore(Database.open(path, VERSION, kind=KIND), max_fresh=700)
    Backfill(store, every_s=0.05).start()
    write = append if kind == "own" else mirror
    print("open", flush=True)
    try:
        while True:
            print(write(store), flush=True)
    except UnavailableError as error:
        print(error.code, flush=True)


if __name__ == "__main__":
    main()
