"""Making a node: whole or not at all, and never over something else."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.nodes import NOW, PASSPHRASE, ROOT_PASSPHRASE, Clock, setup_of

from convenio.core.card import Text, parse_card
from convenio.core.errors import ConvenioError, MalformedError, RefusedError
from convenio.node import setup
from convenio.node.config import FILE_NAME, read_config
from convenio.node.keys import open_keys, open_root, seal_keys
from convenio.node.wiring import Directory, Node, system_random


def make(path: Path, rng: Callable[[int], bytes] = system_random, **more: Any) -> None:
    made = replace(setup_of("mx", 8000), **more)
    setup.make_node(path, made, PASSPHRASE, ROOT_PASSPHRASE, NOW, rng)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(ConvenioError) as caught:
        act()
    return caught.value.code


def everything_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def opened(path: Path) -> Iterator[Node]:
    node = Node(Directory.take(path), PASSPHRASE, Clock())
    try:
        yield node
    finally:
        node.stop()


def test_a_made_node_opens_and_its_card_is_its_own(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    card = parse_card((tmp_path / "mx" / setup.CARD).read_bytes())
    keys = open_keys((tmp_path / "mx" / setup.KEYS).read_bytes(), PASSPHRASE)
    assert card.roster.node == keys.node_signer().public
    assert card.roster.log == keys.public_log()
    assert card.roster.mirror == keys.public_mirror()
    roots = [
        open_root((tmp_path / "mx" / setup.ROOTS / f"root-{n}.age").read_bytes(), ROOT_PASSPHRASE)
        for n in (1, 2, 3)
    ]
    assert [root.public for root in roots] == list(card.roots.keys)
    with opened(tmp_path / "mx") as node:
        assert [p.id for p in node.local.people()] == ["keeper"]
        assert list(node.store.check()) == []


@pytest.mark.parametrize("phrase", ["", "x", "14 characters.", "ñandú y llamas"])
def test_with_a_short_passphrase_nothing_is_made(tmp_path: Path, phrase: str) -> None:
    made = setup_of("mx", 8000)
    for phrases in ((phrase, ROOT_PASSPHRASE), (PASSPHRASE, phrase)):
        with pytest.raises(RefusedError, match=r"passphrase\.short"):
            setup.make_node(tmp_path / "mx", made, *phrases, NOW, system_random)
        assert everything_in(tmp_path) == []


def test_no_folder_is_left_where_nothing_was_made(tmp_path: Path) -> None:
    made = replace(setup_of("mx", 8000), name=Text("", ""))
    with pytest.raises(MalformedError, match=r"trust\.text"):
        setup.make_node(
            tmp_path / "a" / "b" / "mx", made, PASSPHRASE, ROOT_PASSPHRASE, NOW, system_random
        )
    assert everything_in(tmp_path) == []


def test_a_passphrase_is_asked_for_its_length_alone(tmp_path: Path) -> None:
    setup.make_node(tmp_path / "mx", setup_of("mx", 8000), "a" * 15, "á" * 15, NOW, system_random)
    Node(Directory.take(tmp_path / "mx"), "a" * 15, Clock()).stop()


def test_a_node_made_with_a_short_passphrase_still_opens(tmp_path: Path) -> None:
    """As they could be made before."""
    make(tmp_path / "mx")
    file = tmp_path / "mx" / setup.KEYS
    file.write_bytes(seal_keys(open_keys(file.read_bytes(), PASSPHRASE), "x", system_random, 1))
    Node(Directory.take(tmp_path / "mx"), "x", Clock()).stop()


def test_nobody_but_the_owner_can_read_any_of_it(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    for path in [tmp_path / "mx", *(tmp_path / "mx").rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_no_secret_lies_there_in_the_open(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    keys = open_keys((tmp_path / "mx" / setup.KEYS).read_bytes(), PASSPHRASE)
    secrets = [keys.log_ed, keys.log_pq, keys.mirror_ed, keys.mirror_pq, keys.node]
    secrets += [seed for desk in keys.desks for seed in (desk.author, desk.seal.encode())]
    secrets += [seed.hex().encode() for seed in secrets] + [PASSPHRASE.encode()]
    for path in (tmp_path / "mx").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret in content], path


def test_an_empty_folder_may_become_a_node(tmp_path: Path) -> None:
    (tmp_path / "mx").mkdir()
    make(tmp_path / "mx")
    assert read_config(tmp_path / "mx").party == "mx"


def test_the_folder_one_stands_in_may_become_a_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mx").mkdir()
    monkeypatch.chdir(tmp_path / "mx")
    make(Path())
    assert read_config(tmp_path / "mx").party == "mx"


def test_a_folder_with_anything_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mx").mkdir()
    (tmp_path / "mx" / "letter.txt").write_text("dear")
    assert code_of(lambda: make(tmp_path / "mx")) == "init.exists"
    assert everything_in(tmp_path) == ["mx", "mx/letter.txt"]


def test_a_node_is_not_made_over_a_node(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    before = (tmp_path / "mx" / setup.KEYS).read_bytes()
    assert code_of(lambda: make(tmp_path / "mx")) == "init.exists"
    assert (tmp_path / "mx" / setup.KEYS).read_bytes() == before


def test_a_file_in_the_place_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mx").write_text("dear")
    assert code_of(lambda: make(tmp_path / "mx")) == "init.exists"
    assert (tmp_path / "mx").read_text() == "dear"


def test_a_place_nobody_may_write_to_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert code_of(lambda: make(tmp_path / "file" / "mx")) == "file.io"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        pytest.param({"party": "MX"}, "trust.party", id="a party in capitals"),
        pytest.param({"domain": "mx/localhost"}, "trust.domain", id="a domain with a slash"),
        pytest.param({"url": "mx.localhost"}, "trust.url", id="a URL without a scheme"),
        pytest.param({"url": "http://mx:99999"}, "trust.url", id="a URL nobody can call"),
        pytest.param({"url": "https://mx:x"}, "trust.url", id="an encrypted one nobody can call"),
        pytest.param({"name": Text("", "x")}, "trust.text", id="no name"),
        pytest.param({"desks": {"Legal": Text("a", "b")}}, "trust.desk", id="a desk in capitals"),
        pytest.param({"desks": {"node": Text("a", "b")}}, "trust.desk", id="a second node desk"),
        pytest.param({"roots_needed": 4}, "trust.roots", id="more roots needed than made"),
        pytest.param({"roots_needed": 0}, "trust.roots", id="no root needed"),
        pytest.param({"keeper": "Ana María"}, "people.name", id="a keeper nobody can type"),
        pytest.param({"keeper": ""}, "people.name", id="a keeper without a name"),
        pytest.param({"port": 70_000}, "config.bad_value", id="a port that does not exist"),
    ],
)
def test_what_is_not_well_formed_leaves_nothing(
    tmp_path: Path, more: dict[str, Any], code: str
) -> None:
    assert code_of(lambda: make(tmp_path / "mx", **more)) == code
    assert everything_in(tmp_path) == []


def test_a_start_interrupted_at_any_moment_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C at each roll of the dice in turn, which is all through the making."""
    for moment in range(1000):
        rolls = iter(range(moment))

        def dice(size: int, rolls: Iterator[int] = rolls) -> bytes:
            if next(rolls, None) is None:
                raise KeyboardInterrupt
            return system_random(size)

        try:
            make(tmp_path / "mx", dice)
        except KeyboardInterrupt:
            assert everything_in(tmp_path) == []
        else:
            assert moment > 20
            return
    pytest.fail("it never came to an end")


