"""A log as a folder of files in the C2SP tlog-tiles layout, for tools that know nothing of us.

Derived and disposable: the store is the truth. Full tiles and bundles are written once; the
checkpoint is replaced last, when all it commits to is there. Partial tiles stay until the full one
is there, as readers of an older checkpoint may need them.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from convenio.core.checkpoint import parse_signed_checkpoint
from convenio.core.errors import MalformedError
from convenio.core.merkle import Reader
from convenio.core.tiles import (
    ENTRIES,
    WIDTH,
    Tile,
    format_bundle,
    tile_path,
    tiles_between,
)
from convenio.store.api import Head, LogStore
from convenio.store.durable import make_folders, os_errors, write_file

CHECKPOINT: Final = "checkpoint"


def export_log(store: LogStore, origin: str, folder: Path, *, again: bool = False) -> Head:
    """`folder` holds the log up to its head, which is returned. A head never signed: nothing.

    Goes on from the checkpoint that lies there.  again: look at every file from the start, and
    write what is missing (after a loss; full tiles that lie there are not compared).
    Raises:  UnavailableError: store.disk_full · store.io; run it again.
    """
    head = store.head(origin)
    if not head.checkpoint:
        return head
    old = 0 if again else _exported_size(folder, origin)
    with os_errors():
        reader = store.reader(origin, head.size)
        for tile in tiles_between(min(old, head.size), head.size):
            _export_tile(store, origin, folder, tile, reader)
        make_folders(folder)
    write_file(folder / CHECKPOINT, head.checkpoint, 0o644)
    _drop_partials(folder, min(old, head.size), head.size)
    return head


def read_tile(store: LogStore, origin: str, tile: Tile, reader: Reader | None = None) -> bytes:
    """The hashes of a tile, as a node serves them. The caller has checked its width."""
    level, index, width = tile
    size = (index * WIDTH + width) << (8 * level)
    known = reader or store.reader(origin, size)
    return b"".join(known.subtree(8 * level, index * WIDTH + n) for n in range(width))


def read_bundle(store: LogStore, origin: str, index: int, width: int) -> bytes:
    """The entries of a bundle, as a node serves them."""
    stored = store.entries(origin, index * WIDTH, index * WIDTH + width)
    return format_bundle([each.entry for each in stored])


def _exported_size(folder: Path, origin: str) -> int:
    """The size of the checkpoint that lies there; 0 if it is none of this log."""
    try:
        checkpoint, _ = parse_signed_checkpoint((folder / CHECKPOINT).read_bytes())
    except (FileNotFoundError, MalformedError):
        return 0
    return checkpoint.size if checkpoint.origin == origin else 0


def _export_tile(store: LogStore, origin: str, folder: Path, tile: Tile, reader: Reader) -> None:
    level, index, width = tile
    path = folder / tile_path(level, index, width)
    if not path.exists():
        _write(path, read_tile(store, origin, tile, reader))
    bundle = folder / tile_path(ENTRIES, index, width)
    if level == 0 and not bundle.exists():
        _write(bundle, read_bundle(store, origin, index, width))


def _write(path: Path, data: bytes) -> None:
    make_folders(path.parent, 0o755)
    write_file(path, data, 0o644)


def _drop_partials(folder: Path, old: int, new: int) -> None:
    """Partials of tiles that are now full are removed, as tlog-tiles allows."""
    for level, index, width in tiles_between(old, new):
        if width == WIDTH:
            for kind in (level, ENTRIES) if level == 0 else (level,):
                path = folder / tile_path(kind, index)
                shutil.rmtree(path.with_name(path.name + ".p"), ignore_errors=True)
