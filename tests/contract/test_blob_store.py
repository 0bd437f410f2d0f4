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
from convenio.store.objects import BlobLimits, BlobStore, DiskBlobs, MemoryBlobs

LIMITS = BlobLimits(max_blob_bytes=5_000, max_chunk_bytes=1_000, max_staged=3)
DATA = bytes(range(256)) * 10
NAME = hashlib.sha256(DATA).hexdigest()
EMPTY_NAME = hashlib.sha256(b"").hexdigest()


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


def read(blobs: BlobStore, c: str, start: int = 0, length: int = -1) -> bytes:
    with blobs.open(c, start) as file:
        return file.read(length)


def upload(blobs: BlobStore, data: bytes, offset: int = 0, step: int = 1_000) -> int:
    c = hashlib.sha256(data).hexdigest()
    while offset < len(data):
        offset = blobs.stage_write(c, offset, data[offset : offset + step], len(data))
    return offset


def pieces(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 700] for at in range(0, len(data), 700))


class TestPutting:
    @pytest.mark.parametrize("given", [lambda: DATA, lambda: pieces(DATA)])
    def test_a_blob_that_was_put_can_be_read(
        self, blobs: BlobStore, given: Callable[[], bytes]
    ) -> None:
        assert not blobs.has(NAME)
        assert blobs.size(NAME) is None
        assert blobs.put(NAME, given()) == len(DATA)
        assert blobs.has(NAME)
        assert blobs.size(NAME) == len(DATA)
        assert read(blobs, NAME) == DATA
        assert list(blobs.names()) == [NAME]
        assert list(blobs.check()) == []

    def test_putting_it_again_changes_nothing(self, blobs: BlobStore) -> None:
        blobs.put(NAME, DATA)
        assert blobs.put(NAME, DATA) == len(DATA)

    def test_the_empty_blob_is_a_blob(self, blobs: BlobStore) -> None:
        assert blobs.put(EMPTY_NAME, b"") == 0
        assert blobs.has(EMPTY_NAME)

    def test_bytes_with_another_hash_leave_nothing(self, blobs: BlobStore) -> None:
        with pytest.raises(UnverifiedError, match=r"blob\.hash_differs"):
            blobs.put(NAME, DATA + b"!")
        assert not blobs.has(NAME)
        assert list(blobs.names()) == []
        assert blobs.sweep(-1) == 0

    def test_too_much_is_refused_before_it_has_all_come(self, blobs: BlobStore) -> None:
        taken = []

        def endless() -> Iterator[bytes]:
            while True:
                taken.append(1)
                yield bytes(1_000)

        with pytest.raises(RefusedError, match=r"blob\.too_large"):
            blobs.put(NAME, endless())
        assert len(taken) == 6

    def test_a_source_that_fails_leaves_nothing(self, blobs: BlobStore) -> None:
        def broken() -> Iterator[bytes]:
            yield DATA
            raise KeyError("the source is gone")

        with pytest.raises(KeyError):
            blobs.put(NAME, broken())
        assert not blobs.has(NAME)
        assert blobs.sweep(-1) == 0


class TestReading:
    def test_any_range_can_be_read(self, blobs: BlobStore) -> None:
        blobs.put(NAME, DATA)
        assert read(blobs, NAME, 10) == DATA[10:]
        assert read(blobs, NAME, 10, 5) == DATA[10:15]
        assert read(blobs, NAME, len(DATA)) == b""
        assert read(blobs, NAME, len(DATA) + 5) == b""

    def test_a_blob_that_is_not_there_cannot_be_opened(self, blobs: BlobStore) -> None:
        with pytest.raises(UnavailableError, match=r"blob\.absent"):
            blobs.open(NAME)

    def test_a_blob_being_read_can_be_read_to_its_end_though_deleted(
        self, blobs: BlobStore
    ) -> None:
        blobs.put(NAME, DATA)
        with blobs.open(NAME) as file:
            assert file.read(5) == DATA[:5]
            assert blobs.delete(NAME)
            assert file.read() == DATA[5:]
        assert not blobs.has(NAME)

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
    def test_only_a_hash_names_a_blob(self, blobs: BlobStore, name: str) -> None:
        asks: list[Callable[[], object]] = [
            lambda: blobs.put(name, b""),
            lambda: blobs.stage_offset(name),
            lambda: blobs.stage_write(name, 0, b"x", 1),
            lambda: blobs.open(name),
            lambda: blobs.size(name),
            lambda: blobs.has(name),
            lambda: blobs.delete(name),
        ]
        for ask in asks:
            with pytest.raises(MalformedError, match=r"blob\.name"):
                ask()


