"""Blobs by their hash: the bodies of records, sealed or open (docs/spec/store.md, Blobs).

A blob is named `c`, the SHA-256 of its bytes in hex, and lies on a *shelf*: what one party has
brought to one channel. Shelves know nothing of one another; the same bytes on two of them are kept
twice. A blob is there whole or not at all. Uploads come in pieces and can go on after a break;
nothing staged can be read before its hash was seen to be right. What a blob is, who may read it and
how long it stays is the caller's question.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from convenio.core.errors import (
    ConflictError,
    MalformedError,
    RefusedError,
    UnavailableError,
    UnverifiedError,
)
from convenio.store.durable import make_folders, os_errors, sync_folder

Clock = Callable[[], float]

_NAME: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PARTY: Final = re.compile(r"[a-z][a-z0-9]{1,15}", re.ASCII)
_STAGED: Final = "staged"
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BlobLimits:
    """What a shelf takes. max_staged: uploads begun and not finished."""

    max_blob_bytes: int = 1 << 30
    max_chunk_bytes: int = 1 << 20
    max_staged: int = 8


DEFAULT_LIMITS: Final = BlobLimits()


@dataclass(frozen=True, slots=True)
class BlobPlace:
    """Where a blob lies: the shelf of `party` in the channel `ch`, under its hash `c`."""

    ch: str
    party: str
    c: str

    def __str__(self) -> str:
        return f"{self.ch}/{self.party}/{self.c}"


class Shelf(Protocol):
    """What one party has brought to one channel. Safe from any thread.

    What was put is durable on return; what was deleted is gone. Every method may raise
    MalformedError: blob.name, and UnavailableError: store.disk_full · store.io.
    """

    def put(self, c: str, data: bytes | Iterable[bytes]) -> int:
        """The blob is there. Returns its size in bytes. `data` is read in constant memory.

        Raises:  UnverifiedError: blob.hash_differs · RefusedError: blob.too_large.
        """

    def stage_offset(self, c: str) -> int:
        """How many bytes of an upload have come: where to go on. All of them if it is there."""

    def stage_write(self, c: str, offset: int, chunk: bytes, total: int) -> int:
        """The chunk is staged; when it is the last, the blob is there. Returns the new offset.

        A blob that is there already takes nothing more: the answer is `total`. One that comes in
        one piece is not staged: neither other uploads nor what was staged of it are in its way.
        Raises:  ConflictError: blob.offset, with `offset` where to go on ·
                 UnverifiedError: blob.hash_differs, all that was staged is dropped ·
                 RefusedError: blob.too_large · blob.beyond_total · blob.chunk_size ·
                 blob.too_many_uploads.
        """

    def open(self, c: str, start: int = 0) -> BinaryIO:
        """The blob's bytes from `start`, in constant memory; the caller closes it.

        It can be read to its end even if the blob is deleted meanwhile.
        Raises:  UnavailableError: blob.absent.
        """

    def size(self, c: str) -> int | None:
        """The blob's size in bytes, if it is there."""

    def has(self, c: str) -> bool:
        """Whether the blob is there."""

    def delete(self, c: str) -> bool:
        """The blob is gone, and what was staged of it. Returns whether it was there."""

    def names(self) -> Iterator[str]:
        """The names of all blobs here, in no order."""

    def older_than(self, age_s: float) -> Iterator[str]:
        """The names of blobs that came longer ago than this, in no order."""


class BlobStore(Protocol):
    """All shelves of a node. A shelf needs no making: it begins with the first blob on it."""

    def shelf(self, ch: str, party: str) -> Shelf:
        """The shelf of a party in a channel.

        ch: 64 lower-case hex. party: as in a charter. Both name folders.
        Raises:  MalformedError: blob.shelf.
        """

    def sweep(self, older_than_s: float) -> int:
        """Uploads that got nothing for so long are forgotten, on all shelves. How many."""

    def check(self) -> Iterator[BlobPlace]:
        """The blobs whose bytes have another hash than their name. Reads everything."""


def check_name(c: str) -> str:
    """`c`, if it can name a blob: 64 lower-case hex.  Raises:  MalformedError: blob.name."""
    if not _NAME.fullmatch(c):
        raise MalformedError("blob.name")
    return c


