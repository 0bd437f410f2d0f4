"""Commands started in odd surroundings: streams closed, no language, no width, words no text.

As always: an exit code of the contract, and never a traceback.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, Final

import pytest
from tests.support.commands import PATIENCE_S, PROGRAM, Commands
from tests.system.conftest import Two

from convenio.cli import exits

CONTRACT: Final = (0, 2, 3, 4, 5, 6, 7, exits.INTERRUPTED, exits.PIPE_CLOSED)
NAMED: Final = ("--as", "ana", "--channel", "framework")
COMMANDS: Final = {
    "help": ("--help",),
    "version": ("--version",),
    "no command": (),
    "card": ("card", "mx"),
    "card to nowhere": ("card", "mx", "-o", "-"),
    "verify": ("verify", "us.card"),
    "log": ("log", "mx", *NAMED),
    "status": ("status", "mx"),
    "say from nowhere": ("say", "mx", *NAMED, "--to", "us:liaison", "--body", "-"),
    "batch from nowhere": ("say", "mx", *NAMED, "--open", "--batch", "-"),
    "channel accept": ("channel", "accept", "mx", "-"),
    "misuse": ("say", "mx", "--loud"),
    "refused": ("log", "nowhere", *NAMED),
}


def ran(do: Commands, *words: str | bytes, shell: str = "", **environ: str) -> tuple[int, bytes]:
    """Exit code and everything printed; shell: what is done to the streams."""
    program = [os.fsencode(word) for word in (*PROGRAM, *words)]
    done = subprocess.run(
        [b"sh", b"-c", f'"$@" {shell}'.encode(), b"sh", *program],
        cwd=do.folder,
        env={**do.environment("en"), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout


def fine(found: tuple[int, bytes]) -> None:
    code, said = found
    assert code in CONTRACT, found
    assert b"Traceback" not in said, found
    assert b"Exception ignored" not in said, found


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full"])
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_stream_that_is_closed_or_full(
    running: Two, words: tuple[str, ...], streams: str
) -> None:
    fine(ran(running.do, *words, shell=streams))


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_a_reader_that_goes_away_at_once(running: Two, words: tuple[str, ...]) -> None:
    fine(ran(running.do, *words, shell="| true"))


ENVIRONMENTS: Final[dict[str, dict[str, Any]]] = {
    "one column": {"COLUMNS": "1"},
    "no columns": {"COLUMNS": "0"},
    "columns that are no number": {"COLUMNS": "wide", "LINES": "-1"},
    "a language nobody has": {"LANG": "xx_YY.UTF-8@nonsense", "LC_ALL": "", "LANGUAGE": ":::"},
    "a language that is a path": {"LANG": "../../../etc/passwd", "LANGUAGE": "/tmp"},
    "plain C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "no home": {"HOME": "/nowhere", "TERM": "dumb", "TMPDIR": "/tmp"},
}


@pytest.mark.parametrize("environ", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_an_odd_environment(running: Two, environ: dict[str, str]) -> None:
    for words in (("log", "mx", *NAMED), ("status", "mx"), ("log", "nowhere", *NAMED), ("--help",)):
        fine(ran(running.do, *words, **environ))


NO_TEXT: Final = b"\xff\xfe\xc0\x80"


@pytest.mark.parametrize("more", [(), ("--json",), ("--lang", "es")], ids=str)
@pytest.mark.parametrize(
    "words",
    [
        *((NO_TEXT,), ("log", NO_TEXT, *NAMED), ("verify", NO_TEXT), ("--lang", NO_TEXT)),
        *(("card", "mx", "-o", NO_TEXT + b"/x"), ("log", "mx", "--as", NO_TEXT, *NAMED[2:])),
        *(("say", "mx", *NAMED, "--to", NO_TEXT, "--body", "us.card"), ("log", "mx", b"--\xff")),
        *(("open", "mx", NO_TEXT, *NAMED), ("people", "add", "mx", NO_TEXT, "--role", "clerk")),
        ("verify", "us.card", "--trust", NO_TEXT),
    ],
    ids=repr,
)
def test_words_that_are_no_text(
    running: Two, words: tuple[str | bytes, ...], more: tuple[str, ...]
) -> None:
    found = ran(running.do, *words, *more)
    fine(found)
    assert found[0], found


def test_a_file_whose_name_is_no_text_is_written_and_named(running: Two) -> None:
    code, said = ran(running.do, "card", "mx", "-o", NO_TEXT, "--json")
    assert code == 0, said
    path = os.fsencode(running.do.folder) + b"/" + NO_TEXT
    assert os.path.getsize(path) > 1000  # noqa: PTH202 - the name is bytes
    os.unlink(path)  # noqa: PTH108
    assert b'"file"' in said
    assert sys.getfilesystemencoding() == "utf-8"