class TestUploading:
    def test_pieces_make_a_blob(self, blobs: BlobStore) -> None:
        assert upload(blobs, DATA) == len(DATA)
        assert read(blobs, NAME) == DATA
        assert blobs.stage_offset(NAME) == len(DATA)
        assert blobs.sweep(-1) == 0

    def test_nothing_can_be_read_before_the_last_piece(self, blobs: BlobStore) -> None:
        blobs.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        assert not blobs.has(NAME)
        assert list(blobs.names()) == []
        with pytest.raises(UnavailableError):
            blobs.open(NAME)

    def test_an_upload_goes_on_where_it_broke_off(self, blobs: BlobStore) -> None:
        assert blobs.stage_offset(NAME) == 0
        blobs.stage_write(NAME, 0, DATA[:700], len(DATA))
        assert blobs.stage_offset(NAME) == 700
        for offset in (0, 699, 701):
            with pytest.raises(ConflictError) as caught:
                blobs.stage_write(NAME, offset, DATA[:5], len(DATA))
            assert (caught.value.code, caught.value.parameters) == ("blob.offset", {"offset": 700})
        assert upload(blobs, DATA, offset=700) == len(DATA)
        assert read(blobs, NAME) == DATA

    def test_wrong_bytes_are_dropped_whole_and_it_can_start_again(self, blobs: BlobStore) -> None:
        blobs.stage_write(NAME, 0, b"?" * 1_000, len(DATA))
        with pytest.raises(UnverifiedError, match=r"blob\.hash_differs"):
            upload(blobs, DATA, offset=1_000)
        assert blobs.stage_offset(NAME) == 0
        assert upload(blobs, DATA) == len(DATA)

    def test_a_blob_that_is_there_takes_nothing_more(self, blobs: BlobStore) -> None:
        blobs.put(NAME, DATA)
        assert blobs.stage_write(NAME, 0, b"???", len(DATA)) == len(DATA)
        assert read(blobs, NAME) == DATA

    def test_putting_a_blob_that_is_half_uploaded_ends_the_upload(self, blobs: BlobStore) -> None:
        blobs.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        blobs.put(NAME, DATA)
        assert blobs.stage_offset(NAME) == len(DATA)
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
        self, blobs: BlobStore, offset: int, length: int, total: int, code: str
    ) -> None:
        with pytest.raises(RefusedError) as caught:
            blobs.stage_write(NAME, offset, bytes(length), total)
        assert caught.value.code == code
        assert blobs.sweep(-1) == 0

    def test_uploads_begun_are_capped_and_the_stale_ones_swept(
        self, blobs: BlobStore, clock: Clock
    ) -> None:
        names = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]
        for c in names[:3]:
            blobs.stage_write(c, 0, b"x", 10)
        with pytest.raises(RefusedError, match=r"blob\.too_many_uploads"):
            blobs.stage_write(names[3], 0, b"x", 10)
        clock.now += 100
        blobs.stage_write(names[0], 1, b"y", 10)
        assert blobs.sweep(99) == 2
        assert [blobs.stage_offset(c) for c in names[:3]] == [2, 0, 0]
        blobs.stage_write(names[3], 0, b"x", 10)

    def test_a_blob_in_one_piece_passes_when_all_uploads_are_taken(self, blobs: BlobStore) -> None:
        for n in range(3):
            blobs.stage_write(hashlib.sha256(bytes([n])).hexdigest(), 0, b"x", 10)
        assert upload(blobs, DATA[:900]) == 900

    def test_a_blob_in_one_piece_passes_whatever_was_staged_under_its_name(
        self, blobs: BlobStore
    ) -> None:
        c = hashlib.sha256(DATA[:900]).hexdigest()
        blobs.stage_write(c, 0, b"rubbish", 900)
        assert upload(blobs, DATA[:900]) == 900
        assert read(blobs, c) == DATA[:900]
        assert blobs.sweep(-1) == 0

    def test_many_uploaders_of_one_blob_make_one_blob(self, blobs: BlobStore) -> None:
        def work() -> None:
            while not blobs.has(NAME):
                offset = blobs.stage_offset(NAME)
                with suppress(ConvenioError):
                    blobs.stage_write(NAME, offset, DATA[offset : offset + 100], len(DATA))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert read(blobs, NAME) == DATA
        assert blobs.sweep(-1) == 0


class TestDeleting:
    def test_a_deleted_blob_is_gone(self, blobs: BlobStore) -> None:
        blobs.put(NAME, DATA)
        assert blobs.delete(NAME)
        assert not blobs.delete(NAME)
        assert not blobs.has(NAME)
        assert blobs.stage_offset(NAME) == 0
        blobs.put(NAME, DATA)
        assert blobs.has(NAME)

    def test_deleting_drops_what_was_staged(self, blobs: BlobStore) -> None:
        blobs.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        assert not blobs.delete(NAME)
        assert blobs.stage_offset(NAME) == 0


class TestOnDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "blobs"

    @pytest.fixture
    def disk(self, folder: Path, clock: Clock) -> DiskBlobs:
        return DiskBlobs.create(folder, clock, LIMITS)

    def test_opening_never_creates(self, folder: Path, clock: Clock) -> None:
        with pytest.raises(UnavailableError, match=r"store\.absent"):
            DiskBlobs(folder, clock)
        assert not folder.exists()

    def test_blobs_and_uploads_outlive_the_process(
        self, disk: DiskBlobs, folder: Path, clock: Clock
    ) -> None:
        disk.put(EMPTY_NAME, b"")
        disk.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        again = DiskBlobs(folder, clock, LIMITS)
        assert again.has(EMPTY_NAME)
        assert again.stage_offset(NAME) == 1_000

    def test_others_on_the_machine_read_nothing(self, disk: DiskBlobs, folder: Path) -> None:
        disk.put(NAME, DATA)
        disk.stage_write(EMPTY_NAME, 0, b"x", 5)
        for path in (folder, *folder.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0

    def test_a_flipped_bit_is_found(self, disk: DiskBlobs, folder: Path) -> None:
        disk.put(NAME, DATA)
        (path,) = folder.glob("??/*")
        path.write_bytes(b"\1" + DATA[1:])
        assert list(disk.check()) == [NAME]

    def test_bytes_lost_from_an_upload_in_a_power_cut_are_not_believed(
        self, disk: DiskBlobs, folder: Path
    ) -> None:
        disk.stage_write(NAME, 0, DATA[:1_000], len(DATA))
        (folder / "staged" / NAME).write_bytes(bytes(1_000))
        with pytest.raises(UnverifiedError):
            upload(disk, DATA, offset=1_000)
        assert not disk.has(NAME)
