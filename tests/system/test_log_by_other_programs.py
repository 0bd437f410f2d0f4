"""A log we write is checked by programs that are not ours: Go with x/mod, and tlog-scales."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.gotools import run_go
from tests.logs import (
    AUTHOR,
    LOG,
    LOG_PQ,
    MIRROR_ED,
    MIRROR_PQ,
    checkpoint_of,
    leaves_of,
    proof_of,
    record,
    signed,
    write_log,
)
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey

VKEYS = (
    "--log",
    LOG.verifier().vkey(),
    LOG_PQ.vkey(),
    "--mirror",
    MIRROR_ED.vkey(),
    MIRROR_PQ.vkey(),
)
AUTHORS = ("--author", AUTHOR.verifier().vkey())
SIZE = 600


@pytest.fixture(scope="module")
def entries() -> list[bytes]:
    return [record(number) for number in range(SIZE)]


@pytest.fixture
def log(tmp_path: Path, entries: list[bytes]) -> Path:
    write_log(tmp_path / "log", entries)
    (tmp_path / "record").write_bytes(entries[77])
    (tmp_path / "proof").write_bytes(proof_of(77, entries[:300]).encode())
    return tmp_path / "log"


def test_go_verifies_checkpoint_tiles_bundles_inclusion_records_and_a_proof(
    log: Path, entries: list[bytes]
) -> None:
    files = ("--record", log.parent / "record", "--proof", log.parent / "proof")
    result = run_go("verify", log, *VKEYS, *AUTHORS, *files)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == {
        "origin": LOG.name,
        "size": SIZE,
        "root": checkpoint_of(entries).root.hex(),
        "keys": 4,
        "proven": SIZE,
        "opened": SIZE,
        "record": 77,
    }


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257])
def test_go_verifies_logs_at_the_edges_of_a_tile(
    tmp_path: Path, entries: list[bytes], size: int
) -> None:
    write_log(tmp_path, entries[:size])
    result = run_go("verify", tmp_path, *VKEYS, *AUTHORS)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["size"] == size


def _flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("tile/0/000", 0),
        ("tile/0/002.p/88", -1),
        ("tile/1/000.p/2", 5),
        ("tile/entries/001", 700),
        ("checkpoint", 50),
        ("checkpoint", 160),
        ("checkpoint", 300),
        ("checkpoint", -10),
    ],
)
def test_go_refuses_a_log_with_one_bit_changed(log: Path, path: str, at: int) -> None:
    _flip(log / path, at)
    assert run_go("verify", log, *VKEYS).returncode == 1


@pytest.mark.parametrize(("name", "at"), [("proof", 40), ("proof", -10), ("record", 3)])
def test_go_refuses_a_changed_proof_or_record(log: Path, name: str, at: int) -> None:
    _flip(log.parent / name, at)
    files = ("--record", log.parent / "record", "--proof", log.parent / "proof")
    assert run_go("verify", log, *VKEYS, *files).returncode == 1


def test_go_refuses_a_log_that_lacks_a_cosignature(log: Path, entries: list[bytes]) -> None:
    (log / "checkpoint").write_bytes(signed(checkpoint_of(entries), [LOG_PQ, MIRROR_ED]))
    assert run_go("verify", log, *VKEYS).returncode == 1


def test_go_refuses_records_of_another_author(log: Path) -> None:
    other = ("--author", LOG.verifier().vkey())
    assert run_go("verify", log, *VKEYS, *other).returncode == 1


def test_tlog_scales_verifies_the_signatures_root_entries_and_proofs(
    log: Path, entries: list[bytes]
) -> None:
    reader = TilesReader(LocalBackend(log))
    checkpoint = reader.get_checkpoint()
    for vkey in (LOG.verifier().vkey(), LOG_PQ.vkey(), MIRROR_ED.vkey(), MIRROR_PQ.vkey()):
        checkpoint.verify(Vkey.from_string(vkey))
    assert reader.calculate_root_hash() == checkpoint.root_hash == checkpoint_of(entries).root
    leaves = leaves_of(entries)
    for index in (0, 77, 255, 256, SIZE - 1):
        assert reader.get_entry(index) == entries[index]
        reader.get_inclusion_proof(index, SIZE).check(leaves[index], checkpoint.root_hash)
