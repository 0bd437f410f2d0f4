"""What every blob store promises (store/objects.py), whatever holds the bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from convenio.core.errors import (
    ConflictError,
    ConvenioError,
    MalformedError,
    RefusedError,
    UnavailableError,
    UnverifiedError,
)
from convenio.store.objects import (
    BlobLimits,
    BlobPlace,
    BlobStore,
    DiskBlobs,
    MemoryBlobs,
    Shelf,
)

LIMITS = BlobLimits(max_blob_bytes=5_000, max_chunk_bytes=1_000, max_staged=3)
DATA = bytes(range(256)) * 10
NAME = hashlib.sha256(DATA).hexdigest()
EMPTY_NAME = hashlib.sha256(b"").hexdigest()
CH, OTHER_CH = "ab" * 32, "cd" * 32


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "disk"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> BlobStore:
    if request.param == "memory":
        return MemoryBlobs(clock, LIMITS)
    return DiskBlobs.create(tmp_path / "blobs", clock, LIMITS)


@pytest.fixture
def shelf(blobs: BlobStore) -> Shelf:
    return blobs.shelf(CH, "us")


def read(shelf: Shelf, c: str, start: int = 0, length: int = -1) -> bytes:
    with shelf.open(c, start) as file:
        return file.read(length)


def upload(shelf: Shelf, data: bytes, offset: int = 0, step: int = 1_000) -> int:
    c = hashlib.sha256(data).hexdigest()
    while offset < len(data):
        offset = shelf.stage_write(c, offset, data[offset : offset + step], len(data))
    return offset


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 700] for at in range(0, len(data), 700))


class TestPutting:
    @pytest.mark.parametrize("given", [lambda: DATA, lambda: pieces(DATA)])
    def test_a_blob_that_was_put_can_be_read(
        self, blobs: BlobStore, shelf: Shelf, given: Callable[[], bytes]
    ) -> None:
        assert not shelf.has(NAME)
        assert shelf.size(NAME) is None
        assert shelf.put(NAME, given()) == len(DATA)
        assert shelf.has(NAME)
        assert shelf.size(NAME) == len(DATA)
        assert read(shelf, NAME) == DATA
        assert list(shelf.names()) == [NAME]
        assert list(blobs.check()) == []

    def test_putting_it_again_changes_nothing(self, shelf: Shelf) -> None:
        shelf.put(NAME, DATA)
        assert shelf.put(NAME, DATA) == len(DATA)

    def test_the_empty_blob_is_a_blob(self, shelf: Shelf) -> None:
        assert shelf.put(EMPTY_NAME, b"") == 0
        assert shelf.has(EMPTY_NAME)

    def test_bytes_with_another_hash_leave_nothing(self, blobs: BlobStore, shelf: Shelf) -> None:
        with pytest.raises(UnverifiedError, match=r"blob\.hash_differs"):
            shelf.put(NAME, DATA + b"!")
        assert not shelf.has(NAME)
        assert list(shelf.names()) == []
        assert blobs.sweep(-1) == 0

    def test_too_much_is_refused_before_it_has_all_come(self, shelf: Shelf) -> None:
        taken = []

        def endless() -> Iterator[bytes]:
            while True:
                taken.append(1)
                yield bytes(1_000)

        with pytest.raises(RefusedError, match=r"blob\.too_large"):
            shelf.put(NAME, endless())
        assert len(taken) == 6

    def test_a_source_that_fails_leaves_nothing(self, blobs: BlobStore, shelf: Shelf) -> None:
        def broken() -> Iterator[bytes]:
            yield DATA
            raise KeyError("the source is gone")

        with pytest.raises(KeyError):
            shelf.put(NAME, broken())
        assert not shelf.has(NAME)
        assert blobs.sweep(-1) == 0


class TestReading:
    def test_any_range_can_be_read(self, shelf: Shelf) -> None:
        shelf.put(NAME, DATA)
        assert read(shelf, NAME, 10) == DATA[10:]
        assert read(shelf, NAME, 10, 5) == DATA[10:15]
        assert read(shelf, NAME, len(DATA)) == b""
        assert read(shelf, NAME, len(DATA) + 5) == b""

    def test_a_blob_that_is_not_there_cannot_be_opened(self, shelf: Shelf) -> None:
        with pytest.raises(UnavailableError, match=r"blob\.absent"):
            shelf.open(NAME)

    def test_a_blob_being_read_can_be_read_to_its_end_though_deleted(self, shelf: Shelf) -> None:
        shelf.put(NAME, DATA)
        with shelf.open(NAME) as file:
            assert file.read(5) == DATA[:5]
            assert shelf.delete(NAME)
            assert file.read() == DATA[5:]
        assert not shelf.has(NAME)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "../" * 21 + "x",
            "staged/" + "0" * 57,
            "/etc/passwd",
            NAME.upper(),
            NAME + "0",
            NAME[:-1],
            NAME[:-1] + "\n",
            NAME + "\n",
            NAME[:-1] + "０",
            NAME[:2] + "/" + NAME[3:],
            NAME[:-1] + "\0",
        ],
    )
    def test_only_a_hash_names_a_blob(self, shelf: Shelf, name: str) -> None:
        asks: list[Callable[[], object]] = [
            lambda: shelf.put(name, b""),
            lambda: shelf.stage_offset(name),
            lambda: shelf.stage_write(name, 0, b"x", 1),
            lambda: shelf.open(name),
            lambda: shelf.size(name),
            lambda: shelf.has(name),
            lambda: shelf.delete(name),
        ]
        for ask in asks:
            with pytest.raises(MalformedError, match=r"blob\.name"):
                ask()


class TestUploading:
    def test_pieces_make_a_blob(self, blobs: BlobStore, shelf: Shelf) -> None:
        assert upload(shelf, DATA) == len(DATA)
        assert read(shelf, NAME) == DATA
        assert shelf.stage_offset(NAME) == len(DATA)
        assert blobs.sweep(-1) == 0

    def test_nothing_can_be_read_before_the_last_piece(self, shelf: Shelf) -> None:
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        assert not shelf.has(NAME)
        assert list(shelf.names()) == []
        with pytest.raises(UnavailableError):
            shelf.open(NAME)

    def test_an_upload_goes_on_where_it_broke_off(self, shelf: Shelf) -> None:
        assert shelf.stage_offset(NAME) == 0
        shelf.stage_write(NAME, 0, DATA[:700], len(DATA))
        assert shelf.stage_offset(NAME) == 700
        for offset in (0, 699, 701):
            with pytest.raises(ConflictError) as caught:
                shelf.stage_write(NAME, offset, DATA[:5], len(DATA))
            assert (caught.value.code, caught.value.parameters) == ("blob.offset", {"offset": 700})
        assert upload(shelf, DATA, offset=700) == len(DATA)
        assert read(shelf, NAME) == DATA

    def test_wrong_bytes_are_dropped_whole_and_it_can_start_again(self, shelf: Shelf) -> None:
        shelf.stage_write(NAME, 0, b"?" * 1_000, len(DATA))
        with pytest.raises(UnverifiedError, match=r"blob\.hash_differs"):
            upload(shelf, DATA, offset=1_000)
        assert shelf.stage_offset(NAME) == 0
        assert upload(shelf, DATA) == len(DATA)

    def test_a_blob_that_is_there_takes_nothing_more(self, shelf: Shelf) -> None:
        shelf.put(NAME, DATA)
        assert shelf.stage_write(NAME, 0, b"???", len(DATA)) == len(DATA)
        assert read(shelf, NAME) == DATA

    def test_putting_a_blob_that_is_half_uploaded_ends_the_upload(
        self, blobs: BlobStore, shelf: Shelf
    ) -> None:
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        shelf.put(NAME, DATA)
        assert shelf.stage_offset(NAME) == len(DATA)
        assert blobs.sweep(-1) == 0

    @pytest.mark.parametrize(
        ("offset", "length", "total", "code"),
        [
            (0, 10, 5_001, "blob.too_large"),
            (0, 1_001, 5_000, "blob.chunk_size"),
            (0, 11, 10, "blob.beyond_total"),
            (5, 6, 10, "blob.beyond_total"),
        ],
    )
    def test_what_is_too_much_is_refused(
        self, shelf: Shelf, offset: int, length: int, total: int, code: str
    ) -> None:
        with pytest.raises(RefusedError) as caught:
            shelf.stage_write(NAME, offset, bytes(length), total)
        assert caught.value.code == code
        assert shelf.stage_offset(NAME) == 0

    def test_uploads_begun_are_capped_and_the_stale_ones_swept(
        self, blobs: BlobStore, shelf: Shelf, clock: Clock
    ) -> None:
        names = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]
        for c in names[:3]:
            shelf.stage_write(c, 0, b"x", 10)
        with pytest.raises(RefusedError, match=r"blob\.too_many_uploads"):
            shelf.stage_write(names[3], 0, b"x", 10)
        clock.now += 100
        shelf.stage_write(names[0], 1, b"y", 10)
        assert blobs.sweep(99) == 2
        assert [shelf.stage_offset(c) for c in names[:3]] == [2, 0, 0]
        shelf.stage_write(names[3], 0, b"x", 10)

    def test_a_blob_in_one_piece_passes_when_all_uploads_are_taken(self, shelf: Shelf) -> None:
        for n in range(3):
            shelf.stage_write(hashlib.sha256(bytes([n])).hexdigest(), 0, b"x", 10)
        assert upload(shelf, DATA[:900]) == 900

    def test_a_blob_in_one_piece_passes_whatever_was_staged_under_its_name(
        self, blobs: BlobStore, shelf: Shelf
    ) -> None:
        c = hashlib.sha256(DATA[:900]).hexdigest()
        shelf.stage_write(c, 0, b"rubbish", 900)
        assert upload(shelf, DATA[:900]) == 900
        assert read(shelf, c) == DATA[:900]
        assert blobs.sweep(-1) == 0

    def test_many_uploaders_of_one_blob_make_one_blob(self, blobs: BlobStore, shelf: Shelf) -> None:
        def work() -> None:
            while not shelf.has(NAME):
                offset = shelf.stage_offset(NAME)
                with suppress(ConvenioError):
                    shelf.stage_write(NAME, offset, DATA[offset : offset + 100], len(DATA))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read(shelf, NAME) == DATA
        assert blobs.sweep(-1) == 0


class TestDeleting:
    def test_a_deleted_blob_is_gone(self, shelf: Shelf) -> None:
        shelf.put(NAME, DATA)
        assert shelf.delete(NAME)
        assert not shelf.delete(NAME)
        assert not shelf.has(NAME)
        assert shelf.stage_offset(NAME) == 0
        shelf.put(NAME, DATA)
        assert shelf.has(NAME)

    def test_deleting_drops_what_was_staged(self, shelf: Shelf) -> None:
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        assert not shelf.delete(NAME)
        assert shelf.stage_offset(NAME) == 0


class TestShelves:
    """What one party brought to one channel, and nobody else's."""

    OTHERS = ((CH, "mx"), (OTHER_CH, "us"))

    def test_what_one_has_brought_is_on_no_other_shelf(
        self, blobs: BlobStore, shelf: Shelf
    ) -> None:
        shelf.put(NAME, DATA)
        for place in self.OTHERS:
            other = blobs.shelf(*place)
            assert (other.has(NAME), other.size(NAME), other.stage_offset(NAME)) == (False, None, 0)
            assert list(other.names()) == []
            with pytest.raises(UnavailableError, match=r"blob\.absent"):
                other.open(NAME)
            assert not other.delete(NAME)
        assert read(blobs.shelf(CH, "us"), NAME) == DATA

    def test_the_same_bytes_on_two_shelves_come_and_go_apart(
        self, blobs: BlobStore, shelf: Shelf
    ) -> None:
        for place in self.OTHERS:
            blobs.shelf(*place).put(NAME, DATA)
        upload(shelf, DATA)
        assert shelf.delete(NAME)
        for place in self.OTHERS:
            assert read(blobs.shelf(*place), NAME) == DATA

    def test_an_upload_spoils_none_on_another_shelf(self, blobs: BlobStore, shelf: Shelf) -> None:
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        for place in self.OTHERS:
            other = blobs.shelf(*place)
            with pytest.raises(UnverifiedError):
                _spoil(other)
            assert not other.delete(NAME)
        assert upload(shelf, DATA, offset=1_000) == len(DATA)

    def test_the_places_for_uploads_are_counted_on_each_shelf(
        self, blobs: BlobStore, shelf: Shelf
    ) -> None:
        names = [hashlib.sha256(bytes([n])).hexdigest() for n in range(4)]
        for place in self.OTHERS:
            for c in names[:3]:
                blobs.shelf(*place).stage_write(c, 0, b"x", 10)
        assert shelf.stage_write(names[3], 0, b"x", 10) == 1

    def test_uploads_that_sleep_are_swept_on_all_shelves(
        self, blobs: BlobStore, shelf: Shelf, clock: Clock
    ) -> None:
        shelf.stage_write(NAME, 0, b"x", 10)
        blobs.shelf(CH, "mx").stage_write(NAME, 0, b"x", 10)
        clock.now += 100
        blobs.shelf(OTHER_CH, "us").stage_write(NAME, 0, b"x", 10)
        assert blobs.sweep(99) == 2
        assert blobs.shelf(OTHER_CH, "us").stage_offset(NAME) == 1

    def test_a_shelf_tells_what_has_been_on_it_for_long(
        self, blobs: BlobStore, shelf: Shelf, clock: Clock
    ) -> None:
        upload(shelf, DATA)
        blobs.shelf(CH, "mx").put(EMPTY_NAME, b"")
        clock.now += 100
        shelf.put(EMPTY_NAME, b"")
        shelf.put(NAME, DATA)  # it has been here since, whoever brings it again
        assert list(shelf.older_than(99)) == [NAME]
        assert list(shelf.older_than(100)) == []
        assert set(shelf.older_than(-1)) == {NAME, EMPTY_NAME}

    @pytest.mark.parametrize(
        ("ch", "party"),
        [
            ("", "us"),
            ("..", "us"),
            (CH.upper(), "us"),
            (CH + "\n", "us"),
            (CH[:-1], "us"),
            (CH + "/..", "us"),
            (CH, ""),
            (CH, "."),
            (CH, ".."),
            (CH, "u"),
            (CH, "US"),
            (CH, "us/../mx"),
            (CH, "us\n"),
            (CH, "us\0"),
            (CH, "a" * 17),
            (CH, "ñu"),
        ],
    )
    def test_only_a_channel_and_a_party_name_a_shelf(
        self, blobs: BlobStore, ch: str, party: str
    ) -> None:
        with pytest.raises(MalformedError, match=r"blob\.shelf"):
            blobs.shelf(ch, party)


