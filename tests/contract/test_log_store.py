"""What every log store promises (store/api.py), whatever holds the bytes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.stores import (
    MIRROR,
    MIRROR_LOG,
    OWN,
    OWN_LOG,
    announce,
    checkpoint,
    entries,
    entry,
    grow_to,
    id_of,
    leaves_of,
    named,
    root_of,
    signed_head,
    signing,
)

from convenio.core.errors import ConflictError, MalformedError, ProofError, RefusedError
from convenio.core.merkle import (
    EMPTY_ROOT,
    RightEdge,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    subtree_proof,
    tree_root,
)
from convenio.store.api import MAX_EVIDENCE_BYTES, Cosigned, Finding, LogStore, Stored
from convenio.store.database import Database
from convenio.store.ids import MAX_FRESH
from convenio.store.memory import MemoryStore
from convenio.store.schema import KIND, VERSION
from convenio.store.sqlite import SqliteStore


@pytest.fixture(params=["memory", "sqlite", "sqlite, ids settled early"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LogStore]:
    store: LogStore = MemoryStore()
    if request.param != "memory":
        store = open_sqlite(
            tmp_path / "log.db", max_fresh=MAX_FRESH if "," not in request.param else 7
        )
    yield store
    store.close()


def open_sqlite(path: Path, max_fresh: int) -> SqliteStore:
    if not path.exists():
        SqliteStore.create(path).close()
    return SqliteStore(Database.open(path, VERSION, kind=KIND), max_fresh)


@pytest.fixture
def store(empty: LogStore) -> LogStore:
    empty.add_log(OWN_LOG)
    empty.add_log(MIRROR_LOG)
    return empty


def code_of(caught: pytest.ExceptionInfo[ConflictError]) -> tuple[str, dict[str, object]]:
    return caught.value.code, dict(caught.value.parameters)


class TestLogs:
    def test_a_log_is_known_once_added_and_adding_it_again_changes_nothing(
        self, store: LogStore
    ) -> None:
        store.add_log(OWN_LOG)
        assert store.logs() == [OWN_LOG, MIRROR_LOG]
        assert store.head(OWN).size == 0
        assert store.head(OWN).root == EMPTY_ROOT
        assert store.head(OWN).checkpoint == b""

    @pytest.mark.parametrize(
        "other",
        [
            replace(OWN_LOG, own=False),
            replace(OWN_LOG, ch="cd" * 32),
            replace(OWN_LOG, party="us"),
            replace(OWN_LOG, gen=2),
        ],
    )
    def test_an_origin_stands_for_one_log_only(self, store: LogStore, other: object) -> None:
        with pytest.raises(ConflictError, match=r"store\.other_log"):
            store.add_log(other)  # type: ignore[arg-type]

    def test_an_origin_nobody_added_is_unknown(self, empty: LogStore) -> None:
        for ask in (empty.head, empty.next_entry, empty.pending, empty.right_edge):
            with pytest.raises(RefusedError, match=r"store\.unknown_log"):
                ask(OWN)

    def test_what_is_for_own_logs_is_not_for_mirrors_and_the_reverse(self, store: LogStore) -> None:
        with pytest.raises(RuntimeError):
            store.append(MIRROR, 0, named([0]), signing(MIRROR))
        with pytest.raises(RuntimeError):
            store.put_entries(OWN, 0, entries([0]))


class TestAppending:
    def test_the_root_is_that_of_the_entries_however_they_are_grouped(
        self, store: LogStore
    ) -> None:
        size = 0
        for step in (1, 1, 3, 251, 1, 255, 256, 257, 600):
            head = store.append(OWN, size, named(range(size, size + step)), signing(OWN))
            size += step
            assert (head.size, head.root) == (size, root_of(size))
            assert head.checkpoint == checkpoint(OWN, size, head.root)
            assert store.head(OWN) == head
        assert [each.entry for each in store.entries(OWN, 0, size)] == entries(range(size))
        assert not list(store.check())

    def test_the_signer_sees_the_size_and_root_that_will_be(self, store: LogStore) -> None:
        seen: list[tuple[int, bytes]] = []

        def sign(size: int, root: bytes) -> bytes:
            seen.append((size, root))
            return checkpoint(OWN, size, root)

        store.append(OWN, 0, named(range(3)), sign)
        assert seen == [(3, root_of(3))]

    def test_no_entries_sign_the_present_state_again(self, store: LogStore) -> None:
        empty = store.append(OWN, 0, [], signing(OWN))
        assert empty.checkpoint == checkpoint(OWN, 0, EMPTY_ROOT)
        grow_to(store, 5)
        assert store.append(OWN, 5, [], lambda size, root: b"again").checkpoint == b"again"
        assert store.head(OWN).size == 5

    def test_another_old_size_is_refused_with_the_present_one(self, store: LogStore) -> None:
        grow_to(store, 5)
        for old_size in (0, 4, 6):
            with pytest.raises(ConflictError) as caught:
                store.append(OWN, old_size, named([9]), signing(OWN))
            assert code_of(caught) == ("store.moved", {"size": 5})
        assert store.head(OWN).size == 5

    def test_an_id_is_in_its_log_once(self, store: LogStore) -> None:
        grow_to(store, 5)
        with pytest.raises(ConflictError) as caught:
            store.append(OWN, 5, [*named([5]), (id_of(3), b"other")], signing(OWN))
        assert code_of(caught) == ("store.duplicate_id", {"index": 3})
        with pytest.raises(ConflictError) as caught:
            store.append(OWN, 5, [*named([5]), (id_of(5), b"other")], signing(OWN))
        assert code_of(caught) == ("store.duplicate_id", {"index": -1})
        assert store.head(OWN).size == 5
        assert store.find(OWN, id_of(5)) is None
        assert grow_to(store, 6).root == root_of(6)

    def test_an_id_stays_in_its_log_however_long_ago_it_came(self, store: LogStore) -> None:
        for size in range(1, 31):
            grow_to(store, size)
        for number in range(30):
            with pytest.raises(ConflictError) as caught:
                store.append(OWN, 30, [*named([31]), (id_of(number), b"other")], signing(OWN))
            assert code_of(caught) == ("store.duplicate_id", {"index": number})
            assert store.find(OWN, id_of(number)) == Stored(
                number, leaf_hash(entry(number)), entry(number)
            )
        assert store.find(OWN, id_of(31)) is None
        assert store.find(OWN, id_of(3)[8:] + id_of(4)[:8]) is None
        assert list(store.check()) == []

    def test_an_id_that_was_given_up_may_come_again(self, store: LogStore) -> None:
        def fail(_size: int, _root: bytes) -> bytes:
            raise RefusedError("test.no_key")

        for size in range(1, 12):
            with suppress(RefusedError):
                store.append(OWN, size - 1, named([size - 1, 100]), fail)
            grow_to(store, size)
        assert store.find(OWN, id_of(100)) is None
        store.append(OWN, 11, named([100]), signing(OWN))
        assert list(store.check()) == []

    def test_an_id_may_be_in_another_log_too(self, store: LogStore) -> None:
        other = replace(OWN_LOG, origin=OWN + "2", gen=2)
        store.add_log(other)
        grow_to(store, 3)
        store.append(other.origin, 0, named([1]), signing(other.origin))
        found = store.find(other.origin, id_of(1))
        assert found is not None
        assert found.index == 0

    def test_the_same_entry_may_be_there_twice_under_two_ids(self, store: LogStore) -> None:
        store.append(OWN, 0, [(id_of(1), b"same"), (id_of(2), b"same")], signing(OWN))
        assert store.find_leaf(OWN, leaf_hash(b"same")) == 0

    def test_if_the_signer_raises_nothing_has_changed(self, store: LogStore) -> None:
        before = grow_to(store, 250)

        def refuse(size: int, root: bytes) -> bytes:
            raise KeyError("the key is locked")

        with pytest.raises(KeyError):
            store.append(OWN, 250, named(range(250, 900)), refuse)
        assert store.head(OWN) == before
        assert store.next_entry(OWN) == 250
        assert store.find(OWN, id_of(250)) is None
        assert list(store.entries(OWN, 250, 251)) == []
        assert grow_to(store, 900, step=300).root == root_of(900)
        assert not list(store.check())

    def test_a_record_is_found_by_its_id(self, store: LogStore) -> None:
        grow_to(store, 300, step=7)
        for number in (0, 7, 8, 255, 256, 299):
            expected = Stored(number, leaf_hash(entry(number)), entry(number))
            assert store.find(OWN, id_of(number)) == expected
        assert store.find(OWN, id_of(300)) is None

    def test_an_entry_longer_than_a_bundle_can_hold_is_refused(self, store: LogStore) -> None:
        with pytest.raises(MalformedError, match=r"tiles\.entry_too_long"):
            store.append(OWN, 0, [(id_of(1), bytes(65_536))], signing(OWN))
        assert store.head(OWN).size == 0

    def test_more_signature_lines_replace_a_checkpoint_of_the_same_size(
        self, store: LogStore
    ) -> None:
        head = grow_to(store, 3)
        store.replace_checkpoint(OWN, 3, head.checkpoint + b"more")
        assert store.head(OWN) == replace(head, checkpoint=head.checkpoint + b"more")
        with pytest.raises(ConflictError) as caught:
            store.replace_checkpoint(OWN, 2, b"old")
        assert code_of(caught) == ("store.moved", {"size": 3})

    def test_appends_from_many_threads_all_come_in_some_order(self, store: LogStore) -> None:
        done: list[int] = []

        def work(first: int) -> None:
            for number in range(first, first + 15):
                while number not in done:
                    with suppress(ConflictError):
                        store.append(OWN, store.head(OWN).size, named([number]), signing(OWN))
                        done.append(number)

        threads = [threading.Thread(target=work, args=(n * 100,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stored = list(store.entries(OWN, 0, 100))
        assert sorted(each.entry for each in stored) == sorted(map(entry, done))
        assert len(done) == 60
        assert store.head(OWN).root == RightEdge().extend(each.leaf for each in stored).root()
        assert not list(store.check())


class TestReading:
    def test_entries_come_in_order_within_any_range(self, store: LogStore) -> None:
        grow_to(store, 700, step=90)
        for start, end in ((0, 1), (5, 10), (255, 257), (89, 91), (300, 700), (690, 9000), (9, 3)):
            expected = list(range(start, min(end, 700)))
            found = list(store.entries(OWN, start, end))
            assert [each.index for each in found] == expected
            assert [each.entry for each in found] == entries(expected)
            assert all(each.leaf == leaf_hash(each.entry) for each in found)

    def test_a_reading_that_is_left_holds_nothing_back(self, store: LogStore) -> None:
        grow_to(store, 300)
        slow = store.entries(OWN, 0, 300)
        first = next(slow)
        grow_to(store, 600)
        assert first.index == 0
        assert [each.index for each in slow] == list(range(1, 300))

    @pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
    def test_every_subtree_has_the_hash_of_the_reference(self, store: LogStore, size: int) -> None:
        grow_to(store, 700, step=77)
        reader, reference = store.reader(OWN, size), leaves_of(700)
        for level in range(size.bit_length()):
            for index in range(size >> level):
                assert reader.subtree(level, index) == reference.subtree(level, index)

    def test_proofs_are_those_of_the_reference(self, store: LogStore) -> None:
        head, reference = grow_to(store, 700), leaves_of(700)
        reader = store.reader(OWN, 700)
        for index in (0, 1, 255, 256, 699):
            proof = inclusion_proof(index, 700, reader)
            assert proof == inclusion_proof(index, 700, reference)
            check_inclusion(leaf_hash(entry(index)), index, 700, proof, head.root)
        for old in (1, 255, 256, 511, 699):
            assert consistency_proof(old, 700, reader) == consistency_proof(old, 700, reference)
        assert subtree_proof(256, 512, 700, reader) == subtree_proof(256, 512, 700, reference)

    def test_an_old_root_is_still_that_of_its_size(self, store: LogStore) -> None:
        grow_to(store, 700)
        for size in (0, 1, 256, 300, 512, 699):
            assert tree_root(size, store.reader(OWN, size)) == root_of(size)

    def test_no_reader_reaches_beyond_what_is_stored(self, store: LogStore) -> None:
        grow_to(store, 5)
        with pytest.raises(ConflictError) as caught:
            store.reader(OWN, 6)
        assert code_of(caught) == ("store.beyond", {"size": 5})

    def test_the_right_edge_is_that_of_the_head(self, store: LogStore) -> None:
        assert store.right_edge(OWN) == RightEdge()
        head = grow_to(store, 300)
        assert store.right_edge(OWN).size == 300
        assert store.right_edge(OWN).root() == head.root

    def test_a_leaf_is_found_at_its_first_place(self, store: LogStore) -> None:
        grow_to(store, 600)
        for number in (0, 8, 255, 256, 599):
            assert store.find_leaf(OWN, leaf_hash(entry(number))) == number
        assert store.find_leaf(OWN, leaf_hash(b"never")) is None
        assert store.find_leaf(OWN, b"") is None
        assert store.find_leaf(MIRROR, leaf_hash(entry(0))) is None


class TestMirroring:
    def test_a_pending_checkpoint_follows_the_one_the_owner_knew(self, store: LogStore) -> None:
        assert store.pending(MIRROR) == []
        first, second = announce(store, 3), announce(store, 10)
        assert store.pending(MIRROR) == [second, first]
        assert store.head(MIRROR).size == 0
        with pytest.raises(ConflictError) as caught:
            store.put_pending(MIRROR, 3, 12, root_of(12), b"")
        assert code_of(caught) == ("store.moved", {"size": 10})

    def test_a_pending_checkpoint_is_never_smaller_nor_another_at_its_size(
        self, store: LogStore
    ) -> None:
        head = announce(store, 10)
        with pytest.raises(ConflictError, match=r"store\.smaller"):
            store.put_pending(MIRROR, 10, 9, root_of(9), b"")
        with pytest.raises(ConflictError, match=r"store\.other_root"):
            store.put_pending(MIRROR, 10, 10, root_of(9), b"")
        assert store.pending(MIRROR) == [head]

    def test_a_pending_checkpoint_may_be_signed_anew(self, store: LogStore) -> None:
        head = announce(store, 10)
        store.put_pending(MIRROR, 10, 10, head.root, b"newer")
        assert store.pending(MIRROR) == [replace(head, checkpoint=b"newer")]

    def test_an_empty_log_may_be_pending(self, store: LogStore) -> None:
        head = announce(store, 0)
        assert store.pending(MIRROR) == [head]
        assert store.advance(MIRROR, 0) == head

    def test_sixteen_pending_checkpoints_are_kept(self, store: LogStore) -> None:
        for size in range(1, 21):
            announce(store, size)
        assert [head.size for head in store.pending(MIRROR)] == list(range(20, 4, -1))

    def test_packages_then_the_head_moves(self, store: LogStore) -> None:
        head = announce(store, 600)
        for start in (0, 256, 512):
            end = min(start + 256, 600)
            assert store.put_entries(MIRROR, start, entries(range(start, end))) == end
            assert store.next_entry(MIRROR) == end
        assert store.head(MIRROR).size == 0
        assert list(store.entries(MIRROR, 0, 600)) == []
        assert store.advance(MIRROR, 600) == head
        assert store.head(MIRROR) == head
        assert [each.entry for each in store.entries(MIRROR, 0, 600)] == entries(range(600))
        assert tree_root(600, store.reader(MIRROR, 600)) == head.root
        assert not list(store.check())

    def test_what_is_stored_can_be_read_as_a_tree_before_the_head_moves(
        self, store: LogStore
    ) -> None:
        announce(store, 600)
        store.put_entries(MIRROR, 0, entries(range(512)))
        assert tree_root(512, store.reader(MIRROR, 512)) == root_of(512)
        assert store.right_edge(MIRROR) == RightEdge()

    def test_entries_already_stored_are_skipped(self, store: LogStore) -> None:
        store.put_entries(MIRROR, 0, entries(range(10)))
        assert store.put_entries(MIRROR, 0, entries(range(10))) == 10
        assert store.put_entries(MIRROR, 3, entries(range(3, 5))) == 10
        assert store.put_entries(MIRROR, 5, entries(range(5, 20))) == 20
        announce(store, 20)
        assert store.advance(MIRROR, 20).root == root_of(20)

    def test_a_gap_is_refused_with_the_next_entry(self, store: LogStore) -> None:
        store.put_entries(MIRROR, 0, entries(range(10)))
        with pytest.raises(ConflictError) as caught:
            store.put_entries(MIRROR, 11, entries(range(11, 20)))
        assert code_of(caught) == ("store.gap", {"next": 10})
        announce(store, 20)
        with pytest.raises(ConflictError) as caught:
            store.advance(MIRROR, 20)
        assert code_of(caught) == ("store.gap", {"next": 10})

    def test_the_head_moves_only_to_a_pending_size_and_never_back(self, store: LogStore) -> None:
        announce(store, 5)
        announce(store, 10)
        store.put_entries(MIRROR, 0, entries(range(10)))
        with pytest.raises(ConflictError, match=r"store\.not_pending"):
            store.advance(MIRROR, 7)
        assert store.advance(MIRROR, 5).root == root_of(5)
        assert store.right_edge(MIRROR).root() == root_of(5)
        assert store.advance(MIRROR, 10).root == root_of(10)
        assert store.advance(MIRROR, 10).size == 10
        with pytest.raises(ConflictError) as caught:
            store.advance(MIRROR, 5)
        assert code_of(caught) == ("store.moved", {"size": 10})

    def test_entries_that_do_not_lead_to_the_signed_root_move_nothing(
        self, store: LogStore
    ) -> None:
        announce(store, 300)
        store.put_entries(MIRROR, 0, [*entries(range(299)), b"something else"])
        with pytest.raises(ProofError, match=r"store\.root_differs"):
            store.advance(MIRROR, 300)
        assert store.head(MIRROR).size == 0

    def test_what_was_stored_beyond_the_head_can_be_forgotten(self, store: LogStore) -> None:
        announce(store, 100)
        announce(store, 800)
        store.put_entries(MIRROR, 0, [*entries(range(150)), b"something else"])
        store.advance(MIRROR, 100)
        store.put_entries(MIRROR, 151, entries(range(151, 800)))
        with pytest.raises(ProofError):
            store.advance(MIRROR, 800)
        assert store.discard(MIRROR) == 700
        assert store.next_entry(MIRROR) == 100
        assert not list(store.check())
        assert store.absorb(MIRROR, 100, entries(range(100, 800)), 800).root == root_of(800)
        assert store.discard(MIRROR) == 0
        assert not list(store.check())

    def test_absorbing_is_storing_and_moving_at_once(self, store: LogStore) -> None:
        first, second = announce(store, 256), announce(store, 600)
        assert store.absorb(MIRROR, 0, entries(range(256)), 256) == first
        assert store.absorb(MIRROR, 200, entries(range(200, 600)), 600) == second
        assert store.head(MIRROR) == second

    def test_absorbing_what_does_not_fit_stores_nothing(self, store: LogStore) -> None:
        announce(store, 10)
        with pytest.raises(ProofError, match=r"store\.root_differs"):
            store.absorb(MIRROR, 0, [*entries(range(9)), b"something else"], 10)
        with pytest.raises(ConflictError, match=r"store\.gap"):
            store.absorb(MIRROR, 0, entries(range(9)), 10)
        with pytest.raises(ConflictError, match=r"store\.not_pending"):
            store.absorb(MIRROR, 0, entries(range(9)), 9)
        assert store.next_entry(MIRROR) == 0


class TestWhatIsKept:
    def cosigned(self, size: int, at: int, name: str = "us/mirror", **more: object) -> Cosigned:
        line = b"%s %d %d" % (name.encode(), size, at)
        known = Cosigned(size, root_of(size), name, b"\0\0\0\1", line, at, at + 1, flagged=False)
        return replace(known, **more)  # type: ignore[arg-type]

    def test_cosignatures_come_by_size_then_by_their_time(self, store: LogStore) -> None:
        grow_to(store, 10)
        wanted = [self.cosigned(3, 50), self.cosigned(3, 60), self.cosigned(7, 40)]
        other = self.cosigned(7, 45, "neutral/witness")
        for each in (wanted[2], wanted[1], other, wanted[0]):
            store.put_cosignature(OWN, each)
        assert store.cosignatures(OWN) == [*wanted, other]
        assert store.cosignatures(OWN, name="us/mirror") == wanted
        assert store.cosignatures(OWN, 4) == [wanted[2], other]
        assert store.cosignatures(OWN, 8) == []
        assert store.cosignatures(MIRROR) == []

    def test_the_same_cosignature_twice_is_kept_once(self, store: LogStore) -> None:
        grow_to(store, 3)
        for _ in range(2):
            store.put_cosignature(OWN, self.cosigned(3, 50))
        assert len(store.cosignatures(OWN)) == 1

    def test_a_cosignature_is_not_kept_beyond_the_head(self, store: LogStore) -> None:
        grow_to(store, 3)
        with pytest.raises(ConflictError) as caught:
            store.put_cosignature(OWN, self.cosigned(4, 50))
        assert code_of(caught) == ("store.beyond", {"size": 3})

    def test_the_earliest_receipt_is_the_smallest_size_that_covers_it(
        self, store: LogStore
    ) -> None:
        grow_to(store, 10)
        for each in (
            self.cosigned(10, 45),
            self.cosigned(5, 60),
            self.cosigned(5, 55),
            self.cosigned(4, 50, flagged=True),
            self.cosigned(4, 40, "neutral/witness"),
        ):
            store.put_cosignature(OWN, each)
        assert store.earliest_cosignature(OWN, "us/mirror", 3) == self.cosigned(5, 55)
        assert store.earliest_cosignature(OWN, "us/mirror", 6) == self.cosigned(10, 45)
        assert store.earliest_cosignature(OWN, "us/mirror", 11) is None
        assert store.earliest_cosignature(OWN, "nobody", 1) is None

    def test_evidence_is_kept_once_in_order_and_capped(self, store: LogStore) -> None:
        store.put_evidence(MIRROR, "split", b"proof 0", 5)
        store.put_evidence(MIRROR, "split", b"proof 0", 6)
        assert [(each.payload, each.at) for each in store.evidence()] == [(b"proof 0", 5)]
        for number in range(1, 80):
            store.put_evidence(MIRROR, "split", b"proof %d" % number, 6)
        store.put_evidence(OWN, "split", b"of another log", 7)
        kept = store.evidence()
        assert [each.payload for each in kept[:64]] == [b"proof %d" % n for n in range(64)]
        assert kept[64].origin == OWN
        assert len(kept) == 65
        with pytest.raises(RefusedError, match=r"store\.evidence_size"):
            store.put_evidence(OWN, "split", bytes(MAX_EVIDENCE_BYTES + 1), 8)

    def test_a_fold_mark_adds_up_goes_back_and_can_be_dropped(self, store: LogStore) -> None:
        assert store.fold_mark(OWN) == (0, {})
        store.set_fold_mark(OWN, 10, {3: "fold.id", 9: "fold.seen"})
        store.set_fold_mark(OWN, 20, {15: "fold.id"})
        assert store.fold_mark(OWN) == (20, {3: "fold.id", 9: "fold.seen", 15: "fold.id"})
        store.set_fold_mark(OWN, 20, {9: "fold.other"})
        assert store.fold_mark(OWN)[1][9] == "fold.other"
        store.set_fold_mark(OWN, 9, {3: "fold.id", 9: "beyond"})
        assert store.fold_mark(OWN) == (9, {3: "fold.id"})
        store.set_fold_mark(OWN, 0, {})
        assert store.fold_mark(OWN) == (0, {})


class TestChecking:
    def test_a_sound_store_has_no_findings_and_tells_its_progress(self, store: LogStore) -> None:
        grow_to(store, 600)
        announce(store, 300)
        store.absorb(MIRROR, 0, entries(range(300)), 300)
        steps: list[tuple[str, int, int]] = []
        assert list(store.check(lambda *step: steps.append(step))) == []
        assert (OWN, 600, 600) in steps
        assert steps[-1] == (MIRROR, 300, 300)

    def test_a_checkpoint_that_says_something_else_is_found(self, store: LogStore) -> None:
        grow_to(store, 5)
        lies = {
            "another size": checkpoint(OWN, 4, root_of(5)),
            "another root": checkpoint(OWN, 5, root_of(4)),
            "another log": checkpoint(MIRROR, 5, root_of(5)),
            "no checkpoint": b"hello",
            "nothing": b"",
        }
        for lie in lies.values():
            store.replace_checkpoint(OWN, 5, lie)
            assert list(store.check()) == [Finding(OWN, "check.checkpoint", 5)]
        store.replace_checkpoint(OWN, 5, signed_head(OWN, 5).checkpoint)
        assert list(store.check()) == []

    def test_a_cosignature_over_another_root_is_found(self, store: LogStore) -> None:
        grow_to(store, 300)
        wrong = Cosigned(280, root_of(5), "us/mirror", b"\0\0\0\1", b"line", 5, 5, flagged=False)
        store.put_cosignature(OWN, wrong)
        assert list(store.check()) == [Finding(OWN, "check.cosigned", 280)]
