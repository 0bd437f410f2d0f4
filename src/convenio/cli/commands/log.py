"""`convenio log`: what was said in a channel."""

from __future__ import annotations

from typing import Any

import click

from convenio.cli.command import command as declare
from convenio.cli.link import Link
from convenio.cli.options import in_channel, on_node
from convenio.cli.shell import Answer, Shell
from convenio.cli.showing import Desks, delivery_text, kind_text, record_lines, short
from convenio.words import N_


@declare(
    "log",
    help=N_(
        "The latest records of a channel, of all parties, and how far each has come. With RECORD, "
        "that record in full."
    ),
    example=[
        "convenio log mx --as ana --channel framework",
        "convenio log mx --as ana --channel framework mx/12",
    ],
)
@on_node
@click.argument("record", metavar=N_("[RECORD]"), required=False)
@click.option(
    "--as",
    "person",
    metavar=N_("PERSON"),
    envvar="CONVENIO_AS",
    help=N_("Who looks. Needed unless everyone may read the channel."),
)
@in_channel
@click.option(
    "--limit",
    type=click.IntRange(1, 500),
    default=50,
    show_default=True,
    help=N_("How many records."),
)
@click.option(
    "--before", default="", metavar=N_("MARK"), help=N_("Go on where an earlier answer ended.")
)
@click.option("--all", "automatic", is_flag=True, help=N_("Also what nodes say by themselves."))
def command(
    shell: Shell,
    link: Link,
    record: str | None,
    person: str | None,
    channel: str,
    limit: int,
    before: str,
    automatic: bool,
) -> None:
    args: dict[str, Any] = {"as": person, "channel": channel}
    if record:
        answer = link.call("record", {**args, "record": record})
        lines = record_lines(shell, answer, Desks.of(link, answer["channel"]))
        shell.answer(answer, lambda: shell.line("\n".join(lines)))
        return
    answer = link.call("log", {**args, "limit": limit, "before": before, "automatic": automatic})
    shell.answer(answer, lambda: _render(shell, answer, Desks.of(link, channel)))


def _render(shell: Shell, answer: Answer, desks: Desks) -> None:
    headings = [
        shell.text("Time"),
        shell.text("Record"),
        shell.text("What"),
        shell.text("To"),
        shell.text("How far it has come"),
    ]
    rows = [
        [
            shell.words.time(record["at"]),
            f"{record['place']} {short(record['leaf'])}",
            kind_text(shell, record),
            desks.names(record["to"]) or "–",
            "\n".join(delivery_text(shell, each) for each in record["delivery"]),
        ]
        for record in answer["records"]
    ]
    if rows:
        shell.table(headings, rows)
    else:
        shell.line(shell.text("Nothing has been said in {channel}.", channel=answer["channel"]))
    if answer["next"]:
        shell.advise(shell.text("There is more: --before {mark}", mark=answer["next"]))
