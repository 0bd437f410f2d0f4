"""`convenio disclose`: one content in plain, with its proof, for a third person."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from convenio.cli.command import command as declare
from convenio.cli.files import output, to_file
from convenio.cli.link import Link
from convenio.cli.options import acting, named_record, on_node, one_part
from convenio.cli.shell import Shell
from convenio.core.record import DISCLOSED_TO
from convenio.words import N_


@declare(
    "disclose",
    help=N_(
        "Pack one content in plain, with the proof of what it is and when it was said, for "
        "somebody outside the channel. Only releasers may, a reason is asked, and it is on record "
        "for all members of the channel."
    ),
    example="convenio disclose us mx/12 --as rosa --channel framework "
    '--reason "Court order 12/2022" -o page.zip',
)
@on_node
@named_record
@acting
@one_part
@click.option(
    "--reason", metavar=N_("TEXT"), help=N_("Why; it stays on this node. Asked for if not given.")
)
@click.option(
    "--code",
    type=click.Choice(DISCLOSED_TO),
    default="other",
    show_default=True,
    help=N_("To what kind of person; members see it."),
)
@to_file(N_("Write it there."))
def command(
    shell: Shell,
    link: Link,
    record: str,
    person: str,
    channel: str,
    part: int,
    reason: str | None,
    code: str,
    target: Path,
) -> None:
    reason = (reason or _ask(shell)).strip()
    if not reason:
        raise click.UsageError(shell.text("A disclosure needs a reason: --reason TEXT."))
    args = {
        "as": person,
        "record": record,
        "channel": channel,
        "part": part,
        "reason": reason,
        "code": code,
    }
    link.ready()
    with output(target) as file, shell.waiting(shell.text("Packing")):
        answer = link.call("disclose", args, [file.fileno()])
    done = shell.text(
        "The content and its proof are in {file}; the disclosure is on record.", file=target
    )
    shell.answer({**answer, "file": str(target)}, lambda: shell.line(done))


def _ask(shell: Shell) -> str:
    if not sys.stdin.isatty():
        return ""
    return str(click.prompt(shell.text("Why is it disclosed, and on what ground"), err=True))
