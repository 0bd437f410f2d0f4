"""`convenio bundle`: records with all that is needed to check them."""

from __future__ import annotations

from pathlib import Path

import click

from convenio.cli.command import command as declare
from convenio.cli.files import DASH, output, to_file
from convenio.cli.link import Link
from convenio.cli.options import acting, on_node
from convenio.cli.shell import Shell
from convenio.words import N_


@declare(
    "bundle",
    help=N_(
        "Pack records with their receipts, the charter and everything else needed to check them "
        "without a network. A bundle does not vouch for itself: whoever checks it needs the "
        "fingerprint from somebody they trust."
    ),
    example="convenio bundle mx mx/12 mx/13 --as ana --channel framework -o notice.zip",
)
@on_node
@click.argument("records", metavar=N_("RECORD..."), nargs=-1, required=True)
@acting
@click.option(
    "--channel",
    default="",
    metavar=N_("NAME"),
    help=N_("The channel, if records are named by their place."),
)
@click.option("--with-bodies", is_flag=True, help=N_("Also the contents, sealed as they are."))
@to_file(N_("Write it there; - is standard output."))
def command(
    shell: Shell,
    link: Link,
    records: tuple[str, ...],
    person: str,
    channel: str,
    with_bodies: bool,
    target: Path,
) -> None:
    args = {"as": person, "records": list(records), "channel": channel, "with_bodies": with_bodies}
    link.ready()
    with output(target) as file, shell.waiting(shell.text("Packing")):
        answer = link.call("bundle", args, [file.fileno()])
    if target != DASH:
        done = shell.text("The bundle is in {file}.", file=target)
        shell.answer({**answer, "file": str(target)}, lambda: shell.line(done))
