"""Passphrases: from a file that is named, else asked on the terminal, never on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from convenio.cli.shell import Shell
from convenio.core.errors import MalformedError

MAX_BYTES = 4096


def passphrase(shell: Shell, file: Path | None, prompt: str, option: str) -> str:
    """The passphrase in `file`, or what the person types, unseen.

    option: what to use where nobody can be asked, named in the advice.
    Raises:  click.UsageError: no file is given and there is no terminal ·
             MalformedError: passphrase.file, the file's first line cannot be a passphrase.
    """
    if file is not None:
        return _first_line(file)
    _require_terminal(shell, option)
    return str(click.prompt(prompt, hide_input=True, err=True))


def new_passphrase(
    shell: Shell, file: Path | None, prompt: str, option: str, require: Callable[[str], None]
) -> str:
    """As `passphrase`, typed twice.

    require: what a new one must be; it raises a ConvenioError, before anything is typed again.
    """
    if file is not None:
        phrase = _first_line(file)
        require(phrase)
        return phrase
    _require_terminal(shell, option)

    def checked(typed: str) -> str:
        require(typed)
        return typed

    return str(
        click.prompt(
            prompt,
            hide_input=True,
            err=True,
            value_proc=checked,
            confirmation_prompt=shell.text("The same again"),
        )
    )


def _require_terminal(shell: Shell, option: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(
            shell.text(
                "A passphrase is needed and there is nobody to ask: name a file with {option}.",
                option=option,
            )
        )


def _first_line(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            line = opened.readline(MAX_BYTES).rstrip(b"\r\n").decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MalformedError("passphrase.file", file=str(file)) from error
    if not line:
        raise MalformedError("passphrase.file", file=str(file))
    return line
