"""What only this node knows: its people, its channels, who opened what. Database `local.db`.

Plain data, not part of any history; backed up. Each function is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from convenio.core.decide import Person, Role
from convenio.core.errors import ConflictError, RefusedError, UnavailableError
from convenio.core.nearest import nearest
from convenio.core.record import PartyId
from convenio.core.trust import SignedCharter, parse_charter
from convenio.store.database import Database, shape_of

_SCRIPT: Final = """
CREATE TABLE people (
  id TEXT PRIMARY KEY, roles TEXT NOT NULL, desks TEXT NOT NULL, active INTEGER NOT NULL,
  added_at INTEGER NOT NULL, added_by TEXT NOT NULL
) STRICT;
CREATE TABLE channels (
  ch TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, charter BLOB NOT NULL,
  confirmed_at INTEGER NOT NULL DEFAULT 0, confirmed_by TEXT NOT NULL DEFAULT '',
  frozen_at INTEGER NOT NULL DEFAULT 0, frozen_cut TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE TABLE routes (
  ch TEXT NOT NULL, party TEXT NOT NULL, url TEXT NOT NULL, PRIMARY KEY (ch, party)
) STRICT;
CREATE TABLE acts (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, person TEXT NOT NULL, act TEXT NOT NULL,
  ch TEXT NOT NULL, subject TEXT NOT NULL, reason TEXT NOT NULL
) STRICT;
CREATE TRIGGER acts_stay BEFORE DELETE ON acts BEGIN SELECT RAISE(ABORT, 'acts only grow'); END;
CREATE TRIGGER acts_fixed BEFORE UPDATE ON acts BEGIN SELECT RAISE(ABORT, 'acts only grow'); END;
"""
VERSION: Final = 2
KIND: Final = 0x636F6E4C


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel as this node knows it. confirmed: a person here has compared the fingerprint.

    frozen_at: when a party was found to have signed two histories, 0 if never. frozen_cut: how much
    of each log counts since then; a log that is not named, nothing of it.
    """

    ch: str
    name: str
    signed: SignedCharter
    confirmed_at: int
    confirmed_by: str
    frozen_at: int
    frozen_cut: Mapping[PartyId, int] = field(default_factory=dict)

    @property
    def in_force(self) -> bool:
        """Complete, and confirmed by voice; only public test channels go without."""
        charter = self.signed.charter
        only_a_test = charter.public and charter.purpose == "test"
        return not self.signed.missing() and bool(self.confirmed_at or only_a_test)


@dataclass(frozen=True, slots=True)
class ActOnRecord:
    """One line of who did what here."""

    at: int
    person: str
    act: str
    ch: str
    subject: str
    reason: str


class LocalStore:
    """People, channels and the log of acts of one node."""

    def __init__(self, database: Database, party: str) -> None:
        self._database = database
        self._party = PartyId(party)

    @classmethod
    def create(cls, path: Path, party: str) -> LocalStore:
        return cls(Database.create(path, _SCRIPT, VERSION, kind=KIND), party)

    @classmethod
    def open(cls, path: Path, party: str) -> LocalStore:
        """Raises:  UnavailableError: store.*; of a damaged file nothing is believed."""
        database = Database.open(path, VERSION, kind=KIND, quick_check=True)
        if database.tables() != shape_of(_SCRIPT):
            database.close()
            raise UnavailableError("store.corrupt")
        return cls(database, party)

    def close(self) -> None:
        self._database.close()

    def _read(self, query: str, *values: str | int) -> list[Any]:
        with self._database.reading() as db:
            return db.execute(query, values).fetchall()

    # --- people ---

    def add_person(self, person: Person, at: int, by: str) -> None:
        """Raises:  ConflictError: people.exists."""
        with self._database.write() as db:
            if db.execute("SELECT 1 FROM people WHERE id = ?", (person.id,)).fetchone():
                raise ConflictError("people.exists", person=person.id)
            row = (person.id, *_stored(person), at, by)
            db.execute("INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)", row)

    def change_person(self, person: Person) -> None:
        with self._database.write() as db:
            db.execute(
                "UPDATE people SET roles = ?, desks = ?, active = ? WHERE id = ?",
                (*_stored(person), person.id),
            )

    def person(self, name: str) -> Person:
        """Raises:  RefusedError: people.unknown."""
        rows = self._read("SELECT id, roles, desks, active FROM people WHERE id = ?", name)
        for row in rows:
            return self._person(row)
        known = nearest(name, (person.id for person in self.people()))
        raise RefusedError("people.unknown", person=name, known=known)

    def people(self) -> list[Person]:
        rows = self._read("SELECT id, roles, desks, active FROM people ORDER BY id")
        return [self._person(row) for row in rows]

    def _person(self, row: tuple[str, str, str, int]) -> Person:
        roles = frozenset(Role(role) for role in json.loads(row[1]))
        return Person(row[0], self._party, frozenset(json.loads(row[2])), roles, bool(row[3]))

    # --- channels ---

    def put_charter(self, signed: SignedCharter) -> None:
        """Keep a charter, or the same charter with more signatures.

        Raises:  ConflictError: channel.name_taken, another channel here has this name.
        """
        charter = signed.charter
        with self._database.write() as db:
            taken = "SELECT 1 FROM channels WHERE name = ? AND ch <> ?"
            if db.execute(taken, (charter.name, charter.ch)).fetchone():
                raise ConflictError("channel.name_taken", channel=charter.name)
            db.execute(
                "INSERT INTO channels (ch, name, charter) VALUES (?, ?, ?)"
                " ON CONFLICT (ch) DO UPDATE SET charter = excluded.charter",
                (charter.ch, charter.name, signed.note.encode()),
            )

    def confirm(self, ch: str, at: int, by: str) -> None:
        with self._database.write() as db:
            db.execute(
                "UPDATE channels SET confirmed_at = ?, confirmed_by = ? WHERE ch = ?", (at, by, ch)
            )

    def freeze(self, ch: str, at: int, cut: Mapping[PartyId, int]) -> None:
        """Fold a channel up to `cut` and no further, now and ever after. The first time stands."""
        with self._database.write() as db:
            db.execute(
                "UPDATE channels SET frozen_at = ?, frozen_cut = ? WHERE ch = ? AND frozen_at = 0",
                (at, json.dumps(dict(cut)), ch),
            )

    def channels(self) -> list[Channel]:
        rows = self._read(
            "SELECT ch, name, charter, confirmed_at, confirmed_by, frozen_at, frozen_cut"
            " FROM channels ORDER BY name"
        )
        return [
            Channel(r[0], r[1], _charter(r[2]), r[3], r[4], r[5], json.loads(r[6])) for r in rows
        ]

    def channel(self, name: str) -> Channel:
        """The channel with this name or hash.  Raises:  RefusedError: channel.unknown."""
        for channel in self.channels():
            if name in (channel.name, channel.ch):
                return channel
        known = nearest(name, (channel.name for channel in self.channels()))
        raise RefusedError("channel.unknown", channel=name, known=known)

    def set_route(self, ch: str, party: str, url: str) -> None:
        """Reach a member at another address than its roster says; keys stay those of the roster."""
        with self._database.write() as db:
            db.execute("INSERT OR REPLACE INTO routes VALUES (?, ?, ?)", (ch, party, url))

    def drop_route(self, ch: str, party: str) -> bool:
        """Reach a member where its roster says; False if that was so already."""
        with self._database.write() as db:
            sql = "DELETE FROM routes WHERE ch = ? AND party = ?"
            return db.execute(sql, (ch, party)).rowcount > 0

    def routes(self) -> dict[tuple[str, str], str]:
        rows = self._read("SELECT ch, party, url FROM routes")
        return {(row[0], row[1]): row[2] for row in rows}

    # --- acts ---

    def note_act(self, act: ActOnRecord) -> None:
        """Write down who did what; such lines are never changed or removed."""
        row = (act.at, act.person, act.act, act.ch, act.subject, act.reason)
        with self._database.write() as db:
            db.execute(
                "INSERT INTO acts (at, person, act, ch, subject, reason) VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )

    def acts(self, limit: int = 1000) -> list[ActOnRecord]:
        """The latest acts, newest first."""
        rows = self._read(
            "SELECT at, person, act, ch, subject, reason FROM acts ORDER BY seq DESC LIMIT ?", limit
        )
        return [ActOnRecord(*row) for row in rows]


@lru_cache(maxsize=256)  # these bytes were checked when they came; checking takes milliseconds
def _charter(data: bytes) -> SignedCharter:
    return parse_charter(data)


def _stored(person: Person) -> tuple[str, str, int]:
    roles = json.dumps(sorted(person.roles))
    return roles, json.dumps(sorted(person.desks)), int(person.active)
