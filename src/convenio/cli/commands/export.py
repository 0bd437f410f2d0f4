"""`convenio export`: the logs as files other people's programs read."""

from __future__ import annotations

import click

from convenio.cli.command import command as declare
from convenio.cli.link import Link
from convenio.cli.options import acting_keeper, on_node
from convenio.cli.shell import Answer, Shell
from convenio.words import N_


@declare(
    "export",
    help=N_(
        "Write the logs this node holds, its own and its copies of others', as tiles and "
        "checkpoints (C2SP tlog-tiles) under DIR/tiles, with the charter beside them."
    ),
    example=["convenio export mx", "convenio export mx --channel framework"],
)
@on_node
@click.option("--channel", default="", metavar=N_("NAME"), help=N_("Only this channel."))
@acting_keeper
def command(shell: Shell, link: Link, channel: str, person: str) -> None:
    args = {"as": person, **({"channel": channel} if channel else {})}
    with shell.progress(shell.text("Exporting")) as progress:
        answer = link.call("export", args, progress=progress)
    shell.answer(answer, lambda: _render(shell, answer))


def _render(shell: Shell, answer: Answer) -> None:
    for log in answer["logs"]:  # not a table: it would break a path that is to be copied
        count = shell.words.plural("{n} record", "{n} records", log["entries"])
        shell.line(f"{log['party']}, {count}: {log['folder']}")