def check_shelf(ch: str, party: str) -> tuple[str, str]:
    """Both, if they can name a shelf.  Raises:  MalformedError: blob.shelf."""
    if not _NAME.fullmatch(ch) or not _PARTY.fullmatch(party):
        raise MalformedError("blob.shelf")
    return ch, party


class DiskBlobs:
    """Shelves as folders: `<channel>/<party>/`.

    clock: seconds UTC, for telling since when a blob is here and how long an upload has slept.
    """

    def __init__(self, folder: Path, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> None:
        """Raises:  UnavailableError: store.absent, there is no such folder (see `create`) ·
        store.version, its blobs lie on no shelf.
        """
        if not folder.is_dir():
            raise UnavailableError("store.absent")
        if (folder / _STAGED).exists():
            raise UnavailableError("store.version", found="blobs 0")
        self._folder, self._clock, self._limits = folder, clock, limits
        self._locks = [threading.Lock() for _ in range(256)]

    @classmethod
    def create(cls, folder: Path, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> DiskBlobs:
        """The folder is there, and empty if it was not."""
        with os_errors():
            make_folders(folder)
        return cls(folder, clock, limits)

    def shelf(self, ch: str, party: str) -> DiskShelf:
        check_shelf(ch, party)
        return DiskShelf(self._folder / ch / party, self._clock, self._limits, self._locks)

    def sweep(self, older_than_s: float) -> int:
        return sum(self.shelf(*name).sweep(older_than_s) for name in self._shelves())

    def check(self) -> Iterator[BlobPlace]:
        for ch, party in self._shelves():
            for c in self.shelf(ch, party).check():
                yield BlobPlace(ch, party, c)

    def _shelves(self) -> Iterator[tuple[str, str]]:
        with os_errors():
            for path in self._folder.glob("*/*"):
                with suppress(MalformedError):
                    yield check_shelf(path.parent.name, path.name)


class DiskShelf:
    """Blobs as files: `<first two hex>/<the other 62>`, uploads under `staged/<c>`.

    A file's time of change is when it came, by the clock given.
    """

    def __init__(
        self, folder: Path, clock: Clock, limits: BlobLimits, locks: Sequence[threading.Lock]
    ) -> None:
        """locks: shared by all who have this shelf; each blob has one of them."""
        self._folder, self._clock, self._limits, self._locks = folder, clock, limits, locks
        self._staging = folder / _STAGED

    def put(self, c: str, data: bytes | Iterable[bytes]) -> int:
        if (size := self.size(c)) is not None:
            return size
        with os_errors(), self._scratch() as (file, path):
            size = _copy(c, _pieces(data), file, self._limits)
            with self._held(c):
                self._finish(c, path)
        return size

    def stage_offset(self, c: str) -> int:
        if (size := self.size(c)) is not None:
            return size
        with os_errors():
            return _file_size(self._staged(c)) or 0

    def stage_write(self, c: str, offset: int, chunk: bytes, total: int) -> int:
        _check_chunk(offset, chunk, total, self._limits)
        if len(chunk) == total:
            return self.put(c, chunk)
        with os_errors(), self._held(c):
            if _file_size(self._path(c)) is not None:
                return total
            known = _file_size(self._staged(c))
            if offset != (known or 0):
                raise ConflictError("blob.offset", offset=known or 0)
            if known is None:
                self._begin(c)
            self._extend(c, chunk)
            if offset + len(chunk) == total:
                self._verify_staged(c)
        return offset + len(chunk)

    def open(self, c: str, start: int = 0) -> BinaryIO:
        with os_errors():
            try:
                file = self._path(c).open("rb")
            except FileNotFoundError as error:
                raise UnavailableError("blob.absent") from error
            file.seek(start)
        return file

    def size(self, c: str) -> int | None:
        with os_errors():
            return _file_size(self._path(c))

    def has(self, c: str) -> bool:
        return self.size(c) is not None

    def delete(self, c: str) -> bool:
        with os_errors(), self._held(c):
            return [_unlink(path) for path in (self._staged(c), self._path(c))][-1]

    def names(self) -> Iterator[str]:
        return (name for name, _ in self._files())

    def older_than(self, age_s: float) -> Iterator[str]:
        before = self._clock() - age_s
        for name, path in self._files():
            with os_errors(), suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    yield name

    def sweep(self, older_than_s: float) -> int:
        """Uploads that got nothing for so long are forgotten. Returns how many."""
        swept, before = 0, self._clock() - older_than_s
        with os_errors():
            for path in self._staging.glob("*"):
                with self._held(path.name), suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        swept += 1
        return swept

    def check(self) -> Iterator[str]:
        """The names of blobs whose bytes have another hash. Reads everything."""
        for name in self.names():
            with suppress(UnavailableError), self.open(name) as file:
                if _hash_of(file) != name:
                    yield name

    def _files(self) -> Iterator[tuple[str, Path]]:
        with os_errors():
            for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
                for path in folder.iterdir():
                    if _NAME.fullmatch(name := folder.name + path.name):
                        yield name, path

    def _path(self, c: str) -> Path:
        return self._folder / check_name(c)[:2] / c[2:]

    def _staged(self, c: str) -> Path:
        return self._staging / check_name(c)

    def _held(self, name: str) -> threading.Lock:
        return self._locks[hash((self._folder, name)) % len(self._locks)]

    @contextmanager
    def _scratch(self) -> Iterator[tuple[BinaryIO, Path]]:
        make_folders(self._staging)
        handle, name = tempfile.mkstemp(prefix="put-", dir=self._staging)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def _begin(self, c: str) -> None:
        """An empty upload, if there are not too many. Two at once may both be the last."""
        begun = sum(1 for path in self._staging.glob("*") if _NAME.fullmatch(path.name))
        if begun >= self._limits.max_staged:
            raise RefusedError("blob.too_many_uploads", max=self._limits.max_staged)
        make_folders(self._staging)
        os.close(os.open(self._staged(c), os.O_WRONLY | os.O_CREAT, 0o600))

    def _extend(self, c: str, chunk: bytes) -> None:
        with self._staged(c).open("ab") as file:
            file.write(chunk)
        self._date(self._staged(c))

    def _date(self, path: Path) -> None:
        now = self._clock()
        os.utime(path, (now, now))

    def _verify_staged(self, c: str) -> None:
        """What lies on the disk is hashed again: a restart or a bad chunk shows here."""
        path = self._staged(c)
        try:
            with path.open("r+b") as file:
                if _hash_of(file) != c:
                    raise UnverifiedError("blob.hash_differs")
                os.fsync(file.fileno())
        except (OSError, UnverifiedError):
            path.unlink()  # also after a failed fsync: nobody knows what the disk holds
            raise
        self._finish(c, path)

    def _finish(self, c: str, path: Path) -> None:
        target = self._path(c)
        make_folders(target.parent)
        self._date(path)
        path.replace(target)
        self._staged(c).unlink(missing_ok=True)
        sync_folder(target.parent)


class MemoryBlobs:
    """Shelves in dictionaries, for tests and examples: the same promises but durability."""

    def __init__(self, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> None:
        self._clock, self._limits = clock, limits
        self._shelves: dict[tuple[str, str], MemoryShelf] = {}

    def shelf(self, ch: str, party: str) -> MemoryShelf:
        made = MemoryShelf(self._clock, self._limits)
        return self._shelves.setdefault(check_shelf(ch, party), made)

    def sweep(self, older_than_s: float) -> int:
        return sum(shelf.sweep(older_than_s) for shelf in list(self._shelves.values()))

    def check(self) -> Iterator[BlobPlace]:
        for (ch, party), shelf in list(self._shelves.items()):
            for c in shelf.check():
                yield BlobPlace(ch, party, c)


class MemoryShelf:
    """Blobs in a dictionary, each with the time it came."""

    def __init__(self, clock: Clock, limits: BlobLimits) -> None:
        self._clock, self._limits = clock, limits
        self._lock = threading.RLock()
        self._blobs: dict[str, tuple[float, bytes]] = {}
        self._staged: dict[str, tuple[float, bytes]] = {}

    def put(self, c: str, data: bytes | Iterable[bytes]) -> int:
        if (size := self.size(c)) is not None:
            return size
        buffer = io.BytesIO()
        size = _copy(c, _pieces(data), buffer, self._limits)
        with self._lock:
            self._blobs[c] = (self._clock(), buffer.getvalue())
            self._staged.pop(c, None)
        return size

    def stage_offset(self, c: str) -> int:
        size = self.size(c)
        return len(self._staged.get(c, (0, b""))[1]) if size is None else size

    def stage_write(self, c: str, offset: int, chunk: bytes, total: int) -> int:
        _check_chunk(offset, chunk, total, self._limits)
        if len(chunk) == total:
            return self.put(c, chunk)
        with self._lock:
            if self.has(c):
                return total
            if c not in self._staged and len(self._staged) >= self._limits.max_staged:
                raise RefusedError("blob.too_many_uploads", max=self._limits.max_staged)
            _, known = self._staged.get(c, (0, b""))
            if offset != len(known):
                raise ConflictError("blob.offset", offset=len(known))
            self._staged[c] = (self._clock(), known + chunk)
            if offset + len(chunk) == total:
                self.put(c, self._staged.pop(c)[1])
        return offset + len(chunk)

    def open(self, c: str, start: int = 0) -> BinaryIO:
        if not self.has(c):
            raise UnavailableError("blob.absent")
        file = io.BytesIO(self._blobs[c][1])
        file.seek(start)
        return file

    def size(self, c: str) -> int | None:
        blob = self._blobs.get(check_name(c))
        return None if blob is None else len(blob[1])

    def has(self, c: str) -> bool:
        return self.size(c) is not None

    def delete(self, c: str) -> bool:
        with self._lock:
            self._staged.pop(check_name(c), None)
            return self._blobs.pop(c, None) is not None

    def names(self) -> Iterator[str]:
        return iter(list(self._blobs))

    def older_than(self, age_s: float) -> Iterator[str]:
        return iter(_before(self._clock() - age_s, self._blobs))

    def sweep(self, older_than_s: float) -> int:
        """Uploads that got nothing for so long are forgotten. Returns how many."""
        with self._lock:
            stale = _before(self._clock() - older_than_s, self._staged)
            for c in stale:
                del self._staged[c]
        return len(stale)

    def check(self) -> Iterator[str]:
        """The names of blobs whose bytes have another hash."""
        for name, (_, blob) in list(self._blobs.items()):
            if hashlib.sha256(blob).hexdigest() != name:
                yield name


def _check_chunk(offset: int, chunk: bytes, total: int, limits: BlobLimits) -> None:
    if total > limits.max_blob_bytes:
        raise RefusedError("blob.too_large", max_bytes=limits.max_blob_bytes)
    if len(chunk) > limits.max_chunk_bytes:
        raise RefusedError("blob.chunk_size", max_bytes=limits.max_chunk_bytes)
    if offset + len(chunk) > total:
        raise RefusedError("blob.beyond_total", total=total)


def _pieces(data: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return (data,) if isinstance(data, bytes) else data


def _copy(c: str, pieces: Iterable[bytes], file: BinaryIO, limits: BlobLimits) -> int:
    """`pieces` are in `file`, flushed, and hash to `c`. Returns how many bytes there were."""
    size, digest = 0, hashlib.sha256()
    for piece in pieces:
        size += len(piece)
        if size > limits.max_blob_bytes:
            raise RefusedError("blob.too_large", max_bytes=limits.max_blob_bytes)
        digest.update(piece)
        file.write(piece)
    if digest.hexdigest() != c:
        raise UnverifiedError("blob.hash_differs")
    file.flush()
    with suppress(io.UnsupportedOperation):
        os.fsync(file.fileno())
    return size


def _hash_of(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(_READ_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _file_size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _unlink(path: Path) -> bool:
    """The file is gone, durably. Returns whether it was there."""
    if _file_size(path) is None:
        return False
    path.unlink()
    sync_folder(path.parent)
    return True


def _before(at: float, dated: dict[str, tuple[float, bytes]]) -> list[str]:
    return [c for c, (when, _) in list(dated.items()) if when < at]
