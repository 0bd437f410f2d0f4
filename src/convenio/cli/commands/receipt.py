"""`convenio receipt`: the proof that a partner holds a record."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from convenio.cli.command import command as declare
from convenio.cli.files import DASH, output, to_file
from convenio.cli.link import Link
from convenio.cli.options import acting, named_record, on_node
from convenio.cli.shell import Shell
from convenio.words import N_


@declare(
    "receipt",
    help=N_(
        "Write the proof that a record is in this party's log and that a partner's node stored and "
        "countersigned it: a .tlog-proof file, which other people's programs can check too. The "
        "record itself is written beside it, as .record."
    ),
    example="convenio receipt mx mx/12 --as ana --channel framework -o notice.tlog-proof",
)
@on_node
@named_record
@acting
@click.option(
    "--party",
    default="",
    metavar=N_("PARTY"),
    help=N_("Whose receipt, if there are several partners."),
)
@to_file(N_("Write it there; - is standard output."))
def command(
    shell: Shell, link: Link, record: str, person: str, channel: str, party: str, target: Path
) -> None:
    args = {"as": person, "record": record, "channel": channel, "party": party}
    beside = target.with_name(target.name.removesuffix(".tlog-proof") + ".record")
    with output(target) as proof, tempfile.TemporaryFile() as entry:
        answer = link.call("receipt", args, [proof.fileno(), entry.fileno()])
        entry.seek(0)
        if target != DASH:
            with output(beside) as file:
                file.write(entry.read())
    if target != DASH:
        done = shell.text(
            "The receipt is in {file}, its record in {record}.", file=target, record=beside
        )
        value = {**answer, "file": str(target), "record_file": str(beside)}
        shell.answer(value, lambda: shell.line(done))
