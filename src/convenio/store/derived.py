"""Databases that can be made again: a damaged one is set aside and kept, and an empty one begun.

Whether it is damaged is asked at every start, by reading the whole file: about a second for the
index of a million records. What makes it fill again is the caller's matter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from convenio.core.errors import UnavailableError
from convenio.store.database import Database, shape_of
from convenio.store.durable import os_errors, sync_folder

MARK: Final = ".damaged-"
MAX_KEPT: Final = 3  # of one database; then the last is given up, for a bad disk may spoil many
_BESIDE: Final = ("-wal", "-shm")
_DAMAGE: Final = frozenset(("store.absent", "store.corrupt", "store.foreign", "store.version"))


def open_derived(path: Path, script: str, version: int, kind: int) -> tuple[Database, str]:
    """The database, open; and the name under which a damaged one is kept from now on, or ''.

    Damaged is also what is cut short, of another version, laid out otherwise, or no database.
    Raises:  UnavailableError: store.io · store.locked · store.disk_full; then nothing is known of
             the file, and it stays where it is.
    """
    kept = ""
    if path.exists():
        try:
            return _sound(path, script, version, kind), ""
        except UnavailableError as error:
            if error.code not in _DAMAGE:
                raise
            kept = _set_aside(path)
    else:
        _forget_beside(path)
    return Database.create(path, script, version, kind=kind), kept


def kept_aside(folder: Path) -> list[str]:
    """The names of what is kept in `folder` because it was damaged."""
    found = sorted(each.name for each in folder.glob(f"*{MARK}*"))
    return [name for name in found if not name.endswith(_BESIDE)]


def _sound(path: Path, script: str, version: int, kind: int) -> Database:
    database = Database.open(path, version, kind=kind, quick_check=True)
    if database.tables() != shape_of(script):
        database.close()
        raise UnavailableError("store.corrupt")
    return database


def _set_aside(path: Path) -> str:
    """SQLite's own files go first: beside a new database they would be taken for its own."""
    numbers = range(1, MAX_KEPT + 1)
    names = [path.with_name(f"{path.name}{MARK}{number}") for number in numbers]
    target = next((name for name in names if not name.exists()), names[-1])
    with os_errors():
        for end in _BESIDE:
            if (beside := _beside(path, end)).exists():
                beside.replace(_beside(target, end))
        path.replace(target)
        sync_folder(path.parent)
    return target.name


def _forget_beside(path: Path) -> None:
    """What SQLite left beside a file that is gone."""
    with os_errors():
        for end in _BESIDE:
            _beside(path, end).unlink(missing_ok=True)


def _beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)
