"""People of a node: only a keeper changes them, one keeper always stays, all of it on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.nodes import KEEPER, NOW, PASSPHRASE, Clock, make_home

from convenio.core.decide import Role
from convenio.core.errors import ConvenioError
from convenio.node.people import People
from convenio.node.wiring import Directory, Node


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_home(tmp_path_factory.mktemp("home"), "mx", Clock()).path


@pytest.fixture
def node(folder: Path) -> Iterator[Node]:
    made = Node(Directory.take(folder), PASSPHRASE, Clock())
    yield made
    with made.local._database.write() as db:
        db.execute("DELETE FROM people WHERE id <> ?", (KEEPER,))
        db.execute("UPDATE people SET roles = ?, desks = '[]', active = 1", ('["keeper"]',))
    made.stop()


@pytest.fixture
def people(node: Node) -> People:
    return node.people


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


def test_a_keeper_adds_changes_and_disables(people: People, node: Node) -> None:
    added = people.add(KEEPER, "ana", ["officer", "clerk"], ["liaison"], NOW)
    assert node.local.person("ana") == added
    assert added.roles == {Role.OFFICER, Role.CLERK}
    changed = people.change(KEEPER, "ana", ["auditor"], [], NOW)
    assert changed.roles == {Role.AUDITOR}
    assert changed.desks == added.desks
    assert people.disable(KEEPER, "ana", NOW).active is False
    assert not node.local.person("ana").active
    done = [(act.person, act.act, act.subject) for act in node.local.acts(3)]
    assert done == [
        (KEEPER, "people.disable", "ana"),
        (KEEPER, "people.role", "ana"),
        (KEEPER, "people.add", "ana"),
    ]


@pytest.mark.parametrize("by", ["ana", "nobody"])
def test_nobody_else_changes_people(people: People, node: Node, by: str) -> None:
    people.add(KEEPER, "ana", ["officer"], ["liaison"], NOW)
    expected = "decide.role" if by == "ana" else "people.unknown"
    assert code_of(lambda: people.add(by, "eva", ["keeper"], [], NOW)) == expected
    assert code_of(lambda: people.change(by, "ana", ["keeper"], [], NOW)) == expected
    assert code_of(lambda: people.disable(by, KEEPER, NOW)) == expected
    assert {person.id for person in node.local.people()} == {KEEPER, "ana"}


def test_a_keeper_who_is_switched_off_changes_nothing(people: People) -> None:
    people.add(KEEPER, "eva", ["keeper"], [], NOW)
    people.disable("eva", KEEPER, NOW)
    assert code_of(lambda: people.add(KEEPER, "ana", [], [], NOW)) == "decide.disabled"


def test_the_last_keeper_can_neither_go_nor_become_something_else(people: People) -> None:
    assert code_of(lambda: people.disable(KEEPER, KEEPER, NOW)) == "people.last_keeper"
    assert code_of(lambda: people.change(KEEPER, KEEPER, ["clerk"], [], NOW)) == (
        "people.last_keeper"
    )
    people.add(KEEPER, "eva", ["keeper"], [], NOW)
    people.disable(KEEPER, KEEPER, NOW)
    assert code_of(lambda: people.disable("eva", "eva", NOW)) == "people.last_keeper"


@pytest.mark.parametrize(
    "name", ["", "Ana", "ana maría", "-ana", "1ana", "a" * 41, "ana\n", "ana/x", "аna", "ana:x"]
)
def test_a_name_that_cannot_be_typed_is_refused(people: People, node: Node, name: str) -> None:
    assert code_of(lambda: people.add(KEEPER, name, ["clerk"], [], NOW)) == "people.name"
    assert [person.id for person in node.local.people()] == [KEEPER]


def test_what_is_unknown_or_taken_is_named_and_changes_nothing(people: People, node: Node) -> None:
    people.add(KEEPER, "ana", ["clerk"], ["liaison"], NOW)
    before = node.local.people()
    assert code_of(lambda: people.add(KEEPER, "ana", ["officer"], [], NOW)) == "people.exists"
    assert code_of(lambda: people.add(KEEPER, "eva", ["boss"], [], NOW)) == "people.role"
    assert code_of(lambda: people.add(KEEPER, "eva", ["clerk"], ["x"], NOW)) == "trust.unknown_desk"
    assert code_of(lambda: people.change(KEEPER, "eva", ["clerk"], [], NOW)) == "people.unknown"
    assert code_of(lambda: people.disable(KEEPER, "eva", NOW)) == "people.unknown"
    assert node.local.people() == before


def test_what_was_done_is_never_taken_off_the_record(node: Node) -> None:
    node.people.add(KEEPER, "ana", ["clerk"], [], NOW)
    for statement in ("DELETE FROM acts", "UPDATE acts SET person = 'x'"):
        with pytest.raises(RuntimeError), node.local._database.write() as db:
            db.execute(statement)
    assert node.local.acts(1)[0].subject == "ana"


def test_who_was_disabled_may_come_back_with_the_roles_they_had(people: People, node: Node) -> None:
    before = people.add(KEEPER, "ana", ["officer"], ["liaison"], NOW)
    people.disable(KEEPER, "ana", NOW)
    assert people.enable(KEEPER, "ana", NOW) == before
    assert node.local.person("ana") == before
    assert node.local.acts(1)[0].act == "people.enable"
    assert code_of(lambda: people.enable("ana", "ana", NOW)) == "decide.role"
    assert code_of(lambda: people.enable(KEEPER, "nobody", NOW)) == "people.unknown"


def test_who_comes_back_does_not_come_back_in_by_an_old_link_or_session(
    people: People, node: Node
) -> None:
    people.add(KEEPER, "ana", ["officer"], ["liaison"], NOW)
    session = node.signins.enter(node.signins.link(KEEPER, "ana").secret).secret
    link = node.signins.link(KEEPER, "ana").secret
    assert node.signins.person(session).id == "ana"
    people.disable(KEEPER, "ana", NOW)
    people.enable(KEEPER, "ana", NOW)
    assert code_of(lambda: node.signins.person(session)) == "signin.ended"
    assert code_of(lambda: node.signins.enter(link)) == "signin.link"
    other = node.signins.enter(node.signins.link(KEEPER, "ana").secret).secret
    assert node.signins.person(other).id == "ana"


def test_keepers_who_put_each_other_out_at_once_leave_one(people: People, node: Node) -> None:
    for turn in range(20):
        pair = (f"one{turn}", f"two{turn}")
        for name in pair:
            people.add(KEEPER, name, ["keeper"], [], NOW)
        people.disable(pair[0], KEEPER, NOW)
        with ThreadPoolExecutor(2) as pool:
            done = [pool.submit(people.disable, by, name, NOW) for by, name in (pair, pair[::-1])]
        assert any(each.exception() is not None for each in done)
        left = [p.id for p in node.local.people() if p.active and Role.KEEPER in p.roles]
        assert len(left) == 1
        people.enable(left[0], KEEPER, NOW)
        people.disable(KEEPER, left[0], NOW)
