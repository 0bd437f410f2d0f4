"""Signing in to the pages: a one-time link, given on the command line, exchanged for a session.

Passwords and passkeys come with the working-day pages; until then whoever can run commands on this
machine lets people in. Links and sessions are random, live in the memory of the node process, and
only their hashes are kept: a copy of the disk signs nobody in, and a restart signs everybody out.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from convenio.core.decide import Act, Person, Question, require
from convenio.core.errors import RefusedError
from convenio.node.clock import Clock
from convenio.node.local import ActOnRecord, LocalStore

LINK_S: Final = 15 * 60
SESSION_S: Final = 8 * 3600  # a working day
MAX_KEPT: Final = 1000  # links, and sessions; then the oldest end
_SECRET: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Given:
    """A secret just given to somebody: 64 hex digits, shown once. until: seconds UTC."""

    secret: str
    person: str
    until: int


class SignIns:
    """Who may come in, and who is in. Safe from any thread."""

    def __init__(self, local: LocalStore, clock: Clock, rng: Callable[[int], bytes]) -> None:
        self._local, self._clock, self._rng = local, clock, rng
        self._lock = threading.Lock()
        self._links: dict[str, tuple[str, int]] = {}
        self._sessions: dict[str, tuple[str, int]] = {}

    def link(self, by: str, name: str) -> Given:
        """A link for `name`, good once and for 15 minutes. On record with who asked for it.

        Raises:  RefusedError: people.unknown · decide.disabled · decide.role, `by` is neither the
                 person nor a keeper.
        """
        asking, person = self._local.person(by), self._local.person(name)
        if by != name:
            require(Question(Act.GOVERN, asking))
        if not person.active or not asking.active:
            raise RefusedError("decide.disabled")
        given = self._give(self._links, name, LINK_S)
        self._note(by, "web.link", name)
        return given

    def whose(self, secret: str) -> str:
        """Whose link this is; it stays good.  Raises:  RefusedError: signin.link."""
        with self._lock:
            return self._find(self._links, secret, "signin.link")

    def enter(self, secret: str) -> Given:
        """A session for whom the link was given to; the link is used up.

        Raises:  RefusedError: signin.link · decide.disabled.
        """
        with self._lock:
            name = self._find(self._links, secret, "signin.link")
            del self._links[_hash(secret)]
        if not self._local.person(name).active:
            raise RefusedError("decide.disabled")
        given = self._give(self._sessions, name, SESSION_S)
        self._note(name, "web.enter", name)
        return given

    def person(self, secret: str) -> Person:
        """Who holds this session.  Raises:  RefusedError: signin.ended; also when disabled."""
        with self._lock:
            name = self._find(self._sessions, secret, "signin.ended")
        person = self._local.person(name)
        if not person.active:
            raise RefusedError("signin.ended")
        return person

    def leave(self, secret: str) -> None:
        """The session is over. Nothing happens if it was."""
        with self._lock:
            self._sessions.pop(_hash(secret), None)

    def forget(self, name: str) -> None:
        """Every link and session of this person has ended."""
        with self._lock:
            for kept in (self._links, self._sessions):
                for key in [key for key, (whose, _) in kept.items() if whose == name]:
                    del kept[key]

    def _give(self, kept: dict[str, tuple[str, int]], name: str, seconds: int) -> Given:
        secret, until = self._rng(32).hex(), int(self._clock()) + seconds
        with self._lock:
            for old in [key for key, (_, end) in kept.items() if end <= until - seconds]:
                del kept[old]
            while len(kept) >= MAX_KEPT:
                del kept[next(iter(kept))]
            kept[_hash(secret)] = (name, until)
        return Given(secret, name, until)

    def _find(self, kept: dict[str, tuple[str, int]], secret: str, code: str) -> str:
        """By hash, so that the time a wrong guess takes says nothing of the right one."""
        name, until = kept.get(_hash(secret), ("", 0))
        if not _SECRET.fullmatch(secret) or until <= self._clock():
            raise RefusedError(code)
        return name

    def _note(self, by: str, act: str, subject: str) -> None:
        self._local.note_act(ActOnRecord(int(self._clock()), by, act, "", subject, ""))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
