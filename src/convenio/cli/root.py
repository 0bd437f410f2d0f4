"""The top of the command tree: commands by name, each imported when it is given."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click

from convenio import __version__
from convenio.cli import exits
from convenio.cli.command import Group
from convenio.cli.shell import Shell, json_line, printable
from convenio.core.errors import ConvenioError, UnavailableError
from convenio.words import N_, Words, click_words

# In the order in which a newcomer meets them. A module of this name is in `cli/commands`.
COMMANDS: Final = {
    "demo": N_("Two nodes on this machine, and what each party can prove."),
    "init": N_("Make a node: its keys, its card, its databases."),
    "card": N_("Show what this party gives its partners: names, keys, address."),
    "channel": N_("Propose, accept, confirm and show channels."),
    "people": N_("Who works at this node, and what they may do."),
    "serve": N_("Run the node until it is stopped."),
    "say": N_("Say something to partners, and wait for the receipt."),
    "log": N_("What was said in a channel, and how far it has come."),
    "open": N_("Read the content of a record."),
    "receipt": N_("Write the proof that a partner holds a record."),
    "bundle": N_("Pack records with all that is needed to check them."),
    "disclose": N_("Pack one content with its proof, for a third person."),
    "instrument": N_("Kinds of cooperation: show them, judge their definitions."),
    "verify": N_("Check a proof, a bundle or a log, without trusting its bearer."),
    "status": N_("How each channel stands."),
    "doctor": N_("Look for what is wrong with a node and its surroundings."),
    "fsck": N_("Derive everything again from the stored entries."),
    "export": N_("Write the logs as files that other people's programs read."),
    "bench": N_("Measure this machine and this program on it."),
}


class Root(Group):
    """Finds commands by name and imports only the one that is given."""

    def __init__(self, words: Words, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._words = words

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            module = importlib.import_module(f"convenio.cli.commands.{cmd_name}")
            found: click.Command = module.command
            click_words.translate(found, self._words)
            self.commands[cmd_name] = found
        return self.commands[cmd_name]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As Click has it, without importing every command for its one line."""
        del ctx
        with formatter.section(self._words.text("Commands")):
            formatter.write_dl(
                [(name, self._words.text(help_)) for name, help_ in COMMANDS.items()]
            )


def make_root(words: Words) -> Root:
    root = Root(
        words,
        name="convenio",
        help=N_(
            "Notices, evidence and plans between parties who must cooperate: what was said, when "
            "the other side had it, provable by either side alone."
        ),
        epilog="\b\n  $ convenio demo\n  $ convenio COMMAND --help",
    )
    click.version_option(__version__, prog_name="convenio")(root)
    click_words.translate(root, words)
    return root


def run(arguments: Sequence[str], words: Words, *, as_json: bool) -> int:
    """Runs one command. Whatever happens inside ends here as words and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    shell = Shell(words, as_json=as_json)
    try:
        done = _invoke(make_root(words), list(arguments), shell)
        sys.stdout.flush()
    except ConvenioError as error:
        return _failed(shell, error)
    except click.ClickException as error:
        return _misused(shell, error)
    except (KeyboardInterrupt, EOFError, click.Abort):
        shell.advise(words.text("Stopped."))
        return exits.INTERRUPTED
    except OSError as error:
        return _unprinted(shell, error)
    except Exception as error:
        return _broke(shell, error)
    return done if isinstance(done, int) else exits.HOLDS


def _invoke(root: Root, arguments: list[str], shell: Shell) -> object:
    """What the command returned. Not `root.main`: that has its own idea of a closed pipe."""
    if "_CONVENIO_COMPLETE" in os.environ:
        return root.main(arguments, prog_name="convenio")
    try:
        with root.make_context("convenio", arguments, obj=shell) as context:
            return root.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code


def _unprinted(shell: Shell, error: OSError) -> int:
    """The answer did not get out: its reader has gone, or where it went is full. (What a node
    cannot write it says itself, as an error of ours.)"""
    if not isinstance(error, BrokenPipeError) and error.errno != errno.ENOSPC:
        return _broke(shell, error)
    with contextlib.suppress(OSError):  # what is left is not tried again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return exits.PIPE_CLOSED
    return _failed(shell, UnavailableError("store.disk_full"))


def _terminated(*_: object) -> NoReturn:
    raise SystemExit(exits.TERMINATED)


def _failed(shell: Shell, error: ConvenioError) -> int:
    if os.environ.get("CONVENIO_TRACEBACK"):
        raise error
    if shell.as_json:
        _json_error(type(error).__name__, error.code, error.parameters)
    else:
        click.echo(printable(f"Error: {shell.words.error(error)} [{error.code}]"), err=True)
    return exits.exit_code(error)


def _misused(shell: Shell, error: click.ClickException) -> int:
    if shell.as_json:
        _json_error("UsageError", "usage", {"message": error.format_message()})
    else:
        error.show()
    return exits.USAGE


def _broke(shell: Shell, error: Exception) -> int:
    """A fault of this program: said as such, with what its makers need to find it."""
    if os.environ.get("CONVENIO_TRACEBACK"):
        raise error
    kind = type(error).__name__
    if shell.as_json:
        _json_error("Fault", "program.fault", {"kind": kind})
    else:
        said = shell.text(
            "This program has failed where it should not ({kind}). What was accepted until now is "
            "kept. To report it, set CONVENIO_TRACEBACK=1 and give the command again.",
            kind=kind,
        )
        click.echo(f"Error: {said}", err=True)
    return exits.OUR_FAULT


def _json_error(kind: str, code: str, parameters: dict[str, Any]) -> None:
    error = {"kind": kind, "code": code, "parameters": parameters}
    click.echo(json_line({"error": error}))
