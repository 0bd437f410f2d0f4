"""The help of every command: an example that works out, and no English left in the Spanish."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from convenio.cli import exits
from convenio.cli.root import COMMANDS
from convenio.core import errors
from convenio.words import Words

# Click's language is the process's, so each language asks a new one.
PROGRAM = """
import json, os, sys
from convenio.words import Words, click_words
lang = sys.argv[1]
click_words.install(lang, os.environ)
import click
from convenio.cli.root import make_root

found = {}
def look(command, path):
    context = click.Context(command, info_name=path, terminal_width=100)
    options = [o for p in command.params for o in (*p.opts, *p.secondary_opts)]
    found[path] = {"help": command.get_help(context), "options": options}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            look(command.get_command(context, name), f"{path} {name}")
look(make_root(Words(lang)), "convenio")
print(json.dumps(found))
"""


@cache
def helps(lang: str) -> dict[str, dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "error", "-c", PROGRAM, lang],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, dict[str, Any]] = json.loads(ran.stdout)
    return found


def examples(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        if line.strip().startswith("$ "):
            command = line.strip()[2:].rpartition("| ")[2]
            yield shlex.split(command)


def test_every_command_of_the_issue_is_there() -> None:
    wanted = {
        *("demo", "init", "card", "channel", "people", "serve", "say", "log", "open", "receipt"),
        *("bundle", "disclose", "verify", "status", "doctor", "fsck", "export", "bench"),
    }
    assert wanted <= COMMANDS.keys()
    for below in ("channel propose", "channel accept", "channel confirm", "people add"):
        assert f"convenio {below}" in helps("en")


def test_every_help_ends_with_an_example_of_that_command() -> None:
    known = helps("en")
    for path, found in known.items():
        given = list(examples(found["help"]))
        assert given, path
        for words in given:
            named = [name for name in known if words[: len(name.split())] == name.split()]
            assert named, words
            options = known[max(named, key=len)]["options"]
            for word in words:
                assert not word.startswith("--") or word in (*options, "--lang", "--help"), (
                    path,
                    word,
                )


def test_no_english_is_left_in_the_spanish_help() -> None:
    english, spanish = helps("en"), helps("es")
    assert english.keys() == spanish.keys()
    for path, found in spanish.items():
        same = set(sentences(found["help"])) & set(sentences(english[path]["help"]))
        assert same == set(), path
        for word in ("Usage:", "Options:", "Commands:", "[default", "[required", " the "):
            assert word not in found["help"], path


def sentences(text: str) -> list[str]:
    """The lines of prose, without options, examples and single words."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line.count(" ") > 3 and not line.startswith(("$", "-"))]


def test_the_first_page_is_there_in_both_languages() -> None:
    for lang in ("en", "es"):
        shown = helps(lang)["convenio"]["help"]
        for text in COMMANDS.values():
            assert Words(lang).text(text)[:40] in " ".join(shown.split()), text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.MalformedError("x.y"), 6),
        (errors.UnverifiedError("x.y"), 3),
        (errors.SignatureError("x.y"), 3),
        (errors.SplitViewError("x.y"), 3),
        (errors.ConflictError("x.y"), 7),
        (errors.RefusedError("x.y"), 4),
        (errors.UnavailableError("x.y"), 5),
        (errors.UnavailableError("node.fault"), 1),
        (errors.ConvenioError("x.y"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_every_kind_of_error_has_its_exit_code(error: errors.ConvenioError, code: int) -> None:
    assert exits.exit_code(error) == code
