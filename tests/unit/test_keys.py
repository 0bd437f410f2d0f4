"""Key files: opened with their passphrase whole, and refused in every other state."""

from __future__ import annotations

import pytest
from tests.support.parties import dice

from convenio.core import canon
from convenio.core.age import Passphrase, decrypt, encrypt
from convenio.core.card import Text
from convenio.core.errors import ConvenioError, MalformedError, UnverifiedError
from convenio.node.keys import NodeKeys, generate, open_keys, open_root, seal_keys, seal_root

KEYS = generate("mx.localhost", {"liaison": Text("Liaison", "Enlace")}, dice("keys"))
SEALED = seal_keys(KEYS, "right", dice("seal"), 1)
ROOT = seal_root("mx.localhost", 2, b"r" * 32, "right", dice("root"), 1)


def code_of(data: bytes, phrase: str = "right", root: bool = False) -> str:
    with pytest.raises(ConvenioError) as caught:
        open_root(data, phrase) if root else open_keys(data, phrase)
    return caught.value.code


def test_keys_come_back_as_they_were() -> None:
    assert open_keys(SEALED, "right") == KEYS
    assert open_root(ROOT, "right").name == "mx.localhost/r/2"
    assert open_root(ROOT, "right").sign_bytes(b"x") == open_root(ROOT, "right").sign_bytes(b"x")


def test_every_role_has_a_key_of_its_own() -> None:
    seeds = [KEYS.log_ed, KEYS.log_pq, KEYS.mirror_ed, KEYS.mirror_pq, KEYS.node]
    seeds += [desk.author for desk in KEYS.desks]
    assert len(set(seeds)) == len(seeds) == 7
    assert len({desk.seal for desk in KEYS.desks}) == len(KEYS.desks) == 2
    assert len({desk.id for desk in KEYS.desks}) == 2


@pytest.mark.parametrize("phrase", ["wrong", "Right", "right ", "rıght"])
def test_a_wrong_passphrase_opens_nothing(phrase: str) -> None:
    assert code_of(SEALED, phrase) == code_of(ROOT, phrase, root=True) == "age.wrong_passphrase"


@pytest.mark.parametrize("phrase", ["", "\ud800"])
def test_no_passphrase_is_no_passphrase(phrase: str) -> None:
    assert code_of(SEALED, phrase) == "age.passphrase"


@pytest.mark.parametrize("step", [1, 37])
def test_a_file_cut_short_anywhere_is_refused(step: int) -> None:
    """Each byte of the head, then steps through the rest; the last byte too."""
    places = {*range(0, len(SEALED), 37), len(SEALED) - 1} if step > 1 else range(0, 200, 7)
    for length in places:
        with pytest.raises((MalformedError, UnverifiedError)):
            open_keys(SEALED[:length], "right")


def test_one_bit_turned_anywhere_is_noticed() -> None:
    for place in range(0, len(SEALED), 61):
        damaged = bytearray(SEALED)
        damaged[place] ^= 1
        with pytest.raises(ConvenioError):
            open_keys(bytes(damaged), "right")


def test_a_root_key_is_not_a_node_key_and_the_other_way_round() -> None:
    assert code_of(ROOT) == "keys.format"
    assert code_of(SEALED, root=True) == "keys.format"


def sealed(value: canon.Object) -> bytes:
    return encrypt(canon.dumps(value), [Passphrase("right", log_n=1)], dice("s"))


def plain(keys: NodeKeys = KEYS) -> canon.Object:
    return canon.loads(decrypt(seal_keys(keys, "p", dice("x"), 1), [Passphrase("p")]), 1 << 20)


@pytest.mark.parametrize(
    "change",
    [
        {"log_ed": "ab"},
        {"log_ed": 5},
        {"node": "Ab" * 32},
        {"domain": 5},
        {"tls_passphrase": ["x"]},
        {"desks": 5},
        {"desks": ["x"]},
        {"desks": [{"id": "x"}]},
        {"desks": []},
        {"v": 2},
        {"v": True},  # is 1, to Python
        {"kind": "record"},
        {"more": 1},
    ],
    ids=str,
)
def test_a_key_file_with_something_else_inside_is_refused(change: canon.Object) -> None:
    assert code_of(sealed({**plain(), **change})) == "keys.format"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"seed": "ab"},
        {"name": 5},
        {"name": "a b"},
        {"name": ""},
        {"v": 2},
        {"v": True},
        {"more": 1},
    ],
    ids=str,
)
def test_a_root_file_with_something_else_inside_is_refused(change: canon.Object) -> None:
    value: canon.Object = {"kind": "root_key", "v": 1, "name": "mx/r/1", "seed": "ab" * 32}
    assert open_root(sealed(value), "right").name == "mx/r/1"
    assert code_of(sealed({**value, **change}), root=True) in ("keys.format", "note.key_name")


def test_a_desk_that_is_not_ours_signs_nothing() -> None:
    with pytest.raises(RuntimeError):
        KEYS.author("00000000")
    assert KEYS.openers(frozenset({"00000000"})) == []
    assert len(KEYS.openers(frozenset(desk.id for desk in KEYS.desks))) == 2


def test_a_desk_shows_only_its_public_half() -> None:
    desk = KEYS.desks[1]
    assert desk.public().seal.startswith("age1pq1")
    assert desk.author not in repr(desk.public()).encode()
