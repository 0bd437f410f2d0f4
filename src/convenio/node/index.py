"""An index over what is folded: records by time and by short hash, and who cites which blob.

Derived from the logs, in `view.db`; it may be dropped and is then built again. Pages and commands
list from here; nothing is decided from it but what `core.decide` is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from convenio.core.errors import UnavailableError
from convenio.core.place import Folded
from convenio.core.record import PartyId
from convenio.store.database import Database
from convenio.store.derived import open_derived

_SCRIPT: Final = """
CREATE TABLE marks (ch TEXT NOT NULL, party TEXT NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (ch, party)) STRICT, WITHOUT ROWID;
CREATE TABLE records (
  ch TEXT NOT NULL, party TEXT NOT NULL, idx INTEGER NOT NULL, leaf BLOB NOT NULL,
  at INTEGER NOT NULL, type TEXT NOT NULL, kase TEXT NOT NULL, automatic INTEGER NOT NULL,
  PRIMARY KEY (ch, party, idx)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_leaf ON records (leaf);
CREATE INDEX records_by_time ON records (ch, automatic, at, party, idx);
CREATE TABLE cites (c BLOB NOT NULL, ch TEXT NOT NULL, party TEXT NOT NULL, idx INTEGER NOT NULL,
  part INTEGER NOT NULL, PRIMARY KEY (c, ch, party, idx, part)) STRICT, WITHOUT ROWID;
"""
VERSION: Final = 1
KIND: Final = 0x636F6E56
AUTOMATIC: Final = frozenset(("received.v1", "proof.v1", "objection.v1"))


@dataclass(frozen=True, slots=True)
class Row:
    """One folded record. leaf: 32 bytes. at: seconds UTC."""

    ch: str
    party: PartyId
    index: int
    leaf: bytes
    at: int
    type: str
    case: str


class Index:
    """Lists records; filled by the folding, one batch a transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.damaged = False  # found while running: to be set aside at the next start

    @classmethod
    def open(cls, path: Path) -> tuple[Index, str]:
        """The index at `path`, begun anew where there is none or a damaged one.

        Also the name under which a damaged one is kept, or ''. The folding fills it as it starts.
        """
        database, kept = open_derived(path, _SCRIPT, VERSION, KIND)
        return cls(database), kept

    def close(self) -> None:
        self._database.close()

    def size(self, ch: str, party: str) -> int:
        """How many entries of a log are indexed."""
        rows = self._read("SELECT size FROM marks WHERE ch = ? AND party = ?", ch, party)
        return int(rows[0][0]) if rows else 0

    def add(self, ch: str, folded: Iterable[Folded], sizes: dict[PartyId, int]) -> None:
        """Index what has come into the cut; sizes: of each log, as folded now."""
        records, cites = [], []
        for item in folded:
            place, header = item.place, item.header
            key = (ch, place.party, place.index)
            automatic = int(header.type in AUTOMATIC)
            records.append((*key, item.leaf, header.at, header.type, header.case, automatic))
            for part, body in enumerate(header.bodies):
                cites.append((bytes.fromhex(body.c), *key, part))
        with self._watched(), self._database.write() as db:
            row = "INSERT OR IGNORE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            db.executemany(row, records)
            db.executemany("INSERT OR IGNORE INTO cites VALUES (?, ?, ?, ?, ?)", cites)
            marks = [(ch, party, size) for party, size in sizes.items()]
            db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)", marks)

    def by_prefix(self, prefix: bytes, limit: int = 2) -> list[Row]:
        """Records whose leaf hash begins with `prefix` (at least 4 bytes)."""
        top = prefix + b"\xff" * (32 - len(prefix))
        low = prefix + bytes(32 - len(prefix))
        where = "WHERE leaf BETWEEN ? AND ? LIMIT ?"
        return [_row(r) for r in self._read(f"{_SELECT} {where}", low, top, limit)]

    def latest(
        self, ch: str, limit: int, before: Row | None = None, *, automatic: bool
    ) -> list[Row]:
        """A channel's records, newest first; `before` is the last of the page before."""
        at, party, index = (before.at, before.party, before.index) if before else _TOP
        where = (
            "WHERE ch = ? AND automatic <= ? AND at <= ? AND (at, party, idx) < (?, ?, ?)"
            " ORDER BY at DESC, party DESC, idx DESC LIMIT ?"
        )
        values = (ch, int(automatic), at, at, party, index, limit)
        return [_row(r) for r in self._read(f"{_SELECT} {where}", *values)]

    def citing(self, ch: str, party: str, c: str) -> list[int]:
        """The first entries of a party's log that name this blob, at most 100: their indexes."""
        query = "SELECT DISTINCT idx FROM cites WHERE c = ? AND ch = ? AND party = ? LIMIT 100"
        return [row[0] for row in self._read(query, bytes.fromhex(c), ch, party)]

    def _read(self, query: str, *values: str | int | bytes) -> list[Any]:
        with self._watched(), self._database.reading() as db:
            return db.execute(query, values).fetchall()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except UnavailableError as error:
            self.damaged = self.damaged or error.code == "store.corrupt"
            raise


_SELECT: Final = "SELECT ch, party, idx, leaf, at, type, kase FROM records"
_TOP: Final = (2**62, "~", 2**62)


def _row(raw: tuple[str, str, int, bytes, int, str, str]) -> Row:
    return Row(raw[0], PartyId(raw[1]), raw[2], raw[3], raw[4], raw[5], raw[6])
