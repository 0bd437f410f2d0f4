"""Arguments and options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import click

from convenio.cli.link import Link
from convenio.cli.phrases import passphrase
from convenio.cli.shell import Shell, say_set_aside
from convenio.words import N_, Words
from convenio.words.language import visible

Function = Callable[..., Any]
PASSPHRASE_FILE: Final = "--passphrase-file"  # noqa: S105 - the name of an option
ROOT_PASSPHRASE_FILE: Final = "--root-passphrase-file"  # noqa: S105 - the name of an option
EXISTING: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIRECTORY: Final[dict[str, Any]] = {"metavar": "DIR", "type": click.Path(path_type=Path)}
_PASSPHRASE: Final[dict[str, Any]] = {
    "type": EXISTING,
    "envvar": "CONVENIO_PASSPHRASE_FILE",
    "metavar": N_("FILE"),
}
_DURATION: Final = re.compile(r"([1-9][0-9]{0,8})([smhd])", re.ASCII)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def on_node(function: Function) -> Function:
    """Gives the command `shell` and `link`, the way to the node in DIR, its first argument."""

    @click.pass_context
    def wrapper(
        context: click.Context, /, *, directory: Path, passphrase_file: Path | None, **rest: Any
    ) -> Any:
        shell: Shell = context.obj
        prompt = shell.text("Passphrase of the node in {directory}", directory=directory)
        link = Link(
            directory,
            lambda: passphrase(shell, passphrase_file, prompt, PASSPHRASE_FILE),
            lambda names: say_set_aside(shell, names),
        )
        context.call_on_close(link.close)
        return context.invoke(function, shell, link, **rest)

    params = getattr(function, "__click_params__", [])
    made = update_wrapper(wrapper, function)
    help_ = N_("First line: the node's passphrase. Needed only if the node is not running.")
    phrase = click.Option([PASSPHRASE_FILE], help=help_, **_PASSPHRASE)
    # Click reads this list from its end.
    made.__click_params__ = [phrase, *params, click.Argument(["directory"], **_DIRECTORY)]  # type: ignore[attr-defined]
    return made


def in_directory(function: Function) -> Function:
    """DIR, as `directory`, for what needs no way to a node there."""
    return click.argument("directory", **_DIRECTORY)(function)


def working_passphrase(function: Function) -> Function:
    """`--passphrase-file FILE`, as `passphrase_file`, where it is needed in any case."""
    help_ = N_("First line: the passphrase of the node's working keys.")
    return click.option(PASSPHRASE_FILE, help=help_, **_PASSPHRASE)(function)


def acting(function: Function) -> Function:
    """`--as PERSON`, as `person`: whose act it is."""
    return click.option(
        "--as",
        "person",
        metavar=N_("PERSON"),
        required=True,
        envvar="CONVENIO_AS",
        help=N_("Who does this; it is on record."),
    )(function)


def acting_keeper(function: Function) -> Function:
    """`--as PERSON`, as `person`: for what only a keeper may do."""
    return _keeper_unless_told(
        function, "CONVENIO_KEEPER", help_=N_("The keeper who does this; it is on record.")
    )


def looking(function: Function) -> Function:
    """`--as PERSON`, as `person`: for what keepers look at, and others as far as they may."""
    return _keeper_unless_told(
        function,
        *("CONVENIO_AS", "CONVENIO_KEEPER"),
        help_=N_("Who looks; shown is what this person may see."),
    )


def _keeper_unless_told(function: Function, *variables: str, help_: str) -> Function:
    return click.option(
        "--as",
        "person",
        metavar=N_("PERSON"),
        default="keeper",
        show_default=True,
        envvar=variables,
        help=help_,
    )(function)


def named_record(function: Function) -> Function:
    """RECORD, as `record`, and `--channel NAME`, as `channel`: '' if it is not needed."""
    function = click.option(
        "--channel",
        default="",
        metavar=N_("NAME"),
        help=N_("The channel, if the record is named by its place."),
    )(function)
    return click.argument("record", metavar=N_("RECORD"))(function)


def one_part(function: Function) -> Function:
    """`--part N`, as `part`: which content of a record."""
    return click.option(
        "--part",
        type=click.IntRange(0, 31),
        default=0,
        show_default=True,
        help=N_("Which of its contents."),
    )(function)


def in_channel(function: Function) -> Function:
    """`--channel NAME`, as `channel`."""
    return click.option(
        "--channel",
        metavar=N_("NAME"),
        required=True,
        envvar="CONVENIO_CHANNEL",
        help=N_("The channel."),
    )(function)


def root_passphrase(function: Function) -> Function:
    """`--root-passphrase-file FILE`, as `root_passphrase_file`."""
    return click.option(
        ROOT_PASSPHRASE_FILE,
        type=EXISTING,
        envvar="CONVENIO_ROOT_PASSPHRASE_FILE",
        metavar=N_("FILE"),
        help=N_("First line: the passphrase of the root keys."),
    )(function)


def root_keys(function: Function) -> Function:
    """`--root FILE` and the passphrase of root keys, as `root` and `root_passphrase_file`."""
    function = root_passphrase(function)
    return click.option(
        "--root",
        type=EXISTING,
        multiple=True,
        metavar=N_("FILE"),
        help=N_("A root key of this party; give as many as must sign. [otherwise: DIR/roots/]"),
    )(function)


class Hex(click.ParamType[str]):
    """Digits 0 to 9 and a to f, as many as must be."""

    name = "hex"

    def __init__(self, digits: int) -> None:
        self._digits = digits

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        plain = str(value).strip().lower()
        if len(plain) == self._digits and set(plain) <= set("0123456789abcdef"):
            return plain
        words = _words(ctx)
        message = N_("“{typed}” is not {digits} digits 0 to 9 and a to f")
        shown = {"typed": visible(str(value)), "digits": self._digits}
        return self.fail(words.text(message, **shown), param, ctx)


class Duration(click.ParamType[int]):
    """A length of time in seconds: `90s`, `30m`, `12h`, `3d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        if found := _DURATION.fullmatch(value):
            return int(found[1]) * _UNITS[found[2]]
        message = N_("“{typed}” is not a length of time such as 90s, 30m, 12h or 3d")
        return self.fail(_words(ctx).text(message, typed=visible(value)), param, ctx)


def _words(ctx: click.Context | None) -> Words:
    shell = ctx.find_object(Shell) if ctx else None
    return shell.words if shell else Words("en")
