"""`convenio verify`: facts for somebody who trusts neither the bearer nor our node."""

from __future__ import annotations

import importlib
import os
import string
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from convenio.cli import exits
from convenio.cli.command import command as declare
from convenio.cli.shell import Shell, now
from convenio.cli.verdict import render
from convenio.node.verify import Grade, verify
from convenio.store.durable import os_errors
from convenio.words import N_
from convenio.words.language import visible

MAX_TRUST_BYTES: Final = 1 << 20
# Letters and signs that no fingerprint and no hash has, so that a path is meant.
_OF_A_PATH: Final = set(string.printable) - set(string.hexdigits + string.whitespace + "-")
_THERE: Final = click.Path(exists=True)
# Not that of `options`, which brings the way to a node along.
EXISTING: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Given(click.ParamType[str]):
    """A file or folder that is there, or an address."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value if _is_address(value) else str(_THERE.convert(value, param, ctx))


class _Unsaid(click.Argument):
    """An argument that is understood and not asked for."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - of Click
        return []


@declare(
    "verify",
    help=N_(
        "Check a bundle, a receipt, a record, an exported log, a charter or the public log at an "
        "address. Needs no node and, for files, no network. TRUST is what you got from somebody "
        "you trust, not from whoever gave you the file: the charter's fingerprint (60 digits or "
        "64 hex), a charter, or a policy file. Without it the exit code is 3 at best: all may be "
        "consistent, but nobody vouches for the keys. A policy file knows no authors: under it a "
        "record stays undecided."
    ),
    example=[
        "convenio verify notice.zip --trust 8f3a…",
        "convenio verify notice.tlog-proof --trust framework.charter",
        "convenio verify mx/tiles --trust 12345-67890-…",
    ],
)
@click.argument("given", metavar=N_("PATH|URL"), type=_Given())
@click.argument("more", nargs=-1, cls=_Unsaid)
@click.option(
    "--trust",
    metavar=N_("FILE|HASH"),
    help=N_("The charter's fingerprint, a charter, or a policy file."),
)
@click.option(
    "--charter",
    type=EXISTING,
    metavar=N_("FILE"),
    help=N_("The charter, where it does not come along; it must have the fingerprint you trust."),
)
@click.option(
    "--record",
    type=EXISTING,
    metavar=N_("FILE"),
    help=N_("The record of a receipt, if it does not lie beside it."),
)
@click.pass_obj
def command(
    shell: Shell,
    given: str,
    more: tuple[str, ...],
    trust: str | None,
    charter: Path | None,
    record: Path | None,
) -> int:
    with shell.progress(shell.text("Checking")) as progress:
        report = verify(
            given,
            trust=_trust(shell, _whole(shell, trust, more)),
            now=now(),
            fetch=_fetch(given),
            record=record,
            charter=_read(charter) if charter else None,
            progress=lambda _origin, done, total: progress(done, total),
        )
    value = _plain(asdict(report))
    shell.answer(value, lambda: render(shell, report))
    return exits.HOLDS if report.grade is Grade.VOUCHED else exits.NOT_VERIFIED


def _whole(shell: Shell, trust: str | None, more: tuple[str, ...]) -> str | None:
    """What was given to `--trust`, also where digits in groups were typed without quotation marks.

    Raises:  click.UsageError: anything else is one argument too many.
    """
    if not more:
        return trust
    if trust is None or not all(group.isdecimal() for group in (trust, *more)):
        raise click.UsageError(
            shell.text("One thing is checked at a time. Too many: {more}", more=" ".join(more))
        )
    return " ".join((trust, *more))


def _trust(shell: Shell, text: str | None) -> bytes | str | None:
    """What is trusted: the content of a file of this name, else digits.

    Raises:  click.BadParameter: it is neither.
    """
    if text is None:
        return None
    if os.path.isfile(text):  # noqa: PTH113 - `Path` raises for a name that is too long
        return _read(Path(text))
    if not set(text) & _OF_A_PATH:
        return text
    raise click.BadParameter(
        shell.text(
            "“{typed}” is neither a file that is there nor a fingerprint (60 digits) nor a hash "
            "(64 digits 0 to 9 and a to f)",
            typed=visible(text),
        ),
        param_hint="--trust",
    )


def _read(path: Path) -> bytes:
    with os_errors(path), path.open("rb") as file:
        return file.read(MAX_TRUST_BYTES)


def _is_address(given: str) -> bool:
    return given.startswith(("http://", "https://"))


def _fetch(given: str) -> Callable[[str, int], bytes | None] | None:
    """What reads addresses; imported only for one."""
    if not _is_address(given):
        return None
    web: Any = importlib.import_module("convenio.node.verify.web")
    fetch: Callable[[str, int], bytes | None] = web.public_fetch()
    return fetch


def _plain(value: Any) -> Any:
    """For JSON: bytes as text; they are signed notes."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
