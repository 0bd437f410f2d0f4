"""Names, shapes and contents of tiles and bundles."""

from __future__ import annotations

import pytest
from tests.logs import tile_fetcher

from convenio.core.errors import MalformedError
from convenio.core.merkle import Leaves, check_inclusion, inclusion_proof, leaf_hash, tree_root
from convenio.core.tiles import (
    ENTRIES,
    TileReader,
    format_bundle,
    parse_bundle,
    parse_tile_path,
    split_tile,
    tile_hash,
    tile_path,
    tile_width,
    tiles_between,
    tiles_of,
)


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        (63, 999, 1, "tile/63/999.p/1"),
        (ENTRIES, 1000, 255, "tile/entries/x001/000.p/255"),
    ],
)
def test_a_tile_has_the_name_the_specification_gives(
    level: int, index: int, width: int, path: str
) -> None:
    assert tile_path(level, index, width) == path
    assert parse_tile_path(path) == (level, index, width)


@pytest.mark.parametrize(
    "path",
    [
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/x000/001",
        "tile/0/001/002",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/0/٠٠٠",
        "/tile/0/000",
        "tile/../tile/0/000",
        "tile/data/000",
        "tile/0/" + "x999/" * 7 + "999",
    ],
)
def test_a_name_that_is_not_a_tiles_is_refused(path: str) -> None:
    with pytest.raises(MalformedError, match=r"tiles\.path"):
        parse_tile_path(path)


def test_a_tree_of_70000_has_the_tiles_the_specification_counts() -> None:
    tiles = list(tiles_of(70_000))
    assert sum(width == 256 for level, _, width in tiles if level == 0) == 273
    assert [tile for tile in tiles if tile[0] > 0 or tile[2] < 256] == [
        (0, 273, 112),
        (1, 0, 256),
        (1, 1, 17),
        (2, 0, 1),
    ]


def test_a_tree_of_256_has_a_full_tile_and_one_hash_above_it() -> None:
    assert list(tiles_of(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles_of(0)) == []


def test_growth_adds_exactly_the_tiles_that_were_not_there() -> None:
    sizes = [0, 1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000]
    for old in sizes:
        for new in (size for size in sizes if size >= old):
            assert set(tiles_between(old, new)) == set(tiles_of(new)) - set(tiles_of(old))
            assert all(
                width == tile_width(level, index, new) for level, index, width in tiles_of(new)
            )


def test_proofs_from_tiles_are_those_from_the_whole_tree() -> None:
    entries = [b"%d" % number for number in range(700)]
    tree = Leaves(map(leaf_hash, entries))
    for size in (1, 255, 256, 257, 700):
        reader = TileReader(tile_fetcher(entries[:size]), size)
        root = tree_root(size, reader)
        assert root == tree_root(size, tree)
        for index in range(0, size, 37):
            proof = inclusion_proof(index, size, reader)
            assert proof == inclusion_proof(index, size, tree)
            check_inclusion(leaf_hash(entries[index]), index, size, proof, root)


def test_a_tile_reader_fetches_each_tile_once_and_forgets_old_ones() -> None:
    entries = [b"%d" % number for number in range(66 * 256)]
    fetch, asked = tile_fetcher(entries), []

    def counting(level: int, index: int, width: int) -> bytes:
        asked.append((level, index))
        return fetch(level, index, width)

    reader = TileReader(counting, len(entries))
    for index in (3, 2, 1, 0):
        reader.subtree(0, index)
    assert asked == [(0, 0)]
    for index in range(66):
        reader.subtree(8, index)
        reader.subtree(0, index * 256)
    reader.subtree(0, 0)
    assert asked.count((0, 0)) == 2
    assert asked.count((1, 0)) == 1


@pytest.mark.parametrize("data", [b"", b"h" * 31, b"h" * 33, b"h" * 96])
def test_a_tile_of_another_width_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"tiles\.length"):
        split_tile(data, 2)
    with pytest.raises(MalformedError, match=r"tiles\.length"):
        TileReader(lambda *_: data, 2).subtree(0, 1)


def test_a_full_tile_hashes_to_one_hash_of_the_level_above() -> None:
    entries = [b"%d" % number for number in range(256)]
    fetch = tile_fetcher(entries)
    assert tile_hash(fetch(0, 0, 256)) == fetch(1, 0, 1)


@pytest.mark.parametrize(
    ("data", "width"),
    [
        pytest.param(b"", 1, id="nothing"),
        pytest.param(b"\0", 1, id="half a length"),
        pytest.param(b"\0\3ab", 1, id="an entry cut short"),
        pytest.param(b"\0\1a\0\1", 2, id="the second entry cut short"),
        pytest.param(b"\0\1a\0\1b", 1, id="one entry too many"),
        pytest.param(b"\0\1a", 2, id="one entry too few"),
        pytest.param(b"\0\1a", 0, id="an entry where none should be"),
    ],
)
def test_a_bundle_that_is_not_exactly_its_entries_is_refused(data: bytes, width: int) -> None:
    with pytest.raises(MalformedError, match=r"tiles\.bundle"):
        parse_bundle(data, width)


def test_an_entry_may_have_65535_bytes_and_no_more() -> None:
    assert parse_bundle(format_bundle([b"e" * 65_535]), 1) == [b"e" * 65_535]
    with pytest.raises(MalformedError, match=r"tiles\.entry_too_long"):
        format_bundle([b"e" * 65_536])
