"""A log as a folder of files in the tlog-tiles layout."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import program
from tests.support.stores import OWN, OWN_LOG, entries, entry, grow_to, root_of

from convenio.core.merkle import tree_root
from convenio.core.tiles import (
    ENTRIES,
    TileReader,
    parse_bundle,
    parse_tile_path,
    tile_path,
    tiles_of,
)
from convenio.store.export import export_log, read_bundle, read_tile
from convenio.store.memory import MemoryStore


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    store.add_log(OWN_LOG)
    yield store
    store.close()


def exported_root(folder: Path, size: int) -> bytes:
    def fetch(level: int, index: int, width: int) -> bytes:
        return (folder / tile_path(level, index, width)).read_bytes()

    return tree_root(size, TileReader(fetch, size))


def exported_entries(folder: Path, size: int) -> list[bytes]:
    found: list[bytes] = []
    for level, index, width in tiles_of(size):
        if level == 0:
            bundle = (folder / tile_path(ENTRIES, index, width)).read_bytes()
            found += parse_bundle(bundle, width)
    return found


@pytest.mark.parametrize("steps", [(1,), (255, 256), (256,), (700,), (100, 300, 301, 1_025)])
def test_the_folder_is_the_log_after_every_step(
    store: MemoryStore, tmp_path: Path, steps: tuple[int, ...]
) -> None:
    for size in steps:
        head = grow_to(store, size)
        assert export_log(store, OWN, tmp_path) == head
        assert (tmp_path / "checkpoint").read_bytes() == head.checkpoint
        assert exported_root(tmp_path, size) == root_of(size)
        assert exported_entries(tmp_path, size) == entries(range(size))


def test_a_full_tile_is_written_once_and_partials_go_when_it_is_there(
    store: MemoryStore, tmp_path: Path
) -> None:
    grow_to(store, 300)
    export_log(store, OWN, tmp_path)
    full = tmp_path / "tile/0/000"
    before = full.stat()
    grow_to(store, 400)
    export_log(store, OWN, tmp_path)
    assert {path.name for path in (tmp_path / "tile/0/001.p").iterdir()} == {"44", "144"}
    grow_to(store, 600)
    export_log(store, OWN, tmp_path)
    after = full.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not (tmp_path / "tile/0/001.p").exists()
    assert not (tmp_path / "tile/entries/001.p").exists()
    assert (tmp_path / "tile/0/001").exists()


def test_files_that_were_lost_are_written_again_when_asked(
    store: MemoryStore, tmp_path: Path
) -> None:
    grow_to(store, 600)
    export_log(store, OWN, tmp_path)
    lost = [tmp_path / "tile/0/000", tmp_path / "tile/entries/001"]
    kept = [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    export_log(store, OWN, tmp_path, again=True)
    assert [path.read_bytes() for path in lost] == kept


def test_a_checkpoint_of_another_log_in_the_folder_is_not_gone_on_from(
    store: MemoryStore, tmp_path: Path
) -> None:
    grow_to(store, 300)
    (tmp_path / "checkpoint").write_bytes(b"something else")
    export_log(store, OWN, tmp_path)
    assert exported_root(tmp_path, 300) == root_of(300)


def test_a_log_never_signed_is_not_exported(store: MemoryStore, tmp_path: Path) -> None:
    export_log(store, OWN, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_a_node_serves_is_what_it_exports(store: MemoryStore, tmp_path: Path) -> None:
    grow_to(store, 700)
    export_log(store, OWN, tmp_path)
    for path in (tmp_path / "tile").rglob("*"):
        if path.is_file():
            level, index, width = parse_tile_path(str(path.relative_to(tmp_path)))
            if level == ENTRIES:
                assert read_bundle(store, OWN, index, width) == path.read_bytes()
            else:
                assert isinstance(level, int)
                assert read_tile(store, OWN, (level, index, width)) == path.read_bytes()


def test_somebody_elses_program_reads_it(store: MemoryStore, tmp_path: Path) -> None:
    tool = program("tlog-tiles")
    grow_to(store, 300)
    export_log(store, OWN, tmp_path)
    done = subprocess.run(
        [tool, "get-leaf", "-c", str(tmp_path), "299"], capture_output=True, check=True
    )
    assert entry(299) in done.stdout
