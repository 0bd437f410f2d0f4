"""One SQLite file: a writer behind a lock, readers beside it, and honest errors.

Every transaction is durable when it returns (WAL, synchronous=FULL) and serialised with all
others. After a failed COMMIT nobody knows what the disk holds, so the database is *dead*: further
writes are refused until the process has ended and a new one has opened the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from convenio.core.errors import ConflictError, UnavailableError
from convenio.store.durable import os_errors, sync_folder

Connect = Callable[..., sqlite3.Connection]
Row = tuple[Any, ...]

_WRITER: Final = """
PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA recursive_triggers = ON;
PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16000;
PRAGMA wal_autocheckpoint = 8000; PRAGMA journal_size_limit = 67108864;
"""
_FILLER: Final = (
    "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;"
)
_READER: Final = """
PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8000;
"""
_SHAPE: Final = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
_MAX_IDLE_READERS: Final = 4


class Database:
    """An open file. Safe from any thread; `create` and `open` make one, `close` ends it."""

    def __init__(self, path: Path, busy_s: float, read_only: bool, connect: Connect) -> None:
        self._path = path
        self._busy_s = busy_s
        self._connect = connect
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._filling = threading.Lock()
        self._filler: sqlite3.Connection | None = None
        self._commits = self._filled = 0
        self._writer = None if read_only else self._open_writer()
        self.dead = False

    @classmethod
    def create(cls, path: Path, script: str, version: int, *, kind: int = 0) -> Database:
        """The file exists, empty and complete, readable by its owner only; it is open.

        Args:    script: SQL that makes the tables. version: of the schema, from 1. kind: SQLite's
                 application_id, so that one database is not taken for another.
        Raises:  ConflictError: store.exists · UnavailableError: store.disk_full · store.io.
        """
        unfinished = path.with_name(f".new-{os.getpid()}-{path.name}")
        with os_errors(), sqlite_errors():
            try:
                os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                _build(unfinished, script, version, kind)
                path.hardlink_to(unfinished)
            except FileExistsError as error:
                raise ConflictError("store.exists") from error
            finally:
                unfinished.unlink(missing_ok=True)
            sync_folder(path.parent)
        return cls.open(path, version, kind=kind)

    @classmethod
    def open(  # noqa: PLR0913 - each has a name and a default
        cls,
        path: Path,
        version: int,
        *,
        kind: int = 0,
        read_only: bool = False,
        quick_check: bool = False,
        busy_s: float = 5.0,
        connect: Connect = sqlite3.connect,
    ) -> Database:
        """The file at `path`; it is never created here.

        Args:    busy_s: how long a write waits for another process, in seconds.
                 quick_check: read the whole file and look for damage first.
        Raises:  UnavailableError: store.absent · store.corrupt · store.foreign, not a file of this
                 kind · store.version, with `found`: another schema.
        """
        if not path.is_file():
            raise UnavailableError("store.absent")
        with sqlite_errors():
            opened = cls(path, busy_s, read_only, connect)
            try:
                opened._recognise(version, kind)
                if quick_check and opened.damage():
                    raise UnavailableError("store.corrupt")
            except BaseException:
                opened.close()
                raise
        return opened

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """What is executed inside is committed durably at the end, or not at all.

        Raises:  UnavailableError: store.dead · store.locked · store.disk_full · store.io ·
                 store.corrupt.
        """
        with self._lock, sqlite_errors():
            writer = self._alive()
            try:
                writer.execute("BEGIN IMMEDIATE")
                yield writer
            except BaseException as error:
                self._roll_back(writer, error)
                raise
            self._commit(writer)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection for a few statements; it sees the last commit."""
        with sqlite_errors():
            reader = self._take_reader()
            try:
                yield reader
            finally:
                self._give_back(reader)

    def read(self, sql: str, *parameters: object) -> list[Row]:
        """All rows of one SELECT over what is committed."""
        with self.reading() as reader:
            return reader.execute(sql, parameters).fetchall()

    def backfill(self) -> None:
        """Copy what is committed from the write-ahead log to its place, beside the writer.

        Whoever writes much calls this every second or so from a thread of its own. Otherwise the
        writer does it in one of its commits, which then takes as long as the disk needs for all.
        Raises:  UnavailableError: store.disk_full · store.io · store.corrupt. The last two: dead.
        """
        with self._filling, sqlite_errors():
            commits = self._commits
            if self._closed or commits == self._filled:
                return
            self._filler = self._filler or self._open_filler()
            try:
                row = self._filler.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            except sqlite3.Error as error:
                self.dead = self.dead or _is(error, *_FATAL)
                raise
            busy, frames, copied = row
            if not busy and frames == copied:
                self._filled = commits

    def damage(self) -> list[str]:
        """SQLite's complaints about the structure of the file, at most 100. Reads all of it."""
        return [line for (line,) in self.read("PRAGMA quick_check(100)") if line != "ok"]

    def tables(self) -> list[Row]:
        """What tables, indexes and triggers there are; see `shape_of`."""
        return self.read(_SHAPE)

    def close(self) -> None:
        """Every connection is closed. A second call does nothing."""
        with self._filling, self._lock:
            self._closed = True
            for connection in [*self._idle, *filter(None, [self._filler, self._writer])]:
                with suppress(sqlite3.Error):
                    connection.close()
            self._idle.clear()
            self._writer = self._filler = None

    def _alive(self) -> sqlite3.Connection:
        if self._writer is None:
            raise RuntimeError("this database is closed, or open for reading only")
        if self.dead:
            raise UnavailableError("store.dead")
        return self._writer

    def _commit(self, writer: sqlite3.Connection) -> None:
        """A full disk fails before the commit frame is whole; anything else is unknown: dead."""
        try:
            writer.execute("COMMIT")
        except BaseException as error:
            self.dead = not _is(error, sqlite3.SQLITE_FULL)
            self._roll_back(writer, error)
            raise
        self._commits += 1

    def _roll_back(self, writer: sqlite3.Connection, error: BaseException) -> None:
        if _is(error, *_FATAL):
            self.dead = True
        try:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
        except sqlite3.Error:
            self.dead = True

    def _open_writer(self) -> sqlite3.Connection:
        writer = self._connect(_uri(self._path, "rw"), **_options(self._busy_s))
        writer.executescript(_WRITER)
        writer.execute("SELECT 1 FROM sqlite_master").fetchone()  # recovers after a crash
        return writer

    def _open_filler(self) -> sqlite3.Connection:
        filler = self._connect(_uri(self._path, "rw"), **_options(self._busy_s))
        filler.executescript(_FILLER)
        return filler

    def _take_reader(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise RuntimeError("this database is closed")
            if self._idle:
                return self._idle.pop()
        reader = self._connect(_uri(self._path, "ro"), **_options(self._busy_s))
        reader.executescript(_READER)
        return reader

    def _give_back(self, reader: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed and len(self._idle) < _MAX_IDLE_READERS:
                self._idle.append(reader)
                return
        reader.close()

    def _recognise(self, version: int, kind: int) -> None:
        ((found_kind,),) = self.read("PRAGMA application_id")
        ((found,),) = self.read("PRAGMA user_version")
        if found_kind != kind:
            raise UnavailableError("store.foreign")
        if found != version:
            raise UnavailableError("store.version", found=found)


def typed(row: Row, *kinds: type) -> Row:
    """The row, if its values are of these kinds; a flipped bit can make text of bytes.

    Raises:  UnavailableError: store.corrupt.
    """
    if tuple(map(type, row)) != kinds:
        raise UnavailableError("store.corrupt")
    return row


def shape_of(script: str) -> list[Row]:
    """The tables, indexes and triggers that `script` makes, as `Database.tables` gives them."""
    connection = sqlite3.connect(":memory:")
    try:
        connection.executescript(script)
        return connection.execute(_SHAPE).fetchall()
    finally:
        connection.close()


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """sqlite3.Error inside becomes UnavailableError; what is neither ours nor the disk's stays.

    An IntegrityError is a guard or a constraint that our own code ran into: RuntimeError.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # text that is none, in an error message even
        raise UnavailableError("store.corrupt") from error
    except sqlite3.Error as error:
        code = _CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
        if "decode to UTF-8" in str(error):  # text that is none: Python's own complaint
            code = "store.corrupt"
        if code is None:
            raise RuntimeError(f"sqlite3: {error}") from error
        raise UnavailableError(code) from error


_FATAL: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CODES: Final = {
    sqlite3.SQLITE_FULL: "store.disk_full",
    sqlite3.SQLITE_BUSY: "store.locked",
    sqlite3.SQLITE_LOCKED: "store.locked",
    sqlite3.SQLITE_IOERR: "store.io",
    sqlite3.SQLITE_READONLY: "store.io",
    sqlite3.SQLITE_CANTOPEN: "store.io",
    sqlite3.SQLITE_PERM: "store.io",
    sqlite3.SQLITE_PROTOCOL: "store.locked",
    sqlite3.SQLITE_NOMEM: "store.io",
    sqlite3.SQLITE_CORRUPT: "store.corrupt",
    sqlite3.SQLITE_NOTADB: "store.corrupt",
    sqlite3.SQLITE_FORMAT: "store.corrupt",
}


def _is(error: BaseException, *codes: int) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def _options(busy_s: float) -> dict[str, object]:
    return {"uri": True, "isolation_level": None, "check_same_thread": False, "timeout": busy_s}


def _uri(path: Path, mode: str) -> str:
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def _build(path: Path, script: str, version: int, kind: int) -> None:
    connection = sqlite3.connect(_uri(path, "rw"), uri=True, isolation_level=None)
    try:
        connection.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN IMMEDIATE;"
            f"PRAGMA application_id = {kind}; PRAGMA user_version = {version}; {script}; COMMIT;"
        )
    finally:
        connection.close()
