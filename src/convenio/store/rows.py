"""How a log lies in the tables: entries put in and read back, tiles completed, subtrees read.

Works on a connection and opens no transaction; `sqlite.SqliteStore` says what is one commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from convenio.core.errors import MalformedError, UnavailableError
from convenio.core.merkle import HASH, RightEdge, edge_of, leaf_hash
from convenio.core.tiles import (
    FULL_TILE_BYTES,
    WIDTH,
    TileReader,
    format_bundle,
    parse_bundle,
    tile_hash,
)
from convenio.store.database import typed
from convenio.store.schema import RUN_BITS, entry_key, slot_key, tile_key

PIECE_BYTES: Final = 64 * 1024


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
    row = db.execute(
        "SELECT size, root, checkpoint, edge FROM tree WHERE log = ?", (log,)
    ).fetchone()
    size, root, checkpoint, raw = typed(row or (), int, bytes, bytes, bytes)
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


def grow(db: sqlite3.Connection, log: int, edge: RightEdge, entries: Sequence[bytes]) -> RightEdge:
    """The entries are stored behind `edge`. Returns the edge made of what was read back.

    A bit that flips between memory and the page is found here, before anybody signs a root over
    it: that is how a public log once died. Step (3) of docs/spec/store.md, Appending.
    Raises:  UnavailableError: store.corrupt, what was read back differs.
    """
    at = 0
    while at < len(entries):
        part = entries[at : at + WIDTH - edge.size % WIDTH]
        _insert(db, log, edge.size, part)
        if (back := read_entries(db, log, edge.size, edge.size + len(part))) != list(part):
            raise UnavailableError("store.corrupt")
        edge = _extend(db, log, edge, [leaf_hash(entry) for entry in back])
        at += len(part)
    return edge


def _insert(db: sqlite3.Connection, log: int, start: int, entries: Sequence[bytes]) -> None:
    for first, piece in _pieces(start, entries):
        db.execute(
            "INSERT INTO piece VALUES (?, ?, ?)",
            (entry_key(log, first), len(piece), format_bundle(piece)),
        )


def _pieces(start: int, entries: Sequence[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """The entries in pieces of some 64 KiB, so that one entry can be read without a megabyte."""
    piece: list[bytes] = []
    length = 0
    for entry in entries:
        if piece and length + len(entry) > PIECE_BYTES:
            yield start, piece
            start, piece, length = start + len(piece), [], 0
        piece.append(entry)
        length += len(entry) + 2
    if piece:
        yield start, piece


def _extend(
    db: sqlite3.Connection, log: int, edge: RightEdge, leaves: Sequence[bytes]
) -> RightEdge:
    """The edge with these leaves, which end at or before the next tile's end; tiles completed."""
    index = edge.size // WIDTH
    if len(leaves) == WIDTH:
        hashes = b"".join(leaves)
        root = tile_hash(hashes)
        tiles = RightEdge(index, edge.hashes).append(root)  # one level-8 subtree more
        edge = RightEdge(tiles.size * WIDTH, tiles.hashes)
        _complete(db, log, 0, index, hashes, root)
        return edge
    edge = edge.extend(leaves)
    if edge.size % WIDTH == 0:
        hashes = _hashes_below(db, log, 0, index, WIDTH)
        _complete(db, log, 0, index, hashes, tile_hash(hashes))
    return edge


