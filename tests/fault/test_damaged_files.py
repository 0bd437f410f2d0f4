"""Really damaged files: what can be made again is, and is kept; what cannot stops the start."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.support.commands import Commands
from tests.support.nodes import PASSPHRASE, Home, World, world

from convenio.core.errors import UnavailableError
from convenio.node.doctor import examine
from convenio.node.setup import COUNTS, LOCAL, LOG, VIEW
from convenio.node.wiring import Directory, Node
from convenio.store.derived import MAX_KEPT, kept_aside

Damage = Callable[[Path], None]


def page_of(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[16:18], "big")


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_to(size: int) -> Damage:
    return lambda path: os.truncate(path, size)


def other_bytes(path: Path) -> None:
    path.write_bytes(b"this is not a database\n" * 400)


def zeroed_inside(path: Path) -> None:
    """Every page but the first, as a disk does that loses what it had promised to keep."""
    page, size = page_of(path), path.stat().st_size
    with path.open("r+b") as file:
        file.seek(page)
        file.write(bytes(size - page))


def head_flipped(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"SQLITE")


def of_version(number: int) -> Damage:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as db:
            db.execute(f"PRAGMA user_version = {number}")
        db.close()

    return change


def without(kind: str, name: str) -> Damage:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as db:
            db.execute(f"DROP {kind} {name}")
        db.close()

    return change


def of_another_kind(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA application_id = 7")
    db.close()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


EVERYWHERE: Final[dict[str, Damage]] = {
    "cut in half": cut_in_half,
    "cut to half a page": cut_to(2048),
    "cut to nothing": cut_to(0),
    "not a database": other_bytes,
    "zeroes inside": zeroed_inside,
    "its first bytes changed": head_flipped,
    "of another kind": of_another_kind,
}
OF_A_VIEW: Final[dict[str, Damage]] = {
    **EVERYWHERE,
    "of a later version": of_version(99),
    "of an earlier version": of_version(0),
    "laid out otherwise": without("INDEX", "records_by_time"),
    "a folder": a_folder,
}
OF_TRUTH: Final[dict[str, Damage]] = {
    **EVERYWHERE,
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("pair"), serving=False) as made:
        made["mx"].say_bare(600)
        made["mx"].close()
        yield made


@pytest.fixture
def home(pair: World, tmp_path: Path) -> Iterator[Home]:
    """A copy of a node that has stopped, to be spoiled."""
    old = pair["mx"]
    shutil.copytree(old.path, tmp_path / "mx")
    made = Home(tmp_path / "mx", "mx", old.port, old.clock)
    yield made
    made.close()


def codes(node: Node) -> dict[str, str]:
    found = [f for f in examine(node) if f.code == "doctor.set_aside"]
    return {str(f.parameters["file"]): f.code for f in found}


@pytest.mark.parametrize("how", OF_A_VIEW)
def test_a_damaged_index_is_kept_and_made_again(home: Home, how: str) -> None:
    view = home.path / VIEW
    OF_A_VIEW[how](view)
    spoiled = view.read_bytes() if view.is_file() else b""
    node = home.open(serving=False)
    assert node.set_aside == (f"{VIEW}.damaged-1",)
    assert codes(node) == {f"{VIEW}.damaged-1": "doctor.set_aside"}
    kept = home.path / node.set_aside[0]
    assert kept.exists()
    if view.is_file() and not how.startswith(("of", "laid")):
        assert kept.is_dir() or kept.read_bytes() == spoiled
    shown = node.records.latest(home.channel.ch, 700, None, automatic=True)
    assert len(shown) == home.size() == home.cut()["mx"] == 600
    home.reopen()
    assert home.node.set_aside == ()
    assert codes(home.node) == {f"{VIEW}.damaged-1": "doctor.set_aside"}


def test_making_it_again_says_how_far_it_is(home: Home) -> None:
    cut_in_half(home.path / VIEW)
    node = Node(Directory.take(home.path), PASSPHRASE, home.clock)
    told: list[tuple[int, int]] = []
    try:
        node.start(feeding=False, progress=lambda done, total: told.append((done, total)))
    finally:
        node.stop()
    assert told == [(512, 600), (600, 600)]


def test_of_a_disk_that_spoils_again_and_again_only_some_are_kept(home: Home) -> None:
    for _ in range(MAX_KEPT + 2):
        other_bytes(home.path / VIEW)
        home.open(serving=False)
        home.close()
    assert kept_aside(home.path) == [f"{VIEW}.damaged-{n}" for n in range(1, MAX_KEPT + 1)]


def test_what_sqlite_left_beside_a_lost_index_is_not_taken_for_the_new_ones(home: Home) -> None:
    """A journal that outlives its database would be played into whatever comes after it."""
    view = home.path / VIEW
    with sqlite3.connect(view) as db:  # left as a killed process leaves it
        db.execute("INSERT INTO marks VALUES ('x', 'y', 7)")
        db.commit()
        journal = view.with_name(f"{VIEW}-wal").read_bytes()
    db.close()
    view.unlink()
    view.with_name(f"{VIEW}-wal").write_bytes(journal)
    assert len(journal) > 4096
    home.open(serving=False)
    assert home.node.index.size("x", "y") == 0
    assert len(home.node.records.latest(home.channel.ch, 700, None, automatic=True)) == 600


def test_an_index_that_is_spoiled_while_the_node_runs_ends_it(home: Home) -> None:
    node = home.open(serving=False)
    assert node.healthy()
    other_bytes(home.path / VIEW)
    for path in home.path.glob(f"{VIEW}-*"):
        path.unlink()
    with pytest.raises(UnavailableError):
        node.index.by_prefix(bytes(4))
    assert not node.healthy()
    home.close()
    home.open(serving=False)
    assert home.node.healthy()
    assert home.node.set_aside


@pytest.mark.parametrize("how", OF_A_VIEW)
def test_damaged_counts_are_kept_and_begun_again(home: Home, how: str) -> None:
    if how == "laid out otherwise":
        without("TABLE", "used")(home.path / COUNTS)
    else:
        OF_A_VIEW[how](home.path / COUNTS)
    assert home.open(serving=False).set_aside == (f"{COUNTS}.damaged-1",)


@pytest.mark.parametrize("name", [LOG, LOCAL])
@pytest.mark.parametrize("how", OF_TRUTH)
def test_damaged_truth_stops_the_start_and_stays_as_it_is(home: Home, name: str, how: str) -> None:
    path = home.path / name
    OF_TRUTH[how](path)
    before = {p.name: p.read_bytes() for p in home.path.glob("*.db")}
    for _ in range(2):
        directory = Directory.take(home.path)
        with pytest.raises(UnavailableError) as caught:
            Node(directory, PASSPHRASE, home.clock)
        directory.release()
        assert caught.value.code == "node.damaged"
        assert caught.value.parameters["file"] == name
    assert {p.name: p.read_bytes() for p in home.path.glob("*.db")} == before
    assert kept_aside(home.path) == []


def test_a_local_database_whose_guard_is_gone_stops_the_start(home: Home) -> None:
    without("TRIGGER", "acts_stay")(home.path / LOCAL)
    directory = Directory.take(home.path)
    with pytest.raises(UnavailableError) as caught:
        Node(directory, PASSPHRASE, home.clock)
    directory.release()
    assert caught.value.code == "node.damaged"


def test_people_are_told_in_their_language_and_scripts_by_a_code(tmp_path: Path) -> None:
    do = Commands(tmp_path)
    do.make("mx", "Mexico")
    do.ok("status", "mx")
    cut_in_half(tmp_path / "mx" / VIEW)
    ran = do.run("status", "mx", lang="es")
    assert ran.code == 0
    assert f"{VIEW}.damaged-1" in ran.err
    assert "nada de lo dicho" in ran.err.lower()
    assert "doctor.set_aside" in do.ok("doctor", "mx", lang="es")
    other_bytes(tmp_path / "mx" / VIEW)
    with do.start("serve", "mx", "--json") as process:
        assert process.stdout is not None
        assert '"ready"' in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert f"set_aside {VIEW}.damaged-2" in err
    shutil.copytree(tmp_path / "mx", tmp_path / "bad")
    cut_in_half(tmp_path / "bad" / LOG)
    assert do.refused("serve", "bad") == (5, "node.damaged")
    assert "respaldo" in do.run("serve", "bad", lang="es").err
