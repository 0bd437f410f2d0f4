"""Pages lead somewhere, and the READMEs say what the program does."""

from __future__ import annotations

import hashlib
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests.conftest import ROOT

from convenio.words import Words

TOP = [
    ROOT / name
    for name in (
        "README.md",
        "README.es.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    )
]
# Pages whose code has landed before them; a page that is there and linked leaves this list.
UNDER_WAY = {f"docs/{name}.md" for name in ("spec/bundle", "spec/verify")}
PAGES = [*TOP, *sorted((ROOT / "docs").rglob("*.md"))]
READMES = TOP[:2]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def links(page: Path) -> list[str]:
    found = _LINK.findall(page.read_text("utf-8"))
    return [link for link in found if not link.startswith(("http:", "https:", "mailto:"))]


def anchors(page: Path) -> set[str]:
    titles = _HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> Iterator[list[str]]:
    for block in _BLOCK.findall(page.read_text("utf-8")):
        for line in block.splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_to_a_file_of_ours(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert ROOT in (target, *target.parents), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    waiting = [READMES[0]]
    while waiting:
        page = waiting.pop()
        if page not in seen and page.suffix == ".md":
            seen.add(page)
            targets = (link.partition("#")[0] for link in links(page))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert {names(page) for page in PAGES if page not in seen} <= UNDER_WAY


def test_both_readmes_give_the_same_commands() -> None:
    english, spanish = (list(commands(page)) for page in READMES)
    assert english == spanish
    assert len(english) > 15


def test_both_readmes_have_the_same_parts() -> None:
    english, spanish = (page.read_text("utf-8") for page in READMES)
    for mark in ("\n## ", "\n**", "\n|", "\n- ", "```sh"):
        assert english.count(mark) == spanish.count(mark), mark


@pytest.mark.parametrize("page", READMES, ids=names)
def test_the_run_script_knows_the_commands_of_the_readme(page: Path) -> None:
    known = set(re.findall(r"^    ([a-z| ]+)\)", (ROOT / "run").read_text("utf-8"), re.MULTILINE))
    arms = {word for arm in known for word in arm.replace("|", " ").split()}
    for words in commands(page):
        if words[0] == "./run":
            assert words[1] in arms


def command_line() -> click.Group:
    """What `convenio` starts."""
    made: click.Group = importlib.import_module("convenio.cli.root").make_root(Words("en"))
    return made


@pytest.mark.parametrize("page", READMES, ids=names)
def test_the_command_line_has_what_the_readme_shows(page: Path) -> None:
    group = command_line()
    for words in commands(page):
        if words[0] == "convenio":
            command, rest = find(group, words[1:])
            known = {option for each in command.params for option in each.opts}
            for word in rest:
                assert not word.startswith("-") or word == "-" or word in known, words


def find(command: click.Command, words: list[str]) -> tuple[click.Command, list[str]]:
    while isinstance(command, click.Group):
        below = command.get_command(click.Context(command), words[0])
        assert below is not None, words
        command, words = below, words[1:]
    return command, words


def test_the_glossary_says_everything_in_both_languages() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "docs/glossary.md").read_text("utf-8").splitlines()
        if line.startswith("| ")
    ]
    assert all(all(row) for row in rows)
    words = [row[0] for row in rows if len(row) == 3 and not row[0].startswith("`")]
    once = [word for word in words if word not in ("English", "field")]
    assert len(once) == len(set(once))


def test_vendored_files_are_those_that_are_listed() -> None:
    listed = tomllib.loads((ROOT / "VENDOR.toml").read_text("utf-8")).get("file", [])
    for each in listed:
        content = (ROOT / each["path"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == each["sha256"], each["path"]
        assert each["license"]
        assert each["version"]
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("vendor/**/*")
        if path.is_file() and path.name != "LICENSE"
    }
    assert found == {each["path"] for each in listed}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_no_page_names_a_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"(?<![\w.])/(?:home|root|work|tmp)/", text)
