"""The reference of the commands is what the commands say, in both languages."""

from __future__ import annotations

import ast
import re

import pytest
from tests.conftest import ROOT
from tools.reference import ENDS, PAGES, page

from convenio.cli import exits
from convenio.cli.root import COMMANDS

SOURCES = ROOT / "src" / "convenio" / "cli" / "commands"


@pytest.mark.parametrize("lang", PAGES)
def test_the_page_is_what_the_commands_say(lang: str) -> None:
    assert PAGES[lang].read_text("utf-8") == page(lang), "run python -m tools.reference"


@pytest.mark.parametrize("lang", PAGES)
def test_every_command_and_every_exit_code_is_in_it(lang: str) -> None:
    text = PAGES[lang].read_text("utf-8")
    for name in COMMANDS:
        assert f"\n## convenio {name}\n" in text, name
    for below in (
        "channel unroute",
        "channel compare",
        "people enable",
        "people disable",
        "channel route",
    ):
        assert f"\n## convenio {below}\n" in text, below
    codes = {value for name, value in vars(exits).items() if name.isupper() and type(value) is int}
    listed = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    assert {int(code) for row in listed for code in row.split(", ")} == codes


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_command_ends_with_by_itself_is_in_it(name: str) -> None:
    """Besides errors: the codes that its module returns, read from the source."""
    tree = ast.parse((SOURCES / f"{name}.py").read_text("utf-8"))
    named = {
        getattr(exits, node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "exits"
    }
    told = [ends for below, ends in ENDS.items() if below.split()[0] == name]
    assert named - {exits.HOLDS} == {code for ends in told for code in ends}
