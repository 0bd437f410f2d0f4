"""Each write of a whole node fails in turn: unpersisted, or persisted and not known to be.

After a full disk the node goes on by itself; after a commit nobody knows the end of, it says that
it must be started again. Either way both nodes end with the same two logs, each thing said once.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import KEEPER, NOW, OFFICER, Clock, Home, World, agree, make_home, world
from tests.support.serving import Serving

from convenio.core.errors import ConvenioError, UnavailableError
from convenio.core.record import parse_record
from convenio.node import wiring
from convenio.node.control import ControlClient
from convenio.node.local import ActOnRecord
from convenio.node.records import State
from convenio.node.sequencer import Accepted
from convenio.node.setup import LOG
from convenio.store.objects import DiskBlobs, DiskShelf
from convenio.store.sqlite import SqliteStore

WRITES = (
    "append",
    "replace_checkpoint",
    "put_pending",
    "put_entries",
    "advance",
    "absorb",
    "put_cosignature",
    "set_fold_mark",
)
BODY_WRITES = ("put", "stage_write")


class Plan:
    """Which write of the armed node fails, and how. seen: the names of the writes since then.

    kind: count only writes of this name. Which write is the n-th depends on how threads take turns;
    the first of a kind is sure to come.
    """

    def __init__(self) -> None:
        self.left = -1
        self.kind = ""
        self.persisted = False
        self.seen: list[str] = []
        self.failed = ""

    def arm(self, left: int, *, persisted: bool, kind: str = "") -> None:
        self.left, self.persisted, self.failed, self.kind = left, persisted, "", kind
        self.seen = []

    def around(self, name: str, write: Callable[[], Any], dead: Callable[[], None]) -> Any:
        self.seen.append(name)
        if self.kind not in ("", name):
            return write()
        self.left -= 1
        if self.left != -1:
            return write()
        self.failed = name
        if not self.persisted:
            raise UnavailableError("store.disk_full")
        write()
        dead()
        raise UnavailableError("store.io")


PLAN = Plan()
KINDS = ("append", "put_pending", "absorb", "put_cosignature", "stage_write", "put")


class FaultyStore(SqliteStore):
    """A store whose writes fail by plan, in the folder of mx alone."""


class FaultyShelf(DiskShelf):
    """A shelf whose writes fail by plan."""


class FaultyBlobs(DiskBlobs):
    """Blobs on such shelves."""

    def shelf(self, ch: str, party: str) -> DiskShelf:
        return FaultyShelf(self._folder / ch / party, self._clock, self._limits, self._locks)


def _faulty(name: str, inner: Callable[..., Any]) -> Callable[..., Any]:
    def write(self: Any, *args: Any, **more: Any) -> Any:
        # Of the node's folder: that of a shelf only ends in a party's name.
        if "/mx/" not in str(getattr(self, "_folder", None) or self._database._path):
            return inner(self, *args, **more)

        def dead() -> None:
            if isinstance(self, SqliteStore):
                self._database.dead = True

        return PLAN.around(name, lambda: inner(self, *args, **more), dead)

    return write


for _name in WRITES:
    setattr(FaultyStore, _name, _faulty(_name, getattr(SqliteStore, _name)))
for _name in BODY_WRITES:
    setattr(FaultyShelf, _name, _faulty(_name, getattr(DiskShelf, _name)))


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    PLAN.arm(-1, persisted=False)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "SqliteStore", FaultyStore)
        patch.setattr(wiring, "DiskBlobs", FaultyBlobs)
        with world(tmp_path_factory.mktemp("pair")) as made:
            yield made


def both_speak(made: World, number: int) -> tuple[Accepted, Accepted]:
    """A record each way, repeated under its id until it is acknowledged, as a command would."""
    return (
        _until_said(made["mx"], f"{number:032x}", b"from mx %d" % number),
        _until_said(made["us"], f"{number:032x}", b"from us %d" % number),
    )


def _until_said(home: Home, ident: str, words: bytes) -> Accepted:
    for _ in range(5):
        try:
            return home.say(words, id=ident)
        except UnavailableError:
            if not home.node.healthy():
                home.reopen()
    raise AssertionError("it could not be said")


def check(made: World, number: int, said: tuple[Accepted, Accepted]) -> None:
    mx, us = made.homes
    made.settle()
    assert mx.states(said[0]) == us.states(said[1]) == [State.RECEIVED]
    assert us.read(f"mx/{said[0].index}") == b"from mx %d" % number
    assert mx.read(f"us/{said[1].index}") == b"from us %d" % number
    for home in (mx, us):
        entries = home.node.store.entries(home.origin(), 0, home.size())
        ids = [parse_record(stored.entry).header.id for stored in entries]
        assert len(set(ids)) == len(ids), "something was said twice"


def count_writes(made: World, number: int) -> int:
    """How many writes of mx it takes when none fails."""
    PLAN.arm(-1, persisted=False)
    check(made, number, both_speak(made, number))
    return len(PLAN.seen)


def every_write(count: int) -> list[tuple[int, str]]:
    """Each write in its turn, from the first; then the first of each kind, whenever it comes."""
    return [(left, "") for left in range(count)] + [(0, kind) for kind in KINDS]


def test_each_write_fails_once_for_a_full_disk_and_the_node_goes_on(pair: World) -> None:
    failed = set()
    for number, (left, kind) in enumerate(every_write(count_writes(pair, 0)), 1):
        PLAN.arm(left, persisted=False, kind=kind)
        said = both_speak(pair, number)
        for home in pair.homes:
            home.node.tick()
        check(pair, number, said)
        assert pair["mx"].node.healthy()
        failed.add(PLAN.failed)
    assert failed >= set(KINDS)
    assert [home.findings() for home in pair.homes] == [[], []]


def test_each_write_is_persisted_and_not_known_to_be_and_a_restart_finds_it(pair: World) -> None:
    failed, restarts = set(), 0
    for number, (left, kind) in enumerate(every_write(count_writes(pair, 999)), 1000):
        PLAN.arm(left, persisted=True, kind=kind)
        said = both_speak(pair, number)
        node = pair["mx"].node
        pair.until(partial(_ended_or_quiet, pair))
        if not node.healthy():
            restarts += 1
            with pytest.raises(UnavailableError):
                pair["mx"].say(b"no more", bodies=())
            pair["mx"].reopen()
        check(pair, number, said)
        failed.add(PLAN.failed)
    assert restarts > 5
    assert failed >= set(KINDS)
    assert [home.findings() for home in pair.homes] == [[], []]


def _ended_or_quiet(made: World) -> bool:
    return not made["mx"].node.healthy() or made.is_quiet()


def test_what_cannot_be_put_on_record_is_not_opened(tmp_path: Path) -> None:
    with world(tmp_path, serving=False) as made:
        mx = made["mx"]
        mx.say(b"secret")

        def full(act: ActOnRecord) -> None:
            raise UnavailableError("store.disk_full")

        mx.node.local.note_act = full  # type: ignore[method-assign]
        out = io.BytesIO()
        with pytest.raises(UnavailableError):
            mx.node.speaking.open(OFFICER, mx.node.records.find("mx/0"), 0, out, "a test")
        assert out.getvalue() == b""


def test_a_database_somebody_else_holds_is_said_to_be_locked_and_then_free(tmp_path: Path) -> None:
    with world(tmp_path, serving=False) as made:
        mx = made["mx"]
        mx.node.outbox.stop()
        mx.say(bodies=())
        made.until(lambda: mx.cut() == {"mx": 1, "us": 0})
        with contextlib.closing(sqlite3.connect(mx.path / LOG, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(UnavailableError) as caught:
                mx.say(b"words")
            assert caught.value.code == "store.locked"
            assert list(mx.shelf().names()) == []
            other.execute("ROLLBACK")
        mx.say(b"words")
        assert (mx.size(), mx.node.healthy()) == (2, True)
        assert mx.findings() == []


def small_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))


def test_a_disk_that_fills_up_under_a_running_node_loses_nothing_acknowledged(
    tmp_path: Path,
) -> None:
    """No file of the process can grow beyond 1.5 MB: a log, a write-ahead log, a body."""
    clock = Clock(NOW)
    homes = [make_home(tmp_path, party, clock) for party in ("mx", "us")]
    for home in homes:
        home.open(feeding=False, serving=False)
        home.node.people.add(KEEPER, OFFICER, ["officer"], ["liaison"], NOW)
    agree(homes, access="public", purpose="test")
    for home in homes:
        home.close()
    mx, acknowledged, codes = homes[0], set(), set()
    node = Serving(mx.path, preexec_fn=small_files).start()
    client = ControlClient(mx.path, 30)
    for number in range(600):
        ident = f"{number:032x}"
        try:
            _say_plainly(client, ident, 7000 if number % 10 else 2_000_000)
            acknowledged.add(ident)
        except ConvenioError as error:
            codes.add(error.code)
            if error.code in ("node.stopping", "control.no_node", "control.lost"):
                node.wait()
                break
    node.kill()
    assert acknowledged
    ending = {"node.stopping", "control.no_node", "control.lost"}
    assert codes <= {"store.disk_full", "store.io", "store.dead", *ending}
    assert "store.disk_full" in codes
    mx.open(feeding=False, serving=False)
    entries = mx.node.store.entries(mx.origin(), 0, mx.size())
    ids = [parse_record(stored.entry).header.id for stored in entries]
    assert acknowledged <= set(ids)
    assert len(ids) == len(set(ids))
    assert mx.findings() == []
    mx.close()


def _say_plainly(client: ControlClient, ident: str, size: int) -> None:
    with os.fdopen(os.memfd_create("body"), "w+b") as file:
        file.write(b"x" * size)
        file.flush()
        file.seek(0)
        args = {"as": OFFICER, "channel": "bicentennial", "type": "statement.v1", "id": ident}
        more = {"to": [], "open": True, "bodies": [{"media": "text/plain"}]}
        padding = {"data": {"a": "x" * 8000}}
        client.call("say", {**args, **more, **padding}, [file.fileno()])
