"""What is particular to the store in a file: whole runs of leaves, memory, other processes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.stores import (
    MIRROR,
    MIRROR_LOG,
    OWN,
    OWN_LOG,
    announce,
    checkpoint,
    grow_to,
    id_of,
    named,
    root_of,
    signing,
)

from convenio.core.errors import ConflictError
from convenio.core.merkle import Leaves, RightEdge, leaf_hash, tree_root
from convenio.store.api import Finding
from convenio.store.database import Database
from convenio.store.ids import Sieve
from convenio.store.rows import find_leaf, place_in
from convenio.store.schema import KIND, VERSION
from convenio.store.sqlite import SqliteStore

RUN = 65_536


def small(number: int) -> bytes:
    return b"%d" % (number % (RUN + 900))  # the first 900 come again


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore.create(tmp_path / "log.db")) as store:
        store.add_log(OWN_LOG)
        store.add_log(MIRROR_LOG)
        yield store


def test_a_log_beyond_a_run_finds_proves_forgets_and_checks(
    store: SqliteStore, tmp_path: Path
) -> None:
    """The second level of tiles and the slots of a run, and cutting them off again."""
    total = 2 * RUN + 300
    leaves = [leaf_hash(small(number)) for number in range(total)]
    heads = {size: RightEdge().extend(leaves[:size]).root() for size in (700, total)}
    old_size = 0
    for size, root in heads.items():
        store.put_pending(MIRROR, old_size, size, root, checkpoint(MIRROR, size, root))
        old_size = size
    store.put_entries(MIRROR, 0, [small(number) for number in range(total)])
    store.advance(MIRROR, 700)
    assert store.find_leaf(MIRROR, leaves[RUN + 5]) is None
    assert store.discard(MIRROR) == total - 700
    assert not list(store.check())
    store.absorb(MIRROR, 700, [small(number) for number in range(700, total)], total)
    for number in (0, 899, 900, RUN - 1, RUN, RUN + 899):
        assert store.find_leaf(MIRROR, leaves[number]) == number
    assert store.find_leaf(MIRROR, leaves[RUN + 900]) == 0
    assert store.find_leaf(MIRROR, leaf_hash(b"never")) is None
    reader, reference = store.reader(MIRROR, total), Leaves(leaves)
    for level, index in ((0, RUN + 5), (8, 300), (12, 20), (16, 0), (16, 1), (17, 0)):
        assert reader.subtree(level, index) == reference.subtree(level, index)
    assert tree_root(RUN + 1, store.reader(MIRROR, RUN + 1)) == tree_root(RUN + 1, reference)
    assert not list(store.check())
    with store._database.write() as db:
        db.execute("UPDATE slot SET leaves = zeroblob(8) WHERE key = 2 << 40 | 273")
    assert list(store.check()) == [Finding(MIRROR, "check.slot", RUN)]
    store.close()
    with closing(SqliteStore.open(tmp_path / "log.db")) as again:
        assert again.right_edge(MIRROR).root() == heads[total]


def test_a_leaf_that_only_begins_alike_is_not_found(store: SqliteStore) -> None:
    """Slots keep seven bytes of a hash; the tile has the last word."""
    store.put_entries(MIRROR, 0, [small(number) for number in range(RUN)])
    leaf = leaf_hash(small(7))
    with store._database.reading() as db:
        assert find_leaf(db, 2, leaf, RUN) == 7
        assert find_leaf(db, 2, leaf[:7] + bytes(25), RUN) is None


@given(
    rows=st.lists(st.binary(min_size=4, max_size=4).map(lambda b: bytes(x & 1 for x in b))),
    wanted=st.binary(min_size=3, max_size=3).map(lambda b: bytes(x & 1 for x in b)),
    start=st.integers(0, 5),
)
def test_only_the_start_of_a_row_is_looked_at(rows: list[bytes], wanted: bytes, start: int) -> None:
    places = [n for n, row in enumerate(rows) if n >= start and row.startswith(wanted)]
    assert place_in(b"".join(rows), wanted, 4, start) == (places[0] if places else None)


def test_ids_are_found_and_refused_over_many_runs_and_a_larger_sieve(tmp_path: Path) -> None:
    """Fresh ids become runs, the sieve is made anew, another process starts with what is there."""
    path, total = tmp_path / "log.db", 3_000
    SqliteStore.create(path).close()
    for part in range(3):
        with closing(many_runs(path)) as store:
            store.add_log(OWN_LOG)
            grow_to(store, total * (part + 1) // 3)
    with closing(many_runs(path)) as store:
        for number in range(0, total, 7):
            found = store.find(OWN, id_of(number))
            assert found is not None
            assert found.index == number
            with pytest.raises(ConflictError, match=r"store\.duplicate_id") as refused:
                store.append(OWN, total, named([total, number]), signing(OWN))
            assert refused.value.parameters["index"] == number
        assert store.find(OWN, id_of(total)) is None
        assert not list(store.check())


def many_runs(path: Path) -> SqliteStore:
    return SqliteStore(Database.open(path, VERSION, kind=KIND), max_fresh=50)


def test_a_second_writer_settles_ids_behind_the_firsts_back(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    SqliteStore.create(path).close()
    with closing(many_runs(path)) as one, closing(many_runs(path)) as two:
        one.add_log(OWN_LOG)
        for size in (10, 60, 70, 260, 300, 420):
            grow_to(two if size in {60, 260, 420} else one, size)
            for store in (one, two):
                for number in range(0, size, 9):
                    with pytest.raises(ConflictError, match=r"store\.duplicate_id"):
                        store.append(OWN, size, named([number]), signing(OWN))


@given(st.lists(st.binary(min_size=16, max_size=16)), st.lists(st.binary(min_size=16, max_size=16)))
def test_a_sieve_forgets_nothing(put: list[bytes], others: list[bytes]) -> None:
    sieve = Sieve(1)  # far too small: then it keeps too much, never too little
    sieve.add(put)
    assert sieve.kept([*put, *others])[: len(put)] == put


def test_a_sieve_lets_nearly_all_new_ids_through() -> None:
    sieve = Sieve(20_000)
    sieve.add([id_of(number) for number in range(20_000)])
    assert len(sieve.kept(map(id_of, range(20_000, 40_000)))) < 20_000 // 100


def test_reading_a_long_log_takes_little_memory(store: SqliteStore) -> None:
    count = 6_000
    store.append(
        OWN, 0, [(n.to_bytes(16, "big"), bytes(2_000)) for n in range(count)], signing(OWN)
    )
    tracemalloc.start()
    try:
        assert sum(len(stored.entry) for stored in store.entries(OWN, 0, count)) == 2_000 * count
        assert not list(store.check())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_another_process_reads_what_was_committed(store: SqliteStore, tmp_path: Path) -> None:
    with closing(SqliteStore.open(tmp_path / "log.db", read_only=True)) as reader:
        grow_to(store, 300)
        assert reader.head(OWN).root == root_of(300)
        assert [each.index for each in reader.entries(OWN, 0, 300)] == list(range(300))
        assert not list(reader.check())
        with pytest.raises(RuntimeError):
            grow_to(reader, 400)


def test_two_writers_of_one_file_do_not_overwrite_each_other(
    store: SqliteStore, tmp_path: Path
) -> None:
    with closing(SqliteStore.open(tmp_path / "log.db")) as other:
        grow_to(store, 10)
        with pytest.raises(ConflictError, match=r"store\.moved"):
            other.append(OWN, 0, named([0]), signing(OWN))
        grow_to(other, 20)
        assert store.head(OWN).root == root_of(20)
        announce(store, 5)
        assert other.pending(MIRROR)[0].size == 5