def _spoil(shelf: Shelf) -> None:
    offset = 0
    while offset < len(DATA):
        chunk = b"?" * min(1_000, len(DATA) - offset)
        offset = shelf.stage_write(NAME, offset, chunk, len(DATA))


class TestOnDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "blobs"

    @pytest.fixture
    def disk(self, folder: Path, clock: Clock) -> DiskBlobs:
        return DiskBlobs.create(folder, clock, LIMITS)

    @pytest.fixture
    def shelf(self, disk: DiskBlobs) -> Shelf:
        return disk.shelf(CH, "us")

    def test_opening_never_creates(self, folder: Path, clock: Clock) -> None:
        with pytest.raises(UnavailableError, match=r"store\.absent"):
            DiskBlobs(folder, clock)
        assert not folder.exists()

    def test_looking_at_a_shelf_does_not_make_one(self, shelf: Shelf, folder: Path) -> None:
        assert not shelf.has(NAME)
        assert (list(shelf.names()), list(shelf.older_than(-1))) == ([], [])
        assert not shelf.delete(NAME)
        assert list(folder.iterdir()) == []

    def test_blobs_that_lie_on_no_shelf_are_not_ignored(self, folder: Path, clock: Clock) -> None:
        (folder / "staged").mkdir(parents=True)
        with pytest.raises(UnavailableError, match=r"store\.version"):
            DiskBlobs(folder, clock)

    def test_blobs_and_uploads_outlive_the_process(
        self, shelf: Shelf, folder: Path, clock: Clock
    ) -> None:
        shelf.put(EMPTY_NAME, b"")
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        again = DiskBlobs(folder, clock, LIMITS).shelf(CH, "us")
        assert again.has(EMPTY_NAME)
        assert again.stage_offset(NAME) == 1_000

    def test_others_on_the_machine_read_nothing(self, shelf: Shelf, folder: Path) -> None:
        shelf.put(NAME, DATA)
        shelf.stage_write(EMPTY_NAME, 0, b"x", 5)
        for path in (folder, *folder.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0

    def test_a_flipped_bit_is_found_and_its_shelf_named(
        self, disk: DiskBlobs, shelf: Shelf, folder: Path
    ) -> None:
        shelf.put(NAME, DATA)
        disk.shelf(CH, "mx").put(NAME, DATA)
        (path,) = folder.glob(f"{CH}/us/??/*")
        path.write_bytes(b"\1" + DATA[1:])
        assert list(disk.check()) == [BlobPlace(CH, "us", NAME)]
        assert str(BlobPlace(CH, "us", NAME)) == f"{CH}/us/{NAME}"

    def test_bytes_lost_from_an_upload_in_a_power_cut_are_not_believed(
        self, shelf: Shelf, folder: Path
    ) -> None:
        shelf.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        (folder / CH / "us/staged" / NAME).write_bytes(bytes(1_000))
        with pytest.raises(UnverifiedError):
            upload(shelf, DATA, offset=1_000)
        assert not shelf.has(NAME)
