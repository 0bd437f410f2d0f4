"""docs/spec/instrument.md says what the code does."""

from __future__ import annotations

import re

from tests.conftest import ROOT

from convenio.instruments.calendar import Unit
from convenio.instruments.definition import Kind, Sensitivity
from convenio.instruments.source import MAX_SOURCE_BYTES, MAX_SOURCE_DEPTH
from convenio.node.definitions import KINDS, shipped
from convenio.words.errors import HAPPENED
from convenio.words.instruments import FIELD

PAGE = (ROOT / "docs/spec/instrument.md").read_text("utf-8")


def test_the_hashes_are_those_of_the_program() -> None:
    for kind in KINDS:
        assert f"| `{kind}` | `{shipped(kind).definition.hash}` |" in PAGE


def test_every_code_is_named() -> None:
    named = set(re.findall(r"`((?:source|field)\.[a-z_]+)`", PAGE))
    assert named == FIELD.keys() | {code for code in HAPPENED if code.startswith("source.")}


def test_every_type_sensitivity_and_unit_is_named() -> None:
    for kind in (*Kind, *Sensitivity, *Unit):
        assert f"`{kind.value}`" in PAGE, kind


def test_the_limits_are_those_of_the_program() -> None:
    assert f"at most {MAX_SOURCE_BYTES >> 10} KiB" in PAGE
    assert f"at most {MAX_SOURCE_DEPTH} deep" in PAGE
