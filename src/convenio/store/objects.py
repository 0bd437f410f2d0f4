"""Blobs by their hash: the bodies of records, sealed or open (docs/spec/store.md, Blobs).

A blob is named `c`, the SHA-256 of its bytes in hex, and is there whole or not at all. Uploads come
in pieces and can go on after a break; nothing staged can be read before its hash was seen to be
right. What a blob is, who may read it and how long it stays is the caller's question.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
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
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BlobLimits:
    """What a blob store takes. max_staged: uploads begun and not finished."""

    max_blob_bytes: int = 1 << 30
    max_chunk_bytes: int = 1 << 20
    max_staged: int = 256


DEFAULT_LIMITS: Final = BlobLimits()


class BlobStore(Protocol):
    """Safe from any thread. What was put is durable on return; what was deleted is gone.

    Every method may raise MalformedError: blob.name, and UnavailableError: store.disk_full ·
    store.io.
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
        one piece is not staged: neither others' uploads nor what they staged of it are in its way.
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
        """The names of all blobs, in no order."""

    def sweep(self, older_than_s: float) -> int:
        """Uploads that got nothing for so long are forgotten. Returns how many."""

    def check(self) -> Iterator[str]:
        """The names of blobs whose bytes have another hash. Reads everything."""


def check_name(c: str) -> str:
    """`c`, if it can name a blob: 64 lower-case hex.  Raises:  MalformedError: blob.name."""
    if not _NAME.fullmatch(c):
        raise MalformedError("blob.name")
    return c


class DiskBlobs:
    """Blobs as files: `<first two hex>/<the other 62>`, uploads under `staged/<c>`.

    clock: seconds UTC, for telling how long an upload has slept.
    """

    def __init__(self, folder: Path, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> None:
        """Raises:  UnavailableError: store.absent, there is no such folder (see `create`)."""
        if not (folder / "staged").is_dir():
            raise UnavailableError("store.absent")
        self._folder, self._clock, self._limits = folder, clock, limits
        self._locks = [threading.Lock() for _ in range(256)]
        self._counting = threading.Lock()

    @classmethod
    def create(cls, folder: Path, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> DiskBlobs:
        """The folder is there, and empty if it was not."""
        with os_errors():
            make_folders(folder / "staged")
        return cls(folder, clock, limits)

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
            self._extend(c, chunk, new=known is None)
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
        path = self._path(c)
        with os_errors(), self._held(c):
            there = _file_size(path) is not None
            for each in (self._staged(c), path):
                each.unlink(missing_ok=True)
            if there:
                sync_folder(path.parent)
            sync_folder(self._folder / "staged")
        return there

    def names(self) -> Iterator[str]:
        with os_errors():
            for folder in self._folder.glob("[0-9a-f][0-9a-f]"):
                for path in folder.iterdir():
                    if _NAME.fullmatch(name := folder.name + path.name):
                        yield name

    def sweep(self, older_than_s: float) -> int:
        swept, before = 0, self._clock() - older_than_s
        with os_errors():
            for path in (self._folder / "staged").iterdir():
                with self._held(path.name), suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        path.unlink()
                        swept += 1
        return swept

    def check(self) -> Iterator[str]:
        for name in self.names():
            with suppress(UnavailableError), self.open(name) as file:
                if _hash_of(file) != name:
                    yield name

    def _path(self, c: str) -> Path:
        return self._folder / check_name(c)[:2] / c[2:]

    def _staged(self, c: str) -> Path:
        return self._folder / "staged" / check_name(c)

    def _held(self, name: str) -> threading.Lock:
        return self._locks[hash(name) % len(self._locks)]

    @contextmanager
    def _scratch(self) -> Iterator[tuple[BinaryIO, Path]]:
        handle, name = tempfile.mkstemp(prefix="put-", dir=self._folder / "staged")
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file, path
        finally:
            path.unlink(missing_ok=True)

    def _extend(self, c: str, chunk: bytes, *, new: bool) -> None:
        with self._counting:
            if (
                new
                and sum(1 for _ in (self._folder / "staged").iterdir()) >= self._limits.max_staged
            ):
                raise RefusedError("blob.too_many_uploads", max=self._limits.max_staged)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            handle = os.open(self._staged(c), flags, 0o600)
        with os.fdopen(handle, "ab") as file:
            file.write(chunk)
        now = self._clock()
        os.utime(self._staged(c), (now, now))

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
        path.replace(target)
        self._staged(c).unlink(missing_ok=True)
        sync_folder(target.parent)


class MemoryBlobs:
    """Blobs in a dictionary, for tests and examples: the same promises but durability."""

    def __init__(self, clock: Clock, limits: BlobLimits = DEFAULT_LIMITS) -> None:
        self._clock, self._limits = clock, limits
        self._lock = threading.RLock()
        self._blobs: dict[str, bytes] = {}
        self._staged: dict[str, tuple[float, bytes]] = {}

    def put(self, c: str, data: bytes | Iterable[bytes]) -> int:
        if (size := self.size(c)) is not None:
            return size
        buffer = io.BytesIO()
        size = _copy(c, _pieces(data), buffer, self._limits)
        with self._lock:
            self._blobs[c] = buffer.getvalue()
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
        file = io.BytesIO(self._blobs[c])
        file.seek(start)
        return file

    def size(self, c: str) -> int | None:
        blob = self._blobs.get(check_name(c))
        return None if blob is None else len(blob)

    def has(self, c: str) -> bool:
        return self.size(c) is not None

    def delete(self, c: str) -> bool:
        with self._lock:
            self._staged.pop(check_name(c), None)
            return self._blobs.pop(c, None) is not None

    def names(self) -> Iterator[str]:
        return iter(list(self._blobs))

    def sweep(self, older_than_s: float) -> int:
        before = self._clock() - older_than_s
        with self._lock:
            stale = [c for c, (at, _) in self._staged.items() if at < before]
            for c in stale:
                del self._staged[c]
        return len(stale)

    def check(self) -> Iterator[str]:
        for name in self.names():
            if hashlib.sha256(self._blobs.get(name, b"")).hexdigest() != name:
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
