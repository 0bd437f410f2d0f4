"""How a log lies in the tables: entries put in and read back, tiles completed, subtrees read.

Works on a connection and opens no transaction; `sqlite.SqliteStore` says what is one commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from convenio.core.errors import MalformedError, UnavailableError
from convenio.core.merkle import HASH, RightEdge, edge_of, leaf_hash
from convenio.core.tiles import WIDTH, TileReader, tile_hash
from convenio.store.api import MAX_ENTRY_BYTES
from convenio.store.schema import entry_key, tile_key


@dataclass(frozen=True, slots=True)
class Tree:
    """The row of a log's state. edge: of everything stored, at or beyond `size`."""

    size: int
    root: bytes
    checkpoint: bytes
    edge: RightEdge


def read_tree(db: sqlite3.Connection, log: int) -> Tree:
    """The state of a log.

    Raises:  UnavailableError: store.corrupt, the edge is not one, or not that of the signed root.
    """
    size, root, checkpoint, raw = db.execute(
        "SELECT size, root, checkpoint, edge FROM tree WHERE log = ?", (log,)
    ).fetchone()
    try:
        edge = RightEdge.decode(raw)
    except MalformedError as error:
        raise UnavailableError("store.corrupt") from error
    if edge.size < size or (edge.size == size and edge.root() != root):
        raise UnavailableError("store.corrupt")
    return Tree(size, root, checkpoint, edge)


def write_tree(db: sqlite3.Connection, log: int, tree: Tree) -> None:
    """The state of a log is `tree`."""
    db.execute(
        "UPDATE tree SET size = ?, root = ?, checkpoint = ?, edge = ? WHERE log = ?",
        (tree.size, tree.root, tree.checkpoint, tree.edge.encode(), log),
    )


def grow(
    db: sqlite3.Connection,
    log: int,
    edge: RightEdge,
    entries: Sequence[tuple[bytes | None, bytes]],
) -> RightEdge:
    """The entries are stored behind `edge`. Returns the edge made of what was read back.

    A bit that flips between memory and the page is found here, before anybody signs a root over
    it: that is how a public log once died. Step (3) of docs/spec/store.md, Appending.
    """
    first = entry_key(log, edge.size)
    if any(len(entry) > MAX_ENTRY_BYTES for _, entry in entries):
        raise RuntimeError("an entry is longer than a bundle can hold")
    db.executemany(
        "INSERT INTO entry (key, leaf, id, entry) VALUES (?, ?, ?, ?)",
        [(key, leaf_hash(entry), id_, entry) for key, (id_, entry) in enumerate(entries, first)],
    )
    leaves = _read_back(db, first, len(entries))
    grown = edge.extend(leaves)
    for index in range(edge.size // WIDTH, grown.size // WIDTH):
        _complete(db, log, 0, index)
    return grown


def _read_back(db: sqlite3.Connection, first: int, count: int) -> list[bytes]:
    rows = db.execute(
        "SELECT leaf, entry FROM entry WHERE key >= ? AND key < ? ORDER BY key",
        (first, first + count),
    )
    leaves = [leaf for leaf, entry in rows if leaf_hash(entry) == leaf]
    if len(leaves) != count:
        raise UnavailableError("store.corrupt")
    return leaves


def _complete(db: sqlite3.Connection, log: int, level: int, index: int) -> None:
    hashes = read_tile(db, log, level, index, WIDTH, stored=False)
    db.execute(
        "INSERT INTO tile (key, root, hashes) VALUES (?, ?, ?)",
        (tile_key(log, level, index), tile_hash(hashes), hashes),
    )
    if (index + 1) % WIDTH == 0:
        _complete(db, log, level + 1, index // WIDTH)


def read_tile(  # noqa: PLR0913 - which log and which tile
    db: sqlite3.Connection, log: int, level: int, index: int, width: int, *, stored: bool = True
) -> bytes:
    """The hashes of a tile. stored: take a full one from its row, else from the rows below it.

    Raises:  UnavailableError: store.corrupt, rows are missing.
    """
    if stored and width == WIDTH:
        key = tile_key(log, level, index)
        rows: Iterable[tuple[bytes]] = db.execute("SELECT hashes FROM tile WHERE key = ?", (key,))
    elif level == 0:
        first = entry_key(log, index * WIDTH)
        rows = db.execute(
            "SELECT leaf FROM entry WHERE key >= ? AND key < ? ORDER BY key", (first, first + width)
        )
    else:
        first = tile_key(log, level - 1, index * WIDTH)
        rows = db.execute(
            "SELECT root FROM tile WHERE key >= ? AND key < ? ORDER BY key", (first, first + width)
        )
    data = b"".join(part for (part,) in rows)
    if len(data) != width * HASH:
        raise UnavailableError("store.corrupt")
    return data


def reader_within(db: sqlite3.Connection, log: int, size: int) -> TileReader:
    """A Reader over the first `size` stored entries, on this connection."""
    return TileReader(lambda level, index, width: read_tile(db, log, level, index, width), size)


def edge_at(db: sqlite3.Connection, log: int, size: int) -> RightEdge:
    """The right edge of the first `size` stored entries, from tiles and the last leaves."""
    return edge_of(0, size, reader_within(db, log, size))


def cut(db: sqlite3.Connection, log: int, size: int, stored: int) -> None:
    """Entries and tiles beyond `size` are gone. Guards refuse it below the signed size."""
    db.execute(
        "DELETE FROM entry WHERE key >= ? AND key < ?",
        (entry_key(log, size), entry_key(log, stored)),
    )
    level, count, kept = 0, stored // WIDTH, size // WIDTH
    while count:
        db.execute(
            "DELETE FROM tile WHERE key >= ? AND key < ?",
            (tile_key(log, level, kept), tile_key(log, level, count)),
        )
        level, count, kept = level + 1, count // WIDTH, kept // WIDTH