def test_what_a_killed_start_left_is_no_node_and_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / ".mx.new").mkdir()
    (tmp_path / ".mx.new" / setup.KEYS).write_text("half")
    with pytest.raises(RefusedError):
        Directory.take(tmp_path / "mx")
    make(tmp_path / "mx")
    assert [path.name for path in tmp_path.iterdir()] == ["mx"]


# --- starting what was made ---


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (setup.KEYS, "node.incomplete"),
        (setup.CARD, "node.incomplete"),
        (setup.LOG, "store.absent"),
        (setup.LOCAL, "store.absent"),
    ],
)
def test_a_node_with_a_file_missing_does_not_start_and_makes_none(
    tmp_path: Path, name: str, code: str
) -> None:
    make(tmp_path / "mx")
    (tmp_path / "mx" / name).unlink()
    directory = Directory.take(tmp_path / "mx")
    assert code_of(lambda: Node(directory, PASSPHRASE)) == code
    directory.release()
    assert not (tmp_path / "mx" / name).exists()


def test_the_index_alone_is_made_again(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    with opened(tmp_path / "mx"):
        pass
    (tmp_path / "mx" / setup.VIEW).unlink()
    with opened(tmp_path / "mx") as node:
        assert node.index.size("x", "mx") == 0


def test_a_wrong_passphrase_starts_nothing_and_locks_nothing(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    directory = Directory.take(tmp_path / "mx")
    assert code_of(lambda: Node(directory, "wrong")) == "age.wrong_passphrase"
    directory.release()
    with opened(tmp_path / "mx"):
        pass


def test_a_second_process_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    make(tmp_path / "mx")
    with opened(tmp_path / "mx"):
        assert code_of(lambda: Directory.take(tmp_path / "mx")) == "node.running"
    Directory.take(tmp_path / "mx").release()


def change(path: Path, old: str, new: str) -> None:
    text = (path / FILE_NAME).read_text()
    assert old in text
    (path / FILE_NAME).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ('party = "mx"', 'party = "us"', "party"),
        ('domain = "mx.localhost"', 'domain = "us.localhost"', "domain"),
    ],
)
def test_a_configuration_that_is_not_this_nodes_stops_the_start(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    make(tmp_path / "mx")
    change(tmp_path / "mx", old, new)
    directory = Directory.take(tmp_path / "mx")
    with pytest.raises(MalformedError) as caught:
        Node(directory, PASSPHRASE)
    directory.release()
    assert (caught.value.code, caught.value.parameters) == ("config.bad_value", {"key": key})


def test_the_keys_of_another_node_stop_the_start(tmp_path: Path) -> None:
    """Else it would sign with keys no partner knows, and every record would be void."""
    make(tmp_path / "mx")
    make(tmp_path / "other")
    (tmp_path / "mx" / setup.KEYS).write_bytes((tmp_path / "other" / setup.KEYS).read_bytes())
    directory = Directory.take(tmp_path / "mx")
    assert code_of(lambda: Node(directory, PASSPHRASE)) == "keys.other_node"
    directory.release()
