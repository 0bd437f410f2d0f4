"""The people of this node: who they are, what they may do. Only a keeper changes that."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from convenio.core.decide import Act, Person, Question, Role, require
from convenio.core.errors import RefusedError
from convenio.core.nearest import nearest
from convenio.node.local import ActOnRecord, LocalStore

_NAME: Final = re.compile(r"[a-z][a-z0-9._-]{0,39}", re.ASCII)


class People:
    """Adds, changes and disables people. Every change is on record with who made it."""

    def __init__(
        self, local: LocalStore, desks: dict[str, str], disabled: Callable[[str], None]
    ) -> None:
        """desks: alias -> opaque id, of this party. disabled: told who, to put them out."""
        self._local, self._desks, self._disabled = local, desks, disabled
        self._lock = threading.Lock()  # two keepers must not put out each other at once

    def add(self, by: str, name: str, roles: list[str], desks: list[str], now: int) -> Person:
        """Raises:  RefusedError: decide.* · people.name · people.role · trust.unknown_desk ·
        ConflictError: people.exists."""
        self._require_keeper(by)
        check_person_name(name)
        party = self._local.person(by).party
        person = Person(name, party, self._desk_ids(desks), _roles(roles))
        self._local.add_person(person, now, by)
        self._note(by, "people.add", name, now)
        return person

    def change(self, by: str, name: str, roles: list[str], desks: list[str], now: int) -> Person:
        """Give a person these roles and desks, in place of those they had."""
        self._require_keeper(by)
        given, ids = _roles(roles), self._desk_ids(desks)
        with self._lock:
            old = self._local.person(name)
            new = replace(old, roles=given, desks=ids if desks else old.desks)
            self._keep_one_keeper(new)
            self._local.change_person(new)
        self._note(by, "people.role", name, now)
        return new

    def disable(self, by: str, name: str, now: int) -> Person:
        """From now on this person may do nothing; what they did stays theirs."""
        self._require_keeper(by)
        with self._lock:
            gone = replace(self._local.person(name), active=False)
            self._keep_one_keeper(gone)
            self._local.change_person(gone)
        self._disabled(name)
        self._note(by, "people.disable", name, now)
        return gone

    def enable(self, by: str, name: str, now: int) -> Person:
        """This person may do again what their roles say; they sign in anew."""
        self._require_keeper(by)
        with self._lock:
            back = replace(self._local.person(name), active=True)
            self._local.change_person(back)
        self._note(by, "people.enable", name, now)
        return back

    def _require_keeper(self, by: str) -> None:
        require(Question(Act.GOVERN, self._local.person(by)))

    def _keep_one_keeper(self, changed: Person) -> None:
        others = [p for p in self._local.people() if p.id != changed.id]
        if not any(p.active and Role.KEEPER in p.roles for p in (*others, changed)):
            raise RefusedError("people.last_keeper", person=changed.id)

    def _desk_ids(self, names: list[str]) -> frozenset[str]:
        for name in names:
            if name not in self._desks:
                known = nearest(name, self._desks)
                raise RefusedError("trust.unknown_desk", desk=name, known=known)
        return frozenset(self._desks[name] for name in names)

    def _note(self, by: str, act: str, subject: str, now: int) -> None:
        self._local.note_act(ActOnRecord(now, by, act, "", subject, ""))


def check_person_name(name: str) -> None:
    """Raises:  RefusedError: people.name."""
    if not _NAME.fullmatch(name):
        raise RefusedError("people.name", person=name)


def _roles(names: list[str]) -> frozenset[Role]:
    try:
        return frozenset(Role(name) for name in names)
    except ValueError as error:
        raise RefusedError("people.role", role=", ".join(names)) from error
