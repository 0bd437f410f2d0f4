"""Tiles and entry bundles: a log as write-once resources (C2SP tlog-tiles v0.1.0).

A tile is up to 256 hashes side by side, a bundle the entries below a level 0 tile. This module
names, writes and reads them; it neither fetches nor trusts. Hashes taken from tiles are checked by
the proof made of them.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Literal

from convenio.core.encoding import MAX_SIZE
from convenio.core.errors import MalformedError
from convenio.core.merkle import HASH, Leaves, node_hash

WIDTH: Final = 256
FULL_TILE_BYTES: Final = WIDTH * HASH
MAX_ENTRY_BYTES: Final = 65_535
MAX_BUNDLE_BYTES: Final = WIDTH * (2 + MAX_ENTRY_BYTES)
ENTRIES: Final = "entries"
Level = int | Literal["entries"]

_PATH = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)
_CACHED_TILES: Final = 64


Tile = tuple[int, int, int]  # level, of 256-fold steps, 0-63; index; width in hashes, 1-256


def tile_path(level: Level, index: int, width: int = WIDTH) -> str:
    """Where a tile, or with level `entries` a bundle, lies below a log's prefix."""
    digits = f"{index % 1000:03d}"
    while index := index // 1000:
        digits = f"x{index % 1000:03d}/{digits}"
    return f"tile/{level}/{digits}" + (f".p/{width}" if width < WIDTH else "")


def parse_tile_path(path: str) -> tuple[Level, int, int]:
    """Level, index and width that a path names; `tile_path` of them gives `path` again.

    Raises:  MalformedError: tiles.path.
    """
    found = _PATH.fullmatch(path)
    if not found or len(path) > 64:
        raise MalformedError("tiles.path")
    level: Level = ENTRIES if found[1] == ENTRIES else int(found[1])
    index = int(found[2].replace("x", "").replace("/", ""))
    width = int(found[3]) if found[3] else WIDTH
    in_range = (level == ENTRIES or level < 64) and index <= MAX_SIZE
    if not in_range or tile_path(level, index, width) != path:
        raise MalformedError("tiles.path")
    return level, index, width


def tiles_between(old: int, new: int) -> Iterator[Tile]:
    """The tiles that a tree of `new` leaves has and one of `old` did not, lowest level first.

    Full ones that were completed and the partial one at each level's end. Those of level 0 are also
    the bundles.
    """
    level = 0
    while new:
        for index in range(old // WIDTH, new // WIDTH):
            yield level, index, WIDTH
        if new % WIDTH and new != old:
            yield level, new // WIDTH, new % WIDTH
        old, new, level = old // WIDTH, new // WIDTH, level + 1


def tiles_of(size: int) -> Iterator[Tile]:
    """All tiles of a tree of `size` leaves, full and partial, lowest level first."""
    return tiles_between(0, size)


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes tile `index` of `level` has in a tree of `size` leaves; 0 if none."""
    return max(0, min(WIDTH, (size >> (8 * level)) - index * WIDTH))


def split_tile(data: bytes, width: int) -> list[bytes]:
    """The hashes of a tile.  Raises:  MalformedError: tiles.length."""
    if len(data) != width * HASH:
        raise MalformedError("tiles.length")
    return [data[at : at + HASH] for at in range(0, len(data), HASH)]


def tile_hash(data: bytes) -> bytes:
    """The root over a full tile: its one hash in the tile above."""
    hashes = split_tile(data, WIDTH)
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


def format_bundle(entries: Sequence[bytes]) -> bytes:
    """The entries, each behind its length as 2 bytes big-endian.

    Raises:  MalformedError: tiles.entry_too_long.
    """
    lengths = [len(entry) for entry in entries]
    if max(lengths, default=0) > MAX_ENTRY_BYTES:
        raise MalformedError("tiles.entry_too_long", max_bytes=MAX_ENTRY_BYTES)
    heads = [length.to_bytes(2, "big") for length in lengths]
    return b"".join([part for pair in zip(heads, entries, strict=True) for part in pair])


def parse_bundle(data: bytes, width: int) -> list[bytes]:
    """The `width` entries of a bundle, and nothing else.

    Raises:  MalformedError: tiles.bundle.
    """
    entries, at = [], 0
    for _ in range(width):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data):
        raise MalformedError("tiles.bundle")
    return entries


class TileReader:
    """A merkle.Reader over the tiles of one tree of `size` leaves.

    fetch: gives the bytes of tile (level, index, width); what it raises passes through. The last 64
    tiles are kept, so neighbouring proofs fetch little.
    """

    def __init__(self, fetch: Callable[[int, int, int], bytes], size: int) -> None:
        self._fetch, self._size = fetch, size
        self._kept: OrderedDict[tuple[int, int], Leaves] = OrderedDict()

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of a perfect subtree.  Raises:  MalformedError: tiles.length."""
        depth = level % 8
        width = WIDTH >> depth  # how many subtrees of this size a full tile has
        return self._tile(level // 8, index // width).subtree(depth, index % width)

    def _tile(self, level: int, index: int) -> Leaves:
        key = (level, index)
        if (tile := self._kept.get(key)) is None:
            width = tile_width(level, index, self._size)
            tile = Leaves(split_tile(self._fetch(level, index, width), width))
            self._kept[key] = tile
            if len(self._kept) > _CACHED_TILES:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return tile
