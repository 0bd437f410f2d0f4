"""`convenio instrument`: what people read of an instrument, and what its writer is told."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.instruments import DEFINITION, TEXTS

from convenio.cli import exits
from convenio.cli.root import run
from convenio.instruments.definition import LANGUAGES
from convenio.node.definitions import KINDS, shipped
from convenio.words import Words


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yaml").write_bytes(DEFINITION)
    (tmp_path / "small.en.yaml").write_bytes(TEXTS)
    (tmp_path / "small.es.yaml").write_bytes(TEXTS.replace(b"language: en", b"language: es"))
    return tmp_path


def give(capsys: pytest.CaptureFixture[str], *words: str, lang: str = "en") -> tuple[int, str]:
    code = run(["instrument", *words], Words(lang), as_json="--json" in words)
    return code, capsys.readouterr().out


def test_the_list_has_what_is_to_be_pinned(capsys: pytest.CaptureFixture[str]) -> None:
    code, out = give(capsys, "list", "--json")
    assert code == exits.HOLDS
    hashes = {each["instrument"]: each["hash"] for each in json.loads(out)["instruments"]}
    assert hashes == {kind: shipped(kind).definition.hash for kind in KINDS}
    _, out = give(capsys, "list", lang="es")
    assert "Rastreo de arma de fuego" in out
    assert all(each in out for each in hashes.values())


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_person_meets_words_and_no_codes(
    capsys: pytest.CaptureFixture[str], kind: str, lang: str
) -> None:
    code, out = give(capsys, "show", kind, lang=lang)
    assert code == exits.HOLDS
    definition, texts = shipped(kind).definition, shipped(kind).texts[lang]
    for section, words in (
        ("acts", definition.acts),
        ("fields", definition.fields),
        ("clocks", definition.clocks),
        ("consequences", definition.clocks),
    ):
        for word in words:
            assert texts.of(section, word) in out
    codes = {*definition.acts, *definition.states, *definition.fields, *definition.clocks}
    assert [code for code in codes if "_" in code and code in out] == []


def test_a_good_definition_is_told_its_hash_and_its_interleavings(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, out = give(capsys, "lint", str(folder / "small.yaml"))
    assert code == exits.HOLDS
    assert "open | asked reply, then asker complain overtaken: done" in out
    code, said = give(capsys, "lint", str(folder / "small.yaml"), "--json")
    assert code == exits.HOLDS
    assert json.loads(said)["hash"] in out


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("en", "small.yaml:47: When the clock “answer” has run out, “drop” is to be possible"),
        ("es", "small.yaml:47: Al vencer el plazo «answer» ha de ser posible «drop»"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    capsys: pytest.CaptureFixture[str], folder: Path, lang: str, sentence: str
) -> None:
    path = folder / "small.yaml"
    path.write_bytes(DEFINITION.replace(b"then: complain", b"then: drop"))
    (folder / "small.es.yaml").unlink()
    code, out = give(capsys, "lint", str(path), lang=lang)
    assert code == exits.MALFORMED
    assert sentence in out
    assert "[lint.clock_then]" in out
    assert "[lint.no_file]" in out


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_the_program_is_judged_by_its_name(
    capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    code, out = give(capsys, "lint", kind)
    assert code == exits.HOLDS
    assert shipped(kind).definition.hash in out


@pytest.mark.parametrize(
    ("given", "expected"),
    [("nowhere.yaml", exits.UNAVAILABLE), ("small.json", exits.MALFORMED), ("", exits.MALFORMED)],
)
def test_what_cannot_be_read_is_an_error(
    capsys: pytest.CaptureFixture[str], folder: Path, given: str, expected: int
) -> None:
    code, _ = give(capsys, "lint", str(folder / given) if given else "")
    assert code == expected


def test_no_yaml_is_read_where_a_node_runs_or_something_is_verified() -> None:
    """Only the linter reads what people write."""
    program = """
import sys
import convenio.node.wiring, convenio.cli.commands.verify, convenio.cli.commands.instrument
from convenio.node.definitions import known_instruments
assert len(known_instruments()) == 3
assert "yaml" not in sys.modules, "yaml"
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