def _complete(  # noqa: PLR0913, PLR0917 - which log, which tile, and what it is
    db: sqlite3.Connection, log: int, level: int, index: int, hashes: bytes, root: bytes
) -> None:
    db.execute(
        "INSERT INTO tile (key, root, hashes) VALUES (?, ?, ?)",
        (tile_key(log, level, index), root, hashes),
    )
    if level == 1:
        db.executemany("INSERT INTO slot VALUES (?, ?)", slots_of(db, log, index))
    if (index + 1) % WIDTH == 0:
        above = _hashes_below(db, log, level + 1, index // WIDTH, WIDTH)
        _complete(db, log, level + 1, index // WIDTH, above, tile_hash(above))


def read_entries(db: sqlite3.Connection, log: int, start: int, end: int) -> list[bytes]:
    """Entries from `start`, at least one and at most up to `end`; the caller asks for the rest.

    Raises:  UnavailableError: store.corrupt, they are not there or not in order.
    """
    zero, first_key = entry_key(log, 0), entry_key(log, start)
    rows = db.execute(
        "SELECT key - ?, count, bundle FROM piece WHERE key >= coalesce("
        "(SELECT max(key) FROM piece WHERE key >= ? AND key <= ?), ?) AND key < ?"
        " ORDER BY key LIMIT ?",
        (zero, zero, first_key, first_key, entry_key(log, end), WIDTH),
    ).fetchall()
    found: list[bytes] = []
    at = start
    for row in rows:
        first, count, bundle = typed(row, int, int, bytes)
        skipped = at - first
        if not 0 <= skipped < count or (found and skipped):
            raise UnavailableError("store.corrupt")
        found += _unbundle(bundle, count)[skipped : end - first]
        at = start + len(found)
    if not found and start < end:
        raise UnavailableError("store.corrupt")
    return found


def _unbundle(bundle: bytes, count: int) -> list[bytes]:
    try:
        return parse_bundle(bundle, count)
    except MalformedError as error:
        raise UnavailableError("store.corrupt") from error


def count_entries(db: sqlite3.Connection, log: int) -> int:
    """How many entries of a log are stored."""
    row = db.execute(
        "SELECT key - ? + count FROM piece WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1",
        (entry_key(log, 0), entry_key(log, 0), entry_key(log + 1, 0)),
    ).fetchone()
    return int(typed(row, int)[0]) if row else 0


def read_tile(db: sqlite3.Connection, log: int, level: int, index: int, width: int) -> bytes:
    """The hashes of a tile: a full one from its row, a partial one from what lies below it.

    Raises:  UnavailableError: store.corrupt, rows are missing.
    """
    if width < WIDTH:
        return _hashes_below(db, log, level, index, width)
    key = tile_key(log, level, index)
    row = db.execute("SELECT hashes FROM tile WHERE key = ?", (key,)).fetchone()
    (hashes,) = typed(row or (), bytes)
    if len(hashes) != FULL_TILE_BYTES:
        raise UnavailableError("store.corrupt")
    return bytes(hashes)


def _hashes_below(db: sqlite3.Connection, log: int, level: int, index: int, width: int) -> bytes:
    if level == 0:
        start = index * WIDTH
        leaves: list[bytes] = []
        while len(leaves) < width:
            entries = read_entries(db, log, start + len(leaves), start + width)
            leaves += [leaf_hash(entry) for entry in entries]
        return b"".join(leaves)
    first = tile_key(log, level - 1, index * WIDTH)
    rows = db.execute(
        "SELECT root FROM tile WHERE key >= ? AND key < ? ORDER BY key", (first, first + width)
    )
    hashes = b"".join(typed(row, bytes)[0] for row in rows)
    if len(hashes) != width * HASH:
        raise UnavailableError("store.corrupt")
    return hashes


# --- finding a leaf ---


def slots_of(db: sqlite3.Connection, log: int, run: int) -> list[tuple[int, bytes]]:
    """The rows by which leaves of a whole run are found: 256, one for each first byte."""
    slots = [bytearray() for _ in range(256)]
    for tile in range(WIDTH):
        hashes = read_tile(db, log, 0, run * WIDTH + tile, WIDTH)
        for place in range(WIDTH):
            at = place * HASH
            slots[hashes[at]] += hashes[at + 1 : at + 7] + bytes((tile, place))
    return [(slot_key(log, run, byte), bytes(slot)) for byte, slot in enumerate(slots)]


def find_leaf(db: sqlite3.Connection, log: int, leaf: bytes, size: int) -> int | None:
    """The first of `size` entries that has this leaf hash.

    One row for each whole run, then the tiles of the last, then the entries of the last tile.
    """
    whole = size >> RUN_BITS
    for run in range(whole):
        for index in _in_slot(db, log, run, leaf):
            if _leaf_at(db, log, index) == leaf:
                return index
    for tile in range(whole * WIDTH, -(-size // WIDTH)):
        width = min(WIDTH, size - tile * WIDTH)
        place = place_in(read_tile(db, log, 0, tile, width), leaf, HASH)
        if place is not None:
            return tile * WIDTH + place
    return None


def _in_slot(db: sqlite3.Connection, log: int, run: int, leaf: bytes) -> Iterator[int]:
    row = db.execute(
        "SELECT leaves FROM slot WHERE key = ?", (slot_key(log, run, leaf[0]),)
    ).fetchone()
    (slot,), start = typed(row or (), bytes), 0
    while (place := place_in(slot, leaf[1:7], 8, start)) is not None:
        yield run << RUN_BITS | int.from_bytes(slot[place * 8 + 6 : place * 8 + 8], "big")
        start = place + 1


def place_in(rows: bytes, wanted: bytes, width: int, start: int = 0) -> int | None:
    """Which of the rows of `width` bytes, from row `start` on, begins with `wanted`."""
    at = rows.find(wanted, start * width)
    while at >= 0 and at % width:
        at = rows.find(wanted, at + 1)
    return None if at < 0 else at // width


def _leaf_at(db: sqlite3.Connection, log: int, index: int) -> bytes:
    at = index % WIDTH * HASH
    return read_tile(db, log, 0, index // WIDTH, WIDTH)[at : at + HASH]


def reader_within(db: sqlite3.Connection, log: int, size: int) -> TileReader:
    """A Reader over the first `size` stored entries, on this connection."""
    return TileReader(lambda level, index, width: read_tile(db, log, level, index, width), size)


def edge_at(db: sqlite3.Connection, log: int, size: int) -> RightEdge:
    """The right edge of the first `size` stored entries, from tiles and the last leaves."""
    return edge_of(0, size, reader_within(db, log, size))


def cut(db: sqlite3.Connection, log: int, size: int, stored: int) -> None:
    """Entries and tiles beyond `size` are gone. Guards refuse it below the signed size."""
    keys = (entry_key(log, size), entry_key(log, stored))
    db.execute("DELETE FROM piece WHERE key >= ? AND key < ?", keys)
    last = db.execute(
        "SELECT key, count, bundle FROM piece WHERE key < ? AND key + count > ?"
        " AND key >= ? ORDER BY key DESC LIMIT 1",
        (keys[0], keys[0], max(keys[0] - WIDTH, entry_key(log, 0))),
    ).fetchone()
    if last:
        kept = _unbundle(last[2], last[1])[: keys[0] - last[0]]
        shorter = (len(kept), format_bundle(kept), last[0])
        db.execute("UPDATE piece SET count = ?, bundle = ? WHERE key = ?", shorter)
    level, count, whole = 0, stored // WIDTH, size // WIDTH
    while count:
        tiles = (tile_key(log, level, whole), tile_key(log, level, count))
        db.execute("DELETE FROM tile WHERE key >= ? AND key < ?", tiles)
        level, count, whole = level + 1, count // WIDTH, whole // WIDTH
    slots = (slot_key(log, size >> RUN_BITS, 0), slot_key(log, stored >> RUN_BITS, 0))
    db.execute("DELETE FROM slot WHERE key >= ? AND key < ?", slots)
